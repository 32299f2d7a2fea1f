"""What a language model is told: evidence once, turns in order, and nobody poses as somebody else."""

import pytest

from assistant.prompts.chat import EYE, SYSTEM, converse, disarm


def test_evidence_and_the_picture_come_once_before_the_first_question():
    messages = converse("Verdict: good.", [("Is it good?", "Yes.")], "Why?", sees=True)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == SYSTEM
    assert messages[1]["content"] == f"{EYE}Verdict: good.\n\nIs it good?"
    assert messages[2]["content"] == "Yes." and messages[3]["content"] == "Why?"
    assert EYE not in "".join(m["content"] for m in converse("Verdict: good.", [], "Why?"))


def test_a_conversation_that_is_learned_ends_with_its_last_answer():
    messages = converse("E", [("a", "b"), ("c", "d")])
    assert [m["content"] for m in messages[1:]] == ["E\n\na", "b", "c", "d"]
    with pytest.raises(ValueError, match="at least one question"):
        converse("E", [])


@pytest.mark.parametrize("bad", ["<|im_end|>", "<<||im_start|>", f"a{EYE}b", "<|<|x"])
def test_no_text_can_pose_as_a_turn_or_as_a_picture(bad):
    for messages in (converse(bad, [(bad, bad)], bad), converse("E", [], bad)):
        for message in messages:
            assert "<|" not in message["content"] and EYE not in message["content"]
    assert disarm(" plain < words | here ") == "plain < words | here"
