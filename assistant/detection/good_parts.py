"""What a score needs to know of a product: its good parts, its known defects, and how they are compared.

`assistant.products.product.Product` is one. It is a protocol, so that scoring stands below products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.strength import Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.config import ScoringConfig
from assistant.detection.counted import CountedZone
from assistant.detection.known import KnownDefects
from assistant.detection.registration import Registration


class GoodPart(Protocol):
    """What is noted of a reference; the fields are those of `Reference`."""

    @property
    def id(self) -> int:
        """Its number, by which the memory knows its patches."""

    @property
    def name(self) -> str:
        """The base name of its file."""

    @property
    def digest(self) -> str:
        """A digest of its pixels."""

    @property
    def width(self) -> int:
        """Pixels from left to right, 0 where nobody noted them."""

    @property
    def height(self) -> int:
        """Pixels from top to bottom, 0 where nobody noted them."""

    @property
    def distance(self) -> float | None:
        """How far its patches usually are from the others', None where nobody knows."""

    @property
    def even(self) -> bool:
        """Whether nothing is to be seen in it."""


class GoodParts(Protocol):
    """What pictures of a product are compared with; the fields are those of `Product`."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def references(self) -> Sequence[GoodPart]:
        """The good pictures, one entry each."""

    @property
    def scoring(self) -> ScoringConfig:
        """The numbers by which features become a score."""

    @property
    def dictionary(self) -> Dictionary:
        """The patches of the references."""

    @property
    def pictures(self) -> Mapping[int, Tensor]:
        """The pictures of references that are kept, by their ids."""

    @property
    def memory(self) -> str:
        """How the dictionary is looked up: "nearest" or "trained"."""

    @property
    def aligned(self) -> bool:
        """Whether parts lie alike, so that a patch is compared with what lies around the same place."""

    @property
    def registration(self) -> Registration | None:
        """By what a picture is brought to the pose of the references; None: it is compared as it lies."""

    @property
    def counted(self) -> Sequence[CountedZone]:
        """The zones in which a number of things is expected."""

    @property
    def tiles(self) -> int:
        """Into how many overlapping tiles along each side a picture is cut; 1 is the whole."""

    @property
    def looked_at(self) -> Tensor | None:
        """What to look at [H, W] in [0, 1]; None is everything."""

    @property
    def strengths(self) -> Strengths | None:
        """How strongly the references' patches usually respond; None for a single one."""

    @property
    def wholes(self) -> Wholes | None:
        """How the references look as whole pictures; None where they are not alike."""

    @property
    def known(self) -> KnownDefects:
        """Defects that were given as examples."""


def fit_mask(mask: Tensor, h: int, w: int) -> Tensor:
    """A mask [H, W] in [0, 1] on a grid [h, w]: 1 where at least half of a cell is looked at, else 0.

    A mask so small that no cell is half inside keeps the cells it touches most.
    """
    share = interpolate(mask[None, None].float(), (h, w), mode="area")[0, 0]
    return (share >= min(0.5, float(share.max()))).float()
