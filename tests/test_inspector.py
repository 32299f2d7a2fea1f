"""The front door: any mixture of pictures in, one true row each, in order, the same as one by one."""

import dataclasses
import math
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from assistant.adapters.patches import top_mean
from assistant.detection.built_in import BuiltInLimits
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.threads import PictureThreads
from assistant.errors import CalibrationError, LooktwiceError, ProductError, WeightsError
from assistant.inspection import WHOLE_DIFFERS, Answer, Inspection
from assistant.inspector import Inspector
from assistant.products.config import LearnConfig

TOLERANCE = 1e-4
SIZES = [(640, 200), (97, 301), (333, 333)]
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture
def product(either_inspector, good):
    return either_inspector.learn("cloth", [good(i) for i in range(4)])


@pytest.fixture
def mixture(good, planted, tmp_path):
    """Pictures of mixed kinds and sizes with two broken ones in the middle."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.fromarray(good(20, 97, 301)).save(tmp_path / "strip.png")
    return [
        good(21),
        tmp_path / "strip.png",
        planted(good(22, 640, 200), 0.3, 0.5)[0],
        tmp_path / "broken.png",
        Image.fromarray(good(23)),
        str(tmp_path / "absent.png"),
        good(24)[..., 0],
        planted(good(25), 0.7, 0.7)[0],
        good(26, 333, 333),
    ]


def score_of(row):
    """The score that the map of an inspection has by itself."""
    return float(top_mean(torch.from_numpy(row.coarse_map)[None], SHIPPED.top_share))


def same(one, other):
    assert (one.path, one.status, one.error, one.verdict) == (other.path, other.status, other.error, other.verdict)
    if one.status == "error":
        return
    assert one.score == pytest.approx(other.score, abs=TOLERANCE)
    assert (one.width, one.height, one.mode) == (other.width, other.height, other.mode)
    # A single patch may round the other way in bfloat16; the map as a whole may not.
    assert np.abs(one.coarse_map - other.coarse_map).mean() < TOLERANCE
    assert np.abs(one.coarse_map - other.coarse_map).max() < 0.006


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_many_equal_singles_in_order_around_broken_pictures(either_inspector, product, mixture, learned, at_once):
    chosen = product if learned else None
    either_inspector._stream.at_once = at_once
    either_inspector._stream.threads = PictureThreads(min(3, at_once))
    together = either_inspector.inspect(mixture, chosen)
    assert [r.status for r in together] == ["ok", "ok", "ok", "error", "ok", "error", "ok", "ok", "ok"]
    assert [(r.width, r.height) for r in together if r.status == "ok"][:3] == [(160, 160), (97, 301), (640, 200)]
    for found, picture in zip(together, mixture, strict=True):
        alone = either_inspector.inspect(picture, chosen)
        path = found.path if isinstance(picture, (np.ndarray, Image.Image)) else str(picture)
        assert found.path == path
        same(dataclasses.replace(alone, path=path), found)


def test_broken_pictures_have_a_sentence_and_no_number(inspector, mixture, tmp_path):
    for row in (inspector.inspect(mixture)[i] for i in (3, 5)):
        assert row.error and str(tmp_path) not in row.error and "\n" not in row.error
        assert row.verdict is row.coarse_map is None and row.outcome == "error"
        assert (row.width, row.height) == (0, 0)
        assert all(map(math.isnan, (row.score, row.p_value, row.threshold, row.review_threshold)))
        assert Inspection.from_json(row.to_json()) == row


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_all_eight_orientations_give_the_same_map(inspector, good, planted, tmp_path, suffix):
    spoiled, (x0, y0, x1, y1) = planted(good(3, 240, 120), 0.8, 0.3)
    shown = Image.fromarray(spoiled)
    product = inspector.learn("cloth", [good(i, 240, 120) for i in range(3)])
    files = []
    for orientation, turn in TURNS.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(tmp_path / f"{orientation}.{suffix}")
        (shown if turn is None else shown.transpose(turn)).save(files[-1], exif=exif)
        with Image.open(files[-1]) as stored:
            assert np.array_equal(np.asarray(ImageOps.exif_transpose(stored).convert("RGB")), spoiled)
    for chosen in (None, product):
        rows = inspector.inspect(files, chosen)
        for row in rows:
            assert (row.width, row.height) == (240, 120)
            assert row.score == pytest.approx(rows[0].score, abs=1e-6)
            assert np.allclose(row.coarse_map, rows[0].coarse_map, atol=1e-6)
            assert [r.box for r in row.regions] == [r.box for r in rows[0].regions]
    best = rows[0].regions[0].box
    assert best[0] < x1 and best[2] > x0 and best[1] < y1 and best[3] > y0


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_planted_defect_gives_a_verdict_and_a_region_over_it(inspector, good, planted, width, height):
    product = inspector.learn("cloth", [good(i, width, height) for i in range(4)])
    for x, y in [(0.25, 0.3), (0.8, 0.6), (0.5, 0.85)]:
        spoiled, (x0, y0, x1, y1) = planted(good(9, width, height), x, y)
        (row,) = inspector.inspect([spoiled], product)
        assert row.verdict == "defect" and row.score > row.threshold and row.p_value <= 0.05
        a0, b0, a1, b1 = row.regions[0].box
        assert a0 < x1 and a1 > x0 and b0 < y1 and b1 > y0
        assert row.regions[0].peak <= row.coarse_map.max() + row.score - score_of(row) + 1e-6
        assert row.anomaly_map.shape == (height, width)


def test_rows_say_where_they_come_from(either_inspector, product, good):
    seen, zero = either_inspector.inspect([good(8)], product)[0], either_inspector.inspect([good(8)])[0]
    backbone = either_inspector.backbone
    for row in (seen, zero):
        assert (row.bundle, row.weights) == (backbone.card.name, backbone.digest)
        assert row.ms > 0 and row.created and row.scale == (0.75 * row.threshold, 1.75 * row.threshold)
        assert row.review_threshold <= row.threshold
    assert (seen.mode, seen.product, seen.references, seen.evidence.n) == ("few-shot", "cloth", 4, 4)
    assert (zero.mode, zero.product, zero.references, zero.evidence.method) == ("zero-shot", None, 0, "built-in")
    assert seen.threshold == product.calibration.threshold and seen.evidence == product.calibration.evidence


def test_defect_types_are_ranked_only_where_the_tower_speaks(either_inspector, good, planted):
    product = either_inspector.learn("cloth", [good(i) for i in range(4)], target_false_alarm=0.5)
    rows = either_inspector.inspect([planted(good(9), x, 0.5)[0] for x in (0.2, 0.4, 0.6, 0.8)], product)
    regions = [region for row in rows for region in row.regions]
    assert regions
    for region in regions:
        chances = [t.probability for t in region.defect_types]
        assert len(chances) == (3 if either_inspector.backbone.aligns_text else 0)
        assert chances == sorted(chances, reverse=True)


def test_no_verdict_of_a_defect_stands_without_a_region(either_inspector, good, planted):
    product = either_inspector.learn("cloth", [good(i) for i in range(3)], target_false_alarm=0.4)
    spots = [(x / 10, y / 10) for x in (2, 5, 8) for y in (2, 5, 8)]
    rows = either_inspector.inspect([planted(good(9), x, y)[0] for x, y in spots], product)
    rows += either_inspector.inspect([planted(good(9, 20, 20), x, y)[0] for x, y in spots], product)
    assert {row.verdict for row in rows} >= {"defect"}
    assert all(bool(row.regions) == (row.verdict != "good") for row in rows)


def test_extreme_pictures_have_finite_scores(either_inspector, product):
    shapes = [(160, 160), (1, 1), (1, 5000), (5000, 1), (3, 3)]
    pictures = [np.full((*shape, 3), v, dtype=np.uint8) for shape in shapes for v in (0, 128, 255)]
    for chosen in (None, product):
        for row in either_inspector.inspect(pictures, chosen):
            assert row.status == "ok" and math.isfinite(row.score) and row.score >= 0
            assert 0 < row.p_value <= 1 and np.isfinite(row.coarse_map).all()
            row.to_json()


def test_a_picture_identical_to_a_reference_scores_no_more_than_that_reference_did(either_inspector, good):
    pictures = [good(i) for i in range(5)]
    product = either_inspector.learn("cloth", pictures)
    rows = either_inspector.inspect(pictures, product)
    for row, reference in zip(rows, product.references, strict=True):
        assert row.score <= reference.score + TOLERANCE and row.verdict == "good"


def test_a_cloth_of_another_mixture_is_caught_as_a_whole_and_no_place_in_it_is_odd(inspector, mixed, planted):
    product = inspector.learn("mixed", [mixed(i, 0.5) for i in range(6)])
    pictures = [mixed(9, 0.5), mixed(90, 0.2), mixed(91, 0.2), planted(mixed(92, 0.5), 0.5, 0.5)[0]]
    clean, first, second, blot = inspector.inspect(pictures, product)
    assert clean.verdict == "good" and WHOLE_DIFFERS not in clean.notices
    for row, pixels in zip((first, second), pictures[1:3], strict=True):
        by_map = score_of(row)
        assert product.calibration.verdict(by_map) == "good" and row.verdict == "defect"
        assert row.notices == (WHOLE_DIFFERS,)
        assert row.regions[0].area_fraction > 0.5 and row.regions[0].box == (0, 0, 160, 160)
        assert row.regions[0].peak == pytest.approx(row.coarse_map.max() + row.score - by_map, rel=0.05)
        alone = inspector.inspect(pixels, product)
        assert alone.score == pytest.approx(row.score, abs=TOLERANCE) and alone.verdict == row.verdict
        for question in ("Why?", "Describe it.", "Any warnings?"):
            said = inspector.ask(row, question)
            assert "the picture as a whole differs from the references" in said.whole
    assert blot.verdict == "defect" and WHOLE_DIFFERS not in blot.notices and blot.regions[0].area_fraction < 0.5


def test_a_place_that_is_strange_by_itself_is_cut_out_where_the_whole_differs_too(inspector, mixed, planted):
    product = inspector.learn("mixed", [mixed(i, 0.5) for i in range(6)])
    spoiled, (x0, y0, x1, y1) = planted(mixed(92, 0.1), 0.5, 0.5)
    (row,) = inspector.inspect([spoiled], product)
    whole = row.score - score_of(row)
    most = product.scoring.whole_weight * product.scoring.whole_cap
    assert row.verdict == "defect" and whole == pytest.approx(most, rel=1e-3)
    (place,) = [r for r in row.regions if r.box[0] < x1 and r.box[2] > x0 and r.box[1] < y1 and r.box[3] > y0]
    assert place is row.regions[0] and place.area_fraction < 0.25
    assert place.peak == pytest.approx(row.coarse_map.max() + whole, rel=0.05)


def test_a_kept_product_gives_identical_rows(either_inspector, product, good, planted):
    pictures = [good(7), planted(good(8), 0.4, 0.4)[0]]
    before = either_inspector.inspect(pictures, product)
    either_inspector.save(product)
    for chosen in ("cloth", either_inspector.load("cloth")):
        for one, other in zip(before, either_inspector.inspect(pictures, chosen), strict=True):
            assert one.score == other.score and one.threshold == other.threshold
            assert one.regions == other.regions and np.array_equal(one.coarse_map, other.coarse_map)


def test_a_product_of_other_weights_is_refused(backbones, inspector, good):
    product = inspector.learn("cloth", [good(0)])
    inspector.save(product)
    other = Inspector(backbones["tiny-vit"], inspector.store)
    for ask in (
        lambda: other.inspect([good(1)], product),
        lambda: other.inspect([good(1)], "cloth"),
        lambda: other.load("cloth"),
        lambda: other.inspect_many([good(1)], [product]),
    ):
        with pytest.raises(ProductError, match="learned with the bundle 'tiny-cnn'.*learn it again"):
            ask()


def test_many_products_see_what_each_sees(either_inspector, product, mixture, good):
    other = either_inspector.learn("other", [good(40)], target_false_alarm=0.2)
    rows = list(either_inspector.inspect_many(mixture, [product, None, other]))
    assert len(rows) == len(mixture)
    for column, chosen in enumerate([product, None, other]):
        for row, alone in zip(rows, either_inspector.inspect(mixture, chosen), strict=True):
            same(row[column], alone)
            assert row[column].product == alone.product
            assert row[column].threshold == pytest.approx(alone.threshold, rel=0, abs=0, nan_ok=True)


def test_requests_that_make_no_sense_are_refused_in_one_sentence(inspector, good):
    product = inspector.learn("cloth", [good(0)])
    for settings, error, sentence in [
        ({"mode": "guess"}, LooktwiceError, "no mode 'guess'"),
        ({"mode": "few-shot"}, LooktwiceError, "needs references or a product"),
        ({"mode": "zero-shot", "product": product}, LooktwiceError, "uses no references"),
        ({"mode": "mutual", "product": product}, LooktwiceError, "uses no references"),
        ({"product": "unknown"}, ProductError, "no product 'unknown'"),
        ({"product": "../up"}, ProductError, "cannot be a product's name"),
        ({"target_false_alarm": 0.7}, CalibrationError, "between one in a million and 0.5"),
        ({"target_false_alarm": 0.001}, CalibrationError, "cannot support"),
        ({"mode": "mutual"}, CalibrationError, "at least three"),
    ]:
        with pytest.raises(error, match=sentence):
            inspector.inspect([good(1)], **settings)


def test_how_to_learn_is_said_in_a_configuration_or_in_fields_and_refused_in_one_place(inspector, good):
    blank = np.zeros((4, 4), dtype=bool)
    left = {"roi": ~blank, "ignore": ~blank}
    together = {"memory": "trained"}
    for fields, error, sentence in [
        ({"views": "all"}, ProductError, "There are no views 'all'; the views are plain, flips and turns."),
        ({"views": "turns", "aligned": True}, ProductError, "Parts either lie alike or at any angle"),
        ({"tiles": 0}, ProductError, "1 to 4 tiles along each side, not 0"),
        ({"tiles": 5}, ProductError, "1 to 4 tiles along each side, not 5"),
        ({"memory": "sideways"}, ProductError, "A memory is nearest or trained, not 'sideways'."),
        ({**together, "views": "flips"}, ProductError, "leave out views, tiles and alignment"),
        ({**together, "tiles": 2}, ProductError, "leave out views, tiles and alignment"),
        ({**together, "aligned": True}, ProductError, "leave out views, tiles and alignment"),
        ({"roi": blank}, ProductError, "The region of interest is empty"),
        ({"ignore": blank}, ProductError, "The ignore mask is empty"),
        ({"ignore": np.ones((4, 4, 3))}, ProductError, "The ignore mask is a picture of one channel"),
        (left, ProductError, "The ignore mask leaves nothing to look at."),
        ({"target_false_alarm": 0.0}, CalibrationError, "between one in a million and 0.5"),
        ({"target_false_alarm": 0.6}, CalibrationError, "between one in a million and 0.5"),
        ({"target_false_alarm": float("nan")}, CalibrationError, "between one in a million and 0.5"),
    ]:
        said = []
        fits = {"views": "plain"} if "views" not in fields else {"tiles": 1}
        for ask in (
            partial(LearnConfig, **fields),
            partial(inspector.learn, "cloth", unread(), **fields),
            partial(inspector.learn, "cloth", unread(), LearnConfig(**fits), **fields),
            partial(dataclasses.replace, LearnConfig(**fits), **fields),
        ):
            with pytest.raises(error, match=re.escape(sentence)) as caught:
                ask()
            said.append(str(caught.value))
        assert len(set(said)) == 1 and "\n" not in said[0] and said[0].endswith(".")
    for ask in (
        lambda: inspector.learn("cloth", unread(), foreground=True),
        lambda: LearnConfig.of(None, {"foreground": 1}),
    ):
        with pytest.raises(ProductError, match="^There is no setting 'foreground' for learning a product.$"):
            ask()


def unread():
    """Pictures that nobody reads, since what was asked for is refused before."""
    raise AssertionError("a picture was read")
    yield


def test_a_configuration_and_fields_that_say_the_same_learn_the_same(inspector, good):
    pictures = [good(0), good(1)]
    chosen = {"views": "flips", "target_false_alarm": 0.2, "scoring": ScoringConfig(top_share=0.05)}
    by_fields = inspector.learn("cloth", pictures, **chosen)
    by_config = inspector.learn("cloth", pictures, LearnConfig(**chosen))
    mixed = inspector.learn("cloth", pictures, LearnConfig(views="flips", target_false_alarm=0.4), **chosen)
    for product in (by_config, mixed):
        alike = dataclasses.replace(product, created=by_fields.created, seal=by_fields.seal)
        assert alike == by_fields
        assert torch.equal(product.dictionary.entries, by_fields.dictionary.entries)
    assert by_fields.calibration.target == 0.2 and by_fields.scoring.top_share == 0.05
    assert LearnConfig.of(None, {}) == LearnConfig() and LearnConfig().scoring is None


def test_references_that_cannot_be_used_are_named(inspector, tmp_path, good):
    (tmp_path / "bad.png").write_bytes(b"no")
    with pytest.raises(ProductError, match="A reference of 'cloth' cannot be used: .*bad.png"):
        inspector.learn("cloth", [good(0), tmp_path / "bad.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProductError, match="at least one good picture"):
        inspector.learn("cloth", [])
    with pytest.raises(LooktwiceError):
        inspector.learn("cloth", tmp_path / "empty")


def test_without_built_in_limits_pictures_of_unknown_things_are_unrated_and_products_are_learned(
    inspector, good, monkeypatch, tmp_path
):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "nothing"))
    assert inspector.inspect([good(0)])[0].verdict == "unrated"
    with pytest.raises(CalibrationError, match="no limits for pictures of unknown products"):
        inspector.inspect([good(0)], zero_shot_limits=True)
    product = inspector.learn("cloth", [good(0), good(1)])
    assert inspector.inspect([good(2)], product)[0].status == "ok"


def test_one_picture_gives_one_inspection_whatever_it_is(inspector, good, tmp_path):
    Image.fromarray(good(1)).save(tmp_path / "one.png")
    path = tmp_path / "one.png"
    product = inspector.learn("cloth", [good(0)])
    for picture in (good(1), good(1)[..., 0], Image.fromarray(good(1)), path.read_bytes(), path, str(path)):
        for chosen in (None, product):
            row = inspector.inspect(picture, chosen)
            assert type(row) is Inspection and row.status == "ok" and (row.width, row.height) == (160, 160)
    broken = inspector.inspect(b"nothing")
    assert type(broken) is Inspection and broken.status == "error"
    assert type(inspector.inspect(tmp_path / "absent.png")) is Inspection


def test_a_list_gives_a_list_and_what_may_be_long_is_lazy(inspector, good, tmp_path):
    for i in range(3):
        Image.fromarray(good(i, 64, 64)).save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for given in ([good(0)], (good(0),), [paths[0]]):
        rows = inspector.inspect(given)
        assert type(rows) is list and [type(row) for row in rows] == [Inspection]
    for given in (tmp_path, str(tmp_path), iter(paths), (path for path in paths)):
        rows = inspector.inspect(given)
        assert iter(rows) is rows and not isinstance(rows, list)
        assert [r.path for r in rows] == paths
    mixed = inspector.inspect([good(0, 64, 64), tmp_path])
    assert type(mixed) is list and [r.path for r in mixed] == ["image 0", *paths]
    (rows,) = inspector.inspect_many(good(0), [None])
    assert type(rows) is list and [type(row) for row in rows] == [Inspection]


def test_a_lazy_result_refuses_before_it_is_asked_for_the_first_row(inspector, tmp_path):
    for wrong in ({"mode": "few-shot"}, {"product": "unknown"}, {"target_false_alarm": 0.9}):
        with pytest.raises(LooktwiceError):
            inspector.inspect(tmp_path, **wrong)


@pytest.mark.slow
def test_the_types_of_results_are_those_of_what_was_given(tmp_path):
    (tmp_path / "asked.py").write_text(TYPED)
    checked = [sys.executable, "-m", "mypy", tmp_path / "asked.py"]  # with what CI has in its cache
    root = Path(__file__).parents[1]
    out = subprocess.run(checked, cwd=root, capture_output=True, text=True, timeout=900).stdout
    shown = re.findall(r'Revealed type is "(.*)"', out)
    one = "assistant.inspection.Inspection"
    generator = f"typing.Generator[{one}, None, None]"
    expected = [one, one, one, f"list[{one}]", f"list[{one}]", generator, f"{one} | {generator}"]
    assert [plain(kind) for kind in shown] == expected, out
    assert not re.search(r"asked\.py:\d+: error", out), out


TYPED = """
from collections.abc import Iterator
from pathlib import Path
from typing import Any
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from assistant import Inspector

def ask(inspector: Inspector, pixels: NDArray[np.uint8], image: Image, more: Iterator[Path]) -> None:
    paths = [Path("one.png")]
    reveal_type(inspector.inspect(pixels))
    reveal_type(inspector.inspect(image, "cloth"))
    reveal_type(inspector.inspect(b"bytes"))
    reveal_type(inspector.inspect(paths))
    reveal_type(inspector.inspect((pixels, image)))
    reveal_type(inspector.inspect(more))
    reveal_type(inspector.inspect(Path("folder or file")))
"""


def plain(kind):
    """A type as mypy shows it, without the module of what is built in."""
    return kind.replace("builtins.", "").replace("Union[", "").replace("], ", "] | ")


def test_an_endless_source_is_read_only_as_far_as_is_asked(inspector, good):
    drawn = []

    def camera():
        while True:
            drawn.append(1)
            yield good(len(drawn), 64, 64)

    rows = inspector.inspect(camera())
    assert not drawn
    assert [next(rows).path for _ in range(6)] == [f"image {i}" for i in range(6)]
    assert len(drawn) <= 6 + 4 * inspector._stream.at_once
    rows.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("read")]


def test_threads_may_share_an_inspector(inspector, good):
    product = inspector.learn("cloth", [good(0), good(1)])
    pictures = [good(i, 120 + 20 * i, 160) for i in range(4)]
    expected = [inspector.inspect([p], product)[0].score for p in pictures]
    found = {}

    def ask(i):
        found[i] = [r.score for r in inspector.inspect([pictures[i]] * 5, product)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, score in enumerate(expected):
        assert found[i] == pytest.approx([score] * 5, abs=TOLERANCE)


def test_mutual_mode_lights_up_where_one_picture_is_unlike_the_others(either_inspector, good, planted, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no")
    pictures = [good(i) for i in range(9)]
    pictures[6], (x0, y0, x1, y1) = planted(pictures[6], 0.5, 0.4)
    heard = []
    rows = either_inspector.inspect(
        [*pictures[:4], tmp_path / "bad.png", *pictures[4:]], mode="mutual", tell=heard.append
    )
    assert [r.status for r in rows] == ["ok"] * 4 + ["error"] + ["ok"] * 5
    assert heard == sorted(heard) and heard[-1] == 1.0
    scores = [r.score for r in rows if r.status == "ok"]
    assert {r.mode for r in rows} == {"mutual", None} and rows[0].evidence.n == 9
    assert all((r.score > r.threshold) == (r.verdict == "defect") for r in rows if r.status == "ok")
    py, px = np.unravel_index(rows[7].anomaly_map.argmax(), (160, 160))
    assert x0 - 3 <= px <= x1 + 3 and y0 - 3 <= py <= y1 + 3
    assert scores[6] >= 0.9 * max(scores)


def test_mutual_mode_does_not_mind_the_order_or_how_many_are_read_at_once(inspector, good):
    pictures = [good(i, 160, 160 if i % 2 else 97) for i in range(7)]
    forward = inspector.inspect(pictures, mode="mutual")
    inspector._stream.at_once = 2
    back = inspector.inspect(pictures[::-1], mode="mutual")[::-1]
    for one, other in zip(forward, back, strict=True):
        assert one.score == pytest.approx(other.score, abs=0.002)  # patches are kept in bfloat16
        assert (one.width, one.height) == (other.width, other.height)


def test_the_earlier_name_of_mutual_mode_works_with_a_warning(inspector, good):
    pictures = [good(i) for i in range(3)]
    with pytest.warns(DeprecationWarning, match="'mutual'") as heard:
        rows = inspector.inspect(pictures, mode="batch")
    assert heard[0].filename == __file__ and {row.mode for row in rows} == {"mutual"}
    assert [row.score for row in rows] == [row.score for row in inspector.inspect(pictures, mode="mutual")]


def test_mutual_mode_of_nothing_readable_is_all_errors(inspector, tmp_path):
    rows = inspector.inspect([tmp_path / "a.png", tmp_path / "b.png"], mode="mutual")
    assert [r.status for r in rows] == ["error", "error"]
    assert inspector.inspect([]) == [] and inspector.inspect([], mode="mutual") == []


def test_questions_are_answered_from_the_evidence(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(4)])
    (row,) = inspector.inspect([planted(good(9), 0.8, 0.6)[0]], product)
    answer = inspector.ask(row, "Is it defective?")
    assert isinstance(answer, Answer) and answer.text
    assert set(answer.regions) <= {r.id for r in row.regions}


def test_a_bundle_is_loaded_by_name(tiny_home, good):
    inspector = Inspector.from_pretrained("tiny-cnn", device="cpu")
    reference = Inspector.from_pretrained("tiny-cnn", device="cpu", runtime="torch", at_once=0)
    assert reference._stream.at_once == 1
    product = reference.learn("cloth", [good(0), good(1)])
    found, expected = (i.inspect([good(2)], product)[0] for i in (inspector, reference))
    assert found.score == pytest.approx(expected.score, abs=1e-3)
    with pytest.raises(WeightsError, match="There is no bundle"):
        Inspector.from_pretrained("unknown")


@pytest.mark.weights
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_pocket_bundle_finds_planted_defects(pocket, good, planted, width, height):
    product = pocket.learn("cloth", [good(i, width, height) for i in range(4)])
    for x, y in [(0.25, 0.3), (0.8, 0.6), (0.5, 0.85)]:
        spoiled, (x0, y0, x1, y1) = planted(good(9, width, height), x, y)
        for chosen in (None, product):
            (row,) = pocket.inspect([spoiled], chosen)
            assert row.verdict == "defect"
            py, px = np.unravel_index(row.anomaly_map.argmax(), (height, width))
            assert x0 <= px < x1 and y0 <= py < y1
            a0, b0, a1, b1 = row.regions[0].box
            assert a0 < x1 and a1 > x0 and b0 < y1 and b1 > y0


@pytest.mark.weights
def test_the_pocket_bundle_finds_the_odd_ones_of_many(pocket, good, planted):
    pictures = [good(i) for i in range(12)]
    boxes = {}
    for i in (3, 8):
        pictures[i], boxes[i] = planted(pictures[i], 0.5, 0.4)
    rows = pocket.inspect(pictures, mode="mutual")
    assert {i for i, row in enumerate(rows) if row.verdict == "defect"} >= {3, 8}
    assert set(np.argsort([r.score for r in rows])[-2:]) == {3, 8}
    for i, (x0, y0, x1, y1) in boxes.items():
        py, px = np.unravel_index(rows[i].anomaly_map.argmax(), (160, 160))
        assert x0 <= px < x1 and y0 <= py < y1


@pytest.mark.weights
def test_the_pocket_bundle_treats_many_as_singles(pocket, mixture, good):
    product = pocket.learn("cloth", [good(i) for i in range(3)])
    for chosen in (None, product):
        together = pocket.inspect(mixture, chosen)
        for found, picture in zip(together, mixture, strict=True):
            same(dataclasses.replace(pocket.inspect(picture, chosen), path=found.path), found)


@pytest.fixture(scope="module")
def pocket(good):
    """The real bundle, with limits from woven pictures, so that no test rests on the shipped ones."""
    inspector = Inspector.from_pretrained("pocket", device="cpu")
    detector, backbone = inspector.detector, inspector.backbone
    seen = backbone.encode([good(1000 + i) for i in range(39)])
    scores = tuple(detector.score(features, None).value for features in seen)
    inspector.__dict__["limits"] = BuiltInLimits("pocket", backbone.digest, "39 woven pictures", scores, own=True)
    return inspector


def test_a_product_read_from_a_file_is_moved_to_where_the_tower_runs(inspector, good, monkeypatch):
    inspector.save(inspector.learn("cloth", [good(0), good(1)]))
    moved = []
    monkeypatch.setattr("assistant.adapters.dictionary.Dictionary.to", lambda self, device: moved.append(device))
    inspector.inspect([good(5)], "cloth")
    assert moved and set(moved) == {inspector.backbone.runtime.device}


def test_an_explainers_words_are_checked_and_it_sees_the_picture(inspector, good, planted):
    class Liar:
        name, context, seen = "liar", 2000, ()

        def count(self, text):
            return len(text.split())

        def stream(self, prompt):
            self.seen = prompt.subjects
            yield "The picture was looked at. The score is 12345."

    product = inspector.learn("cloth", [good(i) for i in range(4)])
    pixels = planted(good(9), 0.8, 0.6)[0]
    (row,) = inspector.inspect([pixels], product)
    inspector.explainer = Liar()
    try:
        *_, last = inspector.stream(row, "What is the score?", picture=pixels)
        assert last == inspector.ask(row, "What is the score?", picture=pixels)
        assert "liar" in last.source and last.notices and "12345" not in last.whole and "The score is" in last.text
        assert not any("12345" in line.text for line in last.seen)
        assert (inspector.explainer.seen[0].picture == pixels).all()
    finally:
        inspector.explainer = None
    assert "Of 2 pictures" in inspector.ask([row, row], "how many are defective?").text
    with pytest.raises(LooktwiceError, match="no inspection"):
        inspector.ask([], "?")
