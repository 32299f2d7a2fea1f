"""Questions as typed, made ready to be matched: cut into clauses, spelled out in plain lower-case words."""

from __future__ import annotations

import difflib
import re
import unicodedata

LONGEST = 500  # characters of a question that are read

_SHORT = {
    "its": "it is", "whats": "what is", "wheres": "where is", "hows": "how is", "thats": "that is",
    "isnt": "is not", "arent": "are not", "dont": "do not", "cant": "can not", "cannot": "can not",
    "im": "i am", "wat": "what", "waht": "what", "wher": "where", "whre": "where", "hwo": "how",
    "wich": "which", "szie": "size", "teh": "the", "lage": "large", "larg": "large", "bigg": "big",
    "u": "you", "ur": "your",
}  # fmt: skip
_KEYWORDS = """where location position large largest biggest smallest severe severity serious defect defects
defective broken threshold score verdict region regions reference references compared certain confident
confidence reliable summary explain recommend scratch scratches crack cracks stain stains bottom
worst""".split()
_NEVER_MENDED = set("there these three their track detect detected store certainly composition".split())
_FOREIGN = set("""wo wie ist der das ein eine und warum nicht welche gibt ou est le les la un une quel quelle
pourquoi comment donde el es una los que cual porque como esta hay dov il che quanto perche dove onde qual
waar hoe wat het een van gdzie jest czy""".split())  # fmt: skip


def normalize(text: str) -> str:
    """Lower case words with single spaces: contractions spelled out, accents dropped, likely typos mended."""
    folded = unicodedata.normalize("NFKD", text[:LONGEST].replace("\u2019", "'")).casefold()
    folded = re.sub(r"(\w)n't\b", r"\1 not", folded)
    folded = re.sub(r"'(s|re|m)\b", lambda end: {"s": " is", "re": " are", "m": " am"}[end[1]], folded)
    words = re.findall(r"[a-z]+|\d+", re.sub(r"[^a-z0-9\s\-/_.,#'\[\]()]", "", folded))
    return " ".join(_mend(word) for word in words)


def _mend(word: str) -> str:
    if word in _SHORT or len(word) < 5 or word in _NEVER_MENDED:
        return _SHORT.get(word, word)
    close = difflib.get_close_matches(word, _KEYWORDS, n=1, cutoff=0.8)
    return close[0] if close else word


def split_clauses(question: str) -> list[str]:
    """The parts of a question that can each be asked alone, without filler words; never empty."""
    parts = re.split(r"[?!;,\n]+|\.(?!\d)|\band\b|&", question[:LONGEST], flags=re.IGNORECASE)
    filler = {"", "so", "ok", "okay", "right", "yes", "no", "well", "please", "correct", "hm", "now", "then"}
    clauses = [part.strip() for part in parts if normalize(part) not in filler]
    return clauses or [question[:LONGEST].strip()]


def is_foreign(question: str) -> bool:
    """Whether a question is written in another language than English, as far as a few words can tell."""
    letters = [c for c in question[:LONGEST] if c.isalpha()]
    if sum(not unicodedata.name(c, "").startswith("LATIN") for c in letters) * 2 > len(letters):
        return True
    plain = unicodedata.normalize("NFKD", question[:LONGEST]).encode("ascii", "ignore").decode().casefold()
    words = re.findall(r"[a-z]+", plain)
    return sum(word in _FOREIGN for word in words) >= 2
