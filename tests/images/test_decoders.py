"""A picture that takes long is decoded in a process that is ended in time, and becomes one error."""

import io
import multiprocessing
import os
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from assistant.errors import ImageError
from assistant.images import decoders, load_image
from assistant.images.caps import DEFAULT_CAPS
from assistant.images.decoders import DECODERS, Decoders
from assistant.images.memory import DecodingMemory

SLEEPER = "import os, time; os.write(1, b'\\x02\\0\\0\\0{}'); time.sleep(60)"
LIAR = "import os; os.write(1, b'\\x02\\0\\0\\0{}' + b'\\x07\\0\\0\\0[1, 2]' * 9); os.read(0, 9)"
MORTAL = "import os; os.write(1, b'\\x02\\0\\0\\0{}'); os.read(0, 9)"


def encode(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def ramp(*shape):
    return (np.arange(np.prod(shape)) * 7 % 251).astype(np.uint8).reshape(shape)


def progressive(side=3000, scans=90):
    """A JPEG whose last scan is repeated, just under what is refused."""
    data = encode(Image.new("RGB", (side, side), (120, 80, 60)), "JPEG", progressive=True)
    last, have = data.rfind(b"\xff\xda"), data.count(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - have + 1) + data[-2:]


def sharing_tiles(side=6400, tile=64):
    """A TIFF whose tiles all lie in one block."""
    block = zlib.compress(bytes(tile * tile * 3), 9)
    block += bytes(len(block) % 2)
    count = (side // tile) ** 2
    starts, sizes = struct.pack(f"<{count}I", *[8] * count), struct.pack(f"<{count}I", *[len(block)] * count)
    at = 8 + len(block)
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 3, at + 8 * count), (259, 3, 1, 8), (262, 3, 1, 2)]
    tags += [
        (277, 3, 1, 3),
        (322, 4, 1, tile),
        (323, 4, 1, tile),
        (324, 4, count, at),
        (325, 4, count, at + 4 * count),
    ]
    rows = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    where = struct.pack("<I", at + 8 * count + 6)
    return (
        b"II*\0"
        + where
        + block
        + starts
        + sizes
        + struct.pack("<3H", 8, 8, 8)
        + struct.pack("<H", 10)
        + rows
        + bytes(4)
    )


def chunked(side=5000, chunks=20_000):
    """A PNG whose pixels come in chunks of a few bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + bytes(3 * side)) * side, 9)
    step = max(1, len(rows) // chunks)
    pieces = b"".join(chunk(b"IDAT", rows[i : i + step]) for i in range(0, len(rows), step))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + pieces + chunk(b"IEND", b"")


def webp(side=2500):
    """A WebP without loss, which is the slowest of all formats for its size."""
    return encode(
        Image.fromarray(ramp(side // 50, side // 50, 4), "RGBA").resize((side, side)),
        "WEBP",
        lossless=True,
        method=0,
    )


@pytest.fixture
def guarded():
    """Every picture that may take longer than a moment goes to a process, for ten seconds at most."""
    with DECODERS.guard(10):
        yield DECODERS


def decoding(script, seconds=0.3):
    """Decode with a process that runs another script; the decoders, for what they count."""
    pool = Decoders(command=[sys.executable, "-c", script])
    with pool.guard(seconds), DecodingMemory().claim() as claim:
        pool.decode(b"a file", "part.png", DEFAULT_CAPS, claim)


@pytest.mark.parametrize("make", [progressive, sharing_tiles, chunked, webp])
def test_a_slow_picture_is_given_up_in_time_and_the_next_one_is_read(make):
    data = make()
    with DECODERS.guard(0.05):
        load_or_sentence(encode(Image.new("L", (9, 9)), "TIFF"))  # it starts the process
        ended, start = DECODERS.ended, time.monotonic()
        with pytest.raises(ImageError, match="^plate.jpg takes longer than 0.05 s to decode$"):
            load_image(data, name="plate.jpg")
        assert time.monotonic() - start < 2
        assert DECODERS.ended == ended + 1 and DECODERS.busy == 0
    with DECODERS.guard(20):
        assert load_image(encode(Image.new("L", (31, 9)), "TIFF")).width == 31


def load_or_sentence(data):
    try:
        return load_image(data)
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize(
    "data",
    [
        encode(Image.fromarray(ramp(40, 60, 3)), "TIFF", compression="tiff_lzw"),
        encode(Image.fromarray(ramp(40, 60, 4), "RGBA"), "WEBP", lossless=True),
        encode(Image.fromarray(ramp(40, 60).astype(np.uint16) * 200), "TIFF"),
        encode(Image.fromarray(ramp(40, 60).astype(np.float32)), "TIFF"),
        encode(Image.fromarray(ramp(40, 60)), "BMP"),
    ],
)
def test_a_picture_from_a_process_is_the_same(data, guarded):
    assert guarded.want(data, None)
    there = load_image(data)
    guarded._seconds.clear()
    here = load_image(data)
    guarded._seconds.append(10)
    assert (here.pixels == there.pixels).all() and here.notices == there.notices


def test_what_is_wrong_with_a_file_is_said_as_ever(guarded):
    with pytest.raises(ImageError, match="^cut.tif is damaged or cut short and cannot be read$"):
        load_image(encode(Image.fromarray(ramp(99, 99)), "TIFF", compression="tiff_lzw")[:2000], name="cut.tif")
    with pytest.raises(ImageError, match="^wide.webp is 100 x 80, over the limit of 900 pixels$"):
        from assistant.images.load import SizeCaps

        load_image(encode(Image.new("RGB", (100, 80)), "WEBP"), caps=SizeCaps(max_pixels=900), name="wide.webp")


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_an_ordinary_picture_starts_no_process(form, guarded, monkeypatch):
    monkeypatch.setattr(Decoders, "decode", lambda *_: pytest.fail("a process was asked"))
    assert load_image(encode(Image.fromarray(ramp(1200, 1600, 3)), form)).width == 1600


def test_without_a_service_only_a_suspicious_picture_goes_to_a_process(monkeypatch):
    asked = []
    monkeypatch.setattr(Decoders, "decode", lambda self, data, *_: asked.append(data) or {"colour": ramp(4, 4)})
    for data in (encode(Image.fromarray(ramp(60, 60)), "TIFF"), webp(60), chunked(900)):
        load_image(data)
    assert not asked
    load_image(progressive(2600, 80))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("script", "said"),
    [(SLEEPER, "takes longer than 0.3 s"), (MORTAL, "has ended"), (LIAR, "has ended"), ("1 / 0", "has ended")],
)
def test_a_process_that_sleeps_dies_or_lies_is_one_sentence(script, said):
    start = time.monotonic()
    with pytest.raises(ImageError, match=f"^part.png .*{said}"):
        decoding(script)
    assert time.monotonic() - start < 10


def test_a_stuck_process_is_counted_until_it_is_ended():
    pool = Decoders(command=[sys.executable, "-c", SLEEPER])
    with pool.guard(1.0), DecodingMemory().claim() as claim:
        thread = threading.Thread(
            target=lambda: pytest.raises(ImageError, pool.decode, b"x", "a", DEFAULT_CAPS, claim)
        )
        thread.start()
        seen = set()
        while thread.is_alive():
            seen.add((pool.busy, pool.slow()))
            time.sleep(0.01)
        assert (1, 1) in seen and (pool.busy, pool.slow(), pool.ended) == (0, 0, 1)


def test_waiting_for_memory_takes_no_time_from_a_picture():
    memory = DecodingMemory(large=1, pool=1)
    data = encode(Image.fromarray(ramp(60, 60)), "TIFF")
    pool, found = Decoders(), []
    with pool.guard(5.0), memory.claim() as first:
        first.take(2)
        with memory.claim() as claim:
            thread = threading.Thread(target=lambda: found.append(pool.decode(data, "a", DEFAULT_CAPS, claim)))
            thread.start()
            until = time.monotonic() + 60
            while memory._turn.locked() and pool._busy and time.monotonic() < until:
                if any(one._ready and one.since is None for one in pool._busy):
                    break
                time.sleep(0.01)
            assert not found and pool.slow() == 0
            first.release()
            thread.join(20)
        assert found[0]["colour"].shape == (60, 60)


def test_more_pictures_than_processes_wait_their_turn(guarded):
    data = encode(Image.fromarray(ramp(300, 300, 3)), "TIFF")
    sizes = []
    threads = [threading.Thread(target=lambda: sizes.append(load_image(data).width)) for _ in range(9)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert guarded.busy <= decoders.MOST
        time.sleep(0.001)
    assert sizes == [300] * 9


def test_a_plain_script_may_decode_in_a_process(tmp_path):
    (tmp_path / "part.tif").write_bytes(encode(Image.fromarray(ramp(60, 70)), "TIFF"))
    script = tmp_path / "plain.py"
    script.write_text(
        "print('begun')\nfrom assistant.images import load_image\nfrom assistant.images.decoders import DECODERS\n"
        "with DECODERS.guard(30):\n    print(load_image('part.tif').width, len(DECODERS._idle))\n"
    )
    run = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert run.stdout.split("\n") == ["begun", "70 1", ""], run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_decoding_processes_of_its_own(guarded):
    data = encode(Image.fromarray(ramp(60, 70)), "TIFF")
    load_image(data)
    with multiprocessing.get_context("fork").Pool(1) as forked:
        assert forked.apply(_width_in_child, (data,)) == (70, True)
    assert load_image(data).width == 70


def _width_in_child(data):
    theirs = {one._process.pid for one in DECODERS._idle}
    return load_image(data).width, not theirs & {one._process.pid for one in DECODERS._idle}


def test_processes_end_with_the_program():
    script = (
        "import io, os; from PIL import Image; from assistant.images import load_image\n"
        "from assistant.images.decoders import DECODERS\n"
        "out = io.BytesIO(); Image.new('L', (9, 9)).save(out, 'TIFF')\n"
        "DECODERS._seconds.append(30); load_image(out.getvalue())\n"
        "print(DECODERS._idle[0]._process.pid, flush=True); os._exit(1)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    until = time.monotonic() + 10
    while _runs(int(run.stdout)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _runs(int(run.stdout))


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False


def test_secrets_stay_where_they_are(monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "hush-hush")
    assert not any("hush-hush" in value for value in decoders._environment().values())


def test_the_time_for_a_picture_is_chosen_by_the_environment(monkeypatch):
    monkeypatch.setenv("LOOKTWICE_DECODE_SECONDS", "2.5")
    assert Decoders().seconds == 2.5
    monkeypatch.setenv("LOOKTWICE_DECODE_SECONDS", "soon")
    with pytest.raises(ImageError, match="LOOKTWICE_DECODE_SECONDS is 'soon', which is no number of seconds"):
        _ = Decoders().seconds
