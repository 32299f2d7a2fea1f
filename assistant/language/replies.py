"""What a large model has to answer with: a plan, or for a multiple-choice question a letter."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from assistant.language.explainer import Prompt
from assistant.language.plan import plan_schema
from assistant.prompts.instruct import CHOICE_RULES, PLAN_RULES

HELD, ASKED = "held to a JSON schema", "asked for JSON"
"""How a model is brought to answer with a plan, as the source of an answer says it."""


def reply_schema(prompt: Prompt) -> dict[str, Any]:
    """The JSON schema of the reply to a prompt."""
    if not prompt.options:
        return plan_schema(prompt.inspections)
    letter = {"type": "string", "enum": list(prompt.options)}
    return {
        "type": "object",
        "properties": {"letter": letter},
        "required": ["letter"],
        "additionalProperties": False,
    }


def reply_rules(prompt: Prompt) -> str:
    """The rules that a model is told for its reply."""
    return CHOICE_RULES if prompt.options else PLAN_RULES


def read_letter_reply(said: str, options: Collection[str]) -> str:
    """The letter of a reply that keeps to the schema of a choice among these; "" for any other text."""
    try:
        row = json.loads(said)
    except (ValueError, RecursionError):
        return ""
    letter = row.get("letter") if isinstance(row, dict) else None
    return letter if isinstance(letter, str) and letter in options else ""
