import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, Sample
from assistant.eval.research.mutual import Batch, draw_pictures, main, read_batches, tell_rates


def made(name="set", good=20, bad=20):
    train = tuple(Sample(Path(f"{name}-g{i}"), 0) for i in range(good // 2))
    rest = tuple(Sample(Path(f"{name}-g{i}"), 0) for i in range(good // 2, good))
    return Dataset(name, train, (*rest, *(Sample(Path(f"{name}-b{i}"), 1, defect="cut") for i in range(bad))))


def scored(defects, apart, count=40, product="set", groups=None):
    random = np.random.default_rng(defects)
    bad = tuple(i < defects for i in range(count))
    logs = random.normal(-1.5, 0.08, count) + apart * np.array(bad)
    return Batch(product, 0, tuple(np.exp(logs).tolist()), bad, groups or tuple(range(count)))


def row(batches, kind):
    [line] = [line for line in tell_rates(batches) if line.startswith(f"| {kind} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_batch_has_as_many_defects_as_asked_and_no_picture_twice():
    pictures = draw_pictures(made(), 20, 5, draw=1)
    assert len({path for path, _ in pictures}) == 20
    assert [bad for path, bad in pictures] == ["-b" in path.name for path, _ in pictures]
    assert sum(bad for _, bad in pictures) == 5
    assert draw_pictures(made(), 20, 5, draw=1) == pictures != draw_pictures(made(), 20, 5, draw=2)
    with pytest.raises(LooktwiceError, match="too few"):
        draw_pictures(made(good=10), 20, 5, draw=0)


def test_the_table_counts_what_escapes_and_what_is_turned_away():
    far, hidden = scored(20, apart=1.0), scored(20, apart=0.0)
    assert row([far], "40, 20")[3] == "0.0" and float(row([hidden], "40, 20")[3]) >= 50
    assert row([far], "40, 20")[6] == "100" and row([hidden], "40, 20")[6] == "0"
    assert row([far, hidden], "40, 20")[6] == "50"
    assert row([scored(0, apart=0.0)], "40, 0")[3] == "–"


def test_near_copies_have_one_voice_and_three_pictures_of_one_part_no_limits():
    batch = scored(0, 0.0, count=3, groups=(0, 0, 2))
    assert batch.voices == [batch.scores[1], batch.scores[2]]
    assert len(list(tell_rates([batch]))) == 2


def test_scores_that_were_kept_are_not_measured_again(tmp_path):
    kept = tmp_path / "scores.json"
    assert read_batches(kept) == []
    kept.write_text(json.dumps([asdict(scored(4, 0.6))]))
    assert read_batches(kept) == [scored(4, 0.6)]
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--scores", str(kept)])
    assert result.exit_code == 0 and "| 40, 4 |" in result.output
