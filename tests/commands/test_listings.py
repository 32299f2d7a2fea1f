"""Lists are one JSON value where asked for, whole names into a pipe, and fit a terminal of 80 columns."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest

from assistant.inspection import Inspection
from assistant.products.store import ProductStore
from assistant.records.history import History
from assistant.service.keys import KeyRing

NAME = "left bracket of the second press - cast - rev. D"
PICTURE = "camera-03_2026-03-07T11-52-09.481_left-bracket-of-the-second-press.png"
LISTS = ("products", "history list", "audit show", "keys list", "bundles")


@pytest.fixture
def home(inspector, good, tmp_path, monkeypatch):
    for name in ("PRODUCTS", "HISTORY", "KEYS"):
        monkeypatch.setenv(f"LOOKTWICE_{name}", str(tmp_path / name))
    store = ProductStore()
    store.save(inspector.learn(NAME, [good(i) for i in range(2)]))
    (store.folder / "broken.product.safetensors").write_bytes(b"no product")
    with closing(History(tmp_path / "HISTORY")) as history:
        when = datetime(2026, 3, 7, tzinfo=UTC).isoformat()
        history.add(Inspection(path=PICTURE, status="error", error="Empty.", product=NAME, created=when))
    KeyRing(tmp_path / "KEYS").add("Ötto", "operator")
    return os.environ | {"TERM": "xterm", "NO_COLOR": "1"}


def shell(home, *arguments):
    code = "from assistant.commands import main; main.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=home, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("words", LISTS)
def test_json_is_one_list_on_standard_output_and_nothing_else(home, words):
    done = shell(home, *words.split(), "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0 and isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)
    assert len(done.stdout.splitlines()) == len(rows)
    if words == "products":
        assert [(row["name"], bool(row["error"])) for row in rows] == [("broken", True), (NAME, False)]
    if words == "keys list":
        assert rows[0]["name"] == "Ötto" and "digest" not in rows[0]


@pytest.mark.parametrize("words", LISTS[:-1])
def test_nothing_kept_is_an_empty_list(tmp_path, words):
    home = os.environ | {
        f"LOOKTWICE_{name}": str(tmp_path / "none" / name) for name in ("PRODUCTS", "HISTORY", "KEYS")
    }
    done = shell(home, *words.split(), "--json")
    assert (done.returncode, done.stdout.strip()) == (0, "[]")


def test_into_a_pipe_no_name_is_cut_or_broken(home):
    assert NAME in shell(home | {"COLUMNS": "40"}, "products").stdout


@pytest.mark.parametrize(("words", "whole"), [("products", NAME), ("history list", PICTURE), ("audit show", NAME)])
def test_a_table_fits_80_columns_and_shows_whole_names(home, words, whole):
    main_end, end = pty.openpty()
    code = "from assistant.commands import main; main.main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words.split()],
        env=home | {"COLUMNS": "80"},
        stdout=end,
        stderr=subprocess.DEVNULL,
    )
    os.close(end)
    shown = b""
    while True:
        try:
            piece = os.read(main_end, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    process.wait(60)
    os.close(main_end)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    lines = text.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80 and "…" not in text
    cells = [line.split("│") for line in lines]
    columns = ["".join(cell[n].strip() for cell in cells if len(cell) > n).replace(" ", "") for n in range(1, 9)]
    assert any(whole.replace(" ", "") in column for column in columns), text


def test_a_sentence_into_a_pipe_is_one_line(home, tmp_path):
    deep = tmp_path / ("folder-" * 12) / "rows.csv"
    done = shell(home, "history", "export", str(deep))
    assert done.returncode == 0 and str(deep) in done.stderr
