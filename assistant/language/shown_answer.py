"""An answer as every surface shows it: what code worded, and apart from it, never mixed in, what a model sees."""

from __future__ import annotations

from assistant.inspection import Answer, Seen
from assistant.language.catalogue import Wording
from assistant.language.plan import ELSEWHERE, WHOLE

UNCHECKED = "What the model sees itself, not checked"
SECOND_LOOK = "A second look disagrees. The verdict is unchanged; a person should look."
ITS_REASON = "It says: “{reason}”"


def head_look(answer: Answer) -> str:
    """What stands above a model's own look, in the language of the answer; "" where it tells nothing."""
    w = Wording(answer.language)
    return w(UNCHECKED) if answer.seen else ""


def list_look(answer: Answer) -> list[str]:
    """What a model sees, a line each, tied to its region."""
    return [_line(one, Wording(answer.language)) for one in answer.seen]


def warn_of(answer: Answer) -> str:
    """The banner of an answer in which a second look disagrees; "" where none does."""
    w = Wording(answer.language)
    return f"{w(SECOND_LOOK)} {w(ITS_REASON, reason=answer.disagrees)}" if answer.disagrees else ""


def as_text(answer: Answer) -> str:
    """All of an answer as plain text: the banner, what code worded, and under a heading what a model sees."""
    look = [f"{head_look(answer)}:", *(f"- {line}" for line in list_look(answer))] if answer.seen else []
    return "\n".join(filter(None, (warn_of(answer), answer.whole, *look, *answer.notices)))


def _line(one: Seen, w: Wording) -> str:
    where = {WHOLE: "", ELSEWHERE: f"{w('elsewhere')}: "}.get(one.where, f"[{one.where}] ")
    return f"{where}{one.text}{'' if one.sure == 'clear' else ' (' + w('maybe') + ')'}"
