"""The study of a watched line: what it drops is what it wants found, and what is missing or doubled is counted."""

import hashlib
import random
from collections import Counter

from assistant.eval.research import line
from assistant.eval.research.line_arrivals import WAYS, Arriving, draw_part
from assistant.eval.research.line_program import judge
from assistant.images.decoding import PictureFile


def test_all_that_is_dropped_lies_there_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.eval.research.line_arrivals.STAYS", 0)
    (tmp_path / "in").mkdir()
    arriving = Arriving(tmp_path / "in", tmp_path / "elsewhere", 30, 3, 1e6, random.Random(0), lambda: 1000)
    arriving.run(60)
    assert arriving.dropped == 30 == 3 * len(WAYS)
    there = [path for path in (tmp_path / "in").rglob("*") if path.is_file()]
    found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in there if "broken" not in path.name}
    broken = {f"broken {path.name}" for path in there if "broken" in path.name}
    assert found | broken == set(arriving.wanted) and len(broken) == 3
    assert not list((tmp_path / "in").rglob("*.tmp")) and any(path.is_symlink() for path in there)


def test_what_is_missing_or_doubled_is_counted():
    assert line._row("x", Counter("abc"), Counter("aab")) == ("x", 3, 1, 1, 0)
    sent = Counter("aabbb")
    assert line._row("x", Counter("ab"), Counter({*sent}), sent) == ("x", 2, 0, 0, 3)


def test_its_judge_tells_bad_from_good_and_from_broken():
    pictures = [draw_part(1, bad=False), draw_part(2, bad=True), draw_part(3, bad=True)[:500]]
    rows = judge(iter([PictureFile(f"{i}.png", data) for i, data in enumerate(pictures)]))
    assert [row.outcome for row in rows] == ["good", "defect", "error"]
