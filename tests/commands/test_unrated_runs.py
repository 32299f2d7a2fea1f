"""A run whose pictures are unrated: exit status, ranks in the files, counts, and what to do."""

import csv
import json

import pytest

from assistant.commands import console
from assistant.commands.outputs import Outputs, write_results
from assistant.inspection import UNRATED, Evidence, Inspection, Region
from assistant.records.entries import Query
from assistant.records.history import History
from assistant.reports import report_lot, write_report

SPOT = Region("R1", (1, 2, 9, 8), 42, 0.02, 0.4, "top", "unrated")


def unrated(path, score):
    return Inspection(
        path,
        mode="zero-shot",
        score=score,
        verdict="unrated",
        regions=(SPOT,),
        width=40,
        height=30,
        evidence=Evidence("none", UNRATED, 0, 0.05, 1.0),
    )


def rows():
    return [
        unrated("=a \u2028 b.png", 0.25),
        unrated("c\udcff.png", 0.75),
        Inspection("d.png", "error", "The file d.png is no picture."),
        unrated("e.png", 0.5),
    ]


def test_a_finished_run_fills_in_the_ranks_and_nothing_else(tmp_path, capfd):
    lines, table = tmp_path / "rows.jsonl", tmp_path / "t.csv"
    (tmp_path / "link.jsonl").symlink_to(lines)
    write_results(rows(), Outputs(tmp_path / "link.jsonl", table))
    read = [json.loads(line) for line in lines.read_bytes().decode().removesuffix("\n").split("\n")]
    assert [row["rank"] for row in read] == [[3, 3], [1, 3], None, [2, 3]]
    assert [row | {"rank": None} for row in read] == [json.loads(row.to_json()) for row in rows()]
    with table.open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert [row["rank"] for row in cells] == ["3 of 3", "1 of 3", "", "2 of 3"]
    assert cells[0]["threshold"] == cells[0]["p_value"] == "" and float(cells[1]["score"]) == 0.75
    assert cells[0]["path"].startswith("'=a"), "a cell that was made safe stays so"
    assert table.read_bytes().startswith(b"\xef\xbb\xbfpath") and (tmp_path / "link.jsonl").is_symlink()
    assert "1 of 3 by score: 0.7500" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"good": 3, "defect": 2}, 0),
        ({"unrated": 4}, 3),
        ({"unrated": 1, "good": 9}, 3),
        ({"unrated": 4, "error": 1}, 1),
        ({}, 1),
    ],
)
def test_the_exit_status_tells_undecided_from_good_and_from_failed(counts, status):
    assert console.exit_status(console.Counter(counts)) == status


def test_the_summary_says_what_to_do(capfd):
    console.print_summary(console.Counter(unrated=12, error=1), "auto", False)
    said = " ".join(capfd.readouterr().err.split())
    assert "12 unrated" in said and "one to a few good parts" in said and "--zero-shot-limits" in said


def test_a_line_of_the_table_has_no_limit_and_no_severity(capfd):
    console._print_line(unrated("a.png", 0.25))
    assert capfd.readouterr().out.split() == ["unrated", "0.2500", "a.png", "R1", "top"]


def test_a_run_of_the_history_is_exported_with_ranks_once_it_is_done(tmp_path):
    with_ranks, before = tmp_path / "after.jsonl", tmp_path / "before.jsonl"
    history = History(tmp_path / "history.sqlite")
    found = [row for row in rows() if row.verdict == "unrated"][1:]
    run = history.runs.start([row.path for row in found])
    history.add(found[0], run=run.id, place=0)
    history.export(Query(run=run.id, order="place"), before)
    history.add(found[1], run=run.id, place=1)
    history.runs.finish(run.id)
    history.export(Query(run=run.id, order="place"), with_ranks)
    history.close()
    assert [json.loads(line)["rank"] for line in before.read_text().splitlines()] == [None]
    assert [json.loads(line)["rank"] for line in with_ranks.read_text().splitlines()] == [[1, 2], [2, 2]]


def test_a_report_ranks_them_and_draws_no_limit(tmp_path):
    report = report_lot(rows()[2:] + rows()[:1])
    assert dict(report.counts) == {"defect": 0, "review": 0, "unrated": 2, "good": 0, "error": 1}
    assert not report.limits and any(UNRATED in remark for remark in report.remarks)
    page = tmp_path / "page.html"
    write_report(report, page)
    text = page.read_text()
    assert "1 of 2" in text and 'badge unrated"' in text
    assert "nan" not in text.split("</style>")[1] and 'class="limit"' not in text


def test_limits_decide_where_they_are_asked_to(tiny_home, monkeypatch, tmp_path, good, capfd):
    import sys

    from PIL import Image

    from assistant.commands import main as cli

    monkeypatch.setattr("assistant.detection.built_in.user_limits", lambda name: tmp_path / "none")
    monkeypatch.setattr("assistant.inspector.user_limits", lambda name: tmp_path / "none")
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(2):
        Image.fromarray(good(60 + i)).save(folder / f"{i}.png")
    common = ["looktwice", "inspect", str(folder), "--bundle", "tiny-cnn", "--device", "cpu"]
    statuses = []
    for more in ([], ["--zero-shot-limits"]):
        monkeypatch.setattr(sys, "argv", [*common, *more])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        statuses.append(stopped.value.code)
    out, err = capfd.readouterr()
    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["unrated", "unrated"]
    assert statuses[0] == 3 and statuses[1] not in (0, 3) and "has no limits" in " ".join(err.split())
