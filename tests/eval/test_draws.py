"""Draws of references: which pictures, in which order, and that references are never among what is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drawn_parts import draw_part

from assistant.errors import LooktwiceError
from assistant.eval.draws import draw_places, measure_draws, read_draws, write_draws

PLAN = {1: 2, 3: 2}


def test_consecutive_draws_follow_each_other_and_random_ones_repeat() -> None:
    drawn = [*draw_places(9, PLAN)]
    following = [places for n, consecutive, _, places in drawn if consecutive and n == 3]
    assert following == [[0, 1, 2], [3, 4, 5]]
    assert drawn == [*draw_places(9, PLAN)]
    assert all(len({*places}) == n and max(places) < 9 for n, _, _, places in drawn)
    assert {n for n, *_ in draw_places(4, PLAN)} == {1}, "two pictures stay beside the references"


def test_a_draw_holds_the_scores_that_users_see(inspector: Any, good: Any, planted: Any, tmp_path: Path) -> None:
    pictures = [good(i) for i in range(6)]
    defect = planted(good(9), 0.5, 0.5)[0]
    draws = [*measure_draws(inspector, "cloth", pictures, bad=[defect], plan=PLAN)]
    assert [(d.references, d.consecutive, d.number) for d in draws] == [
        (n, consecutive, number) for n in (1, 3) for consecutive in (False, True) for number in (0, 1)
    ]
    second = next(d for d in draws if d.references == 3 and d.consecutive and d.number == 1)
    product = inspector.learn("cloth", pictures[3:])
    rows = inspector.inspect([*pictures[:3], defect], product)
    assert second.good == pytest.approx([row.score for row in rows[:3]], rel=1e-5)
    assert second.bad == pytest.approx([rows[3].score], rel=1e-5)
    assert second.calibration.threshold == pytest.approx(product.calibration.threshold)
    write_draws(tmp_path / "d.json", draws)
    assert read_draws(tmp_path / "d.json") == draws and read_draws(tmp_path / "none.json") == []


def test_a_picture_that_cannot_be_read_stops_with_a_sentence(inspector: Any, good: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(LooktwiceError, match="A picture cannot be used"):
        next(measure_draws(inspector, "cloth", [good(0), broken, good(1)], plan=PLAN))


@pytest.mark.parametrize("beside", [True, False])
def test_parts_of_a_registered_product_are_scored_in_its_pose(inspector: Any, beside: bool) -> None:
    pictures = [draw_part(angle, 3, -4, seed=angle)[0] for angle in (0, 40, 95, 170, 220, 300)]
    others, bad = pictures[4:], [draw_part(130, 0, 5, seed=9, mark=(110, 150))[0]]
    good = others if beside else None
    plan = {4: 1}
    draw = next(d for d in measure_draws(inspector, "lever", pictures, good, bad, plan) if d.consecutive)
    product = inspector.learn("lever", pictures[:4])
    assert product.registration is not None
    rows = inspector.inspect([*others, *bad], product)
    assert (*draw.good, *draw.bad) == pytest.approx([row.score for row in rows], rel=1e-5)
