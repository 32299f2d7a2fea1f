"""The command line of measuring: `looktwice eval`, `limits` and `demo`, mounted in `assistant.commands.main`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from assistant.commands import console, targets
from assistant.commands.options import (
    Bundle,
    Device,
    Memory,
    Views,
    ZeroShotLimits,
    complete_bundle,
    complete_product,
    open_inspector,
)
from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.models.card import DEFAULT


def evaluate(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="Folders in the MVTec layout, elpv:mono, elpv:poly or textiles; "
            "or mmad and its folder; or speed; or decisions and a folder."
        ),
    ],
    shots: Annotated[list[int] | None, typer.Option(help="References: --shots 0 1 4.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of references.")] = 3,
    draw: Annotated[
        str, typer.Option(help="random, or first: the first files of the folder, then the next.")
    ] = "random",
    mode: Annotated[str, typer.Option(help="auto, or mutual to add mutual mode.")] = "auto",
    limit: Annotated[int | None, typer.Option(help="Test pictures a set at most, classes in proportion.")] = None,
    bundle: Bundle = DEFAULT,
    views: Views = "plain",
    memory: Memory = "nearest",
    zero_shot_limits: ZeroShotLimits = False,
    device: Device = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the results as JSON; continue one that is there.")
    ] = None,
    explainer: Annotated[
        str | None,
        typer.Option(help="Who answers MMAD: template, pocket, a bundle, a folder, or https://host/v1#model."),
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="MMAD: compare with a similar (the default) or a random good part.")
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option(autocompletion=complete_product, help="Decisions: of a product; given twice, compare two."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_bundle, help="Decisions: compare with this bundle, by the same references."
        ),
    ] = None,
) -> None:
    """Measure on pictures whose truth is known: AUROC, AUPRO, overkill and more.

    `eval mmad DIR` asks the multiple-choice questions of MMAD, one good part to compare with, and scores letters.
    `eval speed [PICTURES]` times drawn pictures of several sizes, or yours, by stage. `eval decisions DIR` shows
    AUPIMO, and overkill against escape with intervals, and says whether one of two products or bundles is better.
    """
    if datasets[0] == "decisions":
        if seeds != 3 or draw != "random" or mode != "auto" or zero_shot_limits or explainer or template:
            raise LooktwiceError(
                "Decisions rest on one draw of references: leave out --seeds, --draw, --mode, --zero-shot-limits, "
                "--explainer and --template."
            )
        learned = bool(shots) or views != "plain" or memory != "nearest"
        asked = (shots, product or [], against, learned, bundle, views, memory, limit, device, out)
        _measure_decisions(datasets[1:], *asked)
        return
    if product or against:
        raise LooktwiceError("--product and --against belong to `looktwice eval decisions`.")
    if datasets[0] == "speed":
        if shots or mode != "auto" or draw != "random" or views != "plain" or memory != "nearest" or limit:
            raise LooktwiceError(
                "Speed is measured as it is: leave out --shots, --mode, --draw, --views, --memory and --limit."
            )
        targets.check_target("--out", out, targets.RESULTS)
        _measure_speed(datasets[1:], bundle, device, out)
        return
    if datasets[0] == "mmad":
        if shots or mode != "auto" or draw != "random" or views != "plain" or memory != "nearest":
            raise LooktwiceError(
                "MMAD has one reference a picture: leave out --shots, --mode, --draw, --views and --memory."
            )
        targets.check_target("--out", out, targets.ANSWERS)
        _evaluate_mmad(datasets[1:], bundle, device, explainer or "template", template or "similar", limit, out)
        return
    if explainer or template:
        raise LooktwiceError("--explainer and --template belong to `looktwice eval mmad`.")
    from assistant.eval.benchmark import print_table, run_benchmark
    from assistant.eval.datasets import open_datasets

    if mode not in ("auto", "mutual"):
        raise LooktwiceError("The mode of an evaluation is auto or mutual.")
    if draw not in ("random", "first"):
        raise LooktwiceError("References are drawn at random or first.")
    targets.check_target("--out", out, targets.RESULTS)
    opened = open_datasets(datasets)
    with targets.written(out, ".json") as file:
        rows = run_benchmark(
            open_inspector(bundle, device),
            opened,
            shots=tuple(shots or (0, 1, 4)),
            seeds=seeds,
            mutual=mode == "mutual",
            limit=limit,
            views=views,
            memory=memory,
            zero_shot_limits=zero_shot_limits,
            draw="first" if draw == "first" else "random",
            out=file,
            tell=console.say,
        )
    if not targets.is_standard(out):
        print_table(rows)
    console.say_written({"--out": out})


def _measure_speed(folders: list[str], bundle: str, device: str | None, out: Path | None) -> None:
    from assistant.commands.clashes import check_outputs
    from assistant.eval.speed import find_pictures, measure_speed, print_speed, to_rows

    check_outputs({"--out": out}, {}, [Path(folder) for folder in folders], [])
    pictures = find_pictures(folders) if folders else []
    speeds = []
    with targets.written(out, ".json") as file:
        for speed in measure_speed(open_inspector(bundle, device), pictures, console.say):
            speeds.append(speed)
            if file is not None:  # a run that is stopped keeps what it has
                write_atomically(file, (json.dumps(to_rows(speeds), indent=1) + "\n").encode())
    if not targets.is_standard(out):
        print_speed(speeds, bundle)
    console.say_written({"--out": out})


def _measure_decisions(
    folders: list[str],
    shots: list[int] | None,
    products: list[str],
    against: str | None,
    learned: bool,
    bundle: str,
    views: str,
    memory: str,
    limit: int | None,
    device: str | None,
    out: Path | None,
) -> None:
    from assistant.eval.datasets import open_datasets
    from assistant.eval.decisions import Contender, measure_decisions, print_decisions, write_decisions
    from assistant.products.config import LearnConfig

    if not folders:
        raise LooktwiceError("Say where the pictures are: `looktwice eval decisions DIR`.")
    if products and (against or learned):
        raise LooktwiceError(
            "A product is measured as it is: leave out --against, --shots, --views and --memory, or --product."
        )
    if len(products) > 2 or len(shots or ()) > 1:
        raise LooktwiceError("Decisions compare two products at most, with one number of references.")
    targets.check_target("--out", out, targets.RESULTS)
    if out and out.is_file():
        raise LooktwiceError(f"{out.name} is there already: name another file.")
    opened, inspector = open_datasets(folders), open_inspector(bundle, device)
    contenders = [Contender(name, inspector, inspector.load(name)) for name in products]
    if not products:
        contenders = [Contender(bundle, inspector)]
        contenders += [Contender(against, open_inspector(against, device))] if against else []
    number, found = (shots or [4])[0], []
    config = LearnConfig(views=views, memory=memory)
    for one in measure_decisions(opened, contenders, shots=number, config=config, limit=limit, tell=console.say):
        found.append(one)
        if not targets.is_standard(out):
            print_decisions(*one)
    settings = {
        "sides": [one.name for one in contenders],
        "references": None if products else number,
        "limit": limit,
    }
    with targets.written(out, ".json") as file:
        if file is not None:
            write_decisions(file, found, settings)
    console.say_written({"--out": out})


def _evaluate_mmad(
    folders: list[str],
    bundle: str,
    device: str | None,
    explainer: str,
    template: str,
    limit: int | None,
    out: Path | None,
) -> None:
    from assistant.commands.clashes import check_outputs
    from assistant.eval.mmad import FILE, Contest, as_template, run_mmad
    from assistant.eval.mmad_scores import print_scores
    from assistant.language import load_explainer

    if len(folders) != 1:
        raise LooktwiceError("Say where the data set is: `looktwice eval mmad DIR`.")
    data = Path(folders[0]).expanduser()
    check_outputs({"--out": out}, {}, [data / FILE], [data])
    kind = as_template(template)
    inspector = open_inspector(bundle, device)
    answering = load_explainer(explainer, inspector.backbone, device=device)
    contest = Contest(inspector, data, answering, kind)
    with targets.written(out, ".jsonl") as file:
        scores = run_mmad(contest, limit=limit, out=file, tell=console.say)
    if not targets.is_standard(out):
        print_scores(scores, f"MMAD in percent: {bundle}, answered by {contest.settings['explainer']}")
    console.say_written({"--out": out})


def limits(
    groups: Annotated[
        list[str],
        typer.Argument(help="NAME=FOLDER of good pictures of all sorts, or NAME=DATASET of one product."),
    ],
    bundle: Bundle = DEFAULT,
    out: Annotated[
        Path | None, typer.Option(help="The .json file to write; by default where your own limits are kept.")
    ] = None,
    prior_only: Annotated[
        bool,
        typer.Option(help="Measure only what products teach about few references, and keep the zero-shot scores."),
    ] = False,
    registered: Annotated[
        bool,
        typer.Option(help="Measure only what products teach whose parts are brought to one pose."),
    ] = False,
    draws: Annotated[
        Path | None, typer.Option(help="A .json file that keeps what was measured, so that a stopped run goes on.")
    ] = None,
) -> None:
    """Measure the limits for pictures of unknown products on your own good pictures."""
    from assistant.commands.clashes import check_outputs
    from assistant.eval.limits import write_limits

    targets.check_target("--out", out, targets.RESULTS)
    targets.check_target("--draws", draws, targets.RESULTS)
    check_outputs({"--out": out, "--draws": draws}, {}, [], [])
    with targets.written(out, ".json") as file:
        path = write_limits(groups, bundle, file, prior_only=prior_only, registered=registered, draws=draws)
    console.say_written({"--out": out or path})


def demo(
    out: Annotated[Path, typer.Option(help="Folder for overlays, rows and the page.")] = Path("demo-out"),
) -> None:
    """Learn solar cells from four good ones, inspect 32 others, and explain one. Takes about half a minute."""
    from assistant.eval.demo import run_demo

    run_demo(open_inspector(DEFAULT, None), out)
