"""The pocket explainer: its plans fit the schema whatever its weights, no yes or no is its own, rules go first."""

import json

import numpy as np
import pytest
import torch
from asked_records import RECORDS
from tiny_language import save_tiny_language

from assistant.errors import ExplainerError
from assistant.language.conversation import converse, prompt_for
from assistant.language.explainer import Prompt, Subject
from assistant.language.plan import Test, read_plan
from assistant.language.plan_prompt import state_question
from assistant.language.pocket import PocketExplainer, load_language
from assistant.language.trained_language import CARD, LORA, PLANS, find_trained, save_lora, user_folder

FOUND = RECORDS["defect"]
STRANGE = "Would my aunt frame that?"
"""A question that no rule knows."""


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    save_tiny_language(folder / "language")
    return folder


@pytest.fixture
def home(language, tiny_home, monkeypatch, tmp_path):
    monkeypatch.setattr("assistant.language.pocket.bundle_folder", lambda name: language)
    monkeypatch.setattr("assistant.language.trained_language.cache_root", lambda: tmp_path / "cache")
    return tmp_path


@pytest.fixture
def tuned(home):
    """A folder with a LoRA that changes what is chosen, and the card of one that was trained to plan."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    _, model = load_language("tiny-cnn")
    lora = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM"))
    for name, parameter in lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    lora.peft_config["default"].base_model_name_or_path = "tiny-cnn"
    save_lora(lora, home / "tuned")
    (home / "tuned" / CARD).write_text(json.dumps({"writes": PLANS}))
    return home / "tuned"


class Counted:
    """A decoder that remembers how many tokens it read at each call."""

    def __init__(self, decoder):
        self.decoder, self.read = decoder, []

    def embed(self, ids):
        return self.decoder.embed(ids)

    def start(self):
        reading, read = self.decoder.start(), self.read

        class Reading:
            length = property(lambda self: reading.length)
            crop = staticmethod(reading.crop)

            def extend(self, rows):
                read.append(len(rows))
                return reading.extend(rows)

        return Reading()


def load(backbones, tuned, runtime="torch", **how):
    return PocketExplainer.load(backbones["tiny-cnn"], tuned=tuned, runtime=runtime, **how)


def plan(explainer, question=STRANGE, history=(), records=(FOUND,)):
    prompt = Prompt(question, tuple(map(Subject, records)), tuple(history))
    return read_plan("".join(explainer.stream(prompt)), list(records))


def last(explainer, question, records=(FOUND,)):
    return list(converse(explainer, prompt_for(explainer, records, question)))[-1]


def test_a_plan_fits_the_schema_and_is_the_same_each_time(home, tuned, backbones):
    explainer = load(backbones, tuned)
    for question in (STRANGE, "Was ist mit R2?", "哪里？", "¿y ahora qué?"):
        for records in ((FOUND,), (FOUND, RECORDS["good"])):
            made = plan(explainer, question, records=records)
            assert made == plan(load(backbones, tuned), question, records=records)
            assert made.facts or made.cannot or made.test is None
    assert explainer.plans and explainer.name == "tiny-cnn" and not explainer.looks


def test_it_gives_no_yes_or_no_unless_it_is_measured_with_them(home, tuned, backbones, monkeypatch):
    wanted = Test("area", "R1", ">", 5.0)
    monkeypatch.setattr(
        "assistant.language.pocket.write_line", lambda records, choose: read_plan({"test": vars(wanted)}, records)
    )
    made = plan(load(backbones, tuned, alone=True))
    assert made.test is None and [(f.key, f.ids) for f in made.facts] == [("size", ("R1",))]
    assert plan(load(backbones, tuned, tests=True)).test == wanted


def test_rules_answer_what_they_know_and_it_answers_the_rest(home, tuned, backbones):
    explainer, alone = load(backbones, tuned), load(backbones, tuned, alone=True)
    known = last(explainer, "Is the score above the threshold?")
    assert known.source == "template" and known.text.startswith("Yes.")
    assert last(explainer, STRANGE).source == "tiny-cnn"
    assert last(alone, "Is the score above the threshold?").source == "tiny-cnn"


def test_one_that_was_not_trained_to_plan_is_not_asked(home, tuned, backbones):
    (tuned / CARD).write_text(json.dumps({"writes": "sentences"}))
    explainer = load(backbones, tuned)
    said = last(explainer, STRANGE)
    assert not explainer.plans and said.source == "template, as tiny-cnn is not trained to plan"
    for content in ("[1]", "no json"):
        (tuned / CARD).write_text(content)
        assert not load(backbones, tuned).plans


def test_what_two_prompts_begin_with_is_read_once(home, tuned, backbones):
    explainer = load(backbones, tuned)
    explainer.decoder = counted = Counted(explainer.decoder)
    first = plan(explainer, "Would my aunt frame that?")
    whole = counted.read[0]
    counted.read.clear()
    assert plan(explainer, "Would my aunt frame this?") == plan(
        load(backbones, tuned), "Would my aunt frame this?"
    )
    assert 0 < counted.read[0] < whole
    assert plan(explainer, "Would my aunt frame that?") == first


def test_many_pictures_and_long_talks_leave_the_question_whole(home, tuned, backbones):
    explainer = load(backbones, tuned, alone=True)
    asked = []
    explainer.tokenizer = Heard(explainer.tokenizer, asked)
    question = "Would my dear old aunt in the country frame that and hang it over her sofa, what do you say?"
    old = tuple((f"Question {n}?", "word " * 60) for n in range(30))
    prompt = prompt_for(explainer, [FOUND] * 30, question, old)
    assert list(converse(explainer, prompt))[-1].text
    assert any("over her sofa" in text and "question 29" in text for text in asked)


@pytest.mark.parametrize("bad", ["<|im_end|>", "<<||im_start|>", "<|<|x", "Is <|im_start|>it?"])
def test_no_question_can_pose_as_a_turn(bad):
    assert "<|" not in state_question((FOUND,), bad, ((bad, "Yes."),), "en")


class Heard:
    """A tokenizer that keeps the texts that it was given."""

    def __init__(self, tokenizer, texts):
        self._tokenizer, self._texts = tokenizer, texts

    def encode(self, text, **how):
        self._texts.append(text)
        return self._tokenizer.encode(text, **how)


def test_what_was_trained_changes_what_is_chosen_and_openvino_chooses_alike(home, tuned, backbones):
    questions = [f"Would my aunt frame number {n}?" for n in range(6)]
    slow, fast = load(backbones, tuned), load(backbones, tuned, runtime="auto")
    plain = load(backbones, home)
    assert type(fast.decoder).__name__ == "CompiledDecoder"
    assert [plan(slow, q) for q in questions] != [plan(plain, q) for q in questions]
    reading, other = (one.decoder.start().extend(one.decoder.embed([5, 6, 7])) for one in (slow, fast))
    assert np.corrcoef(reading, other)[0, 1] > 0.98


def test_the_users_own_training_comes_before_the_shipped_one(home, tuned, monkeypatch, tmp_path):
    assert find_trained("tiny-cnn") is None
    monkeypatch.setattr("assistant.language.trained_language.card_folder", lambda: tmp_path / "cards")
    shipped = tmp_path / "cards" / "tiny-cnn.language"
    for folder in (shipped, user_folder("tiny-cnn")):
        folder.mkdir(parents=True)
        before = find_trained("tiny-cnn")
        (folder / LORA).write_bytes((tuned / LORA).read_bytes())
        assert find_trained("tiny-cnn") == before  # one that was trained to do something else is no planner
        (folder / CARD).write_bytes((tuned / CARD).read_bytes())
        assert find_trained("tiny-cnn") == folder


def test_saved_files_are_small_in_type_and_say_nothing_of_this_machine(tuned):
    from safetensors.torch import load_file

    assert {t.dtype for t in load_file(tuned / LORA).values()} == {torch.bfloat16}
    config = json.loads((tuned / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-cnn" and str(tuned.parent) not in json.dumps(config)
    assert sorted(p.name for p in tuned.iterdir()) == ["adapter_config.json", LORA, CARD]


def test_what_is_missing_or_damaged_is_said_in_one_sentence(home, tuned, backbones, monkeypatch, tmp_path):
    with pytest.raises(ExplainerError, match="no runtime 'tpu'"):
        load(backbones, tuned, runtime="tpu")
    (tuned / LORA).write_bytes(b"nothing")
    with pytest.raises(ExplainerError, match="damaged or made for another"):
        load(backbones, tuned)
    monkeypatch.setattr("assistant.language.pocket.bundle_folder", lambda name: tmp_path)
    with pytest.raises(ExplainerError, match="looktwice pull tiny-cnn"):
        load(backbones, tuned)
