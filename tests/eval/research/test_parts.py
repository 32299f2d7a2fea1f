"""Generated parts at any pose."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from assistant.errors import LooktwiceError
from assistant.eval.datasets import read_mvtec
from assistant.eval.research.parts import FAMILIES, SESSIONS, Shot, main, plan_shots, take_shot, write_family


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Families as they are, drawn in fewer pixels."""
    for name, family in list(FAMILIES.items()):
        monkeypatch.setitem(FAMILIES, name, replace(family, side=192))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_defect_shows_inside_its_mask_and_nowhere_else(name):
    for i, defect in enumerate(FAMILIES[name].defects):
        picture, mask, _ = take_shot(name, Shot(f"test/some/{i}", 3, defect))
        without, none, _ = take_shot(name, Shot(f"test/some/{i}", 3))
        apart = np.abs(picture.astype(int) - without).max(2)
        near = binary_dilation(mask, iterations=9)
        assert 4 <= mask.sum() < 0.3 * mask.size and not none.any(), defect
        assert apart[mask].max() >= 12, defect
        assert apart[~near].max(initial=0) <= 12, defect


def test_a_family_is_a_dataset_with_masks(tmp_path):
    write_family("pill", tmp_path, train=5, good=3, bad=6)
    found = read_mvtec(tmp_path / "pill")
    assert (len(found.train_good), found.labels.count(0), found.labels.count(1)) == (5, 3, 6)
    assert {sample.defect.replace("_", " ") for sample in found.test} == {"good", *FAMILIES["pill"].defects}
    assert all(sample.load_mask(192, 192).any() for sample in found.test if sample.label)
    with Image.open(found.test[0].image) as picture:
        assert picture.format == "JPEG" and picture.size == (192, 192)


def test_what_is_there_is_gone_on_with(tmp_path):
    write_family("cap", tmp_path, train=1, good=1, bad=1)
    kept = tmp_path / "cap" / "train" / "good" / "000.jpg"
    kept.write_bytes(b"kept")
    (tmp_path / "cap" / "test" / "good" / "000.jpg").unlink()
    write_family("cap", tmp_path, train=1, good=1, bad=1)
    assert kept.read_bytes() == b"kept" and (tmp_path / "cap" / "test" / "good" / "000.jpg").is_file()


def test_a_seed_says_everything():
    shot = Shot("train/good/004", 1)
    again, other = take_shot("screw", shot)[0], take_shot("screw", shot, seed=1)[0]
    assert np.array_equal(take_shot("screw", shot)[0], again) and not np.array_equal(again, other)


def test_lots_follow_each_other_and_the_test_goes_on_where_the_training_ends():
    shots = list(plan_shots(FAMILIES["board"]))
    for folder in ("train/good", "test/good"):
        sessions = [shot.session for shot in shots if shot.file.startswith(folder)]
        assert sessions == sorted(sessions) and len(set(sessions)) == SESSIONS - 2
    train = {shot.session for shot in shots if shot.file.startswith("train")}
    assert train & {shot.session for shot in shots if shot.file.startswith("test/good")}
    good, bad = (
        {s.session for s in shots if s.file.startswith("test") and bool(s.defect) == is_} for is_ in (0, 1)
    )
    assert good == bad, "a lot gives the defects away"


def test_fixed_parts_lie_alike_and_others_do_not():
    def spread(name):
        # each picture at its own mean and deviation, so that light does not count
        seen = np.stack([take_shot(name, Shot(f"train/good/{i}", 0))[0].mean(2) for i in range(4)])
        seen = (seen - seen.mean((1, 2), keepdims=True)) / seen.std((1, 2), keepdims=True)
        return seen.std(0).mean()

    assert spread("connector-fixed") < 0.5 * spread("connector")


def test_an_unknown_family_is_named(tmp_path):
    with pytest.raises(LooktwiceError, match="no family nail"):
        main(tmp_path, ["nail"])
