"""What an endpoint can do: found out once for each endpoint and model by small requests, and kept.

Servers that speak the same protocol differ in whether they hold a model to a schema, how they are told not to let
it think aloud, what they call the longest answer, and whether they tell how likely their words are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from assistant.files import write_atomically
from assistant.language.endpoint import EndpointError
from assistant.models.places import cache_root

FILE = "endpoints.json"
PROBE = "Say hello in one sentence."
PROBE_TOKENS = 256
_WORD = "azure"
PROBE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [_WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
"""Nobody greets so of his own accord: who answers by it is held to it."""


@dataclass(frozen=True)
class Abilities:
    """How an endpoint wants to be asked.

    `form` is "schema" where it holds the model to a JSON schema, and "text" where the model is only told it.
    `words` are those for the longest answer, "old" (max_tokens, temperature) or "new" (max_completion_tokens).
    `quiet` is how thinking is switched off: by the chat "template", by "effort", or not at all. `odds`: whether it
    tells how likely its words are.
    """

    form: Literal["schema", "text"] = "schema"
    words: Literal["old", "new"] = "old"
    quiet: Literal["template", "effort", ""] = "template"
    odds: bool = True

    def body(
        self, model: str, messages: list[dict[str, Any]], tokens: int, schema: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The request for an answer of so many tokens at most, held to a schema where there is one to hold to."""
        body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
        body |= (
            {"max_tokens": tokens, "temperature": 0} if self.words == "old" else {"max_completion_tokens": tokens}
        )
        if self.quiet == "template":
            body["chat_template_kwargs"] = {"enable_thinking": False, "thinking": False}
        elif self.quiet == "effort":
            body["reasoning_effort"] = "low"
        if schema is not None and self.form == "schema":
            held = {"name": "answer", "strict": True, "schema": dict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": held}
        return body


LADDER = (
    Abilities(),
    Abilities(quiet=""),
    Abilities(words="new", quiet="effort", odds=False),
    Abilities(words="new", quiet="", odds=False),
    Abilities("text", quiet="", odds=False),
    Abilities("text", "new", "", odds=False),
)
"""What is tried in turn, each where the endpoint refuses the one before."""

Ask = Callable[[dict[str, Any]], tuple[str, bool]]
"""Sends a request and gives the text of the answer, and whether it told how likely its words are."""


def probe(model: str, ask: Ask) -> Abilities:
    """What an endpoint can do, by small requests without pictures; EndpointError where it takes none of them."""
    messages = [{"role": "user", "content": PROBE}]
    for tried in LADDER:
        body = tried.body(model, messages, PROBE_TOKENS, PROBE_SCHEMA)
        if tried.odds:
            body |= {"logprobs": True, "top_logprobs": 5}
        try:
            said, odds = ask(body)
        except EndpointError as error:
            if not error.refused or tried is LADDER[-1]:
                raise
            continue
        return replace(tried, form="schema" if tried.form == "schema" and _is_held(said) else "text", odds=odds)
    raise AssertionError("the last of the ladder is taken or raises")


def recall(url: str, model: str) -> Abilities | None:
    """What was found out about an endpoint and model before; None for nothing."""
    try:
        return Abilities(**_kept()[_mark(url, model)])
    except (KeyError, TypeError, ValueError, OSError):
        return None


def keep(url: str, model: str, found: Abilities) -> None:
    """Keep what was found out, where the cache can be written."""
    try:
        rows = _kept() | {_mark(url, model): asdict(found)}
        cache_root().mkdir(parents=True, exist_ok=True)
        write_atomically(cache_root() / FILE, json.dumps(rows, indent=1).encode())
    except OSError:
        return  # it is found out again the next time


def _kept() -> dict[str, Any]:
    try:
        rows = json.loads((cache_root() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return rows if isinstance(rows, dict) else {}


def _mark(url: str, model: str) -> str:
    return hashlib.sha256(f"{url}#{model}".encode()).hexdigest()[:32]


def _is_held(said: str) -> bool:
    try:
        return bool(json.loads(said) == {"word": _WORD})
    except (ValueError, RecursionError):
        return False
