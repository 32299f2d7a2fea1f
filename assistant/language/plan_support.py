"""What is told beside what was asked: after a yes or no, and after the reason that something cannot be told."""

from __future__ import annotations

import re
from dataclasses import replace

from assistant.language.plan import Fact, Key, Plan

PER_REGION: frozenset[Key] = frozenset(
    {"place", "box", "size", "total_area", "severity", "type", "comparison", "reference"}
)
AFTER: dict[str, tuple[Key, ...]] = {
    "millimetres": ("size",),
    "depth": ("size",),
    "type": ("type",),
    "chance": ("rarity",),
    "repair": ("advice", "verdict"),
    "no_region": ("count",),
    "no_picture": ("tally",),
    "other_picture": ("verdict",),
}
"""What is told after the reason that something cannot be; the verdict for every other."""

AFTER_TEST: dict[str, Key] = {
    "verdict": "advice", "score": "verdict", "p_value": "rarity", "count": "place", "area": "place",
    "pixels": "place", "peak": "place", "severity": "place", "place": "severity", "references": "origin",
}  # fmt: skip
"""What is told after a yes or no; the verdict for every other."""

TOLD: dict[str, Key] = {
    "verdict": "verdict", "score": "score", "threshold": "limits", "p_value": "rarity", "count": "count",
    "area": "size", "pixels": "size", "peak": "severity", "severity": "severity", "place": "place",
    "rank": "comparison", "references": "references", "notices": "notices", "enough_references": "how_many_parts",
}  # fmt: skip
"""The fact that holds what a yes or no would be computed from."""


def complete(plan: Plan, tests: bool = True) -> Plan:
    """A plan with the facts that are told after its test or its reasons, where it names none.

    Without `tests`, what a yes or no was to be computed from is told, and neither word is.
    """
    facts, test = plan.facts, plan.test
    if test and not facts:
        ids = tuple(id for id in (test.subject, str(test.value)) if re.fullmatch(r"(?:P\d+\.)?R\d+|P\d+", id))
        key = AFTER_TEST.get(test.quantity, "verdict") if tests else TOLD[test.quantity]
        key = "total_area" if key == "size" and not ids else key
        facts = (Fact(key, ids if key in PER_REGION else ()),)
    elif plan.cannot and not facts:
        keys = dict.fromkeys(key for reason in plan.cannot for key in AFTER.get(reason, ("verdict",)))
        facts = tuple(map(Fact, keys))
    return replace(plan, facts=facts, test=test if tests else None)
