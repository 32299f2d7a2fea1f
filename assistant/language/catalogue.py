"""The languages that facts are worded in: one gettext catalogue each, English where a message is missing.

A message is looked up by its English words, be they worded in answers, in records or on the page.
`catalogues/en.po` lists them all, `de.po`, `es.po` and `zh.po` hold the translations; they are read as they are,
without a compiled file beside them. How many forms a language has for numbers stands in the head of its file, as
gettext has it.
"""

from __future__ import annotations

import gettext
import io
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from assistant.errors import LooktwiceError

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "zh": "中文"}
"""By code, each in its own words."""

ENGLISH = "en"

_LINE = re.compile(r'(?:(msgid_plural|msgid|msgstr(?:\[\d\])?)\s+)?"((?:[^"\\]|\\.)*)"\s*$')
_ESCAPES = {"n": "\n", "t": "\t"}


@dataclass(frozen=True)
class Wording:
    """The words of one language: call it with an English message and what fills its gaps."""

    language: str = ENGLISH

    def __call__(self, message: str, /, **gaps: object) -> str:
        """A message in this language, its `{gaps}` filled."""
        return _catalogue(self.language).gettext(message).format(**gaps)

    def count(self, one: str, many: str, n: int, /, **gaps: object) -> str:
        """A message in the form for n, which fills the gap `{n}`."""
        return _catalogue(self.language).ngettext(one, many, n).format(n=n, **gaps)

    def join(self, names: list[str]) -> str:
        """Names as "a, b and c"."""
        if len(names) < 2:
            return "".join(names)
        return self("{names} and {last}", names=self.commas(names[:-1]), last=names[-1])

    def commas(self, parts: Iterable[str]) -> str:
        """Parts as "a, b, c"."""
        return ("、" if self.language == "zh" else ", ").join(parts)

    def put_together(self, sentences: list[str]) -> str:
        """Sentences as a text; Chinese sets no space between them."""
        return ("" if self.language == "zh" else " ").join(sentences)


ENGLISH_WORDS = Wording()
"""The words of who asks for no language."""


def message(words: str) -> str:
    """The same words: marks English ones that are handed to a `Wording` later, so that catalogues list them."""
    return words


def pick_language(asked: str | None) -> str:
    """A language by its code, such as "de" or "de-AT", or its name; LooktwiceError for one that is not there."""
    if not asked:
        return ENGLISH
    word = asked.strip().casefold()
    for code, name in LANGUAGES.items():
        if word == name.casefold() or re.split(r"[-_]", word)[0] == code:
            return code
    raise LooktwiceError(f"There is no language {asked[:20]!r}; the languages are {', '.join(LANGUAGES)}.")


def read_messages(language: str) -> dict[tuple[str, str], list[str]]:
    """The messages of a language's file: (English, its plural or "") -> translations, one for each form."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in _entries((files(__package__) / "catalogues" / f"{language}.po").read_text(encoding="utf-8")):
        forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr")]
        found[entry["msgid"], entry.get("msgid_plural", "")] = forms
    return found


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.GNUTranslations(io.BytesIO(_compile(read_messages(language))))


def _entries(text: str) -> Iterator[dict[str, str]]:
    """The entries of a .po file, by the names of its lines; comments are passed over."""
    entry: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), 'msgid ""']:
        if not (said := _LINE.match(line)):
            continue
        if said[1] == "msgid" and entry:
            yield entry
            entry = {}
        name = said[1] or name
        plain = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), said[2])
        entry[name] = entry.get(name, "") + plain


def _compile(messages: dict[tuple[str, str], list[str]]) -> bytes:
    """A catalogue in the binary form that gettext reads; what is not translated is left out."""
    rows = sorted(
        (f"{one}\0{many}".encode() if many else one.encode(), "\0".join(forms).encode())
        for (one, many), forms in messages.items()
        if all(forms)
    )
    start = 7 * 4 + 16 * len(rows)
    ids, texts, at = b"", b"", start + sum(len(id) + 1 for id, _ in rows)
    first, second, where = [], [], start
    for id, text in rows:
        first += [len(id), where]
        second += [len(text), at]
        where, at = where + len(id) + 1, at + len(text) + 1
        ids, texts = ids + id + b"\0", texts + text + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(rows), 28, 28 + 8 * len(rows), 0, 0)
    return head + struct.pack(f"<{4 * len(rows)}I", *first, *second) + ids + texts
