"""Measured rows in the page of results."""

import pytest

from assistant.errors import LooktwiceError
from assistant.eval.research.house import HERE
from assistant.eval.research.results_page import replace_table
from assistant.eval.results import Figure, Row

ROWS = [Row("shop/plate", "few-shot", 4, 3, 10, 10, image_auroc=Figure(0.912, 0.01), uncertain=7)]


def test_the_table_gives_way_and_the_rest_stays():
    page = (HERE / "docs" / "results.md").read_text("utf-8")
    changed = replace_table(page, ROWS)
    assert "| shop/plate | 4-shot | 91.2 ± 1.0 |" in changed and "| mean of 7 |" not in changed
    before, after = page.split("| dataset | mode |")[0], page[page.index("\n\nMean image AUROC of bottle") :]
    assert changed.startswith(before) and changed.endswith(after)
    assert replace_table(changed, ROWS) == changed


def test_a_page_without_a_table_is_left_alone():
    with pytest.raises(LooktwiceError, match="no table of results"):
        replace_table("# What was measured?\n", ROWS)
