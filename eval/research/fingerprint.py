"""Whether two states of the code give the same results, to the last digit: `python eval/research/fingerprint.py`.

    python -m assistant.eval.research.fingerprint write OUT.json SPEC ...   # in each of the two states
    python -m assistant.eval.research.fingerprint compare BEFORE.json AFTER.json

Every set is inspected in ten ways that go through all parts of the score: without references, against each other,
and against products with one, four and twelve references, turned views, tiles, a trained memory, alignment and
teaching. It asks the public interface alone, so that the file also runs by its path beside another state of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, open_datasets

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.inspector import Inspector
    from assistant.products.product import Product

WAYS: Mapping[str, tuple[int, dict[str, Any]]] = {
    "1 reference": (1, {}),
    "4 references": (4, {}),
    "12 references": (12, {}),
    "4, turns": (4, {"views": "turns"}),
    "2, tiles": (2, {"tiles": 2}),
    "4, trained memory": (4, {"memory": "trained"}),
    "1, aligned": (1, {"aligned": True}),
}
"""References and fields of `Inspector.learn` for each way."""

SOME = 16
"""Pictures of a set that are inspected in the costlier ways."""

app = typer.Typer(add_completion=False, help="Results to the last digit, of one state of the code beside another.")


def fingerprint(inspector: Inspector, dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """The ways of inspecting a set, and the rows or the limits of each, JSON-ready; a refusal is its sentence."""
    pictures = [sample.image for sample in dataset.test]
    some = pictures[:: max(1, len(pictures) // SOME)]
    yield "zero-shot", [_row(result) for result in inspector.inspect(pictures)]
    yield "mutual", [_row(result) for result in inspector.inspect(pictures, mode="mutual")]
    for way, (count, fields) in WAYS.items():
        try:
            product = inspector.learn("way", _references(dataset, count), **fields)
        except LooktwiceError as refused:
            yield way, str(refused)
            continue
        yield f"{way}: limits", _limits(product)
        shown = pictures if way in ("1 reference", "4 references") else some
        yield way, [_row(result) for result in inspector.inspect(shown, product)]
    taught = inspector.learn("way", _references(dataset, 4))
    spoiled = next(sample.image for sample in dataset.test if sample.label == 1)
    taught = inspector.teach(taught, spoiled, "defect", label="thing")
    taught = inspector.teach(taught, _references(dataset, 6)[-1:], "good")
    yield "taught: limits", _limits(taught)
    yield "taught", [_row(result) for result in inspector.inspect(some, taught)]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """A sentence for every way that differs, and for every one that only one side has."""
    sentences = [f"{way} is on one side only" for way in sorted(set(before) ^ set(after))]
    for way in before:
        if way in after and before[way] != after[way]:
            pairs = [before[way], after[way]]
            rows = [pair if isinstance(pair, list) else [pair] for pair in pairs]
            count = sum(one != other for one, other in zip(*rows, strict=False)) + abs(len(rows[0]) - len(rows[1]))
            sentences.append(f"{way}: {count} of {len(rows[0])} differ")
    return sentences


def _references(dataset: Dataset, count: int) -> list[Path]:
    return [sample.image for sample in dataset.references(count, 0)]


def _row(result: Inspection) -> dict[str, Any]:
    """A result without what no two runs share, its map by a digest."""
    row = {name: value for name, value in result.to_dict().items() if name not in ("ms", "created")}
    coarse = result.coarse_map
    row["map"] = None if coarse is None else hashlib.sha256(np.ascontiguousarray(coarse).tobytes()).hexdigest()
    plain: dict[str, Any] = json.loads(json.dumps(row | {"path": Path(result.path).name}))
    return plain


def _limits(product: Product) -> dict[str, Any]:
    scores = [reference.score for reference in product.references]
    return product.calibration.to_dict() | {
        "references": scores,
        "aligned": product.aligned,
        "alike": product.alike,
    }


@app.command("write")
def write(
    out: Path,
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 24,
    bundle: str = "pocket",
) -> None:
    """Write the results of every set to a file, after each set."""
    from assistant.inspector import Inspector

    inspector = Inspector.from_pretrained(bundle, device="cpu")
    rows: dict[str, Any] = {}
    for dataset in open_datasets(datasets):
        rows |= {f"{dataset.name}, {way}": found for way, found in fingerprint(inspector, dataset.limit(limit))}
        out.write_text(json.dumps(rows), encoding="utf-8")
        typer.echo(f"{dataset.name} is done.")


@app.command("compare")
def show_differences(before: Path, after: Path) -> None:
    """Say in what two files differ; status 1 where they do."""
    one, other = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    sentences = compare(one, other)
    for sentence in sentences:
        typer.echo(sentence)
    rows = sum(len(rows) for rows in one.values() if isinstance(rows, list))
    typer.echo(f"{len(one)} ways, {rows} rows: {len(sentences)} differ.")
    raise typer.Exit(1 if sentences else 0)


if __name__ == "__main__":
    app()
