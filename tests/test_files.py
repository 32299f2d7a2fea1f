"""Files are whole or not there, private ones their owner's alone, and what a killed program leaves goes."""

import os
import stat
import subprocess
import sys

import pytest

from assistant.files import make_private, remove_left_overs, write_atomically
from assistant.products.store import ProductStore
from assistant.records.history import History

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")

KILLED = """
import os, signal, sys
from pathlib import Path
from assistant import files
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(Path(sys.argv[1]), b"half", private=True)
"""


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_private_files_are_their_owners_alone_whatever_the_umask(tmp_path, umask):
    assert mode(write_atomically(tmp_path / "a", b"x", private=True)) == 0o600
    make_private(tmp_path / "b")
    assert mode(tmp_path / "b") == 0o600
    (tmp_path / "b").chmod(0o640)
    make_private(tmp_path / "b")  # somebody shares it
    assert mode(tmp_path / "b") == 0o640
    assert mode(write_atomically(tmp_path / "c", b"x")) == 0o666 & ~umask


@posix
def test_what_holds_pictures_conversations_and_names_is_private(tmp_path, inspector, good):
    before = os.umask(0)
    try:
        store = ProductStore(tmp_path / "kept")
        product = inspector.learn("cloth", [good(i) for i in range(3)])
        store.save(inspector.teach(product, [good(7)], "good"))
        for where in (tmp_path / "a.sqlite", f"sqlite:///{tmp_path}/b.sqlite"):
            History(where).add(inspector.inspect(good(8)))
    finally:
        os.umask(before)
    kept = [file for file in (tmp_path / "kept").iterdir() if not file.name.endswith(".lock")]
    assert sorted(file.name for file in kept) == [
        "audit.jsonl",
        "cloth.product.safetensors",
        "cloth.undo.safetensors",
    ]
    kept += tmp_path.glob("*.sqlite*")
    assert len(kept) >= 5 and {file.name: mode(file) for file in kept} == {file.name: 0o600 for file in kept}


@posix
def test_left_overs_of_killed_saves_go_with_the_next_change(tmp_path, inspector, good):
    store = ProductStore(tmp_path)
    product = inspector.learn("cloth", [good(i) for i in range(2)])
    kept = store.save(product)
    long = store.path("a" * 60)
    for path in (kept, long):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        assert done.returncode == -9
    others = [".notes", ".cloth.product.safetensors.lock", ".page.html.0123456789abcdef", "cloth.0123456789abcdef"]
    for name in others:
        (tmp_path / name).touch()
    assert len(list(tmp_path.glob(".*.safetensors.*"))) == 2 and len(list(tmp_path.glob(".aaa*"))) == 1
    store.save(product)
    left = {file.name for file in tmp_path.iterdir()}
    assert left >= {kept.name, *others} and not any(
        name.startswith((".aaa", f".{kept.name}.")) for name in left - set(others)
    )


def test_left_overs_are_told_by_their_names(tmp_path):
    (tmp_path / f".{'b' * 40}.{'0' * 16}").touch()
    (tmp_path / f".{'b' * 39}.{'0' * 16}").touch()
    (tmp_path / ".x.part.00000000deadbeef").touch()
    (tmp_path / ".x.part.00000000DEADBEEF").touch()
    (tmp_path / ".x.part.deadbeef").touch()
    remove_left_overs(tmp_path, [".part"])
    assert len(list(tmp_path.iterdir())) == 3
