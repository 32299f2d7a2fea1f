"""A model of random weights, held to the schema of a plan, says nothing but plans."""

import json
from contextlib import suppress

import pytest
import torch
from test_transformers import SPECIAL, build_llava, subject

from assistant.errors import ExplainerError
from assistant.language.conversation import converse
from assistant.language.explainer import Prompt
from assistant.language.held import find_holder
from assistant.language.plan import read_plan
from assistant.language.plan_text import read_table
from assistant.language.replies import HELD
from assistant.language.transformers import TransformersExplainer

pytest.importorskip("llguidance")


def letters():
    """A tokenizer of bytes: with it anything can be written, JSON too."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({token: n for n, token in enumerate(["[PAD]", *alphabet])}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", eos_token="<|im_end|>")
    made.add_special_tokens({"additional_special_tokens": SPECIAL["llava"]})
    made.model_input_names = ["input_ids", "attention_mask"]
    return made


def explainer(tokens):
    torch.manual_seed(4)
    model, processor = build_llava(letters())
    model.config.get_text_config().max_position_embeddings = 32768
    return TransformersExplainer(model.eval(), processor, "tiny", answer_tokens=tokens)


@pytest.fixture(scope="module")
def one():
    return explainer(300)


@pytest.fixture
def prompt(good):
    return Prompt("Where is it?", (subject(good),))


def test_whatever_the_weights_what_is_said_fits_the_schema_as_far_as_it_goes(one, prompt):
    said = ""
    with suppress(ExplainerError):  # one that never comes to its end
        for piece in one.stream(prompt):
            said += piece
    assert one.how == HELD and said.startswith('{"facts":[')
    table, whole = read_table(said)
    assert whole is (said.endswith("}") and len(table) == 5)
    read_plan(table if whole else {"facts": table.get("facts", [])}, prompt.inspections)


def test_an_answer_that_is_cut_short_is_told(prompt):
    *_, last = converse(explainer(20), prompt)
    assert last.failed and "longest answer" in last.notices[0] and last.text


def test_a_choice_is_one_of_its_letters(one, prompt):
    choice = Prompt("Which?\nA: one\nB: two\nD: three", prompt.subjects, options=("A", "B", "D"))
    assert json.loads("".join(one.stream(choice)))["letter"] in ("A", "B", "D")


def test_how_likely_it_says_yes_lies_between_0_and_1(one, prompt):
    odds = one.odds_of_yes(prompt, "Is there a scratch?")
    assert odds is not None and 0 < odds < 1
    assert odds == one.odds_of_yes(prompt, "Is there a scratch?")


def test_a_whole_grammar_ends_by_itself_and_forbids_all_else(one):
    holder = find_holder(letters())
    schema = {
        "type": "object",
        "properties": {"a": {"enum": ["x"]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    tokens = letters()
    ids = torch.tensor([[5, 6]])
    processor = holder.hold(schema, 2)
    while True:
        scores = processor(ids, torch.zeros(1, len(tokens)))
        (allowed,) = torch.nonzero(scores[0] == 0, as_tuple=True)
        assert len(allowed) == 1
        if allowed[0] == tokens.eos_token_id:
            break
        ids = torch.cat([ids, allowed[None]], dim=1)
    assert tokens.decode(ids[0, 2:]) == '{"a":"x"}'


def test_a_tokenizer_of_an_unknown_kind_is_not_held():
    assert find_holder(object()) is None
