"""Training the language model: only answers are learned, a stopped run ends as an unbroken one, pictures count."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_language import save_tiny_language

from assistant.adapters.projector import Projector, ProjectorConfig
from assistant.commands import main as cli
from assistant.errors import TrainingError
from assistant.inspection import Inspection
from assistant.language.pocket import load_language
from assistant.language.token_sequence import tokenize
from assistant.language.trained_language import TrainedProjector
from assistant.prompts.chat import converse
from assistant.training.conversation_batches import Lesson, in_batches, lay_batch, make_lessons
from assistant.training.conversation_features import gather_visual_tokens
from assistant.training.conversations import read_conversations
from assistant.training.lvlm_training import LvlmConfig, train_lvlm

SHORT = {"steps": 4, "batch": 2, "precision": "no", "checkpoint_every": 2, "first": 0.5, "held_out": 0.3}


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    save_tiny_language(folder / "language")
    return folder


@pytest.fixture
def home(language, tiny_home, monkeypatch, tmp_path):
    monkeypatch.setattr("assistant.language.pocket.bundle_folder", lambda name: language)
    monkeypatch.setattr("assistant.language.trained_language.cache_root", lambda: tmp_path / "cache")


@pytest.fixture
def data(tmp_path, good):
    """Six pictures, dark ones called bad; what to answer can be told from the picture alone."""
    rows = []
    for n in range(6):
        pixels = good(n, 96, 96) // (3 if n % 2 else 1)
        Image.fromarray(pixels).save(tmp_path / f"{n}.png")
        found = Inspection(
            f"{n}.png",
            mode="zero-shot",
            score=0.1,
            p_value=0.5,
            threshold=0.4,
            review_threshold=0.3,
            verdict="good",
            width=96,
            height=96,
        )
        said = [("Dark?", "yes" if n % 2 else "no"), ("Sure?", "I am.")]
        turns = [t for q, a in said for t in ({"from": "human", "value": q}, {"from": "gpt", "value": a})]
        rows.append(
            {
                "id": str(n),
                "image": f"{n}.png",
                "map": [[0.1, 0.2], [0.3, 0.1]],
                "inspection": found.to_dict(),
                "conversations": turns,
            }
        )
    (tmp_path / "talk.json").write_text(json.dumps(rows))
    return tmp_path / "talk.json"


def test_only_answers_and_their_end_are_learned(home):
    tokenizer, _ = load_language("tiny-cnn")
    found = tokenize(tokenizer, converse("E", [("a?", "one."), ("b?", "two.")], sees=True))
    learned = tokenizer.decode([i for i, yes in zip(found.ids, found.answers, strict=True) if yes])
    assert learned == "one.<|im_end|>two.<|im_end|>"
    assert tokenizer.decode(found.ids[found.eye :]).startswith("E\n\na?")
    whole = tokenizer.apply_chat_template(converse("E", [("a?", "one."), ("b?", "two.")]), tokenize=False)
    assert tokenizer.decode(found.ids) == whole


def test_what_is_learned_in_training_is_what_is_met_in_use(home):
    tokenizer, _ = load_language("tiny-cnn")
    whole = tokenize(tokenizer, converse("E", [("a?", "one."), ("b?", "two.")]))
    asked = tokenize(tokenizer, converse("E", [("a?", "one.")], "b?"))
    assert whole.ids[: len(asked)] == asked.ids and whole.answers[len(asked)]
    assert not whole.answers[len(asked) - 1]


def test_a_batch_says_the_next_token_and_has_the_picture_in_its_place(home, data, backbones, tmp_path):
    tokenizer, model = load_language("tiny-cnn")
    eye, talk = backbones["tiny-cnn"], read_conversations([data])
    visuals = gather_visual_tokens(eye, talk, tmp_path / "s", lambda *said: None)
    lessons = make_lessons(tokenizer, talk[:2], visuals[:2], 2000)
    projector = Projector(ProjectorConfig(*_sizes(visuals[0]), hidden=64))
    batch = lay_batch(lessons, model.get_input_embeddings(), projector, [False, True])
    seen = projector([row.float() for row in lessons[0].visual.rows])
    at = lessons[0].sequence.eye
    assert torch.allclose(batch.embeddings[0, at : at + 18], seen, atol=1e-5)
    for n, hidden in enumerate((0, 1)):
        said = batch.targets[n][batch.targets[n] >= 0]
        assert tokenizer.decode(said) == f"{('no', 'yes')[n]}<|im_end|>I am.<|im_end|>"
        places = (batch.targets[n] >= 0).nonzero().flatten()
        now = batch.embeddings[n, places[1]]
        assert torch.equal(now, model.get_input_embeddings()(said[0])), hidden
    assert len(lessons[1]) - 18 == (batch.embeddings[1].abs().sum(1) > 0).sum()


def _sizes(visual):
    return visual.vector.shape[1], visual.grid.shape[1]


def test_turns_that_do_not_fit_are_left_out(home, data, backbones):
    tokenizer, _ = load_language("tiny-cnn")
    talk = read_conversations([data])[:1]
    whole = make_lessons(tokenizer, talk, [None], 5000)[0]
    shorter = make_lessons(tokenizer, talk, [None], len(whole) - 1)[0]
    assert whole.sequence.ids[: len(shorter)] == shorter.sequence.ids
    assert make_lessons(tokenizer, talk, [None], 20) == []


def test_batches_hold_every_lesson_once_and_are_of_one_length():
    from assistant.language.token_sequence import TokenSequence

    lengths = [int(n) for n in np.random.default_rng(0).integers(1, 100, 50)]
    lessons = [Lesson(TokenSequence((1,) * n, None, (True,) * n)) for n in lengths]
    batches = list(in_batches(lessons, 4, torch.Generator().manual_seed(1)))
    assert sorted(id(x) for b in batches for x in b) == sorted(map(id, lessons))
    assert np.mean([max(map(len, b)) - min(map(len, b)) for b in batches]) < 15


def test_sights_are_looked_at_once_and_bad_pictures_are_told(home, data, backbones, tmp_path, monkeypatch):
    eye, talk, told = backbones["tiny-cnn"], read_conversations([data]), []
    (tmp_path / "3.png").write_bytes(b"no picture")
    Image.new("RGB", (50, 50)).save(tmp_path / "4.png")
    first = gather_visual_tokens(eye, talk, tmp_path / "s", lambda m, f: told.append(m))
    assert [s is None for s in first] == [False] * 3 + [True, True, False]
    assert any("another size" in m for m in told)
    monkeypatch.setattr("assistant.training.conversation_features.see", None)
    again = gather_visual_tokens(eye, talk, tmp_path / "s", lambda *said: None)
    assert torch.equal(first[0].grid, again[0].grid) and again[3] is None


def test_a_stopped_run_ends_as_an_unbroken_one(home, data, backbones, tmp_path):
    eye, talk, config = backbones["tiny-cnn"], read_conversations([data]), LvlmConfig(**SHORT)
    train_lvlm(eye, talk, tmp_path / "w1", tmp_path / "one", config)

    def stop(message, fraction):
        if message.startswith("Step 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lvlm(eye, talk, tmp_path / "w2", tmp_path / "two", config, stop)
    assert not (tmp_path / "two").exists()
    told = []
    train_lvlm(eye, talk, tmp_path / "w2", tmp_path / "two", config, lambda m, f: told.append(m))
    assert "Going on after step 2." in told and not any(m.startswith("Step 2:") for m in told)
    for file in ("projector.safetensors", "adapter_model.safetensors"):
        one, two = ((tmp_path / side / file) for side in ("one", "two"))
        assert _tensors(one).keys() == _tensors(two).keys()
        assert all(torch.equal(t, _tensors(two)[n]) for n, t in _tensors(one).items())


def _tensors(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_the_first_stage_leaves_the_lora_alone_and_the_second_does_not(home, data, backbones, tmp_path):
    eye, talk = backbones["tiny-cnn"], read_conversations([data])
    for name, first in (("eyes", 0.99), ("both", 0.25)):
        train_lvlm(eye, talk, tmp_path / "w", tmp_path / name, LvlmConfig(**SHORT | {"first": first}))
    sides = [_tensors(tmp_path / name / "adapter_model.safetensors") for name in ("eyes", "both")]
    moved = [any(bool(t.any()) for n, t in side.items() if "lora_B" in n) for side in sides]
    assert moved == [False, True]
    kinds = {n.split(".")[-3] for n in sides[0]}
    assert kinds == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_what_can_be_told_from_the_picture_alone_is_learned(home, data, backbones, tmp_path):
    eye, talk = backbones["tiny-cnn"], read_conversations([data])
    config = LvlmConfig(
        **SHORT | {"steps": 150, "rate": 5e-3, "eye_rate": 5e-3, "blind": 0, "checkpoint_every": 50}
    )
    losses = []
    card = train_lvlm(eye, talk, tmp_path / "w", tmp_path / "out", config, lambda m, f: losses.append(m))
    assert float(card["held-out loss"]) < 0.8 and card["steps"] == "150"
    assert len(losses) == 5 and "held-out pictures" in losses[-1]


def test_text_alone_can_be_learned_too(home, data, backbones, tmp_path):
    rows = json.loads(data.read_text())
    for row in rows:
        del row["image"]
    data.write_text(json.dumps(rows))
    card = train_lvlm(
        backbones["tiny-cnn"], read_conversations([data]), tmp_path / "w", tmp_path / "o", LvlmConfig(**SHORT)
    )
    assert card["steps"] == "4" and (tmp_path / "o" / "projector.safetensors").is_file()


def test_a_run_starts_with_what_an_earlier_one_left(home, data, backbones, tmp_path):
    eye, talk = backbones["tiny-cnn"], read_conversations([data])
    first, work = tmp_path / "first", tmp_path / "w"
    train_lvlm(eye, talk, work, first, LvlmConfig(**SHORT | {"rate": 0.1, "eye_rate": 0.1}))
    told = []
    still = LvlmConfig(**SHORT | {"rate": 1e-12, "eye_rate": 1e-12})
    card = train_lvlm(eye, talk, work, tmp_path / "same", still, lambda m, f: told.append(m), start=first)
    for file in ("projector.safetensors", "adapter_model.safetensors"):
        one, two = _tensors(first / file), _tensors(tmp_path / "same" / file)
        assert all(torch.allclose(t.float(), two[n].float(), atol=1e-3) for n, t in one.items())
    assert json.loads(card["config"])["first"] == 0 and not any(m.startswith("Going on") for m in told)
    assert card["start"] and str(tmp_path) not in json.dumps(card)
    again = train_lvlm(eye, talk, work, tmp_path / "more", still, start=tmp_path / "same")
    fresh = train_lvlm(eye, talk, work, tmp_path / "fresh", still)
    assert again["start"] != card["start"] and "start" not in fresh
    assert len(list(work.glob("checkpoint-*"))) == 4
    assert card["held-out loss"] != fresh["held-out loss"]


@pytest.mark.parametrize("lost", ["projector.safetensors", "adapter_model.safetensors", "adapter_config.json"])
def test_a_start_that_does_not_fit_is_refused_in_one_sentence(home, data, backbones, tmp_path, lost):
    eye, talk, config = backbones["tiny-cnn"], read_conversations([data]), LvlmConfig(**SHORT | {"steps": 1})
    first = tmp_path / "first"
    train_lvlm(eye, talk, tmp_path / "w", first, config)

    def start(config=config):
        train_lvlm(eye, talk, tmp_path / "w", tmp_path / "out", config, start=first)

    with pytest.raises(TrainingError, match="another shape"):
        start(replace(config, rank=4))
    whole = TrainedProjector.load(first / "projector.safetensors")
    for other in (replace(whole, bundle="other"), replace(whole, weights="0" * 16)):
        other.save(first / "projector.safetensors")
        with pytest.raises(TrainingError, match="other weights"):
            start()
    narrow = Projector(replace(whole.projector.config, width=8))
    replace(whole, projector=narrow).save(first / "projector.safetensors")
    with pytest.raises(TrainingError, match="another shape"):
        start()
    whole.save(first / "projector.safetensors")
    kept = (first / lost).read_bytes()
    (first / lost).write_bytes(kept[: len(kept) // 2])
    with pytest.raises(TrainingError, match="damaged"):
        start()
    (first / lost).unlink()
    with pytest.raises(TrainingError, match="holds no earlier training"):
        start()
    assert not (tmp_path / "out").exists()


def test_a_run_can_be_given_minutes(home, data, backbones, tmp_path):
    config = LvlmConfig(**SHORT | {"steps": None, "minutes": 0.01})
    card = train_lvlm(backbones["tiny-cnn"], read_conversations([data]), tmp_path / "w", tmp_path / "o", config)
    assert int(card["steps"]) >= 1
    assert (
        LvlmConfig(steps=10, minutes=1).progress(5, 0) == 0.5 == LvlmConfig(steps=100, minutes=1).progress(5, 30)
    )


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"minutes": 0.0}, {"rate": 0}, {"seed": -1}, {"blind": 1}, {"held_out": 0}, {"precision": "x"}],
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    with pytest.raises(TrainingError):
        LvlmConfig(**wrong)


def test_the_command_trains_and_says_what_it_did(home, data, monkeypatch, tmp_path, capfd):
    fixed = ("--bundle", "tiny-cnn", "--device", "cpu", "--steps", 1, "--batch", 2, "--precision", "no")
    out = ("--work", tmp_path / "w", "--out", tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["looktwice", "train", "lvlm", str(data), *map(str, (*out, *fixed))])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    err = " ".join(capfd.readouterr().err.split())
    assert not stopped.value.code, err
    assert "6 conversations" in err and "Loss on held-out pictures" in err
    assert json.loads((tmp_path / "out" / "card.json").read_text())["steps"] == "1"
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--start", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    err = " ".join(capfd.readouterr().err.split())
    assert stopped.value.code == 2 and "holds no earlier training" in err and "Traceback" not in err
