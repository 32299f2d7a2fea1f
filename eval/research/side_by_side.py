"""What a change gained and lost: `python -m assistant.eval.research.side_by_side BEFORE.json AFTER.json`.

Both files are what `looktwice eval --out` writes, before and after a change; rows that only one of them has are
left out. A gain is a difference for the better in points: overkill, escape and review gain by falling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from assistant.errors import LooktwiceError
from assistant.eval.results import FIGURES, Row, average

LOSS = 0.5
"""A loss of more points than this is marked."""

SHOWN = ("image_auroc", "pixel_ap", "aupro", "overkill", "escape", "review")
LESS_IS_BETTER = frozenset({"overkill", "escape", "review", "overkill_at_2pct_escape"})


def compare(before: Sequence[Row], after: Sequence[Row]) -> str:
    """A Markdown table of what both have, means at its end, and a line on losses of image AUROC."""
    pairs = _paired(before, after)
    pairs += _paired(average([old for old, _ in pairs]), average([new for _, new in pairs]))
    lines = [["dataset", "mode", *(FIGURES[name] for name in SHOWN)], ["---", "---", *["---:"] * len(SHOWN)]]
    losses = []
    for old, new in pairs:
        lines.append([new.dataset, new.way, *(_cell(old, new, name) for name in SHOWN)])
        gain = _gain(old, new, "image_auroc")
        if gain is not None and gain < -LOSS:
            losses.append(f"{new.dataset} {new.way} {gain:+.1f}")
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    said = f"Image AUROC lost more than {LOSS} points: {', '.join(losses) or 'nowhere'}."
    return f"{table}\n\n{said}\n"


def read_results(path: Path) -> list[Row]:
    """The rows of a results file, whatever its settings; LooktwiceError where it holds none."""
    try:
        return [Row.from_dict(row) for row in json.loads(path.read_text("utf-8"))["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LooktwiceError(f"{path.name} holds no results.") from error


def _paired(before: Sequence[Row], after: Sequence[Row]) -> list[tuple[Row, Row]]:
    known: Mapping[tuple[str, str], Row] = {(row.dataset, row.way): row for row in before}
    return [(known[key], row) for row in after if (key := (row.dataset, row.way)) in known]


def _gain(old: Row, new: Row, name: str) -> float | None:
    one, other = getattr(old, name), getattr(new, name)
    if one is None or other is None:
        return None
    gain = 100 * float(other.mean - one.mean)
    return -gain if name in LESS_IS_BETTER else gain


def _cell(old: Row, new: Row, name: str) -> str:
    gain = _gain(old, new, name)
    if gain is None:
        return "-"
    text = f"{100 * getattr(old, name).mean:.1f} > {100 * getattr(new, name).mean:.1f}"
    return f"**{text}** ({gain:+.1f})" if gain < -LOSS else text


def main(
    before: Annotated[Path, typer.Argument(help="Results of the state before.")],
    after: Annotated[Path, typer.Argument(help="Results of the state after.")],
) -> None:
    """Show two results side by side, losses of more than half a point in bold."""
    typer.echo(compare(read_results(before), read_results(after)))


if __name__ == "__main__":
    typer.run(main)
