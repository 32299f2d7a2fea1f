"""Where the uploaded pictures of batches lie until their run is done, so that it can go on after a restart.

Uploads go with the server; what a run still needs may not. They are copied into a folder of nobody else's (0700)
beside the history, at most `MOST_BYTES` of all runs together, and are removed once the run is done or purged. A
folder that no run names, as a crash leaves it, goes after a day.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from assistant.errors import LooktwiceError
from assistant.files import make_private
from assistant.images.sources import shown_name
from assistant.records.history import History

MOST_FILES = 2000
MOST_BYTES = 4_000_000_000

_TOKEN = re.compile(r"[0-9a-f]{16}")
_STRAY_AFTER = 86_400.0  # seconds
_MOST_RUNS = 10_000


class UploadStore:
    """The kept uploads of one history's runs; `Run.settings["uploads"]` is the token of a run's own."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.folder = _beside(history)

    def keep(self, uploads: Sequence[str]) -> tuple[str, list[str]]:
        """Copy uploads and return the token of their folder, and their paths there in the same order.

        Two of the same name get numbers. LooktwiceError where they are too many or too large, or no room is left.
        """
        if len(uploads) > MOST_FILES:
            raise LooktwiceError(
                f"At most {MOST_FILES} pictures can be uploaded for a batch; more of them go as a folder on this "
                "machine, see `looktwice app --folder` and `looktwice batch`."
            )
        token = secrets.token_hex(8)
        target = self.folder / token
        try:
            if self._used() + sum(Path(path).stat().st_size for path in uploads) > MOST_BYTES:
                raise LooktwiceError("The kept pictures of unfinished runs leave no room: finish or remove some.")
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.mkdir(mode=0o700)
            return token, self._copy(uploads, target)
        except OSError as error:
            self.drop(token)
            why = (error.strerror or "an error").lower()
            raise LooktwiceError(f"The pictures cannot be kept for the run: {why}.") from error

    def drop(self, token: object) -> None:
        """Remove the pictures of a run; nothing happens where there are none."""
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            shutil.rmtree(self.folder / token, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the pictures of runs that are done, purged or gone."""
        if not self.folder.is_dir():
            return
        runs = self._history.runs.newest(_MOST_RUNS)
        wanted = {run.settings.get("uploads") for run in runs if run.state in ("running", "stopped")}
        ended = {run.settings.get("uploads") for run in runs} - wanted
        for one in self.folder.iterdir():
            try:
                stray = one.name not in wanted and time.time() - one.stat().st_mtime > _STRAY_AFTER
            except OSError:
                continue
            if stray or one.name in ended:
                self.drop(one.name)

    def _used(self) -> int:
        return sum(one.stat().st_size for one in self.folder.rglob("*") if one.is_file())

    def _copy(self, uploads: Sequence[str], target: Path) -> list[str]:
        kept: list[str] = []
        taken: set[str] = set()
        for path in uploads:
            name = _free(shown_name(path), taken)
            taken.add(name.casefold())
            make_private(target / name)
            kept.append(str(shutil.copyfile(path, target / name)))
        return kept


def _free(name: str, taken: set[str]) -> str:
    stem, suffix = Path(name).stem[:200], Path(name).suffix
    free, count = f"{stem}{suffix}", 2
    while free.casefold() in taken:
        free, count = f"{stem} ({count}){suffix}", count + 1
    return free


def _beside(history: History) -> Path:
    url = history.database.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(f"{url.database}.pictures")
    import platformdirs

    return Path(platformdirs.user_data_dir("looktwice")) / "pictures"
