"""Generated parts at any pose, for trying what looks for a pose: `python -m assistant.eval.research.parts OUT`.

Each family is one product in the MVTec layout, with masks. Files are in the order of time: light, ground and
camera change between blocks of them, as lots do, and the test goes on where the training ends. The
same seed gives the same parts. They are drawn by formulas and show no real product.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from assistant.commands import console
from assistant.errors import LooktwiceError
from assistant.eval.research.parts_boards import draw_board, draw_connector
from assistant.eval.research.parts_drawn import draw_cap, draw_cookie, draw_pill, draw_ring, draw_screw
from assistant.eval.research.parts_scene import (
    OVER,
    Colour,
    Pose,
    Random,
    Session,
    Surface,
    differing,
    light,
    take,
)
from assistant.files import write_atomically

SESSIONS = 6
"""Lots: training pictures come from the first four, test pictures from the last four."""

TRAIN, GOOD, DEFECTS = 40, 30, 30
"""Pictures of a family: good ones to learn from, good ones to test, defective ones."""

POSES: dict[str, tuple[float, float, float]] = {
    "any": (np.pi, 0.05, 0.02),
    "loose": (0.09, 0.04, 0.015),
    "fixed": (0.004, 0.003, 0.0),
}
"""How parts lie: the largest angle in radians, the deviations of their place in half sides and of their size."""

Draw = Callable[[Surface, Random, str, Random], None]


@dataclass(frozen=True)
class Family:
    """A product: who draws it, what may be wrong with it, how it lies, and on what."""

    draw: Draw
    defects: tuple[str, ...]
    pose: str = "any"
    ground: Colour = (0.72, 0.72, 0.7)
    size: float = 1.0
    side: int = 448


_SCREW = ("broken thread", "bent tip", "broken tip", "scratch on the head", "scratch on the neck")
_CAP = ("dent", "scratch", "missing knurl", "wrong print", "moved print", "stain")
_PILL = ("chip", "crack", "wrong print", "missing print", "stain", "scratch")
_COOKIE = ("broken", "crack", "burnt", "foreign body")
_RING = ("missing tooth", "bent tooth", "short", "scratch", "dent", "stain")
_BOARD = (
    "missing component",
    "swapped component",
    "moved component",
    "turned chip",
    "missing pin",
    "bridge",
    "scratch",
)
_CONNECTOR = ("missing pin", "bent pin", "blocked cavity", "broken corner", "missing latch", "burr", "stain")
_DARK = (0.16, 0.17, 0.19)

FAMILIES: dict[str, Family] = {
    "screw": Family(draw_screw, _SCREW, size=1.2, side=512),
    "cap": Family(draw_cap, _CAP, ground=_DARK),
    "pill": Family(draw_pill, _PILL, ground=_DARK, size=1.1),
    "cookie": Family(draw_cookie, _COOKIE, ground=(0.78, 0.78, 0.8), size=1.15),
    "commutator": Family(draw_ring, _RING, size=1.1),
    "board": Family(draw_board, _BOARD, "loose", (0.62, 0.6, 0.56), 1.05, 512),
    "connector": Family(draw_connector, _CONNECTOR, ground=(0.74, 0.74, 0.72), side=480),
    "screw-fixed": Family(draw_screw, _SCREW, "fixed", size=1.3, side=480),
    "board-fixed": Family(draw_board, _BOARD, "fixed", (0.3, 0.31, 0.33), 1.3, 480),
    "connector-fixed": Family(draw_connector, _CONNECTOR, "fixed", (0.5, 0.5, 0.52), 1.2),
}
"""The products that are drawn."""


@dataclass(frozen=True)
class Shot:
    """One picture to take: its file below the family's folder, its lot, and what is wrong (nothing: "")."""

    file: str
    session: int
    defect: str = ""


def plan_shots(family: Family, train: int = TRAIN, good: int = GOOD, bad: int = DEFECTS) -> Iterator[Shot]:
    """All pictures of a family, in the order of time within each folder."""
    for i in range(train):
        yield Shot(f"train/good/{i:03d}", i * (SESSIONS - 2) // train)
    for i in range(good):
        yield Shot(f"test/good/{i:03d}", 2 + i * (SESSIONS - 2) // good)
    kinds = len(family.defects)
    for i in range(bad):
        defect = family.defects[i % kinds]
        yield Shot(f"test/{defect.replace(' ', '_')}/{i // kinds:03d}", 2 + i * (SESSIONS - 2) // bad, defect)


def set_up(name: str, shot: Shot, seed: int = 0) -> tuple[Session, Pose, Random]:
    """The lot that a picture is of, how its part lies, and what else differs from picture to picture."""
    family = FAMILIES[name]
    root = (seed, zlib.crc32(name.encode()))
    home = np.random.default_rng(root).uniform(-np.pi, np.pi)
    session = Session.draw(np.random.default_rng((*root, shot.session)), family.ground, home)
    random = np.random.default_rng((*root, zlib.crc32(shot.file.encode())))
    angle, place, size = POSES[family.pose]
    pose = Pose(
        random.uniform(-angle, angle),
        random.normal(0, place),
        random.normal(0, place),
        family.size * session.zoom * random.normal(1, size),
    )
    return session, pose, random


def take_shot(name: str, shot: Shot, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.bool_], int]:
    """One picture [H, W, 3], where its defect shows [H, W], and the quality to save it with."""
    family = FAMILIES[name]
    session, pose, random = set_up(name, shot, seed)
    streams: list[Any] = [stream.bit_generator.seed_seq for stream in random.spawn(4)]  # type: ignore[attr-defined]

    def draw(defect: str) -> NDArray[np.float32]:
        part, fault, ground = map(np.random.default_rng, streams[:3])
        surface = Surface(pose, round(family.side * OVER))
        family.draw(surface, part, defect, fault)
        return light(surface, session, ground)

    frame = draw(shot.defect)
    mask = differing(frame, draw("")) if shot.defect else np.zeros((family.side, family.side), bool)
    return take(frame, session, np.random.default_rng(streams[3])), mask, session.quality


def write_family(
    name: str, folder: Path, seed: int = 0, train: int = TRAIN, good: int = GOOD, bad: int = DEFECTS
) -> None:
    """Write a family into a folder of its name; pictures that are there are left. KeyError for an unknown name."""
    shots = list(plan_shots(FAMILIES[name], train, good, bad))
    with console.progress(name, len(shots)) as step:
        for shot in shots:
            path = folder / name / f"{shot.file}.jpg"
            if not path.is_file():
                picture, mask, quality = take_shot(name, shot, seed)
                if shot.defect:
                    _save(
                        Image.fromarray(mask), folder / name / shot.file.replace("test", "ground_truth", 1), ".png"
                    )
                _save(Image.fromarray(picture), path.with_suffix(""), ".jpg", quality)
            step.advance()


def _save(image: Image.Image, path: Path, ending: str, quality: int = 0) -> None:
    sink = io.BytesIO()
    image.save(sink, "JPEG" if ending == ".jpg" else "PNG", **({"quality": quality} if quality else {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path.with_name(path.name + ending), sink.getvalue())


def main(
    out: Annotated[Path, typer.Argument(help="The folder to write to; one that was begun is gone on with.")],
    family: Annotated[list[str] | None, typer.Option(help="Which products; by default all.")] = None,
    seed: int = 0,
    count: Annotated[int, typer.Option(min=4, help="Good pictures to learn from; others in proportion.")] = TRAIN,
) -> None:
    """Draw families of parts in the MVTec layout."""
    if unknown := sorted(set(family or ()) - set(FAMILIES)):
        raise LooktwiceError(f"There is no family {unknown[0]}, only {', '.join(FAMILIES)}.")
    other = max(1, round(count * GOOD / TRAIN))
    for name in family or FAMILIES:
        write_family(name, out, seed, count, other, other)


if __name__ == "__main__":
    typer.run(main)
