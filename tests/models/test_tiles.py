"""Tiles: they cover a picture of any size, join without a seam, and show what is too small for the whole."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from assistant.commands import main as cli
from assistant.errors import LooktwiceError, ProductError
from assistant.images.geometry import fit_size
from assistant.models.tiles import MOST_TILES, Layout, canvas_size, encode_tiled, widen
from assistant.products.kept_pictures import expand, shrink
from assistant.products.product import Product

sizes = st.tuples(st.integers(1, 9000), st.integers(1, 9000))
counts = st.integers(2, MOST_TILES)


def layout_of(width, height, tiles, cell=32, side=320):
    wide, tall = fit_size(width, height, round(widen(tiles) * side), cell)
    return Layout.over((tall // cell, wide // cell), tiles)


@given(sizes, counts)
def test_tiles_cover_the_canvas_overlap_and_are_near_to_what_a_tower_sees(size, tiles):
    layout = layout_of(*size, tiles)
    seen = torch.zeros(layout.canvas)
    for y, x in layout.starts:
        seen[y : y + layout.tile[0], x : x + layout.tile[1]] += 1
    assert seen.min() >= 1
    assert 1 <= len(layout.starts) <= tiles**2
    for starts, length in ((layout.tops, layout.tile[0]), (layout.lefts, layout.tile[1])):
        apart = np.diff(starts)
        assert all(0 < step <= max(1, 0.75 * length + 1) for step in apart)
    assert layout.tile[0] * layout.tile[1] <= 2.5 * 100  # a cell more or less counts on a small canvas


@pytest.mark.parametrize("size", [(1, 1), (9000, 300), (300, 9000), (4000, 3000), (1, 9000), (640, 640)])
@pytest.mark.parametrize("tiles", [2, 3, 4])
@pytest.mark.parametrize("fine", [1, 4])
def test_a_constant_map_joins_to_a_constant_and_a_cut_one_to_itself(size, tiles, fine):
    layout = layout_of(*size, tiles)
    whole = torch.rand(3, layout.canvas[0] * fine, layout.canvas[1] * fine, dtype=torch.float64)
    parts = layout.cut(whole, fine)
    assert torch.allclose(layout.join(torch.full_like(parts, 0.7).permute(0, 2, 3, 1)), torch.tensor(0.7).double())
    assert torch.allclose(layout.join(parts.permute(0, 2, 3, 1)), whole.permute(1, 2, 0))


@given(sizes, counts, st.integers(0, 100))
@settings(max_examples=40)
def test_where_tiles_disagree_no_seam_shows(size, tiles, seed):
    layout = layout_of(*size, tiles)
    levels = torch.rand(len(layout.starts), generator=torch.Generator().manual_seed(seed))
    fine = 4
    flat = levels[:, None, None, None].expand(-1, layout.tile[0] * fine, layout.tile[1] * fine, 1)
    joined = layout.join(flat)[..., 0]
    assert levels.min() - 1e-5 <= joined.min() and joined.max() <= levels.max() + 1e-5
    for axis, (starts, length) in enumerate(((layout.tops, layout.tile[0]), (layout.lefts, layout.tile[1]))):
        if len(starts) > 1:
            shared = fine * min(length - step for step in np.diff(starts))
            # spread over what they share, and not at once: a raised cosine is nowhere steeper than pi / 2
            assert (
                joined.diff(dim=axis).abs().max()
                <= 1.6 * np.pi / 2 / shared * (levels.max() - levels.min()) + 1e-6
            )


def test_near_square_tiles_whatever_the_shape():
    assert len(layout_of(4000, 3000, 2).starts) == 4
    wide = layout_of(9000, 900, 2)
    assert wide.tops == (0,) and len(wide.lefts) == 4
    tall = layout_of(900, 9000, 2)
    assert tall.lefts == (0,) and len(tall.tops) == 4


def test_maps_that_do_not_fit_are_refused():
    layout = layout_of(640, 640, 2)
    with pytest.raises(ValueError, match="do not fit"):
        layout.join(torch.zeros(3, 10, 10, 1))


# ---- the tower


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, backbones):
    return backbones[request.param]


def shown_in_tiles(backbone, pixels):
    return backbone.fit(pixels, round(widen(2) * backbone.part.image_size))


@pytest.mark.parametrize(("width", "height"), [(160, 160), (400, 300), (1, 1), (900, 60)])
def test_features_of_tiles_are_one_finer_grid(backbone, good, width, height):
    pixels = good(0, width, height)
    (fine,), (coarse,) = encode_tiled(backbone, [pixels], 2), backbone.encode([pixels])
    wide, tall = canvas_size(backbone, width, height, 2)
    for layer, other in zip(fine.layers, coarse.layers, strict=True):
        cell = backbone.fit_size(width, height)[0] / other.shape[2]
        assert layer.shape == (1, round(tall / cell), round(wide / cell), other.shape[3])
        assert torch.isfinite(layer).all()
    assert (fine.text_patches is None) == (coarse.text_patches is None)
    assert torch.allclose(fine.vector, coarse.vector)


def test_one_tile_is_the_whole_picture(backbone, good):
    pictures = [good(0, 300, 200), good(1, 64, 64)]
    for one, other in zip(encode_tiled(backbone, pictures, 1), backbone.encode(pictures), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.layers, other.layers, strict=True))
        assert torch.equal(one.vector, other.vector)
    assert canvas_size(backbone, 300, 200, 1) == backbone.fit_size(300, 200)


@pytest.mark.parametrize("tiles", [0, MOST_TILES + 1])
def test_the_number_of_tiles_is_checked_before_the_tower_runs(backbone, good, tiles):
    with pytest.raises(ProductError, match="1 to 4 tiles"):
        encode_tiled(backbone, [good(0)], tiles)


def test_a_tile_within_a_tile_is_what_the_tower_makes_of_it(backbone, good):
    pixels = good(0, *canvas_size(backbone, 300, 300, 2))
    (joined,) = encode_tiled(backbone, [pixels], 2)
    planes, cell = shown_in_tiles(backbone, pixels), backbone.part.multiple
    layout = Layout.over((planes.shape[1] // cell, planes.shape[2] // cell), 2)
    corner = backbone.encode_image(layout.cut(planes, cell)[:1]).layers[0]
    fine = corner.shape[1] // layout.tile[0]
    alone = min(layout.tops[1], layout.lefts[1]) * fine  # no other tile lies here
    assert torch.allclose(joined.layers[0][:, :alone, :alone], corner[:, :alone, :alone], atol=1e-4)


def test_a_kept_picture_has_the_very_same_tiles(backbone, good):
    pixels = good(0, 900, 700)
    kept = expand(shrink(pixels, backbone, 2))
    assert torch.equal(shown_in_tiles(backbone, kept), shown_in_tiles(backbone, pixels))
    assert kept.shape[1::-1] == canvas_size(backbone, 900, 700, 2)


@given(sizes, counts)
@settings(max_examples=200)
def test_a_canvas_is_its_own_canvas(size, tiles):
    side = round(widen(tiles) * 320)
    canvas = fit_size(*size, side, 32)
    assert fit_size(*canvas, side, 32) == canvas


def test_a_second_tower_gives_the_layers(backbones, good):
    from assistant.models.backbone import Backbone

    cnn, vit = backbones["tiny-cnn"], backbones["tiny-vit"]
    both = Backbone(vit.card, vit.runtime, part=vit.part, aligns_text=vit.aligns_text, patch_tower=cnn)
    pixels = good(0, 300, 300)
    (seen,), (one,), (two,) = (encode_tiled(b, [pixels], 2) for b in (both, vit, cnn))
    assert all(torch.equal(a, b) for a, b in zip(seen.layers, two.layers, strict=True))
    assert torch.equal(seen.text_patches, one.text_patches) and torch.equal(seen.vector, one.vector)


# ---- products


def specks(pixels, places, half):
    spoiled = pixels.copy()
    for x, y in places:
        spoiled[y - half : y + half, x - half : x + half] = (230, 20, 10)
    return spoiled


def test_a_speck_in_a_large_picture_is_found_in_tiles(inspector, good):
    references = [good(i, 640, 640) for i in range(4)]
    whole, tiled = (inspector.learn("cloth", references, tiles=n) for n in (1, 3))
    spoiled = specks(good(9, 640, 640), [(400, 200)], 6)
    plain, closer = next(iter(inspector.inspect_many([spoiled], [whole, tiled])))
    assert closer.score / closer.threshold > 1.2 * plain.score / plain.threshold
    assert closer.verdict == "defect"
    x0, y0, x1, y1 = closer.regions[0].box
    assert x0 < 400 < x1 and y0 < 200 < y1
    assert closer.coarse_map.shape > plain.coarse_map.shape


def test_whole_and_tiled_products_see_in_company_what_they_see_alone(either_inspector, good, planted):
    references = [good(i) for i in range(3)]
    products = [either_inspector.learn("cloth", references, tiles=n) for n in (2, 1, 3)]
    pictures = [planted(good(7), 0.3, 0.6)[0], good(8), b"no picture"]
    for i, row in enumerate(either_inspector.inspect_many(pictures, [*products, None])):
        for product, found in zip([*products, None], row, strict=True):
            (alone,) = either_inspector.inspect([pictures[i]], product)
            assert (found.score, found.verdict, found.status) == (alone.score, alone.verdict, alone.status)


def test_tiles_are_kept_with_the_product_and_sealed(inspector, good, planted, tmp_path):
    product = inspector.learn("cloth", [good(i) for i in range(3)], tiles=2)
    again = Product.load(product.save(tmp_path / "p"))
    assert again.tiles == 2
    spoiled, _ = planted(good(7), 0.3, 0.6)
    first, second = (inspector.inspect([spoiled], p)[0] for p in (product, again))
    assert first.score == second.score and first.threshold == second.threshold
    with pytest.raises(ProductError, match="recalibrate"):
        inspector.inspect([spoiled], dataclasses.replace(product, tiles=1))
    mended = inspector.teacher.recalibrate(again)
    assert mended.calibration == product.calibration


def test_a_file_from_before_tiles_is_a_product_of_whole_pictures(inspector, good, tmp_path):
    product = inspector.learn("cloth", [good(0), good(1)])
    settings, tensors = product.state()
    row = json.loads(settings)
    for later in ("tiles", "scoring", "trained", "memory"):
        del row[later]
    save_file(tensors, tmp_path / "old", {"looktwice": json.dumps(row | {"schema": 2, "seal": "of before"})})
    old = Product.load(tmp_path / "old")
    assert old.tiles == 1
    with pytest.raises(ProductError, match="recalibrate"):  # its limits were set before scores had a configuration
        inspector.inspect([good(5)], old)
    mended = inspector.teacher.recalibrate(old)
    assert inspector.inspect([good(5)], mended)[0].score == inspector.inspect([good(5)], product)[0].score


def test_tiles_go_with_references_in_the_command_line(inspector, good, tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.inspector.Inspector.from_pretrained", lambda *_, **__: inspector)
    for i in range(3):
        Image.fromarray(good(i)).save(tmp_path / f"{i}.png")
    picture, run = str(tmp_path / "0.png"), CliRunner().invoke
    learn = ["learn", "cloth", "--references", str(tmp_path)]
    assert run(cli.app, [*learn, "--tiles", "2"]).exit_code == 0
    assert inspector.load("cloth").tiles == 2
    assert run(cli.app, ["inspect", picture, "--references", str(tmp_path), "--tiles", "2"]).exit_code == 0
    for known in ([], ["--product", "cloth"]):
        refused = run(cli.app, ["inspect", picture, "--tiles", "2", *known]).exception
        assert isinstance(refused, LooktwiceError) and "belongs to --references" in str(refused)


def test_a_tiled_product_is_taught_and_undone_in_tiles(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(3)], tiles=2)
    patches = len(product.dictionary) // 3
    more = inspector.teach(product, good(5))
    assert len(more.dictionary) == 4 * patches and more.tiles == 2
    spoiled, _ = planted(good(7), 0.3, 0.6)
    known = inspector.teach(more, spoiled, as_="defect", label="blot")
    (found,) = inspector.inspect([spoiled], known)
    assert found.regions[0].defect_types[0].name == "blot"
    assert known.undo().undo().state()[0] == product.state()[0]


@pytest.mark.parametrize("tiles", [0, -1, MOST_TILES + 1])
def test_too_many_tiles_are_refused(inspector, good, tiles):
    with pytest.raises(LooktwiceError, match="1 to 4 tiles"):
        inspector.learn("cloth", [good(0)], tiles=tiles)


@pytest.mark.weights
@pytest.mark.slow
def test_the_pocket_bundle_sees_a_small_scratch_in_a_large_picture(good):
    from assistant.inspector import Inspector

    inspector = Inspector.from_pretrained("pocket")
    references = [good(i, 2000, 1500) for i in range(2)]
    spoiled = good(9, 2000, 1500)
    for step in range(20):
        x, y = 1200 + step, 700 + step // 2
        spoiled[y : y + 2, x : x + 2] = 20
    products = [inspector.learn("plate", references, tiles=tiles) for tiles in (1, 4)]
    plain, closer = next(iter(inspector.inspect_many([spoiled], products)))
    assert closer.verdict == "defect" and closer.score > 1.3 * closer.threshold
    assert closer.score / closer.threshold > 1.2 * plain.score / plain.threshold
    x0, y0, x1, y1 = closer.regions[0].box
    assert x0 < 1210 < x1 and y0 < 705 < y1 and (x1 - x0) * (y1 - y0) < 0.01 * 2000 * 1500
