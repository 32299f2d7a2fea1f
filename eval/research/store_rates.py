"""How fast a store takes and gives rows: `python -m assistant.eval.research.store_rates`.

Programs keep inspections at once, each with its map, with and without a preview, in a file and in PostgreSQL. That
is started for this and waits for the disk, as one that is worked with does. All rows are counted in the end, and
each has to be there once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from assistant.database.place import Place, read_place
from assistant.eval.research.postgres import serve
from assistant.inspection import Evidence, Inspection
from assistant.records.entries import Query
from assistant.records.history import History

PREVIEW = (384, 512)
"""Rows and columns of the previews, the largest there are."""

MAP = (40, 40)


def write(where: Place, name: str, count: int, previews: bool) -> None:
    """Keep so many inspections, once somebody says so on standard input."""
    rng = np.random.default_rng(0)
    # about as smooth as a picture of a part is: noise alone would be a JPEG several times as large
    small = rng.integers(60, 190, (PREVIEW[0] // 8, PREVIEW[1] // 8, 3), dtype=np.uint8)
    picture = np.kron(small, np.ones((8, 8, 1), np.uint8)) if previews else None
    evidence = Evidence("conformal", "Set by counting.", 20, 0.05, 1 / 21)
    with closing(History(where)) as history:
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(count):
            one = Inspection(
                path=f"{name}-{number}.png",
                mode="few-shot",
                score=0.5,
                p_value=0.3,
                threshold=0.7,
                review_threshold=0.6,
                verdict="good",
                evidence=evidence,
                product="part",
                references=4,
                width=PREVIEW[1],
                height=PREVIEW[0],
                coarse_map=rng.random(MAP, dtype=np.float32),
            )
            history.add(one, preview=picture, lot=name)


def measure(where: Place, programs: int, count: int, previews: bool) -> float:
    """Rows a second that so many programs keep together; RuntimeError where one is lost or there twice."""
    History(where).close()
    command = [sys.executable, "-m", "assistant.eval.research.store_rates", "--as-writer", str(where)]
    command += ["--rows", str(count), *["--previews"] * previews]
    together = [
        subprocess.Popen([*command, "--name", f"w{i}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for i in range(programs)
    ]
    for program in together:
        if program.stdout is None or program.stdout.readline() != "ready\n":
            raise RuntimeError("a program did not start")
    begun = time.monotonic()
    for program in together:
        if program.stdin:
            program.stdin.write("\n")
            program.stdin.flush()
    ended = [program.wait() for program in together]
    seconds = time.monotonic() - begun
    with closing(History(where)) as history:
        found = Counter(one.inspection.path for one in history.every(Query()))
    if any(ended) or found != Counter(f"w{i}-{k}.png" for i in range(programs) for k in range(count)):
        raise RuntimeError(f"{programs * count} rows were written and {len(found)} are there, or some are twice")
    return programs * count / seconds


def read_rates(where: Place, pages: int = 20) -> tuple[float, float]:
    """Milliseconds for a page of the newest 50 inspections, and rows a second where all are read."""
    with closing(History(where)) as history:
        begun = time.monotonic()
        for _ in range(pages):
            history.search(size=50)
        page = 1000 * (time.monotonic() - begun) / pages
        begun = time.monotonic()
        count = sum(1 for _ in history.every())
        return page, count / (time.monotonic() - begun)


def wait_for_disk(folder: Path, times: int = 50) -> float:
    """Milliseconds that a small write takes that waits for the disk: no commit is faster."""
    with (folder / "wait").open("wb", buffering=0) as file:
        begun = time.monotonic()
        for _ in range(times):
            file.write(bytes(4096))
            os.fsync(file.fileno())
        return 1000 * (time.monotonic() - begun) / times


def main(
    rows: Annotated[int, typer.Option(help="Rows of each program.")] = 200,
    programs: Annotated[list[int] | None, typer.Option(help="Programs at once; may be repeated.")] = None,
    postgres: Annotated[
        str | None, typer.Option(help="The URL of an empty database; else one is started.")
    ] = None,
    as_writer: Annotated[str | None, typer.Option(hidden=True)] = None,
    name: Annotated[str, typer.Option(hidden=True)] = "w",
    previews: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Measure how many rows a second are written by one program and by eight, on both databases."""
    if as_writer is not None:
        write(read_place(as_writer), name, rows, previews)
        return
    table = Table("database", "programs", "previews", "rows a second", "page of 50 (ms)", "read (rows a second)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serve(synced=True))
        for number, count in enumerate(programs or [1, 8]):
            for pictures in (False, True):
                file = folder / f"{number}{pictures}.sqlite"
                places: dict[str, Place] = {"SQLite": file, "PostgreSQL": server.url()}
                for kind, where in places.items():
                    rate = measure(where, count, rows, pictures)
                    page, read = read_rates(where)
                    cells = (f"{rate:,.0f}", f"{page:.1f}", f"{read:,.0f}")
                    table.add_row(kind, str(count), "with" if pictures else "without", *cells)
        waits = wait_for_disk(folder)
    Console().print(table)
    Console().print(f"Writing 4 kB to a file and waiting for the disk takes {waits:.1f} ms here.")


if __name__ == "__main__":
    typer.run(main)
