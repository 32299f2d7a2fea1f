"""`looktwice history sign`, `withdraw`, `summary` and `list --open`: what people decided, in the shell."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assistant.commands import batch
from assistant.commands import main as cli
from assistant.commands.outputs import Outputs, write_results
from assistant.inspection import Evidence, Inspection
from assistant.products.store import ProductStore
from assistant.records.history import History


@pytest.fixture
def kept(tmp_path, monkeypatch):
    file = tmp_path / "history.sqlite"
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(file))
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", str(tmp_path / "products"))
    history = History(file)
    for n, verdict in enumerate(("review", "review", "defect", "good", "review")):
        one = Inspection(
            path=f"/line/part{n}.png",
            mode="few-shot",
            score=0.5,
            p_value=0.2,
            threshold=0.6,
            review_threshold=0.4,
            verdict=verdict,
            product="cap",
            references=4,
            evidence=Evidence("conformal", "Set by counting.", 20, 0.05, 1 / 21),
            created=datetime(2026, 5, 1 + n, 12, tzinfo=UTC).isoformat(),
        )
        history.add(one, lot="L1")
    yield history
    history.close()


@pytest.fixture
def run(kept, monkeypatch, capfd):
    def call(*arguments, group="history"):
        monkeypatch.setattr(sys, "argv", ["looktwice", group, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


def rows(out):
    return [json.loads(line) for line in out.splitlines()]


def test_parts_are_signed_off_and_what_waits_is_listed(run, kept):
    status, out, _ = run("sign", 1, 3, "--as", "good", "--reason", "scratch within tolerance", "--by", "eva")
    assert status == 0 and [row["sign_off"]["name"] for row in rows(out)] == ["eva", "eva"]
    assert [row["id"] for row in rows(run("list", "--open")[1])] == [5, 2]
    assert [row["id"] for row in rows(run("list", "--open", "--verdict", "good")[1])] == [4]
    assert [row["id"] for row in rows(run("list", "--signed", "good")[1])] == [3, 1]
    listed = rows(run("list", "--signed", "yes", "--verdict", "review")[1])
    assert listed[0]["verdict"] == "review" and listed[0]["sign_off"]["reason"] == "scratch within tolerance"
    assert run("list", "--open", "--signed", "yes")[0] == 2


def test_a_sign_off_is_withdrawn_and_all_are_shown(run, kept):
    run("sign", 2, "--as", "good", "--reason", "dust", "--by", "eva")
    run("sign", 2, "--as", "defect", "--reason", "no dust", "--by", "otto")
    status, out, _ = run("withdraw", 2, "--by", "otto")
    assert status == 0 and rows(out)[0]["sign_off"]["decision"] == "good"
    (shown,) = rows(run("show", 2)[1])
    assert [one["decision"] for one in shown["sign_offs"]] == ["good", "defect"]
    assert shown["sign_offs"][1]["withdrawn_by"] == "otto" and shown["verdict"] == "review"


def test_who_signs_is_the_user_where_nobody_is_named(run, kept):
    run("sign", 1, "--as", "good", "--reason", "dust")
    (given,) = kept.sign_offs.of(1)
    assert given.actor == f"user {given.name}"


def test_the_summary_counts_verdicts_and_sign_offs(run, kept, monkeypatch):
    run("sign", 1, 3, "--as", "good", "--reason", "dust")
    run("sign", 2, 4, "--as", "defect", "--reason", "crack")
    (counted,) = rows(run("summary", "--product", "cap")[1])
    assert counted["review"] == {"inspected": 3, "good": 1, "defect": 1}
    assert (counted["overkill"], counted["escapes"]) == (1, 1)
    assert counted["described"].startswith("3 in review, 2 signed off: 1 good, 1 defect;")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, out, err = run("summary")
    assert status == 0 and "signed off" in out and "1 good (overkill)" in " ".join(err.split())


def test_a_terminal_shows_who_decided_and_why(run, kept, monkeypatch):
    run("sign", 1, "--as", "defect", "--reason", "[red]x[/]", "--by", "eva")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    assert "signed as" in run("list")[1] and "signed as" not in run("list", "--open")[1]
    shown = " ".join(run("show", 1)[1].split())
    assert "Signed off as defect by eva" in shown and "[red]x[/]" in shown


def test_exports_and_reports_hold_sign_offs(run, kept, tmp_path):
    run("sign", 1, "--as", "good", "--reason", "<b>dust</b>", "--by", "eva")
    run("export", tmp_path / "a.csv", "--signed", "yes")
    table = (tmp_path / "a.csv").read_text(encoding="utf-8-sig").splitlines()
    assert table[0].endswith("signed_off,sign_off_reason,signed_by,signed_at") and len(table) == 2
    run("report", tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "3 in review, 1 signed off: 1 good." in page and "&lt;b&gt;dust" in page


def test_a_sign_off_is_in_the_audit_log_and_leaves_the_products_as_they_were(run, kept, monkeypatch):
    run("sign", 1, "--as", "good", "--reason", "dust", "--by", "eva")
    run("withdraw", 1, "--by", "otto")
    assert [entry.action for entry in ProductStore().log.entries()] == ["sign off", "withdraw sign-off"]
    assert run("verify", group="audit")[0] == 0
    assert len(rows(run("show", "--product", "cap", group="audit")[1])) == 2
    assert not rows(run("show", "--product", "board", group="audit")[1])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = " ".join(run("show", group="audit")[1].split())
    assert "cap" in shown and "dust" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("sign", 9, "--as", "good", "--reason", "x"), "no inspection 9"),
        (("sign", 1, "--as", "fine", "--reason", "x"), "as good or as defect"),
        (("sign", 1, "--as", "good", "--reason", " "), "has a reason"),
        (("withdraw", 1), "no sign-off that could be withdrawn"),
        (("list", "--signed", "perhaps"), "not 'perhaps'"),
    ],
)
def test_a_mistake_is_one_sentence(run, arguments, sentence):
    status, out, err = run(*arguments)
    assert status == 2 and not out and sentence in " ".join(err.split())


def test_a_picture_of_a_relative_path_is_found_again_from_anywhere(kept, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = replace(kept.get(1).inspection, path="lot/a.png")
    write_results([one], Outputs(tmp_path / "rows.jsonl", history=kept))
    assert kept.get(6).inspection == replace(one, path=str(Path("lot/a.png").absolute()))
    assert json.loads((tmp_path / "rows.jsonl").read_text())["path"] == "lot/a.png"


def test_a_batch_says_how_to_sign_off_what_is_in_review(kept, run, capfd):
    planned = kept.runs.start(["a.png", "b.png"])
    for place, id in enumerate((1, 4)):
        kept.add(kept.get(id).inspection, run=planned.id, place=place)
    batch._say_reviews(kept, planned.id)
    assert f"1 in review: `looktwice history list --open --run {planned.id}`" in capfd.readouterr().err
    assert [row["id"] for row in rows(run("list", "--open", "--run", planned.id)[1])] == [6]
    run("sign", 6, "--as", "good", "--reason", "dust")
    batch._say_reviews(kept, planned.id)
    assert not capfd.readouterr().err
