"""The pocket explainer: words one by one, the picture in its place, and turns that are not read twice."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_language import save_tiny_language

from assistant.adapters.projector import Projector, ProjectorConfig
from assistant.errors import ExplainerError
from assistant.inspection import Inspection
from assistant.language import pocket
from assistant.language.explainer import Prompt, Subject
from assistant.language.pocket import LONGEST, NO_REPEAT, PocketExplainer, load_language
from assistant.language.token_sequence import tokenize
from assistant.language.trained_language import PROJECTOR, TrainedProjector, find_trained, save_lora, user_folder
from assistant.language.visual_tokens import sizes_of
from assistant.prompts.chat import converse

FOUND = Inspection(
    "a.png",
    mode="zero-shot",
    score=0.5,
    p_value=0.1,
    threshold=0.4,
    review_threshold=0.3,
    verdict="defect",
    width=160,
    height=160,
    coarse_map=np.eye(5, dtype=np.float32),
)


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
def tuned(home, backbones):
    """A folder with a projector and a LoRA that change what is said."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    eye = backbones["tiny-cnn"]
    projector = Projector(ProjectorConfig(*sizes_of(eye), hidden=64), norm=2.0)
    TrainedProjector(projector, "tiny-cnn", eye.digest, {"steps": "3"}).save(home / "tuned" / PROJECTOR)
    _, model = load_language("tiny-cnn")
    lora = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM"))
    for name, parameter in lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    lora.peft_config["default"].base_model_name_or_path = "tiny-cnn"
    save_lora(lora, home / "tuned")
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


def load(backbones, **how):
    return PocketExplainer.load(backbones["tiny-cnn"], runtime="torch", **how)


def say(explainer, question="Why?", history=(), picture=None, found=FOUND):
    return "".join(explainer.stream(Prompt(question, (Subject(found, picture),), tuple(history))))


def test_the_answer_is_what_greedy_decoding_gives(home, backbones):
    explainer = load(backbones, plain=True)
    tokenizer, model = load_language("tiny-cnn")
    prompt = Prompt("Why?", (Subject(FOUND),))
    ids = list(tokenize(tokenizer, converse(prompt.evidence, (), "Why?")).ids)
    text = tokenizer.apply_chat_template(
        converse(prompt.evidence, (), "Why?"), tokenize=False, add_generation_prompt=True
    )
    assert tokenizer.decode(ids) == text
    model.to(torch.bfloat16)
    with torch.inference_mode():
        wanted = model.generate(torch.tensor([ids]), max_new_tokens=NO_REPEAT, do_sample=False)[0, len(ids) :]
    whole = say(explainer)
    assert len(whole) > 1 and whole.startswith(
        tokenizer.decode(wanted, skip_special_tokens=True).strip("\ufffd \n")
    )
    assert whole == say(explainer) and explainer.name == "tiny-cnn (untrained)"


def test_an_answer_ends_by_itself_and_never_loops(home, backbones):
    explainer = load(backbones, plain=True)
    explainer.decoder = counted = Counted(explainer.decoder)
    say(explainer)
    assert len(counted.read) <= LONGEST + 1
    first, again = [5] * NO_REPEAT, np.zeros(9, np.float32)
    again[5], again[7] = 2, 1
    assert pocket._choose(again.copy(), first) == 7
    assert pocket._choose(again.copy(), first[: NO_REPEAT - 1]) == 5


def test_a_second_turn_reads_only_what_is_new(home, backbones):
    explainer = load(backbones, plain=True)
    fresh = load(backbones, plain=True)
    explainer.decoder = counted = Counted(explainer.decoder)
    say(explainer, "Where is it?")
    whole = counted.read[0]
    counted.read.clear()
    turns = [("Where is it?", "At the top.")]  # the guard may have written another answer than was read
    second = say(explainer, "And how large?", turns)
    assert 0 < counted.read[0] < whole / 4
    assert second == say(fresh, "And how large?", turns)
    counted.read.clear()
    other = say(explainer, "Where is it?", found=replace(FOUND, score=0.45))
    assert other == say(fresh, "Where is it?", found=replace(FOUND, score=0.45))


def test_a_closed_stream_stops_and_leaves_a_state_that_can_be_used(home, backbones):
    explainer = load(backbones, plain=True)
    wanted = say(load(backbones, plain=True))
    explainer.decoder = counted = Counted(explainer.decoder)
    pieces = explainer.stream(Prompt("Why?", (Subject(FOUND),)))
    piece = next(pieces)
    pieces.close()
    taken = len(counted.read)
    assert piece and taken < 8
    assert say(explainer) == wanted


def test_two_streams_at_once_do_not_mix(home, backbones):
    explainer = load(backbones, plain=True)
    wanted = [say(load(backbones, plain=True), q) for q in ("Why?", "Where?")]
    streams = [explainer.stream(Prompt(q, (Subject(FOUND),))) for q in ("Why?", "Where?")]
    said = ["", ""]
    for _ in range(LONGEST + 1):
        for n, stream in enumerate(streams):
            said[n] += next(stream, "")
    assert said == wanted


def test_what_was_trained_changes_the_answer_and_a_picture_is_seen(home, tuned, backbones, good):
    trained = load(backbones, tuned=tuned)
    plain = load(backbones, plain=True)
    assert say(trained) != say(plain) and trained.name == "tiny-cnn"
    one, other = good(1), good(2)
    other[:] = other // 3
    answers = [say(trained, picture=p) for p in (None, one, other, one)]
    assert len({*answers}) == 3 and answers[1] == answers[3]
    assert say(plain, picture=one) == say(plain)
    both = Prompt("Why?", (Subject(FOUND, one), Subject(FOUND, other)))
    blind = Prompt("Why?", (Subject(FOUND), Subject(FOUND)))
    assert "".join(trained.stream(both)) == "".join(trained.stream(blind))


def test_openvino_says_almost_what_torch_says(home, tuned, backbones, good):
    fast = PocketExplainer.load(backbones["tiny-cnn"], tuned=tuned)
    slow = load(backbones, tuned=tuned)
    assert type(fast.decoder).__name__ == "CompiledDecoder"
    assert say(fast, picture=good(1))[:3] == say(slow, picture=good(1))[:3]


def test_long_conversations_lose_their_oldest_turns_and_nothing_else(home, backbones):
    explainer = load(backbones, plain=True)
    old = [(f"Question {n}?", "word " * 60) for n in range(12)]
    explainer.decoder = counted = Counted(explainer.decoder)
    assert say(explainer, "Why?", old)
    assert counted.read[0] + LONGEST <= explainer.context
    with pytest.raises(ExplainerError, match="longer than the language model can read"):
        say(explainer, "why " * explainer.context)
    assert explainer.count("Why?") == 4


def test_the_users_own_training_comes_before_the_shipped_one(home, tuned, monkeypatch, tmp_path):
    assert find_trained("tiny-cnn") is None
    monkeypatch.setattr("assistant.language.trained_language.card_folder", lambda: tmp_path / "cards")
    shipped = tmp_path / "cards" / "tiny-cnn.language"
    for folder in (shipped, user_folder("tiny-cnn")):
        folder.mkdir(parents=True)
        (folder / PROJECTOR).write_bytes((tuned / PROJECTOR).read_bytes())
        assert find_trained("tiny-cnn") == folder


def test_saved_files_are_small_in_type_and_say_nothing_of_this_machine(tuned):
    from safetensors.torch import load_file

    assert {t.dtype for t in load_file(tuned / "adapter_model.safetensors").values()} == {torch.bfloat16}
    assert {t.dtype for t in load_file(tuned / PROJECTOR).values()} == {torch.float16}
    config = json.loads((tuned / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-cnn" and str(tuned.parent) not in json.dumps(config)
    assert sorted(p.name for p in tuned.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        PROJECTOR,
    ]


def test_what_is_missing_damaged_or_made_for_others_is_said_in_one_sentence(home, tuned, backbones, tmp_path):
    (tuned / PROJECTOR).write_bytes((tuned / PROJECTOR).read_bytes()[:-9])
    with pytest.raises(ExplainerError, match="damaged"):
        load(backbones, tuned=tuned)
    stranger = Projector(ProjectorConfig(*sizes_of(backbones["tiny-cnn"]), hidden=64))
    TrainedProjector(stranger, "tiny-cnn", "another").save(tuned / PROJECTOR)
    with pytest.raises(ExplainerError, match="other weights"):
        load(backbones, tuned=tuned)
    (tuned / PROJECTOR).unlink()
    (tuned / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ExplainerError, match="damaged or made for another"):
        load(backbones, tuned=tuned)
    with pytest.raises(ExplainerError, match="no runtime 'tpu'"):
        PocketExplainer.load(backbones["tiny-cnn"], runtime="tpu")


def test_a_bundle_without_its_language_model_says_how_to_get_it(home, monkeypatch, backbones, tmp_path):
    monkeypatch.setattr("assistant.language.pocket.bundle_folder", lambda name: tmp_path)
    with pytest.raises(ExplainerError, match="looktwice pull tiny-cnn"):
        load(backbones)


def test_one_that_was_trained_to_plan_writes_a_plan_that_fits_and_one_in_sentences_is_not_asked(home, backbones):
    from assistant.language.conversation import converse as answer
    from assistant.language.plan import read_plan
    from assistant.language.plan_choice import to_line

    eye = backbones["tiny-cnn"]
    projector = Projector(ProjectorConfig(*sizes_of(eye), hidden=64), norm=2.0)
    for writes in ("sentences", "plans"):
        folder = home / writes
        TrainedProjector(projector, "tiny-cnn", eye.digest, {"writes": writes}).save(folder / PROJECTOR)
        explainer = PocketExplainer.load(eye, tuned=folder, runtime="torch")
        prompt = Prompt("Is it good?", (Subject(FOUND),))
        said = list(answer(explainer, prompt))[-1]
        assert explainer.plans is (writes == "plans") and said.text
        if explainer.plans:
            plan = read_plan("".join(explainer.stream(prompt)), [FOUND])
            assert to_line(plan) and said.source == "tiny-cnn"
        else:
            assert said.source == "template, as tiny-cnn is not trained to plan" and said.text.startswith("No.")
