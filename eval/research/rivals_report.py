"""The table of a comparison with rivals, from the scores, maps and times that both halves wrote.

It knows neither inspectors nor rivals: every method is judged from the same kind of files.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.commands import console
from assistant.errors import LooktwiceError
from assistant.eval.metrics import image_auroc, overkill_at_escape
from assistant.eval.pixels import PixelMetrics
from assistant.eval.research.rivals_anomalib import run_path, time_path, write_json, write_run
from assistant.eval.results import Figure
from assistant.images.geometry import to_picture

OURS = "ours"
SCHEMA = 1
FIGURES = {
    "image_auroc": "image AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
    "overkill_at_2pct_escape": "overkill at 2 % escape",
}
"""The figures of a run and what a table calls them; all are shares in [0, 1]."""

NOT_A_NUMBER = "not a number"
Values = dict[str, float | str | None]
"""A figure each: a share, `NOT_A_NUMBER`, or None where nobody outlined a defect."""


@dataclass(frozen=True)
class Group:
    """One exported set: its folder and name, its labels [N], and whether defects are outlined."""

    folder: Path
    name: str
    labels: list[int]
    outlined: bool

    @classmethod
    def read(cls, folder: Path) -> Group:
        """The set that was exported to a folder."""
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return cls(folder, index["name"], index["labels"], index["outlined"])


def report_rivals(out: Path, *, leave_out: Sequence[str] = (), slim: bool = False) -> dict[str, Any]:
    """All figures of a comparison, JSON-ready: by set, method and number of references, and their means.

    A rival is set up in several ways; `chosen` names the one with the best mean image AUROC of each, which is
    in its favour, since the test pictures pick it. The mean is over the sets that all chosen methods have
    finished, but for those named in `leave_out`. LooktwiceError where nothing was exported.
    """
    groups = [Group.read(path.parent) for path in sorted(out.glob("*/index.json"))]
    if not groups:
        raise LooktwiceError(f"There is no comparison in {out.name}: run `export` first.")
    settings = json.loads((out / "settings.json").read_text(encoding="utf-8"))
    names = sorted({path.name.rsplit("-", 2)[0] for path in out.glob("*/runs/*.safetensors")})
    found = {name: _runs_of(name, groups, settings, slim) for name in names}
    chosen = _choose(found)
    finished = [g.name for g in groups if all(g.name in found[name] for name in chosen)]
    meant = [name for name in finished if name not in leave_out]
    rows = [
        _row(group.name, name, k, found[name][group.name][k], _timing(group, name, k))
        for group in groups
        for name in names
        if group.name in found[name]
        for k in settings["shots"]
    ]
    means = [_mean(name, k, found[name], meant, rows) for name in chosen for k in settings["shots"] if meant]
    return {
        "schema": SCHEMA,
        "settings": {key: value for key, value in settings.items() if key != "tower"},
        "chosen": chosen,
        "mean_of": meant,
        "unfinished": [group.name for group in groups if group.name not in finished],
        "means": means,
        "rows": rows,
    }


def to_markdown(content: dict[str, Any]) -> str:
    """The chosen methods side by side: the mean over the sets first, then each set."""
    seeds = content["settings"]["seeds"]
    parts = [
        f"Percent, mean ± standard deviation over {seeds} draws of references. `*`: the best at that many shots."
    ]
    if content["means"]:
        parts += [f"**Mean of {', '.join(content['mean_of'])}**", _table(content["means"])]
    for name in dict.fromkeys(row["dataset"] for row in content["rows"]):
        rows = [r for r in content["rows"] if r["dataset"] == name and r["method"] in content["chosen"]]
        parts += [f"**{name}**", _table(rows)]
    if content["unfinished"]:
        parts.append(f"Not finished by every method, and in no mean: {', '.join(content['unfinished'])}.")
    parts.append(
        "ms: median of one picture at a time, from the picture as the tower takes it to score and full map (in "
        "brackets: the tower alone). MB: the most memory the process held (in brackets: after its imports)."
    )
    return "\n\n".join(parts) + "\n"


def _runs_of(
    name: str, groups: Sequence[Group], settings: dict[str, Any], slim: bool
) -> dict[str, dict[int, list[Values]]]:
    """The figures of one method, by finished set and number of references, a row for each draw."""
    found = {}
    for group in groups:
        draws = [(k, seed) for k in settings["shots"] for seed in range(settings["seeds"])]
        paths = {draw: run_path(group.folder, name, *draw) for draw in draws}
        if not all(path.is_file() for path in paths.values()):
            continue
        masks = _masks(group)
        with console.progress(f"{group.name}, {name}", len(paths)) as step:
            runs: dict[int, list[Values]] = {k: [] for k in settings["shots"]}
            for (k, _), path in paths.items():
                runs[k].append(_figures(group, path, masks, slim))
                step.advance()
        found[group.name] = runs
    return found


def _masks(group: Group) -> dict[int, NDArray[np.bool_]]:
    with np.load(group.folder / "masks.npz") as file:
        return {int(key): file[key] for key in file.files}


def _figures(group: Group, path: Path, masks: dict[int, NDArray[np.bool_]], slim: bool) -> Values:
    """The figures of one run, kept beside it so that a map is measured once."""
    kept = path.with_suffix(".figures.json")
    if not kept.is_file() or kept.stat().st_mtime_ns < path.stat().st_mtime_ns:
        write_json(kept, measure_run(path, group.labels, masks, group.outlined))
    if slim and group.outlined:
        _drop_maps(path, kept)
    figures: Values = json.loads(kept.read_text(encoding="utf-8"))
    return figures


def measure_run(path: Path, labels: Sequence[int], masks: dict[int, NDArray[np.bool_]], outlined: bool) -> Values:
    """The figures of one run from its scores, its maps [h, w] and the masks of the pictures that have one."""
    from safetensors.numpy import load_file

    run = load_file(path)
    scores = run["scores"]
    if not np.isfinite(scores).all():
        pixel = NOT_A_NUMBER if outlined else None
        return {key: pixel if key in ("pixel_ap", "aupro") else NOT_A_NUMBER for key in FIGURES}
    values: Values = {
        "image_auroc": image_auroc(labels, scores),
        "pixel_ap": None,
        "aupro": None,
        "overkill_at_2pct_escape": overkill_at_escape(labels, scores, 0.02),
    }
    if outlined:
        metrics = PixelMetrics()
        for number, mask in masks.items():
            height, width = mask.shape
            metrics.add(to_picture(run[f"map/{number}"], width, height), mask)
        pixels = metrics.results()
        values |= {"pixel_ap": pixels.average_precision, "aupro": pixels.aupro}
    return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}


def _drop_maps(path: Path, kept: Path) -> None:
    from safetensors.numpy import load_file

    run = load_file(path)
    if len(run) > 1:
        write_run(path, run["scores"])
        kept.touch()


def _choose(found: dict[str, dict[str, dict[int, list[Values]]]]) -> list[str]:
    """Ours first, then of each rival the way that finished most sets, the best image AUROC deciding."""

    def rank(name: str) -> tuple[int, float]:
        runs = [run for group in found[name].values() for draws in group.values() for run in draws]
        numbers = [v for run in runs if isinstance(v := run["image_auroc"], float)]
        return len(found[name]), statistics.fmean(numbers) if numbers else 0.0

    families: dict[str, list[str]] = {}
    for name in found:
        if found[name]:
            families.setdefault(name.split("_")[0], []).append(name)
    ours = [OURS] if OURS in families else []
    return ours + [max(names, key=rank) for family, names in families.items() if family != OURS]


def _timing(group: Group, name: str, shots: int) -> dict[str, Any]:
    path = time_path(group.folder, name, shots)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _row(dataset: str, name: str, shots: int, draws: Sequence[Values], timing: dict[str, Any]) -> dict[str, Any]:
    figures = {key: _sum_up([draw[key] for draw in draws]) for key in FIGURES}
    return {"dataset": dataset, "method": name, "shots": shots, **figures, "timing": timing}


def _mean(
    name: str,
    shots: int,
    found: dict[str, dict[int, list[Values]]],
    groups: Sequence[str],
    rows: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """The mean over sets of each draw, and over draws of that; times are averaged, memory is the largest."""
    draws = [found[group][shots] for group in groups]
    figures = {
        key: _sum_up([_average([one[key] for one in same]) for same in zip(*draws, strict=True)])
        for key in FIGURES
    }
    mine = [r["timing"] for r in rows if (r["method"], r["shots"]) == (name, shots) and r["dataset"] in groups]
    timing = {}
    if all(mine):
        timing = {key: statistics.fmean(t[key] for t in mine) for key in ("ms", "tower_ms")}
        timing |= {key: max(t[key] for t in mine) for key in ("peak_mb", "imports_mb")}
    return {"dataset": "mean", "method": name, "shots": shots, **figures, "timing": timing}


def _average(values: Sequence[float | str | None]) -> float | str | None:
    """The mean over the sets that have the figure at all."""
    known = [value for value in values if value is not None]
    numbers = [value for value in known if isinstance(value, float)]
    if len(numbers) < len(known):
        return NOT_A_NUMBER
    return statistics.fmean(numbers) if numbers else None


def _sum_up(values: Sequence[float | str | None]) -> dict[str, float] | str | None:
    if NOT_A_NUMBER in values:
        return NOT_A_NUMBER
    figure = Figure.of(v for v in values if isinstance(v, float)) if None not in values else None
    return asdict(figure) if figure else None


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [["shots", "method", *FIGURES.values(), "ms", "MB"], ["--:", "---", *["--:"] * (len(FIGURES) + 2)]]
    for row in sorted(rows, key=lambda row: row["shots"]):
        same = [other for other in rows if other["shots"] == row["shots"]]
        cells = [_cell(row, key, same) for key in FIGURES]
        lines.append([str(row["shots"]), row["method"], *cells, *_times(row["timing"])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: dict[str, Any], key: str, rows: Sequence[dict[str, Any]]) -> str:
    figure = row[key]
    if not isinstance(figure, dict):
        return figure or "–"
    means = [other[key]["mean"] for other in rows if isinstance(other[key], dict)]
    best = min(means) if key.startswith("overkill") else max(means)
    return f"{100 * figure['mean']:.1f} ± {100 * figure['std']:.1f}" + (" *" if figure["mean"] == best else "")


def _times(timing: dict[str, Any]) -> list[str]:
    if not timing:
        return ["", ""]
    return [
        f"{timing['ms']:.0f} ({timing['tower_ms']:.0f})",
        f"{timing['peak_mb']:.0f} ({timing['imports_mb']:.0f})",
    ]
