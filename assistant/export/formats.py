"""Writes a recorded computation as ONNX or as OpenVINO's own format, in float32 or with an int8 tower."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from assistant.errors import LooktwiceError
from assistant.models.telemetry import import_openvino

Format = Literal["onnx", "openvino"]
FILES: dict[str, str] = {"onnx": "graph.onnx", "openvino": "graph.xml"}
OUTPUTS = ("map", "score", "verdict")
OPSET = 20
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def check_format(format: str) -> None:
    """LooktwiceError for a format that is none, or where what writes it is not installed."""
    if format not in get_args(Format):
        raise LooktwiceError(f"There is no format {format!r}; the formats are {' and '.join(get_args(Format))}.")
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise LooktwiceError(
            f"Exporting needs {' and '.join(missing)}: install them with pip install 'looktwice[export]'."
        )


def write_onnx(module: fx.GraphModule, example: Tensor, path: Path) -> None:
    """A recorded module as one ONNX file in float32, its input `picture` and its outputs `OUTPUTS`."""
    with torch.no_grad(), _quiet():
        program = torch.export.export(module, (example,))
        written: Any = torch.onnx.export(
            program,
            dynamo=True,
            optimize=False,
            verbose=False,
            opset_version=OPSET,
            input_names=["picture"],
            output_names=list(OUTPUTS),
        )
    written.save(str(path), external_data=False)


def quantise(path: Path, pictures: Iterable[NDArray[Any]]) -> None:
    """Turn the convolutions of an ONNX file to int8, by what they see in pictures [H, W, 3]; all else stays."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quiet():
        quantize_static(
            str(path),
            str(path),
            _Given(pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True},
        )


class _Given:
    """Pictures one by one, as onnxruntime asks for them."""

    def __init__(self, pictures: Iterable[NDArray[Any]]) -> None:
        self._rows = iter(pictures)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        row = next(self._rows, None)
        return None if row is None else {"picture": np.ascontiguousarray(row)}


def to_openvino(path: Path, target: Path) -> None:
    """An ONNX file as OpenVINO's graph.xml and graph.bin, its numbers as they are."""
    openvino = import_openvino()
    openvino.save_model(openvino.convert_model(str(path)), str(target), compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters tell how they go about it; what goes wrong is raised."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
