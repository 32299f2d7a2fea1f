"""Decides on pictures by the graph beside this file: python run.py PICTURE...

Needs numpy, Pillow, and onnxruntime or openvino; nothing else.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
CARD = json.loads((HERE / "card.json").read_text("utf-8"))
TAKES = CARD["picture"]


def load_graph() -> Any:
    """A function from a picture [H, W, 3] to its map [h, w], its score, and the number of its verdict."""
    if CARD["format"] == "openvino":
        import openvino

        compiled = openvino.compile_model(HERE / "graph.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return lambda picture: [*compiled([picture]).values()]
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # it tells what it does not fold
    session = onnxruntime.InferenceSession(HERE / "graph.onnx", providers=["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"picture": picture})


def read(path: Any) -> Any:
    """A picture as it is displayed, [H, W, 3]; ValueError for one that the graph does not take."""
    with Image.open(path) as image:
        layout: Any = image.tile[0].args if image.tile else ""
        deep = "16" in str(layout if isinstance(layout, str) else layout[0])
        if deep != (TAKES["type"] == "uint16") or (deep and (image.format, image.mode[:4]) != ("PNG", "I;16")):
            raise ValueError(f"{path} has other samples than the {TAKES['type']} ones that the graph takes")
        if image.mode not in ("1", "L", "P", "RGB", "LA", "PA", "RGBA") and not deep:
            raise ValueError(f"{path} is neither grey nor RGB")
        shown = ImageOps.exif_transpose(image)
        if not deep and (shown.mode in ("LA", "PA", "RGBA") or "transparency" in shown.info):
            clear = shown.convert("RGBA")
            shown = Image.new("RGB", clear.size, "white")
            shown.paste(clear.convert("RGB"), mask=clear.getchannel("A"))
        pixels = np.asarray(shown if deep else shown.convert("RGB"))
    if pixels.shape[:2] != (TAKES["height"], TAKES["width"]):
        raise ValueError(f"{path} is not of the {TAKES['width']} x {TAKES['height']} pixels that the graph takes")
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))


if __name__ == "__main__":
    decide = load_graph()
    for name in sys.argv[1:]:
        try:
            _, score, verdict = decide(read(name))
            print(f"{CARD['verdicts'][int(verdict)]}\t{float(score):.6f}\t{name}")
        except (OSError, ValueError) as error:
            print(f"error\t\t{error}")
