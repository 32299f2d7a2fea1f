"""The comparison of devices, on the CPU with tiny towers: what it says is what two settings really found."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from assistant.eval import device, device_speed
from assistant.eval.device_agreement import compare, draw_parts, find
from assistant.eval.device_settings import Clock, Setting, list_settings, load_inspector, rounding
from assistant.eval.seeded import load_seeded, make_language, write_towers
from assistant.models.card import load_card
from assistant.models.runtime import TorchRuntime

TINY = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.2,
}
EXTENT = device.Extent(pictures=2, batch=2, tokens=4, language=TINY)


@pytest.fixture(scope="module")
def figures(tiny_folder):
    folder = tiny_folder / "cards"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKTWICE_CACHE", str(tiny_folder))
        patch.setattr("assistant.models.card.card_folder", lambda: folder)
        patch.setattr("assistant.detection.built_in.card_folder", lambda: folder)
        patch.setattr(device_speed, "ENOUGH", 0.0)
        patch.setattr(device_speed, "TIMES", 1)
        patch.setattr(device_speed, "PROMPT", 20)
        patch.setattr(device, "draw_parts", lambda each: draw_parts(each)[:1])
        return device.measure(None, EXTENT, 600, (("tiny-cnn", False), ("tiny-vit", True)))


@pytest.fixture
def found(inspector):
    return find(inspector, draw_parts(2)[0])


def test_every_table_has_rows_on_the_cpu_alone_and_says_what_is_missing(figures):
    row = json.loads(figures.to_json())
    assert row["machine"]["card"] is None and row["machine"]["torch"] == torch.__version__
    assert {r["bundle"] for r in row["agreement"]} == {"tiny-cnn", "tiny-vit, seeded"}
    assert {r["setting"] for r in row["agreement"]} == {"cpu, OpenVINO", "cpu, bf16"}
    assert [r["size"] for r in row["batches"] if r["setting"] == "cpu, fp32"] == [1, 2] * 2
    assert {r["variant"] for r in row["variants"]} == {"plain", "channels-last"}
    assert [r["setting"] for r in row["language"]] == ["cpu, fp32", "cpu, bf16"]
    assert any("CUDA" in sentence for sentence in row["left_out"])
    out = Console(record=True, width=200)
    device.print_figures(figures, out)
    text = out.export_text()
    assert all(title.capitalize() in text for title in device.SECTIONS) and "Left out: There is no CUDA" in text


def test_a_compiled_tower_agrees_and_every_way_of_asking_is_compared(figures):
    rows = [r for r in figures.sections["agreement"] if r.setting == "cpu, OpenVINO"]
    assert [r.way for r in rows] == ["few-shot", "taught", "mutual", "zero-shot"]
    assert all(r.flips == 0 and 0 < r.map_worst < 0.02 and r.map_mean <= r.map_worst for r in rows)


def test_stages_are_those_of_the_towers_that_there_are(figures):
    stages = [r.stage for r in figures.sections["stages"] if (r.bundle, r.setting) == ("tiny-cnn", "cpu, fp32")]
    assert stages[:2] == ["learn four", "image tower"] and "patch tower" not in stages
    assert all(r.ms > 0 and r.peak_mb is None for r in figures.sections["stages"])


def test_the_reference_writes_what_it_writes(figures):
    first = figures.sections["language"][0]
    assert (first.written, first.same, first.logits) == (4, 4, 0.0)


def test_another_verdict_map_or_answer_is_counted(found):
    other = {way: list(rows) for way, rows in found.rows.items()}
    row = other["few-shot"][1]
    moved = row.coarse_map.copy()
    moved[0, 0] += 0.5 * row.coarse_map.max()
    verdict = "good" if row.verdict != "good" else "defect"
    other["few-shot"][1] = replace(row, verdict=verdict, score=row.score + 0.25, coarse_map=moved, regions=())
    changed = replace(found, rows=other, answers=[found.answers[0], "Something else."])
    by_way = {r.way: r for r in compare("tiny", "other", [changed], [found])}
    one = by_way["few-shot"]
    assert (one.pictures, one.flips, one.answers) == (2, 1, 1)
    assert one.score == pytest.approx(0.25) and one.map_worst == pytest.approx(0.5, abs=1e-5)
    assert one.regions == (1 if row.regions else 0)
    same = by_way["taught"]
    assert (same.flips, same.score, same.map_worst, same.answers) == (0, 0.0, 0.0, None)


def test_seeded_towers_are_the_same_for_a_seed_and_others_for_another(tiny_home, tmp_path):
    card, pixels = load_card("tiny-vit"), torch.zeros(1, 3, 64, 64)
    vectors = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        before = torch.random.get_rng_state()
        write_towers(card, tmp_path / name, seed)
        assert torch.equal(torch.random.get_rng_state(), before)
        vectors.append(load_seeded(card, tmp_path / name, torch.device("cpu")).encode_image(pixels).vector)
    assert torch.equal(vectors[0], vectors[1]) and not torch.allclose(vectors[0], vectors[2], atol=1e-3)
    first, second = (make_language(TINY, seed).lm_head.weight for seed in (1, 1))
    assert torch.equal(first, second)


def test_memory_that_ends_is_a_row_and_ends_the_batches(inspector, monkeypatch):
    forward = TorchRuntime.__call__

    def small(self, pixels):
        if len(pixels) > 2:
            raise torch.OutOfMemoryError("CUDA")
        return forward(self, pixels)

    monkeypatch.setattr(TorchRuntime, "__call__", small)
    monkeypatch.setattr(device_speed, "ENOUGH", 0.0)
    rows = list(device_speed.measure_batches("tiny", "cpu", inspector.backbone, 64, lambda: True))
    assert [r.size for r in rows] == [1, 2, 4]
    assert rows[-1].pictures_a_second is None and all(r.pictures_a_second for r in rows[:-1])


def test_a_variant_that_fails_is_a_row_and_the_tower_is_as_before(inspector, monkeypatch):
    tower = inspector.backbone.runtime.tower

    def fail(*_, **__):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(device_speed.nn.Module, "to", fail)
    rows = list(device_speed.measure_variants("tiny", "cpu", inspector.backbone, 1, lambda: True))
    assert [(r.variant, r.note) for r in rows] == [("plain", ""), ("channels-last", "RuntimeError")]
    assert inspector.backbone.runtime.tower is tower


def test_precisions_are_set_within_and_left_as_they_were():
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    for precision in ("fp32", "TF32", "bf16"):
        with rounding(Setting("cuda", precision)):
            assert [switch.allow_tf32 for switch in switches] == [precision == "TF32"] * 2
    assert [switch.allow_tf32 for switch in switches] == before


def test_with_a_card_its_precisions_take_the_place_of_the_cpus(tiny_home):
    settings, left_out = list_settings("cuda", "tiny-cnn", seeded=False)
    assert [s.name for s in settings] == ["cpu, OpenVINO", "cuda, fp32", "cuda, TF32", "cuda, bf16"]
    assert left_out == []


def test_what_is_not_here_or_does_not_fit_the_time_is_said(tiny_home, monkeypatch):
    monkeypatch.setattr(device_speed, "ENOUGH", 0.0)
    figures = device.measure(None, EXTENT, 0.001, (("pocket", False), ("tiny-cnn", False)))
    said = " ".join(figures.left_out)
    assert "pocket" in said and "for want of time" in said and not figures.sections["agreement"]
    assert not Clock(0.0).before(1)


def test_a_setting_that_fails_is_said_and_does_not_end_the_rest(tiny_home, monkeypatch):
    def load(name, setting, folder):
        if setting.bf16:
            raise RuntimeError("no such kernel\nat all")
        return load_inspector(name, setting, folder)

    monkeypatch.setattr(device, "load_inspector", load)
    monkeypatch.setattr(device, "draw_parts", lambda each: draw_parts(each)[:1])
    monkeypatch.setattr(device_speed, "TIMES", 1)
    monkeypatch.setattr(device.BundleRun, "_measure_speed", lambda *_: None)
    monkeypatch.setattr(device, "_measure_language", lambda *_: None)
    figures = device.measure(None, EXTENT, 600, (("tiny-cnn", False),))
    assert "tiny-cnn, cpu, bf16: failed, no such kernel" in figures.left_out
    assert {r.setting for r in figures.sections["agreement"]} == {"cpu, OpenVINO"}


def test_bf16_is_asked_of_the_tower(tiny_home):
    assert load_inspector("tiny-cnn", Setting("cpu", "bf16"), None).backbone.runtime.dtype == torch.bfloat16


def test_the_command_writes_its_json(figures, tmp_path, monkeypatch):
    import typer

    monkeypatch.setattr(device, "measure", lambda *_: figures)
    app = typer.Typer()
    app.command()(device.main)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "figures.json"), "--seconds", "5"])
    assert result.exit_code == 0 and "Agreement" in result.output
    assert json.loads((tmp_path / "figures.json").read_text())["schema"] == device.SCHEMA


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
def test_a_card_finds_what_the_cpu_finds(tiny_home, name):
    part, folder = draw_parts(4)[0], None
    with rounding(Setting("cuda")):
        found, expected = (find(load_inspector(name, Setting(d), folder), part) for d in ("cuda", "cpu"))
    rows = compare(name, "cuda", [found], [expected])
    assert all(r.score < 0.02 and np.isfinite(r.map_worst) for r in rows)
