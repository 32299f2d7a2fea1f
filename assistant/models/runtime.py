"""Runtimes of an image tower: torch on any device, or OpenVINO on the CPU.

Both are the same function, pixels in, layers and vector out, equal within `TOLERANCE`. OpenVINO is the default on
the CPU, where it is several times faster. `prepare` makes its files once, during a pull.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from assistant.errors import WeightsError
from assistant.models.card import TOWER_FILES, Bundle, Card
from assistant.models.granted import processors_granted, usable_processors
from assistant.models.telemetry import import_openvino
from assistant.models.towers import CLASSES, PatchTower, Tokenize, build_image_tower, build_text_tower

GRAPH = "openvino/image.xml"
CLASS_NAMES = "classes.json"
CLASS_COUNT = 1000  # of ImageNet
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
        hints: dict[str, object] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if (granted := processors_granted()) < usable_processors():  # which is what OpenVINO goes by
            hints["INFERENCE_NUM_THREADS"] = granted
        try:
            self._model = openvino.Core().compile_model(str(graph), "CPU", hints)
        except RuntimeError as error:
            raise WeightsError("The compiled image tower cannot be read; run `looktwice pull` again.") from error

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        request = self._model.create_infer_request()
        outputs = [request.infer([picture.contiguous().numpy()]) for picture in torch.split(pixels, 1)]
        return tuple(torch.cat([torch.from_numpy(one[port]) for one in outputs]) for port in self._model.outputs)


def choose_runtime(
    asked: str, device: torch.device, folder: Path, *, bf16: bool = False
) -> tuple[Literal["torch", "openvino"], str]:
    """Which runtime the bundle in a folder gets, and why, as the end of a sentence.

    `asked` is "torch", "openvino" or "auto". WeightsError for another one, or for OpenVINO where it cannot run.
    """
    if asked not in ("auto", "torch", "openvino"):
        raise WeightsError(f"There is no runtime {asked!r}; the runtimes are auto, torch and openvino.")
    if asked == "torch":
        return "torch", "because it was asked for"
    if device.type != "cpu":
        against = f"because OpenVINO is for the CPU here and the device is {device}"
    elif bf16:
        against = "because bf16 was asked for"
    elif not (folder / GRAPH).is_file():
        against = "because a pull compiles convolutional towers only, and this is none"
    else:
        return "openvino", "because the device is the CPU and the pull compiled the tower for it"
    if asked == "openvino":
        raise WeightsError(f"The bundle {folder.name!r} cannot run in OpenVINO here; use the torch runtime.")
    return "torch", against


def prepare(card: Card, folder: Path) -> None:
    """Finish a freshly pulled bundle: the vectors of the class names, and the compiled image tower.

    Writes openvino/ into `folder` for convolutional towers, classes.safetensors and classes.json for towers that
    know the ImageNet classes or share a space with text.
    """
    if not isinstance(card, Bundle):
        return
    text, tokenize = build_text_tower(card, folder)  # which also says whether it can be read
    if card.image.kind == "open_clip" or _knows_classes(folder):
        _write_classes(text, tokenize, folder)
    if card.image.kind == "timm":
        tower = build_image_tower(card, folder)
        if not hasattr(tower.visual.trunk, "patch_embed"):  # a graph of a transformer would hold one size alone
            export_graph(tower, folder / GRAPH)


def _knows_classes(folder: Path) -> bool:
    """Whether the weights of an image tower bring a classifier of the ImageNet classes."""
    from safetensors import safe_open

    with safe_open(str(folder / TOWER_FILES["image"]), "pt") as file:
        if "classifier.weight" not in file.keys():  # noqa: SIM118 - not a dict
            return False
        return bool(file.get_slice("classifier.weight").get_shape()[0] == CLASS_COUNT)


def _write_classes(text: torch.nn.Module, tokenize: Tokenize, folder: Path) -> None:
    names = class_names()
    sentences = [f"a photo of a {name}" for name in names]
    with torch.inference_mode():
        vectors = torch.cat([text(tokenize(sentences[i : i + 64])) for i in range(0, len(names), 64)])
    _save(vectors, folder / CLASSES)
    (folder / CLASS_NAMES).write_text(json.dumps(names), encoding="utf-8")


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
    return [info.index_to_description(i).split(",")[0].strip() for i in range(CLASS_COUNT)]


def _save(vectors: Tensor, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"names": torch.nn.functional.normalize(vectors.float(), dim=-1).contiguous()}, path)
