"""Readers and draws on small folders made here, and the counts of the real data where it is present."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from assistant.errors import ImageError
from assistant.eval.datasets import (
    Dataset,
    DatasetError,
    Sample,
    find_datasets,
    open_dataset,
    read_elpv,
    read_mvtec,
    read_textiles,
)

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


def save(path, pixels=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((6, 8), np.uint8) if pixels is None else pixels).save(path)


def one_bit(height=6, width=8, marked=(slice(1, 3), slice(2, 7))):
    mask = np.zeros((height, width), dtype=bool)
    mask[marked] = True
    return mask


@pytest.fixture
def category(tmp_path):
    """Two masks of either name, one empty, one missing; pictures of several extensions; and litter."""
    root = tmp_path / "sets" / "metal" / "nut"
    for i in range(5):
        save(root / "train/good" / f"{i}.png")
    save(root / "test/good/0.JPG")
    save(root / "test/good/1.tif")
    for name in ("a.png", "b.jpg", "c.bmp", "d.webp"):
        save(root / "test/scratch" / name)
    save(root / "ground_truth/scratch/a.png", one_bit())
    save(root / "ground_truth/scratch/b_mask.png", one_bit())
    save(root / "ground_truth/scratch/c_mask.png", np.zeros((6, 8), dtype=bool))
    save(root / "test/bent/0.png")
    (root / "test/good/Thumbs.db").write_bytes(b"x")
    (root / "test/good/._0.png").write_bytes(b"x")
    (root / "test/good/2.png").mkdir()
    (root / "notes.txt").write_text("x")
    return root


def made(good=10, types=(), train=6):
    """A dataset of names without files."""
    test = [Sample(Path(f"g{i}"), 0) for i in range(good)]
    for kind, n in types:
        test += [Sample(Path(f"{kind}{i}"), 1, defect=kind) for i in range(n)]
    return Dataset("made", tuple(Sample(Path(f"t{i}"), 0) for i in range(train)), tuple(test))


# ---- samples and their masks


@pytest.mark.parametrize(
    "fields",
    [
        {"label": 2},
        {"label": 0, "defect": "crack"},
        {"label": 1},
        {"label": 0, "mask": Path("m.png")},
        {"label": None, "defect": "unsure", "mask": Path("m.png")},
    ],
)
def test_contradictory_samples_are_refused(fields):
    with pytest.raises(ValueError):
        Sample(Path("x.png"), **fields)


def test_mask_of_a_defect(category):
    found = {s.image.name: s for s in read_mvtec(category).test if s.defect == "scratch"}
    for name in ("a.png", "b.jpg"):
        mask = found[name].load_mask(8, 6)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, one_bit())
    assert found["c.bmp"].mask is not None and found["c.bmp"].load_mask(8, 6) is None  # empty
    assert found["d.webp"].mask is None and found["d.webp"].load_mask(8, 6) is None


def test_good_is_all_normal_and_uncertain_has_no_mask():
    mask = Sample(Path("x.png"), 0).load_mask(5, 3)
    assert mask.shape == (3, 5) and not mask.any()
    assert Sample(Path("x.png"), None, defect="unsure").load_mask(5, 3) is None


@pytest.mark.parametrize("value", [1, 128, 255])
def test_any_value_above_zero_is_defective(tmp_path, value):
    save(tmp_path / "m.png", one_bit().astype(np.uint8) * np.uint8(value))
    sample = Sample(tmp_path / "x.png", 1, tmp_path / "m.png", "dent")
    np.testing.assert_array_equal(sample.load_mask(8, 6), one_bit())


def test_mask_follows_the_size_of_the_picture(tmp_path):
    save(tmp_path / "m.png", one_bit())
    sample = Sample(tmp_path / "x.png", 1, tmp_path / "m.png", "dent")
    twice = sample.load_mask(16, 12)
    np.testing.assert_array_equal(twice, one_bit().repeat(2, axis=0).repeat(2, axis=1))
    assert sample.load_mask(3, 2).shape == (2, 3)  # 8 x 6, rounded
    with pytest.raises(DatasetError, match="m.png is 8 x 6"):
        sample.load_mask(6, 8)


def test_damaged_mask_is_one_sentence(tmp_path):
    (tmp_path / "m.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match="m.png"):
        Sample(tmp_path / "x.png", 1, tmp_path / "m.png", "dent").load_mask(8, 6)


# ---- draws


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 1000))
def test_references_are_distinct_repeatable_and_nested(few, many, seed):
    dataset = made()
    few, many = sorted((few, many))
    drawn = dataset.references(many, seed)
    assert len(set(drawn)) == many and set(drawn) <= set(dataset.train_good)
    assert dataset.references(few, seed) == drawn[:few]


def test_seeds_draw_differently():
    assert len({made(train=30).references(4, seed) for seed in range(10)}) == 10
    first = [s.image.name for s in made(train=30).references(4, 0)]
    assert first == ["t25", "t15", "t3", "t12"]  # the same draw in every version of Python


@pytest.mark.parametrize("k", [-1, 7])
def test_more_references_than_pictures(k):
    with pytest.raises(DatasetError, match="made has 6 good training pictures"):
        made().references(k)
    with pytest.raises(DatasetError, match="made has 6 good training pictures"):
        made().consecutive(k)


def test_consecutive_references_follow_each_other_and_end_with_the_folder():
    names = [[s.image.name for s in made(train=7).consecutive(3, number)] for number in range(4)]
    assert names == [["t0", "t1", "t2"], ["t3", "t4", "t5"], ["t4", "t5", "t6"], ["t4", "t5", "t6"]]


def test_limit_keeps_proportions_and_order():
    dataset = made(60, [("dent", 30), ("crack", 10)])
    small = dataset.limit(20, seed=3)
    assert Counter(s.defect for s in small.test) == {"good": 12, "dent": 6, "crack": 2}
    assert [s for s in dataset.test if s in set(small.test)] == list(small.test)
    assert small.train_good == dataset.train_good
    assert small == dataset.limit(20, seed=3) != dataset.limit(20, seed=4)


@given(
    good=st.integers(0, 30),
    types=st.lists(st.integers(1, 30), max_size=4),
    n=st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_limit_is_exact_and_drops_no_class(good, types, n, seed):
    dataset = made(good, [(f"type {i} ", size) for i, size in enumerate(types)])
    small = dataset.limit(n, seed)
    assert len(set(small.test)) == len(small.test) == min(n, len(dataset.test))
    assert set(small.test) <= set(dataset.test)
    if n >= 2:
        assert set(small.labels) == set(dataset.labels)


def test_limit_keeps_rare_types_at_the_cost_of_common_ones():
    types = [("common", 100), ("less", 30), *((f"rare {i} ", 1) for i in range(6))]
    small = made(0, types).limit(14)
    assert list(Counter(s.defect for s in small.test).values()) == [6, 2, 1, 1, 1, 1, 1, 1]


def test_limit_of_nothing_is_refused():
    with pytest.raises(DatasetError, match="0 pictures"):
        made().limit(0)


def test_template_of_the_same_board():
    train = tuple(Sample(Path(f"{n}_temp.jpg"), 0) for n in ("001", "002"))
    test = (
        Sample(Path("d/002_test.jpg"), 1, defect="open"),
        Sample(Path("d/009_test.jpg"), 1, defect="open"),
        Sample(Path("g/002_temp.jpg"), 0),
    )
    dataset = Dataset("pcb", train, test)
    assert [dataset.template_of(s) for s in test] == [train[1], None, None]


def test_contradictory_datasets_are_refused():
    good, defect = Sample(Path("x"), 0), Sample(Path("y"), 1, defect="dent")
    unsure = Sample(Path("z"), None, defect="unsure")
    for fields in ({"train_good": (defect,), "test": ()}, {"train_good": (), "test": (unsure,)}):
        with pytest.raises(ValueError):
            Dataset("bad", **fields)
    with pytest.raises(ValueError):
        Dataset("bad", (), (), (good,))


# ---- folders


def test_read_mvtec(category):
    dataset = read_mvtec(category)
    assert dataset.name == "metal/nut"
    assert [s.image.name for s in dataset.train_good] == [f"{i}.png" for i in range(5)]
    named = [(s.defect, s.image.name) for s in dataset.test]
    scratches = [("scratch", name) for name in ("a.png", "b.jpg", "c.bmp", "d.webp")]
    assert named == [("bent", "0.png"), ("good", "0.JPG"), ("good", "1.tif"), *scratches]
    assert dataset.labels == (1, 0, 0, 1, 1, 1, 1)


def test_find_datasets_from_any_level(category):
    other = category.parents[1] / "wood" / "board"
    save(other / "train/good/0.png")
    save(other / "test/good/0.png")
    both = ["metal/nut", "wood/board"]
    assert [d.name for d in find_datasets(category)] == both[:1]
    assert [d.name for d in find_datasets(category.parent)] == both[:1]
    assert [d.name for d in find_datasets(category.parents[1])] == both
    assert [d.name for d in open_dataset(str(category.parents[2]))] == both


def test_find_datasets_where_one_stands(category, monkeypatch):
    monkeypatch.chdir(category)
    assert find_datasets(".")[0].name == "metal/nut"


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(DatasetError, match="There is no folder"):
        find_datasets(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no dataset under"):
        find_datasets(tmp_path)
    with pytest.raises(DatasetError, match="train/good and test"):
        read_mvtec(tmp_path)
    save(tmp_path / "train/good/0.png")
    with pytest.raises(DatasetError, match="no dataset under"):
        find_datasets(tmp_path)
    (tmp_path / "test").mkdir()
    with pytest.raises(DatasetError, match="no pictures"):
        find_datasets(tmp_path)


# ---- packages


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Stand-ins for both packages; running their code is an error."""
    rows = [(f"images/{i}.png", p, kind) for kind in ("mono", "poly") for i, p in enumerate((0, 0, 0, 1, 1))]
    rows += [("images/5.png", 1 / 3, "mono"), ("images/6.png", 2 / 3, "mono")]
    cells = tmp_path / "elpv_dataset"
    textiles = tmp_path / "conformal_clip_data"
    for package in (cells, textiles):
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (cells / "data/labels.csv").write_text("".join(f"{n}  {p}   {kind}\n" for n, p, kind in rows) + "\n")
    for kind, n in {"nominal": 9, "local": 4, "global": 4}.items():
        for i in range(n):
            save(textiles / "data/textile_images/simulated" / kind / f"textile_{i}.jpg")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_read_elpv(packages):
    (dataset,) = open_dataset("elpv:mono")
    assert dataset.name == "elpv/mono"
    assert (len(dataset.train_good), dataset.labels) == (1, (0, 0, 1, 1))
    assert [s.defect for s in dataset.uncertain] == ["probability 0.33", "probability 0.67"]
    assert dataset.test[-1].image == packages / "elpv_dataset/data/images/4.png"
    assert dataset.test[-1].load_mask(8, 6) is None
    assert not set(dataset.train_good) & set(dataset.test)
    (poly,) = open_dataset("elpv:poly")
    assert len(poly.test) == 4 and not poly.uncertain


def test_split_is_seeded(packages):
    assert read_elpv(seed=1) == read_elpv(seed=1)
    assert len({read_elpv(seed=seed).train_good for seed in range(20)}) == 3


def test_read_textiles(packages):
    (dataset,) = open_dataset("textiles")
    assert (dataset.name, len(dataset.train_good)) == ("textiles", 3)
    assert Counter(s.defect for s in dataset.test) == {"good": 6, "local": 4, "global": 4}
    assert Counter(s.defect for s in read_textiles(7).test) == {"good": 3, "local": 2, "global": 2}


def test_damaged_labels(packages):
    (packages / "elpv_dataset/data/labels.csv").write_text("images/0.png mono\n")
    with pytest.raises(DatasetError, match="damaged"):
        read_elpv()
    (packages / "elpv_dataset/data/labels.csv").unlink()
    with pytest.raises(DatasetError, match="damaged"):
        read_elpv()


@pytest.mark.parametrize("spec", ["elpv:mono", "textiles"])
def test_missing_package_says_what_to_install(spec, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"looktwice\[samples\]"):
        open_dataset(spec)


def test_unknown_kind_of_cell():
    with pytest.raises(DatasetError, match="only elpv:mono and elpv:poly"):
        open_dataset("elpv:thin")


# ---- the real data


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "train", "good", "defects", "types", "empty"),
    [
        ("mvtec/bottle", 60, 20, 63, 3, 0),
        ("mtd/tile", 120, 110, 387, 5, 4),
        ("deeppcb/pcb", 120, 120, 120, 1, 0),
        ("bsdata/ball_screw", 100, 160, 160, 1, 0),
    ],
)
def test_real_folders(name, train, good, defects, types, empty):
    if not (REAL / name).is_dir():
        pytest.skip(f"no pictures of {name} beside the checkout")
    (dataset,) = find_datasets(REAL / name)
    assert dataset.name == name
    assert len(dataset.train_good) == train
    assert Counter(dataset.labels) == {0: good, 1: defects}
    assert len({s.defect for s in dataset.test if s.label == 1}) == types
    without = []
    for sample in dataset.test:
        if sample.label == 1:
            with Image.open(sample.image) as picture:
                without += [sample.defect] if sample.load_mask(*picture.size) is None else []
    assert without == ["uneven"] * empty
    aligned = [dataset.template_of(s) for s in dataset.test if s.label == 1]
    assert aligned == (list(dataset.train_good) if name == "deeppcb/pcb" else [None] * defects)


@pytest.mark.data
def test_real_packages():
    for package in ("elpv_dataset", "conformal_clip_data"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    mono, poly = read_elpv("mono"), read_elpv("poly")
    counts = [(len(d.train_good), Counter(d.labels), len(d.uncertain)) for d in (mono, poly)]
    assert counts == [(196, {0: 392, 1: 313}, 173), (306, {0: 614, 1: 402}, 228)]
    cells = [s for d in (mono, poly) for part in (d.train_good, d.test, d.uncertain) for s in part]
    assert len({s.image for s in cells}) == 2624
    assert all(s.image.is_file() for s in cells)
    textiles = read_textiles()
    assert len(textiles.train_good) == 333
    assert Counter(s.defect for s in textiles.test) == {"good": 667, "local": 500, "global": 500}
