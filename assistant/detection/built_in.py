"""The limits a bundle has before it has seen any product: measured once, on good pictures of other things.

A bundle's file `<name>.limits.json` lies beside its card, or in the cache where a user measured it with
`looktwice limits`. This module reads and writes that file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assistant.detection.calibration import Calibration, built_in
from assistant.detection.prior import Prior
from assistant.detection.unrated import Unrated
from assistant.errors import CalibrationError, told
from assistant.files import write_atomically
from assistant.models.card import card_folder
from assistant.models.places import cache_root

SCHEMA = 1

USUAL_TARGET = 0.05
"""The rate of the limits that only order and colour."""


@dataclass(frozen=True)
class BuiltInLimits:
    """Zero-shot scores of good pictures, what these pictures are, and what products teach about few ones.

    `weights` is the digest of the towers the scores were made with, `words` that of what was learned and had a
    say in them, "" for nothing. `own`: the user measured them, so they decide; shipped ones do where they are
    asked to.
    """

    bundle: str
    weights: str
    source: str
    zero_shot: tuple[float, ...]
    prior: Prior = field(default_factory=Prior)
    words: str = ""
    own: bool = field(default=False, compare=False)
    schema: int = SCHEMA

    def calibration(self, target: float) -> Calibration:
        """The calibration for a picture about whose product nothing is known."""
        return built_in(self.zero_shot, self.source, target=target)

    def without_product(self, target: float, decide: bool = False, words: str = "") -> Calibration | Unrated:
        """What a picture is judged by, about whose product nothing is known; `decide`: shipped limits may.

        CalibrationError where the scores were made with other `words` than those that speak now.
        """
        if words != self.words:
            raise CalibrationError(
                f"The limits of the bundle {self.bundle!r} for pictures of unknown products were measured before "
                f"its detector was trained as it is now; measure them again with `looktwice limits NAME=DIR "
                f"--bundle {self.bundle}`."
            )
        if self.own or decide:
            return self.calibration(target)
        return Unrated(target, self.calibration(USUAL_TARGET))

    def save(self, path: Path) -> Path:
        """Write the file, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unsaid = {"own"} if self.words else {"own", "words"}
        row = {name: value for name, value in asdict(self).items() if name not in unsaid}
        row |= {"zero_shot": [float(f"{v:.5g}") for v in sorted(self.zero_shot)]}
        return write_atomically(path, json.dumps(row, indent=1).encode())


def user_limits(bundle: str) -> Path:
    """Where limits that a user measured are kept."""
    return cache_root() / "limits" / f"{bundle}.limits.json"


def load_limits(bundle: str, weights: str) -> BuiltInLimits:
    """The limits of a bundle, the user's own before the shipped ones.

    CalibrationError where there are none, or they were made with other weights: a stale limit is never used.
    """
    shipped = card_folder() / f"{bundle}.limits.json"
    mine = user_limits(bundle)
    source = mine if mine.is_file() else shipped
    if not source.is_file():
        raise CalibrationError(
            f"The bundle {bundle!r} has no limits for pictures of unknown products: give references, use "
            f"mutual mode, or measure them with `looktwice limits NAME=DIR --bundle {bundle}`."
        )
    try:
        row = json.loads(source.read_text(encoding="utf-8"))
        if row.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        read = {"zero_shot": tuple(row["zero_shot"]), "prior": Prior.from_dict(row["prior"])}
        limits = BuiltInLimits(**{**row, **read}, own=source == mine)
    except (ValueError, TypeError, KeyError) as error:
        raise CalibrationError(f"The limits of the bundle {bundle!r} are damaged; measure them again.") from error
    if limits.weights != weights:
        raise CalibrationError(
            f"The limits of the bundle {bundle!r} were measured with other weights; measure them again with "
            f"`looktwice limits NAME=DIR --bundle {bundle}`."
        )
    return limits


def merge_sources(parts: Sequence[tuple[str, int]]) -> str:
    """The sentence part that names what was measured: "320 good pictures of 4 kinds (a, b, c, d)"."""
    names = ", ".join(name for name, _ in parts)
    n = sum(n for _, n in parts)
    return told(f"{n} good pictures of {len(parts)} kinds ({names})")
