"""`inspect --annotations` and `history annotate`: what other programs get from the shell."""

import json
import os
import sys

import pytest
from PIL import Image


@pytest.fixture
def folders(tmp_path, good, planted):
    """Good parts; a folder with spoiled pictures of one name, a good one, and a broken one."""
    for i in range(3):
        save(tmp_path / "good" / f"{i}.png", good(i))
    for folder, number, x in (("one", 0, 0.3), ("two", 1, 0.7)):
        save(tmp_path / "new" / folder / "part.png", planted(good(number), x, 0.6)[0])
    save(tmp_path / "new" / "fine.png", good(2))
    (tmp_path / "new" / "broken.png").write_bytes(b"no picture")
    return tmp_path


def save(path, pixels):
    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(pixels).save(path)


def read(folder):
    return json.loads((folder / "labels.json").read_text())


def test_a_run_writes_annotations_beside_its_rows(run, folders):
    out = folders / "labels"
    asked = ("inspect", folders / "new", "--references", folders / "good", "--annotations", out)
    status, _, err = run(*asked, "--out", folders / "rows.jsonl")
    assert status == 1 and "3 pictures annotated" in err and "1 picture that could not be read" in err
    assert str(out) in err
    rows = [json.loads(line) for line in (folders / "rows.jsonl").read_text().splitlines()]
    told = read(out)
    regions = sum(len(row["regions"]) for row in rows)
    assert regions and len(told["annotations"]) == regions
    assert {one["file_name"] for one in told["images"]} == {"one/part.png", "two/part.png", "fine.png"}
    assert told["info"]["pictures"] == str(folders / "new")


def test_a_folder_that_holds_annotations_is_left_as_it_is_unless_they_may_go(run, folders):
    out = folders / "labels"
    asked = ("inspect", folders / "new", "--references", folders / "good", "--annotations", out, "--format")
    assert run(*asked, "yolo")[0] == 1
    before = sorted(out.rglob("*"))
    status, _, err = run(*asked, "masks")
    assert status == 2 and "holds annotations already" in err and sorted(out.rglob("*")) == before
    assert run(*asked, "masks", "--replace")[0] == 1
    assert (out / "masks" / "one" / "part.png").is_file() and not (out / "data.yaml").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--annotations", "new"), "holds other files"),
        (("--annotations", "new/labels"), "--annotations lies in new"),
        (("--annotations", "good"), "holds other files"),
        (("--annotations", "labels", "--format", "voc"), "the formats are: coco"),
        (("--annotations", "labels", "--overlays", "labels"), "name one file"),
        (("--format", "yolo"), "belong to --annotations"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_work(run, folders, monkeypatch, more, said):
    monkeypatch.chdir(folders)
    before = {path: os.stat(path).st_mtime_ns for path in folders.rglob("*")}
    status, _, err = run("inspect", "new", "--references", "good", *more)
    assert status == 2 and said in err
    assert {path: os.stat(path).st_mtime_ns for path in folders.rglob("*")} == before


def test_the_history_annotates_what_it_keeps_with_the_same_shapes(run, folders):
    direct, kept = folders / "direct", folders / "kept"
    asked = ("inspect", folders / "new", "--references", folders / "good", "--annotations", direct)
    assert run(*asked, "--history", "--lot", "L", "--format", "coco-rle")[0] == 1
    status, _, err = run("history", "annotate", kept, "--lot", "L", "--format", "coco-rle")
    assert status == 0 and "3 pictures annotated" in err

    def shapes(folder):
        told = read(folder)
        names = {one["id"]: one["file_name"] for one in told["images"]}
        return {
            (names[one["image_id"]], one["attributes"]["region"]): (
                one["bbox"],
                one["attributes"]["is_box"],
                one["area"],
            )
            for one in told["annotations"]
        }

    assert shapes(direct) == shapes(kept) and not any(one[1] for one in shapes(kept).values())


def test_the_newest_inspection_of_a_picture_counts_and_a_person_before_it(run, folders):
    asked = ("inspect", folders / "new" / "one", "--references", folders / "good", "--history")
    assert run(*asked)[0] == run(*asked)[0] == 0
    listed = [json.loads(line) for line in run("history", "list")[1].splitlines()]
    assert len(listed) == 2 and listed[0]["regions"]
    out = folders / "labels"
    status, _, err = run("history", "annotate", out)
    assert status == 0 and "1 inspection of pictures that are there already" in err
    assert read(out)["annotations"]
    assert run("history", "sign", listed[0]["id"], "--as", "good", "--reason", "a shadow")[0] == 0
    status, _, err = run("history", "annotate", out, "--replace")
    assert status == 0 and "1 picture signed off as good" in err
    assert not read(out)["annotations"] and read(out)["images"][0]["signed"] == "good"


def test_nothing_that_fits_writes_nothing(run, folders):
    status, _, err = run("history", "annotate", folders / "labels", "--product", "none")
    assert status == 2 and "No inspection in the history fits" in err and not (folders / "labels").exists()


def test_the_help_loads_no_reader_of_annotations():
    import subprocess

    code = "import sys, assistant.commands.main; print(sorted({'supervision', 'pycocotools'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
