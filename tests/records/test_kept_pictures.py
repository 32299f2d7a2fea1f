"""Whole pictures are files named by their content: a row and its file are there together, or only the file."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_history import found

from assistant.errors import HistoryError, HistoryFault
from assistant.images.judged import HOLD, JudgedPicture
from assistant.images.load import load_image
from assistant.inspection import Inspection
from assistant.records.history import History
from assistant.records.pictures import PictureFiles
from assistant.records.retention import find_unnamed, remove_unnamed
from assistant.upkeep.archive import export_store, import_store
from assistant.upkeep.clearance import Retention, clear
from assistant.upkeep.examination import examine


def judged(file, **changes):
    """The inspection of a picture file, or of pixels, with what was judged."""
    source = str(file) if isinstance(file, Path) else None
    picture = JudgedPicture(load_image(file), source)
    return found(str(source or "pasted.png"), judged=picture, **changes)


def draw(path, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    return path


@pytest.fixture
def history(place):
    kept = History(place)
    yield kept
    kept.close()


@pytest.fixture
def folder(history, tmp_path):
    history.pictures.keep(str(tmp_path / "kept"))
    return tmp_path / "kept"


def files(folder):
    return sorted(path for path in folder.glob("*/*"))


def age(folder, seconds=7200):
    for path in files(folder):
        os.utime(path, (time.time() - seconds,) * 2)


def test_nothing_is_kept_unless_it_is_asked_for(history, tmp_path):
    id = history.add(judged(draw(tmp_path / "a.jpg")))
    assert history.pictures.of(id) is None and history.pictures.files is None


def test_the_very_file_is_kept_once_and_for_its_owner_alone(history, folder, tmp_path):
    file = draw(tmp_path / "a.jpg")
    ids = [history.add(judged(file)) for _ in range(2)]
    ids.append(history.add(judged(draw(tmp_path / "b.jpg", 1))))
    assert history.pictures.of(ids[0]) == history.pictures.of(ids[1]) == file.read_bytes()
    assert history.pictures.of(ids[2]) == (tmp_path / "b.jpg").read_bytes() and len(files(folder)) == 2
    assert {path.stat().st_mode & 0o777 for path in files(folder)} == {0o600}
    file.unlink()
    assert history.pictures.of(ids[0])


def test_what_was_judged_is_kept_where_its_file_has_changed_or_there_was_none(history, folder, tmp_path):
    file = draw(tmp_path / "a.jpg")
    pixels = load_image(file).pixels
    changed = judged(file)
    draw(file, 5)
    gone = judged(draw(tmp_path / "b.jpg"))
    (tmp_path / "b.jpg").unlink()
    for one in (changed, gone, judged(pixels)):
        assert np.array_equal(load_image(history.pictures.of(history.add(one))).pixels, pixels)
    changed = judged(draw(tmp_path / "c.jpg"))
    draw(tmp_path / "c.jpg", 6)
    changed.judged.let_go()
    assert history.pictures.of(history.add(changed)) is None, "nobody has it any more"
    assert history.pictures.of(history.add(Inspection("bad.png", "error", "no picture"))) is None
    assert HOLD.most > 0


def test_the_store_says_where_they_are_and_moves_with_them(tmp_path):
    with closing(History(tmp_path / "h.sqlite")) as history:
        history.pictures.keep()
        id = history.add(judged(draw(tmp_path / "a.jpg")))
    assert len(files(tmp_path / "h.sqlite.kept")) == 1
    (tmp_path / "moved").mkdir()
    for path in (*tmp_path.glob("h.sqlite*"),):
        path.rename(tmp_path / "moved" / path.name)
    with closing(History(tmp_path / "moved" / "h.sqlite")) as history:
        assert history.pictures.of(id) == (tmp_path / "a.jpg").read_bytes()
        with pytest.raises(HistoryError, match="pictures elsewhere"):
            history.pictures.keep(str(tmp_path / "other"))
        history.pictures.stop()
        assert history.pictures.of(history.add(judged(tmp_path / "a.jpg"))) is None and history.pictures.of(id)


@pytest.mark.parametrize("scheme", ["memory://store/pictures", "file://{folder}/remote"])
def test_files_lie_wherever_fsspec_reaches(history, tmp_path, scheme):
    where = scheme.format(folder=tmp_path)
    history.pictures.keep(where)
    file = draw(tmp_path / "a.jpg")
    id = history.add(judged(file))
    assert history.pictures.of(id) == file.read_bytes()
    store = PictureFiles(where)
    other = store.put(b"nobody's")
    assert {one.digest for one in store.every()} > {other} and store.has(other, 8) and not store.has(other, 9)
    assert [one.digest for one in find_unnamed(history.database, store, -5.0)] == [other]
    assert remove_unnamed(history.database, store, find_unnamed(history.database, store, -5.0)) == 1
    assert store.get(other) is None and history.pictures.of(id)
    store.remove(other)


def test_a_place_that_cannot_be_reached_is_one_sentence_and_leaves_no_row(history, tmp_path):
    (tmp_path / "file").write_text("x")
    file = draw(tmp_path / "a.jpg")
    for where in (str(tmp_path / "file" / "in"), "nosuch://bucket/x"):
        history.pictures.keep(where)
        with pytest.raises(HistoryFault, match=r"^The (pictures|address)[^\n]*\.$"):
            history.add(judged(file))
    assert history.search().total == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from test_kept_pictures import judged
from assistant.database.engine import Database
from assistant.database.place import read_place
from assistant.records.history import History
history = History(read_place(sys.argv[1]))
history.pictures.settings
Database.write = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
history.add(judged(Path(sys.argv[2])))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_between_file_and_row_leaves_a_file_that_is_cleared(history, folder, place, tmp_path):
    kept = history.add(judged(draw(tmp_path / "a.jpg")))
    command = [sys.executable, "-c", KILLED, str(place), str(draw(tmp_path / "b.jpg", 1))]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    assert (
        subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, check=False).returncode == -signal.SIGKILL
    )
    assert history.search().total == 1 and len(files(folder)) == 2
    assert not examine(place).faults and clear(place, Retention()).files == 0, "it may wait for its row"
    age(folder)
    [fault] = examine(place).faults
    assert fault.kind == "file unnamed" and len(files(folder)) == 2
    assert clear(place, Retention(), dry=True).files == 1 == clear(place, Retention()).files
    assert len(files(folder)) == 1 and history.pictures.of(kept) and examine(place).is_sound


def test_a_file_that_is_cleared_just_before_its_row_is_written_again(history, folder, tmp_path, monkeypatch):
    file = draw(tmp_path / "a.jpg")
    written = history.pictures.write(judged(file))
    age(folder)
    store = history.pictures.files
    unnamed = find_unnamed(history.database, store)
    assert len(unnamed) == 1
    monkeypatch.setattr(history.pictures, "write", lambda _: written)
    remove_unnamed(history.database, store, unnamed)
    assert not files(folder)
    assert history.pictures.of(history.add(judged(file))) == file.read_bytes()


def test_clearing_beside_writers_takes_no_file_of_a_row(history, folder, place, tmp_path):
    shots = [draw(tmp_path / f"{i}.jpg", i) for i in range(6)]
    stop = threading.Event()

    def sweep():
        with closing(History(place)) as other:
            while not stop.is_set():
                store = other.pictures.files
                remove_unnamed(other.database, store, find_unnamed(other.database, store, -5.0))

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        ids = [history.add(judged(shot)) for _ in range(5) for shot in shots]
    finally:
        stop.set()
        sweeper.join()
    assert all(history.pictures.of(id) for id in ids) and examine(place).is_sound


def test_missing_and_short_files_are_found_and_no_row_goes(history, folder, place, tmp_path):
    ids = [history.add(judged(draw(tmp_path / f"{i}.jpg", i))) for i in range(3)]
    paths = {id: next(p for p in files(folder) if p.read_bytes() == history.pictures.of(id)) for id in ids}
    paths[ids[0]].unlink()
    paths[ids[1]].write_bytes(b"short")
    found = examine(place, mend=True)
    assert [(fault.kind, fault.row) for fault in found.faults] == [
        ("file missing", str(ids[0])),
        ("file missing", str(ids[1])),
    ]
    assert not found.is_sound and history.search().total == 3
    for id, said in ((ids[0], "is gone"), (ids[1], "is damaged")):
        with pytest.raises(HistoryFault, match=said):
            history.pictures.of(id)
    counts = export_store(place, tmp_path / "all.zip")
    assert counts["missing"] == 2 and counts["pictures"] == 1


def test_pictures_are_too_old_or_too_much_with_the_others(history, folder, place, tmp_path):
    for i in range(3):
        history.add(judged(draw(tmp_path / f"{i}.jpg", i)))
    size = sum(path.stat().st_size for path in files(folder))
    age(folder)
    assert clear(place, Retention(picture_bytes=10**9), dry=True).pictures == 0
    cleared = clear(place, Retention(picture_bytes=0))
    assert cleared.pictures == 3 == cleared.files and cleared.picture_bytes > size
    assert not files(folder) and examine(place).is_sound and history.search().total == 3


def test_pictures_are_carried_with_their_store(history, folder, place, tmp_path):
    ids = [history.add(judged(draw(tmp_path / f"{i}.jpg", i))) for i in (1, 2, 1)]
    counts = export_store(place, tmp_path / "all.zip")
    assert counts["pictures"] == 2 and counts["missing"] == 0
    target = tmp_path / "new" / "h.sqlite"
    assert import_store(tmp_path / "all.zip", target)["pictures"] == 2
    with closing(History(target)) as other:
        assert [other.pictures.of(id) for id in ids] == [history.pictures.of(id) for id in ids]
        assert not other.pictures.settings.keeps and examine(target).is_sound
    content = (tmp_path / "all.zip").read_bytes()
    kept = history.pictures.of(ids[0])
    at = content.find(kept) + len(kept) // 2
    (tmp_path / "bad.zip").write_bytes(content[:at] + b"\x00\x01\x02" + content[at + 3 :])
    with pytest.raises(HistoryError, match="or is damaged: nothing was imported"):
        import_store(tmp_path / "bad.zip", tmp_path / "other.sqlite")
    with closing(History(tmp_path / "other.sqlite")) as other:
        assert other.search().total == 0
