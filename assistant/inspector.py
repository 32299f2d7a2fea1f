"""The front door: `Inspector.from_pretrained`, then `learn` once, `inspect` many times, `ask`, and `teach`.

It joins intake, detector, calibration and regions into Inspections. It draws nothing and writes no rows.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.detection.built_in import Limits, load_limits
from assistant.detection.calibration import Calibration, Prior, calibrate_batch, check_target, require_batch
from assistant.detection.detector import Detector
from assistant.detection.reader import Reader, Types
from assistant.detection.scored import Scored
from assistant.detection.sight import Sight
from assistant.detection.threads import Lanes
from assistant.errors import CalibrationError, LooktwiceError, ProductError
from assistant.images.load import Source
from assistant.images.reading import Entry, in_batches, read_ahead
from assistant.images.sources import is_lazy, walk_sources
from assistant.inspection import WHOLE_DIFFERS, Answer, AskedMode, DefectType, Inspection, Mode
from assistant.language.conversation import converse, prompt_for
from assistant.language.explainer import Explainer
from assistant.models.backbone import Backbone, Features
from assistant.models.trained_adapter import load_learned
from assistant.products.learning import Tell, learn_product, rule_of
from assistant.products.product import Product
from assistant.products.store import ProductStore
from assistant.products.teaching import Teaching, look_closer


class Inspector(Teaching):
    """Finds defects in pictures, with or without good references. Safe to share between threads for reading."""

    def __init__(self, backbone: Backbone, store: ProductStore | None = None, batch_size: int = 4) -> None:
        self.backbone = backbone
        self.detector = Detector(backbone)
        self.reader = Reader(backbone, load_learned(backbone.card.name, backbone.digest))
        self.store = store or ProductStore()
        self.batch_size = max(1, batch_size)
        on_cores = backbone.runtime.device.type == "cpu"
        self.lanes = Lanes(min(self.batch_size, torch.get_num_threads()) if on_cores else 1)
        self.explainer: Explainer | None = None

    @classmethod
    def from_pretrained(
        cls,
        bundle: str = "pocket",
        *,
        device: str | None = None,
        runtime: str = "auto",
        bf16: bool = False,
        store: ProductStore | None = None,
        batch_size: int = 4,
        explainer: str | None = None,
    ) -> Inspector:
        """An inspector with a pulled bundle; WeightsError says how to fetch what is missing.

        `device` is torch's name for it ("cpu", "cuda", "cuda:1", "mps"), by default the best there is. `explainer`
        names the language model that answers, see `language.load_explainer`; by default the template does.
        """
        backbone = Backbone.load(bundle, device=device, runtime=runtime, bf16=bf16)
        inspector = cls(backbone, store, batch_size)
        if explainer:
            from assistant.language.loading import load_explainer  # it needs what the template does not

            inspector.explainer = load_explainer(explainer, backbone, device=device)
        return inspector

    def learn(
        self,
        name: str,
        references: Any,
        *,
        roi: NDArray[np.bool_] | None = None,
        ignore: NDArray[np.bool_] | None = None,
        foreground: bool = False,
        aligned: bool | None = None,
        target_false_alarm: float = 0.05,
        views: str = "plain",
        tiles: int = 1,
        memory: str = "nearest",
        tell: Tell | None = None,
    ) -> Product:
        """Learn a product from one to a few good pictures: paths, a folder, PIL pictures or arrays.

        `roi`: [H, W], true where to look, drawn on a reference; `ignore`: the same, true where not to look.
        `foreground`: leave out the plain ground that the product stands on, where there surely is one;
        `Product.foreground` says whether. `aligned`: parts lie alike in all pictures, so that a missing or moved
        one shows; by default found out from two references or more.
        `target_false_alarm`: the share of good pictures that may be called defective, in [1e-6, 0.5]. `views`:
        "flips" or "turns" for products that lie at any angle. `tiles`: look at a picture in so many overlapping
        tiles along each side, 1 to 4, for small defects in large pictures. `memory`: compare with the "nearest"
        good patch, or as `looktwice train dictionary` has "trained" it, whole pictures that are neither turned,
        aligned nor tiled. The product is returned, not kept: `save` keeps it. Copies of a picture count once.
        ProductError for a bad name, no reference, or the first one that cannot be read; WeightsError for a
        trained memory where nothing was trained.
        """
        entries = list(read_ahead(walk_sources(references)))
        if bad := next((entry for entry in entries if entry.image is None), None):
            raise ProductError(f"A reference of {name!r} cannot be used: {bad.error}")
        pictures = [entry.image for entry in entries if entry.image is not None]
        return learn_product(
            self.detector,
            name,
            pictures,
            views=views,
            tiles=tiles,
            memory=memory,
            roi=roi,
            ignore=ignore,
            foreground=foreground,
            aligned=aligned,
            target_false_alarm=target_false_alarm,
            prior=self._prior(),
            tell=tell,
        )

    def inspect(
        self,
        images: Any,
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        tell: Callable[[float], None] | None = None,
    ) -> Any:
        """Inspect pictures: a list gives a list of Inspections, a folder or an iterator gives a lazy iterator.

        `images`: a picture (path, bytes, PIL, array [H, W] or [H, W, 3|4]), a list of them, a folder, or an
        iterator. `mode` "auto" is few-shot with a product and zero-shot without. "batch" scores the pictures
        against each other and needs all of them before the first result; its progress in [0, 1] goes to
        `tell`. `target_false_alarm` counts where there is no product; a product has its own.

        A picture that cannot be read becomes an Inspection with status "error". LooktwiceError where the
        request itself makes no sense.
        """
        chosen, known = self._settle(mode, product, target_false_alarm)
        sources = walk_sources(images)
        if chosen == "batch":
            results = self._run_batch(sources, target_false_alarm, tell)
        else:
            results = (row for [row] in self._run(sources, [known], target_false_alarm))
        return results if is_lazy(images) else list(results)

    def inspect_many(
        self, images: Any, products: Sequence[Product | None], *, target_false_alarm: float = 0.05
    ) -> Iterator[list[Inspection]]:
        """Inspect pictures against several products, encoding each picture once; lazily.

        `images` as in `inspect`. Gives, for each picture, what `inspect` finds with each of `products`, None
        being zero-shot.
        """
        check_target(target_false_alarm)
        known = [self._ready(product) if product else None for product in products]
        return self._run(walk_sources(images), known, target_false_alarm)

    def ask(
        self,
        inspection: Inspection | Sequence[Inspection],
        question: str,
        history: Sequence[tuple[str, str]] = (),
        picture: Source | None = None,
    ) -> Answer:
        """Answer a question about one or several inspections, from their evidence alone.

        `history`: earlier (question, answer) pairs about the same, oldest first. `picture`: the inspected one, for
        an explainer that looks; read again from where it lay if it is left out and still there.
        """
        return list(self.stream(inspection, question, history, picture))[-1]

    def stream(
        self,
        inspection: Inspection | Sequence[Inspection],
        question: str,
        history: Sequence[tuple[str, str]] = (),
        picture: Source | None = None,
    ) -> Iterator[Answer]:
        """As `ask`, in snapshots of a growing answer, each sentence checked; the last is final. Close to stop."""
        found = (inspection,) if isinstance(inspection, Inspection) else tuple(inspection)
        if not found:
            raise LooktwiceError("There is no inspection to ask about.")
        return converse(self.explainer, prompt_for(self.explainer, found, question, history, picture))

    def save(self, product: Product, actor: str | None = None) -> Path:
        """Keep a product, so that `load` and the command line find it by name; `actor` is for the audit log."""
        return self.store.save(product, actor)

    def load(self, name: str) -> Product:
        """A kept product; ProductError where there is none or it was made with another bundle."""
        return self._fitting(self.store.load(name))

    @cached_property
    def limits(self) -> Limits:
        """The bundle's built-in limits; CalibrationError where it has none."""
        return load_limits(self.backbone.card.name, self.backbone.digest)

    def _prior(self) -> Prior:
        try:
            return self.limits.prior
        except CalibrationError:
            return Prior()  # a bundle without limits of its own learns products all the same

    def _settle(
        self, mode: AskedMode, product: Product | str | None, target: float
    ) -> tuple[Mode, Product | None]:
        check_target(target)
        if mode not in get_args(AskedMode):
            raise LooktwiceError(f"There is no mode {mode!r}; the modes are {', '.join(get_args(AskedMode))}.")
        known = self.load(product) if isinstance(product, str) else product
        if mode == "few-shot" and known is None:
            raise LooktwiceError("Few-shot mode needs references or a product.")
        if mode in ("zero-shot", "batch") and known is not None:
            raise LooktwiceError(f"Mode {mode!r} uses no references: leave out the product or the mode.")
        if mode == "auto":
            mode = "few-shot" if known else "zero-shot"
        return mode, self._ready(known) if known else None

    def _fitting(self, product: Product) -> Product:
        if product.weights != self.backbone.digest:
            raise ProductError(
                f"The product {product.name!r} was learned with the bundle {product.bundle!r} in another state; "
                "learn it again with this one."
            )
        if product.side != self.backbone.part.image_size:
            raise ProductError(
                f"The product {product.name!r} was learned at {product.side} pixels and this bundle sees "
                f"{self.backbone.part.image_size}; learn it again."
            )
        for memory in (product.dictionary, product.known.dictionary):
            memory.to(self.backbone.runtime.device)  # a product read from a file lies on the CPU
        return product

    def _ready(self, product: Product) -> Product:
        self._fitting(product).check(rule_of(self.detector.at(product.tiles), product.memory))
        return product

    def _run(
        self, sources: Iterable[Any], products: Sequence[Product | None], target: float
    ) -> Iterator[list[Inspection]]:
        limits = [p.calibration if p else self.limits.calibration(target) for p in products]
        cuts: defaultdict[int, list[int]] = defaultdict(list)
        for i, product in enumerate(products):
            cuts[product.tiles if product else 1].append(i)
        for entries in in_batches(read_ahead(sources, ahead=2 * self.batch_size), self.batch_size):
            start = time.perf_counter()
            pictures = [e.image.pixels for e in entries if e.image]
            features = {tiles: iter(self.detector.at(tiles).backbone.encode(pictures)) for tiles in cuts}
            seen = [{tiles: next(row) for tiles, row in features.items()} if e.image else {} for e in entries]
            encoding = 1000 * (time.perf_counter() - start) / len(entries)

            def judge(one: tuple[Entry, dict[int, Features]], ms: float = encoding) -> list[Inspection]:
                entry, looks = one
                if entry.image is None:
                    return [Inspection(entry.path, "error", entry.error)] * len(products)
                start = time.perf_counter()
                found: dict[int, Inspection] = {}
                for tiles, which in cuts.items():
                    judged = [(products[i], limits[i]) for i in which]
                    rows = self._judge(self.detector.at(tiles), entry, looks[tiles], judged)
                    found |= zip(which, rows, strict=True)
                ms += 1000 * (time.perf_counter() - start) / max(1, len(products))
                return [_timed(found[i], ms) for i in range(len(products))]

            yield from self.lanes.map(judge, list(zip(entries, seen, strict=True)))

    def _judge(
        self,
        detector: Detector,
        entry: Entry,
        seen: Features,
        judged: Sequence[tuple[Product | None, Calibration]],
    ) -> Iterator[Inspection]:
        """What is found in a picture that a detector saw, with each product and its limits."""
        sight = Sight.of(entry, seen, self.reader.read(seen))
        every = detector.maps(seen, [product for product, _ in judged])
        for (product, limit), maps in zip(judged, every, strict=True):
            contrast, lift, usual = None, 0.0, 0.0
            if product:
                maps, contrast = look_closer(detector, seen, maps, product)
                lift = float(detector.lift(seen, product.wholes, product.looked_at, product.foreground)[0])
                usual = detector.usual_lift(product.wholes)
            by_map = float(detector.score(maps, product.looked_at if product else None)[0])
            types = self.reader.ranker(sight.reading)
            if product and contrast is not None:
                types = self._known_first(product, seen, contrast, types)
            mode: Mode = "few-shot" if product else "zero-shot"
            yield self._conclude(sight, maps[0], Scored(by_map + lift, lift, usual), mode, limit, product, types)

    def _run_batch(
        self, sources: Iterable[Any], target: float, tell: Callable[[float], None] | None
    ) -> Iterator[Inspection]:
        start = time.perf_counter()
        kept: list[Inspection | Sight] = []
        tokens: list[Tensor] = []
        rare: list[Tensor] = []
        for entries in in_batches(read_ahead(sources, ahead=2 * self.batch_size), self.batch_size):
            features = iter(self.backbone.encode([e.image.pixels for e in entries if e.image]))
            for entry in entries:
                if entry.image is None:
                    kept.append(Inspection(entry.path, "error", entry.error))
                    continue
                seen = next(features)
                tokens.append(self.detector.coarse_tokens(seen)[0].to(torch.bfloat16))
                rare.append(self.detector.zero_shot(seen)[0])
                kept.append(Sight.of(entry, seen, self.reader.read(seen)))
        sights = [sight for sight in kept if isinstance(sight, Sight)]
        results: Iterator[tuple[Tensor, float]] = iter(())
        if sights:
            require_batch(len(sights))
            maps, scores = self.detector.batch(tokens, rare, torch.stack([s.vector for s in sights]), tell)
            calibration = calibrate_batch(scores.tolist(), target=target)
            results = iter(zip(maps, scores.tolist(), strict=True))
        ms = 1000 * (time.perf_counter() - start) / max(1, len(kept))
        for sight in kept:
            if isinstance(sight, Inspection):
                yield sight
                continue
            found, score = next(results)
            types = self.reader.ranker(sight.reading)
            yield _timed(self._conclude(sight, found, Scored(score), "batch", calibration, None, types), ms)

    def _conclude(
        self,
        sight: Sight,
        found: Tensor,
        score: Scored,
        mode: Mode,
        calibration: Calibration,
        product: Product | None,
        types: Types | None,
    ) -> Inspection:
        looked_at = product.looked_at if product else None
        share = self.detector.at(product.tiles if product else 1).share
        coarse = self.reader.focus(found, sight.reading, share, looked_at).float().cpu().numpy()
        return Inspection(
            path=sight.path,
            mode=mode,
            score=score.value,
            p_value=calibration.p_value(score.value),
            threshold=calibration.threshold,
            review_threshold=calibration.review_threshold,
            verdict=calibration.verdict(score.value),
            regions=score.regions(coarse, calibration, (sight.width, sight.height), types),
            width=sight.width,
            height=sight.height,
            evidence=calibration.evidence,
            scale=(0.75 * calibration.threshold, 1.75 * calibration.threshold),
            looks_like=self.backbone.recognise(sight.vector),
            notices=sight.notices + ((WHOLE_DIFFERS,) if score.whole_differs(calibration) else ()),
            bundle=self.backbone.card.name,
            weights=self.backbone.digest,
            product=product.name if product else None,
            references=len(product.references) if product else 0,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            ms=sight.ms,
            coarse_map=coarse,
        )

    def _known_first(self, product: Product, seen: Features, contrast: Tensor, others: Types | None) -> Types:
        """Ranks the product's known defects for a region, and the vocabulary after them."""
        tokens = self.detector.tokens(seen)[0]

        def rank(mask: NDArray[np.bool_]) -> tuple[DefectType, ...]:
            known = product.known.recognise(tokens, contrast[0], torch.from_numpy(mask))
            return known + (others(mask) if others else ())

        return rank


def _timed(row: Inspection, ms: float) -> Inspection:
    return row if row.ms is None else replace(row, ms=round(row.ms + ms, 2))
