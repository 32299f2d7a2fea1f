"""What ships can be built by the libraries that are here; a card that no library can build is refused in words."""

from dataclasses import replace

import pytest

from assistant.errors import WeightsError
from assistant.models.card import Bundle, card_names, load_any_card, load_card
from assistant.models.fit import check_towers, find_shape


@pytest.mark.parametrize("name", card_names())
def test_every_card_that_ships_names_what_its_libraries_know(name):
    card = load_any_card(name)
    check_towers(card)
    assert card.language is None or card.language.kind == "causal" or card.language.architecture


@pytest.mark.parametrize("name", [n for n in card_names() if isinstance(load_any_card(n), Bundle)])
def test_a_picture_of_every_card_is_whole_patches_of_every_tower(name):
    card = load_card(name)
    for part in filter(None, (card.image, card.patch_tower)):
        stride = max(find_shape(part).strides[layer] for layer in part.layers)
        assert part.multiple % stride == 0 and part.image_size % part.multiple == 0
        if len(set(find_shape(part).strides)) == 1:  # a ViT has one patch, and any other multiple wastes size
            assert part.multiple == stride


def test_towers_of_timm_are_fed_as_they_were_trained():
    import timm

    for name in card_names():
        card = load_any_card(name)
        tower = getattr(card, "patch_tower", None)
        if tower is not None:
            tag = tower.source.repo.split("/")[1]
            told = timm.get_pretrained_cfg(tag)
            assert told is not None and told.architecture == tower.architecture, tag
            assert (told.mean, told.std) == (tower.mean, tower.std), tag


@pytest.fixture
def standard():
    return load_card("standard")


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("image", {"layers": (5, 12)}, "image: ViT-B-16 has layers 0 to 11, and no layer 12"),
        ("image", {"architecture": "ViT-Z-99"}, "open_clip knows no architecture 'ViT-Z-99'"),
        ("image", {"architecture": "RN50"}, "RN50 is no plain CLIP with a ViT"),
        ("image", {"architecture": "ViT-B-16-SigLIP2-256"}, "take its image tower from timm"),
        ("image", {"multiple": 14, "image_size": 280}, "multiple is 14, and a patch of ViT-B-16 is 16 pixels"),
        ("patch_tower", {"layers": (3, 40)}, "patch_tower: vit_small_patch14_dinov2 has layers 0 to 11"),
        ("patch_tower", {"architecture": "vit_unheard_of"}, "timm knows no architecture 'vit_unheard_of'"),
        ("patch_tower", {"multiple": 16, "image_size": 448}, "a patch of vit_small_patch14_dinov2 is 14 pixels"),
        ("text", {"dimensions": 640}, "vectors of ViT-B-16 have 512 dimensions, not 640"),
        (
            "language",
            {"architecture": "no_such_type"},
            "transformers knows no vision model of the type 'no_such_type'",
        ),
        ("language", {"architecture": "llama"}, "no vision model of the type 'llama'"),
    ],
)
def test_what_no_library_can_build_is_refused_and_named(standard, part, change, said):
    card = replace(standard, **{part: replace(getattr(standard, part), **change)})
    with pytest.raises(WeightsError, match=said):
        check_towers(card)


def test_text_without_an_aligned_image_tower_is_refused(standard):
    with pytest.raises(WeightsError, match="brings no text tower"):
        check_towers(replace(standard, image=standard.patch_tower, patch_tower=None))
