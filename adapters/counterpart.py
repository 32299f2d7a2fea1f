"""Where a place of a picture has its counterpart on a good part: one place of one reference, as a whole.

The nearest patches of a place, each by itself, are a patchwork of references. Here all patches of the place and
of what surrounds it vote for one reference and one offset together, as in a generalised Hough transform (Ballard
1981).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from .dictionary import Dictionary, cells_of
from .similarity import cosines

VOTERS = 64
"""Patches of a place that vote, evenly taken: more make it slower and change little."""

SHORTLIST, GLANCES = 4, 16
"""Of more references, so many are looked at closely, those that so many patches find best."""

MARGIN = 0.75
"""Of a place's longer side, how far its surroundings reach; they take part, since a defect itself fits nothing."""

OWN = 0.25
"""What a patch of the place itself counts, beside one of its surroundings: it may resemble anything."""

NARROWEST = 3
"""Cells around a small place that take part at least."""

NEARBY = 0.05
"""By how much of a patch's cosine a counterpart at the other end of the picture has to be better than one at the
same place: on a ground that looks alike everywhere, the same place is meant."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Counterpart:
    """The reference `owner`, the offset (down, right) in cells of the query's grid, and how far it is.

    `distance` is the mean over the place of one minus the cosine of each patch and the one at the offset.
    """

    owner: int
    down: int
    right: int
    distance: float


def find_counterpart(
    tokens: Tensor, memory: Dictionary, box: Box, reach: int | None = None, among: Collection[int] = ()
) -> Counterpart | None:
    """The counterpart of a box (top, left, bottom, right) in cells of a picture's patches [h, w, C].

    The whole box lies on the reference, at most `reach` cells from where it is, or anywhere. `among`: the
    references that may be chosen, all by default. None where the memory does not know where their patches lie.
    """
    h, w, _ = tokens.shape
    owners = memory.ids()
    if among:
        owners = [owner for owner in owners if owner in among]
    held = {owner: one for owner in owners if (one := _Held.of(memory, owner, h, w)) is not None}
    if len(held) > SHORTLIST:
        first = {owner: float(_vote(tokens, one, box, reach, GLANCES).max()) for owner, one in held.items()}
        held = {owner: held[owner] for owner in sorted(first, key=lambda o: -first[o])[:SHORTLIST]}
    best: tuple[float, int, int, int] | None = None
    for owner, one in held.items():
        votes = _vote(tokens, one, box, reach, VOTERS)
        y, x = divmod(int(votes.argmax()), votes.shape[1])
        if best is None or float(votes[y, x]) > best[0]:
            offset = _offsets(box[0], box[2], h, reach)[y], _offsets(box[1], box[3], w, reach)[x]
            best = float(votes[y, x]), owner, *offset
    if best is None:
        return None
    return Counterpart(*best[1:], held[best[1]].distance(tokens, box, best[2:]))


def find_expected(tokens: Tensor, memory: Dictionary, box: Box, among: Collection[int] = ()) -> Counterpart | None:
    """The counterpart of a box where something is missing: a reference that shows it, at the very same place.

    Of the references that may be chosen, it is the one of the middle distance. None as in `find_counterpart`.
    """
    h, w, _ = tokens.shape
    owners = [owner for owner in memory.ids() if not among or owner in among]
    held = {owner: one for owner in owners if (one := _Held.of(memory, owner, h, w)) is not None}
    far = sorted((one.distance(tokens, box, (0, 0)), owner) for owner, one in held.items())
    if not far:
        return None
    distance, owner = far[len(far) // 2]
    return Counterpart(owner, 0, 0, distance)


@dataclass(frozen=True, eq=False)
class _Held:
    """What the memory holds of one reference: patches [n, C] and the cells (row, column) they lie in."""

    entries: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, memory: Dictionary, owner: int, h: int, w: int) -> _Held | None:
        """Those of a reference on a grid [h, w]; None where the memory does not know where they lie."""
        mine = (memory.owners == owner).nonzero()[:, 0]
        first, last = int(mine[0]), int(mine[-1]) + 1
        which = slice(first, last) if last - first == len(mine) else mine  # mostly they lie together: no copy
        places = memory.places[which]
        if bool((places < 0).any()):
            return None
        return cls(memory.entries[which], cells_of(places[:, 0], h), cells_of(places[:, 1], w))

    def distance(self, tokens: Tensor, box: Box, offset: tuple[int, int]) -> float:
        """The mean distance of a box's patches to those at an offset; those that the memory lacks do not count."""
        top, left, bottom, right = box
        own_rows, own_columns = self.rows - offset[0], self.columns - offset[1]
        there = (own_rows >= top) & (own_rows < bottom) & (own_columns >= left) & (own_columns < right)
        if not bool(there.any()):
            return 1.0
        own = tokens[own_rows[there].to(tokens.device), own_columns[there].to(tokens.device)]
        alike = (own.to(self.entries.device).float() * self.entries[there].float()).sum(dim=1)
        return max(0.0, 1 - float(alike.mean()))


def _vote(tokens: Tensor, held: _Held, box: Box, reach: int | None, count: int) -> Tensor:
    """What each offset of a box is worth on one reference, by about `count` patches: [down, right]."""
    h, w, _ = tokens.shape
    downs, rights = _offsets(box[0], box[2], h, reach), _offsets(box[1], box[3], w, reach)
    rows, columns = _voters(box, h, w, count)
    near = (held.rows >= min(rows) + downs[0]) & (held.rows <= max(rows) + downs[-1])
    near &= (held.columns >= min(columns) + rights[0]) & (held.columns <= max(columns) + rights[-1])
    entries, cells = held.entries[near], (held.rows * w + held.columns)[near]
    alike = cosines(tokens[rows, columns].to(entries.device), entries).float()
    # What the memory holds nothing of, since it was thinned or the offset leaves the picture, says nothing.
    alike = alike - alike.mean(dim=1, keepdim=True)
    known = torch.zeros(len(rows), h * w, device=alike.device)
    known[:, cells] = alike
    votes = torch.zeros(2 * h, 2 * w, device=alike.device)
    inside = ((box[0] <= y < box[2] and box[1] <= x < box[3]) for y, x in zip(rows, columns, strict=True))
    weights = [OWN if own else 1.0 for own in inside]
    for own, y, x, weight in zip(known.view(-1, h, w), rows, columns, weights, strict=True):
        votes[h - y : 2 * h - y, w - x : 2 * w - x] += weight * own
    votes = votes[downs[0] + h : downs[-1] + h + 1, rights[0] + w : rights[-1] + w + 1] / sum(weights)
    down, right = (torch.tensor([*r], device=votes.device) / n for r, n in ((downs, h), (rights, w)))
    return votes - NEARBY * (down[:, None] ** 2 + right**2).sqrt()


def _voters(box: Box, h: int, w: int, count: int) -> tuple[list[int], list[int]]:
    """Rows and columns of the cells that vote: the box and its surroundings, evenly thinned."""
    top, left, bottom, right = box
    margin = max(NARROWEST, round(MARGIN * max(bottom - top, right - left)))
    down = range(max(0, top - margin), min(h, bottom + margin))
    along = range(max(0, left - margin), min(w, right + margin))
    step = max(1, round((len(down) * len(along) / count) ** 0.5))
    cells = [(y, x) for y in down[step // 2 :: step] for x in along[step // 2 :: step]]
    return [y for y, _ in cells], [x for _, x in cells]


def _offsets(first: int, last: int, size: int, reach: int | None) -> range:
    """By how many cells a side from `first` to `last` can be moved and stay within `size`."""
    least, most = -first, size - last
    return range(least, most + 1) if reach is None else range(max(least, -reach), min(most, reach) + 1)
