"""CSV that a spreadsheet cannot run, and JSON lines that survive a stopped run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.images.sources import fit_to_print
from assistant.inspection import Inspection, Region
from assistant.records.rows import COLUMNS, JsonLines, write_csv, write_jsonl


def inspection(path: str = "a.png", **changes: Any) -> Inspection:
    fields: dict[str, Any] = {
        "mode": "few-shot",
        "score": 0.75,
        "p_value": 0.02,
        "threshold": 0.5,
        "review_threshold": 0.4,
        "verdict": "defect",
        "regions": (Region("R1", (10, 20, 30, 40), 300, 0.01, 0.75, "top left", "slight"),),
    }
    return Inspection(path=path, **{**fields, **changes})


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def test_an_inspection_is_one_flat_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    bad = Inspection(path="b.png", status="error", error="This file is empty.")
    assert write_csv([inspection(), bad], file) == 2
    first, second = read_csv(file)
    assert tuple(first) == COLUMNS
    assert (first["score"], first["verdict"], first["region_count"]) == ("0.75", "defect", "1")
    assert first["regions"] == "R1 top left slight 10,20,30,40"
    assert (second["status"], second["error"], second["score"]) == ("error", "This file is empty.", "")
    assert second["region_count"] == ""


def test_a_table_begins_with_the_mark_by_which_spreadsheets_know_its_letters(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    write_csv([inspection("Gehäuse_größer.png"), inspection("部品.png")], file)
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfpath,status,") and content.count(b"\xef\xbb\xbf") == 1
    assert [row["path"] for row in read_csv(file)] == ["Gehäuse_größer.png", "部品.png"]


@pytest.mark.parametrize(
    "name",
    [
        "=HYPERLINK(1)",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "\r=1",
        "\n=1",
        "  =1",
        " " * 500 + "=1",
        "\u00a0" * 70 + "+1",
        "\u200b=1",
        "＝1",
        "-5",
    ],
)
def test_text_that_looks_like_a_formula_is_marked_as_text(tmp_path: Path, name: str) -> None:
    file = tmp_path / "rows.csv"
    write_csv([{"path": name, name: 1}], file, ["path", name])
    with file.open(encoding="utf-8-sig", newline="") as source:
        header, row = csv.reader(source)
    assert header[1] == row[0] == "'" + name


@pytest.mark.parametrize("name", ["a=b.png", "part-1.png", "it's.png", "ünï 漢字 🙂.png", 'quo"te,comma', "a\nb"])
def test_ordinary_names_stay_as_they_are(tmp_path: Path, name: str) -> None:
    file = tmp_path / "rows.csv"
    write_csv([inspection(name)], file)
    assert read_csv(file)[0]["path"] == name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a\x1b]0;owned\x07.png", r"a\x1b]0;owned\x07.png"),
        ("\x9b31mred", r"\x9b31mred"),
        ("\x1b=1", r"'\x1b=1"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(tmp_path: Path, name: str, kept: str) -> None:
    file = tmp_path / "rows.csv"
    write_csv([{"path": name}], file, ["path"])
    assert read_csv(file)[0]["path"] == kept


def test_negative_numbers_stay_numbers(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    write_csv([{"a": -0.5, "b": -3, "c": float("nan"), "d": None, "e": True, "f": [1, "x"]}], file, "abcdef")
    assert list(read_csv(file)[0].values()) == ["-0.5", "-3", "", "", "true", '[1, "x"]']


@given(st.text(max_size=20))
def test_no_cell_starts_a_formula(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        write_csv([{"path": text}], file, ["path"])
        with file.open(encoding="utf-8-sig", newline="") as source:
            cell = list(csv.reader(source))[1:]
    (value,) = cell[0] if cell and cell[0] else ("",)
    plain = fit_to_print(text)
    assert value in (plain, f"'{plain}")
    assert value.strip()[:1] not in tuple("=+-@")


def test_a_stopped_run_leaves_whole_csv_rows(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"

    def interrupted() -> Iterator[Inspection]:
        yield inspection("1.png")
        yield inspection("2.png")
        assert [row["path"] for row in read_csv(file)] == ["1.png", "2.png"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(interrupted(), file)
    assert [row["path"] for row in read_csv(file)] == ["1.png", "2.png"]


def test_json_lines_read_back_as_inspections(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [inspection("漢\n字.png"), Inspection(path="x", status="error", error="No.")]
    assert write_jsonl(rows, file) == 2
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [Inspection.from_json(line) for line in lines] == rows


def test_a_name_that_is_not_unicode_reads_back_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"part\xff.png")
    write_jsonl([inspection(name)], tmp_path / "rows.jsonl")
    line = (tmp_path / "rows.jsonl").read_text(encoding="utf-8")
    assert Inspection.from_json(line).path == name
    write_csv([inspection(name)], tmp_path / "rows.csv")
    assert "part" in read_csv(tmp_path / "rows.csv")[0]["path"]


def test_a_row_that_is_not_strict_json_spoils_no_other(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with pytest.raises(ValueError, match="JSON"), JsonLines(file) as lines:
        lines.write({"a": 1})
        lines.write({"a": float("nan")})
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"a": 1}]


def test_closing_syncs_to_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    lines = JsonLines(tmp_path / "rows.jsonl")
    lines.write({"a": 1})
    assert not synced
    lines.close()
    lines.close()
    assert len(synced) == 1


def test_killed_in_the_middle_every_written_row_is_there(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    code = (
        "import os, signal, sys; from assistant.records.rows import JsonLines\n"
        "lines = JsonLines(sys.argv[1])\n"
        "for n in range(50): lines.write({'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)])
    assert done.returncode == -signal.SIGKILL
    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == list(range(50))
