"""Results are handed on until they are taken: pauses that grow, results given up, stops at any time."""

import threading

import pytest
from line_parts import QUICK, Shelf, draw, wait_for

from assistant.errors import LineError
from assistant.line.delivery import Delivery, Patience
from assistant.line.sink import Away, Refused


@pytest.fixture
def owed(begin, folder, journal):
    """owed(count, *names): so many parts whose results these sinks are owed."""

    def make(count, *names):
        for i in range(count):
            (folder / f"{i}.png").write_bytes(draw(i))

        class Never(Shelf):
            def deliver(self, letter):
                raise Away("the test has not begun")

        from assistant.line.delivery import Route

        list(begin(*(Route(name, Never(), patience=QUICK) for name in names)).run(once=True))
        return count

    return make


@pytest.fixture
def deliver(journal, said):
    """deliver(*routes): deliver until all that can be is, and stop."""

    def run(*routes, until=None):
        delivery = Delivery(journal.outbox, routes, said.append)
        delivery.start()
        wait_for(until or (lambda: not journal.outbox.waiting()))
        delivery.stop()
        assert delivery.failure is None
        return delivery

    return run


def test_each_sink_gets_all_whatever_the_others_do(owed, deliver, to, journal):
    owed(4, "one", "two")
    good, tried = Shelf(), []

    def never(letter):
        tried.append(letter)
        raise Away("no")

    deliver(to(good, "one"), to(Shelf(never), "two"), until=lambda: len(good.parts) == 4 and len(tried) > 3)
    assert good.parts == [1, 2, 3, 4] and journal.outbox.waiting() == {"two": 4}
    assert {letter.event.part for letter in tried} == {1}, "the first is tried until it is taken"


def test_pauses_grow_to_the_longest_and_differ():
    patience = Patience(first=1, longest=8)
    for failures, whole in ((1, 1), (2, 2), (3, 4), (4, 8), (9, 8), (5000, 8)):
        drawn = [patience.pause(failures) for _ in range(200)]
        assert whole / 2 <= min(drawn) and max(drawn) <= whole and max(drawn) - min(drawn) > whole / 4


def test_what_is_refused_is_tried_again_and_given_up_and_the_others_go_on(owed, deliver, to, journal, said):
    owed(3, "mes")
    tried = []

    def picky(letter):
        tried.append(letter.event.part)
        if letter.event.part == 2:
            raise Refused("the number 2 is not known")

    shelf = Shelf(picky)
    deliver(to(shelf, "mes"))
    assert shelf.parts == [1, 3] and tried.count(2) == QUICK.refusals
    [dead] = journal.outbox.dead()
    assert (dead.sink, dead.event.part, dead.tries) == ("mes", 2, 3) and dead.error == "the number 2 is not known"
    assert said[1:] == ["The sink 'mes' does not take part 2: the number 2 is not known. It is given up."]


def test_what_was_given_up_is_sent_again_or_dropped(owed, deliver, to, journal):
    owed(3, "mes")

    def refuse(letter):
        raise Refused("no")

    deliver(to(Shelf(refuse), "mes"))
    dead = journal.outbox.dead()
    assert journal.outbox.drop([dead[0].id]) == 1 and journal.outbox.again([dead[1].id]) == 1
    shelf = Shelf()
    deliver(to(shelf, "mes"))
    assert shelf.parts == [2] and shelf.letters[0].event.id == dead[1].event.id
    assert journal.outbox.again() == 1 and journal.outbox.again() == 0
    deliver(to(shelf, "mes"))
    assert shelf.parts == [2, 3]


def test_a_sink_that_is_away_for_too_long_is_given_up_on(owed, deliver, to, journal):
    owed(2, "mes")

    def away(letter):
        raise Away("nothing answers there")

    deliver(to(Shelf(away), "mes", patience=Patience(0.01, 0.01, hours=1e-9)))
    assert [one.error for one in journal.outbox.dead()] == ["nothing answers there"] * 2


def test_a_receiver_that_asks_for_time_gets_it(owed, deliver, to, monkeypatch):
    owed(1, "mes")
    waited = []
    real = threading.Event.wait

    def wait(event, seconds=None):
        waited.append(seconds)
        return real(event, min(seconds or 0, 0.01))

    def busy(letter):
        if not any(seconds == 30 for seconds in waited):
            raise Away("busy", 30)

    monkeypatch.setattr(threading.Event, "wait", wait)
    deliver(to(Shelf(busy), "mes"))
    assert 30 in waited


def test_the_first_letter_after_a_start_may_have_arrived_and_so_may_one_that_failed(owed, deliver, to):
    owed(3, "mes")
    doubts, failed = [], []

    def note(letter):
        doubts.append((letter.event.part, letter.doubtful))
        if letter.event.part == 2 and not failed:
            failed.append(letter)
            raise Away("no")

    deliver(to(Shelf(note), "mes"))
    assert doubts == [(1, True), (2, False), (2, True), (3, False)]


def test_a_sink_with_a_fault_of_its_own_ends_the_line_and_loses_nothing(owed, to, journal, said):
    owed(1, "mes")

    def broken(letter):
        raise ZeroDivisionError

    delivery = Delivery(journal.outbox, [to(Shelf(broken), "mes")], said.append)
    delivery.start()
    wait_for(lambda: delivery.failure)
    delivery.stop()
    assert isinstance(delivery.failure, ZeroDivisionError) and journal.outbox.waiting() == {"mes": 1}


def test_a_stop_waits_for_the_result_that_is_under_way(owed, to, journal, said):
    owed(2, "mes")
    inside = threading.Event()

    def slow(letter):
        inside.set()
        threading.Event().wait(0.5)

    shelf = Shelf(slow)
    delivery = Delivery(journal.outbox, [to(shelf, "mes")], said.append)
    delivery.start()
    assert inside.wait(5)
    delivery.stop(0)
    assert shelf.parts == [1] and journal.outbox.waiting() == {"mes": 1}


def test_a_stop_does_not_wait_for_a_sink_that_hangs(owed, to, journal, said):
    owed(1, "mes")
    inside, go = threading.Event(), threading.Event()

    def hang(letter):
        inside.set()
        go.wait(10)

    delivery = Delivery(journal.outbox, [to(Shelf(hang), "mes")], said.append)
    delivery.start()
    assert inside.wait(5)
    delivery.stop(0.1, 0.1)
    assert journal.outbox.waiting() == {"mes": 1}
    go.set()
    wait_for(lambda: not journal.outbox.waiting())


@pytest.mark.parametrize(
    "fields", [{"first": 0}, {"first": 9, "longest": 3}, {"refusals": 0}, {"hours": 0}, {"hours": float("nan")}]
)
def test_patience_that_makes_no_sense_is_refused(fields):
    with pytest.raises(LineError):
        Patience(**fields)
