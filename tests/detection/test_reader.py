"""Reading patches in words: it moves a map within its picture, names types it may be trusted with, and no more."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.patches import top_mean
from assistant.adapters.visual import AdapterConfig, VisualAdapter
from assistant.detection.detector import Detector
from assistant.detection.good_parts import fit_mask
from assistant.detection.reader import Reader, Reading
from assistant.inspection import UNKNOWN
from assistant.inspector import Inspector
from assistant.models.trained_adapter import TrainedAdapter, TypeScale
from assistant.products.store import ProductStore
from assistant.prompts.defects import DEFECTS

UNTRUSTED = TypeScale(1.4, 0.3, 0.6, 50)
TRUSTED = TypeScale(1.0, 0.0, 0.6, 50, trusted=True)


def units(*shape):
    return normalize(torch.randn(*shape), dim=-1)


def learn(backbone, types=UNTRUSTED):
    """Something learned for a backbone: random weights, large enough to say something else of every patch."""
    torch.manual_seed(5)
    (features,) = backbone.encode([np.zeros((128, 128, 3), np.uint8)])
    inputs = sum(layer.shape[-1] for layer in features.layers)
    if features.text_patches is not None:
        inputs = features.text_patches.shape[-1]
    space = features.vector.shape[-1]
    adapter = VisualAdapter(AdapterConfig(inputs, space, 8), units(2, space), units(len(DEFECTS), space)).eval()
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return TrainedAdapter(adapter, units(2, space), types, bundle=backbone.card.name, weights=backbone.digest)


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, tiny_home, backbones):
    return backbones[request.param]


@pytest.fixture
def features(backbone, good, planted):
    return backbone.encode([planted(good(3), 0.3, 0.6)[0]])[0]


@pytest.mark.parametrize("half", [False, True])
def test_evidence_moves_the_map_and_keeps_its_score(backbone, features, half):
    detector, reader = Detector(backbone), Reader(backbone, learn(backbone))
    found = detector.score(features, None).map
    roi, shown = None, torch.ones_like(found) > 0
    if half:
        roi = torch.zeros(160, 160)
        roi[:, :80] = 1
        shown = fit_mask(roi, *found.shape) > 0
        found = found * shown
    moved = reader.focus(found, reader.read(features), detector.top_share(None), roi)
    before, after = (float(top_mean(one[shown][None, None], 0.01)) for one in (found, moved))
    assert after == pytest.approx(before, abs=1e-5)
    assert float((moved - found).abs().max()) > 1e-3
    assert bool((moved[found == 0] == 0).all()) and bool((moved >= 0).all())


def test_evidence_is_nothing_on_a_pictures_own_ground(backbone, features):
    evidence = Reader(backbone, learn(backbone)).read(features).evidence
    assert float(evidence.quantile(0.9)) == pytest.approx(0, abs=1e-4)


def test_a_tower_without_words_reads_nothing_and_changes_nothing(tiny_home, backbones, good):
    backbone = backbones["tiny-cnn"]
    (features,) = backbone.encode([good(1)])
    reader, detector = Reader(backbone, None), Detector(backbone)
    assert features.text_patches is None
    reading = reader.read(features)
    assert reading is None and reader.ranker(reading) is None
    found = detector.score(features, None).map
    assert torch.equal(reader.focus(found, reading, detector.top_share(None)), found)


def test_a_tower_that_aligns_text_ranks_types_on_its_own_and_moves_no_map(tiny_home, backbones, good):
    backbone = backbones["tiny-vit"]
    (features,) = backbone.encode([good(1)])
    reader, detector = Reader(backbone, None), Detector(backbone)
    reading = reader.read(features)
    assert reading.evidence is None
    assert reading.types.shape == (*features.text_patches.shape[1:3], len(DEFECTS))
    found = detector.score(features, None).map
    assert torch.equal(reader.focus(found, reading, detector.top_share(None)), found)
    is_ranked(reader.ranker(reading)(np.ones(found.shape, bool)))


def is_ranked(types):
    chances = [kind.probability for kind in types]
    assert len(types) == 3 and chances == sorted(chances, reverse=True)
    assert 0 < sum(chances) <= 1 + 1e-3
    assert {kind.name for kind in types} <= {defect.name for defect in DEFECTS}
    assert {kind.source for kind in types} == {"vocabulary"}


def test_types_that_were_learned_are_named_only_where_they_are_trusted(backbone, features):
    mask = np.ones((4, 4), bool)
    untrusted = Reader(backbone, learn(backbone, UNTRUSTED))
    rank = untrusted.ranker(untrusted.read(features))
    if features.text_patches is None:
        assert rank is None
    else:  # then it is the texts of the vocabulary that name them, as they did before anything was learned
        plain = Reader(backbone, None)
        assert rank(mask) == plain.ranker(plain.read(features))(mask)
        is_ranked(rank(mask))
    trusted = Reader(backbone, learn(backbone, TRUSTED))
    is_ranked(trusted.ranker(trusted.read(features))(mask))
    assert trusted.ranker(None) is None


def test_a_type_less_likely_than_known_from_is_unknown(backbone, features):
    mask = np.ones((4, 4), bool)
    sure = Reader(backbone, learn(backbone, TRUSTED))
    best = sure.ranker(sure.read(features))(mask)[0].probability
    for limit, known in [(best - 0.01, True), (best + 0.01, False)]:
        reader = Reader(backbone, learn(backbone, dataclasses.replace(TRUSTED, known_from=limit)))
        types = reader.ranker(reader.read(features))(mask)
        if known:
            is_ranked(types)
            continue
        (only,) = types
        assert only.name == UNKNOWN and only.probability == pytest.approx(1 - best, abs=1e-3)


def test_types_that_are_not_trusted_are_not_worked_out(backbones, good):
    backbone = backbones["tiny-cnn"]
    reading = Reader(backbone, learn(backbone)).read(backbone.encode([good(3)])[0])
    assert reading.evidence is not None and reading.types is None


def test_a_region_is_read_from_its_own_patches(backbone, features):
    reader = Reader(backbone, learn(backbone, TRUSTED))
    h, w = reader.read(features).types.shape[:2]
    types = torch.zeros(h, w, len(DEFECTS), dtype=torch.bfloat16)
    types[0, 0, 7] = 20
    mask = np.zeros((h, w), bool)
    mask[0, 0] = True
    rank = reader.ranker(Reading(None, types))
    assert rank(mask)[0].name == DEFECTS[7].name and rank(mask)[0].probability > 0.99
    assert rank(~mask)[0].probability == pytest.approx(1 / len(DEFECTS), abs=1e-3)
    # A mask on a finer grid covers the same patch.
    assert rank(np.kron(mask, np.ones((2, 2), bool)))[0].name == DEFECTS[7].name


def judged(inspection):
    """An inspection without its places and without what differs from run to run."""
    return dataclasses.replace(inspection, coarse_map=None, regions=(), ms=0.0, created=None)


@pytest.mark.parametrize("mode", ["zero-shot", "few-shot", "mutual"])
def test_what_was_learned_moves_regions_and_judges_nothing(backbone, good, planted, mode, tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.models.trained.cache_root", lambda: tmp_path)
    if backbone.aligns_text and mode == "zero-shot":  # the limits of the fixture are of scores without it
        for module in ("detection.built_in", "inspector"):
            monkeypatch.setattr(f"assistant.{module}.user_limits", lambda name: tmp_path / "none.json")
    pictures = [good(50 + i) for i in range(6)]
    pictures += [planted(good(60 + i), 0.2 + 0.2 * i, 0.5)[0] for i in range(4)]
    runs = []
    for there in (False, True):
        if there:
            learn(backbone).save(TrainedAdapter.user_path(backbone.card.name))
        inspector = Inspector(backbone, ProductStore(tmp_path / "products"))
        assert bool(inspector._stream.judge.reader.learned) is there
        product = inspector.learn("cloth", [good(i) for i in range(3)]) if mode == "few-shot" else None
        runs.append(inspector.inspect(pictures, product, mode, target_false_alarm=0.3))
    plain, learned = runs
    assert {row.mode for row in learned} == {mode}
    if backbone.aligns_text and mode != "few-shot":  # there it decides: see `test_words`
        assert all(abs(one.score - other.score) > 1e-4 for one, other in zip(plain, learned, strict=True))
        return
    for one, other in zip(plain, learned, strict=True):
        assert judged(one) == judged(other)
        assert not np.allclose(one.coarse_map, other.coarse_map, atol=1e-4)
        before, kept = (float(top_mean(torch.from_numpy(row.coarse_map)[None], 0.01)) for row in (one, other))
        assert kept == pytest.approx(before, abs=1e-5)
        named = [region.defect_types for region in other.regions]
        assert backbone.aligns_text or not any(named), "these types are not trusted"
    assert any(row.verdict != "good" for row in plain)
    shapes = [[(r.box, r.peak) for row in run for r in row.regions] for run in (plain, learned)]
    assert shapes[0] != shapes[1]
