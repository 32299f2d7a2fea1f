"""All that is worded, gathered from the code: `python -m assistant.language.messages` updates the catalogues.

`en.po` then lists every message once; the other files keep their translations, lose what is worded no more, and
get an empty entry for what is new, which is told in English until somebody translates it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from assistant.language import cannot, terms
from assistant.language.catalogue import ENGLISH, LANGUAGES, read_messages
from assistant.language.denylist import ABOUT
from assistant.prompts.defects import DEFECTS

Message = tuple[str, str]
"""English, and its plural or ""."""


WORDED = ("language", "records", "reports", "face")
"""The rooms in which code words messages for people, by `w("...")` or `message("...")`."""

RETOLD = ("database", "face", "detection", "images", "products", "records", "reports")
"""The rooms whose errors a visitor of the page meets: their sentences are told in his language.

What he can meet of other rooms is marked by `told`. Errors of training, commands, the service, exports, fetched
bundles and measuring are met where they are asked for, in a shell or a program, and stay English.
"""

FORM = "form"
"""The name of gaps that choose between two forms of a word, which another language need not have."""


def find_messages() -> list[Message]:
    """Every message of the code, in the order of its files, each once."""
    rooms = _read_rooms()
    errors = _error_names([tree for _, tree in rooms])
    found = [message for room, tree in rooms for message in _scan(tree, room, errors)]
    words = [*terms.terms(), *cannot.REASONS.values(), *ABOUT.values(), *(defect.name for defect in DEFECTS)]
    return list(dict.fromkeys([*found, *((word, "") for word in words)]))


def find_sentences() -> list[str]:
    """Every sentence that is made in English and retold, with its gaps: marked by `told`, or that of an error."""
    rooms = _read_rooms()
    errors = _error_names([tree for _, tree in rooms])
    made = [(node, room, _constants(tree)) for room, tree in rooms for node in ast.walk(tree)]
    return list(dict.fromkeys(words for one in made for words in _made_in_english(*one, errors)))


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


def _read_rooms() -> list[tuple[str, ast.Module]]:
    """Every file of the code, read, with the name of its room."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return [(file.parent.name, ast.parse(file.read_text(encoding="utf-8"))) for file in files]


def _error_names(trees: list[ast.Module]) -> set[str]:
    """The names of the errors that a user can cause: `LooktwiceError` and all that come from it."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    names = {"LooktwiceError"}
    while more := {name for name, of in bases.items() if of & names} - names:
        names |= more
    return names


def _scan(tree: ast.Module, room: str, errors: set[str]) -> Iterator[Message]:
    """The messages of a file.

    They are those that it words, `w("...")`, `shared.w.count("...", "...")`, `message("...")`, with constants that
    are handed over, and the sentences that it makes in English to be retold, `told("...")` and those of errors.
    """
    constants = _constants(tree)
    for node in ast.walk(tree):
        yield from ((sentence, "") for sentence in _made_in_english(node, room, constants, errors))
        if not isinstance(node, ast.Call) or room not in WORDED:
            continue
        called = ast.unparse(node.func)
        said = [_words(part, constants) for part in node.args[:2]]
        if called.split(".")[-1] in ("w", "wording", "message") or called == "self" and room == "language":
            yield from ((words, "") for words in said[:1] if words)
        elif called.endswith(("w.count", "wording.count")) and len(said) == 2 and all(said):
            yield said[0], said[1]


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a file names at its top."""
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }  # fmt: skip


def _made_in_english(node: ast.AST, room: str, constants: dict[str, str], errors: set[str]) -> Iterator[str]:
    """The sentences that a call makes in English, to be retold."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        called = node.func.id
        if called == "told" or called in errors and room in RETOLD:
            yield from _sentences(node.args[:1], constants)


def _words(part: ast.expr, constants: dict[str, str]) -> str:
    """The words of an argument that is a text or the name of one; "" for any other."""
    if isinstance(part, ast.Constant):
        return str(part.value) if isinstance(part.value, str) else ""
    return constants.get(part.id, "") if isinstance(part, ast.Name) else ""


def _sentences(parts: list[ast.expr], constants: dict[str, str]) -> Iterator[str]:
    """The sentences of arguments: texts, f-strings with their gaps named, and both ways of a choice."""
    for part in parts:
        if isinstance(part, ast.IfExp):
            yield from _sentences([part.body, part.orelse], constants)
            continue
        words = _with_gaps(part) if isinstance(part, ast.JoinedStr) else _words(part, constants)
        if re.sub(r"\{\w+\}|\W", "", words):  # an error that hands another one's sentence on has no words itself
            yield words.rstrip(".")


def _with_gaps(text: ast.JoinedStr) -> str:
    """An f-string as a message: each gap has the last name of its expression, numbered where another has it."""
    said, names, known = "", list[str](), dict[str, str]()
    for part in text.values:
        if isinstance(part, ast.Constant):
            said += str(part.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(part, ast.FormattedValue):
            drawn = ast.unparse(part)
            if drawn not in known:
                found = re.findall(r"[a-z_][a-z_0-9]*", ast.unparse(part.value).lower())
                name = FORM if isinstance(part.value, ast.IfExp) else found[-1].strip("_") if found else "what"
                names.append(name)
                known[drawn] = f"{{{name}{names.count(name) if names.count(name) > 1 else ''}}}"
            said += known[drawn]
    return said


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
