"""Batches: every finished row is kept once, whatever happens to the program, and the rest is done later."""

import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from assistant.database.tables import INSPECTIONS, RUNS
from assistant.errors import HistoryError, LooktwiceError, ProductError
from assistant.records.batches import plan_batch, run_batch
from assistant.records.entries import Query
from assistant.records.history import History

PROGRAM = """
import sys
from pathlib import Path
import assistant.models.card, assistant.detection.built_in
folder = Path(sys.argv[1])
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: folder / "cards"
from assistant.commands import main as cli
sys.argv = ["looktwice", *sys.argv[2:]]
cli.main()
"""


@pytest.fixture
def history(place):
    opened = History(place)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path, good, planted):
    """Seven pictures, the third spoiled, the fifth broken."""
    return fill(tmp_path / "new", good, planted, 7)


def fill(folder, good, planted, count):
    folder.mkdir()
    for i in range(count):
        pixels = planted(good(i), 0.4, 0.6)[0] if i == 2 else good(i)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "4.png").write_bytes(b"no picture")
    return folder


def rows_of(history, run):
    return list(history.every(Query(run=run, order="place")))


def look(tiny_folder, *arguments):
    """The command line with the tiny bundle in a program of its own."""
    command = [sys.executable, "-c", PROGRAM, tiny_folder, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_program_loses_and_doubles_no_finished_row(inspector, history, tmp_path, place, good, planted):
    new = fill(tmp_path / "many", good, planted, 40)
    kept = ["--history", place]
    begin = ["batch", new, "--lot", "L7", "--bundle", "tiny-cnn", "--device", "cpu", *kept]
    tiny_folder = os.environ["LOOKTWICE_CACHE"]
    program = look(tiny_folder, *begin)
    lines = [program.stdout.readline() for _ in range(6)]
    program.send_signal(signal.SIGKILL)
    lines += [line for line in program.communicate()[0].splitlines(True) if line.endswith("\n")]
    told = [json.loads(line)["path"] for line in lines]
    [run] = history.runs.newest()
    found = [one.inspection.path for one in rows_of(history, run.id)]
    assert set(told) <= set(found), "what was shown as done is kept"
    assert run.state == "running" and run.done < run.total
    last = look(tiny_folder, "batch", "--resume", run.id, "--device", "cpu", *kept)
    printed, said = last.communicate()
    assert last.returncode in (0, 1) and len(printed.splitlines()) == run.total - run.done, said
    found = rows_of(history, run.id)
    assert history.runs.get(run.id).state == "done"
    assert [one.place for one in found] == list(range(40)) and {one.lot for one in found} == {"L7"}
    expected = list(inspector.inspect(new))
    assert [one.inspection.path for one in found] == [row.path for row in expected]
    for one, row in zip(found, expected, strict=True):
        assert one.inspection.verdict == row.verdict and one.has_preview == (row.status == "ok")
        if row.status == "ok":  # the program runs its tower in another runtime
            assert one.inspection.score == pytest.approx(row.score, rel=1e-3)


def test_progress_counts_what_is_kept(inspector, history, folder, good):
    product = inspector.learn("cloth", [good(100 + i) for i in range(3)])
    run = plan_batch(inspector, history, [folder], product, lot="A 1")
    assert (run.state, run.total, run.done) == ("stopped", 7, 0)
    reports = []
    for now in run_batch(inspector, history, run.id, product):
        assert history.runs.get(run.id).done == now.done, "a picture is reported once its row is kept"
        reports.append(now)
    first, *each, last = reports
    assert (first.done, first.total, first.inspection, first.seconds_left) == (0, 7, None, None)
    assert [now.done for now in each] == [1, 2, 3, 4, 5, 6, 7] and each[-1].seconds_left == 0
    assert all(now.seconds_left > 0 for now in each[:-1])
    assert [now.inspection.status for now in each].count("error") == 1
    assert [now.inspection for now in each] == [history.get(now.id).inspection for now in each]
    assert (last.state, last.done, last.inspection) == ("done", 7, None)
    with pytest.raises(HistoryError, match="is done"):
        next(run_batch(inspector, history, run.id, product))


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_run_that_was_stopped_goes_on(inspector, history, folder, how):
    run, asked = plan_batch(inspector, history, [folder]), []
    reports = run_batch(inspector, history, run.id, stop=lambda: bool(asked), previews=False)
    seen = [next(reports) for _ in range(4)]
    if how == "stop":
        asked.append(True)
        assert [now.state for now in reports] == ["stopped"]
    else:
        reports.close()
    assert history.runs.get(run.id).state == "stopped" and history.runs.get(run.id).done == seen[-1].done == 3
    again = list(run_batch(inspector, history, run.id))
    assert [now.done for now in again] == [3, 4, 5, 6, 7, 7] and again[-1].state == "done"
    assert [one.place for one in rows_of(history, run.id)] == list(range(7))
    assert [one.has_preview for one in rows_of(history, run.id)] == [False] * 3 + [True, False, True, True]


def test_a_run_has_one_worker_at_a_time(inspector, history, folder):
    run = plan_batch(inspector, history, [folder])
    reports = run_batch(inspector, history, run.id)
    next(reports)
    with pytest.raises(HistoryError, match="worked on elsewhere"):
        next(run_batch(inspector, history, run.id))
    reports.close()
    assert list(run_batch(inspector, history, run.id))[-1].state == "done"


def test_a_run_goes_on_with_the_product_as_it_was(inspector, history, folder, good):
    product = inspector.learn("cloth", [good(100 + i) for i in range(3)])
    inspector.save(product)
    run = plan_batch(inspector, history, [folder], product)
    reports = run_batch(inspector, history, run.id)
    next(reports), next(reports)
    reports.close()
    for changed in (inspector.teach(product, good(200)), product.with_target(0.2)):
        inspector.save(changed)
        with pytest.raises(ProductError, match="'cloth' changed since"):
            next(run_batch(inspector, history, run.id))
        assert history.runs.get(run.id).state == "stopped"
    assert next(run_batch(inspector, history, run.id, product)).done == 1, "the product as it was"
    assert list(run_batch(inspector, history, run.id, anyway=True))[-1].state == "done"
    limits = [one.inspection.threshold for one in rows_of(history, run.id) if one.inspection.threshold]
    assert limits[0] == product.calibration.threshold and limits[-1] == changed.calibration.threshold


def test_pictures_judged_against_each_other_are_kept_together(inspector, history, folder):
    run = plan_batch(inspector, history, [folder], mode="mutual")
    shares, reports = [], None
    reports = run_batch(inspector, history, run.id, stop=lambda: bool(shares), tell=shares.append)
    assert [(now.done, now.state) for now in reports] == [(0, "running"), (0, "stopped")] and shares
    reports = run_batch(inspector, history, run.id)
    for _ in range(4):
        next(reports)
    reports.close()
    assert history.runs.get(run.id).done == 3
    assert list(run_batch(inspector, history, run.id))[-1].state == "done"
    found = rows_of(history, run.id)
    expected = list(inspector.inspect(folder, mode="mutual"))
    assert [one.inspection.path for one in found] == [row.path for row in expected]
    assert [one.inspection.score for one in found] == [row.score for row in expected]


def test_a_mutual_run_under_its_earlier_name_goes_on(inspector, history, folder):
    with pytest.warns(DeprecationWarning):
        assert plan_batch(inspector, history, [folder], mode="batch").settings["mode"] == "mutual"
    run = plan_batch(inspector, history, [folder], mode="mutual")
    with history.database.write() as connection:
        settings = json.dumps(run.settings | {"mode": "batch"})
        connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(settings=settings))
    assert history.runs.get(run.id).settings["mode"] == "mutual"
    assert list(run_batch(inspector, history, run.id))[-1].state == "done"
    [first, *_] = rows_of(history, run.id)
    kept = first.inspection.to_dict()
    earlier = json.dumps(kept | {"mode": "batch", "evidence": kept["evidence"] | {"method": "batch"}})
    with history.database.write() as connection:
        connection.execute(INSPECTIONS.update().where(INSPECTIONS.c.id == first.id).values(row=earlier))
    assert history.get(first.id).inspection == first.inspection


def test_what_makes_no_sense_is_said_before_a_run_begins(inspector, history, folder, tmp_path, good):
    product = inspector.learn("cloth", [good(1), good(2)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LooktwiceError, match="uses no references"):
        plan_batch(inspector, history, [folder], product, "mutual")
    with pytest.raises(LooktwiceError, match="no picture"):
        plan_batch(inspector, history, [tmp_path / "empty"])
    assert not history.runs.newest()


@pytest.fixture
def command(tiny_home, monkeypatch, capfd, place):
    """command(*arguments) -> (exit status, standard output, standard error)."""
    from assistant.commands import main as cli

    def call(*arguments):
        kept = ["--history", str(place), "--device", "cpu", "--bundle", "tiny-cnn"]
        monkeypatch.setattr(sys, "argv", ["looktwice", "batch", *map(str, arguments), *kept])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_the_command_line_begins_lists_and_continues_runs(command, history, folder, tmp_path, good):
    (tmp_path / "good").mkdir()
    for i in range(3):
        Image.fromarray(good(100 + i)).save(tmp_path / "good" / f"{i}.png")
    table = tmp_path / "t.csv"
    status, out, err = command(folder, "--references", tmp_path / "good", "--lot", "L1", "--out", table)
    assert status == 1 and len(out.splitlines()) == 7 and "1 error" in err
    assert len(table.read_text().splitlines()) == 8
    first = json.loads(command("--list")[1])
    assert (first["state"], first["done"], first["product"], first["lot"]) == ("done", 7, "references", "L1")
    assert command("--resume")[0] == 2 and command("--resume", first["run"])[0] == 2
    with history.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM looktwice_inspections WHERE place > 3")
        connection.exec_driver_sql("UPDATE looktwice_runs SET state = 'stopped'")
    assert command("--resume", "--lot", "L2")[0] == 2
    status, out, err = command("--resume")
    assert status == 1, err
    assert status == 1 and len(out.splitlines()) == 3 and "3 of 7" in err
    assert [row.inspection.product for row in rows_of(history, first["run"])].count("references") == 6
    Image.fromarray(good(300)).save(tmp_path / "good" / "3.png")
    with history.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM looktwice_inspections WHERE place > 3")
        connection.exec_driver_sql("UPDATE looktwice_runs SET state = 'stopped'")
    status, _, err = command("--resume")
    assert status == 2 and "changed since" in err
    assert command("--resume", "--anyway")[0] == 1 and history.runs.get(first["run"]).state == "done"


def test_rows_of_uploaded_pictures_have_their_names_and_no_folder(inspector, history, folder, tmp_path):
    run = plan_batch(inspector, history, [folder], more={"uploads": "0123456789abcdef"})
    list(run_batch(inspector, history, run.id))
    for ending in ("csv", "jsonl"):
        file = tmp_path / f"rows.{ending}"
        assert history.export(Query(run=run.id), file) == run.total
        assert str(folder) not in file.read_text("utf-8-sig")
    assert {row.inspection.path for row in rows_of(history, run.id)} == {
        os.path.basename(one) for one in run.sources
    }
