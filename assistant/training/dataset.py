"""What a detector is trained from: pictures in folders, each with its kind, its label and its mask.

What cannot be trained from is refused before any training starts: masks are opened, and of the pictures beside
them the header.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from PIL import Image

from assistant.errors import ImageError, TrainingError
from assistant.images.load import load_image
from assistant.images.sources import find_images
from assistant.prompts.defects import DEFECTS, find_defect

GOOD = "good"
FAULTY = frozenset({"defect", "bad", "anomaly"})
TEST = "test"
TRUTH = "ground_truth"
_TYPES = frozenset(defect.name for defect in DEFECTS)
_NAMED = 5  # kinds that one sentence can list
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Example:
    """A picture file of one `kind` of product or surface: `label` 0 is normal, 1 a defect.

    `mask` is the file with the outline of the defect, as large as the picture is displayed. `type` is a name
    from `prompts.defects.DEFECTS`, or "" where the type is unknown.
    """

    image: Path
    kind: str
    label: Literal[0, 1]
    mask: Path | None = None
    type: str = ""

    def __post_init__(self) -> None:
        if not self.kind:
            raise ValueError(f"{self.image.name} has no kind")
        if self.label not in (0, 1):
            raise ValueError(f"{self.image.name}: label {self.label!r} is not 0 or 1")
        if self.label == 0 and (self.mask is not None or self.type):
            raise ValueError(f"{self.image.name}: only a defect has a mask or a type")
        if self.type and self.type not in _TYPES:
            raise ValueError(f"{self.image.name}: {self.type!r} is not in the defect vocabulary")


@dataclass(frozen=True)
class TrainingData:
    """Labelled pictures of several kinds, in a fixed order."""

    examples: tuple[Example, ...]

    @cached_property  # asked for once a view
    def normals(self) -> tuple[Example, ...]:
        """The examples with nothing wrong."""
        return tuple(e for e in self.examples if e.label == 0)

    @property
    def defects(self) -> tuple[Example, ...]:
        """The examples with a defect, masked or not."""
        return tuple(e for e in self.examples if e.label == 1)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of the kinds, sorted."""
        return tuple(sorted({e.kind for e in self.examples}))


def read_training_data(folders: Sequence[str | Path], *, leave_out: Sequence[str] = ()) -> TrainingData:
    """Every labelled picture in `folders`, sorted by kind and path, each file once.

    A folder, or one at any depth inside it, is a category in the MVTec layout (`train/good`, `test/good`,
    `test/<defect>`, `ground_truth/<defect>/<stem>.png` or `<stem>_mask.png`), or has `good` beside `defect`,
    `bad` or `anomaly`, or simply holds pictures, all normal. Each of these is one kind, named by the last two
    parts of its path. Pictures straight beside `good`, `train` or `test` are passed over. A mask without a
    white pixel is left off, and its picture stays a defect. Links that lead out of a folder are not followed.

    `leave_out` names kinds to drop: "mvtec/bottle", or "mvtec" for every kind of that set.

    TrainingError, one sentence, for a folder that is missing, cannot be listed, has no pictures or does not
    say which are normal; for a name in `leave_out` that fits no kind; where nothing, no normal picture or
    only one kind is left; for a mask that cannot be read or is not as large as its picture.
    """
    by_file: dict[str, Example] = {}
    for root in sorted({_existing(folder) for folder in folders}):
        examples = _read_folder(root)
        if not examples:
            raise TrainingError(f"The folder {root} has no pictures to train from.")
        for example in examples:
            _add(example, by_file)
    kept = _without(sorted(by_file.values(), key=lambda e: (e.kind, os.fspath(e.image))), leave_out)
    _check_enough(kept)
    return TrainingData(tuple(_check_mask(example) for example in kept))


def split_kinds(data: TrainingData, share: float = 0.15, seed: int = 0) -> tuple[TrainingData, TrainingData]:
    """Training and held-out examples by kind, a `share` (above 0, below 1) of the kinds, drawn by `seed`.

    No kind is on both sides. At least one is held out where there are two or more, and training always keeps
    one with normal pictures. Both sides keep the order of `data`. ValueError for another share.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} cannot be held out: give one between 0 and 1")
    names = list(data.kinds)
    random.Random(seed).shuffle(names)  # noqa: S311 - a draw to repeat, not a secret
    with_normals = {e.kind for e in data.normals}
    keeper = next((name for name in names if name in with_normals), None)
    free = [name for name in names if name != keeper]
    held_out = set(free[: max(1, round(share * len(names)))])
    train = tuple(e for e in data.examples if e.kind not in held_out)
    return TrainingData(train), TrainingData(tuple(e for e in data.examples if e.kind in held_out))


def _existing(folder: str | Path) -> Path:
    path = Path(folder).expanduser()
    if not path.exists():
        raise TrainingError(f"There is no folder {path}.")
    if not path.is_dir():
        raise TrainingError(f"{path} is a file and not a folder of pictures.")
    return path.resolve()


@dataclass(frozen=True)
class _Place:
    """What a folder says of the pictures in it; `masks` is where those of its defects lie."""

    kind: str
    label: Literal[0, 1]
    masks: Path | None = None
    type: str = ""


def _read_folder(root: Path) -> list[Example]:
    places: dict[Path, _Place | None] = {}
    examples = []
    for image in find_images([root]):
        if image.is_dir():  # what `find_images` makes of a folder that it may not list
            raise TrainingError(f"The folder {image} cannot be listed.")
        folder = image.parent
        if folder not in places:
            places[folder] = _place(folder, root)
        place = places[folder]
        if place is not None:
            mask = _mask_of(image, place.masks)
            examples.append(Example(image, place.kind, place.label, mask, place.type))
    return examples


def _place(folder: Path, root: Path) -> _Place | None:
    """What the nearest telling name on the way up to `root` says; None for pictures that are no examples.

    Names above the root count only where they are told by their neighbours: whoever hands over
    `bottle/test/crack` hands over defects, but a folder "test" in somebody's path means nothing.
    """
    for level in _upwards(folder, root):
        above = level.parent
        if TRUTH in (level.name, above.name):
            return None
        if (level.name == GOOD or above.name == TEST) and _is_category(above.parent):
            return _mvtec_place(level, folder)
        if level.name == GOOD or level.name in FAULTY:
            return _Place(_kind(above), 0 if level.name == GOOD else 1)
        if level != root and (above / GOOD).is_dir():
            raise TrainingError(
                f"The folder {level} lies beside a folder {GOOD}, but is not called defect, bad or anomaly."
            )
        if level != root and above != root and above.name == TEST:
            raise TrainingError(
                f"Nothing says which pictures are normal in {above.parent}: it has no train/good or test/good."
            )
        if level.name == TEST and _is_category(above):
            return None
    beside_labels = (folder / GOOD).is_dir() or _is_category(folder)
    return None if beside_labels else _Place(_kind(folder), 0)


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    yield folder
    while folder != root:
        folder = folder.parent
        yield folder


def _is_category(folder: Path) -> bool:
    return any((folder / part / GOOD).is_dir() for part in ("train", TEST))


def _mvtec_place(level: Path, folder: Path) -> _Place:
    category = level.parent.parent
    if level.name == GOOD:
        return _Place(_kind(category), 0)
    defect = find_defect(level.name.replace("_", " "))
    masks = category / TRUTH / level.name / folder.relative_to(level)
    return _Place(_kind(category), 1, masks, defect.name if defect else "")


def _kind(folder: Path) -> str:
    return "/".join(part for part in (folder.parent.name, folder.name) if part) or "pictures"


def _mask_of(image: Path, masks: Path | None) -> Path | None:
    if masks is None:
        return None
    named = (masks / f"{image.stem}.png", masks / f"{image.stem}_mask.png")
    return next((mask for mask in named if mask.is_file()), None)


def _add(example: Example, by_file: dict[str, Example]) -> None:
    known = by_file.setdefault(os.path.realpath(example.image), example)
    if known.label != example.label:
        raise TrainingError(f"{example.image} is a normal picture in one folder and a defect in another.")


def _without(examples: list[Example], leave_out: Sequence[str]) -> list[Example]:
    kinds = sorted({e.kind for e in examples})
    dropped: set[str] = set()
    for name in leave_out:
        prefix = name.rstrip("/")
        fitting = {kind for kind in kinds if kind == prefix or kind.startswith(f"{prefix}/")}
        if not fitting:
            listed = ", ".join(kinds[:_NAMED]) + (", ..." if len(kinds) > _NAMED else "")
            raise TrainingError(f"No kind of picture to leave out is called {name!r}: there are {listed}.")
        dropped |= fitting
    return [e for e in examples if e.kind not in dropped]


def _check_enough(examples: list[Example]) -> None:
    kinds = {e.kind for e in examples}
    if not examples:
        raise TrainingError("No pictures to train from are left.")
    if all(e.label == 1 for e in examples):
        raise TrainingError(f"There is no normal picture in {', '.join(sorted(kinds)[:_NAMED])}, only defects.")
    if len(kinds) == 1:
        raise TrainingError(
            f"All pictures are of one kind, {kinds.pop()}, so no other can be held out to judge the training."
        )


def _check_mask(example: Example) -> Example:
    if example.mask is None:
        return example
    try:
        mask = load_image(example.mask)
    except ImageError as error:
        raise TrainingError(f"The mask {example.mask} cannot be read: {error}.") from error
    if not mask.pixels.any():
        return replace(example, mask=None)
    width, height = _displayed_size(example.image)
    if (mask.width, mask.height) != (width, height):
        raise TrainingError(
            f"The mask {example.mask} is {mask.width} x {mask.height}, but its picture is {width} x {height}."
        )
    return example


def _displayed_size(path: Path) -> tuple[int, int]:
    """Width and height as displayed, from the header alone where that can be known."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Asked only where it matters: PNG may keep it behind the pixels, and then all of them are decoded.
            turned = width != height and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception as error:  # Pillow raises nearly anything over a damaged file
        raise TrainingError(f"The picture {path} cannot be read.") from error
    return (height, width) if turned else (width, height)
