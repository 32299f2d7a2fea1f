"""Cards: what ships is complete and pinned, and a card with a mistake is refused with the mistake named."""

import dataclasses

import pytest
import torch

from assistant.errors import WeightsError
from assistant.models import card as bundle
from assistant.models.card import card_names, load_any_card, load_card, read_card
from assistant.models.sources import MAIN, HubFolder, Wheel

CARD = """
schema = 1
name = "tiny"
title = "Tiny"
licence = "MIT"
measured = false

[image]
kind = "timm"
architecture = "test_efficientnet"
layers = [1, 2]
image_size = 64
multiple = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 1, 0.5]

[image.source]
package = "tiny-image"
version = "1.0"
sha256 = "SHA"
size = 10
member = "tiny_image/model.pth"
licence = "MIT"

[text]
kind = "sentence"
dimensions = 8
pooler = "mean"

[text.source]
repo = "someone/text"
revision = "REV"
files = ["model.safetensors", "*.json"]
licence = "MIT"
""".replace("SHA", "a" * 64).replace("REV", "b" * 40)


TOWERS = ["dinov3-b", "dinov3-l", "max", "radio-b", "siglip2-b", "standard"]
LANGUAGE = ["gemma3-4b", "qwen3-vl-2b", "qwen3.5-0.8b", "smolvlm2-500m"]


def test_the_shipped_cards_are_known_with_the_default_first():
    assert card_names() == ["pocket", *sorted(TOWERS + LANGUAGE)]
    for name in card_names():
        assert load_any_card(name).name == name
    for name in ["pocket", *TOWERS]:
        assert {"image"} <= set(load_card(name).sources)


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_language_model_alone_is_pulled_and_named_but_sees_nothing_for_an_inspector(name):
    assert set(load_any_card(name).sources) == {"language"}
    with pytest.raises(WeightsError, match="is a language model without towers"):
        load_card(name)


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_source_is_pinned_or_says_so_and_hub_parts_never_ask_for_a_pickle(name):
    card = load_any_card(name)
    for source in card.sources.values():
        assert source.licence
        if isinstance(source, HubFolder):
            assert len(source.revision) == 40 or (source.revision == MAIN and "Not pinned" in card.note)
            assert any(pattern.endswith(".safetensors") for pattern in source.files)
            assert not any(pattern.endswith((".bin", ".pt", ".pth", "*")) for pattern in source.files)
        else:
            assert isinstance(source, Wheel) and len(source.sha256) == 64


def test_only_the_bundle_with_published_numbers_calls_itself_measured():
    assert [name for name in card_names() if load_any_card(name).measured] == ["pocket"]
    assert all("not measured" in load_any_card(name).note.lower() for name in TOWERS + LANGUAGE)


def test_the_pocket_card_feeds_the_tower_as_it_was_trained():
    import timm

    image = load_card("pocket").image
    tower = timm.create_model(image.architecture, pretrained=False)
    with torch.no_grad():
        maps = tower.forward_intermediates(torch.zeros(1, 3, 64, 64), intermediates_only=True)
    strides = [64 // m.shape[-1] for m in maps]
    assert [strides[i] for i in image.layers] == [8, 16, 32]
    assert image.multiple == strides[-1]
    assert image.mean == tower.pretrained_cfg["mean"] and image.std == tower.pretrained_cfg["std"]


def test_a_right_card_is_read_into_frozen_tuples():
    card = read_card(CARD)
    assert card.image.layers == (1, 2) and card.image.std == (0.5, 1, 0.5)
    assert isinstance(card.image.source, Wheel) and isinstance(card.text.source, HubFolder)
    assert list(card.sources) == ["image", "text"] and card.language is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        card.name = "other"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", "schema 2"),
        ("schema = 1\n", "", "schema None"),
        ("[image]\n", "[image]\nlayer = 1\n", "unknown keys in image: layer"),
        ('licence = "MIT"\nmeasured', 'license = "x"\nmeasured', "unknown keys in the card: license"),
        ('member = "tiny', 'url = "u"\nmember = "tiny', "unknown keys in image.source: url"),
        ("image_size = 64\n", "", "missing keys in image: image_size"),
        ("image_size = 64", "image_size = 65", "not a multiple of 32"),
        ("image_size = 64", 'image_size = "64"', "wrong kind"),
        ("image_size = 64", "image_size = true", "wrong kind"),
        ("measured = false", "measured = 0", "wrong kind"),
        ("layers = [1, 2]", "layers = [2, 1]", "layers"),
        ("layers = [1, 2]", "layers = []", "layers"),
        ("layers = [1, 2]", "layers = [-1, 2]", "layers"),
        ("layers = [1, 2]", "layers = 1", "wrong kind"),
        ("std = [0.5, 1, 0.5]", "std = [0.5, 0, 0.5]", "std must be positive"),
        ("mean = [0.5, 0.5, 0.5]", "mean = [0.5, 0.5]", "three values"),
        ('kind = "timm"', 'kind = "keras"', "'keras' is not one of"),
        ('pooler = "mean"', 'pooler = "max"', "'max' is not one of"),
        ("multiple = 32", 'multiple = 32\nattention = "qq"', "'qq' is not one of plain, vv"),
        ("multiple = 32", 'multiple = 32\nattention = "vv"', "'vv' needs a tower of the kind open_clip"),
        ("a" * 64, "a" * 63, "sha256"),
        ("b" * 40, "v1.0", "revision 'v1.0'"),
        ('version = "1.0"', 'version = ">=1.0"', "one exact version"),
        ('package = "tiny-image"', 'package = "--index-url=x"', "not a package name"),
        ('member = "tiny_image/model.pth"', 'member = "../model.pth"', "outside the wheel"),
        ('member = "tiny_image/model.pth"', 'member = "/model.pth"', "outside the wheel"),
        ('member = "tiny_image/model.pth"', 'member = "tiny_image/"', "files belong"),
        ('"*.json"', '"*.bin"', "files may only end in"),
        ('"*.json"', '"../*.json"', "outside the repository"),
        ('repo = "someone/text"', 'repo = "text"', "owner/name"),
        ('kind = "sentence"', 'kind = "open_clip"', "a sentence tower needs a source"),
        ('name = "tiny"', 'name = "../tiny"', "short lower-case word"),
    ],
)
def test_a_mistake_in_a_card_is_refused_and_named(old, new, said):
    assert old in CARD
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        read_card(CARD.replace(old, new, 1))


def test_a_section_that_is_not_a_table_is_refused():
    with pytest.raises(ValueError, match="image is not a section"):
        read_card('schema = 1\nimage = "x"\n')


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", "", "CON", "a" * 300])
def test_an_unknown_bundle_is_refused_in_one_sentence_that_lists_the_known(name):
    with pytest.raises(WeightsError, match="the bundles are: pocket, "):
        load_card(name)


@pytest.mark.parametrize("text", ["not toml at all [", CARD.replace('name = "tiny"', 'name = "huge"')])
def test_a_broken_card_file_becomes_one_sentence(monkeypatch, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(text)
    monkeypatch.setattr(bundle, "card_folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match="The card of the bundle 'tiny' is not right"):
        load_card("tiny")


def test_attention_is_plain_unless_a_card_says_otherwise_and_then_the_digest_says_so_too():
    assert {load_card(name).image.attention for name in ["pocket", *TOWERS]} == {"plain"}
    clip = CARD.replace('kind = "timm"', 'kind = "open_clip"')
    said = {
        a: read_card(clip.replace("multiple = 32", f'multiple = 32\nattention = "{a}"')) for a in ("plain", "vv")
    }
    assert said["vv"].image.attention == "vv" and said["plain"] == read_card(clip)
    assert said["vv"].tower_digest != read_card(clip).tower_digest


def test_a_new_key_left_at_its_default_keeps_old_digests():
    # The limits that ship, and every product and download of earlier versions, name the towers by this digest.
    assert (load_card("pocket").digest, load_card("pocket").tower_digest) == ("63fe5feb6bf9", "c3585e744fdc")
    assert (load_card("standard").digest, load_card("max").digest) == ("d6ac512ae4e8", "0dabd6eb5cea")


def test_the_digest_follows_what_is_computed_and_not_the_wording():
    digest = read_card(CARD).digest
    for old, new in [
        ("layers = [1, 2]", "layers = [1]"),
        ("a" * 64, "c" * 64),
        ("b" * 40, "d" * 40),
        ('pooler = "mean"', 'pooler = "cls"'),
    ]:
        assert read_card(CARD.replace(old, new)).digest != digest
        assert read_card(CARD.replace(old, new)).tower_digest != read_card(CARD).tower_digest
    talking = read_card(
        CARD + '[language]\nkind = "causal"\n' + CARD[CARD.index("[text.source]") :].replace("text", "language")
    )
    assert talking.digest != digest and talking.tower_digest == read_card(CARD).tower_digest
    assert read_card(CARD.replace("Tiny", "Very tiny").replace("MIT", "Apache-2.0")).digest == digest
