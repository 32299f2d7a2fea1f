"""Puts measured rows into the page of results: `python -m assistant.eval.research.results_page RESULTS.json`.

RESULTS.json is what `looktwice eval --out` wrote by the command that the page itself names. The table of the page
gives way to the new one, and the rest of the page stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from assistant.errors import LooktwiceError
from assistant.eval.research.house import HERE
from assistant.eval.research.side_by_side import read_results
from assistant.eval.results import HEADS, Row, to_markdown
from assistant.files import write_atomically


def replace_table(page: str, rows: Sequence[Row]) -> str:
    """The page with the table of `rows` in place of its own. LooktwiceError where it has none."""
    lines = page.split("\n")
    head = "| " + " | ".join(HEADS) + " |"
    if head not in lines:
        raise LooktwiceError("The page has no table of results.")
    start = end = lines.index(head)
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    table = to_markdown(rows).split("\n\n")[0].split("\n")
    return "\n".join([*lines[:start], *table, *lines[end:]])


def main(
    results: Annotated[Path, typer.Argument(help="The rows, as `looktwice eval --out` writes them.")],
    page: Annotated[Path, typer.Option(help="The page to change.")] = HERE / "docs" / "results.md",
) -> None:
    """Replace the table of a page by measured rows."""
    write_atomically(page, replace_table(page.read_text("utf-8"), read_results(results)).encode())


if __name__ == "__main__":
    typer.run(main)
