"""Annotations as other programs read them: the same boxes, outlines and names, and good pictures without any."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from assistant.annotations import FORMATS, AnnotationWriter, write_annotations
from assistant.annotations.coco import run_lengths
from assistant.errors import LooktwiceError
from assistant.outlines import outlines_of

supervision = pytest.importorskip("supervision")
coco = pytest.importorskip("pycocotools.coco")
masks = pytest.importorskip("pycocotools.mask")


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def by_name(rows):
    return {row.path.rsplit("new/", 1)[-1]: row for row in rows}


@pytest.mark.parametrize("format", ["coco", "coco-rle"])
def test_pycocotools_reads_boxes_outlines_scores_and_good_pictures(lot, tmp_path, format):
    pictures, rows = lot
    report = write_annotations(rows, tmp_path / "out", format)
    read = coco.COCO(tmp_path / "out" / "labels.json")
    known = by_name(rows)
    assert sorted(one["file_name"] for one in read.imgs.values()) == sorted(known.keys() - {"broken.png"})
    assert [one["name"] for one in read.cats.values()] == ["strange", "Kratzer ä"]
    assert (report.pictures, report.regions, report.boxes, report.unread) == (4, 4, 0, ["broken.png"])
    for image in read.imgs.values():
        row = known[image["file_name"]]
        found = read.loadAnns(read.getAnnIds([image["id"]]))
        assert (image["width"], image["height"], image["verdict"]) == (row.width, row.height, row.verdict)
        assert len(found) == len(row.regions)
        for one, shape in zip(found, outlines_of(row), strict=True):
            x, y, wide, tall = one["bbox"]
            assert (x, y, x + wide, y + tall) == shape.region.box and one["score"] == shape.region.peak
            assert one["area"] == shape.region.area and one["attributes"]["region"] == shape.region.id
            assert overlap(read.annToMask(one).astype(bool), shape.mask) >= (1 if format == "coco-rle" else 0.9)


@pytest.mark.parametrize("copy", [False, True])
def test_supervision_reads_coco_beside_the_pictures_and_with_copies(lot, tmp_path, copy):
    pictures, rows = lot
    out = tmp_path / "out"
    write_annotations(rows, out, "coco", copy=copy)
    folder = out / "data" if copy else pictures
    read = supervision.DetectionDataset.from_coco(str(folder), str(out / "labels.json"), force_masks=True)
    assert len(read) == 4 and read.classes == ["strange", "Kratzer ä"]
    for path, picture, found in read:
        row = next(
            row
            for row in rows
            if os.path.splitext(row.path)[0].endswith(os.path.splitext(path)[0][-6:])
            and row.path.split("/")[-2] == path.split("/")[-2]
        )
        assert picture.shape[:2] == (row.height, row.width) and len(found) == len(row.regions)
        if len(found):
            boxes = {tuple(map(int, box)) for box in found.xyxy}
            assert boxes == {region.box for region in row.regions}


@pytest.mark.parametrize("format", ["yolo", "yolo-segment"])
def test_supervision_reads_yolo_of_pictures_that_lay_in_subfolders(lot, tmp_path, format):
    pictures, rows = lot
    out = tmp_path / "out"
    report = write_annotations(rows, out, format)
    read = supervision.DetectionDataset.from_yolo(
        str(out / "images"), str(out / "labels"), str(out / "data.yaml"), force_masks=True
    )
    assert read.classes == ["strange", "Kratzer ä"] and report.turned == 1
    found = {os.path.basename(path): (picture, one) for path, picture, one in read}
    assert sorted(found) == sorted(["part.png", "part-2.png", "turned.png", "größe 好.png"])
    names = ["part.png", "part-2.png", "turned.png", "größe 好.png"]
    for name, row in zip(names, rows[:4], strict=True):
        picture, one = found[name]
        assert picture.shape[:2] == (row.height, row.width) and len(one) == len(row.regions)
        if len(one):
            expected = np.array([region.box for region in row.regions])
            assert np.abs(one.xyxy - expected).max() < (0.01 if format == "yolo" else 2)
            if format == "yolo-segment":
                for mask, shape in zip(one.mask, outlines_of(row), strict=True):
                    assert overlap(mask, shape.mask) > 0.8
    assert (out / "labels" / "größe 好.txt").read_text() == ""
    told = yaml.safe_load((out / "data.yaml").read_text())
    assert told == {"train": "images", "val": "images", "names": {0: "strange", 1: "Kratzer ä"}}


def test_copies_are_the_files_themselves_and_only_a_turned_one_is_written_anew(lot, tmp_path):
    pictures, rows = lot
    out = tmp_path / "out"
    write_annotations(rows, out, "yolo")
    assert (out / "images" / "part.png").read_bytes() == (pictures / "a" / "part.png").read_bytes()
    with Image.open(out / "images" / "turned.png") as copy, Image.open(pictures / "b" / "turned.jpg") as original:
        assert copy.size == (120, 180)
        assert np.abs(np.asarray(copy, int) - np.asarray(ImageOps.exif_transpose(original), int)).max() == 0


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_a_picture_that_is_turned_or_mirrored_keeping_its_size_is_copied_upright_too(tmp_path, orientation, lot):
    pictures, rows = lot
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = pictures / "mirrored.png"
    with Image.open(pictures / "a" / "part.png") as picture:
        picture.crop((0, 0, 100, 100)).save(path, exif=exif)
    write_annotations([replace(rows[3], path=str(path), width=100, height=100)], tmp_path / "out", "yolo")
    with Image.open(tmp_path / "out" / "images" / "mirrored.png") as copy, Image.open(path) as original:
        assert (np.asarray(copy) == np.asarray(ImageOps.exif_transpose(original))).all()


@pytest.mark.parametrize("copy", [False, True])
def test_labelme_names_the_picture_and_its_polygons(lot, tmp_path, copy):
    pictures, rows = lot
    out = tmp_path / "out"
    write_annotations(rows, out, "labelme", copy=copy)
    files = sorted(out.glob("*.json"))
    assert [file.name for file in files] == sorted(["part.json", "part-2.json", "turned.json", "größe 好.json"])
    for file in files:
        told = json.loads(file.read_text())
        with Image.open(file.parent / told["imagePath"]) as picture:
            size = ImageOps.exif_transpose(picture).size
        assert size == (told["imageWidth"], told["imageHeight"])
    second = json.loads((out / "part-2.json").read_text())
    assert [shape["label"] for shape in second["shapes"]] == ["strange", "Kratzer ä"]
    for shape, outline in zip(second["shapes"], outlines_of(rows[1]), strict=True):
        assert np.abs(np.array(shape["points"]) - outline.polygon).max() < 0.01
    if copy:
        read = supervision.DetectionDataset.from_labelme(str(out), str(out), force_masks=True)
        assert len(read) == 4 and read.classes == ["Kratzer ä", "strange"]


def test_copies_say_where_they_came_from(lot, tmp_path):
    pictures, rows = lot
    for format in ("coco", "yolo", "labelme"):
        write_annotations(rows[:2], tmp_path / format, format, copy=True)
    came = [str(pictures / "a" / "part.png"), str(pictures / "b" / "part.png")]
    assert [one["source"] for one in json.loads((tmp_path / "coco" / "labels.json").read_text())["images"]] == came
    lines = (tmp_path / "yolo" / "pictures.jsonl").read_text(encoding="utf-8").splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == [("part.png", came[0]), ("part-2.png", came[1])]
    told = [
        json.loads((tmp_path / "labelme" / name).read_text())["source"] for name in ("part.json", "part-2.json")
    ]
    assert told == came


def test_masks_have_the_size_and_the_shape_of_the_pictures(lot, tmp_path):
    pictures, rows = lot
    out = tmp_path / "out"
    write_annotations(rows, out, "masks")
    names = ["a/part.png", "b/part.png", "b/turned.png", "gut/größe 好.png"]
    assert sorted(str(file.relative_to(out / "masks")) for file in (out / "masks").rglob("*.png")) == names
    for name, row in zip(names, rows[:4], strict=True):
        with Image.open(out / "masks" / name) as mask:
            assert mask.mode == "L" and mask.size == (row.width, row.height)
            values = np.asarray(mask)
        expected = np.zeros(values.shape, bool)
        for shape in outlines_of(row):
            expected |= shape.mask
        assert set(np.unique(values)) <= {0, 255} and ((values > 0) == expected).all()


def test_a_folder_is_never_overwritten_without_being_asked(lot, tmp_path):
    pictures, rows = lot
    out = tmp_path / "out"
    write_annotations(rows, out, "labelme")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(LooktwiceError, match="holds annotations already"):
        write_annotations(rows[:1], out, "yolo")
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    (out / "mine.txt").write_text("a note")
    write_annotations(rows[:1], out, "yolo", replace=True)
    left = {str(file.relative_to(out)) for file in out.rglob("*") if file.is_file() and file.name[0] != "."}
    assert left == {"images/part.png", "labels/part.txt", "data.yaml", "pictures.jsonl", "mine.txt"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_of_something_else_is_refused_in_any_case(lot, tmp_path, replace):
    pictures, rows = lot
    before = sorted(pictures.rglob("*"))
    with pytest.raises(LooktwiceError, match="holds other files"):
        write_annotations(rows, pictures, "labelme", replace=replace)
    with pytest.raises(LooktwiceError, match="is a file"):
        write_annotations(rows, pictures / "a" / "part.png", replace=replace)
    assert sorted(pictures.rglob("*")) == before


def test_a_format_that_is_not_known_is_named_with_those_that_are(tmp_path):
    with pytest.raises(LooktwiceError, match="'voc'; the formats are: coco, coco-rle"):
        write_annotations([], tmp_path / "out", "voc")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_to_annotate_makes_an_empty_set(tmp_path, format):
    report = write_annotations([], tmp_path / "out", format)
    assert report.sentences() == ["0 pictures annotated, with 0 regions."]
    if format == "coco":
        assert json.loads((tmp_path / "out" / "labels.json").read_text())["categories"] == [
            {"id": 1, "name": "strange"}
        ]
    if format == "yolo":
        assert yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["names"] == {0: "strange"}


def test_what_is_left_out_is_told(lot, tmp_path):
    pictures, rows = lot
    (pictures / "a" / "part.png").unlink()
    Image.new("RGB", (9, 9)).save(pictures / "b" / "part.png")
    report = write_annotations([*rows, rows[3]], tmp_path / "out", "yolo")
    said = " ".join(report.sentences())
    assert "Left out: part.png, part.png does not exist." in said
    assert "Left out: part.png, part.png has changed since it was judged." in said
    assert "Left out: 1 inspection of pictures that are there already." in said
    assert "Left out: 1 picture that could not be read." in said
    assert sorted(file.name for file in (tmp_path / "out" / "labels").iterdir()) == ["größe 好.txt", "turned.txt"]


def test_rows_without_a_map_are_annotated_by_their_boxes_and_that_is_told(lot, tmp_path):
    pictures, rows = lot
    bare = [replace(row, coarse_map=None) for row in rows]
    report = write_annotations(bare, tmp_path / "out", "coco-rle")
    assert report.boxes == 4 and "4 outlines no more than a box" in " ".join(report.sentences())
    read = coco.COCO(tmp_path / "out" / "labels.json")
    assert all(masks.area(read.annToRLE(one)) == one["bbox"][2] * one["bbox"][3] for one in read.anns.values())


def test_categories_keep_the_numbers_that_were_given(lot, tmp_path):
    pictures, rows = lot
    write_annotations(rows, tmp_path / "out", "yolo", categories=["pit", "Kratzer ä"])
    names = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["names"]
    assert names == {0: "pit", 1: "Kratzer ä", 2: "strange"}
    assert [line.split()[0] for line in (tmp_path / "out" / "labels" / "part-2.txt").read_text().splitlines()] == [
        "2",
        "1",
    ]


def test_a_part_that_a_person_called_good_has_no_regions(lot, tmp_path):
    pictures, rows = lot
    with AnnotationWriter(tmp_path / "out", "coco", root=pictures) as writer:
        writer.add(rows[0], signed="good")
        writer.add(rows[1], signed="defect")
    told = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert {one["image_id"] for one in told["annotations"]} == {2} and writer.report.cleared == 1
    assert [one["signed"] for one in told["images"]] == ["good", "defect"]
    assert "1 picture signed off as good: without regions." in writer.report.sentences()


def test_a_run_that_stops_leaves_a_whole_set(lot, tmp_path):
    pictures, rows = lot
    with pytest.raises(KeyboardInterrupt):
        with AnnotationWriter(tmp_path / "out", "coco", root=pictures) as writer:
            writer.add(rows[0])
            raise KeyboardInterrupt
    assert len(coco.COCO(tmp_path / "out" / "labels.json").imgs) == 1


def test_pictures_that_are_no_files_get_names_of_their_own(tmp_path, inspector, good, planted):
    rows = inspector.inspect([planted(good(1), 0.3, 0.6)[0], good(2)])
    write_annotations(rows, tmp_path / "out", "yolo")
    assert sorted(file.name for file in (tmp_path / "out" / "images").iterdir()) == ["image 0.png", "image 1.png"]
    with Image.open(tmp_path / "out" / "images" / "image 0.png") as copy:
        assert (np.asarray(copy) == planted(good(1), 0.3, 0.6)[0]).all()


def test_names_without_an_ending_and_very_long_ones_are_taken(lot, tmp_path):
    pictures, rows = lot
    data = (pictures / "a" / "part.png").read_bytes()
    named = [pictures / name for name in ("part.0001", "part.0002", f"{'長' * 80}.png")]
    for path in named:
        path.write_bytes(data)
    write_annotations([replace(rows[0], path=str(path)) for path in named], tmp_path / "out", "yolo")
    names = sorted(file.name for file in (tmp_path / "out" / "labels").iterdir())
    assert names[:2] == ["part.0001.txt", "part.0002.txt"] and len(names[2].encode()) < 200


def test_run_lengths_begin_outside():
    mask = np.array([[1, 0], [1, 1]], bool)
    assert run_lengths(mask) == {"size": [2, 2], "counts": [0, 2, 1, 1]}
    assert run_lengths(np.zeros((2, 3), bool)) == {"size": [2, 3], "counts": [6]}
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random((7, 5)) > 0.5
        told = run_lengths(mask)
        assert (masks.decode(masks.frPyObjects(told, 7, 5)).astype(bool) == mask).all()


def test_a_full_disk_is_one_sentence(lot, tmp_path, monkeypatch):
    pictures, rows = lot

    def full(path, content, **more):
        raise OSError(28, "No space left on device")

    writer = AnnotationWriter(tmp_path / "out", "masks", root=pictures)
    with pytest.raises(LooktwiceError, match="part.png cannot be written: no space left on device"):
        with writer:
            monkeypatch.setattr("assistant.annotations.folder.write_atomically", full)
            writer.add(rows[0])
