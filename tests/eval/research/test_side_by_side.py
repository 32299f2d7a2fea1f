"""Two results of a benchmark side by side."""

import json

import pytest

from assistant.errors import LooktwiceError
from assistant.eval.research.side_by_side import compare, read_results
from assistant.eval.results import Figure, Row


def row(name, auroc, escape, shots=4, **more):
    return Row(name, "few-shot", shots, 3, 10, 10, image_auroc=Figure(auroc), escape=Figure(escape), **more)


def test_losses_are_marked_whichever_way_a_figure_counts():
    text = compare([row("a/b", 0.9, 0.2), row("c/d", 0.8, 0.1)], [row("a/b", 0.89, 0.1), row("c/d", 0.85, 0.3)])
    first, second, mean = (line for line in text.splitlines() if line.startswith(("| a/b", "| c/d", "| mean")))
    assert "**90.0 > 89.0** (-1.0)" in first and "20.0 > 10.0" in first and "**20.0" not in first
    assert "80.0 > 85.0" in second and "**10.0 > 30.0** (-20.0)" in second
    assert "85.0 > 87.0" in mean and "**15.0 > 20.0** (-5.0)" in mean
    assert text.endswith("Image AUROC lost more than 0.5 points: a/b 4-shot -1.0.\n")


def test_a_small_loss_is_none_and_what_one_state_lacks_is_left_out():
    text = compare([row("a/b", 0.9, 0.2), row("c/d", 0.8, 0.1)], [row("a/b", 0.896, 0.2), row("a/b", 0.9, 0.2, 1)])
    assert "c/d" not in text and "1-shot" not in text and "**" not in text and "nowhere" in text
    assert "| a/b | 4-shot | 90.0 > 89.6 | - | - | - | 20.0 > 20.0 | - |" in text


def test_results_are_read_whatever_they_were_made_under(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"schema": 1, "settings": {"seeds": 3}, "rows": [row("a/b", 0.9, 0.2).to_dict()]}))
    assert read_results(path) == [row("a/b", 0.9, 0.2)]
    path.write_text("[]")
    with pytest.raises(LooktwiceError, match="rows.json holds no results"):
        read_results(path)
