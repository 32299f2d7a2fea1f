"""What was learned is read where patches and text are aligned: it decides there, and nowhere else."""

import dataclasses

import pytest
import torch
from torch.nn.functional import interpolate, normalize

from assistant.adapters.patches import top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.visual import TEMPERATURE, AdapterConfig, VisualAdapter
from assistant.detection.built_in import BuiltInLimits
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.detector import Detector
from assistant.detection.words import join
from assistant.errors import CalibrationError
from assistant.inspector import Inspector
from assistant.models.trained_adapter import TrainedAdapter, TypeScale
from assistant.products.store import ProductStore
from assistant.prompts.defects import DEFECTS


def units(*shape):
    return normalize(torch.randn(*shape), dim=-1)


def make(backbone, layers=False, seed=5):
    """Something learned for a backbone: random weights that say something else of every patch."""
    torch.manual_seed(seed)
    (features,) = backbone.encode([torch.zeros(128, 128, 3, dtype=torch.uint8).numpy()])
    inputs, space = sum(layer.shape[-1] for layer in features.layers), features.vector.shape[-1]
    if features.text_patches is not None:
        inputs = features.text_patches.shape[-1]
    adapter = VisualAdapter(AdapterConfig(inputs, space, 8), units(2, space), units(len(DEFECTS), space)).eval()
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    adapter.requires_grad_(False)
    pairs = tuple(units(2, layer.shape[-1]) for layer in features.layers) if layers else ()
    directions = units(2, space)
    made_for = {"bundle": backbone.card.name, "weights": backbone.digest}
    return TrainedAdapter(adapter, directions, TypeScale(), pairs, **made_for)


@pytest.fixture
def keep(tiny_home, tmp_path, monkeypatch):
    """keep(learned): it is what the user trained for the bundle."""
    monkeypatch.setattr("assistant.models.trained.cache_root", lambda: tmp_path / "own")

    def save(learned):
        learned.save(TrainedAdapter.user_path(learned.bundle))
        return learned

    return save


@pytest.fixture
def own_limits(tmp_path, monkeypatch):
    """Where a user's own limits are kept for now: there are none."""
    for module in ("detection.built_in", "inspector"):
        monkeypatch.setattr(f"assistant.{module}.user_limits", lambda name: tmp_path / f"{name}.json")
    return tmp_path / "tiny-vit.json"


@pytest.fixture
def vit(tiny_home, backbones):
    return backbones["tiny-vit"]


@pytest.fixture
def features(vit, good, planted):
    return vit.encode([planted(good(3), 0.3, 0.6)[0]])[0]


def odds(vectors, directions):
    """The probability of the second of two directions, as CLIP scores them."""
    return (vectors @ directions.T / TEMPERATURE).softmax(dim=-1)[..., 1]


def heads(learned, features):
    """What the two branches say of patches and of the picture, written out."""
    patches, adapter = features.text_patches, learned.adapter
    seen = torch.sigmoid(adapter.evidence(adapter.read(patches)))
    whole = torch.sigmoid(adapter.judge(features.vector))
    return (seen + odds(patches, learned.directions)) / 2, (whole + odds(features.vector, learned.directions)) / 2


def test_both_branches_are_joined_with_rarity_by_their_harmonic_mean(keep, vit, features):
    learned = keep(make(vit))
    told, whole = heads(learned, features)
    rare = rarity(Detector(vit).tokens(features))
    joined = 2 / (1 / rare + 1 / interpolate(told[:, None], rare.shape[1:], mode="bilinear")[:, 0])
    top = top_mean(joined, 0.01)
    value = 2 / (1 / top + 1 / whole)
    scored = Detector(vit).score(features, None)
    assert scored.value == pytest.approx(float(value), rel=1e-4)
    assert torch.allclose(scored.map, (joined * value / top)[0], rtol=1e-4)
    assert scored.value == pytest.approx(float(top_mean(scored.map[None], 0.01)[0]), rel=1e-4)


def test_either_branch_has_its_say(keep, vit, features):
    learned = make(vit)
    scores = set()
    for change in (
        {},
        {"directions": learned.directions.flip(0)},
        {"adapter": make(vit, seed=6).adapter},
    ):
        keep(dataclasses.replace(learned, **change))
        scores.add(round(Detector(vit).score(features, None).value, 6))
    assert len(scores) == 3


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("fusion", ["harmonic", "mean"])
def test_the_seam_chooses_how_they_are_joined(keep, vit, features, share, fusion):
    told, _ = heads(keep(make(vit)), features)
    config = ScoringConfig(text_share=share, text_fusion=fusion, text_whole=0.0)
    rare = rarity(Detector(vit).tokens(features))
    words = interpolate(told[:, None], rare.shape[1:], mode="bilinear")[:, 0]
    expected = (1 - share) * rare + share * words
    if fusion == "harmonic":
        expected = 1 / ((1 - share) / rare + share / words)
    scored = Detector(vit, config).score(features, None)
    assert torch.allclose(scored.map, expected[0], rtol=1e-4, atol=1e-6)
    assert scored.value == pytest.approx(float(top_mean(expected, 0.01)[0]), rel=1e-4)


def test_where_rarity_says_nothing_words_speak_alone():
    words, rare = torch.rand(2, 3, 3), torch.zeros(2, 3, 3)
    rare[1, 0, 0] = 0.2
    found = join(rare, words, 0.5, "harmonic")
    assert torch.equal(found[0], words[0]), "on a grid this small no patch lies at a distance"
    assert float(found[1].flatten()[1:].max()) < 1e-9 and found[1, 0, 0] > 0.01
    assert float(join(rare, words, 0.0, "harmonic")[0].max()) < 1e-9


def test_what_is_said_of_the_whole_counts_as_much_as_is_asked(keep, vit, features):
    _, whole = heads(keep(make(vit)), features)
    alone = Detector(vit, ScoringConfig(text_whole=0.0)).score(features, None).value
    for share in (0.3, 1.0):
        found = Detector(vit, ScoringConfig(text_whole=share)).score(features, None).value
        assert found == pytest.approx(1 / ((1 - share) / alone + share / float(whole)), rel=1e-4)


def test_where_nothing_is_to_be_read_the_prompts_speak_as_before(keep, vit, features):
    before = Detector(vit).score(features, None)
    keep(make(vit))
    switched_off = Detector(vit, ScoringConfig(text_learned=False))
    after = switched_off.score(features, None)
    assert torch.equal(before.map, after.map) and before.value == after.value
    assert switched_off.words.digest(switched_off.config) == ""
    assert Detector(vit).score(features, None).value != before.value


def test_a_tower_of_class_labels_is_scored_as_if_nothing_had_been_learned(keep, backbones, good):
    cnn = backbones["tiny-cnn"]
    (features,) = cnn.encode([good(3)])
    before = Detector(cnn).score(features, None)
    keep(make(cnn))
    detector = Detector(cnn)
    after = detector.score(features, None)
    assert torch.equal(before.map, after.map) and before.value == after.value
    assert detector.words.learned is not None and not detector.words.decides(SHIPPED)
    assert torch.equal(after.map, rarity(detector.tokens(features))[0])


@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
def test_directions_for_layers_decide_on_any_tower_and_ask_no_text(keep, backbones, good, name, monkeypatch):
    backbone = backbones[name]
    (features,) = backbone.encode([good(3)])
    learned = keep(make(backbone, layers=True))
    monkeypatch.setattr(backbone, "encode_text", lambda texts: pytest.fail("asked the text tower"))
    detector = Detector(backbone, ScoringConfig(text_share=1.0, text_whole=0.0))
    grid = detector.tokens(features).shape[1:3]
    said = [
        odds(normalize(layer, dim=-1), pair) for layer, pair in zip(features.layers, learned.layers, strict=True)
    ]
    fitted = [interpolate(one[:, None], grid, mode="bilinear", align_corners=False)[:, 0] for one in said]
    assert torch.allclose(detector.score(features, None).map, sum(fitted)[0] / len(fitted), rtol=1e-4, atol=1e-6)


def test_products_are_scored_without_it(keep, vit, good, tmp_path):
    pictures = [good(i) for i in range(3)]
    before = Inspector(vit, ProductStore(tmp_path / "a")).learn("cloth", pictures)
    keep(make(vit))
    after = Inspector(vit, ProductStore(tmp_path / "b")).learn("cloth", pictures)
    assert [r.score for r in before.references] == [r.score for r in after.references]


@pytest.mark.parametrize("mode", ["zero-shot", "mutual"])
def test_it_is_used_at_once_and_the_map_that_it_made_is_moved_no_second_time(
    keep, own_limits, vit, good, planted, tmp_path, mode
):
    pictures = [good(50 + i) for i in range(3)] + [planted(good(60), 0.3, 0.5)[0]]
    plain = Inspector(vit, ProductStore(tmp_path)).inspect(pictures, mode=mode)
    keep(make(vit))
    inspector = Inspector(vit, ProductStore(tmp_path))
    found = inspector.inspect(pictures, mode=mode)
    assert all(one.score != other.score for one, other in zip(plain, found, strict=True))
    if mode == "zero-shot":
        for pixels, row in zip(pictures, found, strict=True):
            scored = inspector.detector.score(vit.encode([pixels])[0], None)
            assert torch.allclose(torch.from_numpy(row.coarse_map), scored.map, atol=1e-5)
            assert row.score == pytest.approx(scored.value, abs=1e-5)


def test_limits_from_before_it_was_trained_are_not_used(keep, own_limits, vit, good, tmp_path):
    scores = tuple(0.1 + i / 1000 for i in range(40))
    BuiltInLimits("tiny-vit", vit.digest, "mine", scores).save(own_limits)
    assert Inspector(vit, ProductStore(tmp_path / "p")).inspect(good(1)).verdict != "unrated"
    learned = keep(make(vit))
    inspector = Inspector(vit, ProductStore(tmp_path / "p"))
    with pytest.raises(CalibrationError, match="measure them again with `looktwice limits"):
        inspector.inspect(good(1))
    digest = inspector.detector.words.digest(SHIPPED)
    assert digest == learned.digest != dataclasses.replace(learned, directions=units(2, 24)).digest
    BuiltInLimits("tiny-vit", vit.digest, "mine", scores, words=digest).save(own_limits)
    assert Inspector(vit, ProductStore(tmp_path / "p")).inspect(good(1)).verdict != "unrated"


def test_shipped_limits_from_before_order_nothing(keep, own_limits, vit, good, tmp_path):
    """Nobody measured them, so that a picture is unrated and coloured by its own peak."""
    keep(make(vit))
    inspector = Inspector(vit, ProductStore(tmp_path / "p"))
    inspector.__dict__["limits"] = BuiltInLimits("tiny-vit", vit.digest, "other things", (0.1,) * 40)
    row = inspector.inspect(good(1))
    assert row.verdict == "unrated"
    with pytest.raises(CalibrationError, match="before its detector was trained"):
        inspector.inspect(good(1), zero_shot_limits=True)
