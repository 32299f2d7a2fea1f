"""What a GPU changes: `python -m assistant.eval.device --out figures.json`, offline and in minutes.

Two bundles are asked the same on every device and in every precision: `pocket`, and `standard` at full size with
seeded random weights, since its own come from a model hub. The tables say whether a card finds what the CPU finds,
how many pictures a second go through, what memory each step takes, what a compiled tower is worth, and how fast a
language model of random weights writes. Without a card the rows of the CPU are measured alone.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from assistant.errors import WeightsError
from assistant.eval.device_agreement import Agreement, Found, Part, compare, draw_parts, find
from assistant.eval.device_settings import (
    REFERENCE,
    Clock,
    Setting,
    describe_machine,
    list_settings,
    load_inspector,
    release,
    rounding,
)
from assistant.eval.device_speed import (
    Batch,
    Language,
    Stage,
    Variant,
    measure_batches,
    measure_language,
    measure_stages,
    measure_variants,
)
from assistant.eval.seeded import LANGUAGE, make_language, write_towers
from assistant.files import write_atomically
from assistant.inspector import Inspector
from assistant.models.card import load_card

SCHEMA = 1
BUNDLES = (("pocket", False), ("standard", True))
"""Names of cards, and whether their towers get seeded random weights."""
CPU_BATCH, VARIANT_BATCH = 16, 32  # pictures at once, at most
SECTIONS: dict[str, type] = {
    "agreement": Agreement,
    "batches": Batch,
    "stages": Stage,
    "variants": Variant,
    "language": Language,
}


@dataclass(frozen=True)
class Extent:
    """How much is measured: `pictures` of each kind of part, batches up to `batch`, `tokens` that are written, and
    the shape of the language model."""

    pictures: int = 6
    batch: int = 4096
    tokens: int = 48
    language: Mapping[str, Any] = field(default_factory=lambda: dict(LANGUAGE))


class Figures:
    """What was measured on a device beside the CPU, None for the CPU alone, by section, and what was left out."""

    def __init__(self, device: str | None) -> None:
        self.machine = describe_machine(device)
        self.sections: dict[str, list[Any]] = {name: [] for name in SECTIONS}
        self.left_out: list[str] = []

    def add(self, section: str, rows: Iterable[Any]) -> None:
        """Keep rows as they come, so that those before a failure are not lost."""
        for row in rows:
            self.sections[section].append(row)

    def leave_out(self, sentence: str) -> None:
        """Note, once, what was not measured and why."""
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def to_json(self) -> str:
        """Everything as JSON."""
        rows = {name: [asdict(row) for row in section] for name, section in self.sections.items()}
        head = {"schema": SCHEMA, "machine": self.machine}
        return json.dumps(head | rows | {"left_out": self.left_out}, indent=1) + "\n"


class BundleRun:
    """The measurements of one bundle, within a stretch of the clock: from `begin` to `end`, shares of its time.

    `folder` holds seeded towers; None for the bundle's own weights.
    """

    def __init__(
        self, name: str, folder: Path | None, figures: Figures, clock: Clock, stretch: tuple[float, float]
    ) -> None:
        self.name, self.folder, self.figures, self.clock = name, folder, figures, clock
        self.begin, self.end = stretch
        self.called = name if folder is None else f"{name}, seeded"

    def measure(self, device: str | None, parts: Sequence[Part], batch: int) -> None:
        """Agreement with `REFERENCE`, stages, batches and variants, setting by setting, until time is up."""
        settings, left_out = list_settings(device, self.name, self.folder is not None)
        for sentence in left_out:
            self.figures.leave_out(sentence)
        inspector = load_inspector(self.name, REFERENCE, self.folder)
        expected = self._find_expected(inspector, parts)
        steps = len(settings) + 1
        self._measure_speed(REFERENCE, inspector, parts[0], batch, self._within(0.3 + 0.7 / steps))
        for number, setting in enumerate(settings, start=1):
            if not self._within(1)():
                self.figures.leave_out(f"{self.called}, {setting.name}: left out for want of time.")
                continue
            until = self._within(0.3 + 0.7 * (number + 1) / steps)
            try:
                self._measure_setting(setting, parts, expected, batch, until)
            except RuntimeError as error:  # a device that cannot do it is a finding too
                logging.getLogger(__name__).exception("%s, %s", self.called, setting.name)
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                self.figures.leave_out(f"{self.called}, {setting.name}: failed, {said}")

    def _measure_setting(
        self,
        setting: Setting,
        parts: Sequence[Part],
        expected: Sequence[Found],
        batch: int,
        until: Callable[[], bool],
    ) -> None:
        release()  # or a card would still hold the towers of the setting before
        with rounding(setting):
            inspector = load_inspector(self.name, setting, self.folder)
            found = [find(inspector, part) for part in parts[: len(expected)]]
            self.figures.add("agreement", compare(self.called, setting.name, found, expected))
            self._measure_speed(setting, inspector, parts[0], batch, until)

    def _within(self, share: float) -> Callable[[], bool]:
        return lambda: self.clock.before(self.begin + share * (self.end - self.begin))

    def _find_expected(self, inspector: Inspector, parts: Sequence[Part]) -> list[Found]:
        expected: list[Found] = []
        for part in parts:
            if expected and not self._within(0.2)():
                said = f"{self.called}: {len(expected)} of {len(parts)} kinds of parts, for want of time."
                self.figures.leave_out(said)
                break
            expected.append(find(inspector, part))
        return expected

    def _measure_speed(
        self, setting: Setting, inspector: Inspector, part: Part, batch: int, until: Callable[[], bool]
    ) -> None:
        backbone, named = inspector.backbone, (self.called, setting.name)
        if backbone.runtime.device.type == "cpu":
            batch = min(batch, CPU_BATCH)
        self.figures.add("stages", measure_stages(*named, inspector, part))
        self.figures.add("batches", measure_batches(*named, backbone, batch, until))
        if setting.runtime == "torch":  # last, since compiling takes long
            self.figures.add("variants", measure_variants(*named, backbone, min(batch, VARIANT_BATCH), until))


def measure(
    device: str | None, extent: Extent, seconds: float, bundles: Sequence[tuple[str, bool]] = BUNDLES
) -> Figures:
    """All tables, for a device beside the CPU or for the CPU alone, in about `seconds`.

    `bundles`: names of cards, and whether their towers are seeded. One that is not on this machine is left out.
    """
    clock, figures, parts = Clock(seconds), Figures(device), draw_parts(extent.pictures)
    _measure_language(figures, device, extent, clock)
    first = clock.used() / seconds
    length = (1 - first) / len(bundles)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, seeded) in enumerate(bundles):
            folder = Path(scratch) / name if seeded else None
            stretch = first + number * length, first + (number + 1) * length
            try:
                if folder:
                    write_towers(load_card(name), folder)
                BundleRun(name, folder, figures, clock, stretch).measure(device, parts, extent.batch)
            except WeightsError as error:
                figures.leave_out(f"{name}: {error}")
    figures.machine["seconds"] = round(clock.used(), 1)
    return figures


def _measure_language(figures: Figures, device: str | None, extent: Extent, clock: Clock) -> None:
    others = [Setting("cpu", "bf16")] if device is None else [Setting(device), Setting(device, "bf16")]
    with rounding(REFERENCE):
        model = make_language(extent.language)
        figures.add("language", measure_language([REFERENCE, *others], model, extent.tokens, clock))


def print_figures(figures: Figures, out: Console) -> None:
    """A table for each section that has rows, then what was left out."""
    out.print(", ".join(f"{key} {value}" for key, value in figures.machine.items() if value is not None))
    for name, kind in SECTIONS.items():
        if rows := figures.sections[name]:
            table = Table(*(column.name.replace("_", " ") for column in fields(kind)), title=name.capitalize())
            for row in rows:
                table.add_row(*(_cell(getattr(row, column.name)) for column in fields(kind)))
            out.print(table)
    for sentence in figures.left_out:
        out.print(f"Left out: {sentence}", markup=False, highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def main(
    out: Annotated[Path | None, typer.Option(help="A file that takes everything as JSON.")] = None,
    device: Annotated[str, typer.Option(help="The device beside the CPU; without it, the CPU alone.")] = "cuda",
    pictures: Annotated[int, typer.Option(help="Pictures to inspect of each kind of part.", min=2)] = 6,
    batch: Annotated[int, typer.Option(help="The most pictures at once.", min=1)] = 4096,
    seconds: Annotated[float, typer.Option(help="About how long it may take.", min=1)] = 300,
) -> None:
    """Compare a device with the CPU: findings, speed, memory, the language model."""
    there = device if device.startswith("cuda") and torch.cuda.is_available() else None
    figures = measure(there, Extent(pictures, batch), seconds)
    print_figures(figures, Console())
    if out:
        write_atomically(out, figures.to_json().encode())


if __name__ == "__main__":
    typer.run(main)
