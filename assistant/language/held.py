"""Holding a language model of transformers to a JSON schema, token by token, by llguidance.

A token that cannot go on a text that fits the schema is never taken, so that what comes out fits it as far as it
goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor

COMPACT: Any = {"whitespace_flexible": False}
"""Models that may put spaces anywhere can do so without end."""


class Holder:
    """What holds answers to schemas, for one tokenizer; made once, as it reads the whole vocabulary."""

    def __init__(self, tokenizer: Any) -> None:
        import llguidance.hf

        self._table = llguidance.hf.from_tokenizer(tokenizer)

    def hold(self, schema: Mapping[str, Any], read: int) -> LogitsProcessor:
        """A processor that holds one answer to a schema, after a prompt of `read` tokens."""
        from llguidance import LLMatcher

        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=COMPACT)
        return _Held(LLMatcher(self._table, grammar), read)


def find_holder(tokenizer: Any) -> Holder | None:
    """A holder for a tokenizer; None where llguidance is not installed, or does not know its kind."""
    try:
        return Holder(tokenizer)
    except (ImportError, ValueError):
        return None


class _Held(LogitsProcessor):
    def __init__(self, matcher: Any, read: int) -> None:
        self._matcher, self._read = matcher, read

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores [1, vocabulary], minus infinity where a token cannot come next."""
        for token in input_ids[0, self._read :].tolist():
            self._matcher.consume_token(token)
        self._read = input_ids.shape[1]
        if self._matcher.is_error():
            raise RuntimeError(f"the grammar fails: {self._matcher.get_error()}")
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = torch.zeros(scores.shape[-1], dtype=torch.bool)
        known = min(len(bits), scores.shape[-1])
        allowed[:known] = torch.from_numpy(bits[:known].astype(bool))
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
