"""All that is worded, gathered from the code: `python -m assistant.language.messages` updates the catalogues.

`en.po` then lists every message once; the other files keep their translations, lose what is worded no more, and
get an empty entry for what is new, which is told in English until somebody translates it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from assistant.language import cannot, terms
from assistant.language.catalogue import ENGLISH, LANGUAGES, read_messages
from assistant.language.denylist import ABOUT
from assistant.prompts.defects import DEFECTS

Message = tuple[str, str]
"""English, and its plural or ""."""


def find_messages() -> list[Message]:
    """Every message of the code, in the order of its files, each once."""
    folder = Path(__file__).parent
    found = [message for file in sorted(folder.glob("*.py")) for message in _scan(file)]
    words = [*terms.terms(), *cannot.REASONS.values(), *ABOUT.values(), *(defect.name for defect in DEFECTS)]
    return list(dict.fromkeys([*found, *((word, "") for word in words)]))


def update(folder: Path) -> dict[str, int]:
    """Write the catalogues anew; how many messages of each language are not translated."""
    messages = find_messages()
    missing: dict[str, int] = {}
    for language in LANGUAGES:
        known = read_messages(language)
        forms = 1 if language == "zh" else 2
        lines = [_entry(("", ""), known["", ""])]
        for message in messages:
            said = known.get(message) or [""] * (forms if message[1] else 1)
            lines.append(_entry(message, said))
            if language != ENGLISH and not all(said):
                missing[language] = missing.get(language, 0) + 1
        (folder / f"{language}.po").write_text("\n".join(lines), encoding="utf-8")
    return missing


def _scan(file: Path) -> Iterator[Message]:
    """The messages that a file words: `w("...")`, `w.count("...", "...")`, and constants that it hands to them."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        said = [
            str(part.value) if isinstance(part, ast.Constant) else str(constants.get(part.id, ""))
            for part in node.args[:2]
            if isinstance(part, ast.Constant | ast.Name)
        ]
        if called in ("w", "wording", "self") and said and said[0]:
            yield said[0], ""
        elif called in ("w.count", "wording.count") and len(said) == 2 and all(said):
            yield said[0], said[1]


def _entry(message: Message, said: list[str]) -> str:
    one, many = message
    if not one:
        head = "".join(f'"{line}\\n"\n' for line in said[0].strip().split("\n"))
        return f'msgid ""\nmsgstr ""\n{head}'
    lines = [f'msgid "{_escape(one)}"']
    if not many:
        return "\n".join([*lines, f'msgstr "{_escape(said[0])}"', ""])
    lines.append(f'msgid_plural "{_escape(many)}"')
    return "\n".join([*lines, *(f'msgstr[{n}] "{_escape(text)}"' for n, text in enumerate(said)), ""])


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


if __name__ == "__main__":
    for language, n in update(Path(__file__).parent / "catalogues").items():
        sys.stdout.write(f"{language}: {n} messages are not translated\n")
