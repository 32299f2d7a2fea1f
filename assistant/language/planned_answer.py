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
from assistant.language.rules import plan_answer, read_form
from assistant.language.template import answer

RULES = "template"
"""Who is said to have planned an answer that the rules planned."""

NO_PLAN = "{name} gave no plan that can be read, so rules chose the facts."
NOT_TRAINED = "template, as {name} is not trained to plan"


def by_rules(prompt: Prompt, explainer: Explainer | None = None, failure: str = "") -> Answer:
    """The answer that the rules plan; `explainer` cannot plan, `failure`: why another gave no answer."""
    said = answer(prompt.inspections, prompt.question, prompt.history, prompt.language)
    if explainer is not None:
        said = replace(said, source=NOT_TRAINED.format(name=explainer.name))
    if failure:
        w = Wording(said.language)
        said = replace(said, notices=(f"{failure.rstrip('.')}.", w("This answer comes from the record alone.")))
    return said


def read_answer(text: str, prompt: Prompt, name: str, whole: bool = True) -> Answer | None:
    """The answer in what `name` wrote; None where nothing can be read of it, or not yet where it is not `whole`.

    Its facts are worded by code. What it sees is shown without what only the record may say; notices tell what was
    left out.
    """
    w, records = Wording(prompt.words), prompt.inspections
    read = read_said(text, records, ended=whole)
    if not whole:
        return _word(replace(read.plan, seen=(), disagrees=""), prompt, name) if read.settled else None
    if not text.strip():
        return None
    notices = (w(NO_PLAN, name=name),) if read.form == "text" else ()
    look = own_look(read.plan.seen, read.plan.disagrees, w)
    said = _word(replace(read.plan, seen=look.seen, disagrees=look.disagrees), prompt, name)
    return replace(said, notices=(*notices, *look.notices))


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
