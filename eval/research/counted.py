"""How well things in zones are counted: on drawn scenes, on generated parts at any pose, on a photograph of coins.

`python -m assistant.eval.research.counted --seed 7`. Right, wrong, and not for sure, by what is in the picture: as
many as expected, one or two too few, one too many. The references are other pictures, in another light.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from assistant.detection.counted import CountedZone, view_of
from assistant.detection.registration import Registration
from assistant.errors import ProductError
from assistant.eval.research.counted_drawn import SCENES, draw_scene
from assistant.eval.research.parts import FAMILIES, GOOD, SESSIONS, TRAIN, Shot, set_up, take_shot
from assistant.images.zones import Zone

Pixels = NDArray[np.uint8]
Case = tuple[str, int, Pixels]
"""What is in a picture, by how many things it has more than expected, and the picture."""

Corners = tuple[tuple[float, float], ...]

PARTS: dict[str, tuple[str, int, Corners, tuple[str, ...], int]] = {
    "connector: pins": (
        "connector",
        20,
        ((-0.64, -0.16), (0.64, -0.16), (0.64, 0.18), (-0.64, 0.18)),
        ("missing pin", "blocked cavity"),
        15,
    ),
    "board: pins": ("board", 8, ((-0.17, 0.3), (0.32, 0.3), (0.32, 0.38), (-0.17, 0.38)), ("missing pin",), 10),
}
"""Zones on generated families, their corners in the part's own places: defects in them leave one too few, and so
many good pictures are counted."""

BAD = 8
"""Pictures of each of these defects."""


def try_scene(name: str, seed: int, references: int, count: int) -> Counter[tuple[str, str]] | None:
    """What is counted in `count` drawn pictures of each kind; None where no way is found."""
    expected, box = SCENES[name]
    random = np.random.default_rng((seed, *name.encode()))
    shown = [draw_scene(name, random) for _ in range(references)]

    def cases() -> Iterator[Case]:
        for told, more, stain in (
            ("as expected", 0, False),
            ("one less", -1, False),
            ("two less", -2, False),
            ("one more", 1, False),
            ("with a stain", 0, True),
        ):
            for _ in range(count):
                yield told, more, draw_scene(name, random, more, stain)

    return measure(Zone(name, expected, box), shown, None, cases())


def try_part(name: str, seed: int, references: int) -> Counter[tuple[str, str]] | None:
    """What is counted on generated parts, brought to one pose; None where no way is found."""
    family, expected, corners, defects, good = PARTS[name]
    numbers = np.linspace(0, TRAIN - 1, references).astype(int)
    shots = [Shot(f"train/good/{i:03d}", int(i) * (SESSIONS - 2) // TRAIN) for i in numbers]
    shown = [take_shot(family, shot, seed)[0] for shot in shots]
    side, pose = FAMILIES[family].side, set_up(family, shots[0], seed)[1]
    places = [(1 + v) * side / 2 for corner in corners for v in pose.frame(*corner)]
    registration = Registration.of(shown[0])

    def cases() -> Iterator[Case]:
        for i in range(0, GOOD, GOOD // good):
            shot = Shot(f"test/good/{i:03d}", 2 + i * (SESSIONS - 2) // GOOD)
            yield "as expected", 0, take_shot(family, shot, seed)[0]
        for defect in defects:
            for i in range(BAD):
                shot = Shot(f"test/{defect.replace(' ', '_')}/{i:03d}", 2 + i // 2 % (SESSIONS - 2), defect)
                yield "one less", -1, take_shot(family, shot, seed)[0]

    return measure(Zone(name, expected, tuple(places)), shown, registration, cases())


def try_coins(seed: int, references: int, count: int) -> Counter[tuple[str, str]] | None:
    """What is counted on a photograph of 24 coins (skimage), in changed light, one of them painted over."""
    from skimage.data import coins
    from skimage.measure import label, regionprops

    grey = np.asarray(coins(), dtype=np.float32)
    random = np.random.default_rng((seed, 24))
    ground = grey[:, 150:160].mean(axis=1, keepdims=True)
    there = [r for r in regionprops(label(grey > 110)) if r.area > 300]

    def take(gone: int) -> Pixels:
        shown = grey.copy()
        for which in random.permutation(len(there))[:gone].tolist():
            top, left, bottom, right = there[which].bbox
            rows, columns = slice(max(0, top - 6), bottom + 6), slice(max(0, left - 6), right + 6)
            shown[rows, columns] = ground[rows] + random.normal(0, 4, shown[rows, columns].shape)
        fall = 1 + random.normal(0, 0.06) * np.linspace(-1, 1, grey.shape[1])
        lit = shown * fall * random.normal(1, 0.08) + random.normal(0, 4, grey.shape)
        return np.repeat(lit.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)

    cases = (("as expected", 0, take(0)) if not gone else (f"{gone} less", -gone, take(gone)) for gone in (0, 1)
             for _ in range(count))  # fmt: skip
    height, width = grey.shape
    zone = Zone("coins", 24, (0.0, 0.0, float(width), float(height)))
    return measure(zone, [take(0) for _ in range(references)], None, cases)


def measure(
    zone: Zone, references: list[Pixels], registration: Registration | None, cases: Iterable[Case]
) -> Counter[tuple[str, str]] | None:
    """How many pictures of each kind are counted right, wrong, or not for sure; None where no way is found."""
    height, width = references[0].shape[:2]
    home, poses = None, [None] * len(references)
    if registration:
        home, poses = registration.home, [registration.find(pixels) for pixels in references]  # type: ignore[misc]
    views = [
        view_of(zone, zone.seen_from(pose, (width, height), (width, height), home), pixels)
        for pixels, pose in zip(references, poses, strict=True)
        if not registration or pose
    ]
    try:
        learned = CountedZone.learn(zone, (width, height), views)
    except ProductError:
        return None
    found: Counter[tuple[str, str]] = Counter()
    for told, more, pixels in cases:
        count = learned.look(pixels, registration.find(pixels) if registration else None, registration).count
        right = count.counted == zone.expected + more
        found[told, "not for sure" if count.counted is None else "right" if right else "wrong"] += 1
    return found


def main(
    seed: int = 7,
    references: Annotated[int, typer.Option(help="Pictures that show the number.")] = 4,
    count: Annotated[int, typer.Option(help="Pictures of each kind.")] = 40,
) -> None:
    """Print what is counted right, wrong and not for sure."""
    tried: list[tuple[str, Callable[[], Counter[tuple[str, str]] | None]]] = [
        *((name, lambda name=name: try_scene(name, seed, references, count)) for name in SCENES),  # type: ignore[misc]
        ("coins", lambda: try_coins(seed, references, count)),
        *((name, lambda name=name: try_part(name, seed, references)) for name in PARTS),  # type: ignore[misc]
    ]
    for name, measured in tried:
        found = measured()
        if found is None:
            print(f"{name}: no way found", flush=True)
            continue
        for told in dict.fromkeys(told for told, _ in found):
            row = {outcome: found[told, outcome] for outcome in ("right", "wrong", "not for sure")}
            print(f"{name}, {told}: {row}", flush=True)


if __name__ == "__main__":
    typer.run(main)
