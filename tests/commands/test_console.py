"""What is shown obeys nobody: escape bytes in names, errors, labels and answers are written out."""

import json
import os

import pytest

from assistant.commands import console
from assistant.images.sources import find_images, fit_to_print
from assistant.inspection import Answer, Inspection, Region, Seen
from assistant.inspector import Inspector

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m[red]x"


def row(path):
    region = Region("R1", (0, 0, 4, 4), 16, 0.1, 0.5, "top", "slight")
    return Inspection(path, "ok", None, "zero-shot", 0.3, 0.2, 0.2, 0.1, "defect", (region,), 20, 20)


@pytest.mark.parametrize(
    "show",
    [
        lambda: console._print_line(row(f"a/{EVIL}.png")),
        lambda: console._print_line(Inspection("b.png", "error", f"{EVIL} is no picture")),
        lambda: console._print_json(row(f"{EVIL}.png")),
        lambda: console.print_row({"name": EVIL}),
        lambda: console.say(f"Learned {EVIL}"),
        lambda: console.complain(f"There is no {EVIL}"),
        lambda: console.print_answer([Answer(EVIL[:4]), Answer(EVIL, notices=(EVIL,))]),
    ],
)
def test_a_terminal_is_told_nothing_by_what_is_shown(show, capfdbinary):
    show()
    out, err = capfdbinary.readouterr()
    shown = (out + err).decode()
    assert "owned" in shown and "31m" in shown
    assert not [c for c in shown if not c.isprintable() and c != "\n"]


def test_what_a_model_sees_stands_below_what_is_checked(capfdbinary):
    seen = (Seen("R1", f"A groove {EVIL}"), Seen("whole", "Even otherwise.", "maybe"))
    waiting = Answer("", notices=("Waiting for a model.",))
    last = Answer("[R1] lies at the top.", more="It is severe.", seen=seen, disagrees="The rim is open.")
    assert console.print_answer([waiting, waiting, Answer(last.text), last]) is last
    out, err = (stream.decode() for stream in capfdbinary.readouterr())
    checked, _, look = out.partition("not checked:")
    assert checked.startswith("[R1] lies at the top.\nIt is severe.\n") and "groove" not in checked
    assert "! A second look disagrees. The verdict is unchanged" in checked
    assert "~ [R1] A groove" in look and "~ Even otherwise. (maybe)" in look
    assert err.count("Waiting for a model.") == 1 and "\x1b[2J" not in out


def test_a_row_with_such_a_name_reads_back_the_same(capfdbinary):
    console._print_json(row(EVIL))
    assert Inspection.from_dict(json.loads(capfdbinary.readouterr()[0])) == row(EVIL)


@pytest.mark.parametrize("text", ["", "ünï 漢字 🙂", "two\nlines\tand a tab", "a[b]c"])
def test_ordinary_text_stays(text):
    assert fit_to_print(text) == text


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_link_to_nothing_is_one_error_row(inspector: Inspector, tmp_path, good):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name in ("gone.png", "loop.png"):
        [found] = inspector.inspect(list(find_images([tmp_path / name])))
        assert found.status == "error" and name in found.error
