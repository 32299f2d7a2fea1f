"""Frames of a video file, or of a camera by RTSP, HTTP or USB, read by PyAV (the extra `line`)."""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import threading
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from assistant.errors import LineError
from assistant.images.kinds import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORK = ("rtsp", "rtsps", "http", "https")

PATIENCE = 10.0
"""Seconds without a word from a camera before it counts as away."""

ENDS = 1_048_576
"""Bytes of the beginning and of the end of a video by which it is known."""


@dataclass(frozen=True)
class Frame:
    """One frame: its number from 0 on, and its pixels [H, W, 3] uint8 RGB."""

    number: int
    pixels: NDArray[np.uint8]

    def to_png(self) -> bytes:
        """The frame as a picture file, without loss."""
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(self.pixels).save(file, "PNG", compress_level=1)
        return file.getvalue()


def is_camera(source: str) -> bool:
    """Whether a source is a camera or a video, and no folder."""
    return is_live(source) or (os.path.isfile(source) and Path(source).suffix.lower() not in EXTENSIONS)


def is_live(source: str) -> bool:
    """Whether a source goes on by itself: a URL, usb:N, or a device."""
    return urlsplit(source).scheme in (*NETWORK, "usb") or source.startswith("/dev/")


def name_of(source: str) -> str:
    """A word for a camera or a video in names of pictures, without what a URL may hold in secret."""
    if urlsplit(source).scheme in NETWORK:
        word = urlsplit(source).hostname or "camera"
    else:
        word = Path(source).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", word).strip("-.")[:60] or "camera"


def fingerprint(video: str) -> str:
    """What a video file is known by: a digest of its length, its beginning and its end."""
    try:
        with open(video, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            seen = hashlib.sha256(str(size).encode())
            for start in (0, max(0, size - ENDS)):
                file.seek(start)
                seen.update(file.read(ENDS))
    except OSError as error:
        raise LineError(f"{Path(video).name} cannot be read: {error.strerror or 'an error'}.") from error
    return seen.hexdigest()


def read_frames(source: str) -> Generator[Frame]:
    """All frames of a video or a camera, in order; LineError where it cannot be opened, or breaks off."""
    try:
        import av
    except ImportError as error:
        raise LineError("Videos and cameras need PyAV: install looktwice[line].") from error
    name = name_of(source)
    try:
        with closing(_open(av, source)) as container:
            if not container.streams.video:
                raise LineError(f"There is no picture in {name}.")
            for number, frame in enumerate(container.decode(video=0)):
                yield Frame(number, frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, OSError) as error:
        raise LineError(f"{name} cannot be read: {(error.strerror or 'an error').lower()}.") from error


def _open(av: Any, source: str) -> Any:
    scheme = urlsplit(source).scheme
    if scheme in ("rtsp", "rtsps"):
        return av.open(source, options={"rtsp_transport": "tcp"}, timeout=PATIENCE)
    if scheme in ("http", "https"):
        return av.open(source, timeout=PATIENCE)
    if scheme == "usb" or source.startswith("/dev/"):
        number = source.partition(":")[2]
        if sys.platform == "darwin":
            return av.open(number, format="avfoundation")
        if sys.platform == "win32":
            return av.open(f"video={number}", format="dshow")
        return av.open(f"/dev/video{number}" if scheme == "usb" else source, format="v4l2")
    return av.open(source)


class LiveCamera:
    """A camera that goes on by itself: the newest frame, and never an older one. `say` hears once that it is away.

    It is opened again whenever it breaks off, with pauses of up to ten seconds.
    """

    def __init__(self, source: str, say: Callable[[str], None]) -> None:
        self._source, self._say = source, say
        self._newest: Frame | None = None
        self._given = self._count = 0
        self._news = threading.Condition()
        self._ended = threading.Event()
        self.failure: LineError | None = None
        self._thread = threading.Thread(target=self._read, name="camera", daemon=True)
        self._thread.start()

    def next(self, seconds: float, after: int = 0) -> Frame | None:
        """The newest frame that was not given yet and has a higher number than `after`, waited for so long.

        Numbers count all frames since the camera was opened first.
        """
        with self._news:
            least = max(self._given, after)
            if self._news.wait_for(lambda: self._count > least or self._ended.is_set(), seconds):
                self._given = self._count
                return self._newest
        return None

    @property
    def count(self) -> int:
        """The number of the newest frame."""
        return self._count

    def close(self) -> None:
        """End reading."""
        self._ended.set()
        with self._news:
            self._news.notify_all()
        self._thread.join(1.0)

    def _read(self) -> None:
        pause, away = 0.5, 0.0
        while not self._ended.is_set():
            try:
                with closing(read_frames(self._source)) as frames:
                    for frame in frames:
                        if away:
                            self._say(
                                f"{name_of(self._source)} is back after {time.monotonic() - away:.0f} seconds."
                            )
                        pause, away = 0.5, 0.0
                        with self._news:
                            self._count += 1
                            self._newest = Frame(self._count, frame.pixels)
                            self._news.notify_all()
                        if self._ended.is_set():
                            return
                why = "it ended"
            except LineError as error:
                why = str(error).rstrip(".")
            if not away:
                away = time.monotonic()
                self._say(f"{name_of(self._source)} is away: {why}. It is waited for.")
            self._ended.wait(pause)
            pause = min(10.0, 2 * pause)
