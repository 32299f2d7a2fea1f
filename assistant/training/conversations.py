"""Conversations to train a language model from: LLaVA's JSON, with an Inspection beside each picture.

A file is a list of {"id", "image", "inspection", "map", "conversations": [{"from", "value"}, ...]}, from
"human" and "gpt" in turn. "inspection" is a row of `Inspection.to_dict`; "image" and "map" may be left out.
Paths are relative to the file. "map" is a .npy file or a list of rows. Other keys are ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import TrainingError
from assistant.inspection import Inspection


@dataclass(frozen=True)
class Conversation:
    """Questions and answers, oldest first, about one inspection and, where there is one, its picture."""

    id: str
    inspection: Inspection
    turns: tuple[tuple[str, str], ...]
    image: Path | None = None


def read_conversations(paths: Sequence[Path]) -> list[Conversation]:
    """All conversations of all files, in order; TrainingError in one sentence for what cannot be read."""
    conversations = [conversation for path in paths for conversation in _read_file(path)]
    if not conversations:
        raise TrainingError("There are no conversations to train from.")
    return conversations


def split_conversations(
    conversations: Sequence[Conversation], share: float, seed: int
) -> tuple[list[Conversation], list[Conversation]]:
    """Those to train on and those to judge by; all about one picture are on one side.

    TrainingError where there is only one picture, so that no other can be held out.
    """
    groups = [str(c.image or c.id) for c in conversations]
    names = sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    if len(names) < 2:
        raise TrainingError("All conversations are about one picture, so none can be held out to judge by.")
    held_out = set(names[: min(len(names) - 1, max(1, round(share * len(names))))])
    pairs = list(zip(conversations, groups, strict=True))
    return [c for c, name in pairs if name not in held_out], [c for c, name in pairs if name in held_out]


def _read_file(path: Path) -> Iterator[Conversation]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"The file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise TrainingError(f"{path.name} is not JSON.") from error
    if not isinstance(rows, list):
        raise TrainingError(f"{path.name} is not a list of conversations.")
    for number, row in enumerate(rows, start=1):
        where = f"Conversation {number} of {path.name}"
        try:
            yield _read_row(row, path.parent)
        except TrainingError as error:
            raise TrainingError(f"{where} {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TrainingError(f"{where} has no inspection that can be read.") from error


def _read_row(row: Any, folder: Path) -> Conversation:
    if not isinstance(row, dict):
        raise TrainingError("is not an object.")
    turns = _read_turns(row.get("conversations"))
    inspection = Inspection.from_dict(row["inspection"])
    if (given := row.get("map")) is not None:
        inspection = replace(inspection, coarse_map=_read_map(given, folder))
    image = row.get("image")
    return Conversation(str(row.get("id", "")), inspection, turns, folder / str(image) if image else None)


def _read_turns(rows: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise TrainingError("has no turns.")
    said = [(r.get("from"), r.get("value")) for r in rows if r.get("from") != "system"]
    speakers = [speaker for speaker, _ in said]
    if not said or speakers != ["human", "gpt"] * (len(said) // 2):
        raise TrainingError('does not go from "human" to "gpt" in turn.')
    words = [text.replace("<image>", "").strip() if isinstance(text, str) else "" for _, text in said]
    if not all(words):
        raise TrainingError("has a turn without words.")
    return tuple(zip(words[::2], words[1::2], strict=True))


def _read_map(given: Any, folder: Path) -> NDArray[np.float32]:
    try:
        rows = np.load(folder / given, allow_pickle=False) if isinstance(given, str) else given
        values = np.asarray(rows, dtype=np.float32)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise TrainingError("has a map that cannot be read.") from error
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise TrainingError("has a map that is not rows of finite numbers.")
    return values
