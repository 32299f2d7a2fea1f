"""`looktwice train detector` and `dictionary`: a file to load, a run that goes on, one sentence a mistake."""

import inspect
import json
import sys
from functools import partial

import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.commands.train import detector, dictionary
from assistant.models.trained_adapter import TrainedAdapter
from assistant.models.trained_dictionary import TrainedDictionary
from assistant.training import detector_training
from assistant.training.detector_training import TrainConfig
from assistant.training.dictionary_training import DictionaryConfig

BUNDLE = "tiny-cnn"


@pytest.fixture
def run(tiny_home, monkeypatch, tmp_path, capfd):
    """run(*arguments) -> (exit status, standard error as one line), with the tiny convolutional tower."""
    monkeypatch.setattr("assistant.models.trained.cache_root", lambda: tmp_path / "cache")

    def call(*arguments, verb="detector", bundle=BUNDLE):
        fixed = ("--bundle", bundle, "--device", "cpu", "--epochs", 1, "--simulated", 1)
        monkeypatch.setattr(sys, "argv", ["looktwice", "train", verb, *map(str, (*arguments, *fixed))])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        assert out == "" or "Usage" in out
        return stopped.value.code or 0, " ".join(err.split())

    return call


@pytest.fixture
def pictures(good, tmp_path):
    """A folder of three kinds of good pictures, two of each."""
    for kind in range(3):
        folder = tmp_path / "pictures" / f"kind{kind}"
        folder.mkdir(parents=True)
        for i in range(2):
            Image.fromarray(good(10 * kind + i, 72 + 8 * kind, 80)).save(folder / f"{i}.png")
    return tmp_path / "pictures"


def test_a_detector_is_trained_where_the_bundle_looks_for_it_and_the_same_command_goes_on(
    run, pictures, tmp_path, backbones
):
    status, err = run(pictures, "--work", tmp_path / "work")
    assert status == 0, err
    assert "6 pictures of 3 kinds" in err and "held-out kinds: image AUROC" in err
    assert "has a say" not in err
    learned = TrainedAdapter.find("tiny-cnn", backbones["tiny-cnn"].digest)
    assert learned is not None and TrainedAdapter.user_path("tiny-cnn").is_file()
    status, err = run(pictures, "--work", tmp_path / "work", "--out", tmp_path / "new" / "mine.safetensors")
    assert status == 0 and "Going on after step" in err
    again = TrainedAdapter.load(tmp_path / "new" / "mine.safetensors")
    assert again.card == learned.card


def test_a_dictionary_is_trained_where_the_bundle_looks_for_it_and_the_same_command_goes_on(
    run, pictures, tmp_path, backbones
):
    status, err = run(pictures, "--work", tmp_path / "work", verb="dictionary")
    assert status == 0, err
    assert "6 pictures of 3 kinds" in err and "nearest neighbour" in err
    made = TrainedDictionary.find("tiny-cnn", backbones["tiny-cnn"].digest)
    assert made is not None and TrainedDictionary.user_path("tiny-cnn").is_file()
    elsewhere = ("--out", tmp_path / "mine.safetensors", "--work", tmp_path / "work")
    status, err = run(pictures, *elsewhere, verb="dictionary")
    assert status == 0 and "Going on after step" in err
    assert (tmp_path / "mine.safetensors").read_bytes() == TrainedDictionary.user_path("tiny-cnn").read_bytes()


def test_a_run_that_is_stopped_says_how_it_goes_on(run, pictures, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    for verb in ("detector", "dictionary"):
        monkeypatch.setattr(f"assistant.training.{verb}_training.train_{verb}", interrupt)
        status, err = run(pictures, "--work", tmp_path / "work", verb=verb)
        assert status == 130 and "goes on where it was" in err
    assert not TrainedAdapter.user_path("tiny-cnn").exists()
    assert not TrainedDictionary.user_path("tiny-cnn").exists()


@pytest.fixture
def look(tiny_home, monkeypatch, tmp_path, capfd, good, planted):
    """look() -> the zero-shot score that the shell gives a picture with a blot, by the aligned tower."""
    for module in ("detection.built_in", "inspector"):
        monkeypatch.setattr(f"assistant.{module}.user_limits", lambda name: tmp_path / "none.json")
    Image.fromarray(planted(good(3), 0.3, 0.6)[0]).save(tmp_path / "part.png")

    def call():
        given = [
            tmp_path / "part.png",
            "--bundle",
            "tiny-vit",
            "--device",
            "cpu",
            "--out",
            tmp_path / "rows.jsonl",
        ]
        monkeypatch.setattr(sys, "argv", ["looktwice", "inspect", *map(str, given)])
        with pytest.raises(SystemExit):
            cli.main()
        capfd.readouterr()
        (row,) = (tmp_path / "rows.jsonl").read_text().splitlines()
        (tmp_path / "rows.jsonl").unlink()
        return json.loads(row)["score"]

    return call


@pytest.mark.parametrize("words", ["sentences", "layers"])
def test_what_an_aligned_tower_learned_in_a_run_that_was_stopped_is_read_at_once(
    run, look, pictures, tmp_path, monkeypatch, words
):
    before, save, saved = look(), detector_training.save_checkpoint, []

    def pull_the_plug(*arguments):
        save(*arguments)
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(detector_training, "save_checkpoint", pull_the_plug)
    config = partial(TrainConfig, checkpoint_every=1)
    monkeypatch.setattr(detector_training, "TrainConfig", config)
    command = (pictures, "--work", tmp_path / "work", "--words", words, "--batch", 2)
    status, err = run(*command, bundle="tiny-vit")
    assert status == 130 and "Stopped. The same command goes on where it was." in err
    assert look() == before
    status, err = run(*command, bundle="tiny-vit")
    assert status == 0, err
    assert "Going on after step 2 of" in err and "zero-shot" in err
    assert "it has a say in the scores of pictures whose product is unknown" in err
    assert "looktwice limits" not in err
    learned = TrainedAdapter.load(TrainedAdapter.user_path("tiny-vit"))
    assert bool(learned.layers) == (words == "layers")
    assert abs(look() - before) > 1e-3


def test_limits_that_were_measured_without_it_are_named(run, pictures, tmp_path):
    """The tiny towers have limits of the user's own."""
    elsewhere = tmp_path / "mine.safetensors"
    status, err = run(pictures, "--work", tmp_path / "work", "--out", elsewhere, bundle="tiny-vit")
    assert status == 0 and "looktwice limits" not in err and "has a say" not in err
    status, err = run(pictures, "--work", tmp_path / "work", bundle="tiny-vit")
    assert status == 0 and "measure them again with `looktwice limits NAME=DIR --bundle tiny-vit`" in err


def test_features_are_kept_in_the_cache_by_default(run, pictures, monkeypatch, tmp_path):
    where = []
    monkeypatch.setattr("assistant.models.places.cache_root", lambda: tmp_path / "mine")
    monkeypatch.setattr("assistant.commands.train._train", lambda *a: where.append(a[3]) or sys.exit(0))
    run(pictures)
    assert where == [tmp_path / "mine" / "training" / "tiny-cnn"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "There is no folder"),
        (["pictures", "--leave-out", "gremlins"], "gremlins"),
        (["pictures/kind0"], "one kind"),
        (["pictures", "--rate", "0"], "positive"),
        (["pictures", "--precision", "int4"], "int4"),
        (["pictures", "--out", "weights.bin"], "safetensors"),
        (["pictures", "--out", "taken.safetensors"], "is a folder"),
        (["pictures", "--work", "file/work"], "cannot be made"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_mistake_is_one_sentence_before_any_training(run, pictures, tmp_path, monkeypatch, arguments, words):
    (tmp_path / "taken.safetensors").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("assistant.commands.train._train", lambda *_: pytest.fail("it trained"))
    for verb in ("detector", "dictionary"):
        if verb == "dictionary" and "--precision" in arguments:
            continue
        status, err = run(*arguments, verb=verb)
        assert status == 2 and words in err and err.count(". ") == 0


def test_without_accelerate_the_extra_is_named(run, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    status, err = run(pictures, "--work", tmp_path / "work")
    assert status == 2 and "looktwice[train]" in err


def test_the_defaults_are_those_of_the_configuration():
    given = {name: p.default for name, p in inspect.signature(detector).parameters.items()}
    config = TrainConfig()
    for name in ("epochs", "batch", "rate", "seed", "precision", "words"):
        assert given[name] == getattr(config, name)
    assert given["simulated"] == config.views.simulated


def test_the_defaults_of_the_dictionary_are_those_of_its_configuration():
    given = {name: p.default for name, p in inspect.signature(dictionary).parameters.items()}
    config = DictionaryConfig()
    for name in ("epochs", "batch", "rate", "frozen", "seed"):
        assert given[name] == getattr(config, name)
    assert given["simulated"] == config.views.simulated
