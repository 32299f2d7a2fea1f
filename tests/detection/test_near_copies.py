"""Near copies: one picture that was saved, lit or moved is found, and different parts are not taken for one."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from assistant.detection.near_copies import Sketch, find_groups


def part(seed, side=300):
    """A print with a grain of its own, on a plate that all parts share."""
    shared, own = np.random.default_rng(77), np.random.default_rng(seed)
    plate = 120 + np.kron(shared.normal(0, 25, (30, 30)), np.ones((side // 30, side // 30)))
    plate += np.kron(own.normal(0, 12, (60, 60)), np.ones((side // 60, side // 60)))
    seen = Image.fromarray(plate.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    return np.asarray(seen.convert("RGB"))


def saved(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def frame(pixels):
    """The next frame of a camera: moved by a pixel, with other noise, in another light."""
    moved = np.roll(pixels, (1, -1), (0, 1)) * 1.03
    return (moved + np.random.default_rng(5).normal(0, 1.5, pixels.shape)).clip(0, 255).astype(np.uint8)


COPIES = {
    "saved": lambda p: saved(p, 70),
    "lit": lambda p: np.asarray(ImageEnhance.Brightness(Image.fromarray(p)).enhance(0.9)),
    "frame": frame,
    "half": lambda p: np.asarray(Image.fromarray(p).resize((150, 150), Image.Resampling.BICUBIC)),
}


def groups(*pictures):
    return find_groups([Sketch.of(p) for p in pictures])


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_an_altered_copy_is_nearly_one_picture(copy):
    assert groups(part(1), part(2), copy(part(1)), part(3)) == [0, 1, 0, 3]


def test_different_parts_on_one_plate_are_none():
    assert groups(*(part(i) for i in range(6))) == list(range(6))


def test_frames_are_one_through_others():
    """A part that moves on is one picture though its first and its last frame are too far apart."""
    strip = part(4, 600)
    frames = [np.ascontiguousarray(strip[k : k + 300, k : k + 300]) for k in range(16)]
    assert groups(frames[0], frames[-1]) == [0, 1]
    assert groups(part(5), *frames) == [0, *[1] * len(frames)]


def test_pictures_without_structure_are_like_no_other():
    flat = np.full((200, 200, 3), 90, np.uint8)
    assert groups(flat, flat + np.uint8(40), part(1)) == [0, 1, 2]
    assert groups(flat) == [0] and groups() == []
    assert groups(np.full((1, 1, 3), 5, np.uint8), part(2)) == [0, 1]


def test_the_numbers_of_a_sketch_do_not_depend_on_the_size_of_a_picture():
    small, large = Sketch.of(part(6, 300)), Sketch.of(part(6, 1200))
    assert small.fine.shape == large.fine.shape == (124, 124)
    assert float((small.fine * large.fine).sum()) > 0.95
