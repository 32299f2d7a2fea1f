"""Labelled pictures to measure on: which are for reference, which are for test, what is wrong and where.

It reads folders in the MVTec layout and two Python packages of pictures. It opens no picture but a mask, and
knows nothing about models or metrics.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.images.load import load_image
from assistant.images.sources import EXTENSIONS

Cell = Literal["mono", "poly"]

GOOD = "good"
DEEPEST = 3  # folders between the one given and a category


class DatasetError(LooktwiceError):
    """A dataset that is missing, damaged, or smaller than what was asked of it."""


@dataclass(frozen=True)
class Sample:
    """A picture file with its truth: `label` 0 is good, 1 a defect, None uncertain.

    `defect` is the name of the defect type, "good" for a good one. `mask` is the file with its outline.
    """

    image: Path
    label: Literal[0, 1] | None
    mask: Path | None = None
    defect: str = GOOD

    def __post_init__(self) -> None:
        if self.label not in (0, 1, None):
            raise ValueError(f"{self.image.name}: label {self.label!r} is not 0, 1 or None")
        if (self.label == 0) != (self.defect == GOOD):
            raise ValueError(f"{self.image.name}: label {self.label!r} does not fit {self.defect!r}")
        if self.mask is not None and self.label != 1:
            raise ValueError(f"{self.image.name}: only a defect has a mask")

    def load_mask(self, width: int, height: int) -> NDArray[np.bool_] | None:
        """Where the picture, displayed at `width` x `height` pixels, is defective: bool [height, width].

        All False for a good picture. None where nobody outlined the defect: no mask file, or an empty one.
        A mask of another size is scaled to the nearest pixel. ImageError where it cannot be read,
        DatasetError where its proportions differ from the picture's.
        """
        if self.label == 0:
            return np.zeros((height, width), dtype=bool)
        if self.mask is None:
            return None
        mask: NDArray[np.bool_] = np.any(load_image(self.mask).pixels, axis=2)
        rows, columns = mask.shape
        if not mask.any():
            return None
        if abs(columns * height - rows * width) > max(rows, columns, height, width):
            raise DatasetError(
                f"The mask {self.mask.name} is {columns} x {rows} and does not fit a picture of "
                f"{width} x {height}."
            )
        if mask.shape != (height, width):
            scaled = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
            mask = np.asarray(scaled, dtype=bool)
        return mask


@dataclass(frozen=True)
class Dataset:
    """One product: good pictures to draw references from, and a test set of good and defective ones.

    The two are disjoint and in a fixed order. `uncertain` holds pictures whose truth is disputed: they are in
    neither, and are to be reported apart.
    """

    name: str
    train_good: tuple[Sample, ...]
    test: tuple[Sample, ...]
    uncertain: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        if any(s.label != 0 for s in self.train_good):
            raise ValueError(f"{self.name}: a training picture is not good")
        if any(s.label is None for s in self.test):
            raise ValueError(f"{self.name}: a test picture has no label")
        if any(s.label is not None for s in self.uncertain):
            raise ValueError(f"{self.name}: an uncertain picture has a label")

    @property
    def labels(self) -> tuple[int, ...]:
        """The labels of `test`, 1 for a defect."""
        return tuple(int(s.label == 1) for s in self.test)

    def references(self, k: int, seed: int = 0) -> tuple[Sample, ...]:
        """Draw `k` good training pictures; with one seed, fewer are always the first of more.

        DatasetError where there are not that many.
        """
        if not 0 <= k <= len(self.train_good):
            raise DatasetError(
                f"{self.name} has {len(self.train_good)} good training pictures, so {k} cannot be drawn."
            )
        return tuple(self.train_good[i] for i in _shuffled(len(self.train_good), seed)[:k])

    def consecutive(self, k: int, number: int = 0) -> tuple[Sample, ...]:
        """`k` good training pictures as they lie in the folder: the first, the next and so on, by `number` from 0.

        Where the folder ends, the last `k`. DatasetError where there are not that many.
        """
        self.references(k)
        start = min(number * k, len(self.train_good) - k)
        return self.train_good[start : start + k]

    def limit(self, n: int, seed: int = 0) -> Dataset:
        """The same dataset with at most `n` test pictures, good and every defect type in proportion.

        Each type keeps at least one picture where `n` allows. References and `uncertain` stay as they are.
        DatasetError where `n` < 1.
        """
        if n < 1:
            raise DatasetError(f"A test set cannot be cut to {n} pictures.")
        if n >= len(self.test):
            return self
        classes: dict[int, dict[str, list[int]]] = {0: defaultdict(list), 1: defaultdict(list)}
        for i, label in enumerate(self.labels):
            classes[label][self.test[i].defect].append(i)
        groups = [types for types in classes.values() if types]
        shares = _apportion([sum(map(len, types.values())) for types in groups], n)
        kept: list[int] = []
        for types, share in zip(groups, shares, strict=True):
            members = list(types.values())
            for indices, part in zip(members, _apportion([*map(len, members)], share), strict=True):
                kept += [indices[i] for i in _shuffled(len(indices), seed)[:part]]
        return dataclasses.replace(self, test=tuple(self.test[i] for i in sorted(kept)))

    def template_of(self, sample: Sample) -> Sample | None:
        """The good picture of the very same part, aligned to `sample`, or None where there is none.

        DeepPCB has them: `NNN_temp` in train/good belongs to `NNN_test`.
        """
        part = sample.image.stem.removesuffix("_test")
        if part == sample.image.stem:
            return None
        return next((s for s in self.train_good if s.image.stem == f"{part}_temp"), None)


def open_dataset(spec: str) -> list[Dataset]:
    """The datasets that `spec` names: "elpv:mono", "elpv:poly", "textiles", or else a folder.

    A folder may be one category, a set of them, or hold several sets. DatasetError where nothing is found.
    """
    if spec == "textiles":
        return [read_textiles()]
    if spec.startswith("elpv:"):
        kind = spec.removeprefix("elpv:")
        for known in get_args(Cell):
            if kind == known:
                return [read_elpv(known)]
        raise DatasetError(f"There is no dataset {spec}, only elpv:mono and elpv:poly.")
    return find_datasets(Path(spec).expanduser())


def open_datasets(specs: Iterable[str]) -> list[Dataset]:
    """The datasets of several specs, in order; DatasetError as for `open_dataset`."""
    return [dataset for spec in specs for dataset in open_dataset(spec)]


def find_datasets(root: str | Path) -> list[Dataset]:
    """Every category in the MVTec layout in or under `root`, sorted by path, at most three folders deep."""
    folder = Path(root)
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    found = [read_mvtec(category) for category in _categories(folder, DEEPEST)]
    if not found:
        raise DatasetError(f"There is no dataset under {folder}: no folder has both train/good and test.")
    return found


def read_mvtec(folder: str | Path) -> Dataset:
    """One category: `train/good`, `test/good`, `test/<defect>` and masks in `ground_truth/<defect>`.

    A mask is called `<stem>.png` or `<stem>_mask.png`; a defect without one stays in the test set. The name
    is "<set>/<category>". DatasetError where the layout or the test pictures are missing.
    """
    category = Path(folder).resolve()
    if not _is_category(category):
        raise DatasetError(f"{category} has no folders train/good and test.")
    train = tuple(Sample(image, 0) for image in _pictures(category / "train" / GOOD))
    test: list[Sample] = []
    for kind in _folders(category / "test"):
        for image in _pictures(kind):
            if kind.name == GOOD:
                test.append(Sample(image, 0))
            else:
                masks = category / "ground_truth" / kind.name
                test.append(Sample(image, 1, _mask_of(image, masks), kind.name))
    if not test:
        raise DatasetError(f"{category / 'test'} has no pictures in folders of their kind.")
    return Dataset(f"{category.parent.name}/{category.name}", train, tuple(test))


def read_elpv(kind: Cell = "mono", seed: int = 0) -> Dataset:
    """Solar cells in electroluminescence, mono- or polycrystalline (ELPV; Deitsch et al., Solar Energy 2019).

    Experts gave each cell a defect probability: 0 is good, 1 a defect, 1/3 and 2/3 are `uncertain`. There are
    no masks and no official split: a third of the good cells, drawn by `seed`, is for training and the rest
    for test. Cells of one module can fall on both sides. DatasetError where the package is missing.
    """
    data = _package_data("elpv_dataset")
    good: list[Sample] = []
    defects: list[Sample] = []
    uncertain: list[Sample] = []
    for image, probability in _elpv_rows(data, kind):
        if probability == 0:
            good.append(Sample(image, 0))
        elif probability == 1:
            defects.append(Sample(image, 1, defect="defect"))
        else:
            uncertain.append(Sample(image, None, defect=f"probability {probability:.2f}"))
    train, held_out = _split_good(good, seed)
    return Dataset(f"elpv/{kind}", train, (*held_out, *defects), tuple(uncertain))


def read_textiles(test_size: int | None = None, seed: int = 0) -> Dataset:
    """Simulated woven textiles with local or global defects, without masks (conformal-clip-data).

    A third of the good ones, drawn by `seed`, is for training and the rest for test, of which at most
    `test_size` are kept in proportion. DatasetError where the package is missing.
    """
    folder = _package_data("conformal_clip_data") / "textile_images" / "simulated"
    train, held_out = _split_good([Sample(image, 0) for image in _pictures(folder / "nominal")], seed)
    defects = [Sample(image, 1, defect=kind) for kind in ("global", "local") for image in _pictures(folder / kind)]
    dataset = Dataset("textiles", train, (*held_out, *defects))
    return dataset if test_size is None else dataset.limit(test_size, seed)


def _categories(folder: Path, depth: int) -> Iterator[Path]:
    if _is_category(folder):
        yield folder
    elif depth > 0:
        for inner in _folders(folder):
            yield from _categories(inner, depth - 1)


def _is_category(folder: Path) -> bool:
    return (folder / "train" / GOOD).is_dir() and (folder / "test").is_dir()


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be read.") from error


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _listed(folder) if entry.is_dir()]


def _pictures(folder: Path) -> list[Path]:
    return [entry for entry in _listed(folder) if entry.suffix.lower() in EXTENSIONS and entry.is_file()]


def _mask_of(image: Path, folder: Path) -> Path | None:
    candidates = (folder / f"{image.stem}.png", folder / f"{image.stem}_mask.png")
    return next((mask for mask in candidates if mask.is_file()), None)


def _package_data(package: str) -> Path:
    """The data folder of an installed package, found without running any of its code."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = package.replace("_", "-")
        raise DatasetError(f"The package {name} is missing: run `pip install 'looktwice[samples]'`.")
    return Path(spec.submodule_search_locations[0]) / "data"


def _elpv_rows(data: Path, kind: str) -> Iterator[tuple[Path, float]]:
    """Path and defect probability of each cell of one kind, in the order of labels.csv."""
    try:
        for line in (data / "labels.csv").read_text("utf-8").splitlines():
            if line.strip():
                name, probability, cell = line.split()
                if cell == kind:
                    yield data / name, float(probability)
    except (OSError, ValueError) as error:
        raise DatasetError("The package elpv-dataset is damaged: its labels.csv cannot be read.") from error


def _split_good(good: Sequence[Sample], seed: int) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """A third of the good pictures and the rest, both in their old order."""
    drawn = set(_shuffled(len(good), seed)[: len(good) // 3])
    train = tuple(s for i, s in enumerate(good) if i in drawn)
    return train, tuple(s for i, s in enumerate(good) if i not in drawn)


def _shuffled(n: int, seed: int) -> list[int]:
    """The numbers below `n` in an order that depends on the seed alone."""
    source = random.Random(seed)
    # Python keeps `random()` the same over its versions, and `shuffle` and `sample` not.
    return sorted(range(n), key=lambda _: source.random())


def _apportion(counts: Sequence[int], n: int) -> list[int]:
    """Split `n`, at most the sum of `counts`, in proportion to them, with at least one each if it can.

    Each next one goes where count / (2 share + 1) is largest (Sainte-Laguë), so no share outgrows its count.
    """
    shares = [int(n >= len(counts))] * len(counts)
    while sum(shares) < n:
        shares[max(range(len(counts)), key=lambda i: counts[i] / (2 * shares[i] + 1))] += 1
    return shares
