"""`inspect --pairs`: a file for each region, named by picture and region, and the same in the report."""

import pytest
from PIL import Image


@pytest.fixture
def folders(tmp_path, good, planted):
    """Good parts, and two folders with a spoiled picture of one name."""
    for i in range(3):
        save(tmp_path / "good" / f"{i}.png", good(i))
    for folder, number, x in (("one", 0, 0.3), ("two", 1, 0.7)):
        save(tmp_path / folder / "part.png", planted(good(number), x, 0.6)[0])
    save(tmp_path / "one" / "fine.png", good(2))
    return tmp_path


def save(path, pixels):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_each_region_is_drawn_beside_its_good_part_under_a_name_of_its_own(run, folders):
    beside, page = folders / "pairs", folders / "page.html"
    status, out, err = run(
        *("inspect", folders / "one", folders / "two", "--references", folders / "good"),
        *("--pairs", beside, "--overlays", folders / "drawn", "--report", page, "--out", folders / "rows.jsonl"),
    )
    assert status == 0 and str(beside) in err
    names = sorted(file.name for file in beside.iterdir())
    assert {"part-R1.png", "part-2-R1.png"} <= set(names) and "fine-R1.png" not in names
    with Image.open(beside / "part-R1.png") as pair:
        assert pair.width > 2.5 * pair.height
    assert sorted(file.name for file in (folders / "drawn").iterdir()) == ["fine.png", "part-2.png", "part.png"]
    assert page.read_text().count('alt="Region R1, the same place on a good part') == 2


def test_a_report_shows_them_without_the_folder_and_so_does_that_of_the_history(run, folders):
    page, lot = folders / "page.html", folders / "lot.html"
    assert run("learn", "cloth", "--references", folders / "good")[0] == 0
    inspected = run("inspect", folders / "two", "--product", "cloth", "--history", "--lot", "L", "--report", page)
    assert inspected[0] == 0 and run("history", "report", lot, "--lot", "L")[0] == 0
    asked = folders / "asked.html"
    assert run("ask", folders / "two" / "part.png", "Why?", "--product", "cloth", "--report", asked)[0] == 0
    for file in (page, lot, asked):
        assert "the same place on a good part" in file.read_text()
    assert run("products", "--remove", "cloth", "--yes")[0] == 0
    assert run("history", "report", lot, "--lot", "L")[0] == 0
    assert "the same place on a good part" not in lot.read_text()


@pytest.mark.parametrize("folder", ["good", "one", "drawn"])
def test_the_folder_is_neither_read_from_nor_drawn_into_twice(run, folders, folder):
    status, _, err = run(
        *("inspect", folders / "one", "--references", folders / "good", "--overlays", folders / "drawn"),
        *("--pairs", folders / folder),
    )
    assert status == 2 and "--pairs" in err
    assert not (folders / "drawn").exists()


def test_there_is_nothing_to_stand_beside_without_good_parts(run, folders):
    status, _, err = run("inspect", folders / "one", "--pairs", folders / "pairs")
    assert status == 2 and "--references or --product" in err
