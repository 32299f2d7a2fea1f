"""The way back: any state from any other, exactly, whatever happens to rows, and bounded in number and bytes."""

import json

import torch
from hypothesis import given
from hypothesis import strategies as st

from assistant.models.digests import digest_state
from assistant.products import undo
from assistant.products.undo import Step, pack, trim, unpack

DTYPES = [torch.bfloat16, torch.int64, torch.uint8, torch.float32, torch.bool]


def tensors():
    shapes = st.one_of(st.tuples(st.integers(0, 6)), st.tuples(st.integers(0, 6), st.integers(1, 3)))
    one = st.tuples(st.sampled_from(DTYPES), shapes, st.integers(0, 3)).map(
        lambda made: torch.randint(0, 3, made[1], generator=torch.Generator().manual_seed(made[2])).to(made[0])
    )
    return st.dictionaries(st.sampled_from(["a", "b", "c.d"]), one, max_size=3)


def alike(one, other):
    return list(one) == list(other) and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@given(tensors(), tensors())
def test_a_step_leads_back_to_the_very_same_state(old, new):
    before, after = (json.dumps({"n": 1}), old), (json.dumps({"n": 2}), new)
    step = Step.between(before, after)
    (again,) = unpack(pack([step]), digest_state(*after))
    for way in (step, again):
        settings, found = way.revert(new)
        assert settings == before[0] and alike(found, old)
    assert unpack(pack([step]), digest_state(*before)) == () or digest_state(*before) == digest_state(*after)


def test_rows_that_stay_cost_their_number_and_not_their_content():
    rows = torch.randn(1000, 300)
    step = Step.between(("", {"m": rows[:900]}), ("", {"m": rows}))
    assert step.nbytes == 900 * 4
    step = Step.between(("", {"m": rows}), ("", {"m": rows[100:]}))
    assert step.nbytes == 1000 * 4 + 100 * 300 * 4
    assert Step.between(("", {"m": rows}), ("x", {"m": rows})).nbytes == 0


def test_numbers_that_are_equal_and_written_otherwise_come_back_as_they_were():
    step = Step.between(("", {"m": torch.tensor([[0.0]])}), ("", {"m": torch.tensor([[-0.0], [1.0]])}))
    assert str(step.revert({"m": torch.tensor([[-0.0], [1.0]])})[1]["m"].item()) == "0.0"


def test_steps_are_bounded_and_the_newest_stays(monkeypatch):
    step = Step.between(("", {"m": torch.zeros(1000)}), ("", {}))
    assert len(trim([step] * 12)) == undo.MOST_STEPS
    monkeypatch.setattr(undo, "MOST_BYTES", 2 * step.nbytes)
    assert len(trim([step] * 5)) == 2
    monkeypatch.setattr(undo, "MOST_BYTES", 1)
    assert trim([step] * 5) == (step,)
