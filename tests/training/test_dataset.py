"""Reading what a detector is trained from: which picture is what, and what is refused before training."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from assistant.errors import ImageError, TrainingError
from assistant.training.dataset import Example, TrainingData, read_training_data, split_kinds


def picture(path: Path, size=(12, 8), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "gray").save(path, **options)
    return path


def mask(path: Path, size=(12, 8), white: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.new("1", size)
    if white:
        drawn.putpixel((3, 2), 1)
    drawn.save(path)
    return path


@pytest.fixture
def category(tmp_path):
    """set/bottle: two normal pictures, a masked crack, an unmasked small break."""
    folder = tmp_path / "set" / "bottle"
    picture(folder / "train/good/0.png")
    picture(folder / "test/good/1.png")
    picture(folder / "test/crack/2.png")
    mask(folder / "ground_truth/crack/2.png")
    picture(folder / "test/broken_small/3.png")
    return folder


@pytest.fixture
def plain(tmp_path):
    """plain/: one kind in each of two folders."""
    for kind in ("bricks", "wood"):
        picture(tmp_path / "plain" / kind / "0.jpg")
    (tmp_path / "plain" / "sources.json").write_text("{}")
    return tmp_path / "plain"


def brief(data: TrainingData) -> list[tuple]:
    return [(e.kind, e.image.name, e.label, e.mask and e.mask.name, e.type) for e in data.examples]


def test_a_category_gives_normals_masked_defects_and_types(category, plain):
    data = read_training_data([category, plain], leave_out=["plain/wood"])
    assert set(brief(data)) == {
        ("plain/bricks", "0.jpg", 0, None, ""),
        ("set/bottle", "0.png", 0, None, ""),
        ("set/bottle", "1.png", 0, None, ""),
        ("set/bottle", "2.png", 1, "2.png", "crack"),
        ("set/bottle", "3.png", 1, None, ""),
    }
    assert data.kinds == ("plain/bricks", "set/bottle")
    assert len(data.normals) == 3
    assert {e.image.name for e in data.defects} == {"2.png", "3.png"}


def test_a_tree_is_read_to_its_categories_and_folder_names_become_types(tmp_path, category):
    other = tmp_path / "set" / "grid"
    picture(other / "train/good/0.png")
    picture(other / "test/missing_part/1.png")
    mask(other / "ground_truth/missing_part/1_mask.png")
    defects = read_training_data([tmp_path]).defects
    assert [(e.kind, e.type, e.mask is not None) for e in defects] == [
        ("set/bottle", "", False),
        ("set/bottle", "crack", True),
        ("set/grid", "missing part", True),
    ]


def test_pictures_in_folders_and_straight_in_a_folder_are_normal_kinds(tmp_path, plain):
    picture(tmp_path / "mine" / "a.png")
    picture(tmp_path / "mine" / "b.png")
    data = read_training_data([plain, tmp_path / "mine"])
    assert data.kinds == ("plain/bricks", "plain/wood", f"{tmp_path.name}/mine")
    assert not data.defects
    assert len(data.normals) == 4


@pytest.mark.parametrize("name", ["defect", "bad", "anomaly"])
def test_good_beside_a_folder_of_defects_is_one_kind_with_labels_alone(tmp_path, plain, name):
    picture(tmp_path / "shop" / "cups" / "good" / "0.png")
    picture(tmp_path / "shop" / "cups" / name / "1.png")
    cups = [row for row in brief(read_training_data([plain, tmp_path / "shop"])) if row[0] == "shop/cups"]
    assert sorted(row[1:] for row in cups) == [("0.png", 0, None, ""), ("1.png", 1, None, "")]


def test_a_part_of_a_category_keeps_its_labels(category, plain):
    part = read_training_data([plain, category / "test" / "crack"])
    assert [(e.kind, e.type, e.mask is not None) for e in part.defects] == [("set/bottle", "crack", True)]


def test_deeper_folders_inside_a_defect_stay_defects(category, plain):
    picture(category / "test/crack/deep/9.png")
    mask(category / "ground_truth/crack/deep/9.png")
    deep = next(e for e in read_training_data([category, plain]).examples if e.image.name == "9.png")
    assert (deep.kind, deep.label, deep.type) == ("set/bottle", 1, "crack")
    assert deep.mask == category / "ground_truth/crack/deep/9.png"


def test_pictures_that_no_folder_labels_are_passed_over(category, plain):
    for where in ("preview.png", "train/preview.png", "test/preview.png", "ground_truth/preview.png"):
        picture(category / where)
    shutil.rmtree(category / "test" / "good")
    assert "preview.png" not in {e.image.name for e in read_training_data([category, plain]).examples}


def test_names_above_the_given_folder_mean_nothing(tmp_path):
    for kind in ("bricks", "wood"):
        picture(tmp_path / "test" / "photos" / kind / "0.png")
        picture(tmp_path / "test" / kind / "0.png")
    assert not read_training_data([tmp_path / "test" / "photos"]).defects
    assert not read_training_data([tmp_path / "test"]).defects


def test_an_empty_mask_is_left_off_and_the_defect_stays(category, plain):
    mask(category / "ground_truth/crack/2.png", white=False)
    crack = next(e for e in read_training_data([category, plain]).defects if e.type == "crack")
    assert crack.mask is None


def test_the_same_picture_given_twice_counts_once_whatever_the_order(category, plain):
    once = read_training_data([category, plain])
    os.symlink(category / "train/good/0.png", category / "train/good/again.png")
    assert read_training_data([plain, category, plain, str(category), category / "test"]) == once


@pytest.mark.parametrize("name", ["set", "set/", "set/bottle"])
def test_leave_out_drops_a_kind_or_a_whole_set(category, plain, name):
    assert read_training_data([category, plain], leave_out=[name]).kinds == ("plain/bricks", "plain/wood")


@pytest.mark.parametrize("name", ["set/bot", "se", "", "bottle"])
def test_leave_out_ends_at_whole_names_and_names_what_it_does_not_know(category, plain, name):
    with pytest.raises(TrainingError, match=f"{name!r}: there are plain/bricks, plain/wood, set/bottle"):
        read_training_data([category, plain], leave_out=[name])


def test_a_turned_picture_fits_the_mask_of_how_it_is_displayed(category, plain):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(category / "test/crack/2.png", exif=exif)
    with pytest.raises(TrainingError, match=r"2\.png is 12 x 8, but its picture is 8 x 12"):
        read_training_data([category, plain])
    mask(category / "ground_truth/crack/2.png", size=(8, 12))
    assert any(e.mask for e in read_training_data([category, plain]).defects)


def test_a_folder_that_is_missing_or_a_file_or_empty(tmp_path, category):
    with pytest.raises(TrainingError, match="There is no folder .*nowhere"):
        read_training_data([category, tmp_path / "nowhere"])
    with pytest.raises(TrainingError, match=r"0\.png is a file and not a folder"):
        read_training_data([category / "train/good/0.png"])
    (tmp_path / "hollow" / "inner").mkdir(parents=True)
    (tmp_path / "hollow" / "notes.txt").write_text("no picture")
    with pytest.raises(TrainingError, match="The folder .*hollow has no pictures"):
        read_training_data([category, tmp_path / "hollow"])
    with pytest.raises(TrainingError, match="No pictures"):
        read_training_data([])


def test_no_normal_pictures(tmp_path, category):
    picture(tmp_path / "shop" / "cups" / "defect" / "0.png")
    with pytest.raises(TrainingError, match="no normal picture in set/bottle, shop/cups"):
        read_training_data([category / "test" / "crack", tmp_path / "shop"])


def test_defects_are_never_taken_for_normal_where_nothing_says_what_is_good(tmp_path, plain):
    picture(tmp_path / "set" / "cable" / "test" / "cut" / "0.png")
    with pytest.raises(TrainingError, match="Nothing says which pictures are normal in .*cable"):
        read_training_data([plain, tmp_path / "set"])
    picture(tmp_path / "shop" / "cups" / "good" / "0.png")
    picture(tmp_path / "shop" / "cups" / "cracked" / "0.png")
    with pytest.raises(TrainingError, match="cracked lies beside a folder good"):
        read_training_data([plain, tmp_path / "shop"])


def test_one_picture_with_two_labels(tmp_path, plain):
    good = picture(tmp_path / "cups" / "good" / "0.png")
    (tmp_path / "cups" / "bad").mkdir()
    os.symlink(good, tmp_path / "cups" / "bad" / "0.png")
    with pytest.raises(TrainingError, match="a normal picture in one folder and a defect in another"):
        read_training_data([plain, tmp_path / "cups"])


def test_one_kind_alone_and_nothing_left(category, plain):
    with pytest.raises(TrainingError, match="one kind, set/bottle"):
        read_training_data([category])
    with pytest.raises(TrainingError, match="one kind, plain/wood"):
        read_training_data([category, plain], leave_out=["set", "plain/bricks"])
    with pytest.raises(TrainingError, match="are left"):
        read_training_data([category, plain], leave_out=["set", "plain"])


def test_a_mask_of_another_size_or_that_cannot_be_read(category, plain):
    path = mask(category / "ground_truth/crack/2.png", size=(6, 4))
    with pytest.raises(TrainingError, match=r"crack/2\.png is 6 x 4, but its picture is 12 x 8"):
        read_training_data([category, plain])
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(TrainingError, match=r"The mask .*crack/2\.png cannot be read") as caught:
        read_training_data([category, plain])
    assert isinstance(caught.value.__cause__, ImageError)
    assert "\n" not in str(caught.value)
    assert read_training_data([category, plain], leave_out=["set"]).kinds  # what is left out is not opened


def test_a_masked_picture_that_cannot_be_read(category, plain):
    (category / "test/crack/2.png").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"The picture .*crack/2\.png cannot be read"):
        read_training_data([category, plain])


def made(kinds: int, pictures: int = 3) -> TrainingData:
    rows = [(f"set/{k:02}", i) for k in range(kinds) for i in range(pictures)]
    return TrainingData(tuple(Example(Path(f"/{kind}/{i}.png"), kind, 0) for kind, i in rows))


@pytest.mark.parametrize(("kinds", "held"), [(2, 1), (3, 1), (20, 3), (40, 6)])
def test_whole_kinds_are_held_out(kinds, held):
    data = made(kinds)
    train, held_out = split_kinds(data)
    assert len(held_out.kinds) == held
    assert sorted(train.kinds + held_out.kinds) == list(data.kinds)
    assert len(train.examples) + len(held_out.examples) == len(data.examples)
    assert list(held_out.examples) == [e for e in data.examples if e.kind in held_out.kinds]


def test_a_seed_always_draws_the_same_kinds_and_another_draws_others():
    data = made(20)
    turned = TrainingData(data.examples[::-1])
    assert split_kinds(data, seed=3) == split_kinds(data, seed=3)
    assert split_kinds(turned, seed=3)[1].kinds == split_kinds(data, seed=3)[1].kinds
    assert len({split_kinds(data, seed=seed)[1].kinds for seed in range(8)}) > 4


@pytest.mark.parametrize("seed", range(6))
def test_training_keeps_normal_pictures_and_one_kind_is_never_split(seed):
    faulty = tuple(Example(Path(f"/bad/{k}.png"), f"bad/{k}", 1) for k in range(3))
    mixed = TrainingData((*made(1).examples, *faulty))
    train, held_out = split_kinds(mixed, share=0.9, seed=seed)
    assert train.kinds == ("set/00",)
    assert len(held_out.kinds) == 3
    assert split_kinds(made(1), seed=seed)[1].kinds == ()


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="share"):
        split_kinds(made(4), share=share)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": ""}, {"label": 2}, {"label": 0, "type": "crack"}, {"label": 0, "mask": Path("m")}, {"type": "x"}],
)
def test_an_example_that_contradicts_itself(wrong):
    with pytest.raises(ValueError, match="a.png"):
        Example(**{"image": Path("a.png"), "kind": "k", "label": 1, **wrong})
