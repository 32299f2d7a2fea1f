"""The command line: `looktwice VERB`. It turns arguments into calls of `Inspector` and results into rows.

Exit status: 0 when every picture was read, 1 when some rows are errors or there is no picture, 2 when the request
makes no sense.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from assistant.commands import console
from assistant.commands.arguments import renew, spread_numbers, spread_paths
from assistant.commands.audit import audit
from assistant.commands.batch import batch
from assistant.commands.bundles import bundles, pull
from assistant.commands.check import check
from assistant.commands.doctor import doctor
from assistant.commands.export import export
from assistant.commands.history import history
from assistant.commands.inspect import ask, inspect
from assistant.commands.measure import demo, evaluate, limits
from assistant.commands.outbox import outbox
from assistant.commands.products import learn, products, teach
from assistant.commands.recalibrate import recalibrate
from assistant.commands.serve import keys, open_app, serve
from assistant.commands.signals import ends_when_told
from assistant.commands.store import store
from assistant.commands.train import train
from assistant.commands.watch import watch
from assistant.commands.what_if import what_if
from assistant.errors import LooktwiceError, NothingToInspect

app = typer.Typer(
    name="looktwice",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # paragraphs of a help text are filled to the width of the terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS: tuple[Callable[..., None], ...] = (
    *(inspect, learn, teach, check, recalibrate, what_if, ask),
    *(batch, watch, products, export, pull, bundles, doctor, serve, limits, demo),
)
for verb in VERBS:
    app.command()(verb)
app.command("app")(open_app)
app.command("eval")(evaluate)
for group in (train, audit, history, store, outbox, keys):
    app.add_typer(group)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"looktwice {version('looktwice')}")
        raise typer.Exit()


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_say_version, help="Say the version and exit."),
    ] = False,
) -> None:
    """Finds defects it was never trained on, shows where, and decides with a threshold you can trust."""


def main() -> None:
    """Run the command line; every error that a user can cause ends in one sentence."""
    warnings.filterwarnings("ignore")
    try:
        with ends_when_told():
            app(spread_paths(spread_numbers(renew(sys.argv[1:], console.say))), standalone_mode=True)
    except LooktwiceError as error:
        console.complain(str(error))
        sys.exit(1 if isinstance(error, NothingToInspect) else 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        sys.exit(1)
    except KeyboardInterrupt as told:
        console.complain("Stopped. What was written so far is whole.")
        sys.exit(getattr(told, "status", 130))
