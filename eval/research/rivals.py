"""Ours beside anomalib's PatchCore and PaDiM and rivals that are restated here, on the same features and pictures.

    python -m assistant.eval.research.rivals export OUT elpv:mono DIR ... # pictures and our own scores
    PYTHON -P eval/research/rivals_anomalib.py OUT # theirs, in an environment of its own
    python -m assistant.eval.research.rivals restated OUT # RAD, MH-PatchCore and SuperADD
    python -m assistant.eval.research.rivals report OUT # all in one table

All go on where they were stopped. This module knows nothing of how a rival works or of any metric.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from skimage.measure import block_reduce

from assistant.commands import console
from assistant.errors import LooktwiceError
from assistant.eval.benchmark import SIDE
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.metrics import verdict_rates
from assistant.eval.research.rivals_anomalib import (
    TIMED,
    Job,
    Timing,
    clock,
    peak_memory,
    read_pictures,
    run_path,
    time_methods,
    time_path,
    write_json,
    write_run,
)
from assistant.eval.research.rivals_report import OURS, report_rivals, to_markdown
from assistant.eval.research.rivals_restated import SIDE as SIDE_OF_MAPS
from assistant.eval.research.rivals_restated import SuperAdd, make_rivals
from assistant.images.geometry import to_picture
from assistant.images.load import load_image
from assistant.models.cache import bundle_folder

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.models.backbone import Backbone
    from assistant.products.product import Product

SCHEMA = 1
SHOTS = (1, 2, 4, 8)
PRELOAD = ("assistant.inspector", "openvino", "safetensors.torch")

LISTED = {"reference": "references", "test": "labels"}
COARSE = 64
"""Maps of the rivals that are restated here are kept at this many pixels a side."""

app = typer.Typer(add_completion=False, help="Ours beside PatchCore, PaDiM, RAD, MH-PatchCore and SuperADD.")


def export_rivals(
    inspector: Inspector,
    datasets: Sequence[Dataset],
    out: Path,
    *,
    shots: Sequence[int] = SHOTS,
    seeds: int = 5,
    limit: int | None = 160,
) -> None:
    """Write what a rival needs to judge the same pictures, and our own scores and maps of them.

    In a folder for each dataset: `pictures.safetensors` (as the tower takes them), `masks.npz`, the tower's
    `layers.safetensors` of the first picture, by which the rival checks its features, `index.json` (labels,
    and the references of each draw, whose first k are used for k shots) and `runs/`. A dataset whose index is
    there is not exported again, nor a run repeated. LooktwiceError where `out` belongs to other settings.
    """
    _settle(inspector, out, shots, seeds, limit)
    for dataset in datasets:
        cut = dataset if limit is None else dataset.limit(limit)
        folder = out / re.sub(r"[^\w\-]", "_", cut.name)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "index.json").is_file():
            _write_pictures(inspector, cut, folder, max(shots), seeds)
        _score(inspector, cut, folder, shots, seeds)


def _settle(inspector: Inspector, out: Path, shots: Sequence[int], seeds: int, limit: int | None) -> None:
    part = inspector.backbone.part
    planes = inspector.backbone.fit(np.zeros((64, 64, 3), dtype=np.uint8))
    layers = inspector.backbone.encode_image(planes[None]).layers
    settings = {
        "schema": SCHEMA,
        "bundle": inspector.backbone.card.name,
        "weights": inspector.backbone.digest,
        "tower": str(bundle_folder(inspector.backbone.card.name) / "image.safetensors"),
        "architecture": part.architecture,
        "layers": list(part.layers),
        "channels": [layer.shape[-1] for layer in layers],
        "side": part.image_size,
        "shots": list(shots),
        "seeds": seeds,
        "limit": limit,
    }
    if part.kind != "timm" or inspector.backbone.patch_tower is not None:
        raise LooktwiceError("The rivals run on a bundle whose one image tower is a convolutional one of timm.")
    path = out / "settings.json"
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise LooktwiceError(f"{out.name} holds a comparison under other settings; name another folder.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _write_pictures(inspector: Inspector, dataset: Dataset, folder: Path, most: int, seeds: int) -> None:
    from safetensors.torch import save_file

    draws = [dataset.references(most, seed) for seed in range(seeds)]
    references = list(dict.fromkeys(sample.image for draw in draws for sample in draw))
    outlined = any(sample.mask for sample in dataset.test)
    pictures, masks = {}, {}
    with console.progress(f"{dataset.name}, export", len(references) + len(dataset.test)) as step:
        for i, path in enumerate(references):
            pictures[f"reference/{i}"] = inspector.backbone.fit(load_image(path).pixels).contiguous()
            step.advance()
        for i, sample in enumerate(dataset.test):
            pixels = load_image(sample.image).pixels
            pictures[f"test/{i}"] = inspector.backbone.fit(pixels).contiguous()
            shrink = min(1.0, SIDE / max(pixels.shape[:2]))
            height, width = (max(1, round(side * shrink)) for side in pixels.shape[:2])
            if outlined and (mask := sample.load_mask(width, height)) is not None:
                masks[str(i)] = mask
            step.advance()
    layers = inspector.backbone.encode_image(pictures["test/0"][None]).layers
    numbered = zip(inspector.backbone.part.layers, layers, strict=True)
    save_file({str(number): layer.contiguous() for number, layer in numbered}, folder / "layers.safetensors")
    save_file(pictures, folder / "pictures.safetensors")
    np.savez_compressed(folder / "masks.npz", **masks)
    index = {
        "name": dataset.name,
        "labels": dataset.labels,
        "images": [str(sample.image) for sample in dataset.test],
        "references": [str(path) for path in references],
        "draws": [[references.index(sample.image) for sample in draw] for draw in draws],
        "outlined": outlined,
        "mixed_sizes": len({planes.shape for planes in pictures.values()}) > 1,
    }
    write_json(folder / "index.json", index)


def _score(inspector: Inspector, dataset: Dataset, folder: Path, shots: Sequence[int], seeds: int) -> None:
    missing = [
        draw for draw in itertools.product(shots, range(seeds)) if not run_path(folder, OURS, *draw).is_file()
    ]
    if not missing:
        return
    products: list[Product | None] = [
        inspector.learn("ours", [sample.image for sample in dataset.references(k, seed)]) for k, seed in missing
    ]
    outlined = any(sample.mask for sample in dataset.test)
    scores: list[list[float]] = [[] for _ in missing]
    maps: list[list[Any]] = [[] for _ in missing]
    with console.progress(f"{dataset.name}, ours", len(dataset.test)) as step:
        for rows in inspector.inspect_many((sample.image for sample in dataset.test), products):
            for row, into, onto in zip(rows, scores, maps, strict=True):
                if row.status == "error":
                    raise LooktwiceError(f"A picture of {dataset.name} cannot be read: {row.error}")
                into.append(row.score)
                if outlined:
                    onto.append(row.coarse_map)
            step.advance()
    for draw, into, onto in zip(missing, scores, maps, strict=True):
        write_run(run_path(folder, OURS, *draw), into, onto)


def score_restated(backbone: Backbone, folder: Path, shots: Sequence[int], seeds: int) -> None:
    """Score and map an exported set by every rival that is restated here; a run that is there is not repeated.

    `runs/superadd-K-SEED.rates.json` has the overkill and escape at SuperADD's own limit, from two references on.
    """
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    last = "superadd_all"
    missing = [d for d in itertools.product(shots, range(seeds)) if not run_path(folder, last, *d).is_file()]
    if not missing:
        return
    names = [f"{kind}/{i}" for kind in ("reference", "test") for i in range(len(index[LISTED[kind]]))]
    seen = {}
    with console.progress(f"{folder.name}, features", len(names)) as step:
        for name, planes in read_pictures(folder, names).items():
            seen[name] = [layer[0].float() for layer in backbone.encode_image(planes[None]).layers]
            step.advance()
    with console.progress(f"{folder.name}, restated", len(missing)) as step:
        for shot, seed in missing:
            references = [seen[f"reference/{i}"] for i in index["draws"][seed][:shot]]
            for name, rival in make_rivals(references).items():
                found = [rival.see(seen[f"test/{i}"]) for i in range(len(index["labels"]))]
                if name == last and shot > 1:
                    limit = SuperAdd.limit(references)
                    called = ["defect" if float(one.map.max()) > limit else "good" for one in found]
                    rates = verdict_rates(index["labels"], called)
                    write_json(
                        folder / "runs" / f"superadd-{shot}-{seed}.rates.json",
                        {"overkill": rates.overkill, "escape": rates.escape},
                    )
                small = [block_reduce(one.map.numpy(), SIDE_OF_MAPS // COARSE, np.mean) for one in found]
                maps = small if index["outlined"] else []
                write_run(run_path(folder, name, shot, seed), [one.score for one in found], maps)
            step.advance()


def time_ours(job: Job) -> Timing:
    """Time an inspection from the tensor to the score and the full map; runs in a process of its own."""
    before = peak_memory()
    from assistant.inspector import Inspector

    settings = json.loads((job.out / "settings.json").read_text(encoding="utf-8"))
    index = json.loads((job.folder / "index.json").read_text(encoding="utf-8"))
    names = [f"test/{i}" for i in range(min(TIMED, len(index["labels"])))]
    pictures = [planes[None] for planes in read_pictures(job.folder, names).values()]
    inspector = Inspector.from_pretrained(settings["bundle"], device="cpu")
    draw = [index["references"][i] for i in index["draws"][0][: job.shots]]
    product = inspector.learn("ours", draw)

    def judge(picture: Any) -> Any:
        features = inspector.backbone.encode_image(picture)
        scored = inspector.detector.score(features, product)
        height, width = picture.shape[2:]
        return scored.value, to_picture(scored.map.numpy(), width, height)

    return clock(judge, inspector.backbone.encode_image, pictures, before)


@app.command()
def export(
    out: Path,
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    seeds: Annotated[int, typer.Option(help="Draws of references.")] = 5,
    shots: Annotated[list[int] | None, typer.Option(help="References: --shots 1 --shots 4.")] = None,
    bundle: str = "pocket",
) -> None:
    """Write the pictures for the rivals, and score and time ours."""
    from assistant.inspector import Inspector

    inspector = Inspector.from_pretrained(bundle, device="cpu")
    found = open_datasets(datasets)
    wanted = tuple(shots or SHOTS)
    export_rivals(inspector, found, out, shots=wanted, seeds=seeds, limit=limit)
    folders = sorted(path.parent for path in out.glob("*/index.json"))
    jobs = [
        (path, Job(out, folder, None, k))
        for folder, k in itertools.product(folders, wanted)
        if not (path := time_path(folder, OURS, k)).is_file()
    ]
    time_methods(time_ours, jobs, PRELOAD)


@app.command()
def restated(out: Path) -> None:
    """Score the rivals that are restated here on every exported set."""
    from assistant.models.backbone import Backbone

    settings = json.loads((out / "settings.json").read_text(encoding="utf-8"))
    backbone = Backbone.load(settings["bundle"], device="cpu")
    for path in sorted(out.glob("*/index.json")):
        score_restated(backbone, path.parent, settings["shots"], settings["seeds"])


@app.command()
def report(
    out: Path,
    leave_out: Annotated[list[str] | None, typer.Option(help="A set that the mean leaves out.")] = None,
    slim: Annotated[bool, typer.Option(help="Drop the maps once their figures are known.")] = False,
) -> None:
    """Print the comparison, and write it to OUT/report.md and OUT/report.json."""
    content = report_rivals(out, leave_out=leave_out or (), slim=slim)
    write_json(out / "report.json", content)
    text = to_markdown(content)
    (out / "report.md").write_text(text, encoding="utf-8")
    typer.echo(text)


if __name__ == "__main__":
    app()
