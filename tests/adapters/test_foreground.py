"""The foreground: found only on a plain ground, never hiding a hole, a nick or dirt, and used in every map."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from assistant.adapters.foreground import MARGIN, Foreground
from assistant.commands import main as cli
from assistant.detection.detector import Detector
from assistant.errors import ProductError
from assistant.images.load import load_image
from assistant.products.learning import learn_product
from assistant.products.product import Product
from assistant.products.store import ProductStore

SIDE, CHANNELS = 24, 32


def patches(part, seed=0, ground=0.3, product=1.2, apart=True):
    """Unit vectors [h, w, C]: noise of these sizes around one direction on the part, around another off it."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(*part.shape, CHANNELS, generator=generator) / CHANNELS**0.5
    there = part[..., None].float()
    axes = torch.eye(CHANNELS)
    means = torch.where(there > 0, axes[1 if apart else 0], axes[0])
    return normalize(means + noise * torch.where(there > 0, product, ground), dim=-1)


def disc(radius=8.0, x=11.5, y=11.5, h=SIDE, w=SIDE):
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


def box(top, left, bottom, right, h=SIDE, w=SIDE):
    part = torch.zeros(h, w, dtype=torch.bool)
    part[top:bottom, left:right] = True
    return part


@pytest.fixture
def ground():
    found = Foreground.find([patches(disc(), seed) for seed in range(3)])
    assert found is not None
    return found


def test_the_ground_is_told_from_the_product_and_left_out(ground):
    mask = ground.mask(torch.stack([patches(disc(), 9), patches(disc(), 10)]))
    assert mask.shape == (2, SIDE, SIDE) and mask.dtype == torch.float32
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert bool((mask[:, disc()] == 1).all())
    assert bool((mask[:, ~disc(8 + 1.5 * MARGIN)] == 0).all())
    assert ground.share == pytest.approx(float(disc().float().mean()), abs=0.02)


@pytest.mark.parametrize(
    "references",
    [
        [patches(disc(20.0))],  # the product fills the picture
        [patches(disc(3.0))],  # nearly nothing but ground
        [patches(box(1, 1, 47, 47, 48, 48))],  # a rim of ground and no more
        [patches(disc(), ground=1.2)],  # a ground as lively as the product
        [patches(disc(), ground=2.5, product=0.3)],  # a plain product on a lively ground
        [patches(disc(), product=0.46, apart=False)],  # a product around the ground's own direction
        [patches(box(0, 6, 12, 20))],  # the product is cut off by the border
        [patches(disc()), patches(box(0, 6, 12, 20))],  # the same on one reference of two
        [patches(disc()), patches(disc()), patches(disc(3.0))],
        [normalize(torch.ones(SIDE, SIDE, CHANNELS), dim=-1)],
        [torch.zeros(SIDE, SIDE, CHANNELS)],
        [normalize(torch.ones(1, 1, CHANNELS), dim=-1)],
        [patches(torch.zeros(2, 2, dtype=torch.bool))],
    ],
    ids=str.split("full speck rim lively turned near cut cut-once speck-once flat zero one-cell four-cells"),
)
def test_where_one_sign_is_missing_nothing_is_left_out(references):
    assert Foreground.find(references) is None


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_a_surface_whose_border_looks_different_to_the_tower_is_no_product_on_a_ground(reach):
    inside = box(reach, reach, SIDE - reach, SIDE - reach)
    # Corners and edges are padded in different ways, so that the border spreads more than the surface.
    padded = patches(inside, ground=0.7, product=0.5)
    assert Foreground.find([padded]) is None


def test_no_reference_is_refused():
    with pytest.raises(ValueError, match="at least one reference"):
        Foreground.find([])


@pytest.mark.parametrize(
    "gone",
    [disc(3.0), disc(3.0, 19, 11.5), disc(4.0, 11.5, 19), disc(3.0, 6, 6), disc(2.0, 4, 11.5), disc(6.0)],
    ids=str.split("hole side foot corner tip wide"),
)
def test_a_hole_or_a_nick_that_looks_like_ground_is_looked_at(ground, gone):
    mask = ground.mask(patches(disc() & ~gone, 9)[None])[0]
    assert bool((disc() & gone).any()) and bool((mask[disc()] == 1).all())


@pytest.fixture
def wanderer():
    """The foreground of a part that stands here and there, so that its place is no help."""
    found = Foreground.find([patches(disc(6.3, 6.5, 6.5), 0), patches(disc(6.3, 16.5, 16.5), 1)])
    assert found is not None and not bool(found.place.any())
    return found


@pytest.mark.parametrize(
    "gone",
    [disc(4.2, 16.5, 6.5), disc(3.5, 11, 6.5), disc(3.5, 16.5, 11.5), disc(2.0, 12, 11)],
    ids=str.split("hole side foot corner"),
)
def test_a_hole_or_a_nick_in_a_part_that_stands_anywhere_is_looked_at(wanderer, gone):
    whole = disc(6.3, 16.5, 6.5)
    mask = wanderer.mask(patches(whole & ~gone, 9)[None])[0]
    assert bool((whole & gone).any()) and bool((mask[whole] == 1).all())


def test_a_part_that_stands_elsewhere_is_found_there(wanderer):
    mask = wanderer.mask(patches(disc(6.3, 16.5, 6.5), 2)[None])[0]
    assert bool((mask[disc(6.3, 16.5, 6.5)] == 1).all()) and bool((mask[disc(4.0, 6.5, 16.5)] == 0).all())


def test_dirt_on_the_ground_is_looked_at(ground):
    dirty = patches(disc(), 9)
    assert float(ground.mask(dirty[None])[0, 1, 1]) == 0
    dirty[1, 1] = torch.eye(CHANNELS)[7]
    assert float(ground.mask(dirty[None])[0, 1, 1]) == 1


def test_a_picture_without_the_product_is_looked_at_as_a_whole(ground):
    empty, tiny = patches(disc(0.0), 9), patches(disc(3.0, 4, 4), 9)
    masks = ground.mask(torch.stack([empty, tiny, patches(disc(), 9)]))
    assert masks.mean(dim=(1, 2)).tolist()[:2] == [1.0, 1.0] and float(masks[2].mean()) < 0.7


@pytest.mark.parametrize(("h", "w"), [(24, 24), (12, 12), (36, 20)])
def test_references_and_pictures_may_differ_in_size(h, w):
    part = disc(0.35 * min(h, w), (w - 1) / 2, (h - 1) / 2, h, w)
    found = Foreground.find([patches(disc(), 0), patches(part, 1)])
    assert found is not None
    mask = found.mask(patches(part, 2)[None])
    assert mask.shape == (1, h, w) and bool((mask[0][part] == 1).all()) and float(mask[0, 0, 0]) == 0


def test_the_same_foreground_comes_back_from_its_tensors(ground):
    again = Foreground.from_state_dict(ground.state_dict())
    assert (again.threshold, again.share) == (ground.threshold, ground.share)
    tokens = patches(disc(7.0, 14, 10), 5)[None]
    assert torch.equal(again.mask(tokens), ground.mask(tokens))


@pytest.mark.parametrize(
    "change",
    [
        {"direction": torch.ones(2, 2)},
        {"direction": torch.full((CHANNELS,), float("nan"))},
        {"threshold": torch.tensor([float("inf")])},
        {"place": torch.ones(3, dtype=torch.bool)},
        {"place": torch.ones(3, 3)},
        {"place": torch.ones(0, 3, dtype=torch.bool)},
        {"share": torch.tensor([0.0])},
        {"share": torch.tensor([0.5, 0.5])},
        {"surprise": torch.ones(1)},
    ],
    ids=str,
)
def test_tensors_that_make_no_foreground_are_refused(ground, change):
    with pytest.raises((ValueError, RuntimeError)):
        Foreground.from_state_dict(ground.state_dict() | change)


def test_a_missing_tensor_is_refused(ground):
    for name in ground.state_dict():
        rest = {key: tensor for key, tensor in ground.state_dict().items() if key != name}
        with pytest.raises(ValueError, match="made of"):
            Foreground.from_state_dict(rest)


# What follows is about those who use it.


@pytest.fixture
def detector(backbones):
    return Detector(backbones["tiny-cnn"])


def on_a_ground(seed, spot=None, side=160):
    """A lively disc on white, [side, side, 3] uint8, with a blot at `spot` in pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.full((side, side, 3), 250.0)
    rows, columns = np.mgrid[:side, :side] - side / 2
    inside = rows**2 + columns**2 < (0.3 * side) ** 2
    coarse = rng.normal(90, 60, (side // 8, side // 8, 3)).repeat(8, 0).repeat(8, 1)
    pixels[inside] = coarse[inside]
    if spot:
        x, y = spot
        pixels[y - 8 : y + 8, x - 8 : x + 8] = (230, 20, 10)
    return pixels.clip(0, 255).astype(np.uint8)


def learn(detector, pictures, **settings):
    return learn_product(detector, "disc", [load_image(p) for p in pictures], **settings)


def see(detector, pixels):
    (features,) = detector.backbone.encode([pixels])
    return features


@pytest.fixture
def product(detector):
    made = learn(detector, [on_a_ground(i) for i in range(3)], foreground=True)
    assert made.foreground is not None
    return made


def test_maps_are_zero_on_the_ground_and_untouched_on_the_product(detector, product):
    features = see(detector, on_a_ground(7))
    mask = product.foreground.mask(detector.tokens(features))
    assert 0 < float(mask.mean()) < 1
    plain = dataclasses.replace(product, foreground=None)
    masked, whole = detector.maps(features, [product, plain])
    assert torch.equal(masked, whole * mask)
    assert torch.equal(masked, detector.few_shot(features, product.dictionary, foreground=product.foreground))


def test_the_limits_rest_on_masked_maps(detector, monkeypatch):
    monkeypatch.setattr(Foreground, "mask", lambda self, tokens: torch.full(tokens.shape[:3], 0.5))
    monkeypatch.setattr("assistant.products.learning.ALIKE", -1.0)  # no reference is alike as a whole
    for count in (1, 3):
        pictures = [on_a_ground(i) for i in range(count)]
        halved, whole = learn(detector, pictures, foreground=True), learn(detector, pictures)
        assert halved.calibration.threshold == pytest.approx(0.5 * whole.calibration.threshold)
        for one, other in zip(halved.references, whole.references, strict=True):
            assert other.score is None or one.score == pytest.approx(0.5 * other.score)


def test_it_is_off_unless_asked_for_and_none_where_there_is_no_ground(detector, good):
    assert learn(detector, [on_a_ground(0)]).foreground is None
    assert learn(detector, [good(0), good(1)], foreground=True).foreground is None


def test_a_product_file_keeps_the_foreground(product, tmp_path):
    again = Product.load(product.save(tmp_path / "disc"))
    for name, tensor in product.foreground.state_dict().items():
        assert torch.equal(tensor, again.foreground.state_dict()[name])
    plain = dataclasses.replace(product, foreground=None)
    assert Product.load(plain.save(tmp_path / "plain")).foreground is None


def test_a_product_file_with_a_damaged_foreground_is_refused(product, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path = product.save(tmp_path / "disc")
    with safe_open(str(path), framework="pt") as file:
        header = file.metadata()
    tensors = load_file(path)
    short = {"foreground.direction": tensors["foreground.direction"][:-1].clone()}
    for spoiled in (short, {"foreground.share": torch.tensor([2.0])}, {"foreground.surprise": torch.ones(1)}):
        save_file(tensors | spoiled, path, header)
        with pytest.raises(ProductError, match="damaged|does not fit"):
            Product.load(path)


def test_the_front_door_takes_it(inspector):
    pictures = [on_a_ground(i) for i in range(3)]
    product = inspector.learn("disc", pictures, foreground=True)
    assert product.foreground is not None
    (found,) = inspector.inspect([on_a_ground(7)], product)
    assert float(found.coarse_map[0, 0]) == 0 and float(found.coarse_map.max()) > 0


def test_the_command_line_takes_it_and_says_where_there_is_none(tiny_home, tmp_path, good, monkeypatch, capfd):
    def call(*arguments):
        chosen = [*map(str, arguments), "--bundle", "tiny-cnn", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["looktwice", *chosen])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code or 0, " ".join(capfd.readouterr().err.split())

    for name, pictures in {"disc": [on_a_ground(0)], "cloth": [good(0), good(1)]}.items():
        (tmp_path / name).mkdir()
        for i, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    disc, cloth = tmp_path / "disc", tmp_path / "cloth"
    for switch in ("--foreground", "--no-foreground"):
        status, err = call("learn", "disc", "--references", disc, switch)
        assert status == 0 and "no plain ground" not in err
        assert (ProductStore().load("disc").foreground is not None) == (switch == "--foreground")
    for verb in (["learn", "cloth"], ["inspect", cloth]):
        status, err = call(*verb, "--references", cloth, "--foreground")
        assert status == 0 and "no plain ground" in err
    status, err = call("inspect", disc, "--product", "disc", "--foreground")
    assert status == 2 and "--foreground belongs to --references" in err


@pytest.mark.weights
def test_the_pocket_tower_finds_a_part_on_white_and_none_on_surfaces(good, planted):
    from assistant.models.backbone import Backbone

    detector = Detector(Backbone.load("pocket", device="cpu"))
    product = learn(detector, [on_a_ground(i, side=320) for i in range(2)], foreground=True)
    assert product.foreground is not None
    maps = detector.maps(see(detector, on_a_ground(7, (160, 160), side=320)), [product])[0]
    row, column = divmod(int(maps.argmax()), maps.shape[2])
    assert abs(row - 20) <= 2 and abs(column - 20) <= 2 and float(maps[0, 0, 0]) == 0
    rng = np.random.default_rng(0)
    flat, noise = np.full((300, 300, 3), 128, np.uint8), rng.integers(0, 255, (300, 300, 3), dtype=np.uint8)
    fine = (128 + 3 * rng.standard_normal((300, 300, 1))).repeat(3, 2).astype(np.uint8)
    for surface in (good(0, 320, 320), good(1, 500, 300), flat, noise, fine):
        assert learn(detector, [surface], foreground=True).foreground is None
