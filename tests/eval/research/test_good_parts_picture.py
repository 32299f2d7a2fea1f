"""The page on how many good parts it takes: its table and its picture are what the code gives."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from assistant.detection.counting import upper_rate
from assistant.eval.research.good_parts import burst_rate, draw, mean_rate, tabulate
from assistant.eval.research.house import HERE


def test_the_page_holds_the_table_and_the_picture():
    page = (HERE / "docs" / "good-parts.md").read_text(encoding="utf-8")
    assert tabulate() in page and "](good-parts.svg)" in page
    assert (HERE / "docs" / "good-parts.svg").read_text(encoding="utf-8") == draw()


def test_the_picture_has_a_light_ground_and_no_script():
    root = ET.fromstring(draw())
    names = {one.tag.partition("}")[2] for one in root.iter()}
    assert names == {"svg", "title", "rect", "path", "text", "polyline", "circle"}
    assert root.find("{*}rect").get("fill") == "#ffffff"
    words = "".join(root.itertext())
    assert "45" in words and "from several days" in words


@pytest.mark.parametrize("n", [1, 7, 80])
def test_parts_of_one_moment_promise_what_those_of_many_do_where_moments_do_not_differ(n):
    assert burst_rate(n, between=0) == pytest.approx(upper_rate(n, 0), rel=0.05)
    rates = [burst_rate(n, between=b) for b in (0, 0.3, 1, 3)]
    assert np.all(np.diff(rates) > 0) and mean_rate(n) < rates[0]
