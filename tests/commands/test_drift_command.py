"""A run says first that limits have stopped fitting, and `looktwice history drift` says it of a product."""

import json

import numpy as np
import pytest
from PIL import Image

PLACES = [(0.3, 0.3), (0.7, 0.6), (0.5, 0.4)]


@pytest.fixture
def lamp(run, tmp_path, good):
    """A folder with good parts of a product "cloth" as they were learned, and with ones under a dying light."""
    for name, first, count, light in (("good", 0, 5, 1.0), ("sound", 40, 6, 1.0), ("dark", 60, 120, 0.35)):
        (tmp_path / name).mkdir()
        for i in range(count):
            dimmed = (good(first + i) * light).astype(np.uint8)
            Image.fromarray(dimmed).save(tmp_path / name / f"{i:03}.png")
    assert run("learn", "cloth", "--references", tmp_path / "good")[0] == 0
    return tmp_path


def test_a_run_under_another_light_says_so_before_it_counts_defects(run, lamp):
    _, out, err = run("inspect", lamp / "dark", "--product", "cloth", "--group", "line  2", "--history")
    said = err.index("of 'cloth' in group 'line 2' score")
    assert said < err.index("120 pictures:") and "the camera, the light or the lot has changed" in err
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["group"] for row in rows} == {"line 2"}


def test_the_state_of_a_product_goes_on_from_run_to_run(run, lamp):
    run("batch", lamp / "sound", "--product", "cloth", "--group", "line 1")
    run("inspect", lamp / "dark", "--product", "cloth", "--history")
    status, out, err = run("history", "drift", "cloth", "--json")
    plain, line = json.loads(out)
    assert status == 0 and (plain["group"], line["group"]) == ("", "line 1")
    assert (plain["parts"], line["parts"]) == (120, 6)
    assert plain["drifted"] and plain["sentence"] and not line["drifted"]
    assert err.startswith("The last")
    _, out, err = run("inspect", lamp / "sound", "--product", "cloth", "--history")
    assert all(plain["direction"] in row["notices"][-1] for row in map(json.loads, out.splitlines()))


def test_sound_parts_say_nothing(run, lamp):
    _, out, err = run("inspect", lamp / "sound", "--product", "cloth", "--history")
    assert "score" not in err
    assert all("group" not in json.loads(line) for line in out.splitlines())
    run("learn", "other", "--references", lamp / "good")
    assert json.loads(run("history", "drift", "other", "--json")[1]) == []


@pytest.mark.parametrize("command", ["inspect", "batch"])
def test_a_group_is_a_word(run, lamp, command):
    status, _, err = run(command, lamp / "sound", "--product", "cloth", "--group", "x" * 101)
    assert status and "A group has a name of at most 100 printable characters." in err


def test_advice_about_a_part_of_a_drifted_product_sends_nothing_on(run, lamp):
    part = lamp / "sound" / "002.png"

    def advise(*more):
        status, said, err = run("ask", part, "What shall I do with it?", "--product", "cloth", *more)
        assert status == 0, err
        return said

    assert "no longer holds" not in advise()
    run("inspect", lamp / "dark", "--product", "cloth", "--group", "line 2", "--history")
    assert "no longer holds" not in advise(), "other parts changed"
    said = advise("--group", "line 2")
    assert "The product has drifted, so its limit no longer holds." in said and "et it pass" not in said
    _, out, err = run("inspect", part, "--product", "cloth", "--group", "line 2")
    assert "has changed" in json.loads(out)["notices"][-1] and "has changed" in err
    assert json.loads(run("history", "drift", "cloth", "--json")[1])[0]["parts"] == 120, "nothing of it is kept"


def test_an_inspection_of_the_history_is_told_with_what_has_drifted_since(run, lamp, monkeypatch):
    run("inspect", lamp / "dark", "--product", "cloth", "--history")
    rows = [json.loads(line) for line in run("history", "list", "--last", "200")[1].splitlines()]
    first = next(row for row in rows if row["path"].endswith("015.png"))
    assert not any("has changed" in notice for notice in first["notices"])
    page = lamp / "one.html"
    run("history", "show", first["id"], "--report", page)
    assert "no longer holds" in page.read_text()
