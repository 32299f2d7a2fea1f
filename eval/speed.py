"""How fast the program is on this machine: `looktwice eval speed [PICTURES]`.

Pictures of several sizes are inspected against four references, one at a time and sixteen at a time, and each
stage is run and timed by itself. Beside them stands the arithmetic of the tower: its multiplications and additions
at the rate at which this machine multiplies matrices in the same run. Medians, since machines are noisy.
"""

from __future__ import annotations

import platform
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from assistant.adapters.rarity import rarity
from assistant.detection.regions import find_regions
from assistant.errors import LooktwiceError
from assistant.images.load import load_image
from assistant.images.sources import find_images
from assistant.inspector import Inspector
from assistant.models.backbone import Backbone
from assistant.models.granted import usable_processors
from assistant.products.product import Product

T = TypeVar("T")

SIZES = ((320, 320), (512, 512), (1024, 1024), (4000, 3000))
"""Of drawn pictures (width, height)."""

TILED, TILES = 2000, 4
"""From such a longest side on drawn pictures are looked at in tiles, so many along a side."""

REFERENCES, TOGETHER = 4, 16
COUNT, FEW = 32, 3
"""Pictures of a size, and of one that is looked at in tiles."""

SIDE = 1024  # of the matrices whose products tell how fast this machine multiplies


@dataclass(frozen=True)
class Speed:
    """What one size (width, height) took, in milliseconds a picture; `size` is (0, 0) for pictures of many sizes.

    `one` and `many` are (median, 95th percentile) of pictures one at a time and sixteen at a time, `stages` the
    median of each stage by itself, `arithmetic` what the tower's multiplications and additions would take at the
    rate of this machine, and `memory` the most MB that the program held up to then.
    """

    size: tuple[int, int]
    pictures: int
    tiles: int
    one: tuple[float, float]
    many: tuple[float, float]
    stages: dict[str, float]
    arithmetic: float
    memory: float


@dataclass
class Stopwatch:
    """Milliseconds by stage name."""

    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def time(self, stage: str, work: Callable[..., T], *args: Any) -> T:
        """Do the work and note how long it took."""
        start = time.perf_counter()
        result = work(*args)
        self.times[stage].append(1000 * (time.perf_counter() - start))
        return result


def measure_speed(
    inspector: Inspector,
    pictures: Sequence[Path] = (),
    tell: Callable[[str], None] = lambda _: None,
    count: int = COUNT,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> Iterator[Speed]:
    """The speed at each size on drawn pictures, or on those given, of which the first four are references."""
    if pictures:
        if len(pictures) <= REFERENCES:
            raise LooktwiceError(f"Speed needs more than {REFERENCES} pictures: the first are references.")
        tell(f"Inspecting {len(pictures) - REFERENCES} pictures.")
        yield _measure(inspector, list(pictures), 1)
        return
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            tell(f"Inspecting pictures of {size[0]} x {size[1]}.")
            tiles = TILES if max(size) >= TILED else 1
            drawn = _draw(Path(folder), size, REFERENCES + (FEW if tiles > 1 else count))
            yield _measure(inspector, drawn, tiles)


def time_stages(inspector: Inspector, product: Product, paths: Sequence[Path]) -> dict[str, float]:
    """The median of every stage of a few-shot inspection, each run by itself on each picture."""
    watch = Stopwatch()
    backbone, detector = inspector.backbone, inspector.detector
    for path in paths:
        image = watch.time("read and decode", load_image, path)
        planes = watch.time("resize and normalise", backbone.fit, image.pixels)
        features = watch.time("image tower", backbone.encode_image, planes[None])
        tokens = watch.time("join layers", detector.tokens, features)
        rare = watch.time("rarity", rarity, tokens)
        detector.score(features, None)  # what belongs to the picture alone is kept with its features
        watch.time("memory lookup", product.dictionary.lookup, tokens)
        watch.time("signature of the whole", detector.signature, features)
        watch.time("map and score, rarity known", detector.score, features, product)
        coarse, limit = rare[0].numpy(), float(rare.quantile(0.98))
        p_value = product.calibration.p_value
        watch.time("regions", find_regions, coarse, limit, image.width, image.height, p_value)
    return {stage: statistics.median(times) for stage, times in watch.times.items()}


def arithmetic_of(backbone: Backbone, width: int, height: int) -> float:
    """What the tower's multiplications and additions on one picture take, in ms, at this machine's rate."""
    tower = backbone.torch_tower()
    planes = backbone.fit(np.zeros((height, width, 3), np.uint8))[None].to(next(tower.parameters()))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        tower(planes)
    return 1000 * counted.get_total_flops() / rate_of(planes.device)


def rate_of(device: torch.device) -> float:
    """Multiplications and additions a second, in float32, on matrices that fit well: the best of several runs."""
    left, right = (torch.randn(SIDE, SIDE, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        float((left @ right)[0, 0])  # waits for a device
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


def peak_memory() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def machine() -> str:
    """Processor and threads, in a line."""
    return f"{platform.machine()}, {usable_processors()} cores, {torch.get_num_threads()} threads of torch"


def print_speed(speeds: Sequence[Speed], what: str) -> None:
    """The table, on standard output."""
    table = Table("", *(_name(s) for s in speeds), title=f"Milliseconds a picture: {what}, {machine()}")
    rows: dict[str, list[str]] = {
        "one at a time, median / 95 %": [_two(s.one) for s in speeds],
        f"{TOGETHER} at a time, median / 95 %": [_two(s.many) for s in speeds],
    }
    for stage in dict.fromkeys(stage for s in speeds for stage in s.stages):
        rows[stage] = [f"{s.stages[stage]:.1f}" if stage in s.stages else "" for s in speeds]
    rows["arithmetic of the tower"] = [f"{s.arithmetic:.1f}" for s in speeds]
    rows["times the arithmetic"] = [f"{s.many[0] / s.arithmetic:.0f}" for s in speeds]
    rows["most memory until then, MB"] = [f"{s.memory:.0f}" for s in speeds]
    for name, cells in rows.items():
        table.add_row(name, *cells)
    Console().print(table)


def to_rows(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """JSON-ready rows."""
    return [{**asdict(speed), "machine": machine()} for speed in speeds]


def find_pictures(folders: Sequence[str], count: int = COUNT) -> list[Path]:
    """The first pictures of folders: the references, and as many as are inspected."""
    return list(islice(find_images([Path(f).expanduser() for f in folders]), REFERENCES + count))


def _measure(inspector: Inspector, paths: list[Path], tiles: int) -> Speed:
    references, shown = paths[:REFERENCES], paths[REFERENCES:]
    product = inspector.learn("speed", references, tiles=tiles, registered=False)
    inspector.inspect(shown[:TOGETHER], product)  # what is loaded at first use is not timed
    one = [_timed(inspector, [path], product) for path in shown]
    groups = [shown[at : at + TOGETHER] for at in range(0, len(shown), TOGETHER)]
    many = [_timed(inspector, group, product) for group in groups]
    sizes = {Image.open(path).size for path in shown}
    size = sizes.pop() if len(sizes) == 1 else (0, 0)
    width, height = size if any(size) else load_image(shown[0]).pixels.shape[1::-1]
    stages = {} if tiles > 1 else time_stages(inspector, product, shown)
    looked = tiles**2 + 1 if tiles > 1 else 1  # the tiles, and the picture as a whole
    arithmetic = looked * arithmetic_of(inspector.backbone, width, height)
    return Speed(size, len(shown), tiles, _spread(one), _spread(many), stages, arithmetic, peak_memory())


def _timed(inspector: Inspector, paths: list[Path], product: Product) -> float:
    start = time.perf_counter()
    inspector.inspect(paths, product)
    return 1000 * (time.perf_counter() - start) / len(paths)


def _spread(times: Sequence[float]) -> tuple[float, float]:
    return float(np.median(times)), float(np.quantile(times, 0.95))


def _draw(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """JPEG files of a grained surface with some round holes, each a little different; large ones are enlarged."""
    width, height = (side if max(size) < TILED else side // 4 for side in size)
    holes = np.random.default_rng(0).random((12, 2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    paths = []
    for i in range(count):
        rng = np.random.default_rng([1, i])
        grain = ndimage.gaussian_filter(rng.standard_normal((height, width), np.float32), 1.5)
        surface = 150 + 40 * grain + 20 * x / width
        for right, down in holes + rng.normal(0, 0.003, holes.shape):
            surface[np.hypot(x - right * width, y - down * height) < 0.03 * height] = 40
        path = folder / f"{size[0]}x{size[1]}-{i:02d}.jpg"
        Image.fromarray(_grey(surface)).resize(size).save(path, quality=92)
        paths.append(path)
    return paths


def _grey(surface: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.repeat(surface.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _name(speed: Speed) -> str:
    name = f"{speed.size[0]} x {speed.size[1]}" if any(speed.size) else "several sizes"
    return f"{name}, {speed.tiles} x {speed.tiles} tiles" if speed.tiles > 1 else name


def _two(spread: tuple[float, float]) -> str:
    return f"{spread[0]:.1f} / {spread[1]:.1f}"
