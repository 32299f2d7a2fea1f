"""Whether a watched line loses or doubles anything: `python -m assistant.eval.research.line [--files 2000]`.

Pictures arrive in a folder in ten ways, while the share goes away, the watch is killed with kill -9 and started
again, and every sink is down half of the time. In the end what was dropped is compared with what each sink has.
It knows the command line and nothing of what is inside.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assistant.eval.research.line_arrivals import WAYS, Arriving, draw_part
from assistant.eval.research.line_receivers import Broker, Listener, Receiver
from assistant.records.history import History

BROKEN = 20
"""Files that never become readable."""

HALF = 8.0
"""Seconds for which sinks are up, and then down."""

SECRET = "a secret of the study"


class Line:
    """A watch as a program of its own, with its sinks, in a folder."""

    def __init__(self, home: Path, bundle: str, hook: int, broker: int | None) -> None:
        self.home, self.bundle = home, bundle
        self.kills = 0
        (home / "in").mkdir()
        (home / "out").mkdir()
        product = f'product = "cloth"\nbundle = "{bundle}"\n' if bundle else ""
        settings = [
            f'[watch]\nsource = "{home}/in"\n{product}station = "study"',
            f'history = "{home}/history.sqlite"\njournal = "{home}/journal.sqlite"\nsettle = 0.5\ngive_up = 25',
            f'[sinks.rows]\nkind = "lines"\npath = "{home}/out/rows.jsonl"\nretry_longest = 5',
            f'[sinks.sorted]\nkind = "folders"\npath = "{home}/out/sorted"\nretry_longest = 5',
            f'[sinks.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:{hook}/"\nretry_longest = 5\ntimeout = 2',
            'verdicts = ["defect", "review", "error"]',
        ]
        if broker:
            settings.append(f'[sinks.mqtt]\nkind = "mqtt"\nhost = "127.0.0.1"\nport = {broker}\nretry_longest = 5')
        (home / "line.toml").write_text("\n".join(settings))
        self.environment = os.environ | {
            "LOOKTWICE_PRODUCTS": str(home / "products"),
            "LOOKTWICE_WEBHOOK_SECRET": SECRET,
        }

    def start(self, once: bool = False) -> subprocess.Popen[bytes]:
        """The program, at work."""
        log = (self.home / "log.txt").open("ab")
        return subprocess.Popen(
            self._watching(once),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=log,
        )

    def count(self, table: str) -> int:
        """The rows of a table of the journal; none where there is no journal yet."""
        if not (self.home / "journal.sqlite").exists():
            return 0
        with closing(sqlite3.connect(self.home / "journal.sqlite", timeout=30)) as journal:
            try:
                return int(journal.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            except sqlite3.OperationalError:
                return 0

    def kept(self) -> int:
        """How many parts are inspected."""
        return self.count("parts")

    def learn(self, good: Path) -> None:
        """Learn the product from good pictures."""
        words = ("learn", "cloth", "--references", str(good), "--bundle", self.bundle)
        subprocess.run(self._command(*words), env=self.environment, check=True, capture_output=True)

    def _watching(self, once: bool) -> list[str]:
        settings = str(self.home / "line.toml")
        if self.bundle:
            return self._command("watch", "--settings", settings, *["--once"] * once)
        program = [sys.executable, "-m", "assistant.eval.research.line_program", settings]
        return [*program, *["once"] * once]

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from assistant.commands.main import main; main()", *words]


def switch(stop: threading.Event, line: Line, receiver: Receiver, broker: Broker | None) -> None:
    """Take every sink down and up again, in turn, until it is told to stop; all are up in the end."""
    out, aside = line.home / "out", line.home / "out.away"
    while not stop.wait(HALF):
        receiver.down()
        out.rename(aside)
        out.write_text("in the way")  # neither rows nor copies can be written
        if broker:
            broker.stop()
        stop.wait(HALF)
        receiver.up()
        out.unlink()
        aside.rename(out)
        if broker:
            broker.start()


def kill(stop: threading.Event, line: Line, rng: random.Random, work: float) -> None:
    """Kill the program at random moments of its work and start it again, until it is told to stop."""
    program = line.start()
    while not stop.is_set():
        if program.stdout is None or not program.stdout.readline():
            raise RuntimeError((line.home / "log.txt").read_text())
        reader = threading.Thread(target=_drain, args=(program,))
        reader.start()
        if not stop.wait(rng.uniform(0.5, 2 * work)):
            line.kills += 1
            program.send_signal(signal.SIGKILL)
            program.wait()
            reader.join()
            program = line.start()
    program.send_signal(signal.SIGTERM)
    program.wait()


def _drain(program: subprocess.Popen[bytes]) -> None:
    for _ in program.stdout or ():
        pass


def compare(
    line: Line, arriving: Arriving, receiver: Receiver, listener: Listener | None
) -> list[tuple[str, int, int, int, int]]:
    """(sink, owed, missing, doubled, sent more than once with one id) for each sink."""
    lines = (line.home / "out" / "rows.jsonl").read_text().splitlines()
    rows = [json.loads(text) for text in lines]
    wanted = Counter(arriving.wanted.keys())
    found = Counter(row["sha256"] if row["verdict"] != "error" else f"broken {row['source']}" for row in rows)
    table = [_row("parts, by the rows", wanted, found)]
    ids = {row["id"]: row for row in rows}
    copies = [path for path in (line.home / "out" / "sorted").rglob("*") if path.is_file()]
    held = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in copies)
    table.append(_row("folders, by bytes", Counter(row["sha256"] for row in rows), held))
    history = History(line.home / "history.sqlite")
    kept = Counter(one.inspection.to_json() for one in history.every())
    history.close()
    table.append(
        _row("history", Counter(json.dumps(row["inspection"], sort_keys=True) for row in rows), _sorted(kept))
    )
    bad = Counter(id for id, row in ids.items() if row["verdict"] != "good")
    table.append(_row("webhook, by id", bad, Counter({*receiver.taken}), Counter(receiver.taken)))
    if listener:
        table.append(_row("MQTT, by id", Counter(ids.keys()), Counter({*listener.taken}), Counter(listener.taken)))
    return table


def _sorted(rows: Counter[str]) -> Counter[str]:
    """Rows of JSON with their keys in one order."""
    return Counter({json.dumps(json.loads(row), sort_keys=True): count for row, count in rows.items()})


def _row(
    name: str, wanted: Counter[str], found: Counter[str], sent: Counter[str] | None = None
) -> tuple[str, int, int, int, int]:
    again = (sent or found).total() - len(sent or found) if sent else 0
    return name, wanted.total(), (wanted - found).total(), (found - wanted).total(), again


def main(
    files: Annotated[int, typer.Option(help="How many pictures arrive.")] = 2000,
    bundle: Annotated[str, typer.Option(help="Who looks at them; by default a judge that takes no time.")] = "",
    rate: Annotated[float, typer.Option(help="Files a second, about.")] = 8.0,
    work: Annotated[float, typer.Option(help="Seconds of work before it is killed, in the mean.")] = 25.0,
    minutes: Annotated[float, typer.Option(help="For how long at most, before the last are done.")] = 8.0,
    seed: int = 0,
) -> None:
    """Drop pictures in ten ways while everything fails, and count what is missing or there twice."""
    rng, stop = random.Random(seed), threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        receiver = Receiver(SECRET.encode())
        broker = Broker.find(home)
        listener = Listener(broker.port) if broker else None
        line = Line(home, bundle, receiver.port, broker.port if broker else None)
        (home / "good").mkdir()
        for i in range(4):
            (home / "good" / f"{i}.png").write_bytes(draw_part(1_000_000 + i, bad=False))
        if bundle:
            line.learn(home / "good")
        begun = time.monotonic()
        workers = [
            threading.Thread(target=switch, args=(stop, line, receiver, broker)),
            threading.Thread(target=kill, args=(stop, line, rng, work)),
        ]
        for worker in workers:
            worker.start()
        arriving = Arriving(home / "in", home / "elsewhere", files, BROKEN, rate, rng, line.kept)
        arriving.run(60 * minutes)
        print(f"{arriving.dropped} files were dropped in {time.monotonic() - begun:.0f} seconds", flush=True)
        stop.set()
        for worker in workers:
            worker.join()
        while not _finish(line):
            print("some results still wait", flush=True)
        seconds = time.monotonic() - begun
        if listener:
            listener.settle()
        table = compare(line, arriving, receiver, listener)
        show = Table("sink", "owed", "missing", "doubled", "sent again with its id")
        for row in table:
            show.add_row(*map(str, row))
        Console().print(show)
        print(
            f"{arriving.dropped} files in {len(WAYS)} ways and {BROKEN} that never become readable: "
            f"{len(arriving.wanted)} parts; {line.kills} kills, the share away {arriving.away} times, "
            f"{seconds:.0f} seconds"
        )
        receiver.close()
        if broker and listener:
            listener.close()
            broker.stop()
        wrong = sum(row[2] + row[3] for row in table)
    raise typer.Exit(1 if wrong else 0)


def _finish(line: Line) -> bool:
    """Do what is left with all sinks up; whether nothing is owed any more."""
    program = line.start(once=True)
    _drain(program)
    if program.wait():
        raise RuntimeError((line.home / "log.txt").read_text())
    return not line.count("letters")


if __name__ == "__main__":
    typer.run(main)
