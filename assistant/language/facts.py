"""From a plan to an answer: code alone words the facts, so that none of them can be wrong because a model erred.

`render` is the whole way. Each key of a plan is worded by one function of `picture_facts`, `region_facts`,
`several_facts` or `how_to`; yes and no come from `yes_no`; what cannot be told from `cannot`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.inspection import Answer, Inspection, Region
from assistant.language.cannot import tell_cannot
from assistant.language.catalogue import ENGLISH, Wording
from assistant.language.forms import Form, as_json, as_one_word, as_plain, as_table
from assistant.language.how_to import HOW_TO, how_limit_at
from assistant.language.picture_facts import (
    tell_advice,
    tell_bundle,
    tell_drift,
    tell_duration,
    tell_error,
    tell_file,
    tell_identity,
    tell_limits,
    tell_notices,
    tell_origin,
    tell_picture_size,
    tell_rank,
    tell_rarity,
    tell_references,
    tell_score,
    tell_stale,
    tell_verdict,
)
from assistant.language.plan import Fact, Plan
from assistant.language.region_facts import (
    tell_boxes,
    tell_comparison,
    tell_count,
    tell_places,
    tell_reference,
    tell_severities,
    tell_sizes,
    tell_total,
    tell_types,
)
from assistant.language.several_facts import (
    Numbered,
    name_picture,
    tell_common,
    tell_extreme,
    tell_list,
    tell_pair,
    tell_same_place,
    tell_tally,
)
from assistant.language.wording import Sentences, cited_regions
from assistant.language.yes_no import open_with, run_test

SHOWN_WORDS = 35
"""Words that are shown at once, where nobody asks for more; the first sentence has at most 20 of them."""

OfPicture = Callable[[Wording, Inspection], Sentences]
OfRegions = Callable[[Wording, Inspection, Sequence[Region]], Sentences]
OfSeveral = Callable[[Wording, Numbered], Sentences]

OF_PICTURE: dict[str, OfPicture] = {
    "verdict": tell_verdict,
    "score": tell_score,
    "limits": tell_limits,
    "rarity": tell_rarity,
    "origin": tell_origin,
    "references": tell_references,
    "notices": tell_notices,
    "advice": tell_advice,
    "file": tell_file,
    "identity": tell_identity,
    "drift": tell_drift,
    "duration": tell_duration,
    "picture_size": tell_picture_size,
    "bundle": tell_bundle,
    "rank": tell_rank,
}
BY_LIMIT = (
    "verdict",
    "advice",
    "score",
    "limits",
    "rarity",
    "origin",
    "summary",
    "how_many_parts",
    "tally",
    "list",
    "worst",
    "best",
    "comparison",
    "drift",
)
"""Facts that rest on the limit: where the product has drifted, it is told beside them that it no longer holds."""

OF_REGIONS: dict[str, OfRegions] = {
    "place": tell_places,
    "box": tell_boxes,
    "size": tell_sizes,
    "total_area": tell_total,
    "severity": tell_severities,
    "type": tell_types,
    "count": tell_count,
    "comparison": tell_comparison,
    "reference": tell_reference,
}
OF_SEVERAL: dict[str, OfSeveral] = {
    "tally": tell_tally,
    "list": tell_list,
    "worst": lambda w, rows: tell_extreme(w, rows, "worst"),
    "best": lambda w, rows: tell_extreme(w, rows, "best"),
    "common": tell_common,
    "same_place": tell_same_place,
    "comparison": tell_pair,
    "verdict": tell_tally,
    "summary": tell_tally,
}


def render(plan: Plan, records: Sequence[Inspection], language: str = ENGLISH, form: Form = "short") -> Answer:
    """The answer of a plan about one or several records: what is asked first, the rest in `more`.

    `form` is how it is told: "short", "sentence" (alone), "long" (nothing folded), "word", "plain" (for somebody
    who knows none of this), "bullets", "table" or "json". `seen` and `disagrees` are handed on as they are.
    """
    w, rows = Wording(language), list(enumerate(records, 1))
    asked, rest = _word(w, plan, rows)
    if form == "json":
        text, more = as_json(w, plan, rows), ""
    elif form == "table":
        text, more = as_table(w, plan, rows), ""
    elif form == "word":
        text, more = as_one_word(w, plan, rows) or asked[0], ""
    elif form == "plain":
        text, more = w.put_together(as_plain(w, rows)), ""
    else:
        text, more = _fold(w, asked, rest, form)
    cited = cited_regions(f"{text} {more}", records)
    return Answer(text, cited, more=more, seen=plan.seen, disagrees=plan.disagrees, language=language)


def describe(record: Inspection, language: str = ENGLISH) -> Answer:
    """One paragraph on a record: verdict, regions, rarity, references, notices and what to do."""
    return render(Plan((Fact("summary"),)), [record], language, "long")


def _word(w: Wording, plan: Plan, rows: Numbered) -> tuple[Sentences, Sentences]:
    """The sentences that answer what was asked, and those that only add to them."""
    asked: Sentences = []
    rest: Sentences = []
    if len(rows) == 1 and rows[0][1].status == "error":
        if how := [said for fact in plan.facts[:1] for said in _how(w, fact, rows[0][1])]:
            return how[:1], how[1:]
        first, *others = tell_error(w, rows[0][1])
        return [first], others
    if plan.test:
        first, *others = open_with(w, run_test(w, plan.test, rows))
        asked, rest = [first], others
    for reason in plan.cannot:
        asked.append(tell_cannot(w, reason))
    for fact in plan.facts:
        if said := _word_fact(w, fact, rows):
            asked.append(said[0])
            rest += said[1:]
    if not asked:
        asked = [tell_cannot(w, "unknown")]
    if plan.test or any(fact.key in BY_LIMIT for fact in plan.facts):
        stale = next((told for _, i in rows if (told := tell_stale(w, i))), [])
        asked, rest = [*asked[:1], *stale[:1], *asked[1:]], [*stale[1:], *rest]
    asked = list(dict.fromkeys(asked))
    return asked, [said for said in dict.fromkeys(rest) if said not in asked]


def _word_fact(w: Wording, fact: Fact, rows: Numbered) -> Sentences:
    if said := _how(w, fact, rows[0][1]):
        return said
    chosen = _pictures_of(fact, rows)
    if len(rows) > 1 and fact.key in OF_SEVERAL and (len(chosen) > 1 or fact.key not in ("verdict", "summary")):
        return OF_SEVERAL[fact.key](w, chosen)
    if len(rows) == 1:
        return _word_one(w, fact, rows[0][1])
    if len(chosen) > 3:  # too many to tell one by one
        return tell_tally(w, chosen) if fact.key != "place" else tell_common(w, chosen)
    return [_cite(w, n, i, said) for n, i in chosen for said in _word_one(w, fact, i)[:2]]


def _word_one(w: Wording, fact: Fact, i: Inspection) -> Sentences:
    if i.status == "error":
        return tell_error(w, i)
    if fact.key == "summary":
        return _summarise(w, i)
    if fact.key in OF_REGIONS:
        return OF_REGIONS[fact.key](w, i, _regions_of(fact, i))
    if fact.key in OF_PICTURE:
        return OF_PICTURE[fact.key](w, i)
    return tell_verdict(w, i)  # a key of several pictures, asked of one


def _summarise(w: Wording, i: Inspection) -> Sentences:
    said = [
        tell_verdict(w, i),
        tell_advice(w, i),
        tell_count(w, i),
        tell_places(w, i, i.regions) if i.regions else [],
    ]
    said += [tell_types(w, i, i.regions)[:1]] if any(r.has_type for r in i.regions) else []
    said += [tell_rarity(w, i)[:2], tell_references(w, i), tell_notices(w, i) if i.notices else []]
    return [sentence for sentences in said for sentence in sentences]


def _how(w: Wording, fact: Fact, i: Inspection) -> Sentences:
    if fact.key == "how_limit_at" and fact.value is not None:
        return how_limit_at(w, i, fact.value)
    return HOW_TO[fact.key](w, i) if fact.key in HOW_TO else []


def _regions_of(fact: Fact, i: Inspection) -> list[Region]:
    """The regions that a fact names, all of them where it names none."""
    named = {id.rpartition(".")[2] for id in fact.ids}
    chosen = [r for r in i.regions if r.id in named]
    return chosen or list(i.regions)


def _pictures_of(fact: Fact, rows: Numbered) -> list[tuple[int, Inspection]]:
    """The pictures that a fact names, all of them where it names none."""
    named = {id.partition(".")[0] for id in fact.ids}
    return [(n, i) for n, i in rows if f"P{n}" in named] or list(rows)


def _cite(w: Wording, n: int, i: Inspection, said: str) -> str:
    """A sentence about one of several pictures, which it names."""
    return w("{name}: {said}", name=name_picture(w, n, i)[:1].upper() + name_picture(w, n, i)[1:], said=said)


def _fold(w: Wording, asked: Sentences, rest: Sentences, form: Form) -> tuple[str, str]:
    if form == "bullets":
        return "\n".join(f"- {said}" for said in asked), w.put_together(rest)
    if form == "long":
        return w.put_together([*asked, *rest]), ""
    if form == "sentence":
        return asked[0], ""
    shown = asked[:1]
    while len(shown) < len(asked) and count_words(w.put_together(asked[: len(shown) + 1])) <= SHOWN_WORDS:
        shown = asked[: len(shown) + 1]
    return w.put_together(shown), w.put_together([*asked[len(shown) :], *rest])


def count_words(text: str) -> int:
    """Words of a text; two letters of a script without spaces count as one."""
    wide = sum(ord(letter) > 0x2E7F for letter in text)
    return len(text.split()) + wide // 2
