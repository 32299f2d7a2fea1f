"""A language model behind an OpenAI-compatible endpoint: vLLM, the llama.cpp server, Ollama, or a hosted one.

It is asked for a plan by chat completions with pictures as data URLs and an answer streamed as server-sent events:
held to the schema of a plan where the endpoint can, told it otherwise. What the endpoint can is found out once.
"""

from __future__ import annotations

import base64
import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from assistant.errors import ExplainerError
from assistant.language.abilities import Abilities, keep, probe, recall
from assistant.language.captioned_pictures import View, show
from assistant.language.endpoint import KEY_VARIABLE, Endpoint, EndpointError, Patience, Wait
from assistant.language.explainer import Prompt
from assistant.language.plan_text import without_thinking
from assistant.language.replies import ASKED, HELD, reply_rules, reply_schema
from assistant.prompts.instruct import LOOK_RULES, Message, ask_fenced, lay_out

ANSWER = 768
"""Tokens that an answer may take."""

QUALITY = 90  # of the JPEG pictures
LETTERS = 3  # of English text to a token, on the safe side
YES, NO = ("yes", "ja", "sí", "si", "是"), ("no", "nein", "否", "不")


class OpenAIExplainer:
    """A model of an OpenAI-compatible endpoint. Safe to share between threads.

    `url` is the base, as in "http://localhost:8000/v1"; plain http only to this machine. `key_variable` names the
    environment variable with the key; where it is not set, none is sent. `context` is how many tokens the model
    reads, which the protocol does not tell. ExplainerError for a URL or a key that cannot be used.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_variable: str = KEY_VARIABLE,
        context: int = 16384,
        patience: Patience | None = None,
        answer_tokens: int = ANSWER,
    ) -> None:
        if not model.strip():
            raise ExplainerError("Say which model of the endpoint to use, as in http://localhost:8000/v1#model.")
        self._endpoint = Endpoint(url, model, key_variable, patience or Patience())
        self._model, self._context, self._answer = model, context, answer_tokens
        self._found: Abilities | None = None

    def __repr__(self) -> str:
        return f"OpenAIExplainer({self._endpoint.host!r}, {self._model!r})"

    @property
    def name(self) -> str:
        """Who plans an answer: the model and the host."""
        return self._endpoint.name

    @property
    def how(self) -> str:
        """How it is held to a plan, once that was found out; "" before."""
        return {"schema": HELD, "text": ASKED}[self._found.form] if self._found else ""

    @property
    def gives_up(self) -> float:
        """Seconds without a word after which it is left."""
        return self._endpoint.patience.first + 1

    @property
    def context(self) -> int:
        """How many tokens fit, pictures, question and answer together."""
        return self._context

    def count(self, text: str) -> int:
        """How many tokens a text takes at most; the endpoint's own count is not known."""
        return -(-len(text.encode()) // LETTERS)

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of the plan as they come, "" for a sign of life; closing the iterator closes the connection.

        ExplainerError, one sentence without the key, where the endpoint cannot be reached, refuses, is too slow,
        breaks off or does not speak the protocol.
        """
        wait = Wait(self._endpoint.patience)
        found = self._find(wait)
        views = show(prompt.subjects)
        try:
            yield from without_thinking(self._say(prompt, views, found, wait))
        except EndpointError as error:
            if found.form != "schema" or not error.refused:
                raise
            told = replace(found, form="text")  # this schema is not taken, though a small one was
            yield from without_thinking(self._say(prompt, views, told, wait))
            self._settle(told)

    def odds_of_yes(self, prompt: Prompt, question: str) -> float | None:
        """How likely it answers a question about the pictures with yes, in [0, 1]; None where it cannot tell."""
        wait = Wait(self._endpoint.patience)
        found = self._find(wait)
        if not found.odds:
            return None
        views = show(prompt.subjects)
        layout = lay_out(prompt.evidence, [caption for caption, _ in views], question, rules=LOOK_RULES)
        body = found.body(self._model, [_turn_of(message, views) for message in layout], 1)
        first: Mapping[str, Any] = next(
            (p.odds[0] for p in self._one_word(body | {"logprobs": True, "top_logprobs": 10}, wait) if p.odds), {}
        )
        likely: defaultdict[str, float] = defaultdict(float)
        for row in first.get("top_logprobs") or ():
            if isinstance(row.get("logprob"), int | float):
                likely[str(row.get("token", "")).strip().casefold()] += math.exp(row["logprob"])
        yes, no = (sum(likely[word] for word in words) for words in (YES, NO))
        return yes / (yes + no) if yes + no > 0 else None

    def _one_word(self, body: dict[str, Any], wait: Wait) -> Iterator[Any]:
        try:
            yield from self._endpoint.ask(body, wait)
        except EndpointError:
            return  # one token is cut short by its nature, and no second look is no failure

    def _say(self, prompt: Prompt, views: list[View], found: Abilities, wait: Wait) -> Iterator[str]:
        schema = reply_schema(prompt)
        question = prompt.question
        if found.form == "text" and not prompt.options:
            question = ask_fenced(question, schema)
        layout = lay_out(
            prompt.evidence, [caption for caption, _ in views], question, prompt.history, reply_rules(prompt)
        )
        messages = [_turn_of(message, views) for message in layout]
        for piece in self._endpoint.ask(found.body(self._model, messages, self._answer, schema), wait):
            yield "" if piece.thought else piece.text

    def _find(self, wait: Wait) -> Abilities:
        """What the endpoint can, found out the first time."""
        if self._found is None:
            self._found = recall(self._endpoint.url, self._model)
        if self._found is None:
            self._settle(probe(self._model, lambda body: self._hear(body, wait)))
        return self._found or Abilities()

    def _settle(self, found: Abilities) -> None:
        self._found = found
        keep(self._endpoint.url, self._model, found)

    def _hear(self, body: dict[str, Any], wait: Wait) -> tuple[str, bool]:
        """All of a short answer, and whether it told how likely its words are; one that is cut short will do."""
        text, odds = "", False
        try:
            for piece in self._endpoint.ask(body, wait):
                text += "" if piece.thought else piece.text
                odds = odds or bool(piece.odds)
        except EndpointError as error:
            if error.ended != "length":
                raise
        return "".join(without_thinking(iter([text]))).strip(), odds


def _turn_of(message: Message, views: list[View]) -> dict[str, Any]:
    if not any(isinstance(part, int) for part in message.parts):
        return {"role": message.role, "content": "\n".join(map(str, message.parts))}
    parts = [
        {"type": "image_url", "image_url": {"url": _data_url(views[part][1])}}
        if isinstance(part, int)
        else {"type": "text", "text": part}
        for part in message.parts
    ]
    return {"role": message.role, "content": parts}


def _data_url(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
