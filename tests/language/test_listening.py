"""Whoever listens is told that one waits, keeps what was said, and can leave."""

import threading
import time

import pytest

from assistant.errors import ExplainerError
from assistant.language.listening import Heard, listen


class Speaker:
    name, context = "Tester", 4096

    def __init__(self, *said, gives_up=None):
        self.said, self.left = said, threading.Event()
        if gives_up:
            self.gives_up = gives_up

    def stream(self, prompt):
        try:
            for one in self.said:
                if isinstance(one, Exception):
                    raise one
                if isinstance(one, float):
                    time.sleep(one)
                    continue
                yield one
        finally:
            self.left.set()


def test_what_is_said_grows_and_ends():
    heard = list(listen(Speaker("a", "b"), None))
    assert heard == [Heard("a"), Heard("ab"), Heard("ab", ended=True)]


def test_silence_is_told_and_what_comes_after_it_is_heard():
    heard = list(listen(Speaker(0.25, "a"), None, tell_after=0.1))
    assert [one.waiting for one in heard] == [True, True, False, False] and heard[-1].text == "a"


def test_pieces_without_text_are_waiting_too():
    heard = list(listen(Speaker(0.15, "", "a"), None, tell_after=0.1))
    assert heard[-3:] == [Heard("", waiting=True), Heard("a"), Heard("a", ended=True)]


def test_what_came_before_a_failure_is_kept():
    heard = list(listen(Speaker("a", ExplainerError("It broke off.")), None))
    assert heard[-1] == Heard("a", failed="It broke off.", ended=True)


def test_who_says_nothing_is_left_at_last():
    speaker = Speaker(0.6, "too late", gives_up=0.2)
    start = time.monotonic()
    heard = list(listen(speaker, None, tell_after=0.05))
    assert heard[-1].failed == "Tester said nothing for 0.2 seconds." and time.monotonic() - start < 2


def test_a_mistake_of_ours_is_no_failure_of_the_speaker():
    with pytest.raises(ZeroDivisionError):
        list(listen(Speaker(ZeroDivisionError()), None))


def test_leaving_stops_the_speaker():
    speaker = Speaker(*["on "] * 1000, *[0.01] * 10)
    heard = listen(speaker, None)
    next(heard)
    heard.close()
    assert speaker.left.wait(2)
