"""How the picture of a result is drawn: in which view, how strong the map on it is, and what its colours mean."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.face.session import Result
from assistant.face.words import show_legend
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.overlay import colorize, draw_boxes, draw_overlay

VIEWS = (message("Overlay"), message("Compare"), message("Map"), message("Original"))
SCALES = (message("Product's scale"), message("This picture's range"))


@dataclass(frozen=True)
class DrawingOptions:
    """How a picture is shown: one of VIEWS, the map's opacity in [0, 1], on which of SCALES its colours run."""

    view: str = VIEWS[0]
    opacity: float = 0.5
    scale: str = SCALES[0]

    def __post_init__(self) -> None:
        if self.view not in VIEWS or self.scale not in SCALES or not 0 <= self.opacity <= 1:
            raise LooktwiceError("There is no such view, opacity or colour scale.")

    def scaled(self, inspection: Inspection) -> Inspection:
        """An inspection whose colours run on the chosen scale."""
        coarse = inspection.coarse_map
        if self.scale == SCALES[0] or coarse is None or not float(coarse.min()) < float(coarse.max()):
            return inspection
        return replace(inspection, scale=(float(coarse.min()), float(coarse.max())))


def drawn(shown: Result, options: DrawingOptions, w: Wording = ENGLISH_WORDS) -> list[Any]:
    """Values for the picture, the comparison (seen in its own view alone) and the legend."""
    inspection = options.scaled(shown.inspection)
    bare = options.view == "Original" or inspection.coarse_map is None
    legend = "" if bare else show_legend(inspection.scale, w(options.scale))
    if shown.picture is None:
        kept = Image.open(io.BytesIO(shown.preview)).convert("RGB") if shown.preview else None
        return [kept, gr.ImageSlider(visible=False), ""]
    if options.view == "Map":
        return [_map_of(inspection), gr.ImageSlider(visible=False), legend]
    pixels = shown.pixels
    plain = draw_boxes(pixels, ())
    if options.view == "Original":
        return [plain, gr.ImageSlider(visible=False), legend]
    overlay = draw_overlay(pixels, inspection, opacity=options.opacity, bar=False)
    compare = options.view == "Compare"
    return [overlay, gr.ImageSlider((plain, overlay) if compare else None, visible=compare), legend]


def region_at(inspection: Inspection, x: float, y: float) -> str | None:
    """The smallest region whose box has the point in it, x and y in shares of the picture; None for none."""
    left, top = x * inspection.width, y * inspection.height
    hit = [r for r in inspection.regions if r.box[0] <= left < r.box[2] and r.box[1] <= top < r.box[3]]
    return min(hit, key=lambda r: r.area).id if hit else None


def _map_of(inspection: Inspection) -> Image.Image | None:
    if inspection.coarse_map is None:
        return None
    return draw_boxes(colorize(inspection.anomaly_map, inspection.scale), inspection.regions)
