"""The resizing of `models.backbone.resize` as sums and products of whole numbers, equal to the last grey level.

Pillow averages boxes of pixels first where a picture is much larger than wanted, then filters rows and after them
columns, each time in whole numbers: weights in 2^-22, results of 8 bits. All of it fits into float32 without
rounding where weights are taken apart into a high and a low half, so that any runtime gives the same pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

GAP = 3.0
"""Boxes are averaged so far that a picture stays so many times as large as wanted along each side."""

_HALF = 2**11
_SUPPORT = 2.0
"""A cubic filter reaches so many pixels to either side, of the smaller picture where it shrinks."""


def resize(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Planes [3, H, W] of whole numbers in [0, 255] at a size (width, height): [3, h, w] float32, whole again."""
    height, width = planes.shape[1:]
    planes = planes.float()
    if (width, height) == size:
        return planes
    factors = [max(1, int(have / want / GAP)) for have, want in zip((width, height), size, strict=True)]
    if max(factors) > 1:
        planes = reduce(planes, (factors[0], factors[1]))
    if factors[0] > 1 or width != size[0]:
        planes = _filtered(planes @ _weights(planes.shape[2], width / factors[0], size[0]).T)
    if factors[1] > 1 or height != size[1]:
        across = planes.transpose(1, 2) @ _weights(planes.shape[1], height / factors[1], size[1]).T
        planes = _filtered(across).transpose(1, 2)
    return planes


def reduce(planes: Tensor, factors: tuple[int, int]) -> Tensor:
    """Means of boxes (across, down) of planes [3, H, W], as Pillow's `reduce` rounds them; less at the edges."""
    along, down = factors
    height, width = planes.shape[1:]
    wide, tall = -(-width // along), -(-height // down)
    padded = pad(planes.float(), (0, wide * along - width, 0, tall * down - height))
    sums = padded.reshape(3, tall, down, wide, along).sum(dim=(2, 4))
    rows, columns = (
        torch.full((count,), each).clamp_max(length - each * torch.arange(count))
        for count, each, length in ((tall, down, height), (wide, along, width))
    )
    counts = rows[:, None] * columns
    # It multiplies by 2^24 / count rounded down, so that whole means of other counts than powers of two fall by 1.
    falls = torch.where((counts & (counts - 1)) == 0, 0.0, 0.5)
    return ((sums + counts // 2 - falls) / counts).floor()


def _filtered(products: Tensor) -> Tensor:
    """Whole numbers in [0, 255] from products [.., 2 n] with the high halves of weights, then the low ones."""
    high, low = products.chunk(2, dim=-1)
    return ((high + _HALF / 2 + (low / _HALF).floor()) / _HALF).floor().clamp(0, 255)


def _weights(pixels: int, length: float, wanted: int) -> Tensor:
    """The weights [2 wanted, pixels] of pixels that cover a `length`: high halves, then low ones, all whole."""
    scale = float(torch.tensor(length, dtype=torch.float32)) / wanted  # Pillow keeps lengths so
    spread = max(scale, 1.0)
    middles = (torch.arange(wanted, dtype=torch.float64) + 0.5) * scale
    places = torch.arange(pixels, dtype=torch.float64)
    first = (middles - _SUPPORT * spread + 0.5).clamp_min(0).floor()[:, None]
    last = (middles + _SUPPORT * spread + 0.5).floor()[:, None]
    raw = _cubic((places - middles[:, None] + 0.5) * (1 / spread)).where((places >= first) & (places < last), 0.0)
    shares = raw / raw.sum(dim=1, keepdim=True) * 2**22
    whole = torch.where(shares < 0, (shares - 0.5).ceil(), (shares + 0.5).floor())
    high = (whole / _HALF).floor()
    return torch.cat([high, whole - _HALF * high]).float()


def _cubic(x: Tensor, a: float = -0.5) -> Tensor:
    """The filter of Keys 1981, "Cubic convolution interpolation for digital image processing"."""
    x = x.abs()
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, 0.0))
