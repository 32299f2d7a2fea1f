"""A store is looked through, carried from one database to the other, and cleared; nothing goes unasked."""

import json
import stat
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from assistant.database.engine import Database
from assistant.database.tables import INSPECTIONS, RUNS, TABLES
from assistant.errors import HistoryError
from assistant.inspection import Answer, Evidence, Inspection
from assistant.records.entries import Query
from assistant.records.history import History
from assistant.upkeep.archive import CHUNK, export_store, import_store
from assistant.upkeep.clearance import Retention, clear, give_room_back
from assistant.upkeep.examination import examine

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PICTURE = np.full((40, 60, 3), 90, np.uint8)


def part(age, verdict="good", path="a.png"):
    """A judged part of so many days ago."""
    return Inspection(
        path=path,
        mode="few-shot",
        score=0.5,
        p_value=0.3,
        threshold=0.7,
        review_threshold=0.6,
        verdict=verdict,
        width=60,
        height=40,
        evidence=Evidence("conformal", "set by counting", 20, 0.05, 1 / 21),
        product="cap",
        references=4,
        created=(NOW - timedelta(days=age)).isoformat(),
        coarse_map=np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6),
    )


def fill(where):
    """Parts of ten to zero days ago: two of a run, the third signed off, the first talked about; and a bad one."""
    with closing(History(where)) as history:
        gone = history.add(part(900))
        history.purge(NOW - timedelta(days=800))
        run = history.runs.start(["a.png", "b\x00.png"], {"product": "cap"}, lot="L 1", owner="me")
        ids = [history.add(part(10, path="\udcff\x00ä.png"), preview=PICTURE, lot="L 1", run=run.id, place=0)]
        ids.append(history.add(part(8, "review"), preview=PICTURE, lot="L 1", run=run.id, place=1))
        ids += [history.add(part(age), preview=PICTURE) for age in (6, 4, 2, 0)]
        history.add(Inspection("bad.png", "error", "no picture", created=NOW.isoformat()))
        history.add_turn(ids[0], "Why?\x00", Answer("So.", disagrees="no"))
        history.sign_offs.add(ids[2], "defect", "a hole", "eva", log=None)
        history.runs.finish(run.id)
        assert ids[0] > gone
    return ids


def rows_of(where):
    database = Database(where)
    with database.read() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c[0]))]
            for table in TABLES
        }
    database.close()
    return rows


@pytest.fixture
def filled(place):
    fill(place)
    return place


def change(where, *statements):
    """Run statements as somebody who does not ask whether they make sense."""
    database = Database(where)
    with database.engine.connect() as connection:
        if database.is_server:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        else:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement if isinstance(statement, sa.Executable) else sa.text(statement))
        connection.commit()
    database.close()


def test_a_sound_store_is_said_to_be_sound_and_counted(filled):
    found = examine(filled)
    assert found.is_sound and not found.faults
    assert list(found.rows.values()) == [1, 7, 1, 1, 6, 0, 0]
    assert found.state.is_newest


BROKEN = {
    "row": ("UPDATE looktwice_inspections SET \"row\" = '{' WHERE id = 2", "damaged"),
    "verdict": ("UPDATE looktwice_inspections SET verdict = 'good' WHERE id = 3", "listed as 'good'"),
    "preview": (
        INSPECTIONS.update().where(INSPECTIONS.c.id == 4).values(preview=b"\xff\xd8half"),
        "no whole JPEG",
    ),
    "map": (INSPECTIONS.update().where(INSPECTIONS.c.id == 5).values(map=b"\x00\x00"), "cannot be read"),
    "run": (RUNS.update().values(total=7), "pictures, settings or state"),
    "turn": ("UPDATE looktwice_turns SET answer = '[]'", "cannot be read"),
    "sign-off": ("UPDATE looktwice_sign_offs SET decision = 'maybe'", "is damaged"),
    "p-value": ("UPDATE looktwice_p_values SET p_value = 7 WHERE inspection = 2", "p-value is 7"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_row_is_found_and_left_as_it_is(filled, what):
    statement, said = BROKEN[what]
    change(filled, statement)
    before = rows_of(filled)
    found = examine(filled, mend=True)
    [fault] = found.faults
    assert fault.kind == "row" and said in fault.what and not fault.mended and not found.is_sound
    assert rows_of(filled) == before


def test_what_belongs_to_nothing_is_found_and_goes_only_when_asked(filled):
    change(filled, "DELETE FROM looktwice_runs", "DELETE FROM looktwice_inspections WHERE id IN (2, 4)")
    before = rows_of(filled)
    found = examine(filled)
    assert sorted((fault.kind, fault.table.split("_", 1)[1]) for fault in found.faults) == [
        ("stray", "inspections"),
        ("stray", "p_values"),
        ("stray", "p_values"),
        ("stray", "sign_offs"),
        ("stray", "turns"),
    ]
    assert rows_of(filled) == before and not found.is_sound
    mended = examine(filled, mend=True)
    assert mended.is_sound and all(fault.mended for fault in mended.faults)
    assert not examine(filled).faults and len(rows_of(filled)["looktwice_inspections"]) == 5


def test_a_damaged_file_is_found(tmp_path):
    path = tmp_path / "h.sqlite"
    fill(path)
    content = bytearray(path.read_bytes())
    at = content.find(b"looktwice_p_values_stream")
    assert at > 0
    root = [i for i in range(4096, len(content), 4096) if content[i] == 0x0A]
    content[root[0] + 8 : root[0] + 12] = b"\x00\xff\x00\xff"
    path.write_bytes(content)
    try:
        assert any(fault.kind == "damage" for fault in examine(path).faults)
    except HistoryError as error:
        assert "malformed" in str(error)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0)])
def test_a_store_is_carried_to_the_other_database_and_back_unchanged(order, postgres, tmp_path):
    both = (tmp_path / "a.sqlite", postgres.url())
    source, target = both[order[0]], both[order[1]] if order[0] != order[1] else tmp_path / "b.sqlite"
    fill(source)
    counts = export_store(source, tmp_path / "all.zip")
    assert counts.pop("missing") == 0 and counts["pictures"] == 0
    assert import_store(tmp_path / "all.zip", target) == counts
    assert counts == examine(target).rows | {"pictures": 0}
    assert rows_of(target) == rows_of(source) and examine(target).is_sound
    with closing(History(source)) as one, closing(History(target)) as other:
        assert one.search(Query(order="oldest")) == other.search(Query(order="oldest"))
        assert one.add(part(0)) == other.add(part(0)), "ids go on after the last that was given"
        assert one.sign_offs.add(2, "good", "x", "y", log=None).id == 2
        assert other.sign_offs.add(2, "good", "x", "y", log=None).id == 2
        other.add_turn(2, "More?", Answer("Yes."))


def test_the_last_id_is_not_given_again_where_the_newest_were_purged(postgres, tmp_path):
    source = tmp_path / "a.sqlite"
    fill(source)
    with closing(History(source)) as history:
        history.purge(NOW + timedelta(days=1))
        last = history.add(part(0)) - 1
        history.purge(NOW + timedelta(days=1))
    export_store(source, tmp_path / "all.zip")
    for number, target in enumerate((postgres.url(), tmp_path / "b.sqlite")):
        import_store(tmp_path / "all.zip", target)
        export_store(target, tmp_path / f"{number}.zip")
        with closing(History(target)) as history:
            assert history.add(part(0)) > last + 1


def test_an_export_says_itself_what_it_holds_and_is_private(filled, tmp_path):
    file = tmp_path / "all.zip"
    export_store(filled, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, table in manifest["tables"].items():
            rows = [json.loads(line) for line in archive.read(f"tables/{name}.jsonl").splitlines()]
            assert len(rows) == table["rows"] and all(set(row) == set(table["columns"]) for row in rows)
        assert b"base64" in archive.read("README.txt")
    assert manifest["format"] == "looktwice-store" and manifest["schema"] == 1
    assert manifest["tables"]["looktwice_inspections"]["columns"]["preview"] == "bytes"


def again(file, change):
    """The export written anew, its manifest changed."""
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(content["manifest.json"])
    change(manifest, content)
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in (content | {"manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(name, text)


def shorten(manifest, content):
    name = "tables/looktwice_p_values.jsonl"
    content[name] = content[name].split(b"\n", 1)[1]


def spoil(manifest, content):
    name = "tables/looktwice_p_values.jsonl"
    content[name] = content[name].replace(b'"limits"', b'"limit"')


def mistype(manifest, content):
    name = "tables/looktwice_p_values.jsonl"
    content[name] = content[name].replace(b'"p_value": 0.3', b'"p_value": "x"')


def orphan(manifest, content):
    name = "tables/looktwice_turns.jsonl"
    content[name] = content[name].replace(b'"inspection": 2', b'"inspection": 99')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shorten, "says 6 rows of looktwice_p_values and holds 5: nothing was imported"),
        (spoil, "is no export of a store, or is damaged: nothing was imported"),
        (mistype, "is no export of a store, or is damaged: nothing was imported"),
        (orphan, "is no export of a store, or is damaged: nothing was imported"),
        (lambda m, _: m.update(version=2), "a newer version of looktwice; update this one"),
        (lambda m, _: m.update(schema=9), "a newer version of looktwice; update this one"),
        (lambda m, _: m["tables"].update(x={"rows": 1, "columns": {"a": "text"}}), "a newer version"),
        (lambda m, _: m.update(format="x"), "is no export"),
        (lambda m, _: m.pop("tables"), "is no export"),
    ],
)
def test_an_export_that_is_not_whole_or_newer_leaves_the_store_empty(place, tmp_path, change, said):
    fill(tmp_path / "a.sqlite")
    file = tmp_path / "all.zip"
    export_store(tmp_path / "a.sqlite", file)
    again(file, change)
    with pytest.raises(HistoryError, match=said):
        import_store(file, place)
    with closing(History(place)) as history:
        assert history.search().total == 0 and not history.runs.newest()


def test_a_file_that_is_cut_or_none_is_refused(tmp_path):
    fill(tmp_path / "a.sqlite")
    file = tmp_path / "all.zip"
    export_store(tmp_path / "a.sqlite", file)
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(HistoryError, match="is no export"):
        import_store(file, tmp_path / "b.sqlite")
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        import_store(tmp_path / "none.zip", tmp_path / "b.sqlite")
    with pytest.raises(HistoryError, match="cannot be written: No such file"):
        export_store(tmp_path / "a.sqlite", tmp_path / "none" / "all.zip")
    assert not list(tmp_path.glob(".*"))


def test_a_store_that_holds_something_takes_no_import(filled, tmp_path):
    export_store(filled, tmp_path / "all.zip")
    before = rows_of(filled)
    with pytest.raises(HistoryError, match="holds something already"):
        import_store(tmp_path / "all.zip", filled)
    assert rows_of(filled) == before


def test_more_rows_than_are_read_at_a_time_are_carried(place, tmp_path):
    with closing(History(tmp_path / "a.sqlite")) as history:
        for number in range(CHUNK + 3):
            history.add(Inspection(f"{number}.png", "error", "x", created=NOW.isoformat()))
    told = []
    export_store(tmp_path / "a.sqlite", tmp_path / "all.zip", lambda _, share: told.append(share))
    assert import_store(tmp_path / "all.zip", place)["looktwice_inspections"] == CHUNK + 3
    assert told and max(told) <= 1


def ages(where):
    with closing(History(where)) as history:
        return [
            round((NOW - kept.created) / timedelta(days=1)) for kept in history.search(Query(order="oldest")).rows
        ]


def test_inspections_that_are_too_old_go_with_all_of_theirs(filled):
    would = clear(filled, Retention(days=5), dry=True, now=NOW)
    assert would.inspections == 3 and len(ages(filled)) == 7
    assert clear(filled, Retention(days=5), now=NOW) == would
    assert ages(filled) == [4, 2, 0, 0] and examine(filled).is_sound
    with closing(History(filled)) as history:
        assert history.search(Query(signed="yes")).total == 0


def test_what_is_signed_off_can_stay(filled):
    assert clear(filled, Retention(days=5, keep_signed=True), now=NOW).inspections == 2
    assert ages(filled) == [6, 4, 2, 0, 0] and examine(filled).is_sound
    with closing(History(filled)) as history:
        [signed] = history.search(Query(signed="yes")).rows
        history.sign_offs.withdraw(signed.id, "eva", log=None)
    assert clear(filled, Retention(days=5, keep_signed=True), now=NOW).inspections == 1


def test_old_pictures_go_and_their_inspections_stay(filled):
    cleared = clear(filled, Retention(picture_days=5), now=NOW)
    assert (cleared.inspections, cleared.pictures) == (0, 3) and cleared.picture_bytes > 3 * 48
    assert len(ages(filled)) == 7 and examine(filled).is_sound
    with closing(History(filled)) as history:
        rows = history.search(Query(order="oldest")).rows
        assert [row.has_preview for row in rows] == [False, False, False, True, True, True, False]
        assert history.get(rows[0].id).inspection.coarse_map is None and history.turns(rows[0].id)


def test_the_newest_pictures_that_fit_stay(filled):
    size = clear(filled, Retention(picture_bytes=0), dry=True, now=NOW).picture_bytes // 6
    assert clear(filled, Retention(picture_bytes=2 * size + 5), dry=True, now=NOW).pictures == 4
    assert clear(filled, Retention(picture_bytes=2 * size - 1), now=NOW).pictures == 5
    assert clear(filled, Retention(picture_bytes=6 * size), now=NOW).pictures == 0
    with closing(History(filled)) as history:
        assert [row.has_preview for row in history.search(Query(order="oldest")).rows] == [False] * 5 + [
            True,
            False,
        ]


def test_a_run_at_work_keeps_what_it_has(place):
    with closing(History(place)) as history:
        run = history.runs.start(["a.png", "b.png"], owner="me")
        history.add(part(10), run=run.id, place=0)
        assert clear(place, Retention(days=5), now=NOW).inspections == 0
        history.runs.finish(run.id)
    assert clear(place, Retention(days=5), now=NOW).inspections == 1


@pytest.mark.parametrize("limits", [{"days": -1}, {"picture_days": float("nan")}, {"picture_bytes": 10**16}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(HistoryError):
        Retention(**limits)


def test_a_limit_before_all_time_keeps_all(filled):
    assert clear(filled, Retention(days=1e14), now=NOW).inspections == 0


def test_a_file_becomes_smaller_and_a_server_keeps_its_room(tmp_path, postgres):
    path = tmp_path / "h.sqlite"
    noise = np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)
    with closing(History(path)) as history:
        for _ in range(20):
            history.add(part(1), preview=noise)
    before = path.stat().st_size
    clear(path, Retention(picture_days=0), now=NOW)
    assert give_room_back(path) and path.stat().st_size < before / 5
    assert not Path(f"{path}-wal").exists() or Path(f"{path}-wal").stat().st_size == 0
    assert len(ages(path)) == 20
    url = postgres.url()
    fill(url)
    assert not give_room_back(url)
