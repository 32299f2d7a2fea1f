"""From the features of a picture to its Inspection: score, limits, regions and the types that they resemble."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.detection.calibration import Calibration
from assistant.detection.counted import count_zones, with_counts
from assistant.detection.detector import Detector
from assistant.detection.good_parts import GoodParts, fit_mask
from assistant.detection.good_places import place_beside
from assistant.detection.missing import Absences, with_missing
from assistant.detection.reader import Reader, Types
from assistant.detection.registration import NOT_FOUND
from assistant.detection.scored import Scored
from assistant.detection.seen_picture import SeenPicture
from assistant.detection.suitability import find_faults
from assistant.detection.unrated import Unrated
from assistant.images.pose import Pose
from assistant.images.reading import Entry
from assistant.inspection import NOTHING_SHOWN, WHOLE_DIFFERS, DefectType, Inspection, Mode
from assistant.models.backbone import Features


def _as_it_lay(
    found: NDArray[np.float32], types: Types | None, pose: Pose, size: tuple[int, int]
) -> tuple[NDArray[np.float32], Types | None]:
    """A map over the frame as one over the picture of `size` (width, height), and types of regions in it.

    On a grid twice as fine: a turned one of the same would lose its peaks.
    """
    frame = found.shape[0], found.shape[1]
    cell = math.sqrt(math.prod(pose.frame) / math.prod(frame)) / pose.scale / 2
    grid = max(2, round(size[1] / cell)), max(2, round(size[0] / cell))

    def rank(mask: NDArray[np.bool_]) -> tuple[DefectType, ...]:
        inside = pose.forth(mask.astype(np.float32), size, frame)
        return types(inside >= min(0.5, float(inside.max()))) if types else ()

    return pose.back(found, size, grid), rank if types else None


class Judge:
    """Joins what a detector scores, what a reader reads in words, and limits, into Inspections."""

    def __init__(self, detector: Detector, reader: Reader) -> None:
        self.detector = detector
        self.reader = reader
        self._absences = Absences()

    def see(self, entry: Entry, features: Features, sketched: bool = False) -> SeenPicture:
        """What is kept of a picture that was encoded, and what its patches say in words; see `Look.sketch`."""
        return SeenPicture.of(entry, features, self.reader.read(features), sketched)

    def judge(
        self, seen: SeenPicture, features: Features, product: GoodParts | None, calibration: Calibration | Unrated
    ) -> Inspection:
        """What is found in a picture against a product and its limits; None: zero-shot."""
        scored = self.detector.score(features, product)
        mode: Mode = "few-shot" if product else "zero-shot"
        types = self._known_types(seen, features, scored, product)
        found = self.conclude(seen, scored, mode, calibration, product, types)
        if product is None:
            return found
        found = self._with_missing(found, features, product, calibration)
        if product.counted:
            counted = count_zones(product.counted, seen.judged.get().pixels, seen.pose, product.registration)
            found = with_counts(found, counted, calibration.curve_p)
        return self._with_references(found, features, product) if found.regions else found

    def conclude(
        self,
        seen: SeenPicture,
        scored: Scored,
        mode: Mode,
        calibration: Calibration | Unrated,
        product: GoodParts | None = None,
        types: Types | None = None,
    ) -> Inspection:
        """The Inspection of a picture from its score and its limits.

        `types` ranks defect types for a region; by default the vocabulary, where types are trusted.
        """
        types = types or self.reader.ranker(seen.reading)
        share, looked_at = self.detector.top_share(product), product.looked_at if product else None
        # Where words that were learned made the map, they are in it already.
        spoken = product is None and self.detector.words.decides(self.detector.config)
        reading = None if spoken else seen.reading
        shown = self.reader.focus(scored.map, reading, share, looked_at).float().cpu().numpy()
        peak = float(shown.max())
        middle = calibration.colour(peak) if isinstance(calibration, Unrated) else calibration.threshold
        backbone, differs = self.detector.backbone, scored.whole_differs(calibration)
        size, grid = (seen.width, seen.height), (shown.shape[0], shown.shape[1])
        faults = find_faults(seen.look, size, grid, scored.distance, product)
        if product and product.registration and seen.pose is None:
            faults = (*faults, NOT_FOUND)
        if seen.pose:
            shown, types = _as_it_lay(shown, types, seen.pose, size)
        verdict = calibration.verdict(scored.value)
        if verdict == "good" and any(fault.startswith(NOTHING_SHOWN) for fault in faults):
            verdict = "review"
        return Inspection(
            path=seen.path,
            mode=mode,
            score=scored.value,
            p_value=calibration.p_value(scored.value),
            threshold=calibration.threshold,
            review_threshold=calibration.review_threshold,
            verdict=verdict,
            regions=scored.regions(shown, calibration, size, types),
            width=seen.width,
            height=seen.height,
            evidence=calibration.evidence,
            scale=(0.75 * middle, 1.75 * middle),
            looks_like=backbone.recognise(seen.vector),
            notices=seen.notices + faults + ((WHOLE_DIFFERS,) if differs else ()),
            bundle=backbone.card.name,
            weights=backbone.digest,
            product=product.name if product else None,
            references=len(product.references) if product else 0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            ms=seen.ms,
            window=seen.window,
            coarse_map=shown,
            judged=seen.judged,
        )

    def _with_missing(
        self, found: Inspection, features: Features, product: GoodParts, calibration: Calibration | Unrated
    ) -> Inspection:
        """The inspection with regions of what is missing, where parts lie alike."""
        reach = self.detector.reach_of(product, features)
        absence = self._absences.of(product.dictionary, reach) if reach is not None else None
        if absence is None:
            return found
        missing = absence.find(self.detector.tokens(features, product.scoring)[0], product.dictionary)
        if missing is None:
            return found
        if product.looked_at is not None:
            missing = missing * fit_mask(product.looked_at, *missing.shape).to(missing.device)
        shown = missing.float().cpu().numpy()
        if features.pose and found.coarse_map is not None:
            h, w = found.coarse_map.shape
            shown = features.pose.back(shown, (found.width, found.height), (h, w))
        if not shown.max() > 0:
            return found
        return with_missing(found, shown, absence.limit, calibration.curve_p)

    def _with_references(self, found: Inspection, features: Features, product: GoodParts) -> Inspection:
        """The inspection with the place of a good part beside each of its regions."""
        tokens = self.detector.tokens(features, product.scoring)[0]
        reach = self.detector.reach_of(product, features)
        pose, size, regions = features.pose, (found.width, found.height), found.regions
        if pose:  # patches lie in the frame
            regions, size = tuple(replace(r, box=pose.box(r.box)) for r in regions), pose.frame
        placed = place_beside(regions, tokens, product, size, reach)
        pairs = zip(found.regions, placed, strict=True)
        return replace(found, regions=tuple(replace(own, reference=one.reference) for own, one in pairs))

    def _known_types(
        self, seen: SeenPicture, features: Features, scored: Scored, product: GoodParts | None
    ) -> Types | None:
        """Ranks known defects for a region, and the vocabulary after them; None for a product without any."""
        vocabulary, contrast = self.reader.ranker(seen.reading), scored.contrast
        if product is None or contrast is None:
            return None
        tokens = self.detector.tokens(features, product.scoring)[0]

        def rank(mask: NDArray[np.bool_]) -> tuple[DefectType, ...]:
            known = product.known.recognise(tokens, contrast, torch.from_numpy(mask))
            return known + (vocabulary(mask) if vocabulary else ())

        return rank
