"""PatchCore and PaDiM of anomalib on exported pictures: `PYTHON -P eval/research/rivals_anomalib.py OUT`.

PYTHON belongs to an environment of its own (`pip install anomalib==2.7.*`). This half runs as a file there and
imports nothing of this package; what both halves share is here, since the other one can import it. `-P` keeps
this folder from standing in for Python's own modules. It reads
what `python -m assistant.eval.research.rivals export OUT` wrote and knows neither masks nor metrics.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PRELOAD = ("anomalib.models.image.patchcore.torch_model", "anomalib.models.image.padim.torch_model")
NEIGHBOURS = 9
PADIM_FEATURES = 100
"""What anomalib takes for its smallest tower; it has no default for this one."""

WARM_UP, TIMED = 3, 30
TOLERANCE = 1e-3
"""Largest difference between the features of both halves, relative to the largest value of a layer."""


@dataclass(frozen=True)
class Variant:
    """One way to set up a rival: its layers, by their index in the tower, and PatchCore's coreset ratio."""

    family: str
    layers: tuple[int, ...]
    coreset: float = 0.0

    @property
    def name(self) -> str:
        """What its files are called: "patchcore_8-16_c0.1", with the strides of its layers."""
        strides = "-".join(str(2 ** (layer + 1)) for layer in self.layers)
        return f"{self.family}_{strides}" + (f"_c{self.coreset:g}" if self.coreset else "")


@dataclass(frozen=True)
class Job:
    """What one timing process does: a method on one set with the first `shots` references of the first draw."""

    out: Path
    folder: Path
    variant: Variant | None
    shots: int


@dataclass(frozen=True)
class Timing:
    """Median milliseconds of one picture, of the tower in it, and megabytes: at the most, and before any work."""

    ms: float
    tower_ms: float
    peak_mb: float
    imports_mb: float
    threads: int


def variants(layers: Sequence[int]) -> list[Variant]:
    """Each rival on the first two of our layers, which is its own convention, and on all of them."""
    choices = list(dict.fromkeys([tuple(layers[:2]), tuple(layers)]))
    cores = [Variant("patchcore", choice, ratio) for ratio in (0.1, 1.0) for choice in choices]
    return [*cores, *(Variant("padim", choice) for choice in choices)]


def run_path(folder: Path, name: str, shots: int, seed: int) -> Path:
    """Where the scores and maps of one method with one draw of references lie."""
    return folder / "runs" / f"{name}-{shots}-{seed}.safetensors"


def time_path(folder: Path, name: str, shots: int) -> Path:
    """Where the `Timing` of one method lies."""
    return folder / "runs" / f"{name}-{shots}.time.json"


def write_run(path: Path, scores: Iterable[float], maps: Sequence[Any] = ()) -> None:
    """Write scores [N] and, where they are asked for, maps [h, w], as whole 16-bit steps between their extremes.

    65,536 steps over a whole run are finer than any pixel metric resolves, at half the disk space. Maps that
    are not finite are not kept.
    """
    import numpy as np
    from safetensors.numpy import save_file

    tensors = {"scores": np.array(list(scores), dtype=np.float64)}
    if len(maps) and all(bool(np.isfinite(one).all()) for one in maps):
        low, high = min(float(one.min()) for one in maps), max(float(one.max()) for one in maps)
        step = (high - low) / 65535 or 1.0
        for i, one in enumerate(maps):
            tensors[f"map/{i}"] = np.rint((np.asarray(one, dtype=np.float64) - low) / step).astype(np.uint16)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    save_file(tensors, part)
    os.replace(part, path)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    os.replace(part, path)


def read_pictures(folder: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """Pictures [3, h, w] float32 as the tower takes them, by name: "test/0", "reference/0", ..."""
    from safetensors import safe_open

    with safe_open(folder / "pictures.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in names}


def time_methods(work: Callable[[Job], Timing], jobs: Sequence[tuple[Path, Job]], preload: Sequence[str]) -> None:
    """Do each job in a process of its own, one after the other, and write its `Timing` to the path.

    The processes are forked from one that has only imported `preload`, so that each peak is its own.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    with context.Pool(1, maxtasksperchild=1) as pool:
        for (path, job), timing in zip(jobs, pool.imap(work, [job for _, job in jobs], chunksize=1), strict=True):
            write_json(path, asdict(timing))
            print(f"{job.folder.name} {path.name}: {timing.ms:.0f} ms, {timing.peak_mb:.0f} MB", flush=True)


def clock(work: Callable[[Any], Any], tower: Callable[[Any], Any], inputs: Sequence[Any], before: float) -> Timing:
    """Time `work` on one input after the other, and the tower alone on the same; `before`: megabytes so far."""
    import torch

    taken: dict[Callable[[Any], Any], list[float]] = {work: [], tower: []}
    with torch.inference_mode():
        for call, times in taken.items():
            for one in itertools.islice(itertools.cycle(inputs), WARM_UP + TIMED):
                start = time.perf_counter()
                call(one)
                times.append(1000 * (time.perf_counter() - start))
    ms, tower_ms = (statistics.median(times[WARM_UP:]) for times in taken.values())
    return Timing(ms, tower_ms, peak_memory(), before, torch.get_num_threads())


def peak_memory() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


class Recall:
    """Stands in for a model's tower with what it said about the pictures, so that no draw asks it again."""

    def __init__(self, tower: Callable[[Tensor], dict[int, Tensor]], pictures: dict[str, Tensor]) -> None:
        self.now = ""
        self._seen = {name: tower(picture[None]) for name, picture in pictures.items()}

    def __call__(self, pixels: Tensor) -> dict[int, Tensor]:
        return self._seen[self.now]


def build(variant: Variant, settings: dict[str, Any], seed: int = 0) -> Any:
    """An anomalib model whose tower has the exported weights; nothing is downloaded."""
    import torch
    from anomalib.models.image.padim.torch_model import PadimModel
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    from safetensors.torch import load_file

    common = {"backbone": settings["architecture"], "layers": list(variant.layers), "pre_trained": False}
    torch.manual_seed(seed)  # PaDiM draws its features, PatchCore its coreset
    if variant.family == "padim":
        channels = sum(settings["channels"][settings["layers"].index(layer)] for layer in variant.layers)
        model: Any = PadimModel(**common, n_features=min(PADIM_FEATURES, channels))
    else:
        model = PatchcoreModel(**common, num_neighbors=NEIGHBOURS)
    trunk = model.feature_extractor.feature_extractor
    weights = load_file(settings["tower"])
    trunk.load_state_dict(
        {
            name: weights.get(name, tensor) if name.endswith("num_batches_tracked") else weights[name]
            for name, tensor in trunk.state_dict().items()
        }
    )
    return model


def fit(model: Any, variant: Variant, show: Callable[[str], Any], references: Sequence[str]) -> None:
    """Let the model learn the references; `show` makes it look at one."""
    import torch

    model.train()
    for name in references:
        show(name)
    if variant.family == "padim":
        model.fit()
    elif variant.coreset == 1.0:  # greedy selection would take long to select everything
        model.memory_bank = torch.vstack(model.embedding_store)
        model.embedding_store.clear()
    else:
        keep_large_blocks_apart(1 << 20)
        model.subsample_embedding(variant.coreset)
        keep_large_blocks_apart(1 << 25)  # where glibc's own rule ends up
    model.eval()


def keep_large_blocks_apart(size: int) -> None:
    """Let glibc return blocks of `size` bytes and more at once; elsewhere nothing happens.

    The greedy selection frees a large block and keeps a small one at every step. Left to itself glibc then
    breaks up its heap and holds 12 GB for eight references, which says nothing about the method.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(-3, size)  # M_MMAP_THRESHOLD


def load(folder: Path, variant: Variant, names: Iterable[str], side: int) -> dict[str, Tensor]:
    """Pictures as a rival can take them: PaDiM, which knows places, needs all of them in one size.

    Where a set has pictures of several sizes, PaDiM sees them squeezed to a square, as anomalib does itself.
    """
    from torch.nn.functional import interpolate

    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    pictures = read_pictures(folder, names)
    if variant.family != "padim" or not index["mixed_sizes"]:
        return pictures
    return {
        name: interpolate(picture[None], (side, side), mode="bilinear", antialias=True)[0]
        for name, picture in pictures.items()
    }


def score_dataset(folder: Path, settings: dict[str, Any], chosen: Sequence[Variant]) -> None:
    """Write every missing run of one exported set."""
    import torch

    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    draws = list(itertools.product(settings["shots"], range(len(index["draws"]))))
    names = [f"test/{i}" for i in range(len(index["labels"]))]
    needed = [*names, *(f"reference/{i}" for i in sorted({i for draw in index["draws"] for i in draw}))]
    for family in dict.fromkeys(variant.family for variant in chosen):
        open_runs = [
            (variant, shots, seed)
            for variant in chosen
            for shots, seed in draws
            if variant.family == family and not run_path(folder, variant.name, shots, seed).is_file()
        ]
        if not open_runs:
            continue
        everything = Variant("patchcore", tuple(settings["layers"]))
        with torch.inference_mode():
            tower = build(everything, settings).feature_extractor
            check_tower(folder, tower)
            pictures = load(folder, Variant(family, ()), needed, settings["side"])
            recall = Recall(tower, pictures)
            for variant, shots, seed in open_runs:
                draw = [f"reference/{i}" for i in index["draws"][seed][:shots]]
                scores, maps = score(variant, settings, seed, recall, pictures, draw, names)
                write_run(run_path(folder, variant.name, shots, seed), scores, maps if index["outlined"] else ())
                print(f"{folder.name} {variant.name}: {shots} shots, draw {seed}", flush=True)


def score(
    variant: Variant,
    settings: dict[str, Any],
    seed: int,
    recall: Recall,
    pictures: dict[str, Tensor],
    references: Sequence[str],
    names: Sequence[str],
) -> tuple[list[float], list[Any]]:
    """Scores and maps [h, w] of the named pictures after learning the references."""
    model = build(variant, settings, seed)
    del model.feature_extractor
    model.feature_extractor = recall

    def show(name: str) -> Any:
        recall.now = name
        return model(pictures[name][None])

    fit(model, variant, show, references)
    found = [show(name) for name in names]
    return [float(one.pred_score) for one in found], [one.anomaly_map[0, 0].numpy() for one in found]


def check_tower(folder: Path, tower: Any) -> None:
    """Make sure that both halves see the same features; SystemExit where they do not."""
    from safetensors.torch import load_file

    layers = tower(read_pictures(folder, ["test/0"])["test/0"][None])
    for number, expected in load_file(folder / "layers.safetensors").items():
        found = layers[int(number)].permute(0, 2, 3, 1)
        if float((found - expected).abs().max()) > TOLERANCE * float(expected.abs().max()):
            raise SystemExit(f"{folder.name}: layer {number} of the tower is not what it was at the export.")


def time_one(job: Job) -> Timing:
    """Time a rival; runs in a process of its own."""
    import torch

    before = peak_memory()
    settings = json.loads((job.out / "settings.json").read_text(encoding="utf-8"))
    index = json.loads((job.folder / "index.json").read_text(encoding="utf-8"))
    variant = job.variant or variants(settings["layers"])[0]
    draw = [f"reference/{i}" for i in index["draws"][0][: job.shots]]
    names = [f"test/{i}" for i in range(min(TIMED, len(index["labels"])))]
    pictures = load(job.folder, variant, [*draw, *names], settings["side"])
    model = build(variant, settings)
    with torch.inference_mode():
        fit(model, variant, lambda name: model(pictures[name][None]), draw)
    return clock(model, model.feature_extractor, [pictures[name][None] for name in names], before)


def main() -> None:
    """Score and time the rivals on every exported set; what is there already is not done again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out", type=Path, help="What `rivals export` wrote.")
    parser.add_argument("--only", nargs="*", help="Names of variants, such as patchcore_8-16_c0.1.")
    wanted = parser.parse_args()
    settings = json.loads((wanted.out / "settings.json").read_text(encoding="utf-8"))
    chosen = [one for one in variants(settings["layers"]) if not wanted.only or one.name in wanted.only]
    folders = sorted(path.parent for path in wanted.out.glob("*/index.json"))
    for folder in folders:
        score_dataset(folder, settings, chosen)
    jobs = [
        (path, Job(wanted.out, folder, variant, shots))
        for folder, variant, shots in itertools.product(folders, chosen, settings["shots"])
        if not (path := time_path(folder, variant.name, shots)).is_file()
    ]
    time_methods(time_one, jobs, PRELOAD)


if __name__ == "__main__":
    main()
