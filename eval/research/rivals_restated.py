"""Three rivals restated from what their authors published, on features of any tower with grids of its own.

- RAD (Zhang et al. 2026, arXiv 2601.22763): each layer by itself, cosine distance to the nearest patch of the
  references within a few cells of the same place, layers averaged, the mean of the highest hundredth as the score.
- MH-PatchCore (2026, arXiv 2605.27748): PatchCore's patches, reduced by principal components, whitened by a
  shrunken covariance, thinned to 1,000 by k-centre, and PatchCore's re-weighted score.
- SuperADD (2026, arXiv 2605.14808): each layer by itself, Euclidean distance to the nearest patch, divided by the
  number of channels, layers averaged, blurred, the mean of the highest thousandth. Its limit is 1.421 times the
  95th percentile of the pixels of good pictures.

They were made for other towers and more pictures; the numbers here say how their rules do on these features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Layers = Sequence[Tensor]
"""What a tower sees of one picture: a grid [h, w, C] of each layer, the finest first."""

SIDE = 256
"""Maps are blurred and scored at this many pixels a side, as RAD does."""

BANK = 1000
SHRINKAGE = 0.07
VARIANCE = 0.99
NEIGHBOURS = 9
PERCENTILE, FACTOR = 0.95, 1.421


@dataclass(frozen=True)
class Seen:
    """What a rival makes of one picture: its score and its map [SIDE, SIDE]."""

    score: float
    map: Tensor


class Rad:
    """RAD with references of one part: every reference is a neighbour, only the place limits what is compared."""

    def __init__(self, references: Sequence[Layers], radius: int) -> None:
        self.radius = radius
        self.near: dict[tuple[int, int, int], Tensor] = {}
        self.references = [[functional.normalize(layer, dim=-1) for layer in one] for one in references]

    def see(self, picture: Layers) -> Seen:
        """The score and map of one picture; a reference of another shape is stretched to it."""
        maps = []
        for number, layer in enumerate(picture):
            height, width = layer.shape[:2]
            query = functional.normalize(layer, dim=-1).flatten(0, 1)
            near = self._around(number, height, width)
            maps.append(_enlarge(1 - (near @ query[:, :, None]).amax((1, 2)).reshape(height, width)))
        found = _blur(torch.stack(maps).mean(0), 1.0)
        return Seen(_top(found, 0.01), found)

    def _around(self, number: int, height: int, width: int) -> Tensor:
        """The patches of all references around each place of a layer: [h w, K, C]; edges go on."""
        if (number, height, width) not in self.near:
            found = []
            for one in self.references:
                planes = one[number].permute(2, 0, 1)[None]
                if planes.shape[-2:] != (height, width):
                    planes = functional.normalize(functional.interpolate(planes, (height, width), mode="bilinear"))
                rim, channels = self.radius, planes.shape[1]
                wide = functional.pad(planes, (rim,) * 4, mode="replicate")
                tiles = functional.unfold(wide, 2 * rim + 1)[0]
                found.append(tiles.reshape(channels, -1, height * width).permute(2, 1, 0))
            self.near[number, height, width] = torch.cat(found, 1).contiguous()
        return self.near[number, height, width]


class Mahalanobis:
    """MH-PatchCore: the nearest of `BANK` whitened patches."""

    def __init__(self, references: Sequence[Layers], layers: int, seed: int = 0) -> None:
        self.layers = layers
        patches = torch.cat([self._patches(one).flatten(0, 1) for one in references])
        self.mean = patches.mean(0)
        _, lengths, axes = torch.linalg.svd(patches - self.mean, full_matrices=False)
        share = (lengths**2).cumsum(0) / (lengths**2).sum()
        kept = int((share < VARIANCE).sum()) + 1
        self.axes = axes[:kept]
        small = (patches - self.mean) @ self.axes.T
        covariance = torch.cov(small.T).reshape(kept, kept)
        even = torch.eye(kept) * covariance.diagonal().mean()
        root = torch.linalg.cholesky((1 - SHRINKAGE) * covariance + SHRINKAGE * even)
        self.whiten = torch.linalg.solve_triangular(root, torch.eye(kept), upper=False).T
        self.bank = _spread(small @ self.whiten, BANK, seed)

    def see(self, picture: Layers) -> Seen:
        """The score and map of one picture."""
        patches = self._patches(picture)
        white = (patches.flatten(0, 1) - self.mean) @ self.axes.T @ self.whiten
        distances, at = _nearest(white, self.bank)
        found = _blur(_enlarge(distances.reshape(patches.shape[:2])), 4.0)
        return Seen(self._reweighted(white, distances, at), found)

    def _patches(self, picture: Layers) -> Tensor:
        """Neighbourhoods of three by three averaged, all layers on the finest grid [h, w, sum of C]."""
        planes = [functional.avg_pool2d(layer.permute(2, 0, 1)[None], 3, 1, 1) for layer in picture[: self.layers]]
        size = planes[0].shape[-2:]
        return torch.cat([functional.interpolate(p, size, mode="bilinear")[0] for p in planes]).permute(1, 2, 0)

    def _reweighted(self, white: Tensor, distances: Tensor, at: Tensor) -> float:
        """PatchCore's equation 7: the strangest patch counts less where its neighbour stands in a dense place."""
        strangest = int(distances.argmax())
        around = torch.cdist(self.bank[at[strangest]][None], self.bank)[0]
        near = around.topk(min(NEIGHBOURS, len(self.bank)), largest=False).indices
        apart = torch.cdist(white[strangest][None], self.bank[near])[0]
        return float((1 - torch.softmax(apart, 0)[0]) * distances[strangest])


class SuperAdd:
    """SuperADD: a bank a layer, which few references never fill."""

    def __init__(self, references: Sequence[Layers]) -> None:
        self.banks = [
            torch.cat([one[number].flatten(0, 1) for one in references]) for number in range(len(references[0]))
        ]

    def see(self, picture: Layers) -> Seen:
        """The score and map of one picture."""
        maps = []
        for layer, bank in zip(picture, self.banks, strict=True):
            near = _nearest(layer.flatten(0, 1), bank)[0].reshape(layer.shape[:2])
            maps.append(_enlarge(near / layer.shape[-1]))
        found = _blur(torch.stack(maps).mean(0), 4.0)
        return Seen(_top(found, 0.001), found)

    @staticmethod
    def limit(references: Sequence[Layers]) -> float:
        """The limit of a pixel, from references each compared with the others. ValueError for fewer than two."""
        if len(references) < 2:
            raise ValueError("one reference alone has nothing to be compared with")
        maps = [SuperAdd([*references[:i], *references[i + 1 :]]).see(one).map for i, one in enumerate(references)]
        return FACTOR * float(torch.stack(maps).flatten().quantile(PERCENTILE))


def make_rivals(references: Sequence[Layers]) -> dict[str, Rad | Mahalanobis | SuperAdd]:
    """Every rival in the ways it is set up, by name; the part before the "_" names the method."""
    return {
        "rad_r1": Rad(references, 1),
        "rad_r2": Rad(references, 2),
        "mhpatchcore_two": Mahalanobis(references, 2),
        "mhpatchcore_all": Mahalanobis(references, len(references[0])),
        "superadd_all": SuperAdd(references),
    }


def _nearest(points: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """The Euclidean distance of each point [N, D] to the nearest of a bank [M, D], and which that is."""
    squares, at = torch.addmm((bank**2).sum(1), points, bank.T, alpha=-2).min(1)
    return (squares + (points**2).sum(1)).clamp_min(0).sqrt(), at


def _enlarge(map: Tensor) -> Tensor:
    """A map [h, w] at `SIDE` pixels a side."""
    return functional.interpolate(map[None, None], (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0]


def _blur(map: Tensor, sigma: float) -> Tensor:
    """A map [H, W] under a Gaussian of a deviation in pixels, continued at its edges."""
    reach = int(4 * sigma + 0.5)
    line = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    line = line / line.sum()
    wide = functional.pad(map[None, None], (reach,) * 4, mode="replicate")
    return functional.conv2d(functional.conv2d(wide, line[None, None, None]), line[None, None, :, None])[0, 0]


def _top(map: Tensor, share: float) -> float:
    """The mean of the highest share of a map."""
    return float(map.flatten().topk(max(1, int(map.numel() * share))).values.mean())


def _spread(points: Tensor, most: int, seed: int) -> Tensor:
    """At most so many of the points [N, D], each the farthest from those before it (greedy k-centre)."""
    if len(points) <= most:
        return points
    chosen = [int(torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(seed)))]
    lengths = (points**2).sum(1)
    apart = torch.full((len(points),), torch.inf)
    for _ in range(most - 1):
        last = chosen[-1]
        apart = torch.minimum(apart, lengths + lengths[last] - 2 * points @ points[last])
        chosen.append(int(apart.argmax()))
    return points[chosen]
