"""Lines in a file and folders for verdicts: once each, whole, and nothing replaced."""

import json
from dataclasses import replace

import pytest
from line_parts import Shelf, draw

from assistant.errors import LineError
from assistant.line.file_sinks import LineFile, VerdictFolders
from assistant.line.sink import Away


@pytest.fixture
def letters(begin, folder, to):
    """Letters with the results of three parts, the second a defect in a subfolder, the third an error."""
    (folder / "day").mkdir()
    (folder / "a.png").write_bytes(draw(1))
    (folder / "day" / "b.png").write_bytes(draw(2, shade=10))
    (folder / "c.png").write_bytes(b"no picture")

    class Open(Shelf):
        needs_picture = True

        def deliver(self, letter):
            data = letter.picture()
            self.letters.append(replace(letter, picture=lambda: data))

    shelf = Open()
    list(begin(to(shelf)).run(once=True))
    return sorted(shelf.letters, key=lambda letter: letter.event.body["source"])


def parts(path):
    return [json.loads(line)["part"] for line in path.read_text().splitlines()]


def test_each_result_is_a_line_of_json(letters, tmp_path):
    sink = LineFile(tmp_path / "new" / "rows.jsonl")
    for letter in letters:
        sink.deliver(letter)
    rows = [json.loads(line) for line in sink.path.read_text().splitlines()]
    assert rows == [letter.event.body for letter in letters]


def test_a_line_that_was_written_before_a_kill_is_not_repeated(letters, tmp_path):
    sink = LineFile(tmp_path / "rows.jsonl")
    for letter in letters:
        sink.deliver(letter)
    sink.deliver(replace(letters[2], doubtful=True))
    assert parts(sink.path) == [letter.event.part for letter in letters]
    sink.deliver(replace(letters[0], doubtful=True))
    assert len(parts(sink.path)) == 4, "another line than the last is another result"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, 1.0])
def test_half_a_line_that_a_kill_left_is_made_whole(letters, tmp_path, share):
    sink = LineFile(tmp_path / "rows.jsonl")
    sink.deliver(letters[0])
    line = letters[1].event.to_json().encode()
    with sink.path.open("ab") as file:
        file.write(line[: round(share * len(line))])
    sink.deliver(replace(letters[1], doubtful=True))
    assert parts(sink.path) == [letters[0].event.part, letters[1].event.part]
    assert sink.path.read_bytes().endswith(b"}\n")


def test_what_others_wrote_without_an_end_stays(letters, tmp_path):
    sink = LineFile(tmp_path / "rows.jsonl")
    sink.path.write_bytes(b"somebody's words")
    sink.deliver(replace(letters[0], doubtful=True))
    assert sink.path.read_bytes().startswith(b"somebody's words\n{")


def test_a_very_long_last_line_is_known_too(letters, tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.line.file_sinks.CHUNK", 16)
    sink = LineFile(tmp_path / "rows.jsonl")
    sink.deliver(letters[0])
    sink.deliver(letters[1])
    sink.deliver(replace(letters[1], doubtful=True))
    assert parts(sink.path) == [letters[0].event.part, letters[1].event.part]


def test_a_file_that_was_moved_away_begins_anew(letters, tmp_path):
    sink = LineFile(tmp_path / "rows.jsonl")
    sink.deliver(letters[0])
    sink.path.rename(tmp_path / "rows.1.jsonl")
    sink.deliver(letters[1])
    assert parts(sink.path) == [letters[1].event.part]


def test_a_disk_that_is_full_is_away(letters, tmp_path, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assistant.line.file_sinks.os.fsync", full)
    with pytest.raises(Away, match="rows.jsonl cannot be written: no space left on device"):
        LineFile(tmp_path / "rows.jsonl").deliver(letters[0])
    with pytest.raises(Away, match="sorted cannot be written: no space"):
        VerdictFolders(tmp_path / "sorted").deliver(letters[0])


def test_each_picture_is_copied_into_the_folder_of_its_verdict(letters, folder, tmp_path):
    sink = VerdictFolders(tmp_path / "sorted")
    for letter in letters:
        sink.deliver(letter)
    found = {path.relative_to(sink.folder).as_posix() for path in sink.folder.rglob("*.*")}
    assert found == {"good/a.png", "defect/day/b.png", "error/c.png"}
    assert (sink.folder / "defect/day/b.png").read_bytes() == (folder / "day/b.png").read_bytes()
    assert (folder / "a.png").exists()


def test_no_file_is_replaced_and_none_is_written_twice(letters, tmp_path):
    sink = VerdictFolders(tmp_path / "sorted")
    (sink.folder / "good").mkdir(parents=True)
    (sink.folder / "good" / "a.png").write_bytes(b"somebody's")
    (sink.folder / "good" / "a-2.png").symlink_to("nothing")
    for _ in range(2):
        sink.deliver(letters[0])
    assert (sink.folder / "good" / "a.png").read_bytes() == b"somebody's"
    assert (sink.folder / "good" / "a-3.png").read_bytes() == draw(1)
    assert len(list((sink.folder / "good").iterdir())) == 3


def test_what_a_kill_leaves_is_cleared_when_it_is_delivered_again(letters, tmp_path, monkeypatch):
    sink = VerdictFolders(tmp_path / "sorted")
    for call in ("link", "unlink"):  # killed before the copy has its name, and after

        def killed(*given, **more):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(f"assistant.line.file_sinks.{'os.link' if call == 'link' else 'Path.unlink'}", killed)
            with pytest.raises(KeyboardInterrupt):
                sink.deliver(letters[0])
        assert len(list((sink.folder / "good").iterdir())) == (1 if call == "link" else 2)
    sink.deliver(letters[0])
    assert [path.name for path in (sink.folder / "good").iterdir()] == ["a.png"]


def test_a_picture_is_moved_only_where_that_is_asked_for_and_it_is_the_same(letters, folder, tmp_path):
    sink = VerdictFolders(tmp_path / "sorted", folder, move=True)
    (folder / "c.png").write_bytes(b"another")
    for letter in letters:
        sink.deliver(letter)
        sink.deliver(letter)
    assert not (folder / "a.png").exists() and not (folder / "day" / "b.png").exists()
    assert (folder / "c.png").read_bytes() == b"another"
    assert (sink.folder / "error" / "c.png").read_bytes() == b"no picture"


def test_a_picture_that_was_deleted_before_it_was_copied_is_copied_all_the_same(begin, folder, to, tmp_path):
    (folder / "a.png").write_bytes(draw(1))
    (tmp_path / "sorted").write_text("in the way")

    class Late(VerdictFolders):
        def deliver(self, letter):
            raise Away("not yet")

    late = Late(tmp_path / "elsewhere")
    list(begin(to(late)).run(once=True))
    (folder / "a.png").unlink()
    (tmp_path / "sorted").unlink()
    list(begin(to(VerdictFolders(tmp_path / "sorted"))).run(once=True))
    assert (tmp_path / "sorted" / "good" / "a.png").read_bytes() == draw(1)
    assert not list((tmp_path / "journal.sqlite.pictures").iterdir()), "the copy is not kept for longer"


def test_places_that_cannot_be_used_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LineError, match="is a folder"):
        LineFile(tmp_path)
    with pytest.raises(LineError, match="is a file"):
        VerdictFolders(tmp_path / "file")
    with pytest.raises(LineError, match="Only pictures of a folder"):
        VerdictFolders(tmp_path / "sorted", move=True)
