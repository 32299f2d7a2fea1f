"""The window of a product: learned with it, kept under its seal, and what all of its pictures are read through."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from assistant.errors import LooktwiceError, ProductError
from assistant.images.load import load_image
from assistant.images.series import settle_window
from assistant.images.window import Window
from assistant.products.product import Product
from assistant.products.summary import detail_of, summary_of


@pytest.fixture
def camera(good):
    """camera(seed, low, high): a good picture as a camera of 16 bits writes it, between two values."""

    def take(seed, low, high):
        grey = good(seed)[..., 0].astype(float) / 255
        return np.rint(low + grey * (high - low)).astype(np.uint16)

    return take


def files(folder, pictures):
    folder.mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def alike(one, other):
    return (one.score, one.verdict, one.p_value, one.threshold) == (
        other.score,
        other.verdict,
        other.p_value,
        other.threshold,
    )


def test_every_picture_of_a_product_is_read_on_its_scale(inspector, camera, tmp_path):
    folder = files(tmp_path / "good", [camera(i, 30, 520 + i) for i in range(3)])
    product = inspector.learn("cloth", folder)
    assert product.window.levels == Window.learn(sorted(folder.iterdir())).levels
    dark = camera(9, 30, 240)  # which by itself is taken for 8 bits, and comes out brighter than the references
    expected = load_image(dark, window=product.window).pixels
    assert abs(load_image(dark).pixels.astype(int) - expected).max() > 40
    direct, seen = inspector.inspect(dark, product), inspector.inspect(expected, dataclasses.replace(product))
    assert alike(direct, seen) and direct.window == product.window
    [row] = inspector.inspect([dark], product)
    [[many, other]] = inspector.inspect_many(iter([dark]), [product, None])
    assert alike(row, direct) and alike(many, direct)
    assert other.window is None and other.score == inspector.inspect(dark).score


def test_products_of_several_windows_each_see_the_picture_through_their_own(inspector, camera, monkeypatch):
    narrow = inspector.learn("narrow", [camera(i, 20_000, 21_000) for i in range(2)])
    wide = inspector.learn("wide", [camera(i, 0, 60_000) for i in range(2)])
    plain = inspector.learn("plain", [(camera(i, 0, 255)).astype(np.uint8) for i in range(2)])
    picture = camera(7, 20_000, 21_000)
    decoded = []
    from assistant.images import load

    read = load.read_planes
    monkeypatch.setattr(load, "read_planes", lambda *given: decoded.append(given[1]) or read(*given))
    [rows] = inspector.inspect_many([picture], [narrow, wide, plain, narrow])
    assert len(decoded) == 1
    assert [row.window for row in rows] == [narrow.window, wide.window, None, narrow.window]
    for row, product in zip(rows, (narrow, wide, plain, narrow), strict=True):
        assert alike(row, inspector.inspect(picture, product))
    assert len({row.score for row in rows}) == 3


def test_a_mutual_batch_learns_one_window(inspector, camera, tmp_path):
    folder = files(tmp_path / "lot", [camera(i, 100, high) for i, high in enumerate((4000, 4080, 4200, 4300))])
    window = Window.learn(sorted(folder.iterdir()))
    rows = inspector.inspect(sorted(folder.iterdir()), mode="mutual")
    assert [row.window for row in rows] == [window] * 4
    shown = [load_image(path, window=window).pixels for path in sorted(folder.iterdir())]
    assert [row.score for row in rows] == [row.score for row in inspector.inspect(shown, mode="mutual")]
    lazily = list(inspector.inspect(iter(sorted(folder.iterdir())), mode="mutual"))
    assert [row.score for row in lazily] == [row.score for row in rows]
    asked = Window(bit_depth=16)
    assert inspector.inspect(sorted(folder.iterdir()), mode="mutual", window=asked)[0].window == asked


def test_a_window_may_be_given_and_a_products_own_is_not_overruled(inspector, camera):
    pictures = [camera(i, 400, 900) for i in range(2)]
    product = inspector.learn("cloth", pictures, window=Window(bit_depth=10))
    assert product.window == Window(bit_depth=10)
    with pytest.raises(LooktwiceError, match="leave out the window"):
        inspector.inspect(pictures[0], product, window=Window(0, 9))
    assert inspector.inspect(pictures[0], window=Window(300, 1000)).window == Window(300, 1000)


def test_arrays_have_the_channel_order_that_they_were_learned_with(inspector, good):
    swapped = [good(i)[..., ::-1].copy() for i in range(2)]
    product = inspector.learn("cloth", swapped, window=Window(channel_order="bgr"))
    plain = inspector.learn("plain", [good(0), good(1)])
    assert product.calibration == plain.calibration
    picture = good(5)
    one, other = inspector.inspect(picture[..., ::-1].copy(), product), inspector.inspect(picture, plain)
    assert one.score == other.score
    assert np.array_equal(one.picture(picture[..., ::-1].copy()).pixels, picture)


def test_a_picture_far_outside_gets_one_notice_with_the_numbers(inspector, camera):
    product = inspector.learn("cloth", [camera(i, 20_000, 21_000) for i in range(3)])
    black, white = map(int, product.window.levels)
    [notice] = inspector.inspect(camera(3, 40_000, 45_000), product).notices[:1]
    assert "100 % of its samples" in notice and f"{black} to {white}" in notice
    assert not any("window" in n for n in inspector.inspect(camera(4, 20_000, 21_000), product).notices)
    eight = np.full((160, 160), 90, np.uint8)
    assert "has 8 bits" in inspector.inspect(eight, product).notices[0]


@pytest.mark.parametrize("lazy", [False, True])
def test_references_of_8_bits_and_more_are_no_series(inspector, camera, good, lazy):
    for mixed in ([camera(0, 0, 9000), good(1)], [good(1), camera(0, 0, 9000), camera(2, 0, 9000)]):
        with pytest.raises(ProductError, match=r"8 bits and .* one scale"):
            inspector.learn("cloth", iter(mixed) if lazy else mixed)
    with pytest.raises(ProductError, match="has 8 bits and the window"):
        inspector.learn("cloth", [good(1)], window=Window(bit_depth=12))
    product = inspector.learn("cloth", [camera(i, 0, 9000) for i in range(2)])
    for as_ in ("good", "defect"):
        with pytest.raises(ProductError, match="has 8 bits and the window"):
            inspector.teach(product, good(1), as_)


def test_what_is_taught_goes_through_the_window(inspector, camera):
    pictures = [camera(i, 30, 300) for i in range(4)]
    product = inspector.learn("cloth", pictures[:2])
    taught = inspector.teach(product, camera(6, 30, 240), confirm=True)
    assert taught.window == product.window and len(taught.references) == 3
    shown = load_image(camera(6, 30, 240), window=product.window).pixels
    from assistant.images.digest import digest_of

    assert taught.references[-1].digest == digest_of(shown)
    again = inspector.correct(product, camera(6, 30, 240), "false alarm", confirm=True)
    assert again.references == taught.references


def test_it_is_kept_and_shown_and_lies_under_the_seal(inspector, camera, tmp_path):
    product = inspector.learn("cloth", [camera(i, 20_000, 21_000) for i in range(2)])
    product.check_seal()
    again = Product.load(product.save(tmp_path / "cloth.product.safetensors"))
    assert again.window == product.window and again.seal == product.seal
    again.check_seal()
    with pytest.raises(ProductError, match="limits"):
        dataclasses.replace(again, window=Window(bit_depth=16)).check_seal()
    assert str(product.window) in repr(product)
    assert summary_of(again).window == detail_of(again).window == product.window
    assert json.loads(json.dumps(dataclasses.asdict(summary_of(again))))["window"]["black"] == product.window.black


def test_products_of_8_bits_are_kept_as_before(inspector, good):
    product = inspector.learn("cloth", [good(0), good(1)])
    assert product.window == Window() and summary_of(product).window is None
    assert "window" not in product.state()[0] and "window" not in repr(product)
    row = inspector.inspect(good(2), product)
    assert row.window is None and "window" not in row.to_dict()


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(0, 3000, np.uint16), (0, 230, np.uint16), (0, 0.9, np.float32)]
)
def test_a_single_reference_gives_its_depth_and_changes_no_picture_of_it(inspector, camera, low, high, kind):
    scaled = [(camera(i, 0, 60_000) / 60_000 * (high - low) + low).astype(kind) for i in range(3)]
    product = inspector.learn("cloth", scaled[:1])
    assert product.window.levels is not None
    for picture in scaled:
        assert np.array_equal(load_image(picture, window=product.window).pixels, load_image(picture).pixels)
    crossing = scaled[1].copy()
    crossing[0, 0] = np.ceil(20 * high)
    through = load_image(crossing, window=product.window).pixels
    assert np.count_nonzero(through != load_image(scaled[1]).pixels) <= 3, "one bright value changes no other"


def test_a_series_is_settled_before_it_is_read(camera, good):
    deep, plain = [camera(i, 0, 9000) for i in range(3)], [good(i) for i in range(3)]
    window, sources = settle_window(iter(deep))
    assert window == Window.learn(deep) and len(list(sources)) == 3
    left = iter(plain)
    window, sources = settle_window(left)
    assert window == Window() and next(left) is plain[1], "pictures of 8 bits are not held"
    assert settle_window([])[0] == Window() and settle_window(iter([]))[0] == Window()
    heard = []
    settle_window(deep, tell=heard.append)
    assert heard == [0, 1 / 3, 2 / 3]


def test_an_inspection_remembers_its_window_for_whoever_draws_it(inspector, camera, tmp_path):
    product = inspector.learn("cloth", [camera(i, 20_000, 21_000) for i in range(2)])
    Image.fromarray(picture := camera(3, 20_000, 21_000)).save(tmp_path / "new.png")
    row = inspector.inspect(tmp_path / "new.png", product)
    again = type(row).from_json(row.to_json())
    assert again == row and again.window == product.window
    shown = load_image(picture, window=product.window).pixels
    assert np.array_equal(again.picture().pixels, shown)
    assert np.array_equal(again.picture(picture).pixels, shown)
    from assistant.overlay import draw_overlay

    assert np.array_equal(np.asarray(again.overlay()), np.asarray(draw_overlay(shown, again)))
