"""Large pictures are decoded one after another, and nobody waits for ever."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from assistant.errors import ImageError
from assistant.images import decoding, load
from assistant.images.memory import DecodingMemory


def at_once(memory: DecodingMemory, sizes: list[int]) -> int:
    """How many claims of these sizes were held at the same moment at most."""
    held, most, lock = 0, 0, threading.Lock()

    def work(size: int) -> None:
        nonlocal held, most
        with memory.claim() as claim:
            claim.take(size)
            with lock:
                held += 1
                most = max(most, held)
            time.sleep(0.02)
            with lock:
                held -= 1

    run([lambda size=size: work(size) for size in sizes])
    return most


def run(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_large_pictures_come_one_after_another() -> None:
    assert at_once(DecodingMemory(10, 30), [11] * 6) == 1


def test_small_ones_come_together_as_far_as_their_pool_goes() -> None:
    assert at_once(DecodingMemory(10, 30), [10] * 9) == 3


def test_a_small_picture_does_not_wait_for_a_large_one() -> None:
    memory = DecodingMemory(10, 30)
    with memory.claim() as large:
        large.take(1000)
        assert at_once(memory, [5, 5]) >= 1


def test_what_was_taken_is_given_back_after_an_error() -> None:
    memory = DecodingMemory(10, 30)
    for size in (50, 10):
        for _ in range(5):
            with pytest.raises(ImageError), memory.claim() as claim:
                claim.take(size)
                claim.take(size)  # once only
                raise ImageError("damaged")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_thread_that_stayed_behind() -> None:
    memory = DecodingMemory(10, 30)
    with memory.claim() as claim:
        claim.take(1000)
        child = os.fork()
        if child == 0:
            with memory.claim() as own:
                own.take(1000)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_a_pool_that_holds_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="pool"):
        DecodingMemory(10, 9)


@pytest.mark.parametrize("form", ["WEBP", "JPEG", "PNG", "TIFF", "BMP"])
def test_threads_decode_large_pictures_of_every_format_in_turn(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((300, 400, 3), 99, np.uint8)).save(out, form)
    monkeypatch.setattr(load, "MEMORY", DecodingMemory(300 * 400 * 3, 300 * 400 * 3))
    inside, most = [], []
    whole = decoding._split

    def split(*args: object, **traits: object) -> object:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        planes = whole(*args, **traits)  # type: ignore[arg-type]
        inside.pop()
        return planes

    monkeypatch.setattr(decoding, "_split", split)
    run([lambda: load.load_image(out.getvalue())] * 5)  # type: ignore[list-item, return-value]
    assert len(most) == 5 and max(most) == 1
