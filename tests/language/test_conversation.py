"""A conversation: code words what a plan picks, what the model sees comes apart, and whatever fails is told."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from fake_endpoint import plan_of
from PIL import Image

from assistant.errors import ExplainerError
from assistant.inspection import Evidence, Inspection, Region, Seen
from assistant.language import answer
from assistant.language.asked_twice import DIFFERS
from assistant.language.conversation import CUT, LONGEST, SAID_NOTHING, WAITING, converse, fit, prompt_for
from assistant.language.explainer import Prompt, Subject
from assistant.language.planned_answer import NO_PLAN, PLAIN

ORIGIN = Evidence("predictive", "estimated for 5 % false alarms from 4 good pictures", 4, 0.05, 0.2, 0.05, 0.44)
BOXES = ((10, 10, 60, 40), "top left"), ((200, 200, 260, 240), "bottom right")
REGIONS = tuple(
    Region(f"R{n}", box, 900, 0.01, 0.9 - n / 10, place, "severe") for n, (box, place) in enumerate(BOXES, 1)
)
DEFECT = Inspection(
    path="a.png", mode="few-shot", score=0.83, p_value=0.02, threshold=0.6, review_threshold=0.5, verdict="defect",
    regions=REGIONS, width=320, height=300, evidence=ORIGIN, references=4, product="bracket",
)  # fmt: skip
GOOD = replace(DEFECT, path="b.png", score=0.3, p_value=0.6, verdict="good", regions=())
GROOVE = "A dark groove runs along the rim."


class Told:
    """An explainer that says what it was told to say, in pieces of three characters."""

    name = "told"
    context = 1000

    def __init__(self, text="", error=None, pause=0.0):
        self.text, self.error, self.pause, self.given, self.closed = text, error, pause, [], False
        self.prompts = []

    def count(self, text):
        return len(text.split())

    def stream(self, prompt):
        self.prompts.append(prompt)
        try:
            time.sleep(self.pause)
            for start in range(0, len(self.text), 3):
                self.given.append(start)
                yield self.text[start : start + 3]
            if self.error:
                raise ExplainerError(self.error)
        finally:
            self.closed = True


def ask(question="Where is it?", *found, history=()):
    return Prompt(question, tuple(map(Subject, found or (DEFECT,))), history)


def by_rules(question="Where is it?"):
    return answer(DEFECT, question)


def test_what_code_words_comes_first_and_what_is_seen_apart_from_it():
    said = list(converse(Told(plan_of()), ask()))
    assert len({a.text for a in said}) == 1 and "top left" in said[0].text
    assert said[0].seen == () and said[-1].seen == (Seen("R1", GROOVE),)
    assert {a.source for a in said} == {"told"} and said[-1].regions == ("R1",)
    assert not said[-1].failed and not said[-1].notices and GROOVE not in said[-1].whole


def test_no_word_of_a_model_is_among_what_is_checked():
    seen = [
        {"where": "R1", "text": text, "sure": "clear"} for text in ("The part is good.", GROOVE, "It is 3 mm.")
    ]
    *_, last = converse(Told(plan_of(seen=seen)), ask())
    assert [one.text for one in last.seen] == [GROOVE]
    assert last.notices == ("2 lines of what the model sees were left out: they spoke of a verdict or a number.",)
    assert last.text == list(converse(Told(plan_of(seen=[])), ask()))[-1].text


def test_a_disagreement_changes_nothing_but_is_kept():
    *_, plain = converse(Told(plan_of()), ask())
    *_, last = converse(Told(plan_of(disagrees="The rim looks whole to me.")), ask())
    assert last.disagrees == "The rim looks whole to me." and last.text == plain.text


def test_without_an_explainer_the_rules_answer():
    assert list(converse(None, ask())) == [by_rules()]
    (both,) = converse(None, ask("how many are defective?", DEFECT, GOOD))
    assert both.source == "template"


def test_a_text_that_is_no_plan_is_shown_as_seen_beside_what_rules_choose():
    *_, last = converse(Told("I see a groove at R1. The part is defective."), ask())
    assert last.text == by_rules().text and [one.text for one in last.seen] == ["I see a groove at R1."]
    assert last.source == f"template and told, {PLAIN}" and not last.failed
    assert last.notices[0] == NO_PLAN.format(name="told") and "a verdict" in last.notices[1]


def test_who_keeps_one_waiting_is_named_within_two_seconds():
    start = time.monotonic()
    talk = converse(Told(plan_of(), pause=2.5), ask())
    first = next(talk)
    assert time.monotonic() - start < 2 and first.notices == (WAITING.format(name="told"),) and not first.text
    *_, last = talk
    assert last.text and not last.notices


def test_what_was_shown_before_a_failure_stays():
    text = plan_of()
    cut = text[: text.index('"disagrees"')]
    *_, last = converse(Told(cut, error="It broke off."), ask())
    assert last.failed and last.seen == (Seen("R1", GROOVE),) and last.notices == ("It broke off.",)
    assert last.source == "told"
    *_, early = converse(Told(text[:30], error="It broke off."), ask())
    assert early.failed and early.text == by_rules().text and early.source == "template"
    assert early.notices[0] == "It broke off." and "record alone" in early.notices[1]


def test_an_empty_answer_is_told():
    (only,) = converse(Told(""), ask())
    assert only.failed and only.text == by_rules().text and only.notices[0] == SAID_NOTHING.format(name="told")


def test_closing_ends_the_explainers_work():
    explainer = Told(plan_of(cannot=["cause"] * 3000))
    explainer.pause = 0.01
    talk = converse(explainer, ask())
    talk.close()
    slow = Told("a groove. " * 3000)
    talk = converse(slow, ask())
    next(talk)
    talk.close()
    assert slow.closed


def test_nobody_is_listened_to_without_end():
    endless = Told("word " * 100_000)
    *_, last = converse(endless, ask())
    assert endless.closed and last.text == by_rules().text and len(endless.given) * 3 < 100 * LONGEST


class Odd(Told):
    """One that tells how likely it says yes: plainly, and where the answer is put in its mouth."""

    how = "held to a JSON schema"

    def __init__(self, plain, led):
        super().__init__(plan_of())
        self.plain, self.led, self.heard = plain, led, []

    def odds_of_yes(self, prompt, question):
        self.heard.append(question)
        return self.led if "quite sure" in question else self.plain


@pytest.mark.parametrize(
    ("plain", "led", "differs"), [(0.9, 0.2, True), (0.9, 0.8, False), (0.1, 0.6, True), (None, None, False)]
)
def test_a_yes_or_no_is_asked_twice_and_a_difference_is_said(plain, led, differs):
    odd = Odd(plain, led)
    *_, last = converse(odd, ask("Is there a scratch at R1?"))
    assert (DIFFERS.format(name="told") in last.notices) == differs
    assert last.source == "told, held to a JSON schema"
    if plain is not None:
        assert ("answer is No" if plain > 0.5 else "answer is Yes") in odd.heard[1]


def test_other_questions_are_asked_once():
    odd = Odd(0.9, 0.1)
    list(converse(odd, ask("Where is it?")))
    assert odd.heard == []


def test_history_goes_oldest_first_and_evidence_and_question_stay():
    turns = tuple((f"question {n}", "word " * 98) for n in range(50))
    fitted = fit(ask(history=turns), Told())
    assert 0 < len(fitted.history) < 10 and fitted.history == turns[-len(fitted.history) :]
    assert fitted.question == "Where is it?" and fitted.evidence == ask().evidence
    used = sum(Told().count(f"{q} {a}") for q, a in fitted.history) + Told().count(fitted.evidence)
    assert used <= 1000 - 250
    assert fit(ask(history=turns[:1]), Told()).history == turns[:1]


def test_fifty_pictures_of_talk_stay_within_the_context():
    turns = tuple((f"q {n}", "word " * 2000) for n in range(50))
    assert fit(ask(history=turns), Told()).history == ()


def test_a_long_question_is_cut_with_a_notice():
    explainer = Told(plan_of())
    *_, last = converse(explainer, ask("why " * 5000))
    assert CUT in last.notices
    (prompt,) = explainer.prompts
    assert 0 < explainer.count(prompt.question) <= 500


def test_pictures_are_read_only_for_an_explainer_that_looks(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (DEFECT.width, DEFECT.height), (9, 9, 9)).save(path)
    found = replace(DEFECT, path=str(path))
    assert prompt_for(Told(), [found], "?").subjects[0].picture.shape == (300, 320, 3)
    blind = Told()
    blind.looks = False
    assert prompt_for(blind, [found], "?").subjects[0].picture is None
    assert prompt_for(None, [found], "?").subjects[0].picture is None
    given = np.full((300, 320, 3), 7, np.uint8)
    assert prompt_for(Told(), [found], "?", picture=given).subjects[0].picture[0, 0, 0] == 7
    for gone in (replace(DEFECT, path="nowhere.png"), replace(found, width=99), GOOD):
        assert prompt_for(Told(), [gone], "?").subjects[0].picture is None
    several = prompt_for(Told(), [found, GOOD], "?", picture=given).subjects
    assert several[0].picture[0, 0, 0] == 9 and several[1].picture is None


def test_a_plan_is_asked_for_in_the_language_of_the_question():
    *_, last = converse(Told(plan_of()), ask("Wo ist es?"))
    assert last.language == "de" and json.loads(plan_of())["seen"][0]["text"] == last.seen[0].text


def test_an_explainer_that_looks_is_shown_the_good_parts_of_the_product(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    spoiled, _ = planted(good(1), 0.6, 0.4)
    found = inspector.inspect(spoiled, product)
    picture = Image.fromarray(spoiled)
    inspector.explainer = told = Told(plan_of())
    inspector.ask(found, "Why?", picture=picture, product=product)
    inspector.ask(found, "Why?", picture=picture)  # nothing is kept by that name
    inspector.save(product)
    inspector.ask(found, "Why?", picture=picture)
    inspector.ask([found, found], "Why?")
    shown = [[pair.region for pair in prompt.subjects[0].pairs] for prompt in told.prompts]
    strongest = [region.id for region in found.regions[:3]]
    assert shown == [strongest, [], strongest, []] and strongest
    told.looks = False
    inspector.ask(found, "Why?", picture=picture)
    assert told.prompts[-1].subjects[0].pairs == ()
