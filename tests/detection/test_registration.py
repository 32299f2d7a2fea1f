"""Registration finds how a part lies before a plain ground, and abstains where it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_parts import SIDE, draw_part
from PIL import Image, ImageDraw

from assistant.detection.registration import Registration
from assistant.images.part import Part
from assistant.images.pose import invert


@pytest.mark.parametrize(
    ("angle", "right", "down"), [(0, 0, 0), (23, 10, -6), (91, -12, 8), (180, 0, 15), (-140, 6, 6)]
)
def test_a_part_is_found_at_any_angle(angle: float, right: float, down: float) -> None:
    registration = Registration.of(draw_part(0)[0])
    assert registration is not None
    pose = registration.find(draw_part(angle, right, down, seed=5)[0])
    assert pose is not None
    turn = (pose.angle - registration.home.angle + angle + 180) % 360 - 180
    assert abs(turn) < 1.0
    assert pose.scale == pytest.approx(1.0, abs=0.02)


def test_places_of_turned_parts_lie_on_each_other_in_the_frame() -> None:
    mark = (190.0, 150.0)
    first, place = draw_part(30, mark=mark)
    registration = Registration.of(first)
    assert registration is not None
    goal = registration.home.matrix @ np.array([*place, 1.0])
    for angle in (75, 160, -100):
        picture, place = draw_part(angle, 5, -9, seed=angle + 200, mark=mark)
        pose = registration.find(picture)
        assert pose is not None
        assert np.abs(pose.matrix @ np.array([*place, 1.0]) - goal).max() < 2.0


def test_the_frame_is_a_box_along_the_part() -> None:
    registration = Registration.of(draw_part(40)[0])
    assert registration is not None
    width, height = registration.frame
    assert width * height < 0.6 * SIDE**2
    shown = registration.home.warp(draw_part(40)[0])
    assert shown.shape == (height, width, 3)
    edge = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert (np.abs(edge.astype(int) - (180, 178, 170)).max(axis=1) < 40).mean() > 0.95


def test_a_part_with_a_piece_missing_is_still_found() -> None:
    registration = Registration.of(draw_part(0)[0])
    assert registration is not None
    broken = draw_part(70, seed=3)[0].copy()
    whole = registration.find(broken)
    assert whole is not None
    there = invert(whole.matrix) @ np.array([0.9 * registration.frame[0], 0.3 * registration.frame[1], 1.0])
    y, x = np.mgrid[:SIDE, :SIDE]
    broken[np.hypot(x - there[0], y - there[1]) < 22] = (180, 178, 170)
    pose = registration.find(broken)
    assert pose is not None
    assert abs(pose.angle - whole.angle) < 3


def test_another_thing_lies_in_no_pose() -> None:
    registration = Registration.of(draw_part(0)[0])
    assert registration is not None
    other = Image.new("RGB", (SIDE, SIDE), (180, 178, 170))
    ImageDraw.Draw(other).ellipse([90, 90, 210, 210], fill=(70, 80, 110))
    assert registration.find(np.asarray(other)) is None
    picture = draw_part(0)[0]
    brought, pose = registration.bring(np.asarray(other))
    assert pose is None
    assert brought is not picture and np.array_equal(brought, np.asarray(other))


def test_no_part_is_seen_where_none_stands_before_a_plain_ground() -> None:
    random = np.random.default_rng(1)
    weave = (128 + 60 * np.sin(np.arange(SIDE) / 3)[:, None, None] + random.normal(0, 9, (SIDE, SIDE, 3))).clip(
        0, 255
    )
    clutter = np.kron(random.integers(0, 255, (15, 15, 3)), np.ones((20, 20, 1)))
    even = np.full((SIDE, SIDE, 3), 120)
    for picture in (weave, clutter, even, random.integers(0, 255, (SIDE, SIDE, 3)), np.zeros((10, 400, 3))):
        assert Part.seen_in(picture.astype(np.uint8)) is None


def test_what_is_kept_finds_the_very_same_poses() -> None:
    registration = Registration.of(draw_part(12)[0])
    assert registration is not None
    again = Registration.from_state(registration.settings(), registration.tensor())
    picture = draw_part(77, seed=9)[0]
    assert again.find(picture) == registration.find(picture)
    assert again.frame == registration.frame


def test_a_damaged_registration_is_refused() -> None:
    registration = Registration.of(draw_part(12)[0])
    assert registration is not None
    with pytest.raises(ValueError):
        Registration.from_state(registration.settings() | {"square": [[1.0]]}, registration.tensor())
    with pytest.raises(ValueError):
        Registration.from_state(registration.settings(), registration.tensor()[:, :5])


def test_a_mask_drawn_on_the_first_reference_follows() -> None:
    import torch

    first, place = draw_part(30, mark=(90.0, 130.0))
    registration = Registration.of(first)
    assert registration is not None
    drawn = np.zeros((SIDE // 2, SIDE // 2), np.float32)  # a copy of half the size
    x, y = round(place[0] / 2), round(place[1] / 2)
    drawn[y - 4 : y + 4, x - 4 : x + 4] = 1
    shown = registration.look_at(torch.from_numpy(drawn)).numpy()
    there = np.argwhere(shown > 0.5).mean(axis=0)[::-1] / (shown.shape[1], shown.shape[0]) * registration.frame
    assert np.abs(there - registration.home.matrix @ np.array([*place, 1.0])).max() < 4
