"""Built-in limits: kept, found again, and never used with weights they were not measured with."""

import json
from dataclasses import replace

import pytest

from assistant.detection.built_in import BuiltInLimits, load_limits, merge_sources, user_limits
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError

SCORES = tuple(round(0.1 + i / 1000, 5) for i in range(59))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.detection.built_in.card_folder", lambda: tmp_path)
    return tmp_path / "toy.limits.json"


@pytest.fixture
def limits():
    return BuiltInLimits(
        "toy", "abc", "59 good pictures of 2 kinds (a, b)", SCORES, Prior(spread=0.2, registered=Prior())
    )


def test_limits_are_found_again_as_they_were(shipped, limits):
    limits.save(shipped)
    assert load_limits("toy", "abc") == limits


def test_a_users_own_limits_go_before_the_shipped_ones(shipped, limits):
    limits.save(shipped)
    BuiltInLimits("toy", "abc", "mine", SCORES[:40]).save(user_limits("toy"))
    assert load_limits("toy", "abc").source == "mine"


def test_limits_of_other_weights_are_never_used(shipped, limits):
    limits.save(shipped)
    with pytest.raises(CalibrationError, match="other weights"):
        load_limits("toy", "abd")


def test_limits_of_other_words_decide_nothing(shipped, limits):
    """What was learned moves zero-shot scores, so that limits from before it was do not fit them."""
    for words, now in (("", "trained"), ("trained", ""), ("trained", "again")):
        replace(limits, words=words).save(shipped)
        kept = load_limits("toy", "abc")
        assert kept.words == words and kept.prior == limits.prior
        with pytest.raises(CalibrationError, match="before its detector was trained as it is now"):
            kept.without_product(0.05, True, now)
        assert kept.without_product(0.05, True, words) == kept.calibration(0.05)
    assert "words" not in json.loads(limits.save(shipped).read_text()), "earlier versions read it too"


def test_missing_limits_say_what_helps(shipped):
    with pytest.raises(CalibrationError, match="give references, use mutual mode, or measure them"):
        load_limits("toy", "abc")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row.update(schema=2),
        lambda row: row.pop("schema"),
        lambda row: row.pop("zero_shot"),
        lambda row: row.update(zero_shot=None),
        lambda row: row.update(extra=1),
        lambda row: row.update(prior={"spread": -1.0}),
        lambda row: row.update(prior={"width": 1.0}),
        lambda row: row.update(prior={"registered": {"spread": 0.0}}),
    ],
)
def test_damaged_limits_are_refused_in_one_sentence(shipped, limits, spoil):
    row = json.loads(limits.save(shipped).read_text())
    spoil(row)
    shipped.write_text(json.dumps(row))
    with pytest.raises(CalibrationError, match="damaged; measure them again"):
        load_limits("toy", "abc")


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00\xff"])
def test_a_file_that_is_no_limits_at_all_is_refused(shipped, text):
    shipped.write_bytes(text.encode("latin-1"))
    with pytest.raises(CalibrationError, match="damaged"):
        load_limits("toy", "abc")


def test_the_calibration_counts_the_scores(limits):
    made = limits.calibration(0.05)
    assert (made.method, made.threshold) == ("built-in", SCORES[59 - 3])
    assert "59 good pictures of 2 kinds" in made.evidence.origin
    with pytest.raises(CalibrationError, match="cannot support a target of 0.01"):
        limits.calibration(0.01)


def test_sources_are_merged_into_words():
    assert merge_sources([("bottles", 20), ("cells", 300)]) == "320 good pictures of 2 kinds (bottles, cells)"
