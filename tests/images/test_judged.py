"""What was judged is what is drawn, for as long as it is held, and known again afterwards."""

import copy
import gc
import pickle

import numpy as np
import pytest
from PIL import Image

from assistant.errors import ImageError
from assistant.images import load_image
from assistant.images.judged import Hold, JudgedPicture
from assistant.images.load import Window


def picture(number, side=100):
    return np.full((side, side, 3), number, np.uint8)


def write(path, number):
    Image.fromarray(picture(number)).save(path)
    return str(path)


def judged(path, hold):
    return JudgedPicture(load_image(path), path, hold)


def shows(one):
    return int(one.get().pixels[0, 0, 0])


def test_what_is_held_is_shown_whatever_became_of_the_file(tmp_path):
    hold = Hold()
    one, other = (judged(write(tmp_path / f"{i}.png", i), hold) for i in (1, 2))
    write(tmp_path / "1.png", 9)
    (tmp_path / "2.png").unlink()
    assert (shows(one), shows(other)) == (1, 2)
    with pytest.raises(ValueError, match="read-only"):
        one.get().pixels[:] = 0


def test_only_the_newest_are_held_and_older_ones_are_read_again_and_known(tmp_path):
    hold = Hold(70_000)  # two of three
    ones = [judged(write(tmp_path / f"{i}.png", i), hold) for i in range(3)]
    assert [one.size for one in ones] == [0, 30_000, 30_000]
    assert [shows(one) for one in ones] == [0, 1, 2]
    write(tmp_path / "0.png", 7)
    with pytest.raises(ImageError, match="^0.png has changed since it was judged$"):
        ones[0].get()
    (tmp_path / "0.png").unlink()
    with pytest.raises(ImageError, match="^0.png does not exist$"):
        ones[0].get()


def test_a_long_run_holds_nothing_of_what_nobody_has_any_more():
    hold, held = Hold(50_000_000), []
    for i in range(200):
        one = JudgedPicture(load_image(picture(i)), None, hold)
        held.append(one._seen)
    del one
    gc.collect()
    assert not [ref for ref in held if ref() is not None]


def test_those_that_somebody_has_are_held_before_those_that_nobody_has():
    hold = Hold(70_000)
    kept = JudgedPicture(load_image(picture(5)), None, hold)
    for i in range(50):
        JudgedPicture(load_image(picture(i)), None, hold)
    assert shows(kept) == 5 and len(hold._pictures) < 5


def test_a_picture_that_was_no_file_is_missed_in_one_sentence():
    one = JudgedPicture(load_image(picture(3)), None, Hold(10))
    with pytest.raises(ImageError, match="^the picture is no longer in memory, and it was no file$"):
        one.get()


def test_it_is_read_again_through_the_window_of_its_series(tmp_path):
    path = str(tmp_path / "deep.png")
    Image.fromarray(np.full((20, 20), 3000, np.uint16)).save(path)
    one = JudgedPicture(load_image(path, window=Window(black=1000, white=5000)), path, Hold(10))
    assert one.size == 0 and shows(one) == 128


@pytest.mark.parametrize("again", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])  # noqa: S301 - our own
def test_a_copy_knows_its_picture_and_holds_none(tmp_path, again):
    twin = again(judged(write(tmp_path / "part.png", 4), Hold()))
    assert twin.size == 0 and shows(twin) == 4
    write(tmp_path / "part.png", 5)
    with pytest.raises(ImageError, match="has changed"):
        twin.get()
