"""Reading ahead: bounded, in order, not stopped by a bad picture, closed when nobody listens any more."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import ImageError
from assistant.images.load import LoadedImage
from assistant.images.reading import in_groups, read_ahead


def picture(source):
    return (LoadedImage(np.full((2, 3, 3), int(source) % 256, dtype=np.uint8), str(source)),)


@pytest.mark.parametrize("ahead", [1, 3, 8, 50])
def test_no_more_than_asked_are_read_before_they_are_wanted(ahead):
    drawn = []

    def sources():
        for i in range(20):
            drawn.append(i)
            yield i

    read = []
    entries = read_ahead(sources(), ahead=ahead, load=lambda s: read.append(s) or picture(s))
    assert not drawn  # nothing starts before the first is wanted
    for asked, _ in enumerate(entries, start=1):
        assert len(drawn) <= asked + ahead
        assert len(read) <= asked + ahead
    assert sorted(read) == list(range(20))


@pytest.mark.parametrize(("rows", "ahead"), [(1, 8), (3, 3), (5, 2), (100, 2)])
def test_fewer_are_read_ahead_where_they_are_large(monkeypatch, rows, ahead):
    monkeypatch.setattr("assistant.images.reading.AHEAD_BYTES", 900)
    drawn = []

    def sources():
        for i in range(20):
            drawn.append(i)
            yield i

    def load(source):
        if source == 4:
            raise ImageError("broken")
        return (LoadedImage(np.zeros((rows, 30, 3), dtype=np.uint8), str(source)),)

    entries = read_ahead(sources(), ahead=8, workers=2, load=load)
    for asked, _ in enumerate(entries, start=1):
        assert len(drawn) == min(20, asked + ahead)  # a broken one does not make those to come smaller


def test_entries_come_in_order_even_if_the_first_takes_long():
    def slow(source):
        time.sleep(0.05 if source % 4 == 0 else 0)
        return picture(source)

    entries = list(read_ahead(range(12), workers=4, load=slow))
    assert [e.image.pixels[0, 0, 0] for e in entries] == list(range(12))
    assert [e.path for e in entries] == [f"image {i}" for i in range(12)]
    assert entries[4].ms >= 40


def test_a_bad_picture_becomes_a_sentence_and_the_rest_goes_on(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    array = np.zeros((4, 4, 3), dtype=np.uint8)
    entries = list(read_ahead([array, tmp_path / "bad.png", str(tmp_path / "none.png"), array, None]))
    assert [e.image is None for e in entries] == [False, True, True, False, True]
    assert [bool(e.error) for e in entries] == [False, True, True, False, True]
    assert entries[1].path == str(tmp_path / "bad.png") and entries[0].error is None
    assert str(tmp_path) not in entries[1].error


def test_a_mistake_of_the_program_is_not_hidden():
    def broken(source):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(read_ahead([1], load=broken))


def readers():
    return [t for t in threading.enumerate() if t.name.startswith("read")]


def test_an_abandoned_run_reads_nothing_more_and_leaves_no_thread():
    read = []
    entries = read_ahead(range(1000), ahead=4, load=lambda s: read.append(s) or picture(s))
    next(entries)
    entries.close()
    assert not readers()
    after = len(read)
    assert after <= 6
    time.sleep(0.05)
    assert len(read) == after


def test_a_source_that_fails_ends_the_run_and_the_threads():
    def sources():
        yield 1
        yield 2
        raise ImageError("the folder is gone")

    with pytest.raises(ImageError, match="gone"):
        list(read_ahead(sources(), ahead=1, load=picture))
    assert not readers()


def test_paths_are_kept_as_given_and_nothing_gives_nothing():
    assert list(read_ahead([])) == []
    paths = [e.path for e in read_ahead(["a/b.png", Path("c.png")])]
    assert paths == ["a/b.png", "c.png"]


@pytest.mark.parametrize(
    ("count", "size", "lengths"), [(7, 3, [3, 3, 1]), (4, 2, [2, 2]), (0, 3, []), (2, 9, [2])]
)
def test_groups_are_full_but_for_the_last(count, size, lengths):
    groups = list(in_groups(range(count), size))
    assert [len(g) for g in groups] == lengths and sum(groups, []) == list(range(count))
