"""Ten ways in which a picture gets into a folder, for the study of a watched line."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

WAYS = (
    *("at once", "slowly, in pieces", "renamed into place", "moved in from another folder", "with an old time"),
    *("in a new subfolder", "over one name again and again", "set to its full size, then filled"),
    *("as a link to elsewhere", "twice, under two names"),
)

STAYS = 45.0
"""Seconds for which a picture stays under a name that is written over; a watch that is killed may miss it."""

BEHIND = 60
"""Pictures that wait to be inspected at most: one that is written over before it was read is lost to any watch."""

AWAY = 4.0
"""Seconds for which the share is away."""


def draw_part(seed: int, bad: bool) -> bytes:
    """A woven cloth as a PNG of 160 x 160 pixels that no other seed has; bad ones have a blot."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[2 * np.pi * (np.arange(160) / 13 + rng.random()) for _ in range(2)])
    cloth = 128 + 35 * np.sin(x) * np.cos(y) + rng.normal(0, 4, (160, 160))
    pixels = cloth[..., None] * np.array([1.0, 0.95, 0.85])
    if bad:
        at = rng.integers(20, 110, 2)
        pixels[at[0] : at[0] + 30, at[1] : at[1] + 30] = (230, 20, 10)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class Arriving:
    """Drops `files` pictures into a folder, about `rate` a second, in all ways in turn.

    `wanted` are the digests of the parts that there are then, and "broken NAME" for each of `broken` files that
    never become readable; `away` counts how often the folder was gone.
    """

    def __init__(
        self,
        folder: Path,
        elsewhere: Path,
        files: int,
        broken: int,
        rate: float,
        rng: random.Random,
        kept: Callable[[], int],
    ) -> None:
        self.folder, self.elsewhere, self.files, self.broken = folder, elsewhere, files, broken
        self.rate, self.rng, self._kept = rate, rng, kept
        self.wanted: dict[str, int] = {}
        self.dropped = self.away = 0
        self._there = threading.Lock()
        self._slow: list[threading.Thread] = []
        self._over: dict[int, float] = {}
        elsewhere.mkdir()

    def run(self, seconds: float) -> None:
        """Drop all of them, or what can be in so many seconds; no more than `BEHIND` wait to be inspected."""
        pause, next_away, end = 1 / self.rate, time.monotonic() + 30, time.monotonic() + seconds
        for i in range(self.files):
            while len(self.wanted) - self._kept() > BEHIND and time.monotonic() < end:
                time.sleep(0.2)
            if time.monotonic() > end:
                break
            way = i % len(WAYS)
            if way == 9:
                content = draw_part(i - i % 20, bad=False)  # each part twice
            else:
                content = draw_part(i, bad=self.rng.random() < 0.25)
            self._drop(i, way, content)
            self.dropped += 1
            if i % max(1, self.files // self.broken) == 0:
                with self._there:
                    (self.folder / f"broken-{i}.png").write_bytes(content[: len(content) // 2])
                self.wanted[f"broken broken-{i}.png"] = 1
            if time.monotonic() > next_away:
                self._leave()
                next_away = time.monotonic() + 45
            time.sleep(self.rng.uniform(0.2, 1.8) * pause)
        for thread in self._slow:
            thread.join()

    def _drop(self, i: int, way: int, content: bytes) -> None:
        self.wanted[hashlib.sha256(content).hexdigest()] = 1
        name, aside = self.folder / f"part-{i}.png", self.elsewhere / f"part-{i}.png"
        if way == 6:
            self._write_over(i, content)
            return
        with self._there:
            if way in (0, 9):
                name.write_bytes(content)
            elif way == 1:
                self._later(name.open("wb"), content, 0)
            elif way == 2:
                name.with_suffix(".tmp").write_bytes(content)
                name.with_suffix(".tmp").rename(name)
            elif way == 3:
                aside.write_bytes(content)
                os.replace(aside, name)
            elif way == 4:
                aside.write_bytes(content)
                os.utime(aside, (1_500_000_000 + i, 1_500_000_000 + i))
                shutil.copy2(aside, name)
            elif way == 5:
                home = self.folder / f"shift-{i % 7}" / f"hour-{i}"
                home.mkdir(parents=True)
                (home / "part.png").write_bytes(content)
            elif way == 7:
                file = name.open("wb")
                file.truncate(len(content))
                self._later(file, content, 1)
            elif way == 8:
                aside.write_bytes(content)
                name.symlink_to(aside)

    def _write_over(self, i: int, content: bytes) -> None:
        """Write to one of several names, each of which keeps a picture long enough to be seen."""
        place = i % 400 // 10
        free = self._over.get(place, 0.0)
        time.sleep(max(0.0, free - time.monotonic()))
        with self._there:
            (self.folder / f"latest-{place}.png").write_bytes(content)
        self._over[place] = time.monotonic() + STAYS

    def _later(self, file: io.BufferedWriter, content: bytes, hold: int) -> None:
        """Write a file that is open in pieces, with pauses, some longer than it takes to settle."""

        def write() -> None:
            with file:
                for part in range(4):
                    start, end = (len(content) * at // 4 for at in (part, part + 1))
                    file.write(content[start:end])
                    file.flush()
                    time.sleep((0.2, 0.9)[(part + hold) % 2])

        self._slow.append(threading.Thread(target=write))
        self._slow[-1].start()

    def _leave(self) -> None:
        """The folder is away for a while, as a share is."""
        with self._there:
            gone = self.folder.with_name("in.away")
            self.folder.rename(gone)
            time.sleep(AWAY)
            gone.rename(self.folder)
            self.away += 1
