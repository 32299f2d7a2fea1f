"""Results in the history: with map and preview, once, and once more only where they are others."""

from dataclasses import replace

import numpy as np
import pytest
from line_parts import Shelf, draw

from assistant.errors import HistoryFault
from assistant.line.history_sink import HistorySink
from assistant.line.sink import Away
from assistant.records.entries import Query
from assistant.records.history import History


@pytest.fixture
def history(tmp_path):
    kept = History(tmp_path / "history.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def letters(begin, folder, to):
    """Letters about a good part, a defect, and an error, with what goes along."""
    for name, content in (("a.png", draw(1)), ("b.png", draw(2, shade=10)), ("c.png", b"no")):
        (folder / name).write_bytes(content)

    class Open(Shelf):
        needs_attachments = True

        def deliver(self, letter):
            held = letter.attachments()
            self.letters.append(replace(letter, attachments=lambda: held))

    shelf = Open()
    list(begin(to(shelf)).run(once=True))
    return sorted(shelf.letters, key=lambda letter: letter.event.body["source"])


def test_a_result_is_kept_with_its_map_its_preview_and_its_lot(history, letters):
    sink = HistorySink(history, "lot 7")
    for letter in letters:
        sink.deliver(letter)
    page = history.search(Query(lot="lot 7", order="oldest"))
    assert [one.inspection.outcome for one in page.rows] == ["good", "defect", "error"]
    first = history.get(page.rows[0].id)
    assert first.inspection.to_dict() == letters[0].event.inspection.to_dict()
    assert np.allclose(first.inspection.coarse_map, first.inspection.score, rtol=1e-3)
    assert history.preview(page.rows[0].id)[:2] == b"\xff\xd8" and history.preview(page.rows[2].id) is None


def test_what_may_be_there_already_is_looked_for(history, letters):
    sink = HistorySink(history)
    for letter in letters:
        sink.deliver(letter)
        sink.deliver(replace(letter, doubtful=True))
    assert history.search().total == 3
    HistorySink(history).deliver(replace(letters[0], doubtful=False))
    assert history.search().total == 4, "nobody looks where nothing is doubtful"


def test_a_history_that_is_away_is_waited_for(history, letters, monkeypatch):
    def locked(*given, **more):
        raise HistoryFault("The history cannot be read or written: database is locked.")

    monkeypatch.setattr(history, "add", locked)
    with pytest.raises(Away, match="database is locked$"):
        HistorySink(history).deliver(letters[0])
