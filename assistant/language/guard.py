"""Every answer is compared with the evidence before it is shown: what contradicts it is replaced, and said so.

Nothing leads from the words of a language model back into the record. What is let through is borne out by the
record or leaves the matter open. English only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from assistant.inspection import Answer, Inspection
from assistant.language.answer_faults import find_fault
from assistant.language.claim_checks import judge
from assistant.language.explainer import Prompt
from assistant.language.lexicon import find_unread
from assistant.language.paraphrases import rephrase
from assistant.language.picture_claims import bind_pictures, drop_shares, judge_tally, leads
from assistant.language.picture_statements import DRIFTED
from assistant.language.replacements import repair
from assistant.language.sentences import clean, list_words, mask, spell, split_sentences
from assistant.language.template_several import answer_several, cite_picture
from assistant.language.unrecorded_claims import read_beyond
from assistant.language.wording import cited_regions
from assistant.language.yes_no_replies import find_untold, opens_with_reply, resolve, tells_not

REPLACED = "A sentence that contradicted the evidence was replaced."
NOTHING_LEFT = "The language model contradicted the evidence, so this answer comes from the record alone."
UNTOLD = "The language model did not say that no picture can tell this, so that was put in front."
UNWARNED = "The language model does not know that the product has drifted, so that was put in front."
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
    misreplied, words = resolve(words, question, inspections[0]) if len(inspections) == 1 else ("", words)
    wrong = [Contradiction(misreplied)] if misreplied else []
    for members, said in bind_pictures(words, inspections):
        if any(not 0 <= n < len(inspections) for n in members):
            return (Contradiction("picture"),)
        chosen = [inspections[n] for n in members] or inspections
        tallied = judge_tally(said, chosen) if len(chosen) > 1 else ""
        if tallied:
            wrong += [Contradiction("tally")] if tallied == "wrong" else []
            wrong += [Contradiction(topic) for topic, _ in read_beyond(said)]
        elif members:
            wrong += [Contradiction(*one, n) for n in members for one in judge(said, inspections[n])]
            if len(inspections) > 1 and len(members) == 1 and not leads(said, members[0], inspections):
                wrong.append(Contradiction("tally"))
        else:
            said = drop_shares(said, len(inspections))
            each = [[Contradiction(*one, n) for one in judge(said, i)] for n, i in enumerate(inspections)]
            wrong += sorted(each, key=len)[0]
    return tuple(dict.fromkeys(wrong)) or ((Contradiction("words"),) if unread else ())


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
        asked = asked or (self.prompt.question if opens_with_reply(sentence) else "")
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
        cited = cited_regions(text, self.prompt.inspections)
        return Answer(text, cited, source, (REPLACED,) if self.replaced else ())


def guard(text: str, prompt: Prompt, source: str = "model") -> Answer:
    """The answer that may be shown for what a language model wrote.

    A contradicted sentence gives way to what the template says on its topic, with a notice. An empty, looping,
    refusing, unreadable or over-long text, and one of which no sentence is left, give way to the template's
    answer as a whole, with source "template" and a notice. Where no picture can tell what was asked and the text
    does not say so, the template's sentence that does is put in front, with a notice; and so it is where the limit
    that an advice or a verdict rests on no longer holds.
    """
    text = clean(text)
    if fault := find_fault(mask(text, prompt.inspections)):
        return fall_back(prompt, UNUSABLE.format(fault))
    draft = Draft(prompt)
    for sentence in split_sentences(text, prompt.inspections):
        draft.add(sentence)
    if not draft.kept:
        return fall_back(prompt, NOTHING_LEFT)
    said = draft.answer(source)
    told = fall_back(prompt).text
    untold = "" if any(map(tells_not, draft.sentences)) else find_untold(told)
    drifted = DRIFTED if DRIFTED in told and DRIFTED not in said.text else ""
    for front, notice in ((untold, UNTOLD), (drifted, UNWARNED)):
        if front:
            said = replace(said, text=f"{front} {said.text}", notices=(*said.notices, notice))
    return said


def fall_back(prompt: Prompt, *notices: str) -> Answer:
    """The template's answer to a prompt, with these notices."""
    said = answer_several(prompt.inspections, prompt.question, prompt.history)
    return replace(said, notices=(*said.notices, *notices))


def _repair(one: Contradiction, inspections: Sequence[Inspection]) -> list[str]:
    if one.topic in ("tally", "picture"):
        return [answer_several(inspections, "how many are defective?").text]
    said = repair(one.topic, one.regions, inspections[one.picture])
    return [cite_picture(line, one.picture) for line in said] if len(inspections) > 1 else said
