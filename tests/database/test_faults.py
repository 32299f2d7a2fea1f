"""A store that is away, full, read-only or locked says so in one sentence, and nothing of what failed is in it."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import text

from assistant.database.engine import Database
from assistant.errors import HistoryError, HistoryFault
from assistant.inspection import Inspection
from assistant.records.history import History

SENTENCE = re.compile(r"The history[^\n]*\.")
ONE = Inspection("bad.png", "error", "bad.png is not a picture")


def refused(ask, match):
    with pytest.raises(HistoryFault, match=match) as caught:
        ask()
    assert SENTENCE.fullmatch(str(caught.value)) and "secret" not in str(caught.value)


@pytest.fixture
def server(postgres):
    """A server that a test may stop: it runs again afterwards."""
    yield postgres
    postgres.stop()
    postgres.start()


def test_a_server_that_stops_is_away_until_it_is_back_and_loses_nothing(server):
    history = History(server.url())
    kept = history.add(ONE)
    server.stop()
    for ask in (
        lambda: history.add(ONE),
        lambda: history.get(kept),
        lambda: History("postgresql://x@127.0.0.1:1/y"),
    ):
        refused(ask, "the server does not answer")
    server.start()
    assert history.get(kept).inspection == ONE and history.search().total == 1
    history.close()


def test_a_connection_that_is_cut_in_the_middle_leaves_nothing_of_its_change(server):
    history = History(server.url())
    run = history.runs.start(["a.png"], owner="me")

    def cut():
        with history.database.write() as connection:
            history.runs.renew(connection, run.id)
            server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            )
            connection.execute(text("DELETE FROM looktwice_runs"))

    refused(cut, "the server")
    assert history.runs.get(run.id) == run
    history.close()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("postgresql://nobody:secret@127.0.0.1:{port}/postgres", "refuses the name or the password"),
        ("postgresql://tester:secret@127.0.0.1:{port}/nosuch", "has no such database"),
    ],
)
def test_who_is_refused_is_told_why(postgres, address, why):
    refused(lambda: History(address.format(port=postgres.port)), why)


def test_a_server_that_has_no_connection_left_says_so(server):
    server.run("ALTER ROLE tester CONNECTION LIMIT 1")
    url = server.url("few")
    server.run("ALTER DATABASE few CONNECTION LIMIT 0")
    server.run("CREATE ROLE plain LOGIN")
    refused(lambda: History(url.replace("tester", "plain")), "memory or connections")
    server.run("ALTER ROLE tester CONNECTION LIMIT -1")


def test_a_database_that_may_only_be_read_is_read_and_says_so_where_it_is_written(postgres):
    url = postgres.url("looked_at")
    with closing(History(url)) as history:
        kept = history.add(ONE)
    postgres.run("ALTER DATABASE looked_at SET default_transaction_read_only = on")
    with closing(History(url)) as history:
        assert history.get(kept).inspection == ONE
        refused(lambda: history.add(ONE), "the database is read-only")
        assert history.search().total == 1
    postgres.run("CREATE ROLE guest LOGIN")
    with pytest.raises(HistoryFault, match="grants this user too little"):
        History(url.replace("tester", "guest")).search()


def test_a_full_disk_of_the_server_is_said(postgres):
    url = postgres.url()
    with closing(History(url)) as history:
        with history.database.write() as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION no_room() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no room in /secret' "
                "USING ERRCODE = 'disk_full'; END $$ LANGUAGE plpgsql"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER no_room AFTER INSERT ON looktwice_inspections EXECUTE FUNCTION no_room()"
            )
        refused(lambda: history.add(ONE), "the disk of the server is full")
        assert history.search().total == 0


def test_a_file_on_a_full_disk_keeps_what_it_has_and_takes_no_half_of_a_row(tmp_path):
    path = tmp_path / "h.sqlite"
    with closing(History(path)) as history:
        history.add(ONE)
    code = (
        "import resource, signal, sys\n"
        "from assistant.errors import HistoryFault\nfrom assistant.inspection import Inspection\n"
        "from assistant.records.history import History\n"
        "history = History(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try:\n    [history.add(Inspection('x.png', 'error', 'y' * 5000)) for _ in range(1000)]\n"
        "except HistoryFault as fault:\n    print(fault)"
    )
    room = path.stat().st_size + 200_000
    done = subprocess.run(
        [sys.executable, "-c", code, path, str(room)], capture_output=True, text=True, check=True
    )
    assert SENTENCE.fullmatch(done.stdout.strip()), done.stdout + done.stderr
    with closing(History(path)) as history:
        rows = list(history.every())
    assert len(rows) > 1 and all(row.inspection.error in ("bad.png is not a picture", "y" * 5000) for row in rows)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write to anything")
def test_a_file_that_may_only_be_read_says_so_where_it_is_written(tmp_path):
    path = tmp_path / "h.sqlite"
    with closing(History(path)) as history:
        history.add(ONE)
    path.chmod(0o400)
    with closing(History(path)) as history:
        refused(lambda: history.add(ONE), "readonly database")
        assert history.search().total == 1


def test_a_file_opened_for_reading_alone_says_so_where_it_is_written(tmp_path):
    path = tmp_path / "h.sqlite"
    with closing(History(path)) as history:
        history.add(ONE)
    with closing(History(f"sqlite:///file:{path}?mode=ro&uri=true")) as history:
        assert history.search().total == 1
        refused(lambda: history.add(ONE), "readonly database")


def test_a_file_that_another_program_holds_is_locked(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.database.engine.SQLITE_WAIT_MS", 50)
    path = tmp_path / "h.sqlite"
    with closing(History(path)) as history, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused(lambda: history.add(ONE), "database is locked")
        assert history.search().total == 0
        other.execute("ROLLBACK")
        assert history.add(ONE)


def test_what_the_drivers_are_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HistoryError, match=r"needs psycopg: install looktwice\[postgres\]"):
        Database("postgresql://h/x")
