"""Every command explains itself on 80 columns, completes names and takes shares as people write them."""

import os
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from assistant.commands.main import app
from assistant.commands.options import read_share


def walk(command, name=()):
    yield name, command
    for verb, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*name, verb))


COMMANDS = list(walk(get_command(app)))


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", [name for name, _ in COMMANDS], ids=" ".join)
def test_every_command_explains_itself_on_80_columns(name, option):
    shown = CliRunner().invoke(app, [*name, option], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.exit_code == 0 and "Usage:" in shown.output
    assert "…" not in shown.output and max(map(len, shown.output.splitlines())) <= 80


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[" ".join(name) for name, _ in COMMANDS])
def test_every_option_says_what_it_is_for(name, command):
    assert command.help
    assert not [one.name for one in command.params if not getattr(one, "help", None)]


def test_one_option_has_one_meaning_in_one_spelling():
    said: dict[str, set[str]] = {}
    for _, command in COMMANDS:
        for one in command.params:
            if "--device" in one.opts or "--explainer" in one.opts:
                said.setdefault(one.opts[0], set()).add(one.help)
    assert len(said["--device"]) == 1
    text = " ".join(f"{c.help} {' '.join(p.help or '' for p in c.params)}" for _, c in COMMANDS).lower()
    for other in ("color", "license", "recognize", "colour map", "centre"):
        assert other not in text, other


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_said(option):
    shown = CliRunner().invoke(app, [option])
    assert shown.exit_code == 0 and shown.output.startswith("looktwice ") and len(shown.output.split()) == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("looktwice inspect x --product im", ["impeller", "impala 2"]),
        ("looktwice teach impe", ["impeller"]),
        ("looktwice products --remove r", ["rotor"]),
        ("looktwice history list --product ro", ["rotor"]),
        ("looktwice audit show --product ro", ["rotor"]),
        ("looktwice inspect x --bundle po", ["pocket"]),
        ("looktwice pull st", ["standard"]),
    ],
)
def test_names_are_completed_without_loading_a_model(tmp_path, words, offered):
    for name in ("impeller", "impala 2", "rotor"):
        (tmp_path / f"{name}.product.safetensors").touch()
    code = (
        "import sys; from assistant.commands import main\n"
        "try: main.main()\nfinally: sys.exit('torch' in sys.modules and 'torch was loaded' or 0)"
    )
    asked = {
        "_LOOKTWICE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
        "LOOKTWICE_PRODUCTS": str(tmp_path),
    }
    program = f"import sys; sys.argv[0] = 'looktwice'\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert sorted(done.stdout.split("\n")[:-1]) == sorted(offered), done.stderr
    assert "torch was loaded" not in done.stderr


@pytest.mark.parametrize(
    ("text", "share"),
    [("2.5%", 0.025), (" 7 % ", 0.07), ("100%", 1.0), ("1e-3", 0.001), ("0.31", 0.31), (0.5, 0.5)],
)
def test_a_share_is_taken_as_people_write_it(text, share):
    assert read_share(text) == pytest.approx(share)


def test_every_option_that_is_a_share_takes_a_percent():
    shares = [
        (command, one)
        for _, command in COMMANDS
        for one in command.params
        if "share of" in (one.help or "").lower() or one.metavar == "SHARE"
    ]
    assert {"--false-alarms", "--frozen"} <= {one.opts[0] for _, one in shares}
    for command, one in shares:
        with command.make_context("x", ["x"], resilient_parsing=True) as context:
            assert one.process_value(context, "30%") == pytest.approx(0.3), one.opts
