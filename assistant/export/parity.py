"""Compares an exported graph with the library, picture by picture, through the runner that goes with it."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from assistant.errors import LooktwiceError
from assistant.export.card import VERDICTS, Parity
from assistant.inspection import Inspection
from assistant.progress import Tell, say_nothing


def measure_parity(
    folder: Path, pictures: Iterable[Path], inspect: Callable[[Path], Inspection], tell: Tell | None = None
) -> Parity:
    """How the graph in a folder and `inspect` agree; LooktwiceError where no picture could be compared."""
    runner = _load_runner(folder)
    decide = runner.load_graph()
    paths, left_out = list(pictures), 0
    apart: list[float] = []
    maps: list[float] = []
    flips: list[tuple[str, str, str]] = []
    times: list[tuple[float, float]] = []
    for i, path in enumerate(paths):
        (tell or say_nothing)("Comparing verdicts", i / len(paths))
        begun = time.perf_counter()
        try:
            found, score, verdict = decide(runner.read(path))
        except (OSError, ValueError):
            left_out += 1
            continue
        between = time.perf_counter()
        row = inspect(path)
        if row.status != "ok" or row.coarse_map is None:
            left_out += 1
            continue
        times.append((time.perf_counter() - between, between - begun))
        apart.append(abs(float(score) - row.score))
        maps.append(float(np.abs(found - row.coarse_map).max()))
        told = VERDICTS[int(verdict)]
        if told != row.verdict:
            flips.append((path.name, str(row.verdict), str(told)))
    if not apart:
        raise LooktwiceError("None of the pictures could be compared: the graph takes none of them.")
    library, graph = (1000 * _median([pair[side] for pair in times]) for side in (0, 1))
    speeds = round(library, 1), round(graph, 1)
    return Parity(len(apart), left_out, _median(apart), max(apart), max(maps), tuple(flips), *speeds)


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def _load_runner(folder: Path) -> ModuleType:
    """The run.py of a folder, whose digest was checked."""
    spec = importlib.util.spec_from_file_location("looktwice_runner", folder / "run.py")
    if spec is None or spec.loader is None:
        raise LooktwiceError(f"{folder.name} has no runner.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
