"""Runtimes of an image tower: torch on any device, or OpenVINO on the CPU.

Both are the same function, pixels in, layers and vector out, equal within `TOLERANCE`. OpenVINO is the default on
the CPU, where it is several times faster. `prepare` makes its files once, during a pull.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from assistant.errors import WeightsError
from assistant.models.card import Bundle
from assistant.models.telemetry import import_openvino
from assistant.models.towers import CLASSES, PatchTower, build_image_tower, build_text_tower

GRAPH = "openvino/image.xml"
CLASS_NAMES = "classes.json"
TOLERANCE = 1e-3
"""Largest difference between the runtimes, relative to the largest value of the output. fp32 on both sides."""


class Runtime(Protocol):
    """Pixels [B, 3, h, w] float32, normalised -> what `PatchTower` gives, float32 on `device`."""

    device: torch.device

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]: ...


class TorchRuntime:
    """Any device; bf16 arithmetic on request, results in float32. Calls run one after the other."""

    def __init__(self, tower: PatchTower, device: torch.device, *, bf16: bool = False) -> None:
        self.device = device
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self.tower = tower.to(device, self.dtype).eval()
        self._lock = threading.Lock()  # a ViT swaps its positions for the length of a call

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        with self._lock:
            outputs = self.tower(pixels.to(self.device, self.dtype))
        return tuple(output.float() for output in outputs)


class OpenVinoRuntime:
    """The CPU, compiled. One instance may be called from several threads.

    The pictures of a call run one after the other: side by side they take as long, and the compiled model never
    gives back the room that their layers take, some 30 MB for each more picture in the pocket tower.
    """

    def __init__(self, graph: Path) -> None:
        openvino = import_openvino()
        self.device = torch.device("cpu")
        hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        try:
            self._model = openvino.Core().compile_model(str(graph), "CPU", hints)
        except RuntimeError as error:
            raise WeightsError("The compiled image tower cannot be read; run `looktwice pull` again.") from error

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        request = self._model.create_infer_request()
        outputs = [request.infer([picture.contiguous().numpy()]) for picture in torch.split(pixels, 1)]
        return tuple(torch.cat([torch.from_numpy(one[port]) for one in outputs]) for port in self._model.outputs)


def prepare(card: Bundle, folder: Path) -> None:
    """Finish a freshly pulled bundle: the vectors of the class names, and the compiled image tower.

    Writes classes.safetensors, classes.json and, for convolutional towers, openvino/ into `folder`.
    """
    names = class_names()
    tower, tokenize = build_text_tower(card, folder)
    sentences = [f"a photo of a {name}" for name in names]
    with torch.inference_mode():
        vectors = torch.cat([tower(tokenize(sentences[i : i + 64])) for i in range(0, len(names), 64)])
    _save(vectors, folder / CLASSES)
    (folder / CLASS_NAMES).write_text(json.dumps(names), encoding="utf-8")
    if card.image.kind == "timm":
        export_graph(build_image_tower(card, folder), folder / GRAPH)


def export_graph(tower: PatchTower, graph: Path) -> None:
    """Write a tower as OpenVINO IR in fp32 that takes any batch and size."""
    openvino = import_openvino()
    graph.parent.mkdir(exist_ok=True)
    example = torch.zeros(1, 3, 64, 64)
    model: Any = openvino.convert_model(tower, example_input=example, input=[-1, 3, -1, -1])
    openvino.save_model(model, str(graph), compress_to_fp16=False)


def class_names() -> list[str]:
    """The 1,000 ImageNet class names, in the order of the classifier's outputs, without synonyms."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [info.index_to_description(i).split(",")[0].strip() for i in range(1000)]


def _save(vectors: Tensor, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"names": torch.nn.functional.normalize(vectors.float(), dim=-1).contiguous()}, path)
