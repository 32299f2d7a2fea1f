"""The study of drift: streams from limits, light that falls, and tables of what came of them."""

import numpy as np
import pytest
from rich.console import Console

from assistant.eval.datasets import Dataset, Sample
from assistant.eval.research import drift


@pytest.fixture
def small(monkeypatch):
    """Few and short simulated products."""
    monkeypatch.setattr(drift, "PRODUCTS", 3)
    monkeypatch.setattr(drift, "PARTS", 1200)
    monkeypatch.setattr(drift, "COUNTS", (60,))


def test_light_that_falls_darkens_evenly_and_none_leaves_a_picture_alone():
    pixels = np.arange(0, 240, dtype=np.uint8).reshape(8, 10, 3)
    assert np.array_equal(drift.darken(pixels, 1.0), pixels)
    half = drift.darken(pixels, 0.5)
    assert half.dtype == np.uint8 and half.max() == round(239 * 0.5 ** (1 / 2.2))


def test_a_stream_that_moves_raises_an_alarm_and_one_that_does_not_raises_none():
    draw = np.random.default_rng(0)
    limits = drift.simulate(60, draw)
    sound, moved = draw.normal(-1, drift.SPREAD, 1500), draw.normal(-1 + 2 * drift.SPREAD, drift.SPREAD, 300)
    assert drift.follow(60, drift.p_values(limits, sound)) == drift.Course(None, 0)
    course = drift.follow(60, drift.p_values(limits, np.concatenate([sound, moved])), stop=True)
    assert course.alarms == 1 and 1500 < course.part < 1600


def test_tables_say_how_many_alarms_and_how_long_until_one(small):
    out = Console(width=130, record=True)
    drift.show_false_alarms(out)
    drift.show_lots(out)
    said = out.export_text()
    assert "0 in 0 of 3 products" in said and "3 of 3" in said


def test_a_set_under_a_falling_light_is_measured(inspector, good, tmp_path):
    from PIL import Image

    files = []
    for i in range(6):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(good(i)).save(files[-1])
    dataset = Dataset("cloth", tuple(Sample(file, 0) for file in files), ())
    limits, scores = drift.measure_fading(inspector, dataset, 4, 2)
    assert limits.n == 4 and scores.shape == (2, len(drift.DAYS))
    assert not np.allclose(scores[:, -1], scores[:, 0], atol=1e-3), "a darker picture scores otherwise"
    out = Console(width=130, record=True)
    drift.show_fading(out, inspector, [dataset], (4,), 2, 20)
    assert "cloth" in out.export_text()
