"""Asks as a person does: a question about records at the end of a conversation, without a language model."""

from assistant.language.conversation import converse, prompt_for


def ask(question, records, before=(), explainer=None):
    """The last snapshot of the answer; `before` are questions that are asked first."""
    history = []
    for earlier in before:
        history.append((earlier, _last(earlier, records, history, explainer).text))
    return _last(question, records, history, explainer)


def _last(question, records, history, explainer):
    return list(converse(explainer, prompt_for(explainer, records, question, history)))[-1]
