"""Boards against their templates: what is read, mended and counted, on made boards in the layout of DeepPCB."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from assistant.eval.datasets import DatasetError, read_mvtec
from assistant.eval.research.templates import (
    BoardFigures,
    inspect_boards,
    is_hit,
    measure_templates,
    mend,
    read_boards,
)
from assistant.images.load import load_image


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def boards(tmp_path, good, planted):
    """Four boards with a blot each, their templates, and a good one without any."""
    folder, boxes = tmp_path / "set" / "pcb", {}
    rng = np.random.default_rng(0)
    for i, (x, y) in enumerate([(0.3, 0.3), (0.7, 0.4), (0.5, 0.7), (0.3, 0.6)]):
        template = good(i)
        noise = rng.integers(-3, 4, template.shape)
        spoiled, box = planted((template + noise).clip(0, 255).astype(np.uint8), x, y)
        save(folder / "train" / "good" / f"{i}_temp.png", template)
        save(folder / "test" / "defect" / f"{i}_test.png", spoiled)
        boxes[str(i)] = {"template": f"{i}_temp.png", "boxes": [[*map(int, box), "blot"]]}
    save(folder / "test" / "good" / "9_temp.png", good(9))
    save(folder / "test" / "defect" / "8_test.png", good(8))  # no template
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return folder


def test_boards_are_read_with_their_templates_and_boxes(boards):
    found = read_boards(read_mvtec(boards))
    assert [b.test.image.name for b in found] == [f"{i}_test.png" for i in range(4)]
    assert [b.template.image.name for b in found] == [f"{i}_temp.png" for i in range(4)]
    assert all(len(b.boxes) == 1 and len(b.boxes[0]) == 4 for b in found)
    assert [b.test.image.name[0] for b in read_boards(read_mvtec(boards), 2)] == ["0", "2"]
    assert len(read_boards(read_mvtec(boards), 99)) == 4


@pytest.mark.parametrize("content", [None, "not json", "[]", '{"0": {}}', '{"0": {"boxes": [[1, 2, "x"]]}}'])
def test_damaged_boxes_are_one_sentence(boards, content):
    (boards / "boxes.json").unlink() if content is None else (boards / "boxes.json").write_text(content)
    with pytest.raises(DatasetError, match=r"boxes\.json"):
        read_boards(read_mvtec(boards))


def test_without_templates_there_is_nothing_to_measure(boards):
    dataset = read_mvtec(boards)
    with pytest.raises(DatasetError, match="templates"):
        read_boards(dataclasses.replace(dataset, train_good=()))


def test_a_mended_board_is_the_scan_outside_and_the_template_inside():
    board, template = np.zeros((40, 50, 3), np.uint8), np.full((40, 50, 3), 9, np.uint8)
    mended = mend(board, template, [(10, 20, 15, 30), (0, 0, 2, 2)], margin=3)
    assert (mended[17:33, 7:18] == 9).all() and (mended[:5, :5] == 9).all()
    assert (mended == 9).sum() == 3 * (16 * 11 + 25) and not board.any()
    with pytest.raises(DatasetError, match="sizes"):
        mend(board, template[1:], [])


@pytest.mark.parametrize(
    ("region", "hit"),
    [
        ((0, 0, 100, 100), True),  # holds the centre
        ((14, 14, 16, 16), True),
        ((10, 10, 15, 20), True),  # half of it, by its overlap
        ((10, 10, 12, 20), True),
        ((18, 18, 40, 40), False),
        ((20, 10, 30, 20), False),
    ],
)
def test_a_box_is_hit_by_its_centre_or_by_overlap(region, hit):
    assert is_hit((10, 10, 20, 20), region) is hit


def inspection(score, verdict, boxes=(), hot=()):
    coarse = np.zeros((10, 10), dtype=np.float32)
    for x, y in hot:
        coarse[y, x] = 1.0
    regions = [SimpleNamespace(box=box) for box in boxes]
    row = {"status": "ok", "score": score, "verdict": verdict, "regions": regions, "coarse_map": coarse}
    return SimpleNamespace(**row, width=100, height=100)


def test_what_is_counted():
    tally = BoardFigures()
    first = inspection(0.9, "defect", [(0, 0, 10, 10), (50, 50, 60, 60)], hot=[(0, 0), (3, 3), (7, 7)])
    tally.add(first, inspection(0.1, "good"), ((1, 1, 9, 9), (30, 30, 40, 40)))
    tally.add(inspection(0.2, "good"), inspection(0.5, "defect"), ((1, 1, 9, 9),))
    assert tally.figures() == {
        "image AUROC": 0.75,
        "above its mended self": 0.5,
        "called defect": 0.5,
        "mended, called defect": 0.5,
        "boxes hit": pytest.approx(1 / 3),
        "false regions a board": 0.5,
        "limit from mended boards: boxes hit": pytest.approx(2 / 3),
        "limit from mended boards: false regions a board": 0.5,
        "limit from mended boards: regions a board": 1.5,
    }


def test_a_board_that_cannot_be_read_is_named():
    bad = SimpleNamespace(status="error", path="0_test.png", error="it is empty")
    with pytest.raises(DatasetError, match=r"0_test\.png cannot be read: it is empty"):
        BoardFigures().add(bad, inspection(0.1, "good"), ())


def test_a_template_finds_the_blots_of_its_board(inspector, boards, train_lookup):
    train_lookup()
    tallies = measure_templates(inspector, read_mvtec(boards), None)
    assert [*tallies] == ["aligned", "not aligned", "trained"]
    for tally in tallies.values():
        figures = tally.figures()
        assert figures["image AUROC"] == 1.0 and figures["above its mended self"] == 1.0
        assert figures["limit from mended boards: boxes hit"] == 1.0


def test_each_board_is_learned_from_its_own_template_both_ways_and_in_tiles(inspector, boards, monkeypatch):
    learned = []
    learn = inspector.learn

    def note(name, references, **how):
        learned.append((references[0], how))
        return learn(name, references, **how)

    monkeypatch.setattr(inspector, "learn", note)
    chosen = read_boards(read_mvtec(boards), 1)
    (found,) = inspect_boards(inspector, chosen, tiles=2)
    assert [how for _, how in learned] == [{"aligned": True, "tiles": 2}, {"aligned": False, "tiles": 2}]
    assert all(np.array_equal(p, load_image(chosen[0].template.image).pixels) for p, _ in learned)
    assert found["aligned"][0].score > found["aligned"][1].score
    assert found["aligned"][0].coarse_map.shape == found["not aligned"][0].coarse_map.shape
