"""The ablation and the profile run on the tiny tower and look at what they say they look at."""

import numpy as np
import pytest
from PIL import Image

from assistant.eval import ablation
from assistant.eval.datasets import read_mvtec
from assistant.eval.profile import peak_memory, time_stages


@pytest.fixture
def category(tmp_path, good, planted):
    pictures = {f"train/good/{i}": good(i) for i in range(5)}
    pictures |= {f"test/good/{i}": good(20 + i) for i in range(3)}
    pictures |= {f"test/blot/{i}": planted(good(30 + i), 0.5, 0.5)[0] for i in range(3)}
    for name, pixels in pictures.items():
        file = tmp_path / "set" / "cloth" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return read_mvtec(tmp_path / "set" / "cloth")


def test_every_choice_is_measured_and_a_plain_blot_is_found(backbones, category, monkeypatch):
    monkeypatch.setattr(ablation, "SHARES", {"both": (0.5, 0.5), "fine": (1.0,)})
    found = ablation.ablate(backbones["tiny-cnn"], category, seeds=2)
    assert set(found) == {(n, m, k) for n in ("both", "fine") for m in ablation.MEMORY for k in ablation.SHOTS}
    assert all(0 <= value <= 1 for value in found.values())
    assert found["fine", 1.0, 4] > 0.8


def test_the_profile_times_every_stage_of_every_picture(inspector, category):
    product = inspector.learn("cloth", [s.image for s in category.references(2)])
    times = time_stages(inspector, product, [s.image for s in category.test]).times
    assert {"read and decode", "image tower", "memory lookup", "rarity", "regions"} <= set(times)
    assert all(len(row) == 6 and np.all(np.array(row) > 0) for row in times.values())
    assert peak_memory() > 50
