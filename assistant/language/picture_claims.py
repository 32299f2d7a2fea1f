"""What a sentence claims of several pictures: which it speaks of, how many are of which verdict, which leads.

Spelled-out words (`sentences.spell`) go in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.inspection import Inspection
from assistant.language.picture_statements import numbers

_MENTION = re.compile(
    r"\b(?:pictures?|images?|photos?) (?:number |no\.? ?|#)?(\d+)(?!\d|\.\d| ?%)"
    r"((?:\s*(?:,|and|or|to|&)\s*(?:(?:pictures?|images?|photos?) )?\d+(?!\d|\.\d| ?%| (?:px|pixels"
    r"|times|regions?)))*)(?: *¤)?"
)
_SHARE = re.compile(r"\b(\d+) of (?:the )?(\d+)(?: (?:of them|readable))?(?: (?:pictures?|images?|photos?))?")
_CLASS = {
    "good": "good|fine|ok|okay|acceptable|normal|clean",
    "defect": "defective|defects?|bad|faulty|rejected|anomalous|broken|damaged",
    "review": "review|borderline|for review|in review",
    "unrated": "unrated",
}
_WORDS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_TALLY = re.compile(
    rf"\b(?P<n>\d+|{'|'.join(_WORDS)}|all|every|each|no|both|most|neither)"
    r"(?: of (?:the |these |them|those )?(?:\d+ ?)?)?(?: ?(?:pictures?|parts?|images?|photos?|ones?|them"
    r"|pieces|of them))?"
    r" (?:is|are|was|were|has|have|needs?|shows?|contains?)"
    r" (?:the verdict |a verdict of |judged |marked |called |a |in |any )?(?P<not>not )?(?:[a-z]+ly )?"
    rf"(?P<verdict>{'|'.join(_CLASS.values())})\b"
)
_UNREAD = re.compile(
    rf"\b(\d+|{'|'.join(_WORDS)}|all|both)(?: of (?:these |them|the )?(?:\d+ )?)?(?: ?(?:pictures?"
    rf"|images?))? could not be read"
)
_WORST = re.compile(
    r"\b(?:worst|most (?:severe|serious|defective|anomalous|suspicious|unusual)|strangest|highest score)\b"
)
_BEST = re.compile(r"\b(?:best|cleanest|least (?:severe|serious|suspicious|unusual)|lowest score)\b")
_RANK = {"defect": 2, "review": 1, "good": 0, "unrated": 0}


def rank(i: Inspection) -> tuple[float, float, float]:
    """How bad an inspection is, comparable over products: by verdict, then p-value, then score over threshold.

    Unrated ones rank by score alone, and only among each other: `comparable` says which.
    """
    if i.status == "error":
        return (-1.0, 0.0, 0.0)
    if i.verdict == "unrated":
        return (0.0, 0.0, i.score)
    score, p, threshold, _ = numbers(i)
    return (float(_RANK[i.verdict or "good"]), -p, score / threshold if threshold > 0 else score - threshold)


def comparable(inspections: Sequence[Inspection]) -> list[int]:
    """The indices of the pictures that rank among each other: the rated ones, else all that could be read."""
    rated = [n for n, i in enumerate(inspections) if i.verdict not in (None, "unrated")]
    return rated or [n for n, i in enumerate(inspections) if i.status == "ok"]


def bind_pictures(words: str, inspections: Sequence[Inspection]) -> Iterator[tuple[tuple[int, ...], str]]:
    """(indices from 0, words about them) as `sentences.bind_regions` does for regions; () where none is named."""
    if len(inspections) == 1:
        yield (0,), words
        return
    mentions = list(_MENTION.finditer(words))
    named = [_read_members(m[0]) for m in mentions]
    if len(set(named)) <= 1:
        yield (named[0] if named else ()), _MENTION.sub(" ", words)
        return
    yield (), words[: mentions[0].start()]
    ends = [m.start() for m in mentions[1:]] + [len(words)]
    joined: list[tuple[tuple[int, ...], str]] = []
    for mention, members, end in zip(mentions, named, ends, strict=True):
        said = words[mention.end() : end]
        if joined and joined[-1][0] == members:
            joined[-1] = (members, f"{joined[-1][1]} {said}")
        else:
            joined.append((members, said))
    yield from joined


def judge_tally(words: str, inspections: Sequence[Inspection]) -> str:
    """ "right" or "wrong" where words count the pictures of a verdict, else ""."""
    verdicts = [i.verdict for i in inspections if i.status == "ok"]
    result = ""
    for tally in _TALLY.finditer(words):
        meant = next(name for name, rule in _CLASS.items() if re.fullmatch(rule, tally["verdict"]))
        there = sum(v == meant for v in verdicts)
        there = len(verdicts) - there if tally["not"] else there
        if not _is_so_many(tally["n"], there, len(verdicts)):
            return "wrong"
        result = "right"
    for n in _UNREAD.findall(words):
        if not _is_so_many(n, len(inspections) - len(verdicts), len(inspections)):
            return "wrong"
        result = "right"
    return result


def leads(words: str, n: int, inspections: Sequence[Inspection]) -> bool:
    """Whether picture `n`, from 0, is the worst or best of all where words call it so; True where they do not."""
    if re.search(r"\br\d|\bnot\b", words):
        return True
    ranked = [inspections[one] for one in comparable(inspections)]
    if _WORST.search(words):
        chosen = max(ranked, key=rank, default=inspections[n])
    elif _BEST.search(words):
        chosen = min(ranked, key=rank, default=inspections[n])
    else:
        return True
    ties = rank(inspections[n]) == rank(chosen) and inspections[n].status == chosen.status
    extreme = max if _WORST.search(words) else min
    scores = [i.score for i in inspections if i.status == "ok"]
    return ties or ("score" in words and inspections[n].score == extreme(scores))


def _read_members(mention: str) -> tuple[int, ...]:
    if span := re.match(r"\D+(\d{1,6}) to (\d{1,6})\b", mention):
        return tuple(range(int(span[1]) - 1, min(int(span[2]), int(span[1]) + 10_000)))
    return tuple(int(n[:9]) - 1 for n in re.findall(r"\d+", mention))


def drop_shares(words: str, total: int) -> str:
    """The words without "3 of 5 pictures" and "5 pictures", where there are as many."""

    def drop(share: re.Match[str]) -> str:
        return " " if int(share[1]) <= int(share[2]) <= total else share[0]

    words = re.sub(rf"\b(?:of )?(?:the )?(?:first |last )?{total} (?:pictures?|images?|photos?)\b", " ", words)
    return _SHARE.sub(drop, words)


def _is_so_many(said: str, there: int, total: int) -> bool:
    if said in ("all", "every", "each", "both"):
        return there == total and (said != "both" or total == 2)
    if said in ("none", "no", "neither"):
        return there == 0
    if said == "most":
        return there * 2 > total
    return there == (int(said) if said.isdigit() else _WORDS.index(said))
