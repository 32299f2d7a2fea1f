"""The backbone: any size of picture, any tower, one way out; and what does not fit is refused."""

import json
import threading
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from assistant.errors import WeightsError
from assistant.models.backbone import Backbone, Features
from assistant.models.runtime import OpenVinoRuntime, TorchRuntime
from assistant.models.towers import PatchTower, build_image_tower, fit_positions, pick_device

TOLERANCE = 1e-4


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, backbones):
    return backbones[request.param]


@pytest.fixture
def vit(backbones):
    return backbones["tiny-vit"].runtime.tower


def tensors(features):
    return [*features.layers, features.vector, *([] if features.text_patches is None else [features.text_patches])]


@pytest.mark.parametrize(("height", "width"), [(128, 128), (64, 256), (224, 96), (64, 64)])
def test_features_have_the_shapes_that_they_promise(backbone, height, width):
    batch = torch.randn(3, 3, height, width, generator=torch.Generator().manual_seed(0))
    features = backbone.encode_image(batch)
    strides = {"tiny-cnn": (4, 8), "tiny-vit": (16, 16)}[backbone.card.name]
    assert [f.shape[:3] for f in features.layers] == [(3, height // s, width // s) for s in strides]
    assert features.vector.shape == (3, 24) and len(features) == 3
    assert torch.allclose(features.vector.norm(dim=-1), torch.ones(3), atol=1e-5)
    assert (features.text_patches is not None) == (backbone.card.name == "tiny-vit") == backbone.aligns_text
    if features.text_patches is not None:
        assert features.text_patches.shape == (3, height // 16, width // 16, 24)
        lengths = features.text_patches.norm(dim=-1)
        assert torch.allclose(lengths, torch.ones(3, height // 16, width // 16), atol=1e-5)
    assert all(t.dtype == torch.float32 and not t.requires_grad for t in tensors(features))


def test_a_slice_of_features_is_that_of_each_part(backbone):
    features = backbone.encode_image(torch.randn(4, 3, 64, 64))
    for whole, part in zip(tensors(features), tensors(features[1:3]), strict=True):
        assert torch.equal(part, whole[1:3])
    assert isinstance(features[1:3], Features) and len(features[1:3]) == 2


def test_a_batch_of_mixed_sizes_equals_singles_in_order(backbone, good):
    sizes = [(160, 160), (640, 200), (97, 301), (160, 160), (320, 100), (1, 1), (160, 160)]
    pictures = [good(i, w, h) for i, (w, h) in enumerate(sizes)]
    together = backbone.encode(pictures)
    assert len(together) == len(pictures)
    for found, picture in zip(together, pictures, strict=True):
        (alone,) = backbone.encode([picture])
        for a, b in zip(tensors(found), tensors(alone), strict=True):
            assert a.shape == b.shape and (a - b).abs().max() <= TOLERANCE * b.abs().max().clamp_min(1)
    assert backbone.encode([]) == []


def test_pictures_are_fitted_whole_and_normalised_as_the_card_says(backbone):
    multiple = backbone.part.multiple
    for width, height in [(640, 200), (97, 301), (3, 3), (1, 5000)]:
        planes = backbone.fit(np.full((height, width, 3), [255, 0, 127], dtype=np.uint8))
        assert planes.dtype == torch.float32 and planes.shape[1] % multiple == planes.shape[2] % multiple == 0
        assert [float(p.mean()) for p in planes] == pytest.approx([1.0, -1.0, 127 / 127.5 - 1], abs=1e-5)
    left = np.zeros((100, 300, 3), dtype=np.uint8)
    left[:, :150] = 255
    planes = backbone.fit(left)
    middle = planes.shape[2] // 2
    assert planes[..., : middle - 4].min() > 0.9 and planes[..., middle + 4 :].max() < -0.9


def test_another_side_is_asked_for(backbone, good):
    assert backbone.fit(good(0), side=64).shape == (3, 64, 64)
    (features,) = backbone.encode([good(0)], side=64)
    assert features.layers[0].shape[1] == backbone.encode([good(0)])[0].layers[0].shape[1] // 2


def test_positions_of_a_call_do_not_stay(vit):
    before = {name: t.clone() for name, t in vit.state_dict().items()}
    square, strip = torch.randn(1, 3, 128, 128), torch.randn(1, 3, 64, 192)
    with torch.inference_mode():
        first = vit(square)
        vit(strip)
        again = vit(square)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(before[name], t) for name, t in vit.state_dict().items())


def test_threads_do_not_mix_their_positions(tiny_home):
    run = Backbone.load("tiny-vit", device="cpu").runtime
    batches = [torch.randn(1, 3, 128, 128), torch.randn(1, 3, 64, 192)]
    expected = [run(batch) for batch in batches]
    right = []

    def ask(i):
        for _ in range(15):
            found = run(batches[i])
            right.append(all(torch.equal(a, b) for a, b in zip(found, expected[i], strict=True)))

    threads = [threading.Thread(target=ask, args=(i,)) for i in (0, 1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 60


def test_positions_fit_the_grid_and_keep_the_class_token(vit):
    visual = vit.visual
    own = visual.positional_embedding
    assert fit_positions(visual, 128, 128) is own
    fitted = fit_positions(visual, 64, 192)
    assert fitted.shape == (1 + 4 * 12, 32)
    assert torch.equal(fitted[0], own[0])
    flat = torch.nn.Parameter(torch.ones_like(own))
    visual_like = type("V", (), {"positional_embedding": flat, "patch_size": (16, 16), "grid_size": (8, 8)})
    assert torch.allclose(fit_positions(visual_like, 64, 192), torch.ones(1 + 4 * 12, 32), atol=1e-5)


@pytest.mark.parametrize("layers", [(0, 1), (1, 3), (3,)])
def test_patches_and_picture_go_through_open_clips_own_projection(tiny_folder, layers):
    model = open_clip.create_model("tiny-vit", load_weights=False, force_image_size=64)
    model.load_state_dict(load_file(tiny_folder / "bundles" / "tiny-vit" / "image.safetensors"))
    visual = model.eval().visual
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        *maps, text_patches, vector = PatchTower(visual, layers)(pixels)
        assert torch.allclose(vector, model.encode_image(pixels), atol=1e-5)
        visual.output_tokens = True
        _, tokens = visual(pixels)  # after the last norm, before the projection
        assert torch.allclose(text_patches.flatten(1, 2), tokens @ visual.proj, atol=1e-5)
        raw = []
        hooks = [
            visual.transformer.resblocks[i].register_forward_hook(lambda *_, keep=raw: keep.append(_[2]))
            for i in layers
        ]
        visual(pixels)
        for hook in hooks:
            hook.remove()
    assert len(maps) == len(layers)
    for found, tokens in zip(maps, raw, strict=True):
        assert torch.allclose(found.flatten(1, 2), tokens[:, 1:], atol=1e-5)


def test_texts_become_unit_vectors_in_order_however_many(backbone):
    texts = [f"a photo of part {i}" for i in range(70)]
    vectors = backbone.encode_text(texts)
    assert vectors.shape == (70, 24) and vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(70), atol=1e-5)
    assert torch.allclose(backbone.encode_text(texts[3:4])[0], vectors[3], atol=TOLERANCE)
    assert not torch.allclose(vectors[3], vectors[4], atol=TOLERANCE)
    with pytest.raises(ValueError, match="no sentence"):
        backbone.encode_text([])


def test_a_text_tower_does_not_hold_the_image_tower_a_second_time(backbones):
    names = [name for name, _ in backbones["tiny-vit"].text_tower[0].named_parameters()]
    assert any("token_embedding" in name for name in names) and not any("visual" in name for name in names)


def test_a_picture_is_recognised_by_its_vector(backbones):
    backbone = backbones["tiny-cnn"]
    names, vectors = backbone.classes
    assert backbone.recognise(vectors[2])[0] == names[2] == "cloth"
    assert backbone.recognise(vectors[2], at_least=1.01) == ()
    assert len(backbone.recognise(vectors[2], at_least=-1.0)) == 3
    assert backbones["tiny-vit"].recognise(vectors[2]) == ()


def test_every_runtime_loads_and_says_what_it_is(tiny_home):
    assert isinstance(Backbone.load("tiny-cnn", device="cpu").runtime, OpenVinoRuntime)
    assert isinstance(Backbone.load("tiny-cnn", device="cpu", runtime="torch").runtime, TorchRuntime)
    assert isinstance(Backbone.load("tiny-cnn", device="cpu", bf16=True).runtime, TorchRuntime)
    vit = Backbone.load("tiny-vit", device="cpu")
    assert isinstance(vit.runtime, TorchRuntime) and vit.aligns_text
    with pytest.raises(WeightsError, match="cannot run in OpenVINO here"):
        Backbone.load("tiny-vit", device="cpu", runtime="openvino")
    with pytest.raises(WeightsError, match="the runtimes are auto, torch and openvino"):
        Backbone.load("tiny-cnn", runtime="onnx")
    with pytest.raises(WeightsError, match="There is no bundle 'huge'"):
        Backbone.load("huge")
    for name in ("quantum", "cuda:77"):
        with pytest.raises(WeightsError, match="is not there"):
            pick_device(name)


def test_bundles_and_their_weights_have_digests_of_their_own(backbones):
    digests = {b.digest for b in backbones.values()}
    assert len(digests) == 2 and all(len(d) == 12 for d in digests)


@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
@pytest.mark.parametrize("spoil", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_refused(backbones, tiny_folder, tmp_path, name, spoil):
    source = tiny_folder / "bundles" / name
    weights = load_file(source / "image.safetensors")
    first = next(n for n in sorted(weights) if weights[n].ndim == 4)
    if spoil == "missing":
        del weights[first]
    elif spoil == "extra":
        weights["surprise"] = torch.ones(1)
    else:
        weights[first] = weights[first][..., :1].clone()
    save_file(weights, tmp_path / "image.safetensors")
    if name == "tiny-cnn":
        (tmp_path / "classes.safetensors").write_bytes((source / "classes.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="do not fit its architecture"):
        build_image_tower(backbones[name].card, tmp_path)


def test_a_classifier_that_does_not_fit_the_names_is_refused(backbones, tiny_folder, tmp_path):
    source = tiny_folder / "bundles" / "tiny-cnn"
    weights = load_file(source / "image.safetensors")
    save_file(weights | {"classifier.bias": torch.zeros(7)}, tmp_path / "image.safetensors")
    (tmp_path / "classes.safetensors").write_bytes((source / "classes.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="classifier of the image tower"):
        build_image_tower(backbones["tiny-cnn"].card, tmp_path)


def test_a_tower_is_frozen(backbone):
    assert not any(p.requires_grad for p in backbone.runtime.tower.parameters())
    assert not any(m.training for m in backbone.runtime.tower.modules())


@pytest.mark.weights
def test_the_pocket_towers_share_a_space():
    backbone = Backbone.load("pocket", device="cpu")
    vectors = backbone.encode_text(["a photo of a dog", "a photo of a puppy", "a photo of an electric circuit"])
    assert float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[2])
    names, classes = backbone.classes
    assert len(names) == len(classes) == 1000 and json.dumps(names)
    grey = np.full((320, 320, 3), 128, dtype=np.uint8)
    (features,) = backbone.encode([grey])
    assert features.vector.shape == (1, 384) and bool(torch.isfinite(features.vector).all())


def test_a_patch_tower_gives_the_layers_and_the_image_tower_the_rest(tiny_home, backbones, good, tmp_path):
    alone = backbones["tiny-vit"]
    part = replace(alone.card.image, kind="timm", architecture="test_vit", layers=(1, 3), shares=(0.25, 0.75))
    card = replace(alone.card, patch_tower=part)
    torch.manual_seed(0)
    trunk = timm.create_model("test_vit", num_classes=0, img_size=part.image_size, dynamic_img_size=True)
    save_file(trunk.state_dict(), tmp_path / "memory.safetensors")
    tower = build_image_tower(card, tmp_path, part)
    second = Backbone(card, TorchRuntime(tower, torch.device("cpu")), part=part)
    both = Backbone(card, alone.runtime, aligns_text=True, patch_tower=second)
    picture = good(3, 240, 120)
    [whole], [first], [layers] = both.encode([picture]), alone.encode([picture]), second.encode([picture])
    assert both.shares == (0.25, 0.75)
    assert torch.equal(whole.vector, first.vector) and torch.equal(whole.text_patches, first.text_patches)
    assert len(whole.layers) == 2 and all(map(torch.equal, whole.layers, layers.layers))
    assert whole.layers[0].shape[1] < whole.layers[0].shape[2]  # the aspect ratio is the picture's
