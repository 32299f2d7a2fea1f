"""`looktwice history`: what was kept is listed, shown, exported and reported, and mistakes are one sentence."""

import json
import sys
from datetime import UTC, datetime

import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.inspection import Answer, Evidence, Inspection
from assistant.records.history import History


@pytest.fixture
def kept(tmp_path, monkeypatch):
    file = tmp_path / "history.sqlite"
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(file))
    history = History(file)
    for n, (product, lot, score) in enumerate([("cap", "L1", 0.9), ("cap", "L1", 0.1), ("[red]x[/]", "L2", 0.7)]):
        one = Inspection(
            path=f"/secret/part{n}.png",
            mode="few-shot",
            score=score,
            p_value=0.2,
            threshold=0.5,
            review_threshold=0.4,
            verdict="defect" if score > 0.5 else "good",
            product=product,
            references=4,
            evidence=Evidence("conformal", "Set by counting.", 20, 0.05, 1 / 21),
            created=datetime(2026, 3, 1 + n, 12, tzinfo=UTC).isoformat(),
        )
        history.add(one, lot=lot, preview=Image.new("RGB", (60, 40), "red"))
    history.add(Inspection(path="bad.png", status="error", error="This file is empty."), lot="L2")
    history.add_turn(1, "Where is it?", Answer("Nowhere <b>near</b>.", (), "pocket"))
    yield history
    history.close()


@pytest.fixture
def run(kept, monkeypatch, capfd):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", "history", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


def listed(run, *filters):
    status, out, _ = run("list", *filters)
    assert status == 0
    return [json.loads(line)["id"] for line in out.splitlines()]


def test_rows_are_found_by_product_verdict_lot_time_and_name(run):
    assert set(listed(run)) == {1, 2, 3, 4}
    assert listed(run, "--product", "cap") == [2, 1]
    assert listed(run, "--verdict", "defect") == [3, 1]
    assert set(listed(run, "--verdict", "good", "--verdict", "error")) == {2, 4}
    assert listed(run, "--lot", "L1", "--until", "2026-03-02") == [1]
    assert listed(run, "--since", "2026-03-03", "--until", "2026-03-04T00:00:00") == [3]
    assert listed(run, "--text", "PART1") == [2]
    status, out, err = run("list", "--last", 1)
    assert len(out.splitlines()) == 1 and "4 fit; the newest 1 are shown" in err


def test_one_is_shown_and_reported_with_its_conversation(run, tmp_path):
    status, out, _ = run("show", 1, "--report", tmp_path / "one.html")
    row = json.loads(out)
    assert status == 0 and row["path"] == "/secret/part0.png" and row["lot"] == "L1"
    told = {"question": "Where is it?", "answer": "Nowhere <b>near</b>.", "source": "pocket"}
    assert row["turns"] == [{**told, "seen": [], "disagrees": ""}]
    page = (tmp_path / "one.html").read_text()
    assert "Where is it?" in page and "Nowhere &lt;b&gt;near" in page and "data:image/jpeg" in page


def test_rows_go_to_a_file(run, tmp_path):
    status, _, err = run("export", tmp_path / "rows.csv", "--product", "cap")
    assert status == 0 and "2 rows in" in err and "rows.csv" in err
    assert (tmp_path / "rows.csv").read_text("utf-8-sig").startswith("id,lot,path")


def test_a_lot_is_reported_with_pictures_conversations_and_errors(run, tmp_path):
    status, _, err = run("report", tmp_path / "lot.html", "--title", "All of it")
    assert status == 0 and "4 inspections in" in err and "lot.html" in err
    page = (tmp_path / "lot.html").read_text()
    assert page.count("<img") == 3 and "Where is it?" in page and "This file is empty." in page
    assert page.index("part0.png") < page.index("part2.png") < page.index("part1.png")
    assert run("report", tmp_path / "lot.pdf", "--lot", "L1")[0] == 0
    assert (tmp_path / "lot.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", 99], "no inspection 99"),
        (["list", "--verdict", "fine"], "no verdict 'fine'"),
        (["report", "lot.doc"], "an .html or a .pdf file"),
        (["report", "lot.html", "--product", "nothing"], "No inspection in the history fits"),
        (["export", "lot.doc"], ".csv or .jsonl"),
    ],
)
def test_a_mistake_is_one_sentence(run, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert status == 2 and sentence in err and not out and "Traceback" not in err
    assert not list(tmp_path.glob("lot.*"))
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["list"], ["show", 3], ["show", 1]])
def test_a_terminal_gets_plain_words(run, monkeypatch, arguments):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    status, out, _ = run(*arguments)
    assert status == 0 and "part" in out and "/secret" not in out
    assert arguments != ["show", 1] or "Nowhere <b>near</b>." in out
