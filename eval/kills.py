"""Whether a batch survives kill -9: `python -m assistant.eval.kills PICTURES --references GOOD --times 10`.

A run of the command line is killed at random moments and continued, over and over, until it is done. What it had
shown as finished is compared with what the history holds. It knows the command line and nothing of what is inside.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from assistant.images.sources import find_images
from assistant.records.entries import Query
from assistant.records.history import History


def run_until_killed(arguments: list[str], after: float | None) -> list[str]:
    """The paths that a program showed as finished; `after` so many seconds from the first of them it is killed."""
    command = [sys.executable, "-c", "from assistant.commands.main import main; main()", "batch", *arguments]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if program.stdout is None:
        raise RuntimeError("a program without output")
    lines = [program.stdout.readline()]
    if after is not None:
        time.sleep(after)
        program.send_signal(signal.SIGKILL)
    lines += program.communicate()[0].splitlines(keepends=True)
    return [json.loads(line)["path"] for line in lines if line.endswith("\n")]


def main(
    pictures: Annotated[Path, typer.Argument(help="A folder of pictures.")],
    references: Annotated[Path, typer.Option(help="A folder of good pictures; four are used.")],
    count: Annotated[int, typer.Option(help="How many pictures.")] = 100,
    times: Annotated[int, typer.Option(help="How often it is killed.")] = 10,
    longest: Annotated[float, typer.Option(help="Seconds from its first row within which it is killed.")] = 1.0,
    seed: int = 0,
) -> None:
    """Kill a batch at random moments and count the finished rows that are lost, doubled or missing."""
    draw = random.Random(seed)
    paths = [os.path.abspath(path) for path in islice(find_images([pictures]), count)]
    good = [str(path) for path in islice(find_images([references]), 4)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.sqlite"
        kept = ["--history", str(file)]
        begin = [*paths, *(word for path in good for word in ("--references", path)), *kept]
        history, told = History(file), []
        killed = lost = 0
        for _ in range(times):
            told += run_until_killed(["--resume", *kept] if killed else begin, draw.uniform(0, longest))
            killed += 1
            [run] = history.runs.newest()
            found = [one.inspection.path for one in history.every(Query(run=run.id))]
            lost = len(set(told) - set(found))
            print(f"kill {killed}: {len(told)} shown as finished, {len(found)} kept, {lost} lost", flush=True)
            if run.state != "running":
                break
        if run.state != "done":
            told += run_until_killed(["--resume", *kept], None)
        found = [one.inspection.path for one in history.every(Query(run=run.id, order="place"))]
        doubled = sum((Counter(found) - Counter(paths)).values())
        missing = sum((Counter(paths) - Counter(found)).values())
        history.close()
    print(
        f"{killed} kills, {len(paths)} pictures: {lost} finished rows lost, {doubled} doubled, {missing} missing."
    )
    raise typer.Exit(1 if lost or doubled or missing else 0)


if __name__ == "__main__":
    typer.run(main)
