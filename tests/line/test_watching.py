"""A folder that fills in every way there is: each part once, nothing left out, whatever is stopped or away."""

import os
import threading
import time

import pytest
from line_parts import Shelf, draw, judge, wait_for

from assistant.line.delivery import Delivery
from assistant.line.journal import Journal, JournalHeld
from assistant.line.keeping import Keeper
from assistant.line.watching import FolderWatch, Pace


def drop(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(draw(sum(name.encode())))


@pytest.fixture
def running(begin):
    """running(*routes): a watch at work in a thread; the parts that it has kept, as they come."""
    ends = []

    def start(*routes, **more):
        kept, end = [], threading.Event()
        watch = begin(*routes, **more)

        def work():
            parts = watch.run()
            try:
                while not end.is_set():
                    # a step that never gives anything would wait forever: the folder gets a last part below
                    kept.append(next(parts))
            finally:
                parts.close()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        ends.append((end, thread, watch))
        return kept

    yield start
    for end, thread, watch in ends:
        end.set()
        for i in range(500):
            if not thread.is_alive():
                break
            watch.folder.mkdir(exist_ok=True)
            (watch.folder / f"last{i}.png").write_bytes(draw(10_000 + i))
            thread.join(0.3)


def test_what_lies_there_is_inspected_once_and_handed_on(begin, folder, shelf, to, journal):
    drop(folder, "a.png", "day/b.png", "day/night/c.png")
    kept = list(begin(to(shelf), station="press 3").run(once=True))
    assert {one.event.body["source"] for one in kept} == {"a.png", "day/b.png", "day/night/c.png"}
    assert shelf.parts == [1, 2, 3] and not journal.outbox.waiting()
    event = shelf.letters[2].event
    assert event.body["counts"] == {"good": 3} and event.body["station"] == "press 3"
    assert event.inspection.path == str(folder / event.body["source"])
    assert list(begin(to(shelf)).run(once=True)) == [] and len(shelf.parts) == 3


def test_the_same_bytes_again_are_no_new_part_and_new_bytes_are_one(begin, folder, shelf, to):
    drop(folder, "a.png")
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    watch = begin(to(shelf))
    assert len(list(watch.run(once=True))) == 1 and watch.known == 1
    (folder / "a.png").rename(folder / "renamed.png")
    os.utime(folder / "copy.png", ns=(7, 7))
    assert list(begin(to(shelf)).run(once=True)) == []
    (folder / "copy.png").write_bytes(draw(99))
    [new] = begin(to(shelf)).run(once=True)
    assert new.event.body["source"] == "copy.png" and new.event.part == 2
    assert len(shelf.parts) == 2


def test_a_part_is_known_after_its_file_is_gone(begin, folder):
    drop(folder, "a.png")
    list(begin().run(once=True))
    (folder / "a.png").unlink()
    list(begin().run(once=True))
    (folder / "b.png").write_bytes(draw(sum(b"a.png")))
    assert list(begin().run(once=True)) == []


def test_a_file_that_is_written_slowly_is_read_when_it_is_whole(running, folder, shelf, to):
    kept, whole = running(to(shelf), give_up=3.0), draw(1)
    with (folder / "slow.png").open("wb") as file:
        for i in range(0, len(whole), 200):
            file.write(whole[i : i + 200])
            file.flush()
            time.sleep(0.1 if i % 600 == 0 else 0.02)  # longer than it takes to settle
    wait_for(lambda: kept)
    assert kept[0].event.verdict == "good" and len(kept) == 1
    (folder / "part.tmp").write_bytes(draw(2))
    (folder / "part.tmp").rename(folder / "moved.png")
    wait_for(lambda: len(kept) == 2)
    wait_for(lambda: shelf.parts == [1, 2])


def test_a_file_that_never_becomes_readable_is_a_row_with_its_sentence(begin, folder, shelf, to):
    (folder / "half.png").write_bytes(draw(1)[:-40])
    (folder / "empty.png").write_bytes(b"")
    (folder / "nothing.png").write_bytes(b"")
    begun = time.monotonic()
    kept = list(begin(to(shelf), give_up=0.5).run(once=True))
    assert time.monotonic() - begun >= 0.5
    said = {one.event.body["source"]: one.inspection.error for one in kept}
    assert said["half.png"] == "half.png is damaged or cut short and cannot be read"
    assert said["empty.png"] == "empty.png is empty" and said["nothing.png"] == "nothing.png is empty"
    assert [letter.event.verdict for letter in shelf.letters] == ["error"] * 3
    assert list(begin(to(shelf), give_up=0.5).run(once=True)) == []
    (folder / "half.png").write_bytes(draw(1))
    assert [one.event.verdict for one in begin(to(shelf)).run(once=True)] == ["good"]


def test_a_file_that_may_not_be_read_is_waited_for_and_then_a_row(begin, folder, monkeypatch):
    from assistant.errors import ImageError
    from assistant.line import watching

    drop(folder, "a.png")
    real, tries = watching.read_file, []

    def locked(path, most):
        tries.append(path)
        if len(tries) < 2:
            raise ImageError("a.png cannot be opened: permission denied")
        return real(path, most)

    monkeypatch.setattr(watching, "read_file", locked)
    assert [one.event.verdict for one in begin().run(once=True)] == ["good"]
    drop(folder, "b.png")

    def closed(path, most):
        raise ImageError("b.png cannot be opened: permission denied")

    monkeypatch.setattr(watching, "read_file", closed)
    [one] = begin().run(once=True)
    assert one.inspection.error == "b.png cannot be opened: permission denied"
    assert one.event.body["source"] == "b.png" and one.event.body["sha256"] == ""


def test_a_file_that_is_gone_before_it_was_read_is_a_row(running, folder):
    kept = running(settle=0.5, give_up=1.0)
    drop(folder, "a.png")
    time.sleep(0.2)
    (folder / "a.png").unlink()
    wait_for(lambda: kept)
    assert kept[0].inspection.error == "a.png was gone before it was read"


def test_a_file_that_changes_while_it_is_inspected_is_the_part_that_it_became(begin, folder, shelf, to):
    drop(folder, "a.png")
    changed = []

    def look(pictures):
        for row in judge(pictures):
            if not changed:
                (folder / "a.png").write_bytes(draw(5, shade=20))
                changed.append(row)
            yield row

    [one] = begin(to(shelf), look=look).run(once=True)
    assert one.event.verdict == "defect" and shelf.parts == [1]


def test_a_share_that_is_away_is_waited_for_and_said_once(running, folder, shelf, to, said, tmp_path):
    kept = running(to(shelf))
    drop(folder, "a.png")
    wait_for(lambda: len(kept) == 1)
    (folder / "b.png").write_bytes(draw(2))
    folder.rename(tmp_path / "away")
    time.sleep(0.6)
    drop(tmp_path / "away", "c.png")
    (tmp_path / "away").rename(folder)
    wait_for(lambda: len(kept) == 3)
    assert {one.event.verdict for one in kept} == {"good"}
    assert (
        sum("cannot be reached" in one for one in said) == 1 and sum("is back after" in one for one in said) == 1
    )


def test_new_only_leaves_out_what_lies_there_and_nothing_later(begin, folder, said):
    drop(folder, "a.png", "b.png")
    assert list(begin(new_only=True).run(once=True)) == [] and "2 picture(s)" in said[0]
    drop(folder, "c.png")
    assert [one.event.body["source"] for one in begin(new_only=True).run(once=True)] == ["c.png"]


def test_a_stop_in_the_middle_leaves_the_rest_for_the_next_time(begin, folder, shelf, to):
    drop(folder, *(f"{letter}.png" for letter in "abcdefgh"))
    parts = begin(to(shelf)).run()
    first = [next(parts) for _ in range(3)]
    parts.close()
    rest = list(begin(to(shelf)).run(once=True))
    names = [one.event.body["source"] for one in (*first, *rest)]
    assert sorted(names) == [f"{letter}.png" for letter in "abcdefgh"]
    assert sorted(shelf.parts) == list(range(1, 9))


def test_one_line_is_watched_once(begin, folder, journal):
    drop(folder, "a.png")
    parts = begin().run()
    next(parts)
    other = Journal(journal.path)
    watch = FolderWatch(
        folder, judge, Keeper(other, ()), Delivery(other.outbox, (), print), say=print, pace=Pace(0.02, 0.05, 0.3)
    )
    with pytest.raises(JournalHeld, match="Another program works with this journal"):
        next(watch.run())
    parts.close()
    other.close()


def test_sinks_get_the_outcomes_that_they_take(begin, folder, to):
    for i in range(6):
        (folder / f"{i}.png").write_bytes(draw(i, shade=20 if i % 3 == 0 else 200))
    (folder / "no.png").write_bytes(b"no")
    every, bad, errors = Shelf(), Shelf(), Shelf()
    routes = to(every, "all"), to(bad, "bad", ["defect"]), to(errors, "errors", ["error", "review"])
    list(begin(*routes).run(once=True))
    assert len(every.parts) == 7
    assert [one.event.verdict for one in bad.letters] == ["defect"] * 2
    assert [one.event.body["source"] for one in errors.letters] == ["no.png"]


def test_a_journal_that_fails_ends_the_watch_with_its_sentence(begin, folder, shelf, to, journal, monkeypatch):
    from assistant.errors import LineError

    drop(folder, "a.png")

    def full(letter):
        raise LineError("The journal cannot be read or written: database or disk is full.")

    monkeypatch.setattr(journal.outbox, "delivered", full)
    with pytest.raises(LineError, match="disk is full"):
        list(begin(to(shelf)).run())


def test_what_nobody_needs_to_know_is_forgotten(begin, folder, journal):
    drop(folder, "a.png", "b.png")
    list(begin().run(once=True))
    assert journal.expire(0) == 0, "their files are there"
    (folder / "a.png").unlink()
    watch = begin()
    list(watch.run(once=True))
    journal.forget(watch._arrivals.forget_gone())
    assert journal.expire(30) == 0 and journal.expire(0) == 1
    assert list(journal.files()) == ["b.png"]
