"""What changed between two states of a product, in plain facts for the audit log.

It works out from the states themselves what was done, so that nobody has to say it and nobody can say it wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from torch import Tensor

from assistant.models.digests import digest_state
from assistant.products.audit_chain import Action, Facts
from assistant.products.product import Change, Product

_ACTIONS: dict[str, Action] = {
    "good": "teach good",
    "defect": "teach defect",
    "removed": "remove",
    "recalibrated": "recalibrate",
}


@dataclass(frozen=True)
class Difference:
    """What was done, the facts before (None where there was no product) and after, and the single changes."""

    action: Action
    before: Facts | None
    after: Facts
    details: Facts


def compare(before: Product | Facts | None, after: Product) -> Difference | None:
    """The way from one state of a product to another; None where they are the same.

    `before` may be the facts of a file that could not be read.
    """
    new = facts(after)
    if not isinstance(before, Product):
        return Difference("learn", before, new, _references(after))
    old = facts(before)
    if old["state"] == new["state"]:
        return None
    if before.created != after.created:
        return Difference("learn", old, new, _references(after))
    taken_back, added = steps(before.history, after.history)
    if not (taken_back or added):
        details = _references(after) if before.references != after.references else {}
        action: Action = "learn" if details else "target" if old["target"] != new["target"] else "other change"
        return Difference(action, old, new, details)
    details = {"changes": [_plain(c, after) for c in added]} if added else {}
    if taken_back:
        details["taken_back"] = [_plain(c, before) for c in taken_back]
    return Difference(_name(taken_back, added, old, new), old, new, details)


def last_changes(product: Product) -> Sequence[Change]:
    """The changes that an undo takes back, several where they were made at once; none where there is no way back.

    It is a "target" without a time where nothing but the false-alarm target moved, and "replaced" where the
    product was learned anew.
    """
    if not product.past:
        return ()
    before = json.loads(product.past[-1].settings)
    _, added = steps([Change(**row) for row in before["history"]], product.history)
    digests = [row["digest"] for row in before["references"]]
    other = digests != [reference.digest for reference in product.references]
    return added or (Change("", "replaced" if other else "target"),)


def steps(old: Sequence[Change], new: Sequence[Change]) -> tuple[Sequence[Change], Sequence[Change]]:
    """The changes that were taken back, and those that were added; a history may have lost its oldest ones."""
    same = SequenceMatcher(None, old, new, autojunk=False).find_longest_match()
    return old[same.a + same.size :], new[same.b + same.size :]


def facts(product: Product) -> Facts:
    """A product in plain numbers; `state` is the SHA-256 of all that it keeps but the way back."""
    limits = product.calibration
    return {
        "state": digest_state(*product.state()),
        "references": len(product.references),
        "defects": len(product.known.defects),
        "threshold": limits.threshold,
        "review_threshold": limits.review_threshold,
        "target": limits.target,
        "method": limits.method,
        "roi": _mask(product.roi),
        "ignore": _mask(product.ignore),
        "weights": product.weights,
    }


def _name(taken_back: Sequence[Change], added: Sequence[Change], old: Facts, new: Facts) -> Action:
    if taken_back:
        return "several changes" if added else "undo"
    done = {change.what for change in added}
    if len(done) > 1 or old["target"] != new["target"]:
        return "several changes"
    if done != {"masks"}:
        return _ACTIONS.get(done.pop(), "other change")
    if old["ignore"] == new["ignore"]:
        return "roi"
    return "ignore" if old["roi"] == new["roi"] else "masks"


def _plain(change: Change, product: Product) -> Facts:
    """A change as it is told: what, which picture, and the digest of its pixels where it is still there."""
    kept = {r.id: r.digest for r in product.references} | {d.id: d.digest for d in product.known.defects}
    return asdict(change) | {"digest": None if change.id is None else kept.get(change.id)}


def _references(product: Product) -> Facts:
    return {"references": [{"id": r.id, "name": r.name, "digest": r.digest} for r in product.references]}


def _mask(mask: Tensor | None) -> dict[str, Any] | None:
    """A mask by its digest, its size and the share of it that is set."""
    if mask is None:
        return None
    share = round(float(mask.float().mean()), 6)
    return {"sha256": digest_state("", {"mask": mask.float()}), "size": list(mask.shape), "share": share}
