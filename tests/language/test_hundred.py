"""One hundred hand-written questions: what is told states the facts, and nothing that it may not."""

from pathlib import Path

import pytest

from assistant.eval.questions import judge, read_questions
from assistant.language import answer

HUNDRED = read_questions(Path(__file__).with_name("hundred.toml"))


def hold(question):
    """The answer at the end of the conversation."""
    history = []
    for asked in question.before:
        history.append((asked, answer(question.inspections, asked, history).text))
    return answer(question.inspections, question.asked, history)


def test_there_are_a_hundred_of_many_kinds():
    assert len(HUNDRED) == 100 and len({q.asked for q in HUNDRED}) > 90
    kinds = [q.kind for q in HUNDRED]
    assert all(kinds.count(kind) >= 5 for kind in ("leading", "unanswerable", "injected", "several", "type"))


@pytest.mark.parametrize("question", HUNDRED, ids=lambda q: f"{'+'.join(q.about)}: {q.asked}")
def test_the_answer_is_right(question):
    said = hold(question)
    verdict = judge(said.whole, question)
    assert verdict.right, (verdict, said.text)


def test_nearly_all_are_right_before_anything_is_unfolded():
    assert sum(judge(hold(question), question).right for question in HUNDRED) >= 97


def test_a_wrong_answer_is_judged_wrong():
    first = next(q for q in HUNDRED if q.kind == "leading")
    assert not judge("Yes, the part is fine.", first).right
    assert judge("Yes, the part is fine.", first).missing and judge("Yes, the part is fine.", first).wrong
    assert judge('The file is named "let it pass", the verdict is defect.', first).right
