"""The command line of training: `looktwice train VERB`, mounted in `assistant.commands.main`.

It turns arguments into a configuration and says how far a run is; every error that a user can cause is one
sentence, raised before anything is trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from assistant.commands import console
from assistant.commands.options import Device, read_share
from assistant.commands.targets import check_own
from assistant.errors import TrainingError
from assistant.models.card import DEFAULT, load_card
from assistant.progress import Tell

if TYPE_CHECKING:
    from assistant.models.backbone import Backbone
    from assistant.models.trained import Trained
    from assistant.models.trained_adapter import TrainedAdapter
    from assistant.training.dataset import TrainingData

Made = TypeVar("Made")
Training = Callable[["Backbone", "TrainingData", Path, Tell], Made]

train = typer.Typer(
    name="train", help="Train what a bundle's frozen towers lack, on your own pictures.", no_args_is_help=True
)

Pictures = Annotated[list[Path], typer.Argument(help="Folders: MVTec layout, good beside defect, or all good.")]
Towers = Annotated[
    str, typer.Option("--bundle", help="Whose towers to train for: a name, or a TOML card of your own.")
]
File = Annotated[
    Path | None, typer.Option("--out", help="The file to write; by default where the bundle looks for it.")
]
Work = Annotated[
    Path | None, typer.Option("--work", help="Folder for features and checkpoints; in the cache by default.")
]
Seed = Annotated[int, typer.Option(min=0, help="Decides every draw.")]
Simulated = Annotated[int, typer.Option(min=0, help="Simulated defects for each good picture.")]
Anomalies = Annotated[
    list[str] | None, typer.Option("--anomaly", help="A kind of simulated defect; may be repeated; else all.")
]
LeaveOut = Annotated[
    list[str] | None, typer.Option("--leave-out", help="A kind of picture to leave out; may be repeated.")
]


@train.command()
def detector(
    data: Pictures,
    bundle: Towers = DEFAULT,
    out: File = None,
    work: Work = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often every view is shown.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Views in a step.")] = 16,
    rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 1e-3,
    seed: Seed = 0,
    simulated: Simulated = 2,
    anomaly: Anomalies = None,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "no",
    words: Annotated[
        str, typer.Option(help="What tells good from bad: sentences, or layers: two directions each, no text.")
    ] = "sentences",
    leave_out: LeaveOut = None,
    device: Device = None,
) -> None:
    """Train the adapters that find and name defects, on pictures of several kinds of product.

    Good pictures are enough: defects are simulated on them. Some kinds are held out to judge the training. A run
    that was stopped goes on where it was when the same command is given again.
    """
    from assistant.models.trained_adapter import TrainedAdapter
    from assistant.training.detector_training import TrainConfig, train_detector
    from assistant.training.picture_features import ViewConfig

    views = ViewConfig(simulated, tuple(anomaly or ()), seed=seed)
    config = TrainConfig(epochs, batch, rate, seed=seed, precision=precision, words=words, views=views)
    out, work = _places(TrainedAdapter, bundle, out, work)
    pictures = _read(data, leave_out, work)
    trained = _train(bundle, device, pictures, work, lambda b, p, w, tell: train_detector(b, p, w, config, tell))
    trained.save(out)
    console.say(f"On kinds never trained on: {trained.card['held_out']}. The detector is in {out}.")
    if out == TrainedAdapter.user_path(trained.bundle):
        _say_what_changes(trained)


@train.command()
def dictionary(
    data: Pictures,
    bundle: Towers = DEFAULT,
    out: File = None,
    work: Work = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often every view is looked up.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Pairs in a step.")] = 8,
    rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 1e-3,
    frozen: Annotated[
        float,
        typer.Option(
            parser=read_share, metavar="SHARE", help="The first share of steps in which values stay as they are."
        ),
    ] = 0.5,
    seed: Seed = 0,
    simulated: Simulated = 2,
    anomaly: Anomalies = None,
    leave_out: LeaveOut = None,
    device: Device = None,
) -> None:
    """Train the dictionary that rebuilds each patch of a picture from good references.

    Good pictures are enough: defects are simulated on them. Some kinds are held out to judge the training. A run
    that was stopped goes on where it was when the same command is given again.
    """
    from assistant.models.trained_dictionary import TrainedDictionary
    from assistant.training.dictionary_training import DictionaryConfig, train_dictionary
    from assistant.training.picture_features import ViewConfig

    views = ViewConfig(simulated, tuple(anomaly or ()), seed=seed)
    config = DictionaryConfig(epochs, batch, rate, frozen=frozen, seed=seed, views=views)
    out, work = _places(TrainedDictionary, bundle, out, work)
    pictures = _read(data, leave_out, work)
    trained = _train(bundle, device, pictures, work, lambda b, p, w, tell: train_dictionary(b, p, w, config, tell))
    trained.save(out)
    console.say(f"On kinds never trained on: {trained.card['held_out']}. The dictionary is in {out}.")


@train.command()
def planner(
    bundle: Annotated[str, typer.Option("--bundle", help="Whose language model to train.")] = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write; by default where the bundle looks for it.")
    ] = None,
    work: Work = None,
    steps: Annotated[int, typer.Option(min=1, help="The run ends after so many steps.")] = 420,
    questions: Annotated[int, typer.Option(min=1, help="How many questions are drawn.")] = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Questions in a step.")] = 16,
    rate: Annotated[float, typer.Option(help="The highest learning rate of the LoRA.")] = 1e-3,
    rank: Annotated[int, typer.Option(min=1, help="The rank of the LoRA.")] = 16,
    first: Annotated[int, typer.Option(min=0, help="The LoRA lies in the blocks from this one on.")] = 10,
    seed: Seed = 0,
) -> None:
    """Train the small language model to choose which facts answer a question, in four languages.

    Questions are drawn, in phrasings that come with the program; no pictures are needed. A run that was stopped
    goes on where it was when the same command is given again, and ends with the same weights.
    """
    from assistant.language.trained_language import user_folder
    from assistant.training.planner_training import PlannerConfig, train_planner

    config = PlannerConfig(steps, batch=batch, questions=questions, rate=rate, rank=rank, first=first, seed=seed)
    target, work = out or user_folder(bundle), _work_folder(work, bundle)
    _make_folders(target / "card.json", work)
    console.say(f"Stopped and started again, the run goes on from {work}.")
    try:
        with console.progress(f"Training for {bundle}", 1) as bar:
            card = train_planner(bundle, work, target, config, _narrate(bar))
    except KeyboardInterrupt:
        console.complain("Stopped. The same command goes on where it was.")
        raise typer.Exit(130) from None
    console.say(f"Loss on phrasings never learned: {card['held-out loss']}. What was learned is in {target}.")


def _say_what_changes(trained: TrainedAdapter) -> None:
    """Where what was learned decides, say so, and what was measured without it."""
    from assistant.detection.built_in import user_limits

    if not trained.decides(aligns_text=load_card(trained.bundle).text.kind == "open_clip"):
        return
    console.say("From now on it has a say in the scores of pictures whose product is unknown.")
    if user_limits(trained.bundle).is_file():
        console.say(
            "Your limits for such pictures were measured before: measure them again with "
            f"`looktwice limits NAME=DIR --bundle {trained.bundle}`."
        )


def _places(made: type[Trained], bundle: str, out: Path | None, work: Path | None) -> tuple[Path, Path]:
    """The file to write and the folder to work in, both writable."""
    bundle = load_card(bundle).name
    out = out or made.user_path(bundle)
    if out.suffix != ".safetensors":
        raise TrainingError(f"The file to write is safetensors: call it, for example, {made.file_name(bundle)}.")
    check_own("--out", out)
    work = _work_folder(work, bundle)
    _make_folders(out, work)
    return out, work


def _work_folder(work: Path | None, bundle: str) -> Path:
    from assistant.models.places import cache_root

    return work or cache_root() / "training" / bundle


def _read(data: list[Path], leave_out: list[str] | None, work: Path) -> TrainingData:
    from assistant.training.dataset import read_training_data

    pictures = read_training_data(data, leave_out=leave_out or ())
    console.say(
        f"{len(pictures.examples)} pictures of {len(pictures.kinds)} kinds, {len(pictures.defects)} of them with "
        f"a defect. Stopped and started again, the run goes on from {work}."
    )
    return pictures


def _train(bundle: str, device: str | None, pictures: TrainingData, work: Path, training: Training[Made]) -> Made:
    from assistant.models.backbone import Backbone

    backbone = Backbone.load(bundle, device=device)
    try:
        with console.progress(f"Training for {bundle}", 1) as bar:
            return training(backbone, pictures, work, _narrate(bar))
    except KeyboardInterrupt:
        console.complain("Stopped. The same command goes on where it was.")
        raise typer.Exit(130) from None


def _narrate(bar: console.ProgressBar) -> Tell:
    """Move the bar, and write each new sentence above it, so that none is lost where there is no terminal."""
    last = ""

    def tell(message: str, fraction: float) -> None:
        nonlocal last
        bar.move(fraction)
        if message != last:
            console.say(message)
        last = message

    return tell


def _make_folders(out: Path, work: Path) -> None:
    """Where a run of hours is to write, it can write; TrainingError before it starts where not."""
    if out.is_dir():
        raise TrainingError(f"{out} is a folder; give a file to write.")
    for folder in (out.parent, work):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"The folder {folder} cannot be made: {error.strerror}.") from error
        if not os.access(folder, os.W_OK):
            raise TrainingError(f"The folder {folder} cannot be written to.")
