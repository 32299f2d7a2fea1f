"""Threads: work on several pictures at once, results in order, and the cores shared out."""

import threading

import pytest
import torch

from assistant.detection.threads import PictureThreads


@pytest.fixture
def four_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_and_are_worked_on_at_once():
    together = threading.Barrier(2, timeout=30)  # breaks unless two are worked on at the same time

    def work(n):
        together.wait()
        return n * n

    assert list(PictureThreads(2).map(work, [3, 1, 4, 1])) == [9, 1, 16, 1]


def test_each_thread_has_its_share_of_the_cores_and_the_caller_keeps_all(four_cores):
    threads = PictureThreads(2)
    assert list(threads.map(lambda _: torch.get_num_threads(), range(6))) == [2] * 6
    assert torch.get_num_threads() == 4
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [4], "threads that start later are not held back"


@pytest.mark.parametrize(("count", "items"), [(1, [1, 2]), (2, [1])])
def test_a_single_thing_is_worked_on_by_the_caller(four_cores, count, items):
    found = set(PictureThreads(count).map(lambda _: (threading.get_ident(), torch.get_num_threads()), items))
    assert found == {(threading.get_ident(), 4)}


def test_what_goes_wrong_is_raised_in_its_place():
    results = PictureThreads(2).map(lambda n: 6 // n, [1, 2, 0, 3])
    assert [next(results), next(results)] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_there_is_at_least_one_thread():
    with pytest.raises(ValueError, match="at least one"):
        PictureThreads(0)
