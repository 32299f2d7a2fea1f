"""What a benchmark reports of an inspector: right figures, each picture encoded once, nothing measured twice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assistant.detection.built_in import BuiltInLimits
from assistant.errors import CalibrationError, LooktwiceError
from assistant.eval.benchmark import SIDE, Figure, Row, average, print_table, run_benchmark, to_markdown
from assistant.eval.datasets import Dataset, DatasetError, Sample
from assistant.inspection import Inspection
from assistant.products.config import LearnConfig


def draw(path: Path, size: tuple[int, int] = (8, 8), value: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Four good and four defective pictures; the lower half of a defect is outlined, but for the last one."""
    train = tuple(Sample(draw(tmp_path / f"train-{i}.png"), 0) for i in range(6))
    good = [Sample(draw(tmp_path / f"good-{i}.png"), 0) for i in range(4)]
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[4:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    bad = [
        Sample(draw(tmp_path / f"bad-{i}.png"), 1, tmp_path / "mask.png" if i < 3 else None, "dent")
        for i in range(4)
    ]
    return Dataset("shop/plate", train, (*good, *bad))


@dataclass
class Oracle:
    """Stands in for an `Inspector`: scores by file name and by how many references a product has."""

    scores: dict[str, float]
    noise: Callable[[Any], float] = lambda product: 0.0
    verdicts: tuple[float, float] = (0.4, 0.6)
    has_limits: bool = True

    def __post_init__(self) -> None:
        self.backbone = SimpleNamespace(card=SimpleNamespace(name="pocket"), digest="abc")
        self.detector = SimpleNamespace(trained=SimpleNamespace(digest="one"))
        self.learned: list[tuple[str, ...]] = []
        self.seen: list[str] = []
        self.mutual_calls = 0

    @property
    def limits(self) -> BuiltInLimits:
        if not self.has_limits:
            raise CalibrationError("There are no limits.")
        return BuiltInLimits("pocket", "abc", "a few", (0.1, 0.2))

    def learn(self, name: str, references: Sequence[Path], config: LearnConfig) -> Any:
        from assistant.products.product import check_name

        check_name(name)
        self.learned.append(tuple(path.name for path in references))
        return SimpleNamespace(references=self.learned[-1], config=config)

    def inspect_many(
        self, images: Iterator[Path], products: Sequence[Any], *, zero_shot_limits: bool
    ) -> Iterator[list[Inspection]]:
        for path in images:
            self.seen.append(path.name)
            rows = [(self._row(path, product), product or zero_shot_limits) for product in products]
            yield [row if decided else unrated(row) for row, decided in rows]

    def inspect(self, images: Iterator[Path], *, mode: str, tell: Any) -> Iterator[Inspection]:
        self.mutual_calls += 1
        return (replace(self._row(path, None), mode="mutual") for path in images)

    def _row(self, path: Path, product: Any) -> Inspection:
        score = self.scores.get(path.stem)
        if score is None:
            return Inspection(str(path), "error", "It is damaged.")
        score += self.noise(product)
        low, high = self.verdicts
        coarse = np.array([[0.0, 0.0], [score, score]], dtype=np.float32)
        return Inspection(
            path=str(path),
            mode="few-shot" if product else "zero-shot",
            score=score,
            p_value=0.5,
            threshold=high,
            review_threshold=low,
            verdict="defect" if score > high else "review" if score > low else "good",
            width=8,
            height=8,
            ms=10.0,
            coarse_map=coarse,
        )


def unrated(row: Inspection) -> Inspection:
    if row.status == "error":
        return row
    return replace(row, verdict="unrated", p_value=math.nan, threshold=math.nan, review_threshold=math.nan)


SCORES = {
    "good-0": 0.1, "good-1": 0.2, "good-2": 0.5, "good-3": 0.7,
    "bad-0": 0.3, "bad-1": 0.6, "bad-2": 0.8, "bad-3": 0.9,
}  # fmt: skip


def test_the_figures_are_those_of_the_scores_and_of_the_shipped_verdicts(dataset: Dataset) -> None:
    [row] = run_benchmark(Oracle(SCORES), [dataset], shots=[0], zero_shot_limits=True)
    assert (row.dataset, row.mode, row.shots, row.seeds) == ("shop/plate", "zero-shot", 0, 1)
    assert (row.good, row.defects, row.outlined, row.errors) == (4, 4, 7, 0)
    # Of the 16 pairs the defect scores higher in 2 + 3 + 4 + 4.
    assert row.image_auroc == Figure(13 / 16)
    assert row.overkill == Figure(1 / 4)  # good-3
    assert row.escape == Figure(1 / 4)  # bad-0
    assert row.review == Figure(2 / 8)  # good-2 and bad-1
    assert row.balanced_accuracy == Figure((2 / 4 + 2 / 4) / 2)
    assert row.overkill_at_2pct_escape == Figure(2 / 4)
    assert row.pixel_auroc and 0.8 < row.pixel_auroc.mean < 1
    assert row.ms == 10.0


def test_unrated_pictures_have_a_ranking_and_no_rates(dataset: Dataset) -> None:
    zero, few = run_benchmark(Oracle(SCORES), [dataset], shots=[0, 1], seeds=1)
    assert zero.image_auroc == Figure(13 / 16) and few.overkill is not None
    assert zero.overkill is zero.escape is zero.review is zero.balanced_accuracy is None


def test_each_picture_is_looked_at_once_for_all_draws(dataset: Dataset) -> None:
    oracle = Oracle(SCORES)
    rows = run_benchmark(oracle, [dataset], shots=(0, 1, 4), seeds=3)
    assert [(row.way, row.seeds) for row in rows] == [("0-shot", 1), ("1-shot", 3), ("4-shot", 3)]
    assert sorted(oracle.seen) == sorted(sample.image.name for sample in dataset.test)
    assert sorted(map(len, oracle.learned)) == [1, 1, 1, 4, 4, 4]
    assert len(set(oracle.learned)) == 6, "different seeds draw different references"


def test_the_first_references_are_those_of_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    oracle = Oracle(SCORES)
    run_benchmark(oracle, [dataset], shots=(1, 2), seeds=2, draw="first", out=tmp_path / "first.json")
    names = [sample.image.name for sample in dataset.train_good]
    assert oracle.learned == [(names[0],), (names[1],), tuple(names[:2]), tuple(names[2:4])]
    with pytest.raises(LooktwiceError, match="draw"):
        run_benchmark(oracle, [dataset], shots=(1, 2), seeds=2, out=tmp_path / "first.json")


def test_products_are_learned_as_was_asked(dataset: Dataset) -> None:
    asked: list[LearnConfig] = []

    class Learner(Oracle):
        def learn(self, name: str, references: Sequence[Path], config: LearnConfig) -> Any:
            asked.append(config)
            return super().learn(name, references, config)

    run_benchmark(Learner(SCORES), [dataset], shots=[1], seeds=1)
    run_benchmark(Learner(SCORES), [dataset], shots=[1], seeds=1, views="turns")
    run_benchmark(Learner(SCORES), [dataset], shots=[1], seeds=1, memory="trained")
    assert asked == [LearnConfig(), LearnConfig(views="turns"), LearnConfig(memory="trained")]


def test_mean_and_deviation_run_over_the_draws(dataset: Dataset) -> None:
    oracle = Oracle(SCORES)
    oracle.noise = lambda product: 0.25 if product.references == oracle.learned[0] else 0.0
    [row] = run_benchmark(oracle, [dataset], shots=[1], seeds=2)
    # With 0.25 more, good-2 and good-3 are called defects; without, good-3 alone.
    assert row.overkill is not None
    assert row.overkill.mean == pytest.approx(0.375)
    assert row.overkill.std == pytest.approx(0.125 * 2**0.5)


def test_a_picture_that_cannot_be_read_is_counted_and_left_out(dataset: Dataset) -> None:
    scores = {name: score for name, score in SCORES.items() if name != "bad-0"}
    [row] = run_benchmark(Oracle(scores), [dataset], shots=[0], zero_shot_limits=True)
    assert (row.good, row.defects, row.errors) == (4, 3, 1)
    assert row.escape == Figure(0.0)


def test_a_test_set_of_unreadable_pictures_has_no_figures(dataset: Dataset) -> None:
    [row] = run_benchmark(Oracle({}), [dataset], shots=[0])
    assert (row.good, row.defects, row.errors, row.image_auroc, row.overkill, row.ms) == (
        0,
        0,
        8,
        None,
        None,
        None,
    )


def test_without_masks_there_are_no_pixel_figures(dataset: Dataset) -> None:
    plain = replace(dataset, test=tuple(replace(sample, mask=None) for sample in dataset.test))
    [row] = run_benchmark(Oracle(SCORES), [plain], shots=[0])
    assert (row.pixel_auroc, row.aupro, row.pixel_ap, row.outlined) == (None, None, None, 0)
    assert row.image_auroc


def test_pixel_figures_of_large_pictures_come_from_a_smaller_copy(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = set()

    def load_mask(self: Sample, width: int, height: int) -> Any:
        sizes.add((width, height))

    class Large(Oracle):
        def _row(self, path: Path, product: Any) -> Inspection:
            return replace(super()._row(path, product), width=4 * SIDE, height=SIDE)

    monkeypatch.setattr(Sample, "load_mask", load_mask)
    run_benchmark(Large(SCORES), [dataset], shots=[0])
    assert sizes == {(SIDE, SIDE // 4)}


def test_mutual_mode_comes_last_and_is_one_draw(dataset: Dataset) -> None:
    oracle = Oracle(SCORES)
    rows = run_benchmark(oracle, [dataset], shots=[0], mutual=True)
    assert [(row.way, row.mode, row.seeds) for row in rows] == [
        ("0-shot", "zero-shot", 1),
        ("mutual", "mutual", 1),
    ]
    assert oracle.mutual_calls == 1
    assert rows[1].image_auroc == Figure(13 / 16)


def test_finished_rows_are_taken_over_from_the_file(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "results" / "rows.json"
    first = run_benchmark(Oracle(SCORES), [dataset], shots=(0, 1), out=out)
    again = Oracle(SCORES)
    [added] = run_benchmark(again, [dataset], shots=(4,), out=out)
    assert {len(drawn) for drawn in again.learned} == {4}, "only the missing row is measured"
    kept = json.loads(out.read_text())["rows"]
    assert sorted(row["shots"] for row in kept) == [0, 1, 4], "rows that were not asked for stay in the file"
    last = Oracle(SCORES)
    assert run_benchmark(last, [dataset], shots=(4, 0, 1), out=out) == [added, *first]
    assert not last.seen and not last.learned


def test_a_stopped_run_keeps_the_datasets_it_finished(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"

    def tell(sentence: str) -> None:
        if sentence.startswith("other"):
            raise KeyboardInterrupt

    other = replace(dataset, name="other")
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(Oracle(SCORES), [dataset, other], shots=[0], out=out, tell=tell)
    [row] = json.loads(out.read_text())["rows"]
    assert row["dataset"] == "shop/plate"


def test_results_of_other_settings_are_neither_used_nor_overwritten(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    run_benchmark(Oracle(SCORES), [dataset], shots=[0], out=out)
    before = out.read_bytes()
    with pytest.raises(LooktwiceError, match="differs in: seeds"):
        run_benchmark(Oracle(SCORES), [dataset], shots=[0], seeds=2, out=out)
    with pytest.raises(LooktwiceError, match="differs in: limits"):
        run_benchmark(Oracle(SCORES, has_limits=False), [dataset], shots=[0], out=out)
    with pytest.raises(LooktwiceError, match="differs in: memory"):
        run_benchmark(Oracle(SCORES), [dataset], shots=[0], memory="trained", out=out)
    assert out.read_bytes() == before
    out.write_text("{")
    with pytest.raises(LooktwiceError, match="no results"):
        run_benchmark(Oracle(SCORES), [dataset], shots=[0], out=out)


def test_a_row_of_fewer_pictures_is_measured_again(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    run_benchmark(Oracle(SCORES), [replace(dataset, test=dataset.test[1:])], shots=[0], out=out)
    [row] = run_benchmark(Oracle(SCORES), [dataset], shots=[0], out=out)
    assert row.good == 4
    assert len(json.loads(out.read_text())["rows"]) == 1


def test_requests_that_make_no_sense_are_refused_before_any_work(dataset: Dataset) -> None:
    oracle = Oracle(SCORES)
    with pytest.raises(DatasetError, match="6 good training pictures"):
        run_benchmark(oracle, [replace(dataset, name="first"), dataset], shots=[7])
    for wrong in ({"seeds": 0}, {"shots": [-1]}, {"memory": "sideways"}, {"memory": "trained", "views": "flips"}):
        with pytest.raises(LooktwiceError):
            run_benchmark(oracle, [dataset], **wrong)
    with pytest.raises(LooktwiceError, match="Two datasets are called shop/plate"):
        run_benchmark(oracle, [dataset, dataset])
    assert not oracle.seen and not oracle.learned


def test_the_limit_cuts_test_pictures_alone(dataset: Dataset) -> None:
    [row] = run_benchmark(Oracle(SCORES), [dataset], shots=[6], seeds=1, limit=4)
    assert (row.good, row.defects, row.shots) == (2, 2, 6)


ROWS = [
    Row("a", "few-shot", 4, 3, 10, 5, image_auroc=Figure(0.9, 0.021), overkill=Figure(0.1), ms=41.6),
    Row("b|c", "few-shot", 4, 3, 1, 2, errors=2, uncertain=7, image_auroc=Figure(0.8, 0.01)),
    Row("a", "mutual", 0, 1, 10, 5, image_auroc=Figure(0.7)),
]


def test_rows_survive_json() -> None:
    for row in ROWS:
        assert Row.from_dict(json.loads(json.dumps(row.to_dict()))) == row
    mutual = next(row for row in ROWS if row.mode == "mutual")
    assert Row.from_dict(mutual.to_dict() | {"mode": "batch"}) == mutual, "as results were written until 0.2"
    with pytest.raises(TypeError):
        Row.from_dict(ROWS[0].to_dict() | {"speed": 1})


def test_the_average_is_over_datasets_that_share_a_way_of_judging() -> None:
    [mean] = average(ROWS)
    assert (mean.dataset, mean.way, mean.good, mean.defects) == ("mean of 2", "4-shot", 11, 7)
    assert mean.image_auroc == Figure(pytest.approx(0.85))
    assert mean.overkill is None, "only one of the two has it"


def test_the_table_is_printed_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(ROWS)
    shown = capsys.readouterr().out
    for part in (
        "90.0 ± 2.1",
        "b|c",
        "4-shot",
        "mutual",
        "mean of 2",
        "85.0",
        "42",
        "balanced",
        "2 pictures could not",
    ):
        assert part in shown
    assert "…" not in shown


def test_markdown_has_a_line_a_row_and_says_what_is_left_out() -> None:
    text = to_markdown(ROWS)
    lines = text.splitlines()
    assert lines[0].startswith("| dataset | mode | image AUROC |")
    assert lines[2].startswith("| a | 4-shot | 90.0 ± 2.1 | - |")
    assert lines[3].startswith(r"| b\|c | 4-shot | 80.0 ± 1.0 |")
    assert "7 pictures of disputed truth" in text


def test_a_real_inspector_is_measured_as_it_decides(
    inspector: Any, good: Any, planted: Any, tmp_path: Path
) -> None:
    def save(pixels: Any, name: str) -> Path:
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    train = tuple(Sample(save(good(i), f"t{i}.png"), 0) for i in range(4))
    test = [Sample(save(good(100 + i), f"g{i}.png"), 0) for i in range(4)]
    for i in range(4):
        spoiled, (x0, y0, x1, y1) = planted(good(200 + i), 0.3 + 0.1 * i, 0.5)
        mask = np.zeros(spoiled.shape[:2], dtype=np.uint8)
        mask[y0:y1, x0:x1] = 255
        test.append(Sample(save(spoiled, f"b{i}.png"), 1, save(mask, f"m{i}.png"), "blot"))
    dataset = Dataset("cloth", train, tuple(test))
    rows = {row.way: row for row in run_benchmark(inspector, [dataset], shots=(0, 2), seeds=2, mutual=True)}
    product = inspector.learn("cloth", [s.image for s in dataset.references(2, 0)])
    alone = [result.verdict for result in inspector.inspect([s.image for s in test], product)]
    [row] = run_benchmark(inspector, [dataset], shots=[2], seeds=1)
    assert row.overkill == Figure(alone[:4].count("defect") / 4)
    assert row.escape == Figure(alone[4:].count("good") / 4)
    assert rows["2-shot"].image_auroc.mean == 1.0
    assert rows["2-shot"].pixel_auroc.mean > 0.85
    assert set(rows) == {"0-shot", "2-shot", "mutual"}
    assert all(r.outlined == 8 and r.ms > 0 for r in rows.values())
