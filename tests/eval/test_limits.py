"""Limits come from good pictures in equal measure, and the prior is what products really show."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from assistant.detection.built_in import load_limits
from assistant.detection.calibration import Prior
from assistant.errors import LooktwiceError
from assistant.eval.datasets import DatasetError
from assistant.eval.limits import (
    Group,
    Spread,
    fit_prior,
    good_pictures,
    measure_limits,
    measure_spread,
    score_table,
    write_limits,
)


def save(folder: Path, pixels: list[Any]) -> Path:
    folder.mkdir(parents=True)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


def category(folder: Path, good: Any, count: int = 3) -> Path:
    save(folder / "train" / "good", [good(i) for i in range(count)])
    save(folder / "test" / "hole", [good(90)])
    return folder


def test_groups_are_datasets_of_one_product_or_folders_of_all_sorts(tmp_path: Path, good: Any) -> None:
    category(tmp_path / "set" / "cloth", good)
    save(tmp_path / "walls" / "deep", [good(7), good(8)])
    cloth, walls = good_pictures([f"my cloth={tmp_path}/set/cloth", f"{tmp_path}/walls"])
    assert (cloth.name, len(cloth.pictures), cloth.one_product) == ("my cloth", 3, True)
    assert {Path(p).parent.name for p in cloth.pictures} == {"good"}, "test pictures are not taken"
    assert (walls.name, len(walls.pictures), walls.one_product) == ("walls", 2, False)
    category(tmp_path / "set" / "felt", good)
    names = [group.name for group in good_pictures([f"both={tmp_path}/set"])]
    assert names == ["both set/cloth", "both set/felt"]


def test_a_group_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LooktwiceError, match="'none' has no picture"):
        good_pictures([f"none={tmp_path}/empty"])
    with pytest.raises(DatasetError):
        good_pictures([f"gone={tmp_path}/gone"])


def test_every_group_has_the_same_say(inspector: Any, good: Any) -> None:
    groups = [
        Group("cloth", tuple(good(i) for i in range(9))),
        Group("fine cloth", tuple(good(50 + i) for i in range(5))),
    ]
    limits = measure_limits(inspector, groups)
    assert len(limits.zero_shot) == 10
    assert limits.source == "10 good pictures of 2 kinds (cloth, fine cloth)"
    assert (limits.bundle, limits.weights) == ("tiny-cnn", inspector.backbone.digest)
    assert limits.prior == Prior(), "no group is one product"
    assert len(measure_limits(inspector, groups, most=3).zero_shot) == 6
    assert measure_limits(inspector, groups).zero_shot == limits.zero_shot
    assert measure_limits(inspector, groups, seed=1).zero_shot != limits.zero_shot


def test_scores_are_those_that_users_see(inspector: Any, good: Any, planted: Any) -> None:
    product = inspector.learn("cloth", [good(1), good(2)])
    pictures = [good(3), planted(good(4), 0.5, 0.5)[0]]
    table = np.stack([*score_table(inspector, pictures, [None, product])])
    zero = [row.score for row in inspector.inspect(pictures)]
    few = [row.score for row in inspector.inspect(pictures, product)]
    assert table[:, 0] == pytest.approx(zero, rel=1e-5)
    assert table[:, 1] == pytest.approx(few, rel=1e-5)


def test_a_bad_picture_stops_the_measurement_with_a_sentence(inspector: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(LooktwiceError, match="A good picture cannot be used"):
        measure_limits(inspector, [Group("broken", (broken,))])


def test_the_spread_of_a_varied_product_is_larger(inspector: Any, good: Any) -> None:
    even = Group("even", tuple(good(i) for i in range(12)), one_product=True)
    light = np.linspace(0.4, 1.3, 12)
    varied = Group("varied", tuple((good(i) * s).clip(0, 255).astype(np.uint8) for i, s in enumerate(light)), True)
    one, other = (measure_spread(inspector, group, draws=3) for group in (even, varied))
    assert 0 < one.variance < other.variance
    assert np.mean(one.gaps) < np.mean(other.gaps)
    assert len(one.gaps) == 3
    assert measure_spread(inspector, even, draws=3) == one


def test_references_do_not_count_as_held_out(good: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference scores low against itself; all others here score 2, and changed views of a reference 1."""
    pictures = tuple(good(i, 32, 32) for i in range(12))

    class Learner:
        def learn(self, name: str, references: list[Any]) -> list[Any]:
            return references

    def score_table(inspector: Any, shown: Any, products: list[list[Any]]) -> Any:
        for picture in shown:
            known = any(picture is one for one in pictures)
            yield np.array([(2.0 if known else 1.0, 1e-6)[any(picture is r for r in p)] for p in products])

    monkeypatch.setattr("assistant.eval.limits.score_table", score_table)
    spread = measure_spread(Learner(), Group("cloth", pictures, one_product=True), draws=4)
    assert spread.variance == 0
    assert spread.gaps == pytest.approx([math.log(2)] * 4)


def test_only_a_product_of_enough_pictures_teaches(inspector: Any, good: Any) -> None:
    few = Group("few", tuple(good(i) for i in range(11)), one_product=True)
    assert measure_limits(inspector, [few]).prior == Prior()
    enough = Group("enough", tuple(good(i) for i in range(12)), one_product=True)
    told: list[str] = []
    prior = measure_limits(inspector, [enough, few], tell=told.append).prior
    assert prior == fit_prior([measure_spread(inspector, _as_drawn(enough))])
    assert any("enough: spread" in sentence for sentence in told)


def _as_drawn(group: Group) -> Group:
    order = np.random.default_rng(0).permutation(len(group.pictures))
    return Group(group.name, tuple(group.pictures[i] for i in order), True)


def test_the_prior_is_what_the_products_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    variances = 0.01 * 5.0 / rng.chisquare(5.0, size=4000)
    spreads = [Spread("", v * rng.chisquare(40) / 40, (0.1,), 40) for v in variances]
    prior = fit_prior(spreads)
    assert prior.spread == pytest.approx(0.1, rel=0.03)
    assert prior.weight == pytest.approx(5.0, rel=0.1)


def test_one_product_that_varies_much_makes_the_prior_light_and_not_wide() -> None:
    spreads = [Spread(n, v, (0.0,), 50) for n, v in (("a", 0.05), ("b", 0.002), ("c", 0.003))]
    prior = fit_prior(spreads)
    assert prior.weight < 2
    assert prior.spread < 0.1 < math.sqrt(np.mean([s.variance for s in spreads]))


def test_the_gap_by_hand() -> None:
    spreads = [Spread("a", 0.02, (0.1, 0.3), 40, 0.01), Spread("b", 0.04, (0.5, 0.7), 40, 0.03)]
    prior = fit_prior(spreads)
    assert prior.gap == pytest.approx(0.4)
    expected = math.sqrt(np.var([0.1, 0.3, 0.5, 0.7], ddof=1) + 0.02)
    assert prior.gap_spread == pytest.approx(expected, rel=1e-3)


def test_one_product_says_nothing_about_how_products_differ() -> None:
    prior = fit_prior([Spread("a", 0.04, (0.2, 0.3), 400)])
    assert prior.weight == Prior().weight < fit_prior([Spread(n, 0.04, (0.2,)) for n in "ab"]).weight


def test_the_prior_of_products_that_agree_is_bounded() -> None:
    alike = fit_prior([Spread("a", 0.04, (0.2, 0.2)), Spread("b", 0.04, (0.2, 0.2))])
    assert (alike.weight, alike.gap_spread) == (20.0, 0.01)


def test_the_command_writes_a_file_that_is_loaded(
    tmp_path: Path, good: Any, inspector: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save(tmp_path / "walls", [good(i) for i in range(20)])
    monkeypatch.setattr("assistant.eval.limits.Inspector.from_pretrained", lambda bundle: inspector)
    out = tmp_path / "tiny-cnn.limits.json"
    assert write_limits([f"walls={folder}"], "tiny-cnn", out) == out
    monkeypatch.setattr("assistant.detection.built_in.user_limits", lambda bundle: out)
    limits = load_limits("tiny-cnn", inspector.backbone.digest)
    assert limits.source == "20 good pictures of 1 kinds (walls)"
    assert limits.calibration(0.05).threshold == max(limits.zero_shot)
    with pytest.raises(LooktwiceError, match="There is no"):
        write_limits([f"none={tmp_path / 'none'}"], "tiny-cnn", out)
    assert "zero-shot threshold" in capsys.readouterr().err
