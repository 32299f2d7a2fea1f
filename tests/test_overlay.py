"""Pixels of rendered overlays: what is colored, what stays clean, and what is written where."""

from __future__ import annotations

import dataclasses
import html.parser
import io

import numpy as np
import pytest
from PIL import Image

from assistant.errors import ImageError
from assistant.inspection import DefectType, Inspection, Region, Verdict
from assistant.overlay import LEGIBLE_SIDE, LONGEST_SIDE, colorize, draw_overlay

GREY = 90


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def inspection_of(
    pixels: np.ndarray, coarse: np.ndarray | None, verdict: Verdict = "defect", *regions: Region
) -> Inspection:
    return Inspection(
        path="part.png",
        mode="few-shot",
        score=0.9,
        p_value=0.01,
        threshold=0.5,
        review_threshold=0.4,
        verdict=verdict,
        regions=regions,
        width=pixels.shape[1],
        height=pixels.shape[0],
        scale=(0.4, 1.0),
        coarse_map=None if coarse is None else coarse.astype(np.float32),
    )


def region(*box: int) -> Region:
    return Region("R1", box, 1, 0.1, 0.9, "center", "moderate")  # type: ignore[arg-type]


def photo_part(overlay: Image.Image, shown_height: int) -> np.ndarray:
    return np.asarray(overlay)[-shown_height:]


def hot_corner() -> np.ndarray:
    coarse = np.full((8, 8), 0.3)
    coarse[0, 0] = 1.0
    return coarse


def test_a_good_part_looks_like_its_photograph() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    coarse = np.random.default_rng(1).random((8, 8)) * 0.4  # all below the low end, however it varies
    overlay = draw_overlay(pixels, inspection_of(pixels, coarse, "good"))
    np.testing.assert_array_equal(photo_part(overlay, 600), pixels)


def test_color_appears_only_where_the_map_is_high() -> None:
    pixels = grey(800, 800)
    shown = photo_part(draw_overlay(pixels, inspection_of(pixels, hot_corner())), 800)
    assert np.abs(shown[:40, :40].astype(int) - GREY).max() > 60
    assert (shown[200:, 200:] == GREY).all()


def test_the_color_scale_is_fixed_and_not_stretched() -> None:
    pixels = grey(800, 800)
    lone = photo_part(draw_overlay(pixels, inspection_of(pixels, hot_corner())), 800)
    hotter = hot_corner()
    hotter[7, 7] = 50.0
    beside = photo_part(draw_overlay(pixels, inspection_of(pixels, hotter)), 800)
    np.testing.assert_array_equal(lone[:300, :300], beside[:300, :300])


def test_opacity_sets_how_much_of_the_photo_is_left() -> None:
    pixels = grey(600, 600)
    inspection = inspection_of(pixels, np.ones((4, 4)))
    clear, half, full = (
        photo_part(draw_overlay(pixels, inspection, opacity=opacity), 600)[300, 300].astype(int)
        for opacity in (0.0, 0.5, 1.0)
    )
    top = colorize(np.float32([1.0]), (0.4, 1.0))[0].astype(int)
    assert (clear == GREY).all()
    np.testing.assert_array_equal(full, top)
    np.testing.assert_allclose(half, (top + GREY) / 2, atol=2)


def test_colors_grow_lighter_all_the_way_for_the_color_blind() -> None:
    colors = colorize(np.linspace(0, 1, 64, dtype=np.float32), (0.0, 1.0)).astype(float) / 255
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert luminance[0] < 0.03 and luminance[-1] > 0.75


def test_boxes_surround_their_region_and_can_be_left_out() -> None:
    pixels = grey(800, 800)
    inspection = inspection_of(pixels, None, "defect", region(300, 400, 500, 600))
    shown = photo_part(draw_overlay(pixels, inspection), 800)
    assert (shown[402:598, 302:498] == GREY).all()
    assert (shown[500, 292:300] == 255).any() and (shown[500, 500:508] == 255).any()
    assert (shown[392:400, 400] == 255).any() and (shown[600:608, 400] == 255).any()
    assert (shown[370:395, 290:340] == 255).any(), "the name stands above the box"
    assert (photo_part(draw_overlay(pixels, inspection, boxes=False), 800) == GREY).all()


def test_boxes_follow_a_picture_that_is_scaled_down() -> None:
    pixels = grey(3200, 3200)
    shown = photo_part(
        draw_overlay(pixels, inspection_of(pixels, None, "defect", region(1200, 1600, 2000, 2400))), 1600
    )
    assert (shown[805:1195, 605:995] == GREY).all()
    assert (shown[1000, 585:600] == 255).any() and (shown[1000, 1000:1015] == 255).any()


def test_a_name_without_room_above_goes_below() -> None:
    pixels = grey(800, 800)
    shown = photo_part(draw_overlay(pixels, inspection_of(pixels, None, "defect", region(0, 0, 800, 100))), 800)
    assert (shown[104:130, :40] == 255).any()


@pytest.mark.parametrize("verdict", ["good", "review", "defect"])
def test_the_bar_carries_the_verdict_and_hides_nothing(verdict: Verdict) -> None:
    pixels = grey(600, 900)
    overlay = draw_overlay(pixels, inspection_of(pixels, None, verdict))
    assert overlay.mode == "RGB" and overlay.width == 900 and overlay.height > 620
    fill = {"good": (0, 114, 92), "review": (240, 180, 20), "defect": (190, 25, 40)}[verdict]
    assert overlay.getpixel((1, 1)) == fill


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (1, 1, (LEGIBLE_SIDE, LEGIBLE_SIDE)),
        (1, 5000, (LONGEST_SIDE, 64)),
        (5000, 1, (64, LONGEST_SIDE)),
        (37, 53, (LEGIBLE_SIDE, 357)),
        (2000, 4000, (LONGEST_SIDE, 800)),
    ],
)
def test_any_size_is_shown_legibly(height: int, width: int, shown: tuple[int, int]) -> None:
    pixels = grey(height, width)
    boxed = region(width // 2, height // 2, width, height)
    overlay = draw_overlay(pixels, inspection_of(pixels, hot_corner(), "review", boxed))
    assert overlay.width >= shown[0]
    bar = overlay.height - shown[1]
    assert 30 <= bar <= 90
    assert max(overlay.size) <= LONGEST_SIDE + bar


def test_an_inspection_from_json_is_drawn_without_a_map() -> None:
    pixels = grey(600, 600)
    inspection = Inspection.from_json(inspection_of(pixels, hot_corner()).to_json())
    assert (photo_part(draw_overlay(pixels, inspection), 600) == GREY).all()


def test_the_given_pixels_stay_as_they_were() -> None:
    pixels = grey(600, 600)
    draw_overlay(pixels, inspection_of(pixels, np.ones((4, 4)), "defect", region(10, 10, 90, 90)))
    assert (pixels == GREY).all()


def test_what_does_not_fit_together_is_refused() -> None:
    pixels = grey(60, 40)
    inspection = inspection_of(pixels, hot_corner())
    with pytest.raises(ValueError, match="40 x 60"):
        draw_overlay(grey(40, 60), inspection)
    with pytest.raises(ValueError, match="uint8"):
        draw_overlay(pixels.astype(np.float32), inspection)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="opacity"):
        draw_overlay(pixels, inspection, opacity=2)
    with pytest.raises(ValueError, match="upwards"):
        draw_overlay(pixels, dataclasses.replace(inspection, scale=(1.0, 1.0)))
    with pytest.raises(ValueError, match="cannot be read"):
        draw_overlay(pixels, Inspection(path="a", status="error", error="This file cannot be read."))


# In a notebook


@pytest.fixture
def judged(tmp_path):
    """An inspection of a file with a name and words that a page might take for markup."""
    pixels = grey(300, 400)
    file = tmp_path / "<b>part & co.png"
    Image.fromarray(pixels).save(file)
    found = dataclasses.replace(
        region(10, 20, 60, 90), id="R<1>", defect_types=(DefectType("<script>alert(1)</script>", 0.9),)
    )
    row = inspection_of(pixels, hot_corner(), "defect", found)
    return dataclasses.replace(row, path=str(file), product="nut", notices=('<img src="http://x/y.png">',))


class Page(html.parser.HTMLParser):
    """The tags of a page, what they point at, and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.targets, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.targets += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_data(self, data):
        self.words += data + " "


def test_a_notebook_shows_overlay_verdict_and_regions(judged):
    page = Page(judged._repr_html_())
    assert page.tags.count("img") == 1 and all(t.startswith("data:image/") for t in page.targets)
    assert not {"script", "link", "style", "iframe"} & set(page.tags)
    for words in ("DEFECT", "<b>part & co.png", "product nut", "R<1>", "center", "moderate", "<script>alert(1)"):
        assert words in page.words
    drawn = Image.open(io.BytesIO(judged._repr_png_()))
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(judged.overlay()))


def test_an_overlay_is_drawn_on_the_file_that_was_judged_or_on_what_is_given(judged):
    pixels = grey(300, 400)
    expected = np.asarray(draw_overlay(pixels, judged))
    for overlay in (judged.overlay(), judged.overlay(pixels), judged.overlay(Image.fromarray(pixels))):
        np.testing.assert_array_equal(np.asarray(overlay), expected)


def test_a_row_from_json_shows_its_boxes(judged):
    again = Inspection.from_json(judged.to_json())
    assert again._repr_png_() and Page(again._repr_html_()).tags.count("img") == 1
    plain = draw_overlay(grey(300, 400), dataclasses.replace(judged, coarse_map=None))
    np.testing.assert_array_equal(np.asarray(again.overlay()), np.asarray(plain))


def test_a_picture_that_is_gone_or_another_is_said_and_the_rest_is_shown(judged, tmp_path):
    Image.fromarray(grey(30, 40)).save(judged.path)
    with pytest.raises(ImageError, match="has 40 x 30 pixels"):
        judged.overlay()
    assert judged._repr_png_() is None
    for path in (judged.path, str(tmp_path / "gone.png"), "image 0"):
        page = Page(dataclasses.replace(judged, path=path)._repr_html_())
        assert "img" not in page.tags and "DEFECT" in page.words and "No picture" in page.words


def test_an_error_row_is_its_sentence():
    row = Inspection("a/<i>.png", "error", "<i>.png is <no> picture")
    page = Page(row._repr_html_())
    assert "i" not in page.tags and "<i>.png is <no> picture" in page.words and row._repr_png_() is None
    with pytest.raises(ImageError, match="nothing to draw"):
        row.overlay()
    assert repr(row) == "<Inspection of <i>.png: error, <i>.png is <no> picture>"


def test_what_a_prompt_shows_is_one_short_line(inspector, good, judged):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    results = [judged, product, inspector, inspector.inspect(good(7), product)]
    assert all(len(repr(one)) < 120 and "\n" not in repr(one) for one in results)
    assert "'cloth': 3 reference(s)" in repr(product) and "tiny-cnn on cpu" in repr(inspector)
    assert "defect, score 0.9, limit 0.5, 1 region>" in repr(judged)
