"""How people ask, one table a language: `questions/en.toml` and its like, compiled to patterns when first used.

A table has sections of named lists of regular expressions over normalised words (`normalize`); `{name}` in them
stands for a list of its section "words". Chinese is read without spaces between words.
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from assistant.language.catalogue import ENGLISH, LANGUAGES
from assistant.prompts.defects import DEFECTS

LONGEST = 500
"""Characters of a question that are read."""

NUMBER = r"\d+(?:\.\d+)?"
_TOKEN = re.compile(rf"{NUMBER}|[^\W\d_]+\d*|%")
_SIGNS = {"de": "äöüß", "es": "¿¡ñáéíóú"}
"""Letters and marks that only one of the languages has."""

_NOT_A_KIND = {"spot", "short", "open", "split", "gap", "flash", "crush", "spike"}  # everyday words first


@dataclass(frozen=True)
class Table:
    """The patterns of one language."""

    language: str
    rows: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def wide(self) -> bool:
        """Whether words stand without spaces between them."""
        return self.language == "zh"

    def names(self, section: str) -> Iterator[str]:
        """The names of a section, in the order of the table, which is that of precedence."""
        return iter(self.rows.get(section, {}))

    def find(self, section: str, name: str, words: str) -> re.Match[str] | None:
        """The first place in normalised words that fits."""
        rule = _rule(self.language, section, name)
        return rule.search(words) if rule else None

    def first(self, section: str, words: str) -> str:
        """The first name of a section that fits, "" for none."""
        return next((name for name in self.names(section) if self.find(section, name, words)), "")

    def take(self, section: str, name: str, words: str) -> tuple[re.Match[str] | None, str]:
        """The first place that fits, and the words without it."""
        found = self.find(section, name, words)
        return found, self.drop(found, words) if found else words

    def drop(self, found: re.Match[str], words: str) -> str:
        """Words without what was found in them."""
        gap = "" if self.wide else " "
        return " ".join(f"{words[: found.start()]}{gap}{words[found.end() :]}".split())

    def strip(self, words: str, *names: str) -> str:
        """Words without any of the lists of the section "words" of these names."""
        for name in names:
            rule = _rule(self.language, "words", name)
            words = rule.sub("" if self.wide else " ", words) if rule else words
        return " ".join(words.split())

    def number(self, word: str) -> int:
        """A number in figures or in words; 0 where it is none."""
        if word.isdecimal():
            return int(word[:9])
        numbers = self.rows.get("numbers", {})
        for name in ("words", "ordinals"):
            listed = numbers.get(name, "").split()
            if fold(word) in map(fold, listed):
                return list(map(fold, listed)).index(fold(word))
        return 0


@lru_cache(maxsize=len(LANGUAGES))
def load_table(language: str) -> Table:
    """The table of a language."""
    text = (files(__package__) / "questions" / f"{language}.toml").read_text(encoding="utf-8")
    return Table(language, tomllib.loads(text))


def read_language(question: str) -> str:
    """The language of a question, as far as its letters and small words tell; English where they do not."""
    text = question[:LONGEST]
    letters = [c for c in text if c.isalpha()]
    if sum("CJK" in unicodedata.name(c, "") for c in letters) * 3 > len(letters):
        return "zh"
    words = set(re.findall(r"[^\W\d_]+", fold(text)))
    scores = {language: len(words & _stopwords(language)) for language in LANGUAGES if language != "zh"}
    for language, signs in _SIGNS.items():
        scores[language] += 2 * any(sign in text.casefold() for sign in signs)
    best = max(scores, key=lambda language: (scores[language], language == ENGLISH))
    return best if scores[best] else ENGLISH


def is_foreign(question: str) -> bool:
    """Whether most letters of a question are of a script that no table reads."""
    letters = [unicodedata.name(c, "") for c in question[:LONGEST] if c.isalpha()]
    return sum("LATIN" not in name and "CJK" not in name for name in letters) * 2 > len(letters)


def normalize(text: str, language: str = ENGLISH) -> str:
    """Lower-case words with single spaces and without accents; English contractions spelled out, typos mended."""
    plain = fold(text[:LONGEST].replace("\u2019", "'"))
    if language == "zh":
        return "".join(re.findall(r"[^\W_]|%|(?<=\d)\.(?=\d)", plain))
    if language == ENGLISH:
        plain = re.sub(r"\b(can)'?t\b", r"\1 not", plain)
        plain = re.sub(r"(\w)n't\b", r"\1 not", plain)
        plain = re.sub(r"'(s|re|m)\b", lambda end: {"s": " is", "re": " are", "m": " am"}[end[1]], plain)
    else:
        plain = re.sub(r"(\d),(\d)", r"\1.\2", plain)
    words = _TOKEN.findall(plain)
    return " ".join(_mend(word, language) for word in words)


def fold(text: str) -> str:
    """Text without accents and case."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(maxsize=4096)
def _mend(word: str, language: str) -> str:
    never, short, keywords = _mending(language)
    if word in short:
        return short[word]
    if len(word) < 5 or word in never or word in keywords:
        return word
    close = difflib.get_close_matches(word, keywords, n=1, cutoff=0.8)
    return close[0] if close else word


@lru_cache(maxsize=len(LANGUAGES))
def _mending(language: str) -> tuple[set[str], dict[str, str], list[str]]:
    rows = load_table(language).rows.get("mend", {})
    listed = [fold(word) for word in rows.get("keywords", "").split()]
    return {fold(w) for w in rows.get("never", "").split()}, dict(rows.get("short", {})), listed


@lru_cache(maxsize=len(LANGUAGES))
def _stopwords(language: str) -> frozenset[str]:
    return frozenset(fold(word) for word in load_table(language).rows["language"]["stopwords"].split())


@lru_cache(maxsize=1024)
def _rule(language: str, section: str, name: str) -> re.Pattern[str] | None:
    table = load_table(language)
    patterns = table.rows.get(section, {}).get(name)
    if not patterns:
        return None
    listed = [patterns] if isinstance(patterns, str) else list(patterns)
    if section == "numbers" and name in ("words", "ordinals"):
        listed = ["|".join(listed[0].split())]
    joined = "|".join(_fill(_unaccent(pattern), table) for pattern in listed)
    return re.compile(joined if table.wide else rf"(?<!\w)(?:{joined})(?!\w)")


def _fill(pattern: str, table: Table) -> str:
    def words(name: re.Match[str]) -> str:
        if name[1] == "number":
            return NUMBER
        if name[1] == "kind" and "kind" not in table.rows["words"]:
            return f"(?:{_kinds()})"
        return f"(?:{_fill(_unaccent(table.rows['words'][name[1]]), table)})"

    return re.sub(r"\{([a-z_]+)\}", words, pattern)


def _unaccent(pattern: str) -> str:
    plain = unicodedata.normalize("NFKD", pattern.replace("ß", "ss"))
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(maxsize=1)
def _kinds() -> str:
    names = {name for defect in DEFECTS for name in (defect.name, *defect.words)} - _NOT_A_KIND
    return "|".join(rf"{name}(?:e?s)?" for name in sorted(names, key=len, reverse=True))
