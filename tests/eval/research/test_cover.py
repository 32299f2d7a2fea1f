"""The picture at the head of the README."""

import pytest

from assistant.eval.research.cover import GAP, draw_cover
from assistant.face.examples import EXAMPLES
from assistant.inspector import Inspector


@pytest.mark.weights
def test_each_example_has_its_picture_above_what_was_found(tmp_path):
    sheet = draw_cover(Inspector.from_pretrained("pocket"), tmp_path)
    width = (sheet.width + GAP) // len(EXAMPLES) - GAP
    assert sheet.height > 2 * width + GAP, "the bar of the overlays is missing"
    for i in range(len(EXAMPLES)):
        left = i * (width + GAP)
        above = sheet.crop((left, 0, left + width, width))
        below = sheet.crop((left, sheet.height - width, left + width, sheet.height))
        assert len(above.getcolors(width * width)) > 100 and above.tobytes() != below.tobytes()
