"""From what a model wrote, or from the rules, to an answer: the plan is read, checked, and worded by code.

A text that is no plan is taken for what its writer sees, and the rules plan the checked part.
"""

from __future__ import annotations

from dataclasses import replace

from assistant.inspection import Answer
from assistant.language.catalogue import Wording
from assistant.language.denylist import own_look
from assistant.language.explainer import Explainer, Prompt
from assistant.language.facts import render
from assistant.language.plan import Plan
from assistant.language.plan_text import read_said
from assistant.language.rules import is_understood, plan_answer, read_form
from assistant.language.template import answer

RULES = "template"
"""Who is said to have planned an answer that the rules planned."""

NO_PLAN = "{name} gave no plan that can be read, so rules chose the facts."
PLAIN = "in plain text"
NOT_TRAINED = "template, as {name} is not trained to plan"


def by_rules(prompt: Prompt, explainer: Explainer | None = None, failure: str = "") -> Answer:
    """The answer that the rules plan; `explainer` cannot plan, `failure`: why another gave no answer."""
    said = answer(prompt.inspections, prompt.question, prompt.history, prompt.language)
    if explainer is not None:
        said = replace(said, source=NOT_TRAINED.format(name=explainer.name))
    if failure:
        w = Wording(said.language)
        said = replace(said, notices=(_ended(failure), w("This answer comes from the record alone.")))
    return said


def rules_know(prompt: Prompt) -> bool:
    """Whether the rules know what was asked."""
    return is_understood(plan_answer(prompt.inspections, prompt.question, prompt.history))


def read_answer(text: str, prompt: Prompt, explainer: Explainer, *, ended: bool = True) -> Answer | None:
    """The answer in what an explainer wrote; None where nothing can be read of it, or not yet while it writes.

    Its facts are worded by code, once the plan of them is whole. What it sees is shown without what only the
    record may say; notices tell what was left out.
    """
    w = Wording(prompt.words)
    read = read_said(text, prompt.inspections, ended=ended)
    plan, is_plan = read.plan, read.form == "plan"
    if is_plan and not ended and not read.settled:
        return None
    look = own_look(plan.seen, plan.disagrees, w)
    if not _tells(plan) and not look.seen and not look.disagrees and not look.notices:
        return None
    how = getattr(explainer, "how", "") if is_plan else w(PLAIN)
    said = _word(replace(plan, seen=look.seen, disagrees=look.disagrees), prompt, say_source(explainer.name, how))
    notices = () if is_plan else (w(NO_PLAN, name=explainer.name),)
    return replace(said, notices=(*notices, *look.notices))


def _ended(sentence: str) -> str:
    return sentence if sentence[-1] in ".。" else f"{sentence}."


def say_source(name: str, how: str) -> str:
    """Who planned an answer, and how he is held to a plan."""
    return f"{name}, {how}" if how else name


def _word(plan: Plan, prompt: Prompt, name: str) -> Answer:
    """A plan in words; where it tells nothing of the record, with the facts that the rules choose."""
    if not _tells(plan):
        ruled = plan_answer(prompt.inspections, prompt.question, prompt.history)
        plan = replace(ruled, seen=plan.seen, disagrees=plan.disagrees)
        name = f"{RULES} and {name}" if plan.seen or plan.disagrees else RULES
    said = render(plan, prompt.inspections, prompt.words, read_form(prompt.question))
    return replace(said, source=name)


def _tells(plan: Plan) -> bool:
    return bool(plan.facts or plan.test or plan.cannot)
