"""An inspector without a model, for the front end: what it says depends on the picture and the product alone."""

import json
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from assistant.errors import ImageError, ProductError
from assistant.images.load import load_image
from assistant.inspection import Answer, Evidence, Inspection, Region
from assistant.products.product import Change
from assistant.products.teaching import DoubtfulTeaching

ORIGIN = "estimated for 5 % false alarms from <b>4</b> good pictures"
STEP = 0.3  # by which a score moves with each correction


@dataclass(frozen=True)
class StubProduct:
    name: str
    count: int = 3
    history: tuple = ()

    calibration = SimpleNamespace(
        threshold=0.5,
        review_threshold=0.45,
        target=0.05,
        verdict=lambda score: "defect" if score > 0.5 else "good",
    )
    references = ()

    def state(self):
        return json.dumps({"history": [asdict(change) for change in self.history], "references": []}), {}

    @property
    def past(self):
        """A way back over each change."""
        return [
            SimpleNamespace(settings=replace(self, history=self.history[:i]).state()[0])
            for i in range(len(self.history))
        ]

    @property
    def lift(self):
        return STEP * sum(1 if change.what == "defect" else -1 for change in self.history)

    def undo(self):
        return replace(self, history=self.history[:-1])


class StubStore:
    """Keeps products in memory, and a file for each of them that changes when it does."""

    def __init__(self, inspector):
        self._inspector = inspector
        self._folder = tempfile.TemporaryDirectory()
        for name in inspector.products:
            self.path(name).touch()

    def names(self):
        return sorted(self._inspector.products)

    def path(self, name):
        return Path(self._folder.name) / name

    def state(self, name):
        file = self.path(name)
        return (file.stat().st_size,) if file.is_file() else None

    def missing(self, name):
        return f"There is no product {name!r}; the products are: bracket."

    def load(self, name):
        return self._inspector.load(name)

    def held(self, name):
        return nullcontext()

    def save(self, product, actor=None):
        self._inspector.saved.append((product.name, actor))
        self._inspector.products[product.name] = product
        self.path(product.name).write_text("x" * len(self._inspector.saved))


class StubInspector:
    """Scores a picture by its brightness and answers with what it was asked, so that a mix-up shows."""

    explainer = None

    def __init__(self):
        self.products = {"bracket": StubProduct("bracket")}
        self.store = StubStore(self)
        self.learned = []
        self.compared = []
        self.histories = []
        self.saved = []
        self.taught = []
        self.shipped = []
        self.doubted = set()  # names of pictures that are hardly good parts

    def learn(self, name, references, config=None, *, tell=None, **fields):
        for reference in references:
            load_image(reference)
        self.learned.append([Path(reference).name for reference in references])
        if tell:
            tell("Looking at the references", 0.5)
        return StubProduct(name, len(references))

    def load(self, name):
        if name not in self.products:
            raise ProductError(self.store.missing(name))
        return self.products[name]

    def correct(self, product, inspected, correction, label=None, mask=None, confirm=False):
        name, kind = load_image(inspected).name, "good" if correction == "false alarm" else "defect"
        if any(change.name == name for change in product.history):
            return product
        if name in self.doubted and kind == "good" and not confirm:
            raise DoubtfulTeaching(f"{name} is <far> above", product, product)
        self.taught.append((name, correction, label, mask))
        change = Change("now", kind, len(product.history), name, label or "")
        return replace(product, history=(*product.history, change))

    def inspect(
        self,
        images,
        product=None,
        mode="auto",
        *,
        target_false_alarm=0.05,
        zero_shot_limits=False,
        window=None,
        tell=None,
    ):
        self.compared.append(product)
        self.shipped.append(zero_shot_limits)
        known = self.load(product) if isinstance(product, str) else product
        return (self._inspect(image, known) for image in images)

    def ask(self, inspection, question, history=(), picture=None, language=None, product=None):
        if question == "break":
            raise RuntimeError("/secret/path/model.bin at 0x7f00")
        self.histories.append(tuple(history))
        return Answer(f"{inspection.path} [R1] {len(history)}: {question}", ("R1",))

    def _inspect(self, path, product):
        try:
            pixels = load_image(path).pixels
        except ImageError as error:
            return Inspection(str(path), "error", str(error))
        score = float(pixels.mean()) / 255 + (product.lift if product else 0.0)
        verdict = "defect" if score > 0.5 else "good"
        region = Region("R1", (1, 2, 9, 8), 48, 0.0234, score, "top left", "moderate")
        return Inspection(
            path=str(path),
            mode="few-shot" if product else "zero-shot",
            score=score,
            p_value=0.01,
            threshold=0.5,
            review_threshold=0.45,
            verdict=verdict,
            regions=(region,) if verdict == "defect" else (),
            width=pixels.shape[1],
            height=pixels.shape[0],
            evidence=Evidence("predictive", ORIGIN, 4, 0.05, 0.2),
            scale=(0.25, 1.0),
            notices=("read as <12-bit>",),
            product=product.name if product else None,
            references=product.count if product else 0,
            coarse_map=np.linspace(0, score, 16, dtype=np.float32).reshape(4, 4),
        )
