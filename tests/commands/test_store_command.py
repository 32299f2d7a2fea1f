"""`looktwice store`: every verb, on a file and on a server, from the shell."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from assistant.commands import main as cli
from assistant.errors import HistoryError
from assistant.inspection import Inspection
from assistant.records.history import History


@pytest.fixture
def filled(place, monkeypatch):
    """A store with three inspections of 9, 5 and 0 days ago, named by the environment."""
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(place))
    with closing(History(place)) as history:
        for days in (9, 5, 0):
            at = datetime.now(UTC) - timedelta(days=days)
            history.add(Inspection(f"{days}.png", "error", "no picture", created=at.isoformat()))
    return place


def run(*words, keys=None):
    done = CliRunner().invoke(cli.app, ["store", *map(str, words)], input=keys)
    if isinstance(done.exception, HistoryError):
        raise done.exception
    return done


def count(place):
    with closing(History(place)) as history:
        return history.search().total


def test_a_sound_store_is_said_to_be_sound(filled):
    done = run("check")
    [row] = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 0 and row["sound"] and not row["faults"]
    assert row["rows"]["looktwice_inspections"] == 3


def test_a_fault_is_the_exit_status_until_it_is_mended(filled):
    with closing(History(filled)) as history, history.database.write() as connection:
        connection.exec_driver_sql("UPDATE looktwice_inspections SET verdict = 'good' WHERE id = 2")
    done = run("check", "--mend", "--json")
    assert done.exit_code == 1
    [fault] = json.loads(done.stdout)["faults"]
    assert (fault["kind"], fault["row"]) == ("row", "2") and "listed as 'good'" in fault["what"]


def test_a_store_is_exported_and_imported_elsewhere(filled, tmp_path):
    done = run("export", tmp_path / "all.zip")
    assert "3 inspections" in done.stderr and f"in {tmp_path / 'all.zip'}" in done.stderr
    done = run("import", tmp_path / "all.zip", "--store", tmp_path / "new.sqlite")
    assert "3 inspections" in done.stderr and "as many as the export says" in done.stderr
    assert count(tmp_path / "new.sqlite") == 3
    with pytest.raises(HistoryError, match="holds something already"):
        run("import", tmp_path / "all.zip")
    with pytest.raises(Exception, match="ends in .zip"):
        CliRunner().invoke(cli.app, ["store", "export", "rows.csv"], catch_exceptions=False)


def test_nothing_goes_without_a_word(filled):
    assert "2 inspections" in run("gc", "--days", 3, "--dry-run").stderr and count(filled) == 3
    with pytest.raises(HistoryError, match="2 inspections.* no way back. Nothing was removed; --yes removes it"):
        run("gc", "--days", 3)
    assert count(filled) == 3
    done = run("gc", "--days", 7, "--yes")
    assert "1 inspection," in done.stderr and count(filled) == 2
    assert "0 inspections" in run("gc").stderr


def test_who_is_asked_may_say_no(filled, monkeypatch):
    monkeypatch.setattr("assistant.commands.console.has_person", lambda: True)
    with pytest.raises(HistoryError, match="Nothing was removed"):
        run("gc", "--days", 3, keys="n\n")
    assert count(filled) == 3
    assert run("gc", "--days", 3, keys="y\n").exit_code == 0 and count(filled) == 1


def test_a_schema_is_moved_up(filled):
    assert "The schema needs nothing: revision" in run("migrate").stderr
    with closing(History(filled)) as history, history.database.write() as connection:
        for step in (
            "DROP TABLE looktwice_revision",
            "DROP TABLE looktwice_products",
            "DROP TABLE looktwice_audit",
            "DROP INDEX ix_looktwice_inspections_picture",
            "ALTER TABLE looktwice_inspections DROP COLUMN picture",
            "ALTER TABLE looktwice_inspections DROP COLUMN picture_size",
        ):
            connection.exec_driver_sql(step)
    assert "The schema was revision none and is" in run("migrate").stderr and count(filled) == 3


@pytest.mark.parametrize("verb", [["check"], ["export", "x.zip"], ["gc", "--days", "1"], ["migrate"]])
def test_a_store_that_is_not_there_is_not_made(tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HistoryError, match="There is no store yet"):
        run(*verb, "--store", tmp_path / "none.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_away_is_one_sentence(monkeypatch, capfd):
    monkeypatch.setattr(
        "sys.argv", ["looktwice", "store", "check", "--store", "postgresql://x:s3cret@127.0.0.1:1/y"]
    )
    with pytest.raises((SystemExit, typer.Exit)) as ended:
        cli.main()
    said = capfd.readouterr().err
    assert ended.value.code == 2 and "the server does not answer" in said and "s3cret" not in said


def test_commands_of_the_history_work_on_a_server(postgres, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_HISTORY", postgres.url())
    done = CliRunner().invoke(cli.app, ["history", "list", "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout) == []
    done = CliRunner().invoke(cli.app, ["history", "export", "-"])
    assert done.exit_code == 0, done.output
