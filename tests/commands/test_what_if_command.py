"""What a lesson does to recent inspections is said, and `looktwice what-if` says it of limits that nobody set."""

import json

import pytest
from PIL import Image

from assistant.commands.options import read_share
from assistant.products.store import ProductStore

PLACES = [(0.3, 0.3), (0.7, 0.6), (0.5, 0.4)]


@pytest.fixture
def inspected(run, tmp_path, monkeypatch, good, planted):
    """The folder of a product "cloth" of four references, and of six parts in the history, three of them bad."""
    pictures = {f"good/{i}.png": good(i) for i in range(4)}
    pictures |= {f"new/good {i}.png": good(20 + i) for i in range(3)}
    pictures |= {f"new/bad {i}.png": planted(good(30 + i), *PLACES[i])[0] for i in range(3)}
    for name, pixels in pictures.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    assert run("learn", "cloth", "--references", tmp_path / "good")[0] == 0
    assert run("inspect", tmp_path / "new", "--product", "cloth", "--history")[0] == 0
    return tmp_path


def test_every_lesson_says_what_it_does_to_limits_and_recent_verdicts(run, inspected):
    before = ProductStore().load("cloth").calibration
    status, out, err = run("teach", "cloth", "--good", inspected / "new" / "good 0.png")
    (row,) = map(json.loads, out.splitlines())
    after = ProductStore().load("cloth").calibration
    effect = row["effect"]
    assert status == 0 and "of the last 6 inspections" in err
    assert effect["before"] == {"threshold": before.threshold, "review_threshold": before.review_threshold}
    assert effect["after"] == {"threshold": after.threshold, "review_threshold": after.review_threshold}
    assert effect["recent"] == 6 and effect["earlier"] == 0
    lessons = (["--false-alarms", "20%"], ["--remove", 4], ["--recalibrate"], ["--undo"])
    for lesson in lessons:
        status, out, err = run("teach", "cloth", *lesson)
        (row,) = map(json.loads, out.splitlines())
        assert status == 0 and row["change"] and row["effect"]["earlier"] == 6, lesson
        assert "The limit" in err and "judged by an earlier state" in err


def test_a_defect_is_taught_as_good_only_with_yes(run, inspected):
    stored = ProductStore().path("cloth").read_bytes()
    bad = inspected / "new" / "bad 1.png"
    status, out, err = run("teach", "cloth", "--good", bad)
    assert (status, out) == (2, "") and ProductStore().path("cloth").read_bytes() == stored
    assert "bad 1.png scores" in err and "far above the limit" in err and "The limit goes from" in err
    assert "of the last 6 inspections" in err and "--yes" in err
    status, out, _ = run("teach", "cloth", "--good", bad, "--yes")
    row = json.loads(out)
    assert (status, row["references"]) == (0, 5)
    assert row["effect"]["after"]["threshold"] > row["effect"]["before"]["threshold"]


def test_taking_back_what_no_history_lists_is_told(run, inspected):
    assert run("learn", "cloth", "--references", inspected / "good" / "1.png", "--replace")[0] == 0
    (row,) = map(json.loads, run("teach", "cloth", "--undo")[1].splitlines())
    assert (row["change"], row["undone"], row["references"]) == ("replaced", True, 4)
    run("teach", "cloth", "--target", "0.1")
    (row,) = map(json.loads, run("teach", "cloth", "--undo")[1].splitlines())
    assert (row["change"], row["undone"]) == ("target", True)


def test_results_by_an_earlier_state_of_a_product_are_marked(run, inspected):
    def marks():
        return {json.loads(line)["outdated"] for line in run("history", "list")[1].splitlines()}

    assert marks() == {False}
    run("teach", "cloth", "--false-alarms", "2%")
    assert marks() == {True} and json.loads(run("history", "show", 1)[1])["outdated"] is True
    run("teach", "cloth", "--undo")
    assert marks() == {False}
    run("products", "--remove", "cloth", "--yes")
    assert marks() == {None}


def test_limits_are_tried_without_changing_anything(run, inspected):
    stored = ProductStore().path("cloth").read_bytes()
    limits = ProductStore().load("cloth").calibration
    loose = json.loads(run("what-if", "cloth", "--limit", 9)[1])
    assert loose["after"]["threshold"] == 9 and loose["recent"] == 6
    assert sum(loose["verdicts"]["defect"].values()) == loose["verdicts"]["defect"]["good"] == 3
    for share in ("20%", "0.2"):
        told = json.loads(run("what-if", "cloth", "--false-alarms", share, "--json")[1])
        assert told["after"]["threshold"] == limits.at(0.2).threshold
    assert ProductStore().path("cloth").read_bytes() == stored
    for wrong in ([], ["--limit", 1, "--target", "2%"], ["--limit", -1], ["--target", "90%"], ["--target", "few"]):
        assert run("what-if", "cloth", *wrong)[0] == 2
    assert run("what-if", "linen", "--limit", 1)[0] == 2


def test_a_history_that_is_not_there_or_damaged_stops_no_lesson(run, inspected, monkeypatch):
    (inspected / "damaged.sqlite").write_bytes(b"no database" * 100)
    for name, told in (("none.sqlite", "no recent inspection"), ("damaged.sqlite", "history cannot be")):
        monkeypatch.setenv("LOOKTWICE_HISTORY", str(inspected / name))
        status, out, err = run("teach", "cloth", "--recalibrate")
        assert status == 0 and json.loads(out)["effect"]["recent"] == 0 and told in err
    assert not (inspected / "none.sqlite").exists()


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), (" 0.5 % ", 0.005), ("0.02", 0.02), (0.1, 0.1)])
def test_a_share_is_read_as_people_write_it(text, share):
    assert read_share(text) == pytest.approx(share)
