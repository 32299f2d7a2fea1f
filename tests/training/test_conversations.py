"""LLaVA's JSON: read as written, and one sentence for every mistake."""

import json

import numpy as np
import pytest

from assistant.errors import TrainingError
from assistant.inspection import Inspection
from assistant.training.conversations import read_conversations, split_conversations

GOOD = Inspection(
    "a.png", mode="zero-shot", score=0.1, p_value=0.5, threshold=0.4, review_threshold=0.3, verdict="good"
)


def row(**changes):
    turns = [{"from": "human", "value": "<image>\nIs it good?"}, {"from": "gpt", "value": "Yes."}]
    return {"id": "1", "inspection": GOOD.to_dict(), "conversations": turns, "more": 1} | changes


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "talk.json"
        path.write_text(json.dumps(list(rows)))
        return [path]

    return write


def test_rows_are_read_with_paths_beside_the_file(write, tmp_path):
    np.save(tmp_path / "m.npy", np.eye(3, dtype=np.float16))
    one, two = read_conversations(write(row(image="p/a.png", map="m.npy"), row(map=[[0, 1], [2, 3]])))
    assert one.turns == (("Is it good?", "Yes."),) and one.inspection == GOOD
    assert one.image == tmp_path / "p" / "a.png" and two.image is None
    assert np.array_equal(one.inspection.coarse_map, np.eye(3)) and two.inspection.coarse_map.shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"conversations": []}, "in turn"),
        ({"conversations": "?"}, "no turns"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "in turn"),
        ({"conversations": [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}]}, "in turn"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": " "}]}, "without words"),
        ({"inspection": None}, "no inspection"),
        ({"inspection": {"schema": 99}}, "no inspection"),
        ({"map": "nowhere.npy"}, "a map that cannot be read"),
        ({"map": [[1, 2], [3]]}, "a map that cannot be read"),
        ({"map": [1, 2]}, "not rows of finite numbers"),
        ({"map": [[float("nan")]]}, "not rows of finite numbers"),
    ],
)
def test_a_mistake_is_named_with_its_place(write, changes, sentence):
    with pytest.raises(TrainingError, match=f"^Conversation 2 of talk.json .*{sentence}"):
        read_conversations(write(row(), row(**changes)))


def test_files_that_are_none_are_refused(write, tmp_path):
    for content, sentence in (("{", "not JSON"), ("{}", "not a list"), ("[]", "no conversations")):
        path = tmp_path / "x.json"
        path.write_text(content)
        with pytest.raises(TrainingError, match=sentence):
            read_conversations([path])
    with pytest.raises(TrainingError, match="cannot be read"):
        read_conversations([tmp_path / "none.json"])


def test_all_conversations_about_a_picture_are_on_one_side(write):
    rows = read_conversations(write(*[row(id=str(n), image=f"{n // 3}.png") for n in range(30)]))
    taught, unseen = split_conversations(rows, 0.2, seed=1)
    assert len(unseen) == 6 and len(taught) == 24
    assert not {c.image for c in taught} & {c.image for c in unseen}
    assert split_conversations(rows, 0.2, seed=1) == (taught, unseen)
    with pytest.raises(TrainingError, match="one picture"):
        split_conversations(rows[:3], 0.2, seed=1)
