"""A conversation: what is shown grows by checked sentences, stops when told, and fits the context."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_template import DEFECT, GOOD

from assistant.errors import ExplainerError
from assistant.language import answer
from assistant.language.conversation import CUT, converse, fit, prompt_for
from assistant.language.explainer import Prompt, Subject
from assistant.language.guard import REPLACED


class Told:
    """An explainer that says what it was told to say, in pieces of three characters."""

    name = "told"
    context = 1000

    def __init__(self, text="", error=None):
        self.text, self.error, self.given, self.closed = text, error, [], False
        self.prompts = []

    def count(self, text):
        return len(text.split())

    def stream(self, prompt):
        self.prompts.append(prompt)
        try:
            for start in range(0, len(self.text), 3):
                self.given.append(start)
                yield self.text[start : start + 3]
            if self.error:
                raise ExplainerError(self.error)
        finally:
            self.closed = True


def ask(question="Where is it?", *found, history=()):
    return Prompt(question, tuple(map(Subject, found or (DEFECT,))), history)


TEXT = "The part is defective. [R1] lies in the top left. The score is 0.83 and no secret."


def test_the_answer_grows_by_whole_checked_sentences():
    said = list(converse(Told(TEXT), ask()))
    assert [a.text for a in said] == [
        "The part is defective.",
        "The part is defective. [R1] lies in the top left.",
        TEXT,
    ]
    assert {a.source for a in said} == {"told"} and said[-1].regions == ("R1",)
    assert not any(a.notices for a in said)


def test_a_contradiction_is_never_shown_not_even_for_a_moment():
    lie = "The part is defective. [R1] lies in the bottom right. The score is 0.83."
    said = list(converse(Told(lie), ask()))
    assert not any("bottom right." in a.text for a in said)
    assert "[R1] lies in the top left" in said[-1].text and said[-1].notices == (REPLACED,)
    assert said[-1].source == "told"


def test_what_only_contradicts_ends_as_the_templates_answer_at_once():
    (only,) = converse(Told("The part is good. Nothing is wrong."), ask())
    assert only.text == answer(DEFECT, "Where is it?").text and only.source == "template" and only.notices


def test_without_an_explainer_the_template_answers():
    assert list(converse(None, ask())) == [answer(DEFECT, "Where is it?")]
    (both,) = converse(None, ask("how many are defective?", DEFECT, GOOD))
    assert "Of 2 pictures" in both.text


def test_a_failure_is_told_and_the_template_answers():
    *_, last = converse(Told("The part is defective. It", error="The endpoint did not answer."), ask())
    assert last.text == answer(DEFECT, "Where is it?").text and last.source == "template"
    assert "The endpoint did not answer." in last.notices[0]


def test_closing_ends_the_explainers_work():
    explainer = Told(TEXT * 20)
    talk = converse(explainer, ask())
    next(talk)
    talk.close()
    assert explainer.closed and len(explainer.given) < 20


def test_an_answer_gone_wrong_is_not_listened_to_the_end():
    explainer = Told("The part is defective. " * 3 + "Very much so. " * 500)
    *_, last = converse(explainer, ask())
    assert explainer.closed and len(explainer.given) < 200
    assert last.source == "template" and "circles" in last.notices[0]
    endless = Told("word " * 10_000)
    *_, last = converse(endless, ask())
    assert endless.closed and len(endless.given) < 2000 and last.source == "template"


def test_an_empty_answer_is_the_templates():
    (only,) = converse(Told(""), ask())
    assert only.source == "template" and "empty" in only.notices[0]


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
    explainer = Told(TEXT)
    *_, last = converse(explainer, ask("why " * 5000))
    assert CUT in last.notices and last.text == TEXT
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


@pytest.mark.parametrize("text", ["The score is 0.83.", "The score is 0.83", "The score is 0.83. "])
def test_a_number_is_not_cut_at_its_point(text):
    assert [a.text for a in converse(Told(text), ask())][-1] == text.strip()


def test_an_explainer_that_looks_is_shown_the_good_parts_of_the_product(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    spoiled, _ = planted(good(1), 0.6, 0.4)
    found = inspector.inspect(spoiled, product)
    picture = Image.fromarray(spoiled)
    inspector.explainer = told = Told("The verdict is defect.")
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
