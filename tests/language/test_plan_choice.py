"""A plan by choices alone: whatever scores a model gives, it fits the schema, and its line reads back."""

import random

import pytest
from asked_records import RECORDS

from assistant.language.facts import render
from assistant.language.plan import Fact, Plan, Test, read_plan, to_dict
from assistant.language.plan_choice import TokenTrie, read_line, to_line, write_line

DEFECT = next(i for i in RECORDS.values() if i.verdict == "defect" and len(i.regions) > 1)
ALONE, LOT = [DEFECT], [DEFECT, DEFECT]


class Erratic:
    """Tokens are letters in pairs; the scores of the next are drawn anew each time."""

    def __init__(self, seed):
        self.random, self.read_in = random.Random(seed), []

    def encode(self, word):
        return [256 * ord(a) % 997 + ord(b) % 251 for a, b in zip(word[::2], word[1::2] + " ", strict=False)]

    def read(self, tokens):
        self.read_in += tokens
        return [self.random.random() for _ in range(1300)]


@pytest.mark.parametrize("records", [ALONE, LOT], ids=["one", "several"])
def test_any_scores_make_a_plan_that_fits_and_can_be_worded(records):
    for seed in range(60):
        model = Erratic(seed)
        trie = TokenTrie(model.encode, model.read)
        trie.begin(model.read([]))
        plan = write_line(records, trie.choose)
        assert read_plan(to_dict(plan), records) == plan
        assert render(plan, records).text
        assert read_line(to_line(plan), records) == plan


@pytest.mark.parametrize(
    "plan",
    [
        Plan((Fact("place", ("R1", "R2")), Fact("advice")), Test("area", "R1", ">", 5.0), ("cause", "price")),
        Plan((Fact("how_limit_at", (), 0.01),)),
        Plan((Fact("verdict"),), Test("place", "any", "=", "top left")),
        Plan(cannot=("medical",)),
        Plan((Fact("size", ("R2",)),), Test("score", "all", "<", 0.25)),
    ],
)
def test_a_plan_reads_back_from_its_line(plan):
    assert read_line(to_line(plan), ALONE) == plan


def test_the_likeliest_branch_is_taken():
    words = [" verdict", " place", " score"]
    liked = {ord("p"): 2.0, ord("s"): 1.0}
    trie = TokenTrie(lambda word: list(map(ord, word)), lambda tokens: [liked.get(n, 0.0) for n in range(256)])
    trie.begin([0.0] * 256)
    assert trie.choose(words) == " place"


def test_a_line_that_is_none_is_refused():
    with pytest.raises(ValueError, match="does not go on"):
        read_line(" verdict maybe", ALONE)
