"""The command line of training: `looktwice train VERB`, mounted in `assistant.cli`.

It turns arguments into a configuration and says how far a run is; every error that a user can cause is one
sentence, raised before anything is trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant import console
from assistant.bundle import DEFAULT
from assistant.errors import TrainingError

if TYPE_CHECKING:
    from assistant.learned import Learned
    from assistant.training.dataset import TrainingData
    from assistant.training.detector import TrainConfig

train = typer.Typer(
    name="train", help="Train what a bundle's frozen towers lack, on your own pictures.", no_args_is_help=True
)


@train.command()
def detector(
    data: Annotated[list[Path], typer.Argument(help="Folders: MVTec layout, good beside defect, or all good.")],
    bundle: Annotated[str, typer.Option("--bundle", help="Whose towers to train for.")] = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; by default where the bundle looks for it.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option("--work", help="Folder for features and checkpoints; in the cache by default.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often every view is shown.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Views in a step.")] = 16,
    rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, help="Decides every draw.")] = 0,
    simulated: Annotated[int, typer.Option(min=0, help="Simulated defects for each good picture.")] = 2,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "no",
    leave_out: Annotated[
        list[str] | None, typer.Option("--leave-out", help="A kind of picture to leave out; may be repeated.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda or mps; the best by default.")] = None,
) -> None:
    """Train the adapters that find and name defects, on pictures of several kinds of product.

    Good pictures are enough: defects are simulated on them. Some kinds are held out to judge the training. A run
    that was stopped goes on where it was when the same command is given again.
    """
    from assistant.learned import SUFFIX, user_learned
    from assistant.training.dataset import read_training_data
    from assistant.training.detector import TrainConfig
    from assistant.training.features import ViewConfig
    from assistant.weights import cache_root

    views = ViewConfig(simulated=simulated, seed=seed)
    config = TrainConfig(epochs, batch, rate, seed=seed, precision=precision, views=views)
    out, work = out or user_learned(bundle), work or cache_root() / "training" / bundle
    if out.suffix != ".safetensors":
        raise TrainingError(f"The file to write is safetensors: call it, for example, {bundle}{SUFFIX}.")
    _make_folders(out, work)
    pictures = read_training_data(data, leave_out=leave_out or ())
    console.say(
        f"{len(pictures.examples)} pictures of {len(pictures.kinds)} kinds, {len(pictures.defects)} of them with "
        f"a defect. Stopped and started again, the run goes on from {work}."
    )
    trained = _train(bundle, device, pictures, work, config)
    trained.save(out)
    console.say(f"On kinds never trained on: {trained.card['held_out']}. The detector is in {out}.")


def _train(bundle: str, device: str | None, pictures: TrainingData, work: Path, config: TrainConfig) -> Learned:
    from assistant.backbone import Backbone
    from assistant.training.detector import train_detector

    backbone = Backbone.load(bundle, device=device)
    try:
        with console.progress(f"Training for {bundle}", 1) as step:
            return train_detector(backbone, pictures, work, config, _narrate(step))
    except KeyboardInterrupt:
        console.complain("Stopped. The same command goes on where it was.")
        raise typer.Exit(130) from None


def _narrate(step: console.Step) -> Callable[[str, float], None]:
    """Move the bar, and write each new sentence above it, so that none is lost where there is no terminal."""
    last = ""

    def tell(message: str, fraction: float) -> None:
        nonlocal last
        step.move(fraction)
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
