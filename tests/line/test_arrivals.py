"""When a file of a folder that fills may be read: half-written, moved, gone, changed, and a share that is away."""

import errno
import os

import pytest

from assistant.line import listing
from assistant.line.arrivals import Arrivals
from assistant.line.listing import FolderAway, Listing


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def arrivals(folder, clock):
    return Arrivals(folder, {}, settle=1.0, give_up=5.0, clock=clock)


@pytest.fixture
def after(arrivals, clock):
    """after(seconds): what may be read then, with what went away, looking four times a second."""

    def wait(seconds):
        gone = arrivals.look()
        for _ in range(round(seconds * 4)):
            clock.now += 0.25
            gone += arrivals.look()
        return [one.name for one in arrivals.ready()], gone

    return wait


def test_a_file_may_be_read_once_its_size_and_time_are_still(folder, after):
    (folder / "a.png").write_bytes(b"half")
    assert after(0.75) == ([], [])
    (folder / "a.png").write_bytes(b"half and half")
    assert after(0.75) == ([], [])
    assert after(0.25) == (["a.png"], [])


def test_a_file_of_the_same_size_that_is_written_again_settles_anew(folder, after):
    (folder / "a.png").write_bytes(b"first")
    after(0.75)
    os.utime(folder / "a.png", ns=(1, 1))
    assert after(0.75) == ([], [])
    assert after(0.25) == (["a.png"], [])


def test_what_is_not_whole_comes_again_when_it_changes_and_for_the_last_time_when_nobody_goes_on(
    folder, arrivals, after
):
    (folder / "a.png").write_bytes(b"half")
    after(1)
    [one] = arrivals.ready()
    assert not one.last
    arrivals.postpone(one)
    assert after(1) == ([], [])
    (folder / "a.png").write_bytes(b"whole now")
    assert after(1) == (["a.png"], [])
    [one] = arrivals.ready()
    arrivals.postpone(one)
    assert after(3.75) == ([], [])
    assert after(0.5)[0] == ["a.png"] and arrivals.ready()[0].last


def test_known_files_come_again_only_when_they_have_changed(folder, arrivals, after):
    (folder / "a.png").write_bytes(b"part")
    after(1)
    arrivals.take(arrivals.ready()[0])
    assert after(3) == ([], []) and arrivals.waiting == 0
    (folder / "a.png").write_bytes(b"another part")
    assert after(1) == (["a.png"], [])


def test_a_file_that_goes_away_unread_is_told_and_one_that_moves_is_not(folder, after):
    (folder / "gone.png").write_bytes(b"1")
    (folder / "moved.png").write_bytes(b"22")
    after(0.5)
    (folder / "gone.png").unlink()
    (folder / "moved.png").rename(folder / "there.png")
    ready, gone = after(0.75)
    assert not gone
    ready, gone = after(0.5)
    assert set(gone) == {"gone.png"} and ready == ["there.png"]


def test_the_oldest_comes_first_and_numbers_count_by_value(folder, after):
    for name, made in (("10.png", 5), ("2.png", 5), ("z.png", 1)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, ns=(made, made))
    assert after(1)[0] == ["z.png", "2.png", "10.png"]


def test_subfolders_and_links_are_looked_into_and_hidden_or_other_files_are_not(folder, arrivals, after, tmp_path):
    (folder / "day" / "shift").mkdir(parents=True)
    (folder / "day" / "shift" / "a.jpg").write_bytes(b"x")
    (folder / "day" / "round").symlink_to(folder)
    (folder / ".half.png").write_bytes(b"x")
    (folder / "part.png.tmp").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "scan.gif").write_bytes(b"x")
    (folder / "bare").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "elsewhere.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "nothing.png").symlink_to(tmp_path / "nothing")
    assert sorted(after(1)[0]) == ["bare", "day/shift/a.jpg", "link.png"]
    assert dict(arrivals.left_out) == {".gif": 1}


def test_a_share_that_is_away_loses_nothing(folder, arrivals, clock, after, tmp_path):
    (folder / "a.png").write_bytes(b"x")
    after(0.5)
    folder.rename(tmp_path / "away")
    for _ in range(40):
        clock.now += 1
        with pytest.raises(FolderAway, match="cannot be reached: no such file"):
            arrivals.look()
    (tmp_path / "away").rename(folder)
    assert after(0) == (["a.png"], [])


def test_an_empty_mount_point_is_a_share_that_is_away(folder, arrivals, after, monkeypatch):
    (folder / "a.png").write_bytes(b"x")
    after(0.5)
    (folder / "a.png").unlink()
    real = os.stat

    def elsewhere(path, *given, **more):
        found = real(path, *given, **more)
        return os.stat_result((*found[:2], found.st_dev + 1, *found[3:])) if path == folder else found

    monkeypatch.setattr(listing.os, "stat", elsewhere)
    with pytest.raises(FolderAway, match="is gone"):
        arrivals.look()


def test_an_error_of_the_share_below_the_folder_is_no_lost_file(folder, monkeypatch):
    (folder / "day").mkdir()
    (folder / "day" / "a.png").write_bytes(b"x")
    found = Listing(folder)
    assert list(found.read()) == ["day/a.png"]
    real = os.scandir

    def stale(path):
        if str(path).endswith("day"):
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(path)

    monkeypatch.setattr(listing.os, "scandir", stale)
    with pytest.raises(FolderAway, match="stale file handle"):
        found.read()


def test_a_subfolder_without_the_right_to_look_is_counted(folder, monkeypatch):
    (folder / "day").mkdir()
    (folder / "a.png").write_bytes(b"x")
    real = os.scandir

    def closed(path):
        if str(path).endswith("day"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(listing.os, "scandir", closed)
    found = Listing(folder)
    assert list(found.read()) == ["a.png"] and found.closed == 1
