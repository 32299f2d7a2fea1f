"""A pose brings a picture to the frame of a reference, and what is found there back to its own coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.images.pose import Pose

TURNED = Pose((120, 80), angle=37.0, scale=1.1, shift=(30.0, -12.0))


def test_a_matrix_and_its_pose_are_one_thing() -> None:
    for pose in (TURNED, Pose((9, 9), -170.0, 0.8, (1.0, 2.0), mirror=True), Pose((5, 7))):
        again = Pose.of(pose.matrix, pose.frame)
        assert again.mirror == pose.mirror
        assert np.allclose(again.matrix, pose.matrix)
        assert np.allclose(pose.inverse @ np.vstack([pose.matrix, [0, 0, 1]]), np.eye(3)[:2])


def test_a_quarter_turn_goes_clockwise() -> None:
    turned = Pose((10, 10), angle=90.0, shift=(10.0, 0.0)).matrix
    right_of_middle = turned @ np.array([9.0, 5.0, 1.0])
    assert np.allclose(right_of_middle, (5.0, 9.0))  # it lies below the middle now


def _with_mark(x: float, y: float, size: tuple[int, int], ground: int = 200) -> NDArray[np.uint8]:
    picture = np.full((size[1], size[0], 3), ground, np.uint8)
    picture[round(y) - 5 : round(y) + 5, round(x) - 5 : round(x) + 5] = 20
    return picture


@pytest.mark.parametrize("grow", [1.0, 0.5])
def test_a_mark_lies_where_the_matrix_says_and_comes_back(grow: float) -> None:
    size, place = (110, 90), (60.0, 50.0)
    there = TURNED.matrix @ np.array([*place, 1.0])
    shown = TURNED.warp(_with_mark(*place, size), (round(120 * grow), round(80 * grow)))
    dark = np.argwhere(shown[..., 0] < 110)
    assert np.abs(dark.mean(axis=0)[::-1] + 0.5 - there * grow).max() < 0.7
    found = (shown[..., 0] < 110).astype(np.float32)
    own = TURNED.back(found, size, (size[1], size[0]))
    marked = np.argwhere(own > 0.5)
    assert np.abs(marked.mean(axis=0)[::-1] + 0.5 - place).max() < 0.7


def test_what_lies_beyond_the_picture_has_the_colour_of_its_edge() -> None:
    far = Pose((60, 60), shift=(40.0, 0.0))
    shown = far.warp(_with_mark(30, 30, (60, 60)))
    assert (shown[:, :38] == 200).all()


def test_what_the_frame_does_not_show_was_not_looked_at() -> None:
    moved = Pose((60, 60), shift=(-30.0, 0.0))  # the left half of the picture is outside of the frame
    own = moved.back(np.ones((6, 6), np.float32), (60, 60), (6, 6))
    assert (own[:, :3] == 0).all()
    assert (own[:, 3:] == 1).all()


def test_a_mask_drawn_on_a_picture_goes_to_the_frame() -> None:
    drawn = np.zeros((90, 110), np.float32)
    drawn[45:55, 55:65] = 1
    there = TURNED.matrix @ np.array([60.0, 50.0, 1.0])
    frame = TURNED.forth(drawn, (110, 90), (80, 120))
    marked = np.argwhere(frame > 0.5)
    assert np.abs(marked.mean(axis=0)[::-1] + 0.5 - there).max() < 0.7


@pytest.mark.parametrize(
    "changes", [{"scale": 0.0}, {"angle": math.nan}, {"shift": (math.inf, 0.0)}, {"frame": (0, 4)}]
)
def test_senseless_poses_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Pose(**({"frame": (4, 4)} | changes))  # type: ignore[arg-type]
