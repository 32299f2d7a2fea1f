"""What the pages say is there: links, files, modules and options; and the README stays short."""

import importlib.util
import re

import pytest
from typer.main import get_command

from assistant.commands.main import app
from assistant.eval.research.house import HERE

PAGES = sorted([HERE / "README.md", HERE / "CONTRIBUTING.md", *(HERE / "docs").glob("*.md")])
MOST_WORDS = 900
"""What somebody can take in who has ninety seconds."""


def named(pages, pattern):
    """Every (page, match) of a pattern."""
    return [(page, match) for page in pages for match in re.findall(pattern, page.read_text(encoding="utf-8"))]


def anchors(page):
    """The names by which headings of a page are linked to."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_readme_is_short_and_names_every_page():
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= MOST_WORDS
    for page in (HERE / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in text, f"README.md does not link to {page.name}"


def test_links_lead_somewhere():
    links = [(page, link) for page, link in named(PAGES, r"\]\(([^)\s]+)\)") if "://" not in link]
    assert len(links) > 50
    for page, link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_files_that_are_named_are_there():
    files = named(PAGES, r"\b(?:assistant|adapters|prompts|eval|tests)/[\w./]+\.(?:py|toml|json|safetensors)\b")
    assert len(files) > 20
    for page, file in files:
        assert (HERE / file).is_file(), f"{page.name}: {file}"


def test_modules_that_are_run_or_imported_are_there():
    modules = named(PAGES, r"(?:python -m|from|import) (assistant(?:\.\w+)*)")
    assert len(modules) > 10
    for page, module in modules:
        assert importlib.util.find_spec(module), f"{page.name}: {module}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_are_there(page):
    commands = get_command(app).commands
    for line in re.findall(r"^ *looktwice .+$", page.read_text(encoding="utf-8"), re.MULTILINE):
        for call in re.split(r" & |# ", line)[0:1]:
            _, name, *words = call.split()
            command = commands[name]
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            asked = {word.split("=")[0] for word in words if word.startswith("--")}
            assert asked <= known | {"--help"}, f"{page.name}: {line}"
