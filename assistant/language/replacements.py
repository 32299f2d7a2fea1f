"""What the template says in the place of a sentence that the record contradicts, by topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.inspection import Inspection, Region
from assistant.language.picture_statements import (
    advise,
    numbers,
    report_error,
    state_comparison,
    state_rarity,
    state_verdict,
)
from assistant.language.region_statements import count_regions, grade, locate, measure, name_type, say_none
from assistant.language.unanswerable_questions import NO_PICTURE
from assistant.language.wording import LISTED, Sentences, number

NO_WAY = {
    "beyond": NO_PICTURE,
    "cause": "The cause I cannot know from a picture alone.",
    "material": "What it is made of the record does not say.",
    "millimetres": "The record knows pixels only: it has no scale to millimetres and no depth.",
    "price": "What it costs the record does not say.",
    "future": "How it will hold up I cannot tell from a picture.",
}


def repair(topic: str, ids: Sequence[str], i: Inspection) -> Sentences:
    """True sentences on a topic of `claim_checks.judge`, about the regions of these ids where it has some."""
    if i.status == "error":
        return report_error(i)
    if topic in NO_WAY:
        return [NO_WAY[topic]]
    chosen = [r for r in i.regions if r.id in ids] or list(i.regions)
    if topic in _PER_REGION:
        return _describe(i, chosen, _PER_REGION[topic])
    return _WHOLE.get(topic, state_verdict)(i)


def _state_review_limit(i: Inspection) -> Sentences:
    return [] if i.verdict == "unrated" else [f"The review limit is {number(numbers(i)[3])}."]


def _describe(i: Inspection, chosen: Sequence[Region], tell: Callable[[Region], str]) -> Sentences:
    if not chosen:
        return say_none(i)
    said = [line for r in chosen[:LISTED] if (line := tell(r))]
    return said or ["What type it is the record does not say.", *map(locate, chosen[:1])]


_PER_REGION: dict[str, Callable[[Region], str]] = {
    "place": locate,
    "size": measure,
    "severity": grade,
    "superlative": measure,
    "type": name_type,
}
_WHOLE: dict[str, Callable[[Inspection], Sentences]] = {
    "verdict": state_verdict,
    "action": advise,
    "count": count_regions,
    "region": lambda i: ["This inspection has no such region.", *count_regions(i)],
    "certainty": lambda i: state_rarity(i)[:1],
    "comparison": state_comparison,
    "number": lambda i: [*state_verdict(i), *_state_review_limit(i)],
}
