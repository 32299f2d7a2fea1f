"""The command line: rows, exit statuses, one sentence for every mistake."""

import json
import sys

import pytest
from PIL import Image

from assistant import cli


@pytest.fixture
def run(tiny_home, monkeypatch, capfd):
    """run(*arguments) -> (exit status, standard output, standard error), with the tiny convolutional tower."""

    def call(*arguments):
        chosen = list(map(str, arguments))
        if chosen[0] in ("inspect", "learn", "ask", "eval"):
            chosen += ["--bundle", "tiny-cnn", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["looktwice", *chosen])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def folders(tmp_path, good, planted):
    """A folder of three good parts, and one of a good, a spoiled and an unreadable one."""
    for i in range(3):
        _save(tmp_path / "good" / f"{i}.png", good(i))
    _save(tmp_path / "new" / "a.png", good(7))
    _save(tmp_path / "new" / "b.png", planted(good(8), 0.3, 0.6)[0])
    (tmp_path / "new" / "c.png").write_text("not a picture")
    return tmp_path


def _save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_rows_go_to_standard_output_and_errors_become_rows(run, folders):
    status, out, err = run("inspect", folders / "new", "--references", folders / "good")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and "1 error" in err
    assert [row["path"][-5:] for row in rows] == ["a.png", "b.png", "c.png"]
    assert [row["status"] for row in rows] == ["ok", "ok", "error"]
    assert rows[0]["mode"] == "few-shot" and rows[1]["score"] > rows[0]["score"]
    assert {"schema", "p_value", "threshold", "verdict", "regions", "bundle", "product", "ms"} <= set(rows[0])


def test_files_get_the_rows_when_they_are_asked_for(run, folders):
    out = folders / "rows.jsonl"
    table, drawn, page = folders / "t.csv", folders / "drawn", folders / "page.html"
    status, printed, _ = run(
        "inspect",
        folders / "new",
        "--references",
        folders / "good",
        *("--out", out, "--csv", table, "--overlays", drawn, "--report", page),
    )
    assert status == 1 and printed == ""
    assert len(out.read_text().splitlines()) == 3 and len(table.read_text().splitlines()) == 4
    assert sorted(file.name for file in drawn.iterdir()) == ["a.png", "b.png"]
    assert "<html" in page.read_text()


def test_a_learned_product_is_used_listed_and_forgotten(run, folders):
    assert run("learn", "cloth", "--references", folders / "good")[0] == 0
    assert "cloth" in run("products")[1]
    status, out, _ = run("inspect", folders / "new" / "a.png", "--product", "cloth")
    assert status == 0 and json.loads(out)["product"] == "cloth"
    status, out, _ = run("ask", folders / "new" / "b.png", "Is it defective?", "--product", "cloth")
    assert status == 0 and "verdict" in out
    assert "cloth" not in run("products", "--remove", "cloth")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "nowhere"], "nowhere does not exist"),
        (["inspect", "good", "--product", "nothing"], "no product"),
        (["inspect", "good", "--references", "good", "--product", "x"], "not both"),
        (["inspect", "good", "--references", "good", "--mode", "batch"], "leave out"),
        (["inspect", "good", "--mode", "few-shot"], "references"),
        (["inspect", "good", "--false-alarms", "2", "--references", "good"], "between 0 and 0.5"),
        (["learn", "../x", "--references", "good"], "cannot be a product's name"),
        (["eval", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_status_2(run, folders, monkeypatch, arguments, sentence):
    monkeypatch.chdir(folders)
    status, out, err = run(*arguments)
    assert status == 2 and out == ""
    assert sentence in err and len(err.strip().splitlines()) == 1 and "Traceback" not in err


def test_an_unknown_option_is_a_usage_error(run, folders):
    assert run("inspect", folders / "new", "--colour")[0] == 2
    assert run("inspect", folders / "new", "--mode", "sideways")[0] == 2


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("eval d --shots 0 1 4 --seeds 3", "eval d --shots 0 --shots 1 --shots 4 --seeds 3"),
        ("eval --shots 0 --shots 4 d", "eval --shots 0 --shots 4 d"),
        ("eval --shots 2 d 7", "eval --shots 2 d 7"),
    ],
)
def test_several_shots_may_follow_one_option(given, meant):
    assert cli.spread_numbers(given.split()) == meant.split()
