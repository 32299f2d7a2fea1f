"""The picture with its anomaly map, its boxes and its verdict drawn on it.

One fixed color scale per product: the same color means the same map value in every picture, and a good part
looks like its photograph.
"""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from assistant.errors import ImageError
from assistant.images.geometry import to_picture
from assistant.images.load import Source
from assistant.images.sources import shown_name

if TYPE_CHECKING:  # it shows itself by what stands here
    from assistant.inspection import Inspection, Region

LONGEST_SIDE = 1600
LEGIBLE_SIDE = 512
THINNEST_SIDE = 64

# Each color is lighter than the one before and leaves blue for yellow, so the order survives a grey print
# and the common kinds of color blindness.
_ANCHORS = ((38, 24, 120), (112, 22, 150), (190, 45, 120), (238, 95, 70), (252, 165, 45), (252, 240, 110))
_FADE = 0.2  # share of the scale over which the color comes in, so that the map has no hard edge
VERDICT_COLORS = {
    "good": ((0, 114, 92), (255, 255, 255)),
    "review": ((240, 180, 20), (0, 0, 0)),
    "defect": ((190, 25, 40), (255, 255, 255)),
    "unrated": ((104, 112, 122), (255, 255, 255)),
}
_BAR = (24, 27, 32)
_INK = (235, 238, 242)
_BOX = (255, 255, 255)
_HALO = (0, 0, 0)

_Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def draw_overlay(
    pixels: NDArray[np.uint8],
    inspection: Inspection,
    *,
    opacity: float = 0.5,
    boxes: bool = True,
    bar: bool = True,
) -> Image.Image:
    """Draw an inspection over its picture, under a bar with the verdict, the score and the limit.

    `pixels` is the displayed picture [H, W, 3] uint8. Map values at or below `inspection.scale[0]` stay
    clear; from there to `scale[1]` the colors run at up to `opacity` in [0, 1]. Without a map or a scale
    only boxes and bar are drawn. `boxes` draws the regions and their ids. Without `bar` the picture stands alone.

    Returns an RGB picture for the screen: the longer side at most 1600 pixels (plus the bar), small pictures
    enlarged to 512 so that the words can be read, and strips widened to 64. ValueError where the pixels do
    not belong to the inspection, or where it is an error.
    """
    height, width = _check(pixels, inspection, opacity)
    shown_width, shown_height = shown_size(width, height)
    photo = Image.fromarray(pixels).resize((shown_width, shown_height), Image.Resampling.LANCZOS)
    if inspection.coarse_map is not None and opacity > 0:
        values = to_picture(inspection.coarse_map, shown_width, shown_height)
        photo = _blend(photo, values, inspection.scale, opacity)
    if boxes:
        _draw_regions(photo, inspection.regions, shown_width / width, shown_height / height)
    return _under_bar(photo, inspection) if bar else photo


def draw_from(inspection: Inspection, picture: Source | None = None) -> Image.Image:
    """The overlay of an inspection on its picture, by default the file that was judged.

    ImageError where the inspection is an error, the file is gone, or the picture has another size by now.
    """
    if inspection.status == "error":
        raise ImageError(f"There is nothing to draw: {inspection.error}")
    pixels = inspection.picture(picture).pixels
    try:
        return draw_overlay(pixels, inspection)
    except ValueError as error:
        raise ImageError(f"Nothing can be drawn for {shown_name(inspection.path)}: {error}") from error


def to_html(inspection: Inspection) -> str:
    """An inspection as a notebook shows it: overlay, verdict and regions, everything inside and nothing loaded."""
    name = html.escape(shown_name(inspection.path))
    if inspection.status == "error":
        return f"<div><b>error</b> {name}<br>{html.escape(inspection.error or '')}</div>"
    try:
        file = io.BytesIO()
        draw_from(inspection).save(file, "JPEG", quality=90)
        shown = base64.b64encode(file.getvalue()).decode()
        picture = f'<img src="data:image/jpeg;base64,{shown}" alt="{name}" style="max-width:100%;width:640px">'
    except ImageError as error:
        picture = html.escape(f"No picture: {error}; inspection.overlay(picture) draws on one.")
    fill, ink = (f"rgb{color}" for color in VERDICT_COLORS[inspection.verdict or "review"])
    verdict = f'<b style="background:{fill};color:{ink};padding:2px 8px">{inspection.outcome.upper()}</b>'
    numbers = f"score {inspection.score:#.3g}"
    if inspection.verdict == "unrated":
        numbers += f", {inspection.standing}" if inspection.rank else ""
        numbers += f"; {inspection.evidence.origin}" if inspection.evidence else ""
    else:
        numbers += f", limit {inspection.threshold:#.3g}, p {inspection.say_p()}"
    if inspection.product:
        numbers += f", product {html.escape(inspection.product)}"
    notices = "".join(f"<br>{html.escape(notice)}" for notice in inspection.notices)
    return f"<div>{verdict} {name}: {numbers}{notices}<br>{picture}{_region_table(inspection.regions)}</div>"


def draw_boxes(pixels: NDArray[np.uint8], regions: tuple[Region, ...]) -> Image.Image:
    """Draw the boxes and ids of regions, and nothing else, over their picture; sizes as for `draw_overlay`."""
    height, width = pixels.shape[:2]
    shown = shown_size(width, height)
    photo = Image.fromarray(pixels).resize(shown, Image.Resampling.LANCZOS)
    _draw_regions(photo, regions, shown[0] / width, shown[1] / height)
    return photo


def colorize(values: NDArray[np.float32], scale: tuple[float, float]) -> NDArray[np.uint8]:
    """Colors [..., 3] uint8 of map values of any shape on the fixed scale (low, high), ends clamped."""
    stops = np.linspace(0, 1, len(_ANCHORS))
    steps = np.linspace(0, 1, 256)
    channels = [np.interp(steps, stops, channel) for channel in zip(*_ANCHORS, strict=True)]
    table = np.stack(channels, axis=-1).round().astype(np.uint8)
    return table[(_share(values, scale) * 255).round().astype(np.uint8)]


def _check(pixels: NDArray[np.uint8], inspection: Inspection, opacity: float) -> tuple[int, int]:
    if inspection.status == "error":
        raise ValueError(f"there is nothing to draw: {inspection.error}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels are [H, W, 3] uint8, not {pixels.shape} {pixels.dtype}")
    if not 0 <= opacity <= 1:
        raise ValueError(f"opacity lies in [0, 1], not at {opacity}")
    height, width = pixels.shape[:2]
    if (inspection.width or width, inspection.height or height) != (width, height):
        expected = f"{inspection.width} x {inspection.height}"
        raise ValueError(f"the picture has {width} x {height} pixels, the inspection {expected}")
    return height, width


def shown_size(width: int, height: int) -> tuple[int, int]:
    """The size in pixels at which a picture of this size is drawn, without the bar."""
    longer = max(width, height)
    factor = min(max(longer, LEGIBLE_SIDE), LONGEST_SIDE) / longer
    return max(THINNEST_SIDE, round(width * factor)), max(THINNEST_SIDE, round(height * factor))


def _region_table(regions: tuple[Region, ...]) -> str:
    if not regions:
        return ""
    rows = [("region", "where", "severity", "peak", "area", "resembles")]
    for region in regions:
        types = ", ".join(kind.name for kind in region.defect_types)
        if region.meaning:
            types = region.meaning + (f"; {types}" if types else "")
        numbers = f"{region.peak:#.3g}", f"{100 * region.area_fraction:.2g} %"
        rows.append((region.id, region.position, region.severity, *numbers, types))
    cells = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _share(values: NDArray[np.float32], scale: tuple[float, float]) -> NDArray[np.float32]:
    low, high = scale
    if not low < high:
        raise ValueError(f"a color scale runs upwards, not from {low} to {high}")
    share: NDArray[np.float32] = (values.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return share.clip(0, 1, out=share)


def _blend(
    photo: Image.Image, values: NDArray[np.float32], scale: tuple[float, float], opacity: float
) -> Image.Image:
    alpha = opacity * np.clip(_share(values, scale) / _FADE, 0, 1)
    mask = Image.fromarray((alpha * 255).round().astype(np.uint8))
    return Image.composite(Image.fromarray(colorize(values, scale)), photo, mask)


def _draw_regions(photo: Image.Image, regions: tuple[Region, ...], grow_x: float, grow_y: float) -> None:
    """Boxes first and names after, so that no box crosses a name; the worst region is drawn last, on top."""
    draw = ImageDraw.Draw(photo)
    line = max(2, round(max(photo.size) / 400))
    font = ImageFont.load_default(max(13, round(max(photo.size) / 55)))
    shown = [
        (region.id, tuple(round(v * g) for v, g in zip(region.box, (grow_x, grow_y) * 2, strict=True)))
        for region in reversed(regions)
    ]
    for _, (x0, y0, x1, y1) in shown:
        # The lines lie around the region and not on it.
        outer = (x0 - line - 1, y0 - line - 1, x1 + line, y1 + line)
        inside = _within(outer, photo.size)
        draw.rectangle(inside, outline=_HALO, width=line + 2)
        draw.rectangle(_shrunk(inside, 1), outline=_BOX, width=line)
    for name, box in shown:
        _draw_name(draw, name, box, font, photo.size, line)


def _within(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    return max(0, box[0]), max(0, box[1]), min(size[0] - 1, box[2]), min(size[1] - 1, box[3])


def _shrunk(box: tuple[int, int, int, int], by: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    return x0 + by, y0 + by, max(x0 + by, x1 - by), max(y0 + by, y1 - by)


def _draw_name(
    draw: ImageDraw.ImageDraw,
    name: str,
    box: tuple[int, ...],
    font: _Font,
    size: tuple[int, int],
    line: int,
) -> None:
    """A small tag above the box's left corner, or below the box where there is no room above."""
    left, top, right, bottom = draw.textbbox((0, 0), name, font=font)
    pad = line + 1
    wide, tall = round(right - left) + 2 * pad, round(bottom - top) + 2 * pad
    x = max(0, min(box[0] - line, size[0] - wide))
    above, below = box[1] - line - tall, box[3] + line
    y = above if above >= 0 else min(below, size[1] - tall)
    draw.rectangle((x, y, x + wide - 1, y + tall - 1), fill=_HALO)
    draw.text((x + pad - left, y + pad - top), name, font=font, fill=_BOX)


def _under_bar(photo: Image.Image, inspection: Inspection) -> Image.Image:
    """The photo below a bar that hides none of it; a narrow photo stands in the middle of a wider canvas."""
    size = max(15, round(max(photo.size) / 40))
    font = ImageFont.load_default(size)
    pad = size // 2
    verdict = (inspection.verdict or "").upper()
    words = f"score {inspection.score:#.3g}"
    words += "" if inspection.verdict == "unrated" else f"   limit {inspection.threshold:#.3g}"
    badge_width = round(font.getlength(verdict)) + 2 * pad
    text_width = badge_width + round(font.getlength(words)) + 2 * pad
    bar = round(2.1 * size)
    width = max(photo.width, text_width)
    canvas = Image.new("RGB", (width, photo.height + bar), _BAR)
    canvas.paste(photo, ((width - photo.width) // 2, bar))
    draw = ImageDraw.Draw(canvas)
    fill, ink = VERDICT_COLORS[inspection.verdict or "review"]
    draw.rectangle((0, 0, badge_width - 1, bar - 1), fill=fill)
    draw.text((badge_width / 2, bar / 2), verdict, font=font, fill=ink, anchor="mm")
    draw.text((badge_width + pad, bar / 2), words, font=font, fill=_INK, anchor="lm")
    _draw_legend(canvas, inspection.scale, text_width, bar, size)
    return canvas


def _draw_legend(canvas: Image.Image, scale: tuple[float, float] | None, taken: int, bar: int, size: int) -> None:
    """The color scale with its two ends, at the right of the bar where there is room for it."""
    if scale is None:
        return
    font = ImageFont.load_default(max(12, round(0.8 * size)))
    low, high = (f"{end:#.3g}" for end in scale)
    pad, stripe = size // 2, 5 * size
    right = canvas.width - pad - round(font.getlength(high))
    left = right - pad - stripe
    if left - pad - font.getlength(low) < taken + pad:
        return
    ramp = np.linspace(*scale, stripe, dtype=np.float32)[None].repeat(size, axis=0)
    canvas.paste(Image.fromarray(colorize(ramp, scale)), (left, (bar - size) // 2))
    draw = ImageDraw.Draw(canvas)
    draw.text((left - pad / 2, bar / 2), low, font=font, fill=_INK, anchor="rm")
    draw.text((right - pad / 2, bar / 2), high, font=font, fill=_INK, anchor="lm")
