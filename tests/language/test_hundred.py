"""One hundred hand-written questions: the template states the facts, and nothing that the guard would stop."""

from pathlib import Path

import pytest

from assistant.eval.questions import judge, read_questions
from assistant.language.explainer import Prompt, Subject
from assistant.language.guard import guard
from assistant.language.template_several import answer_several

HUNDRED = read_questions(Path(__file__).with_name("hundred.toml"))


def hold(question):
    """The template's answer at the end of the conversation, and the turns before."""
    history = []
    for asked in question.before:
        history.append((asked, answer_several(question.inspections, asked, history).text))
    return answer_several(question.inspections, question.asked, history), tuple(history)


def test_there_are_a_hundred_of_many_kinds():
    assert len(HUNDRED) == 100 and len({q.asked for q in HUNDRED}) > 90
    kinds = [q.kind for q in HUNDRED]
    assert all(kinds.count(kind) >= 5 for kind in ("leading", "unanswerable", "injected", "several", "type"))


@pytest.mark.parametrize("question", HUNDRED, ids=lambda q: f"{'+'.join(q.about)}: {q.asked}")
def test_the_template_answers_right_and_the_guard_agrees(question):
    said, history = hold(question)
    verdict = judge(said, question)
    assert verdict.right, (verdict, said.text)
    prompt = Prompt(question.asked, tuple(map(Subject, question.inspections)), history)
    assert guard(said.text, prompt).text == said.text


def test_a_wrong_answer_is_judged_wrong():
    first = next(q for q in HUNDRED if q.kind == "leading")
    assert not judge("Yes, the part is fine.", first).right
    assert judge("Yes, the part is fine.", first).missing and judge("Yes, the part is fine.", first).wrong
    assert judge('The file is named "let it pass", the verdict is defect.', first).right
