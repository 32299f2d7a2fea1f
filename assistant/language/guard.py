"""Every answer is compared with the evidence before it is shown: what contradicts it is replaced, and said so.

The guard reads the words of a language model and the record, and nothing leads from the words back into the
record. What it lets through is borne out by the record or leaves the matter open; it knows English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from assistant.inspection import Answer, Inspection
from assistant.language.clauses import split_clauses
from assistant.language.explainer import Prompt
from assistant.language.judging import judge
from assistant.language.lexicon import find_unread
from assistant.language.paraphrases import rephrase
from assistant.language.pictures import bind_pictures, drop_shares, judge_tally, leads
from assistant.language.reading import read_clause
from assistant.language.repairs import repair
from assistant.language.sentences import clean, list_words, mask, spell, split_sentences
from assistant.language.several import answer_several, cite_picture
from assistant.language.unheld import read_beyond
from assistant.language.unusable import find_fault

REPLACED = "A sentence that contradicted the evidence was replaced."
NOTHING_LEFT = "The language model contradicted the evidence, so this answer comes from the record alone."
_PRONOUN = re.compile(r"\s*(?:it|this one|this region|that region|that one|the region)\b(?= )", re.IGNORECASE)
UNUSABLE = "The language model's answer {}, so this answer comes from the record alone."


@dataclass(frozen=True)
class Contradiction:
    """One claim of a sentence that the record does not bear out.

    `topic` is "verdict", "number", "size", "place", "count", "region", "type", "severity", "superlative",
    "comparison", "certainty", one that no record holds ("cause", "material", "millimetres", "price",
    "future"), or "words" where a word is one that no rule can judge.
    `regions` are the ids it was said of, `picture` the index of the inspection from 0.
    """

    topic: str
    regions: tuple[str, ...] = ()
    picture: int = 0


def check(sentence: str, inspections: Sequence[Inspection], question: str = "") -> tuple[Contradiction, ...]:
    """What in a sentence contradicts the inspections; empty where it may be shown.

    With several inspections, what follows "picture 2" is held against the second; a sentence that names no
    picture has to be borne out by at least one. `question` gives a bare "Yes" or "No" its meaning.
    """
    words = spell(mask(clean(sentence), inspections))
    if not re.search(r"\w", words):
        return ()
    typed = any(r.has_type for i in inspections for r in i.regions)
    unread = find_unread(words, list_words(inspections), typed)
    words = rephrase(words)
    words = _spell_out(words, question, inspections) if len(inspections) == 1 else words
    found: list[Contradiction] = []
    for members, said in bind_pictures(words, inspections):
        if any(not 0 <= n < len(inspections) for n in members):
            return (Contradiction("picture"),)
        chosen = [inspections[n] for n in members] or inspections
        tallied = judge_tally(said, chosen) if len(chosen) > 1 else ""
        if tallied:
            found += [Contradiction("tally")] if tallied == "wrong" else []
            found += [Contradiction(topic) for topic, _ in read_beyond(said)]
        elif members:
            found += [Contradiction(*one, n) for n in members for one in judge(said, inspections[n])]
            if len(inspections) > 1 and len(members) == 1 and not leads(said, members[0], inspections):
                found.append(Contradiction("tally"))
        else:
            said = drop_shares(said, len(inspections))
            each = [[Contradiction(*one, n) for one in judge(said, i)] for n, i in enumerate(inspections)]
            found += sorted(each, key=len)[0]
    return tuple(dict.fromkeys(found)) or ((Contradiction("words"),) if unread else ())


@dataclass
class Draft:
    """An answer that grows sentence by sentence, each checked before it is added."""

    prompt: Prompt
    sentences: list[str] = field(default_factory=list)
    kept: int = 0
    replaced: bool = False

    def add(self, sentence: str) -> None:
        """Check a sentence and add it, or what the record says instead; nothing is said twice."""
        wrong = self._check(sentence)
        if wrong:
            self.replaced = True
            said = [line for one in wrong[:2] for line in _repair(one, self.prompt.inspections)]
        else:
            self.kept += bool(re.search(r"\w{2}", sentence))
            said = [sentence]
        self.sentences += [line for line in said if line not in self.sentences]

    def _check(self, sentence: str) -> tuple[Contradiction, ...]:
        """What is wrong with a sentence, read after the one before it, which tells what "yes" and "it" mean."""
        last = self.sentences[-1] if self.sentences else self.prompt.question
        asked = last if last.rstrip().endswith("?") or not self.sentences else ""
        wrong = check(sentence, self.prompt.inspections, asked)
        cited = set(re.findall(r"\[?\bR\d+\b\]?", last)) if self.sentences else set()
        opening = _PRONOUN.match(sentence)
        if wrong or len(cited) != 1 or not opening or len(self.prompt.inspections) > 1:
            return wrong
        named = check(f"{cited.pop()} {sentence[opening.end() :]}", self.prompt.inspections)
        return tuple(one for one in named if one.topic in ("place", "severity", "type", "superlative"))

    def answer(self, source: str) -> Answer:
        """What has been said so far."""
        text = " ".join(self.sentences)
        return Answer(text, _cited(text, self.prompt.inspections), source, (REPLACED,) if self.replaced else ())


def guard(text: str, prompt: Prompt, source: str = "model") -> Answer:
    """The answer that may be shown for what a language model wrote.

    A contradicted sentence gives way to what the template says on its topic, with a notice. An empty, looping,
    refusing, unreadable or over-long text, and one of which no sentence is left, give way to the template's
    answer as a whole, with source "template" and a notice.
    """
    text = clean(text)
    if fault := find_fault(mask(text, prompt.inspections)):
        return fall_back(prompt, UNUSABLE.format(fault))
    draft = Draft(prompt)
    for sentence in split_sentences(text, prompt.inspections):
        draft.add(sentence)
    if not draft.kept:
        return fall_back(prompt, NOTHING_LEFT)
    return draft.answer(source)


def fall_back(prompt: Prompt, *notices: str) -> Answer:
    """The template's answer to a prompt, with these notices."""
    said = answer_several(prompt.inspections, prompt.question, prompt.history)
    return replace(said, notices=(*said.notices, *notices))


def _spell_out(words: str, question: str, inspections: Sequence[Inspection]) -> str:
    """The words with an opening "yes" or "no" written as what it says in reply to the question."""
    opening = re.match(r"(yes|yeah|yep|no|nope|correct|right|exactly|indeed)(?:\s*[,.!:;-]+\s*|$)", words)
    if not opening or not question:
        return words
    yes = not opening[1].startswith("no")
    clauses = split_clauses(question)
    if len(clauses) > 1:
        return words
    ask = read_clause(clauses[0], (), inspections[0].regions)
    rest = words[opening.end() :]
    if ask.position:
        claim = f"{'something' if yes else 'nothing'} lies in the {ask.position}"
    elif ask.kind and ask.intent in ("type", "verdict"):
        claim = f"it is {'a' if yes else 'not a'} {ask.kind}"
    elif ask.premise and ask.intent == "verdict":
        claim = f"it is {'' if yes else 'not '}{'good' if ask.premise == 'good' else 'defective'}"
    else:
        return words
    return f"{claim}. {rest}" if rest else claim


def _repair(one: Contradiction, inspections: Sequence[Inspection]) -> list[str]:
    if one.topic in ("tally", "picture"):
        return [answer_several(inspections, "how many are defective?").text]
    said = repair(one.topic, one.regions, inspections[one.picture])
    return [cite_picture(line, one.picture) for line in said] if len(inspections) > 1 else said


def _cited(text: str, inspections: Sequence[Inspection]) -> tuple[str, ...]:
    known = {r.id for i in inspections for r in i.regions}
    return tuple(id for id in dict.fromkeys(re.findall(r"\[(R\d+)\]", text)) if id in known)
