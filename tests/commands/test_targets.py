"""Where commands write: endings are judged before the work, streams are written to and never replaced."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from assistant.commands import main, targets
from assistant.commands.outputs import Outputs
from assistant.errors import LooktwiceError
from assistant.inspection import Inspection
from assistant.records.history import History

STREAMS = ("-", "/dev/stdout")


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """run(*arguments) -> (exit status, standard output, standard error); no model is loaded, nor asked for."""
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(tmp_path / "history.sqlite"))
    monkeypatch.setattr("assistant.inspector.Inspector.from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30)).save(tmp_path / "part.png")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def kept(tmp_path):
    with closing(History(tmp_path / "history.sqlite")) as history:
        for name in ("Gehäuse.png", "b.png"):
            history.add(Inspection(path=name, status="error", error="This file is empty."), lot="7")


@pytest.mark.parametrize(
    "command",
    [
        "inspect part.png --out rows.xlsx",
        "inspect part.png --out rows.csv",
        "inspect part.png --csv table.jsonl",
        "inspect part.png --report page.docx",
        "inspect part.png --out folder",
        "inspect part.png --csv part.png/table.csv",
        "batch part.png --out rows.parquet",
        "batch part.png --out rows",
        "batch --resume --out rows.html",
        "ask part.png why --report answer.txt",
        "history export rows.xml",
        "history show 1 --report one.csv",
        "history report lot.json",
        "eval part.png --out numbers.csv",
        "eval mmad part.png --out answers.csv",
        "limits x=part.png --out limits.safetensors",
    ],
)
def test_an_unfit_output_is_refused_in_one_sentence_before_anything_is_done(run, tmp_path, command):
    (tmp_path / "folder").mkdir()
    before = set(tmp_path.rglob("*"))
    status, out, err = run(*command.split())
    assert (status, out) == (2, "") and len(err.strip().splitlines()) == 1
    assert set(tmp_path.rglob("*")) - {tmp_path / "history.sqlite"} <= before


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder in which everything lies that looktwice keeps."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name, file in (("PRODUCTS", ""), ("HISTORY", "past.jsonl"), ("KEYS", "keys.json")):
        monkeypatch.setenv(f"LOOKTWICE_{name}", str(folder / file))
    for name in ("past.jsonl", "keys.json", "audit.jsonl", "cap.product.safetensors"):
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "inspect part.png --out shelf/audit.jsonl",
        "inspect part.png --out shelf/keys.json",
        "inspect part.png --csv alias.csv",
        "inspect part.png --out second.txt",
        "batch part.png --out shelf/../shelf/past.jsonl",
        "history export shelf/audit.jsonl",
        "check cap --good part.png --bad part.png --out shelf/keys.json",
        "eval part.png --out shelf/keys.json",
        "train detector part.png --out shelf/cap.product.safetensors",
    ],
)
def test_nothing_is_written_over_what_is_kept(run, shelf, tmp_path, command):
    (tmp_path / "alias.csv").symlink_to(shelf / "keys.json")
    os.link(shelf / "cap.product.safetensors", tmp_path / "second.txt")
    status, out, err = run(*command.split())
    assert (status, out) == (2, "") and "which looktwice keeps" in err and len(err.strip().splitlines()) == 1
    assert all(file.read_text() == file.name for file in shelf.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        "eval mmad data --out data/mmad.json",
        "eval mmad data --out alias.jsonl",
        "limits x=part.png --out seen.json --draws data/../seen.json",
    ],
)
def test_what_is_measured_is_not_written_over(run, tmp_path, command):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mmad.json").write_text("{}")
    (tmp_path / "alias.jsonl").symlink_to(tmp_path / "data" / "mmad.json")
    status, out, err = run(*command.split())
    assert (status, out) == (2, "") and len(err.strip().splitlines()) == 1
    assert "name one file" in err or "--out would replace mmad.json" in err
    assert (tmp_path / "data" / "mmad.json").read_text() == "{}" and not (tmp_path / "seen.json").exists()


def test_the_log_is_kept_before_its_first_line_and_other_files_beside_it_are_free(shelf):
    (shelf / "audit.jsonl").unlink()
    with pytest.raises(LooktwiceError, match="--out would replace audit.jsonl"):
        targets.check_target("--out", shelf / "audit.jsonl", targets.ROWS)
    targets.check_target("--out", shelf / "rows.jsonl", targets.ROWS)


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
def test_pipes_and_devices_are_written_to_and_stay(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with targets.written(pipe, ".csv") as file:
        file.write_bytes(b"\xef\xbb\xbfa,b\n")
    reader.join(10)
    assert read == [b"a,b\n"] and pipe.is_fifo()
    device = Path(os.devnull)
    targets.check_target("--csv", device, targets.TABLE)
    with targets.written(device, ".csv") as file:
        assert file != device
        file.write_bytes(b"x")
    assert device.is_char_device()


def test_what_was_written_before_an_end_comes_out(tmp_path, capfdbinary):
    with pytest.raises(KeyboardInterrupt), targets.written(Path("-"), ".csv") as file:
        file.write_bytes(b"half\n")
        raise KeyboardInterrupt
    assert capfdbinary.readouterr().out == b"half\n"


def test_a_folder_is_made_and_one_that_cannot_be_is_told(tmp_path):
    with targets.written(tmp_path / "new" / "deep" / "t.csv", ".csv") as file:
        assert file.parent.is_dir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(LooktwiceError, match="cannot be written"),
        targets.written(tmp_path / "file" / "t.csv", ".csv"),
    ):
        pass


def test_two_outputs_may_not_share_standard_output(run):
    status, _, err = run("inspect", "part.png", "--out", "-", "--csv", "/dev/stdout")
    assert status == 2 and "--out and --csv name one file" in err


@pytest.mark.parametrize("stream", STREAMS)
def test_rows_are_shown_where_nothing_else_is(stream):
    assert Outputs().printed and Outputs(rows=Path(stream)).printed and Outputs(csv=Path("t.csv")).printed
    assert not Outputs(csv=Path(stream)).printed and not Outputs(report=Path(stream)).printed
    assert not Outputs(rows=Path("rows.jsonl")).printed


@pytest.mark.parametrize("stream", STREAMS)
def test_the_history_is_exported_and_reported_to_standard_output(run, kept, stream):
    status, out, err = run("history", "export", stream)
    assert status == 0 and [json.loads(line)["lot"] for line in out.splitlines()] == ["7", "7"]
    assert "2 rows on standard output" in err
    status, out, _ = run("history", "report", stream)
    assert status == 0 and out.lower().startswith("<!doctype html>")
    status, out, _ = run("history", "show", "1", "--report", stream)
    assert status == 0 and out.lower().startswith("<!doctype html>") and out.rstrip().endswith("</html>")


def test_each_file_is_named(run, kept, tmp_path):
    for command, file in (
        ("history export", "deep/rows.csv"),
        ("history report", "lot.html"),
        ("history show 1 --report", "pages"),
    ):
        status, _, err = run(*command.split(), file)
        assert status == 0 and f"{file}" in err, command
    assert (tmp_path / "pages" / "report.html").is_file() and (tmp_path / "deep" / "rows.csv").is_file()


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no such name here")
def test_the_name_of_standard_output_is_no_file_to_replace(kept, tmp_path):
    before = os.readlink("/dev/stdout") if os.path.islink("/dev/stdout") else None
    code = "import sys; from assistant.commands import main; main.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "history", "report", "/dev/stdout"],
        env=os.environ | {"LOOKTWICE_HISTORY": str(tmp_path / "history.sqlite")},
        capture_output=True,
    )
    assert done.returncode == 0 and b"</html>" in done.stdout
    assert (os.readlink("/dev/stdout") if os.path.islink("/dev/stdout") else None) == before


def test_a_table_on_standard_output_has_no_mark(tmp_path, capfdbinary):
    from assistant.records.rows import write_csv

    with targets.written(Path("-"), ".csv") as file:
        write_csv([Inspection(path="Gehäuse.png", status="error", error="x")], file)
    out = capfdbinary.readouterr().out
    [row] = csv.DictReader(io.StringIO(out.decode("utf-8")))
    assert row["path"] == "Gehäuse.png"
