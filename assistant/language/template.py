"""The explainer that needs no model: sentences filled in from one Inspection, and from nothing else.

What no record holds, such as the cause of a defect or its size in millimetres, it says that it cannot tell. The
verdict is repeated as it stands, whatever a question claims. It is the fallback of every other explainer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.inspection import WHOLE_DIFFERS, Answer, Inspection
from assistant.language.intents import PER_REGION
from assistant.language.picture_statements import (
    advise,
    numbers,
    read_notices,
    report_error,
    state_comparison,
    state_drift,
    state_origin,
    state_promise,
    state_rarity,
    state_record,
    state_verdict,
)
from assistant.language.question_clauses import is_foreign, split_clauses
from assistant.language.question_reading import Ask, History, read_clause
from assistant.language.region_statements import (
    count_regions,
    describe_each,
    grade,
    locate,
    measure,
    name_type,
    say_none,
    search_position,
    sketch_regions,
)
from assistant.language.unanswerable_questions import NO_PICTURE
from assistant.language.wording import Sentences, cited_regions, list_names, number, quote

TURNS = 20  # turns of the conversation that are read
CLAUSES = 8  # parts of a question that are read
ANSWERED = 3  # of which this many are answered
CHATTER = {"unknown", "greeting", "thanks"}  # answered only where nothing else was asked

ABOUT = (
    "You can ask about the verdict, where, how many, how large, how severe, which type, how sure, why, "
    "compared with what, the score and threshold, and what to do."
)


def explain(inspection: Inspection) -> Answer:
    """One paragraph on the inspection: verdict, numbers, regions, comparison, notices and what to do."""
    if inspection.status == "error":
        return _cite(inspection, report_error(inspection))
    return _cite(inspection, _summarize(inspection, Ask("summary")))


def answer(inspection: Inspection, question: str, history: History = ()) -> Answer:
    """The answer to a question in plain words, from the inspection alone; never empty.

    `history` holds (question, answer text) pairs, oldest first; "it" and "the second one" refer to the
    regions cited there. Each part of a question is answered, up to three.
    """
    if inspection.status == "error":
        return _cite(inspection, report_error(inspection))
    if is_foreign(question):
        return _cite(inspection, ["I understand English only.", *state_verdict(inspection), ABOUT])
    turns, replies = list(history)[-TURNS:], {}
    for clause in split_clauses(question)[:CLAUSES]:
        ask = read_clause(clause, turns, inspection.regions)
        # without the premise, "you are wrong, this is fine" is one question and gets one answer
        replies[replace(ask, premise="")] = said = _reply(inspection, ask)
        turns.append((clause, " ".join(said)))
    intents = {ask.intent for ask in replies}
    if "command" in intents:
        replies = {ask: said for ask, said in replies.items() if ask.intent == "command"}
    elif intents - CHATTER:
        replies = {ask: said for ask, said in replies.items() if ask.intent not in CHATTER}
    return _cite(inspection, [sentence for said in list(replies.values())[:ANSWERED] for sentence in said])


def _cite(inspection: Inspection, sentences: Sequence[str]) -> Answer:
    text = " ".join(dict.fromkeys(sentences))
    return Answer(text, cited_regions(text, [inspection]))


def _reply(i: Inspection, ask: Ask) -> Sentences:
    if ask.missing:
        return ["This inspection has no such region.", *count_regions(i)]
    said = _REPLIES[ask.intent](i, ask)
    if not ask.kind or ask.intent not in PER_REGION | {"count", "position", "unknown"}:
        return said
    if i.verdict == "good":
        return [f'There is no "{ask.kind}" to point to: the verdict is good.', *said]
    if i.regions and not any(region.has_type for region in i.regions):
        return [*said, f'Whether "{ask.kind}" is the right word for it I cannot tell.']
    return said


# One reply for each intent


def _summarize(i: Inspection, _: Ask) -> Sentences:
    said = [*state_verdict(i), *state_rarity(i), *sketch_regions(i)]
    said += [line for r in i.regions[:1] if (line := name_type(r))]
    said += state_comparison(i)
    if i.looks_like and not i.product:
        said.append(f"The picture as a whole looks most like {quote(i.looks_like[0])}.")
    return [*said, *read_notices(i), *advise(i)]


def _judge(i: Inspection, ask: Ask) -> Sentences:
    openings = {
        "good": {"good": "Yes, the", "defect": "No, the"},
        "bad": {"good": "No, the", "defect": "Yes, the"},
    }
    opening = openings.get(ask.premise, {}).get(i.verdict or "", "The")
    return [*state_verdict(i, opening), *sketch_regions(i)]


def _state_score(i: Inspection, ask: Ask) -> Sentences:
    review = f"The review limit is {number(numbers(i)[3])}."
    peaks = [grade(r) for r in i.regions if r.id in ask.focus]
    return [*peaks, *state_verdict(i), *([review] if i.verdict == "defect" else []), *state_origin(i)]


def _weigh(i: Inspection, _: Ask) -> Sentences:
    said = [*state_rarity(i), *state_verdict(i), *state_origin(i)]
    if i.verdict == "unrated":
        return said
    said.append("The p-value tells how unusual the score is; it is not the chance of a wrong verdict.")
    if i.verdict == "good":
        said.append("That nothing more was found is no proof that nothing is there.")
    return said


def _give_reasons(i: Inspection, _: Ask) -> Sentences:
    whole = read_notices(replace(i, notices=tuple(n for n in i.notices if n == WHOLE_DIFFERS)))
    return [*state_verdict(i), *sketch_regions(i), *whole, *state_comparison(i), *state_rarity(i)]


def _name_types(i: Inspection, ask: Ask) -> Sentences:
    if not i.regions:
        return say_none(i)
    if any(r.has_type for r in i.regions):
        return [*describe_each(name_type, locate)(i, ask), "That is a likeness and no proof."]
    if any(r.defect_types for r in i.regions):
        return describe_each(name_type, locate)(i, ask)
    unknown = "This bundle cannot tell types apart; what it can say is where and how strongly."
    return [unknown, *describe_each(locate, grade)(i, ask)]


def _identify(i: Inspection, _: Ask) -> Sentences:
    said = [f"It was inspected as the product {quote(i.product)}."] if i.product else []
    if i.looks_like:
        names = list_names([quote(name) for name in i.looks_like])
        said.append(f"The picture as a whole looks most like {names}.")
        said.append("That is a guess at the object and no part of the verdict.")
    return [*(said or ["The record does not say what the picture shows."]), *state_verdict(i)]


_REPLIES: dict[str, Callable[[Inspection, Ask], Sentences]] = {
    "verdict": _judge,
    "summary": _summarize,
    "score": _state_score,
    "promise": lambda i, _: [*state_promise(i), *state_drift(i)],
    "certainty": _weigh,
    "why": _give_reasons,
    "compared": lambda i, _: [*state_comparison(i), *state_origin(i)],
    "action": lambda i, _: [*advise(i), *state_verdict(i)],
    "where": describe_each(locate),
    "size": describe_each(measure),
    "severity": describe_each(grade),
    "region": describe_each(locate, measure, grade, name_type),
    "type": _name_types,
    "count": lambda i, _: [*count_regions(i), *(state_verdict(i) if i.verdict == "unrated" else [])],
    "position": search_position,
    "identity": _identify,
    "record": lambda i, ask: [*state_record(i), *(state_verdict(i) if ask.premise else [])],
    "notices": lambda i, _: read_notices(i) or ["The record holds no notices."],
    "millimetres": lambda i, ask: [
        "The record knows pixels only: it has no scale to millimetres and no depth.",
        *describe_each(measure)(i, ask),
    ],
    "cause": lambda i, _: [
        "The cause I cannot know from a picture alone; the record only holds what was found, and where.",
        *sketch_regions(i),
        *state_verdict(i),
    ],
    "beyond": lambda i, _: [
        NO_PICTURE,
        *sketch_regions(i),
        *state_verdict(i),
    ],
    "command": lambda i, _: ["Words cannot change what the detector decided.", *state_verdict(i)],
    "help": lambda i, _: [ABOUT, *state_verdict(i)],
    "greeting": lambda i, _: ["Hello.", *state_verdict(i), ABOUT],
    "thanks": lambda i, _: ["You are welcome.", *state_verdict(i)],
    "unknown": lambda i, _: [
        "That I cannot tell from this inspection.",
        *state_verdict(i),
        *sketch_regions(i),
        ABOUT,
    ],
}
