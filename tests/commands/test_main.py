"""The command line: rows, exit statuses, one sentence for every mistake."""

import json
import sys

import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.commands.arguments import renew, spread_numbers, spread_paths
from assistant.products.store import ProductStore


@pytest.fixture
def run(tiny_home, monkeypatch, capfd):
    """run(*arguments) -> (exit status, standard output, standard error), with the tiny convolutional tower."""

    def call(*arguments):
        chosen = list(map(str, arguments))
        if chosen[0] in ("inspect", "learn", "teach", "ask", "eval"):
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


def test_results_are_kept_under_their_lot_and_reported_from_there(run, folders, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(folders / "history.sqlite"))
    status, _, err = run("inspect", folders / "new", "--lot", "L 7")
    assert status == 2 and "--lot belongs to --history" in err
    report = folders / "run.pdf"
    status, _, _ = run("inspect", folders / "new", "--history", "--lot", "L 7", "--report", report)
    assert status == 1 and report.read_bytes().startswith(b"%PDF")
    kept = [json.loads(line) for line in run("history", "list", "--lot", "L 7")[1].splitlines()]
    assert sorted((row["path"][-5:], row["status"]) for row in kept) == [
        ("a.png", "ok"),
        ("b.png", "ok"),
        ("c.png", "error"),
    ]
    assert run("history", "report", folders / "lot.html", "--lot", "L 7")[0] == 0
    assert (folders / "lot.html").read_text().count("<img") == 2


def test_an_answer_is_reported_with_its_picture(run, folders):
    page = folders / "answer.html"
    status, out, _ = run("ask", folders / "new" / "b.png", "Is it <b>broken</b>?", "--report", page)
    text = page.read_text()
    assert status == 0 and out.strip() and text.count("<img") == 2
    assert "Is it &lt;b&gt;broken&lt;/b&gt;?" in text and "Answered by: template" in text


def test_a_learned_product_is_used_listed_and_forgotten(run, folders):
    assert run("learn", "cloth", "--references", folders / "good")[0] == 0
    assert "cloth" in run("products")[1]
    status, out, _ = run("inspect", folders / "new" / "a.png", "--product", "cloth")
    assert status == 0 and json.loads(out)["product"] == "cloth"
    status, out, _ = run("ask", folders / "new" / "b.png", "Is it defective?", "--product", "cloth")
    assert status == 0 and "verdict" in out
    assert "cloth" not in run("products", "--remove", "cloth", "--yes")[1]


def test_a_trained_memory_is_learned_and_used(run, folders, train_lookup):
    train_lookup(1)
    trained = ("--references", folders / "good", "--memory", "trained")
    assert run("learn", "cloth", *trained)[0] == 0
    kept = json.loads(run("inspect", folders / "new" / "a.png", "--product", "cloth")[1])
    told = json.loads(run("inspect", folders / "new" / "a.png", *trained)[1])
    plain = json.loads(run("inspect", folders / "new" / "a.png", "--references", folders / "good")[1])
    assert (kept["score"], kept["threshold"]) == (told["score"], told["threshold"])
    assert kept["score"] != plain["score"]


def test_a_product_is_taught_and_taken_back(run, folders, good, planted):
    run("learn", "cloth", "--references", folders / "good")
    stored = ProductStore().path("cloth")
    before = stored.read_bytes()
    for i in (7, 11):
        _save(folders / f"{i}.png", good(i))
    status, out, _ = run("teach", "cloth", "--good", folders / "7.png", folders / "11.png", folders / "7.png")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and [(row["change"], row["name"]) for row in rows] == [
        ("good", "7.png"),
        ("good", "11.png"),
    ]
    assert [row["references"] for row in rows] == [5, 5] and rows[0]["bytes"] == rows[1]["bytes"]
    assert json.loads(run("teach", "cloth", "--good", folders / "7.png")[1])["change"] is None
    kept = stored.read_bytes()
    _save(folders / "13.png", good(13))
    status, out, err = run("teach", "cloth", "--good", folders / "13.png", folders / "new" / "c.png")
    assert (status, out) == (2, "") and "c.png" in err and stored.read_bytes() == kept
    pixels, (x0, y0, x1, y1) = planted(good(8), 0.3, 0.6)
    mask = 0 * pixels
    mask[y0:y1, x0:x1] = 255
    _save(folders / "mask.png", mask)
    defect = folders / "new" / "b.png"
    status, out, _ = run("teach", "cloth", "--defect", defect, "--label", "blot", "--mask", folders / "mask.png")
    row = json.loads(out)
    assert (row["defects"], row["id"], row["label"], row["undone"]) == (1, 5, "blot", False)
    _save(folders / "b2.png", planted(good(12), 0.6, 0.4)[0])
    (found,) = map(json.loads, run("inspect", folders / "b2.png", "--product", "cloth")[1].splitlines())
    assert found["regions"][0]["defect_types"][0]["name"] == "blot"
    listed = [json.loads(line) for line in run("teach", "cloth")[1].splitlines()]
    assert [row["id"] for row in listed] == [0, 1, 2, 3, 4, 5] and listed[-1]["kind"] == "defect"
    assert json.loads(run("teach", "cloth", "--remove", 5)[1])["defects"] == 0
    for what in (["removed"], ["defect"], ["good", "good"]):
        rows = [json.loads(line) for line in run("teach", "cloth", "--undo")[1].splitlines()]
        assert [row["change"] for row in rows] == what and all(row["undone"] for row in rows)
    assert stored.read_bytes() == before


def test_masks_and_limits_are_set_anew(run, folders, good):
    _save(folders / "mask.png", (0 * good(0) + 255)[:80])
    half = 0 * good(0)
    half[:80] = 255
    _save(folders / "half.png", half)
    assert run("learn", "cloth", "--references", folders / "good", "--ignore", folders / "half.png")[0] == 0
    first = json.loads(run("teach", "cloth", "--recalibrate")[1])
    row = json.loads(run("teach", "cloth", "--roi", folders / "half.png")[1])
    assert (first["change"], row["change"]) == ("recalibrated", "masks")
    assert row["threshold"] != first["threshold"]
    status, _, err = run("teach", "cloth", "--ignore", folders / "mask.png")
    assert status == 2 and "nothing to look at" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["inspect", "nowhere"], "nowhere does not exist"),
        (["inspect", "good", "--report", "page.doc"], "an .html or a .pdf file"),
        (["inspect", "good", "--product", "nothing"], "no product"),
        (["inspect", "good", "--references", "good", "--product", "x"], "not both"),
        (["inspect", "good", "--references", "good", "--mode", "mutual"], "leave out"),
        (["inspect", "good", "--mode", "few-shot"], "references"),
        (["inspect", "good", "--false-alarms", "2", "--references", "good"], "between one in a million and 0.5"),
        (["learn", "../x", "--references", "good"], "cannot be a product's name"),
        (["eval", "nowhere"], "nowhere"),
        (["learn", "x", "--references", "good", "--memory", "trained"], "`looktwice train dictionary`"),
        (["learn", "x", "--references", "good", "--memory", "sideways"], "nearest or trained"),
        (["inspect", "good", "--memory", "trained"], "--memory belongs to --references"),
        (["inspect", "good", "--views", "turns"], "--views belongs to --references"),
        (["inspect", "good", "--not-aligned"], "--aligned belongs to --references"),
        (["inspect", "good", "--roi", "white.png"], "--roi belongs to --references"),
        (
            ["learn", "x", "--references", "good", "--aligned", "--views", "turns"],
            "either lie alike or at any angle",
        ),
        (["eval", "mmad", "x", "--memory", "trained"], "leave out --shots, --mode, --draw, --views and --memory"),
        (["eval", "x", "--draw", "last"], "drawn at random or first"),
        (["teach", "nothing", "--undo"], "no product"),
        (["teach", "x", "--undo", "--recalibrate"], "one kind of thing at a time"),
        (["teach", "x", "--good", "good", "--label", "y"], "belong to --defect"),
    ],
)
def test_a_mistake_ends_in_one_sentence_and_status_2(run, folders, monkeypatch, arguments, sentence):
    monkeypatch.chdir(folders)
    Image.new("L", (32, 32), 255).save("white.png")
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
    assert spread_numbers(given.split()) == meant.split()


def test_several_pictures_may_follow_one_option_of_teach():
    given = "teach x --good a b --label c --defect d e --undo".split()
    assert spread_paths(given) == "teach x --good a --good b --label c --defect d --defect e --undo".split()
    assert spread_paths(["inspect", "--good", "a", "b"]) == ["inspect", "--good", "a", "b"]


def test_words_of_the_release_before_are_accepted_and_said(run, folders):
    status, out, err = run("inspect", folders / "good", "--mode", "batch", "--batch-size", "2")
    assert status == 0 and {json.loads(line)["mode"] for line in out.splitlines()} == {"mutual"}
    assert err.count("--mode mutual") == 1 and "is called mutual" in err
    assert "batch-size" not in run("inspect", "--help")[1] and "at-once" in run("inspect", "--help")[1]


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (["eval", "d", "--mode", "batch"], ["eval", "d", "--mode", "mutual"], 1),
        (["batch", "d", "--mode=batch"], ["batch", "d", "--mode=mutual"], 1),
        (["inspect", "batch", "--batch-size=3"], ["inspect", "batch", "--at-once=3"], 0),
        (["batch", "--mode", "auto"], ["batch", "--mode", "auto"], 0),
    ],
)
def test_earlier_words_are_renewed_and_nothing_else(written, read, said):
    heard = []
    assert renew(written, heard.append) == read and len(heard) == said
