"""Limits come from good pictures in equal measure, and the prior is what products really show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawn_parts import draw_part
from PIL import Image

from assistant.detection.built_in import BuiltInLimits, load_limits
from assistant.detection.prior import Prior
from assistant.errors import LooktwiceError
from assistant.eval.datasets import DatasetError
from assistant.eval.draws import read_draws, write_draws
from assistant.eval.limits import (
    Group,
    good_pictures,
    measure_limits,
    measure_prior,
    write_limits,
    zero_shot_scores,
)
from assistant.eval.prior_fit import fit_prior


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
    pictures = [good(3), planted(good(4), 0.5, 0.5)[0]]
    seen = [row.score for row in inspector.inspect(pictures)]
    assert [*zero_shot_scores(inspector, pictures)] == pytest.approx(seen, rel=1e-5)


def test_a_bad_picture_stops_the_measurement_with_a_sentence(inspector: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(LooktwiceError, match="A good picture cannot be used"):
        measure_limits(inspector, [Group("broken", (broken,))])


def test_only_a_product_of_enough_pictures_teaches(inspector: Any, good: Any, tmp_path: Path) -> None:
    few = Group("few", tuple(good(i) for i in range(11)), one_product=True)
    assert measure_limits(inspector, [few]).prior == Prior()
    enough = Group("enough", tuple(good(i) for i in range(12)), one_product=True)
    told: list[str] = []
    kept = tmp_path / "draws.json"
    prior = measure_prior(inspector, [enough, few], tell=told.append, kept=kept)
    draws = read_draws(kept)
    assert {draw.product for draw in draws} == {"enough"} and prior == fit_prior(draws)
    assert len(told) == 1 and "enough: " in told[0]
    assert measure_prior(None, [enough], kept=kept) == prior, "what is kept is not measured again"


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


def test_the_prior_alone_leaves_the_zero_shot_scores(
    tmp_path: Path, good: Any, inspector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.eval.limits.Inspector.from_pretrained", lambda bundle: inspector)
    before = BuiltInLimits(
        "tiny-cnn", inspector.backbone.digest, "things", tuple(0.1 + i / 100 for i in range(40))
    )
    monkeypatch.setitem(inspector.__dict__, "limits", before)
    category(tmp_path / "set" / "cloth", good, 12)
    out = write_limits([f"cloth={tmp_path}/set/cloth"], "tiny-cnn", tmp_path / "l.json", prior_only=True)
    after = json.loads(out.read_text())
    assert after["zero_shot"] == pytest.approx(before.zero_shot)
    assert Prior.from_dict(after["prior"]) != before.prior


def test_what_registered_parts_teach_is_kept_beside_the_rest(
    tmp_path: Path, inspector: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("assistant.eval.limits.Inspector.from_pretrained", lambda bundle: inspector)
    plain = Prior(gap=0.7)
    before = BuiltInLimits("tiny-cnn", inspector.backbone.digest, "things", (0.1,) * 40, plain)
    monkeypatch.setitem(inspector.__dict__, "limits", before)
    category(tmp_path / "set" / "lever", lambda i: draw_part(23.0 * i, i % 7, -(i % 5), seed=i)[0], 12)
    specs, kept = [f"lever={tmp_path}/set/lever"], tmp_path / "draws.json"
    out = write_limits(specs, "tiny-cnn", tmp_path / "l.json", registered=True, draws=kept)
    draws = read_draws(kept)
    assert {draw.references for draw in draws} == {2, 4, 10} and all(draw.registered for draw in draws)
    after = Prior.from_dict(json.loads(out.read_text())["prior"])
    assert after == replace(plain, registered=fit_prior(draws, plain))
    assert after.registered and after.registered.gap == 0.7, "a single reference is judged as before"
    copies = [replace(draw, calibration=replace(draw.calibration, n=1, views=(0.5,))) for draw in draws]
    write_draws(kept, [*draws, *copies])
    again = write_limits(specs, "tiny-cnn", tmp_path / "m.json", registered=True, draws=kept)
    assert again.read_text() == out.read_text(), "nor do copies of one picture teach what a single one shows"
    assert "registered parts" in capsys.readouterr().err
    with pytest.raises(LooktwiceError, match="either --prior-only or --registered"):
        write_limits(specs, "tiny-cnn", tmp_path / "n.json", prior_only=True, registered=True)


def test_limits_measured_anew_keep_what_registered_parts_teach(
    tmp_path: Path, good: Any, inspector: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("assistant.eval.limits.Inspector.from_pretrained", lambda bundle: inspector)
    taught = Prior(gap=0.7, registered=Prior(gap=0.4))
    before = BuiltInLimits("tiny-cnn", inspector.backbone.digest, "things", (0.1,) * 40, taught)
    monkeypatch.setitem(inspector.__dict__, "limits", before)
    folder = save(tmp_path / "walls", [good(i) for i in range(20)])
    out = write_limits([f"walls={folder}"], "tiny-cnn", tmp_path / "l.json")
    assert Prior.from_dict(json.loads(out.read_text())["prior"]).registered == taught.registered
    assert "registered parts teach stays" in capsys.readouterr().err
