"""Regions of a result beside the same places of good parts, as HTML: the part, the good part, the difference."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr
from PIL import Image

from assistant.errors import ImageError
from assistant.face.embedded import embed
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.retelling import retell
from assistant.language.wording import number
from assistant.products.pairs import Pair, Pixels, pairs_of
from assistant.products.product import Product

SIDE = 320
"""Pixels of a crop's longer side at most."""

MOST_SHOWN = 6
"""Regions that are shown beside good parts, the strongest."""

STYLE = """
h4 { margin: 4px 0 2px; font-size: 14px; overflow-wrap: anywhere; }
h4 small { font-weight: 400; opacity: 0.75; font-size: 12px; }
.pair { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 6px; margin: 0 0 8px; }
figure { margin: 0; min-width: 0; }
figure div { position: relative; }
img { display: block; width: 100%; margin: 0; border-radius: 4px; }
i { position: absolute; border: 1px solid #fff; outline: 1px solid #000; }
figcaption { font-size: 12px; opacity: 0.75; line-height: 1.35; padding: 2px 0 0; overflow-wrap: anywhere; }
"""
"""The style of the widget."""


def lay_out_pairs() -> gr.HTML:
    """Lay out the widget, empty."""
    return gr.HTML(css_template=STYLE, visible=False, elem_classes="beside")


def find_pairs(inspection: Inspection, product: Product | None, picture: str | None) -> list[Pair]:
    """The pairs of an inspection by the product that judged it, on what was judged or else on its picture.

    None where the product keeps no such good part any more, or the picture is gone.
    """
    if picture is None and not inspection.judged:
        return []
    try:
        return pairs_of(inspection, product, None if inspection.judged else picture, MOST_SHOWN)
    except ImageError:
        return []


def show_pairs(pairs: Sequence[Pair], inspection: Inspection, w: Wording = ENGLISH_WORDS) -> str:
    """The pairs of an inspection as HTML, "" where there are none."""
    means = {region.id: region.meaning for region in inspection.regions}
    return "".join(_draw(pair, means.get(pair.region, ""), w) for pair in pairs)


def _draw(pair: Pair, means: str, w: Wording) -> str:
    name, distance = html.escape(pair.reference.name), number(pair.reference.distance)
    marked = _mark(pair)
    pictures = (
        (pair.part, marked, w("{region} of this part", region=pair.region)),
        (pair.good, marked, w("the same place of a good part")),
        (pair.colours, "", w("difference, 0 to {most} of 255", most=pair.scale)),
    )
    figures = "".join(_figure(*one) for one in pictures)
    lacks = f": {retell(w, means)}" if means else ""
    beside = w("beside {name}, at a distance of {distance}", name=name, distance=distance)
    title = f"{pair.region}{lacks} <small>{beside}</small>"
    return f'<section><h4>{title}</h4><div class="pair">{figures}</div></section>'


def _figure(pixels: Pixels, mark: str, words: str) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    said = html.escape(words)
    return (
        f'<figure><div><img alt="{said}" src="{embed(picture, "WEBP")}">{mark}</div>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def _mark(pair: Pair) -> str:
    """The outline of the region on a crop."""
    height, width = pair.part.shape[:2]
    left, top, right, bottom = (100 * v / (width, height)[i % 2] for i, v in enumerate(pair.box))
    return f'<i style="left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"></i>'
