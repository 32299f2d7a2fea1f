"""Where the milliseconds of an inspection go: `python -m assistant.eval.profile PICTURES --references GOOD`.

Each stage is run and timed by itself on the same pictures, beside one ordinary run of `Inspector.inspect`.
Medians, since machines are noisy.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from assistant.adapters.rarity import rarity
from assistant.detection.regions import find_regions
from assistant.images.load import load_image
from assistant.images.sources import find_images
from assistant.inspector import Inspector
from assistant.products.product import Product

T = TypeVar("T")


class Stopwatch:
    """Milliseconds by stage name."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def time(self, stage: str, work: Callable[..., T], *args: Any) -> T:
        """Do the work and note how long it took."""
        start = time.perf_counter()
        result = work(*args)
        self.times[stage].append(1000 * (time.perf_counter() - start))
        return result


def time_stages(inspector: Inspector, product: Product, paths: list[Path]) -> Stopwatch:
    """Run every stage of a few-shot inspection on each picture, one after the other."""
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
    return watch


def peak_memory() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def main(
    pictures: Annotated[Path, typer.Argument(help="A folder of pictures.")],
    references: Annotated[Path, typer.Option(help="A folder of good pictures; four are used.")],
    count: Annotated[int, typer.Option(help="How many pictures.")] = 100,
    bundle: str = "pocket",
) -> None:
    """Print where the time of an inspection goes."""
    start = time.perf_counter()
    inspector = Inspector.from_pretrained(bundle)
    loaded = time.perf_counter() - start
    paths = list(islice(find_images([pictures]), count))
    start = time.perf_counter()
    product = inspector.learn("profile", list(islice(find_images([references]), 4)))
    learned = time.perf_counter() - start
    start = time.perf_counter()
    results = inspector.inspect(paths, product)
    whole = 1000 * (time.perf_counter() - start) / len(results)
    peak = peak_memory()
    table = Table("stage", "median ms", title=f"One few-shot inspection, {len(results)} pictures")
    for stage, times in time_stages(inspector, product, paths).times.items():
        table.add_row(stage, f"{statistics.median(times):.1f}")
    table.add_row("whole, as `inspect` runs it", f"{whole:.1f}")
    out = Console()
    out.print(table)
    out.print(f"Loading {loaded:.1f} s, learning from four {learned:.1f} s, peak memory {peak:.0f} MB.")


if __name__ == "__main__":
    typer.run(main)
