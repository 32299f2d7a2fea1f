"""Training to plan: drawn questions fit their records and are no measured ones; a run can be broken off."""

import json
import tomllib
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_language import save_tiny_language

from assistant.errors import TrainingError
from assistant.language.phrasings import kept_apart, mark
from assistant.language.plan import read_plan, to_dict
from assistant.language.plan_choice import read_line
from assistant.language.trained_language import CARD, LORA, PLANS
from assistant.training.plan_questions import draw_questions, phrasings
from assistant.training.planner_training import PlannerConfig, train_planner

MEASURED = Path(__file__).parents[1] / "language"


@pytest.fixture(scope="module")
def drawn():
    return draw_questions(600, seed=5)


def strings(said):
    if isinstance(said, str):
        yield said
    elif isinstance(said, list | dict):
        for one in said.values() if isinstance(said, dict) else said:
            yield from strings(one)


def test_every_plan_fits_its_records_and_reads_back_from_its_line(drawn):
    for one in drawn:
        assert read_plan(to_dict(one.plan), one.records) == one.plan
        assert read_line(one.line, one.records) == one.plan, one.line
        assert len(one.prompt) < 700


def test_questions_are_of_every_kind(drawn):
    assert {one.language for one in drawn} == {"en", "de", "es", "zh"}
    assert any(one.history for one in drawn) and any(len(one.records) > 1 for one in drawn)
    assert any(len(one.plan.facts) > 1 for one in drawn) and any(one.plan.test for one in drawn)
    assert len({one.question for one in drawn}) > 500


def test_the_same_seed_draws_the_same_and_another_draws_others(drawn):
    assert draw_questions(40, seed=5) == drawn[:40]
    assert draw_questions(40, seed=6) != drawn[:40]


def test_phrasings_to_judge_by_are_never_learned():
    for language in ("en", "de", "es", "zh"):
        for section in ("one", "several"):
            learned, unseen = (phrasings(language, section, split) for split in ("train", "test"))
            assert all(not set(lines) & set(learned[plan]) for plan, lines in unseen.items())


@pytest.mark.parametrize("name", ["asked", "hundred", "traps", "computable", "injections"])
def test_no_question_that_answers_are_measured_with_is_drawn(drawn, name):
    asked = {mark(s) for s in strings(tomllib.loads((MEASURED / f"{name}.toml").read_text())) if len(s) > 2}
    assert asked <= kept_apart()
    assert not asked & {mark(one.question) for one in drawn}


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    save_tiny_language(tmp_path / "bundle" / "language")
    monkeypatch.setattr("assistant.language.pocket.bundle_folder", lambda name: tmp_path / "bundle")
    return "tiny-cnn"


def test_a_run_that_is_broken_off_ends_with_the_same_weights(bundle, tmp_path):
    config = PlannerConfig(steps=4, batch=2, questions=8, rank=2, first=0, checkpoint_every=2)
    card = train_planner(bundle, tmp_path / "work", tmp_path / "whole", config)

    def stop(message, fraction):
        if message.startswith("Step 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_planner(bundle, tmp_path / "other", tmp_path / "parts", config, stop)
    train_planner(bundle, tmp_path / "other", tmp_path / "parts", config)
    one, other = (load_file(tmp_path / name / LORA) for name in ("whole", "parts"))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)
    kept = json.loads((tmp_path / "whole" / CARD).read_text())
    assert kept == card and kept["writes"] == PLANS and kept["steps"] == "4" and float(kept["held-out loss"]) > 0


def test_plans_are_learned(bundle, tmp_path):
    said = []
    config = PlannerConfig(steps=30, batch=4, questions=8, rank=8, first=0, rate=0.02, checkpoint_every=10)
    train_planner(bundle, tmp_path / "work", tmp_path / "out", config, lambda message, _: said.append(message))
    losses = [float(m.split("loss ")[1].split(",")[0]) for m in said if m.startswith("Step")]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"rate": 0.0}, {"seed": -1}, {"batch": 0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(TrainingError):
        PlannerConfig(**wrong)


def test_a_first_block_that_is_not_there_is_refused(bundle, tmp_path):
    with pytest.raises(TrainingError, match="blocks"):
        train_planner(bundle, tmp_path, tmp_path / "out", PlannerConfig(first=99))
