"""`looktwice doctor`: what is here, what works, and what to do about the rest."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from assistant.commands import console
from assistant.commands.options import Bundle, Device
from assistant.doctor.finding import Diagnosis
from assistant.models.card import DEFAULT

COLOURS = {"works": "green", "note": "yellow", "fails": "red", "untried": "magenta"}


def doctor(
    bundle: Bundle = DEFAULT,
    device: Device = None,
    network: Annotated[
        bool, typer.Option("--network", help="Also ask the model hub and the package index, once each.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object to standard output, and nothing else.")
    ] = False,
) -> None:
    """Say what is here, try every part on a generated picture, and say what to do about what fails.

    Nothing is sent without --network, and your products and history stay as they are. The exit status is 0 where
    all that is needed works, else 1.
    """
    from assistant.doctor import examine

    with console.progress("Looking around", 1) as bar:
        diagnosis = examine(bundle, device=device, network=network, tell=bar.tell)
    if as_json:
        console.write_line(json.dumps(diagnosis.to_dict(), ensure_ascii=False, default=str))
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.works:
        raise typer.Exit(1)


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """A line for each finding, what to do below it, and a line for all."""
    out = Console()
    wide = max(len(one.part) for one in diagnosis.findings)
    for one in diagnosis.findings:
        state = f"[{COLOURS[one.state]}]{one.state:7}[/]"
        out.print(f"{state}  {one.part:{wide}}  {console.escape(one.said)}", highlight=False, soft_wrap=True)
        if one.mend:
            out.print(f"{'':{wide + 9}}  -> {console.escape(one.mend)}", highlight=False, soft_wrap=True)
    counts = {state: sum(one.state == state for one in diagnosis.findings) for state in COLOURS}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    console.say(f"{'All that is needed works' if diagnosis.works else 'Not all that is needed works'}: {said}.")
