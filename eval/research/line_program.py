"""A watched line with a judge that takes no time: `python -m assistant.eval.research.line_program TOML`.

All but the judge is what `looktwice watch --settings TOML` runs; with `once` behind it ends when all is handed
on.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import numpy as np

from assistant.errors import ImageError
from assistant.images.decoding import PictureFile
from assistant.images.load import load_image
from assistant.inspection import Evidence, Inspection, Verdict
from assistant.line.delivery import Delivery
from assistant.line.keeping import Keeper
from assistant.line.opening import open_kept, open_routes
from assistant.line.settings import Surroundings, read_settings
from assistant.line.watching import FolderWatch, Pace
from assistant.records.history import History


def judge(pictures: Iterator[PictureFile]) -> Iterator[Inspection]:
    """A defect where something is red, else good; an error for what cannot be read."""
    for picture in pictures:
        try:
            pixels = load_image(picture).pixels.astype(np.float32)
        except ImageError as error:
            yield Inspection(picture.name, "error", str(error))
            continue
        red = (pixels[..., 0] - pixels[..., 2]).clip(0) / 255
        score = float(red.max())
        verdict: Verdict = "defect" if score > 0.5 else "good"
        yield Inspection(
            picture.name,
            mode="few-shot",
            score=score,
            p_value=0.5,
            threshold=0.5,
            review_threshold=0.45,
            verdict=verdict,
            width=pixels.shape[1],
            height=pixels.shape[0],
            evidence=Evidence("conformal", "made up for a study", 4, 0.05, 0.2),
            product="cloth",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            coarse_map=red[::16, ::16].astype(np.float32),
        )


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(settings: str, once: bool = False) -> None:
    """Watch, and print the number of each part once it is kept."""
    signal.signal(signal.SIGTERM, _end)
    read = read_settings(Path(settings))
    source, history = Path(read.watch["source"]), History(read.watch["history"])
    journal = open_kept(read.watch["journal"])
    around = Surroundings(source, read.watch["station"])
    routes = open_routes(journal, read.sinks, history, "", around, _say)
    delivery = Delivery(journal.outbox, routes, _say)
    pace = Pace(0.5, read.watch["settle"], read.watch["give_up"])
    watch = FolderWatch(source, judge, Keeper(journal, routes), delivery, say=_say, pace=pace)
    try:
        for kept in watch.run(once):
            print(kept.event.part, flush=True)
    except KeyboardInterrupt:
        pass


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["once"])
