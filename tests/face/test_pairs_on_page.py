"""Regions stand beside the same places of good parts: of what was just inspected, and of what still lies there."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from assistant.face.drawing import DrawingOptions
from assistant.face.kept import KeptHandlers
from assistant.face.pairs import show_pairs
from assistant.face.result import cleared, filled, write_shown
from assistant.face.session import Session, inspect_pictures
from assistant.face.words import show_regions


@pytest.fixture
def spoiled(shared, good, planted):
    """The file of a part with a defect."""
    path = Path(shared.uploads) / "spoiled.png"
    Image.fromarray(planted(good(9), 0.35, 0.6)[0]).save(path)
    return path


def crops(beside):
    """The pictures in the HTML."""
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', beside)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_each_region_is_shown_with_a_good_part_and_what_differs(shared, spoiled):
    shown = inspect_pictures(shared, [str(spoiled)], [], "cloth", Session()).shown
    regions = [region for region in shown.inspection.regions if region.reference]
    assert regions
    assert [title for title in re.findall(r"<h4>(\w+) ", shown.beside)] == [one.id for one in regions]
    part, other, difference = crops(shown.beside)[:3]
    assert len(crops(shown.beside)) == 3 * len(regions) and part.shape == other.shape == difference.shape
    left, top, width, height = (
        float(n)
        for n in re.search(r"left:([\d.]+)%;top:([\d.]+)%;width:([\d.]+)%;height:([\d.]+)%", shown.beside).groups()
    )
    assert left >= 0 and top >= 0 and left + width <= 100.1 and top + height <= 100.1
    inside = np.zeros(part.shape[:2], bool)
    h, w = inside.shape
    inside[
        int(top * h / 100) : int((top + height) * h / 100) + 1,
        int(left * w / 100) : int((left + width) * w / 100) + 1,
    ] = True
    apart = np.abs(part.astype(float) - other).max(axis=2)
    assert apart[inside].mean() > 2 * apart[~inside].mean(), "the defect is on the part and not on the good one"
    widget = filled(shown)[-1]
    assert widget.visible and widget.value == shown.beside


def test_names_of_good_parts_are_text(shared, spoiled):
    shown = inspect_pictures(shared, [str(spoiled)], [], "cloth", Session()).shown
    pair = shown.pairs[0]
    html = show_pairs([replace(pair, reference=replace(pair.reference, name="<b>1.png"))], shown.inspection)
    assert "<b>" not in html and "&lt;b&gt;1.png" in html


def test_what_is_missing_is_said_above_the_pair_and_in_the_table(shared, spoiled):
    shown = inspect_pictures(shared, [str(spoiled)], [], "cloth", Session()).shown
    first, *rest = (replace(one, kind="strange") for one in shown.inspection.regions)
    lacking = replace(shown.inspection, regions=(replace(first, kind="missing"), *rest))
    assert f"<h4>{first.id}: something is missing here <small>" in show_pairs(shown.pairs, lacking)
    assert [row[1] for row in show_regions(lacking)] == [f"{first.position}, missing", *(r.position for r in rest)]


def test_without_good_parts_there_is_nothing_beside(shared, spoiled):
    shown = inspect_pictures(shared, [str(spoiled)], [], "", Session()).shown
    assert shown.beside == "" and not filled(shown)[-1].visible and not cleared("")[-1].visible


def test_the_report_of_the_page_has_them_too(shared, spoiled, tmp_path):
    shown = inspect_pictures(shared, [str(spoiled)], [], "cloth", Session()).shown
    with_pairs = write_shown(shown, DrawingOptions(), "HTML", str(tmp_path)).read_text()
    without = write_shown(replace(shown, product=None), DrawingOptions(), "HTML", str(tmp_path)).read_text()
    assert with_pairs.count("<img") > without.count("<img")


def test_a_kept_part_is_shown_beside_good_ones_while_its_picture_lies_where_it_lay(shared, spoiled, inspector):
    (row,) = inspector.inspect([str(spoiled)], "cloth")
    there, upload = shared.history.add(row), shared.history.add(replace(row, path=spoiled.name))
    handlers = KeptHandlers(shared, shared.history)
    shown, view = handlers.open(str(there))
    assert len(crops(shown.beside)) == 3 * len(shown.pairs) > 0
    assert shown.picture is None, "the preview stays what is shown"
    assert handlers.open(str(upload))[0].beside == "", "an upload never had a place"
    spoiled.unlink()
    assert handlers.open(str(there))[0].beside == ""
