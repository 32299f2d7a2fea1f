"""Simulated anomalies on normal pictures, and unusual pictures that are not anomalous, to train detectors on.

Here it is decided which kind is made, whether it can be seen, and what its mask is. The kinds themselves are in
`assistant.training.strokes`, `.marks` and `.pastes`, the harmless changes in `.nuisance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from assistant.training.marks import (
    draw_bubble,
    draw_burn,
    draw_cast,
    draw_dark_area,
    draw_dent,
    draw_hole,
    draw_particles,
    draw_pits,
    draw_stain,
)
from assistant.training.nuisance import DISTURBING
from assistant.training.pastes import (
    blur_part,
    break_edge,
    misplace_part,
    paste_cut,
    paste_scar,
    paste_seamless,
    paste_texture,
    remove_part,
    warp_part,
)
from assistant.training.scene import Change, Mask, Pixels, Scene, greatest_of, is_grey, level_of, survey
from assistant.training.strokes import draw_crack, draw_cut, draw_fibre, draw_scratch

NOTICEABLE = 4  # grey levels in any channel; outside a mask no pixel differs by as much
VISIBLE = 6.0  # grey levels of mean difference in a mask, added to a part of the picture's grain
SMALLEST_SIDE = 16
TRIES = 6

_MAKERS: dict[str, Callable[[Scene, np.random.Generator], Change]] = {
    "texture": paste_texture,
    "seamless patch": paste_seamless,
    "cut paste": paste_cut,
    "scar": paste_scar,
    "scratch": draw_scratch,
    "crack": draw_crack,
    "cut": draw_cut,
    "hole": draw_hole,
    "dent": draw_dent,
    "bubble": draw_bubble,
    "stain": draw_stain,
    "missing part": remove_part,
    "misplaced part": misplace_part,
    "blur": blur_part,
    "warp": warp_part,
    "color fault": draw_cast,
    "broken edge": break_edge,
    "particles": draw_particles,
    "fibre": draw_fibre,
    "dark area": draw_dark_area,
    "pits": draw_pits,
    "burn": draw_burn,
}

KINDS: tuple[str, ...] = tuple(_MAKERS)
NUISANCES: tuple[str, ...] = tuple(DISTURBING)


@dataclass(frozen=True, eq=False)
class Simulated:
    """A picture made from a normal one: `pixels` [H, W, 3] uint8 and `mask` [H, W] bool, true where anomalous.

    `kind` is a name from KINDS, or "" for a normal picture, whose mask is empty. `type` is the name of the
    defect in `assistant.prompts.defects.DEFECTS` that it looks like, "" where none fits.
    """

    pixels: Pixels
    mask: Mask
    kind: str
    type: str

    def __post_init__(self) -> None:
        if self.mask.shape != self.pixels.shape[:2] or self.mask.dtype != np.bool_:
            raise ValueError(f"a mask {self.mask.dtype} {self.mask.shape} on a picture {self.pixels.shape}")
        if bool(self.kind) != bool(self.mask.any()):
            raise ValueError("a simulated anomaly needs a mask, and a normal picture has none")


def simulate(
    pixels: Pixels,
    rng: np.random.Generator,
    *,
    kind: str | None = None,
    other: Pixels | None = None,
    most: int = 3,
) -> Simulated:
    """Put one to `most` anomalies of one kind on a normal picture [H, W, 3] uint8 of at least 16 x 16 pixels.

    Without `kind` a random one. Pasted texture comes from `other` [h, w, 3] uint8, or from the picture itself.
    Where the picture has no room for the kind (there is nothing to blur on a plain one), another kind is made
    instead, and `kind` of the result says which. Outside the mask no pixel differs by NOTICEABLE or more.
    ValueError for an unknown kind, a wrong array or `most` below 1.
    """
    _check(pixels, kind, KINDS)
    if other is not None:
        _check(other, None, KINDS)
    if most < 1:
        raise ValueError(f"most is {most}; it has to be at least 1")
    chosen = str(rng.choice(KINDS)) if kind is None else kind
    scene = survey(pixels, other)
    for name in (chosen, "stain", "particles", "scratch"):
        made = _make(scene, rng, name, int(rng.integers(1, most + 1)))
        if made is not None:
            return made
    return _force(scene, rng)


def disturb(pixels: Pixels, rng: np.random.Generator, *, kind: str | None = None) -> Simulated:
    """Make a normal picture [H, W, 3] uint8 unusual without a defect; a grey picture stays grey, the mask empty.

    Without `kind` a random name from NUISANCES. ValueError for an unknown kind or a wrong array.
    """
    _check(pixels, kind, NUISANCES)
    chosen = str(rng.choice(NUISANCES)) if kind is None else kind
    changed = np.clip(np.rint(DISTURBING[chosen](pixels, rng, is_grey(pixels))), 0, 255).astype(np.uint8)
    return Simulated(changed, np.zeros(pixels.shape[:2], bool), "", "")


def _check(pixels: Pixels, kind: str | None, known: tuple[str, ...]) -> None:
    if kind is not None and kind not in known:
        raise ValueError(f"unknown kind {kind!r}; known are {', '.join(known)}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}, not uint8 [H, W, 3]")
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(f"a picture of {pixels.shape[1]} x {pixels.shape[0]} pixels is too small")


def _make(scene: Scene, rng: np.random.Generator, kind: str, count: int) -> Simulated | None:
    """Up to `count` visible anomalies of one kind, or None where not one came out visible."""
    original, pixels = scene.pixels, scene.pixels.copy()
    mask = np.zeros(scene.shape, bool)
    type_ = ""
    for _ in range(count):
        for attempt in range(TRIES):
            change = _MAKERS[kind](replace(scene, pixels=pixels, boost=1 + 0.3 * attempt), rng)
            after, noticed = _settle(original, pixels, change, scene)
            if noticed is None or type_ not in ("", change.type):
                continue
            pixels[change.window] = after
            mask[change.window] |= noticed
            type_ = change.type
            break
    return Simulated(pixels, mask, kind, type_) if mask.any() else None


def _settle(original: Pixels, pixels: Pixels, change: Change, scene: Scene) -> tuple[Pixels, Mask | None]:
    """The changed window as uint8, and where it is noticed; None where the change cannot be seen.

    Pixels that changed but are not noticed, such as lone specks of a moved texture, go back to what they were.
    """
    before, old = original[change.window].astype(np.float32), pixels[change.window]
    new = change.pixels
    if scene.grey:
        new = old + level_of(new - old)[:, :, None]
    after = np.clip(np.rint(new), 0, 255).astype(np.uint8)
    difference = greatest_of(np.abs(after - before))
    noticed = difference >= NOTICEABLE
    if change.within is not None:
        smooth = ndimage.gaussian_filter(difference, 1.5 * scene.unit)
        noticed = change.within & (smooth >= max(NOTICEABLE, change.above * scene.noise))
        noticed = ndimage.binary_fill_holes(ndimage.binary_closing(noticed, iterations=2)) & change.within
        noticed = _drop_specks(noticed)
    size = int(noticed.sum())
    least = VISIBLE + change.above * scene.noise
    if size < max(6, 0.00008 * noticed.size) or float(difference[noticed].mean()) < least:
        return old, None
    after[~noticed & (difference >= NOTICEABLE)] = old[~noticed & (difference >= NOTICEABLE)]
    return after, noticed


def _drop_specks(noticed: Mask) -> Mask:
    labels, count = ndimage.label(noticed)
    if count < 2:
        return noticed
    sizes = np.bincount(labels.ravel())
    keep = sizes >= max(4, 0.03 * sizes[1:].max())
    keep[0] = False
    return np.asarray(keep[labels])


def _force(scene: Scene, rng: np.random.Generator) -> Simulated:
    """The last resort: a square whose tone is far from what it covers."""
    rows, columns = scene.shape
    side = max(4, min(rows, columns) // 16)
    top, left = int(rng.integers(0, rows - side + 1)), int(rng.integers(0, columns - side + 1))
    window = slice(top, top + side), slice(left, left + side)
    pixels, mask = scene.pixels.copy(), np.zeros(scene.shape, bool)
    pixels[window] = np.where(scene.pixels[window].mean(axis=2, keepdims=True) > 127, 0, 255)
    mask[window] = True
    return Simulated(pixels, mask, "hole", "hole")
