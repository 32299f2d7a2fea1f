"""The process in which parts are tried: started, listened to, and started again where a library ends it.

Nothing that it does reaches the user's products, history or keys, and nothing is sent.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess  # noqa: S404 - Python is run as a program, with a list of arguments and no shell
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from assistant.doctor.finding import Finding

PATIENCE = 120.0
"""Seconds that one part may take: reading the libraries from a slow disk takes most of them."""

MODULE = "assistant.doctor.parts"
MEND = "Install anew the package that it names, or report it with the output of `looktwice doctor --json`."


def try_parts(
    bundle: str, device: str | None, tell: Callable[[str], None], patience: float = PATIENCE
) -> list[Finding]:
    """The findings about the parts that need models, whatever any of them does to its process.

    `tell` hears which part is tried. A part that ends the process, or takes longer than `patience` seconds, has
    failed; the others are then tried in a process of their own.
    """
    findings: dict[str, Finding] = {}
    fatal: list[str] = []
    while True:
        with tempfile.TemporaryDirectory(prefix="looktwice-doctor-", ignore_cleanup_errors=True) as folder:
            trial = _Trial(bundle, device, Path(folder), fatal)
            running = trial.listen(findings, tell, patience)
            if running is None:
                return list(findings.values())
            part = running or "start"
            findings[part] = Finding(part, "fails", trial.how_it_ended(patience), MEND)
            if running in fatal or not running:
                return list(findings.values())
            fatal.append(running)


class _Trial:
    """One process that tries the parts in order."""

    def __init__(self, bundle: str, device: str | None, folder: Path, fatal: list[str]) -> None:
        own = {name: str(folder / name.lower()) for name in ("LOOKTWICE_PRODUCTS", "LOOKTWICE_KEYS")}
        own |= {"LOOKTWICE_HISTORY": str(folder / "user.sqlite"), "GRADIO_TEMP_DIR": str(folder / "gradio")}
        silent = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        path = os.pathsep.join(entry for entry in sys.path if entry)  # it sees the packages that are seen here
        self._log = folder / "log"
        command = [sys.executable, "-P", "-m", MODULE, bundle, device or "", str(folder), ",".join(fatal)]
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=os.environ | own | silent | {"PYTHONPATH": path},
                encoding="utf-8",
                errors="replace",
            )

    def listen(self, findings: dict[str, Finding], tell: Callable[[str], None], patience: float) -> str | None:
        """Take in what it finds; returns the part during which it ended, "" for none, None where it did not fail.

        A first finding about a part stays.
        """
        running: str | None = ""
        try:
            for row in self._rows(patience):
                if "begin" in row:
                    running = str(row["begin"])
                    tell(running)
                else:
                    found = Finding(**row["found"])
                    findings.setdefault(found.part, found)
                    running = None
        finally:
            if self._process.poll() is None and running is not None:
                self._process.kill()
            self._process.wait()
        return running if running is not None or self._process.returncode == 0 else ""

    def how_it_ended(self, patience: float) -> str:
        """What ended the process, in a sentence, with the last line that it printed."""
        code = self._process.returncode
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f" Its last words: {said[-1][:200]}" if said else ""
        if self._late:
            return f"It did not end within {patience:g} seconds.{last}"
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = str(-code)
            hint = ", an instruction that this processor does not have" if name == "SIGILL" else ""
            return f"It ended the process by the signal {name}{hint}.{last}"
        return f"It ended the process with status {code}.{last}"

    def _rows(self, patience: float) -> Iterator[dict[str, Any]]:
        lines: queue.Queue[str | None] = queue.Queue()
        self._late = False
        out = self._process.stdout
        if out is None:
            raise RuntimeError("the process of the trial has no output")
        threading.Thread(target=_pass_on, args=(out, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                self._late = True
                return
            if line is None:
                return
            yield json.loads(line)


def _pass_on(source: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in source:
        lines.put(line)
    lines.put(None)
