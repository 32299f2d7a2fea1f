"""Pictures in, Inspections out, lazily and in order: against products, or of all pictures against each other."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import torch
from torch import Tensor

from assistant.detection.calibration import Calibration
from assistant.detection.good_parts import GoodParts
from assistant.detection.judge import Judge
from assistant.detection.mutual_limits import calibrate_mutual, require_several
from assistant.detection.near_copies import find_groups
from assistant.detection.registration import NOT_FOUND, SAMPLE, Registration, register_batch
from assistant.detection.scored import Scored
from assistant.detection.seen_picture import SeenPicture
from assistant.detection.threads import PictureThreads
from assistant.detection.unrated import Unrated
from assistant.images.load import Source, Window
from assistant.images.reading import Entry, in_groups, read_ahead
from assistant.images.series import settle_window
from assistant.inspection import Inspection
from assistant.models.backbone import Features

Way = tuple[int, int, Registration | None]
"""How a picture is encoded: in so many tiles a side, through the window at this place, brought to a frame."""


class InspectionStream:
    """Reads pictures ahead, encodes `at_once` of them together, and lets a judge decide on each."""

    def __init__(self, judge: Judge, at_once: int, threads: PictureThreads) -> None:
        self.judge, self.detector = judge, judge.detector
        self.at_once, self.threads = at_once, threads

    def compare(
        self,
        sources: Iterable[Source],
        products: Sequence[GoodParts | None],
        limits: Sequence[Calibration | Unrated],
        windows: Sequence[Window],
    ) -> Generator[list[Inspection]]:
        """What is found in each picture against each of `products`, by its limits and through its window.

        None is zero-shot. A picture is decoded once, and encoded once for each number of tiles, each window, and
        each frame that it is brought to.
        """
        distinct = list(dict.fromkeys(windows))
        ways: defaultdict[Way, list[int]] = defaultdict(list)
        for i, product in enumerate(products):
            tiles, registration = (product.tiles, product.registration) if product else (1, None)
            ways[tiles, distinct.index(windows[i]), registration].append(i)
        for entries in self._read(sources, distinct or [Window()]):
            start = time.perf_counter()
            encoded = {way: iter(self._encode(entries, way)) for way in ways}
            looks = [{way: next(row) for way, row in encoded.items()} if e.images else {} for e in entries]
            encoding = 1000 * (time.perf_counter() - start) / len(entries)

            def decide(one: tuple[Entry, dict[Way, Features]], ms: float = encoding) -> list[Inspection]:
                entry, look = one
                if not entry.images:
                    return [Inspection(entry.path, "error", entry.error)] * len(products)
                start = time.perf_counter()
                rows: dict[int, Inspection] = {}
                for way, which in ways.items():
                    seen = self.judge.see(entry.through(way[1]), look[way])
                    rows |= {i: self.judge.judge(seen, look[way], products[i], limits[i]) for i in which}
                ms += 1000 * (time.perf_counter() - start) / max(1, len(products))
                return [_timed(rows[i], ms) for i in range(len(products))]

            yield from self.threads.map(decide, list(zip(entries, looks, strict=True)))

    def mutual(
        self,
        sources: Iterable[Source],
        target: float,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Generator[Inspection]:
        """What is found in each picture against all the others, which are read through one window.

        Parts before a plain ground are brought to one pose first, where a sample of them shows that this can be
        done. `tell` hears how far the comparing is. LooktwiceError where a single picture can be read.
        """
        start = time.perf_counter()
        window, sources = settle_window(sources, window)
        kept: list[Inspection | SeenPicture] = []
        tokens: list[Tensor] = []
        rare: list[Tensor] = []
        read = self._read(sources, [window])
        begun = list(islice(read, -(-SAMPLE // self.at_once)))
        registration = register_batch([e.images[0].pixels for entries in begun for e in entries if e.images])
        for entries in chain(begun, read):
            encoded = iter(self._encode(entries, (1, 0, registration)))
            for entry in entries:
                if not entry.images:
                    kept.append(Inspection(entry.path, "error", entry.error))
                    continue
                features = next(encoded)
                tokens.append(self.detector.coarse_tokens(features)[0].to(torch.bfloat16))
                rare.append(self.detector.score(features, None).map)
                kept.append(self.judge.see(entry, features, sketched=True))
        scored: Iterator[Scored] = iter(())
        pictures = [seen for seen in kept if isinstance(seen, SeenPicture)]
        if pictures:
            groups = find_groups([seen.look.sketch for seen in pictures if seen.look.sketch])
            require_several(len({*groups}))
            vectors = torch.stack([seen.vector for seen in pictures])
            rows = self.detector.mutual(tokens, rare, vectors, tell, groups)
            # One score for each group: copies of a defect would seem to be the commonest kind.
            values = {group: row.value for group, row in zip(groups, rows, strict=True)}
            calibration = calibrate_mutual([*values.values()], target=target)
            scored = iter(rows)
        ms = 1000 * (time.perf_counter() - start) / max(1, len(kept))
        for seen in kept:
            if isinstance(seen, Inspection):
                yield seen
            else:
                row = self.judge.conclude(seen, next(scored), "mutual", calibration)
                lost = registration is not None and seen.pose is None
                yield _timed(replace(row, notices=(*row.notices, NOT_FOUND)) if lost else row, ms)

    def _read(self, sources: Iterable[Source], windows: Sequence[Window]) -> Iterator[list[Entry]]:
        return in_groups(read_ahead(sources, ahead=2 * self.at_once, windows=windows), self.at_once)

    def _encode(self, entries: Sequence[Entry], way: Way) -> Sequence[Features]:
        tiles, place, registration = way
        pictures = [e.images[place].pixels for e in entries if e.images]
        return self.detector.encode_brought(pictures, tiles, registration)


def _timed(row: Inspection, ms: float) -> Inspection:
    return row if row.ms is None else replace(row, ms=round(row.ms + ms, 2))
