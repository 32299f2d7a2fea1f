"""How long anomalib's OpenVINO inferencer takes a picture: `PYTHON -P eval/research/speed_anomalib.py FOLDER`.

PYTHON belongs to an environment of its own (`pip install "anomalib[openvino]==2.7.*"`). This file runs there and
imports nothing of this package. PatchCore learns from the first four pictures of the folder, is exported as
anomalib does it, and its inferencer reads and scores the next ones from their files. Towers have random weights:
nothing is fetched, and the time does not hang on them. `looktwice eval speed FOLDER` times this package beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

REFERENCES, COUNT, WARM_UP = 4, 32, 3
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")


def learn(backbone: str, side: int, references: list[Path]) -> Any:
    """A PatchCore with anomalib's defaults but for the size, its memory from these pictures."""
    import torch
    from anomalib.data.utils import read_image
    from anomalib.models import Patchcore

    torch.manual_seed(0)
    model = Patchcore(
        backbone=backbone, pre_trained=False, pre_processor=Patchcore.configure_pre_processor((side, side))
    )
    model.model.train()
    model.model.feature_extractor.eval()
    for path in references:
        pixels = model.pre_processor.transform(read_image(path, as_tensor=True)[None])
        model.model(pixels)
    model.model.subsample_embedding(model.coreset_sampling_ratio)
    return model.eval()


def read(path: Path, side: int) -> Any:
    """The picture at the size of the graph, which takes no other."""
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)


def time_inferencer(backbone: str, side: int, paths: list[Path]) -> dict[str, Any]:
    """A row: median and 95 % of the time of a picture in ms, from its file to its map and score."""
    from anomalib.deploy import OpenVINOInferencer

    references, shown = paths[:REFERENCES], paths[REFERENCES : REFERENCES + COUNT]
    model = learn(backbone, side, references)
    with tempfile.TemporaryDirectory() as folder:
        one = {"dynamic_axes": None, "dynamic_shapes": None}  # a batch of any size is exported as one of two
        graph = model.to_openvino(folder, input_size=(side, side), onnx_kwargs=one)
        inferencer = OpenVINOInferencer(path=graph, device="CPU")
        for path in shown[:WARM_UP]:
            inferencer.predict(read(path, side))
        times = []
        for path in shown:
            start = time.perf_counter()
            inferencer.predict(read(path, side))
            times.append(1000 * (time.perf_counter() - start))
    times.sort()
    return {
        "backbone": backbone,
        "side": side,
        "entries": len(model.model.memory_bank),
        "pictures": len(times),
        "median_ms": round(statistics.median(times), 1),
        "slow_ms": round(times[int(0.95 * (len(times) - 1))], 1),
        "machine": platform.machine(),
    }


def main() -> None:
    """Print a JSON row for each tower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--backbone", nargs="+", default=["resnet18", "wide_resnet50_2"])
    asked = parser.parse_args()
    paths = sorted(path for path in asked.folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if len(paths) < REFERENCES + WARM_UP:
        parser.error(f"{asked.folder} holds {len(paths)} pictures; at least {REFERENCES + WARM_UP} are needed.")
    for backbone in asked.backbone:
        print(json.dumps(time_inferencer(backbone, asked.side, paths)), flush=True)


if __name__ == "__main__":
    main()
