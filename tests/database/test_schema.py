"""The schema moves up from whatever a version left, loses nothing, and says what it cannot work with."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.database import schema
from assistant.database.engine import Database
from assistant.database.schema import (
    HEAD,
    REVISIONS,
    SCHEMA,
    migrations_folder,
    move_up,
    open_database,
    read_state,
)
from assistant.database.tables import HISTORY, META, SETTINGS
from assistant.errors import HistoryError
from assistant.records.entries import Query
from assistant.records.history import History

OLD = Path(__file__).parent / "history_0_1_0.sql"
"""A history as version 0.1.0 left it, before there were migrations: a run, four inspections and what is theirs."""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as raw:
        raw.executescript(OLD.read_text(encoding="utf-8"))
    return path


def rows_of(path):
    with sqlite3.connect(path) as raw:
        return {table.name: sorted(raw.execute(f"SELECT * FROM {table.name}"), key=str) for table in HISTORY}


def schema_of(where):
    database = Database(where)
    with database.read() as connection:
        state = read_state(connection)
    database.close()
    return state


def test_a_file_of_before_there_were_migrations_is_adopted_and_loses_nothing(old):
    before = rows_of(old)
    assert [len(rows) for rows in before.values()] == [1, 4, 2, 2, 3]
    history = History(old)
    after = rows_of(old)
    for name, rows in before.items():
        assert [row[: len(rows[0])] for row in after[name]] == rows, "a column more is all that may be added"
    assert schema_of(old) == schema.SchemaState(str(SCHEMA), HEAD)
    first, second, third, fourth = history.search(Query(order="oldest")).rows
    assert (first.sign_off.decision, first.sign_off.reason, first.lot) == ("defect", "a scratch", "week 7")
    assert [turn.question for turn in history.turns(first.id)] == ["Where?", "Why'; --\x00"]
    assert history.get(first.id).inspection.coarse_map.shape == (6, 10) and history.preview(first.id)
    assert second.inspection.status == "error" and third.inspection.group == "camera 2"
    assert fourth.inspection.path == "\udcff\x00\u2028x.png"
    [run] = history.runs.newest()
    assert (run.state, run.done, run.total) == ("stopped", 2, 3)
    assert history.add(third.inspection) == 6, "the id of what was purged then is given to nobody"
    history.close()


@pytest.mark.parametrize("missing", [("looktwice_p_values",), ("looktwice_p_values", "looktwice_sign_offs")])
def test_a_file_from_before_some_tables_gets_them(old, missing):
    with sqlite3.connect(old) as raw:
        for name in missing:
            raw.execute(f"DROP TABLE {name}")
    History(old).close()
    assert not any(rows_of(old)[name] for name in missing) and len(rows_of(old)["looktwice_inspections"]) == 4


def test_what_the_migrations_make_is_what_the_code_works_with(place):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = open_database(place)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert not compare_metadata(context, META)
        if not database.is_server:
            [made] = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = 'looktwice_inspections'"
            ).scalars()
            assert "AUTOINCREMENT" in made
    database.close()


def test_each_migration_is_known_and_stands_on_the_one_before():
    from alembic.script import ScriptDirectory

    found = [one.revision for one in ScriptDirectory(str(migrations_folder())).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


def test_a_store_that_has_all_is_opened_without_alembic_and_without_a_write(place, monkeypatch):
    open_database(place).close()
    monkeypatch.setitem(sys.modules, "alembic", None)
    monkeypatch.setattr(Database, "write", lambda *_, **__: pytest.fail("nothing is to be written"))
    open_database(place).close()


def test_without_alembic_a_new_store_says_what_to_install_and_is_not_half_made(place, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "alembic", None)
        with pytest.raises(HistoryError, match=r"needs Alembic: install looktwice\[history\]"):
            open_database(place)
    assert schema_of(place) == schema.SchemaState(None, None)
    open_database(place).close()


def test_a_step_that_fails_leaves_the_store_as_it_was(place, tmp_path, monkeypatch):
    folder = tmp_path / "migrations"
    shutil.copytree(migrations_folder(), folder)
    (folder / "versions" / "revision_9.py").write_text(
        f"from alembic import op\nrevision = '9'\ndown_revision = '{HEAD}'\n"
        "def upgrade():\n    op.execute('CREATE TABLE more (id INTEGER)')\n    raise RuntimeError('half way')\n"
    )
    monkeypatch.setattr(schema, "migrations_folder", lambda: folder)
    with pytest.raises(RuntimeError, match="half way"):
        open_database(place)
    assert schema_of(place) == schema.SchemaState(None, None)
    database = Database(place)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    database.close()


def set_schema(place, value):
    database = open_database(place)
    with database.write() as connection:
        connection.execute(SETTINGS.update().values(value=value))
    database.close()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (str(SCHEMA + 1), "was written by a newer version of looktwice; update this one"),
        ("zwei", "has schema 'zwei', which this version cannot read"),
    ],
)
def test_a_schema_that_this_version_does_not_know_is_left_alone(place, value, said):
    set_schema(place, value)
    for ask in (open_database, lambda where: move_up(Database(where))):
        with pytest.raises(HistoryError, match=said) as caught:
            ask(place)
        assert str(caught.value).count(".") == 1 and "\n" not in str(caught.value)
    assert schema_of(place).schema == value


def test_an_earlier_schema_number_is_moved_up_only_when_asked(place, monkeypatch):
    open_database(place).close()
    monkeypatch.setattr(schema, "SCHEMA", SCHEMA + 1)
    with pytest.raises(HistoryError, match="an earlier schema: `looktwice store migrate` moves it up"):
        open_database(place)
    before, _ = move_up(Database(place))
    assert before.schema == str(SCHEMA)


def test_a_newer_revision_of_the_same_schema_is_worked_with_and_left_alone(place):
    database = open_database(place)
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = 'f00d'")
    database.close()
    open_database(place).close()
    assert schema_of(place).revision == "f00d" and schema_of(place).is_ahead


def test_several_programs_open_a_new_store_at_once(place):
    code = (
        "import sys; from assistant.database.place import read_place; "
        "from assistant.database.schema import open_database; open_database(read_place(sys.argv[1])).close()"
    )
    openers = [subprocess.Popen([sys.executable, "-c", code, str(place)]) for _ in range(4)]
    assert [opener.wait() for opener in openers] == [0] * 4
    assert schema_of(place).is_newest
