"""The front door: `Inspector.from_pretrained`, then `learn` once, `inspect` many times, `teach`, and `ask`.

It joins pictures, detector, limits and language; each of them stands in a room of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, overload

import torch
from numpy.typing import NDArray
from PIL import Image

from assistant.detection.built_in import BuiltInLimits, load_limits, user_limits
from assistant.detection.calibration import Calibration, check_target
from assistant.detection.check_set import ESCAPE_COST, CheckSet
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.detector import Detector
from assistant.detection.judge import Judge
from assistant.detection.prior import Prior
from assistant.detection.reader import Reader
from assistant.detection.stream import InspectionStream
from assistant.detection.threads import PictureThreads
from assistant.detection.unrated import Unrated
from assistant.errors import CalibrationError, LooktwiceError, ProductError, told
from assistant.images.load import LoadedImage, Source, Window
from assistant.images.reading import Entry, read_ahead
from assistant.images.series import settle_window
from assistant.images.sources import is_lazy, walk_sources
from assistant.inspection import EARLIER_NAMES, Answer, AskedMode, Inspection, Mode, present_name, rank_unrated
from assistant.language.conversation import converse, prompt_for
from assistant.language.explainer import Explainer
from assistant.models.backbone import Backbone
from assistant.products.config import LearnConfig
from assistant.products.learning import fitting, learn_product, prior_for, ready
from assistant.products.masks import Mask
from assistant.products.opened import open_products
from assistant.products.pairs import find_product
from assistant.products.product import Product
from assistant.products.store import ProductStore
from assistant.products.teaching import Correction, Kind, Teacher
from assistant.products.ways import Chosen, try_ways
from assistant.progress import Tell, say_nothing

if TYPE_CHECKING:
    from assistant.export.card import ExportCard

Pixels: TypeAlias = bytes | Image.Image | NDArray[Any]
"""One picture that is no path."""

Pictures: TypeAlias = Source | Sequence[Source] | Iterable[Source]
"""A picture, a list of them, a folder, or an iterator."""

Results: TypeAlias = Inspection | list[Inspection] | Generator[Inspection]


class Inspector:
    """Finds defects in pictures, with or without good references. Safe to share between threads for reading.

    `teacher` changes products in more ways than `teach` and `correct`: it removes, masks, recalibrates, retargets.
    """

    def __init__(
        self,
        backbone: Backbone,
        store: ProductStore | None = None,
        at_once: int = 4,
        scoring: ScoringConfig = SHIPPED,
    ) -> None:
        self.backbone = backbone
        self.detector = Detector(backbone, scoring)
        self.teacher = Teacher(self.detector, lambda: self.prior)
        self.store = store or open_products()
        self.explainer: Explainer | None = None
        at_once = max(1, at_once)
        on_cores = backbone.runtime.device.type == "cpu"
        threads = PictureThreads(min(at_once, torch.get_num_threads()) if on_cores else 1)
        reader = Reader(backbone, self.detector.words.learned)
        self._stream = InspectionStream(Judge(self.detector, reader), at_once, threads)

    @classmethod
    def from_pretrained(
        cls,
        bundle: str = "pocket",
        *,
        device: str | None = None,
        runtime: str = "auto",
        bf16: bool = False,
        store: ProductStore | None = None,
        at_once: int = 4,
        explainer: str | None = None,
    ) -> Inspector:
        """An inspector with a pulled bundle; WeightsError says how to fetch what is missing.

        `device` is torch's name for it ("cpu", "cuda", "cuda:1", "mps"), by default the best there is. `at_once`:
        pictures that are read and encoded in one step. `explainer` names the language model that answers, see
        `language.load_explainer`; by default the template does.
        """
        backbone = Backbone.load(bundle, device=device, runtime=runtime, bf16=bf16)
        inspector = cls(backbone, store, at_once)
        if explainer:
            from assistant.language.loading import load_explainer  # it needs what the template does not

            inspector.explainer = load_explainer(explainer, backbone, device=device)
        return inspector

    def __repr__(self) -> str:
        return f"<Inspector: {self.backbone.card.name} on {self.backbone.runtime.device}>"

    def learn(
        self,
        name: str,
        references: Pictures,
        config: LearnConfig | None = None,
        *,
        tell: Tell | None = None,
        **fields: Any,
    ) -> Product:
        """Learn a product from one to a few good pictures: paths, a folder, PIL pictures or arrays.

        `config` says how, and `fields` are fields of it by name: `learn("bracket", folder, views="turns")`. `tell`
        hears how far it is. The product is returned, not kept: `save` keeps it. Copies of a picture count once.
        References of more than 8 bits teach the window through which all pictures of the product are read.
        ProductError for a bad name, a field that makes no sense, no reference, or the first one that cannot be
        read; WeightsError for a trained memory where nothing was trained.
        """
        config = LearnConfig.of(config, fields)
        sources = walk_sources(references)
        listed = [] if isinstance(references, Iterator) else list(sources)
        brightness = partial(tell or say_nothing, "Looking at the brightness of the references")
        window, sources = settle_window(listed or sources, config.window, brightness)
        config = replace(config, window=window)
        pictures = _usable(name, read_ahead(sources, windows=[window]))
        return learn_product(self.detector, name, pictures, config, prior=self.prior, tell=tell, count=len(listed))

    @overload
    def inspect(
        self,
        images: Pixels,
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Inspection: ...
    @overload
    def inspect(
        self,
        images: str | Path,
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Inspection | Generator[Inspection]: ...
    @overload
    def inspect(
        self,
        images: list[Any] | tuple[Any, ...],
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> list[Inspection]: ...
    @overload
    def inspect(
        self,
        images: Iterator[Source],
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Generator[Inspection]: ...
    def inspect(
        self,
        images: Pictures,
        product: Product | str | None = None,
        mode: AskedMode = "auto",
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
        window: Window | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> Results:
        """Inspect one picture, a list of them, a folder, or what an iterator gives.

        A picture (path, bytes, PIL, array [H, W] or [H, W, 3|4]) gives an Inspection, a list gives a list of them,
        a folder or an iterator gives a lazy iterator. `mode` "auto" is few-shot with a product and zero-shot
        without. "mutual" scores the pictures against each other and needs all of them before the first result; its
        progress in [0, 1] goes to `tell`. `target_false_alarm` counts where there is no product; a product has its
        own. Zero-shot verdicts are "unrated", unless the bundle's limits were measured by the user or
        `zero_shot_limits` lets the shipped ones decide. Of a list, unrated pictures have their `rank`. A product's
        pictures are read through its window, those of a mutual batch through one that they teach together, others
        each by its own range; `window` is another one where there is no product.

        A picture that cannot be read becomes an Inspection with status "error". LooktwiceError where the
        request itself makes no sense.
        """
        chosen, known = self._settle(mode, product, target_false_alarm)
        if known and window:
            raise LooktwiceError("A product was learned with a window of its own: leave out the window.")
        sources = walk_sources(images)
        if chosen == "mutual":
            several = sources if isinstance(images, Iterator) else list(sources)
            results = self._stream.mutual(several, target_false_alarm, window, tell)
        else:
            limits = [self.limits_for(known, target_false_alarm, zero_shot_limits)]
            through = [known.window if known else window or Window()]
            results = (row for [row] in self._stream.compare(sources, [known], limits, through))
        if is_lazy(images):
            return results
        return rank_unrated(list(results)) if isinstance(images, list | tuple) else next(results)

    def inspect_many(
        self,
        images: Pictures,
        products: Sequence[Product | None],
        *,
        target_false_alarm: float = 0.05,
        zero_shot_limits: bool = False,
    ) -> Generator[list[Inspection]]:
        """Inspect pictures against several products, encoding each picture once; lazily.

        `images` as in `inspect`. Gives, for each picture, what `inspect` finds with each of `products`, None
        being zero-shot, as `zero_shot_limits` has it.
        """
        self.backbone.home.check()
        check_target(target_false_alarm)
        known = [ready(product, self.detector) if product else None for product in products]
        limits = [self.limits_for(product, target_false_alarm, zero_shot_limits) for product in known]
        windows = [product.window if product else Window() for product in known]
        return self._stream.compare(walk_sources(images), known, limits, windows)

    def check(
        self, product: Product | str, good: Pictures, bad: Pictures, escape_cost: float = ESCAPE_COST
    ) -> CheckSet:
        """How a product judges parts that are known to be good and bad, and which limits would judge them better.

        `good` and `bad`: as in `inspect`. Nothing is changed: `teacher.keep_limits` keeps what it recommends.
        `escape_cost`: what a bad part called good costs, in good ones called defective. CalibrationError where no
        good or no bad part can be read.
        """
        known = self.load(product) if isinstance(product, str) else product
        rows = [list(self.inspect(iter(walk_sources(images)), known)) for images in (good, bad)]
        return CheckSet.of(known.calibration, rows[0], rows[1], escape_cost, prior_for(known, self.prior))

    def choose(
        self,
        product: Product | str,
        good: Pictures,
        bad: Pictures,
        *,
        references: Pictures = (),
        tell: Tell | None = None,
    ) -> Chosen:
        """Which other way to look at a product ranks parts best that are known to be good and bad.

        Views, alignment, tiles and layers are tried on parts held out, see `products.ways`; from eight parts of
        each kind on. `references`: the product's reference pictures, for more tiles. Nothing is changed. `tell` as
        in `learn`. CalibrationError where no good or no bad part can be read.
        """
        known = self.load(product) if isinstance(product, str) else product
        given = [iter(walk_sources(images)) for images in (good, bad)]
        originals = iter(walk_sources(references)) if references else ()
        return try_ways(
            self.detector,
            ready(known, self.detector),
            *given,
            references=originals,
            prior=self.prior,
            tell=tell,
        )

    def export(
        self,
        product: Product | str,
        out: str | Path,
        format: str = "onnx",
        *,
        int8: bool = False,
        size: tuple[int, int] | None = None,
        verify: Sequence[Path] = (),
        tell: Tell | None = None,
    ) -> ExportCard:
        """Write a product into a new folder that decides without this library: graph, card and runners.

        `format` is "onnx" or "openvino"; `int8` sets the tower's convolutions by the references' pictures. `size`
        (width, height) is that of the pictures, by default the references'. On pictures to `verify` graph and
        library are compared, see `verify_export`. `tell` as in `learn`. ProductError for a product that is no one
        graph, LooktwiceError where the folder is there already or what writes it is not installed.
        """
        from assistant.export.exporting import export_product  # it needs what inspecting does not

        known = self.load(product) if isinstance(product, str) else product
        card = export_product(
            self.backbone, ready(known, self.detector), Path(out), format, int8=int8, size=size, tell=tell
        )
        return self.verify_export(known, out, verify, tell) if verify else card

    def verify_export(
        self, product: Product | str, out: str | Path, pictures: Sequence[Path], tell: Tell | None = None
    ) -> ExportCard:
        """Compare an exported folder with what `inspect` finds on pictures, and write that into its card.

        LooktwiceError where the folder holds something else than this state of the product, or takes none of the
        pictures.
        """
        from assistant.export.exporting import verify_export

        known = self.load(product) if isinstance(product, str) else product

        def look(path: Path) -> Inspection:
            return next(iter(self.inspect([path], known)))

        return verify_export(Path(out), known, pictures, look, tell)

    def teach(
        self,
        product: Product,
        images: Pictures,
        as_: Kind = "good",
        label: str | None = None,
        mask: Mask | None = None,
        confirm: bool = False,
    ) -> Product:
        """The product with more good parts, or with more defects to recognise: `Teacher.teach`."""
        return self.teacher.teach(product, images, as_, label, mask, confirm)

    def correct(
        self,
        product: Product,
        inspected: Inspection | Source,
        correction: Correction,
        label: str | None = None,
        mask: Mask | None = None,
        confirm: bool = False,
    ) -> Product:
        """The product after somebody looked, a "false alarm" or a "missed" defect: `Teacher.correct`."""
        return self.teacher.correct(product, inspected, correction, label, mask, confirm)

    def ask(
        self,
        inspection: Inspection | Sequence[Inspection],
        question: str,
        history: Sequence[tuple[str, str]] = (),
        picture: Source | None = None,
        language: str | None = None,
        product: Product | None = None,
    ) -> Answer:
        """Answer a question about one or several inspections, from their evidence alone.

        `history`: earlier (question, answer) pairs about the same, oldest first. `picture`: the inspected one, for
        an explainer that looks; read again from where it lay if it is left out and still there. `language`: that
        of the answer, "en", "de", "es" or "zh", by default that of the question. `product`: what it was judged
        with, by default the kept one of that name; such an explainer is shown its good parts.
        """
        return list(self.stream(inspection, question, history, picture, language, product))[-1]

    def stream(
        self,
        inspection: Inspection | Sequence[Inspection],
        question: str,
        history: Sequence[tuple[str, str]] = (),
        picture: Source | None = None,
        language: str | None = None,
        product: Product | None = None,
    ) -> Iterator[Answer]:
        """As `ask`, in snapshots of a growing answer, the last of them final. Close to stop."""
        if self.explainer:
            self.backbone.home.check()
        asked = (inspection,) if isinstance(inspection, Inspection) else tuple(inspection)
        if not asked:
            raise LooktwiceError("There is no inspection to ask about.")
        product_of = self.product_of if product is None else lambda one: product
        prompt = prompt_for(self.explainer, asked, question, history, picture, language, product_of)
        return converse(self.explainer, prompt)

    def save(self, product: Product, actor: str | None = None) -> Path:
        """Keep a product, so that `load` and the command line find it by name; `actor` is for the audit log."""
        return self.store.save(product, actor)

    def load(self, name: str) -> Product:
        """A kept product; ProductError where there is none or it was made with another bundle."""
        return fitting(self.store.load(name), self.detector)

    def product_of(self, inspection: Inspection) -> Product | None:
        """The kept product that an inspection was judged with, None where there is none by that name any more."""
        return find_product(inspection, self.store.load)

    @cached_property
    def limits(self) -> BuiltInLimits:
        """The bundle's built-in limits; CalibrationError where it has none."""
        return load_limits(self.backbone.card.name, self.backbone.digest)

    def limits_for(
        self, product: Product | None, target: float, zero_shot_limits: bool = False
    ) -> Calibration | Unrated:
        """What decides on a picture; CalibrationError where limits are asked to that are missing or stale."""
        if product:
            return product.calibration
        try:
            words = self.detector.words.digest(self.detector.config)
            return self.limits.without_product(target, zero_shot_limits, words)
        except CalibrationError:
            if zero_shot_limits or user_limits(self.backbone.card.name).is_file():
                raise
            return Unrated(target)

    @property
    def prior(self) -> Prior:
        """What other products teach about few references; of a bundle without limits of its own, what is usual."""
        try:
            return self.limits.prior
        except CalibrationError:
            return Prior()

    def _settle(
        self, mode: AskedMode, product: Product | str | None, target: float
    ) -> tuple[Mode, Product | None]:
        self.backbone.home.check()
        check_target(target)
        if mode in EARLIER_NAMES:
            warnings.warn("Mode 'batch' is called 'mutual' now.", DeprecationWarning, stacklevel=3)
            mode = present_name(mode)
        if mode not in get_args(AskedMode):
            raise LooktwiceError(f"There is no mode {mode!r}; the modes are {', '.join(get_args(AskedMode))}.")
        known = self.load(product) if isinstance(product, str) else product
        if mode == "few-shot" and known is None:
            raise LooktwiceError("Few-shot mode needs references or a product.")
        if mode in ("zero-shot", "mutual") and known is not None:
            raise LooktwiceError(f"Mode {mode!r} uses no references: leave out the product or the mode.")
        if mode == "auto":
            mode = "few-shot" if known else "zero-shot"
        return mode, ready(known, self.detector) if known else None


def _usable(name: str, entries: Iterable[Entry]) -> Iterator[LoadedImage]:
    """The pictures of a product's references as they are read; ProductError at the first that cannot be."""
    for entry in entries:
        if entry.image is None:
            raise ProductError(told(f"A reference of {name!r} cannot be used: {entry.error}"))
        yield entry.image
