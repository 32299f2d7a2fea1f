"""How long a lookup in a full memory takes: `python -m assistant.eval.research.lookup_speed`.

1,600 queries, the patches of one picture, against 50,000 entries, with made-up vectors: time depends on sizes
alone. Three ways: all products in float32, all products in bfloat16, and what `Dictionary.lookup` does. Minimum
and median, since machines are noisy, and the processor's own time, in which other programs hardly count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated, NamedTuple

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary

QUERIES, ENTRIES = 1600, 50_000
SIZES = (200, 472)
"""Numbers in a vector: the aim's, and the pocket tower's."""


class Span(NamedTuple):
    """Milliseconds on the clock, and of all processor cores together."""

    clock: float
    processor: float


def unit_vectors(count: int, size: int, seed: int = 0) -> Tensor:
    """Random unit vectors [count, size] float32."""
    return normalize(torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), dim=-1)


def time_lookups(
    size: int, queries: int = QUERIES, entries: int = ENTRIES, runs: int = 9
) -> dict[str, list[Span]]:
    """How long each run of each way took."""
    memory = Dictionary.build({0: unit_vectors(entries, size)}, capacity=entries)
    asked = unit_vectors(queries, size, seed=1)
    whole, half = memory.entries.float(), asked.to(torch.bfloat16)
    ways: dict[str, Callable[[], Tensor]] = {
        "all products, float32": lambda: (asked @ whole.T).amax(dim=1),
        "all products, bfloat16": lambda: (half @ memory.entries.T).amax(dim=1),
        "as used": lambda: memory.lookup(asked),
    }
    return {name: _time(work, runs) for name, work in ways.items()}


def main(
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each way, after one that does not count.")] = 9,
) -> None:
    """Print the time of a lookup in a full memory."""
    torch.set_num_threads(threads)
    columns = ("numbers", "way", "least ms", "median ms", "least processor ms")
    table = Table(*columns, title=f"{QUERIES} queries, {ENTRIES} entries, {threads} cores")
    for size in SIZES:
        for name, spans in time_lookups(size, runs=runs).items():
            clock, processor = zip(*spans, strict=True)
            figures = min(clock), statistics.median(clock), min(processor)
            table.add_row(str(size), name, *(f"{ms:.1f}" for ms in figures))
    Console().print(table)


def _time(work: Callable[[], Tensor], runs: int) -> list[Span]:
    work()
    spans = []
    for _ in range(runs):
        start = time.perf_counter(), time.process_time()
        work()
        spans.append(Span(1000 * (time.perf_counter() - start[0]), 1000 * (time.process_time() - start[1])))
    return spans


if __name__ == "__main__":
    typer.run(main)
