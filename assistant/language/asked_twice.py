"""A question with yes or no, put to a model twice: once plainly, and once with the other answer put in its mouth.

A model that gives in to the second has not looked, and what it sees is worth little; the difference is said. It
needs an explainer that tells how likely its words are, by a method `odds_of_yes`.
"""

from __future__ import annotations

from assistant.inspection import Answer
from assistant.language.catalogue import Wording
from assistant.language.explainer import Explainer, Prompt
from assistant.language.rules import asks_yes_no
from assistant.prompts.instruct import LEADING, NEUTRAL

DIFFERS = (
    "Asked twice, once plainly and once with an answer put in its mouth, {name} did not answer alike: "
    "do not rely on what it sees."
)


def ask_twice(explainer: Explainer, prompt: Prompt, said: Answer) -> tuple[str, ...]:
    """The notice that a model answers a leading question differently; none where it does not, or was not asked.

    It is asked where the question is one with yes or no and the answer shows something that the model sees.
    """
    odds = getattr(explainer, "odds_of_yes", None)
    if odds is None or not (said.seen or said.disagrees) or not asks_yes_no(prompt.question, prompt.words):
        return ()
    plain = odds(prompt, NEUTRAL.format(question=prompt.question))
    if plain is None:
        return ()
    other = "No" if plain >= 0.5 else "Yes"
    led = odds(prompt, LEADING.format(question=prompt.question, side=other))
    if led is None or (led >= 0.5) == (plain >= 0.5):
        return ()
    w = Wording(prompt.words)
    return (w(DIFFERS, name=explainer.name),)
