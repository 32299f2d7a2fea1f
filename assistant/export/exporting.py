"""Writes a product into a folder that decides without this library: graph, card and runners."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.export.card import ExportCard
from assistant.export.decision import Decision, check_exportable, size_of
from assistant.export.formats import FILES, check_format, quantise, to_openvino, write_onnx
from assistant.export.parity import measure_parity
from assistant.inspection import Inspection
from assistant.models.backbone import Backbone
from assistant.products.product import Product
from assistant.progress import Tell, say_nothing

RUNNERS = {"run.py": "run.py", "run.cpp": "{format}.cpp"}
"""The runners of a folder, and the files that they are copies of."""


def export_product(
    backbone: Backbone,
    product: Product,
    out: Path,
    format: str = "onnx",
    *,
    int8: bool = False,
    size: tuple[int, int] | None = None,
    tell: Tell | None = None,
) -> ExportCard:
    """Write a product into a new folder, whole or not at all; see `Inspector.export`."""
    tell = tell or say_nothing
    check_format(format)
    check_exportable(product)
    check_folder(out)
    if int8 and product.window.levels is not None:
        raise LooktwiceError("An int8 tower is set by pictures of 8 bits, and this product reads deeper ones.")
    decision = Decision(backbone, product, size or size_of(product))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.parent) as made:
        folder = Path(made) / out.name
        folder.mkdir()
        tell("Recording the decision", 0.0)
        module = decision.record()
        graph = folder / FILES["onnx"]
        tell("Writing the graph", 0.2)
        write_onnx(module, decision.example, graph)
        if int8:
            tell("Setting the int8 tower", 0.7)
            quantise(graph, _kept(product, decision.size))
        if format == "openvino":
            to_openvino(graph, folder / FILES[format])
            graph.unlink()
        for name, original in RUNNERS.items():
            source = files("assistant.export") / "runners" / original.format(format=format)
            (folder / name).write_bytes(source.read_bytes())
        card = ExportCard.of(product, folder, decision.size, decision.grid, format, int8)
        card.write(folder)
        folder.rename(out)
    tell("Written", 1.0)
    return card


def verify_export(
    folder: Path,
    product: Product,
    pictures: Sequence[Path],
    inspect: Callable[[Path], Inspection],
    tell: Tell | None = None,
) -> ExportCard:
    """Compare what was exported with the library on pictures, and write what was found into its card."""
    card = ExportCard.read(folder)
    if card.product != product.name or card.digests["product"] != product.seal:
        raise LooktwiceError(f"{folder.name} holds another product, or an earlier state of it: export it again.")
    card = card.with_parity(measure_parity(folder, pictures, inspect, tell))
    card.write(folder)
    return card


def check_folder(out: Path) -> None:
    """LooktwiceError where a folder to be written is there already."""
    if out.exists() or out.is_symlink():
        raise LooktwiceError(f"{out.name} is there already: name a new folder.")


def _kept(product: Product, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The kept pictures of a product at a size (width, height)."""
    for picture in product.pictures.values():
        with Image.open(io.BytesIO(picture.numpy().tobytes())) as image:
            yield np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
