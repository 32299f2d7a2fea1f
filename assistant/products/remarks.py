"""What is to be said about the references of a product: near copies, one far from the others, doubtful origins."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assistant.detection.outlier import find_outlier
from assistant.detection.suitability import evenness
from assistant.images.load import LoadedImage

if TYPE_CHECKING:
    from assistant.products.product import Reference

GOOD = "good"
MASKS = "ground_truth"

IN_MASKS = "lies in a dataset's folder of masks"
IN_DEFECTS = "lies in a dataset's folder of defects"
IS_MASK = "looks like a mask"
IS_EVEN = "shows nothing"


def doubt_about(picture: LoadedImage) -> str:
    """Why a picture may show no good part, "" for nothing: where it lies, or what its values are."""
    if picture.folder:
        folder = Path(os.path.abspath(picture.folder))
        if MASKS in (folder.name, folder.parent.name):
            return IN_MASKS
        root = folder.parent.parent
        if folder.parent.name == "test" and folder.name != GOOD and _is_dataset(root):
            return IN_DEFECTS
    if evenness(picture.pixels):
        return IS_EVEN
    values = picture.pixels
    grey = bool((values[..., 0] == values[..., 1]).all() and (values[..., 0] == values[..., 2]).all())
    return IS_MASK if grey and len(np.unique(values[..., 0])) == 2 else ""


def remarks_on(references: Sequence[Reference]) -> tuple[str, ...]:
    """A sentence for each thing that is worth knowing about the references of a product; none for usual ones."""
    found = (_near_copies(references), _outlier(references), _doubts(references))
    return tuple(sentence for sentence in found if sentence)


def _is_dataset(root: Path) -> bool:
    return any((root / name).is_dir() for name in (MASKS, "train"))


def _near_copies(references: Sequence[Reference]) -> str:
    sizes = sorted(Counter(r.id if r.like is None else r.like for r in references).values(), reverse=True)
    several = [size for size in sizes if size > 1]
    if not several:
        return ""
    if len(several) == 1:
        (size,) = several
        whole = "All" if size == len(references) else f"{size} of the"
        return f"{whole} {len(references)} references are nearly one picture: they count as one."
    return (
        f"{sum(several)} of the {len(references)} references are nearly the same as others: they count as "
        f"{len(several)} pictures."
    )


def _outlier(references: Sequence[Reference]) -> str:
    """The reference whose score stands out; near copies are taken for one, and all of them are named by it."""
    groups: dict[int, list[Reference]] = {}
    for reference in references:
        if reference.score is not None:
            groups.setdefault(reference.id if reference.like is None else reference.like, []).append(reference)
    members = [*groups.values()]
    scores = [float(np.mean([r.score for r in group if r.score is not None])) for group in members]
    place = find_outlier(scores)
    if place is None:
        return ""
    others = max(score for i, score in enumerate(scores) if i != place)
    name, more = members[place][0].name, len(members[place]) - 1
    copies = f" and {more} near cop{'y' if more == 1 else 'ies'} of it" if more else ""
    return (
        f"{name}{copies} may be no good part: it scores {scores[place]:.3g} against the other references, which "
        f"reach {others:.3g}."
    )


def _doubts(references: Sequence[Reference]) -> str:
    """Those that seem to be no good parts; products whose pictures all have two values are no masks."""
    doubtful = [r for r in references if r.doubt]
    if not doubtful or (len(doubtful) == len(references) and all(r.doubt == IS_MASK for r in doubtful)):
        return ""
    if len(doubtful) == 1:
        return f"{doubtful[0].name} may be no good part: it {doubtful[0].doubt}."
    names = ", ".join(r.name for r in doubtful[:3]) + (", ..." if len(doubtful) > 3 else "")
    reasons = " or ".join(dict.fromkeys(_several(r.doubt) for r in doubtful))
    return f"{len(doubtful)} of the {len(references)} references may be no good parts: they {reasons} ({names})."


def _several(doubt: str) -> str:
    return doubt.replace("lies", "lie", 1).replace("looks like a mask", "look like masks").replace("shows", "show")
