"""Known defects: what is raised, by how much, what it is called, and which patches of an example count."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary
from assistant.detection.known import MOST_PATCHES, KnownDefect, KnownDefects, choose_patches, raise_known


def unit(*shape, seed=0):
    return normalize(torch.randn(*shape, 16, generator=torch.Generator().manual_seed(seed)), dim=-1)


def known(*groups):
    found = KnownDefects()
    for i, (label, patches) in enumerate(groups):
        found = found.with_example(KnownDefect(i, f"{i}.png", label), patches)
    return found


def test_the_contrast_is_one_at_a_known_defect_and_negative_at_a_good_patch():
    good, bad = unit(5, seed=1), unit(3, seed=2)
    found = known(("a", bad)).contrast(torch.cat([bad, good]), Dictionary.build({0: good}))
    assert found[:3].min() > 0.9 and found[3:].max() < -0.9
    both = known(("a", good)).contrast(good, Dictionary.build({0: good}))
    assert both.abs().max() < 1e-6


@given(st.integers(0, 50))
def test_nothing_is_lowered_and_nothing_more_than_doubled(seed):
    maps = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(seed))
    contrast = known(("a", unit(4, seed=seed + 1))).contrast(
        unit(2, 4, 4, seed=seed + 2), Dictionary.build({0: unit(9, seed=seed + 3)})
    )
    raised = raise_known(maps, contrast)
    assert (raised >= maps).all() and (raised <= 2 * maps + 1e-6).all()
    assert torch.equal(raised[contrast <= 0], maps[contrast <= 0])
    assert torch.equal(raise_known(maps, contrast, 0.0), maps)
    assert torch.allclose(raise_known(maps, contrast, 3.0) - maps, 3 * (raised - maps), atol=1e-6)


def test_the_label_of_the_nearest_example_is_told_with_its_share():
    first, second, good = unit(4, seed=1), unit(4, seed=2), unit(8, seed=3)
    defects, memory = known(("blot", first), ("dent", second)), Dictionary.build({0: good})
    tokens = torch.stack([*first[:3], second[0], *good[:4]]).reshape(2, 4, 16)
    contrast = defects.contrast(tokens, memory)
    mask = torch.zeros(2, 4, dtype=torch.bool)
    mask[0] = True
    named = defects.recognise(tokens, contrast, mask)
    assert [(t.name, t.probability, t.source) for t in named] == [("blot", 0.75, "known"), ("dent", 0.25, "known")]
    assert defects.recognise(tokens, contrast, ~mask) == ()
    assert defects.without(0).without(1).defects == () and not defects.without(0).without(1)


def test_examples_of_one_label_count_together():
    defects = known(("blot", unit(2, seed=1)), ("blot", unit(2, seed=2)))
    tokens = torch.cat([unit(2, seed=1), unit(2, seed=2)])[None]
    contrast = defects.contrast(tokens, Dictionary.build({0: unit(5, seed=3)}))
    (named,) = defects.recognise(tokens, contrast, torch.ones(1, 4, dtype=torch.bool))
    assert (named.name, named.probability) == ("blot", 1.0)


def test_patches_are_those_in_the_mask_that_are_strange():
    tokens, distance = unit(4, 4), torch.arange(16.0).reshape(4, 4)
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[1:3] = True
    chosen = choose_patches(tokens, distance, distance, mask, 0.0)
    assert torch.equal(chosen, tokens.flatten(0, 1)[[11, 10, 9, 8, 7]])
    only_plain = torch.zeros(4, 4, dtype=torch.bool)
    only_plain[0, 0] = True
    assert torch.equal(choose_patches(tokens, distance, distance, only_plain, 0.0), tokens[0, :1])


def test_without_a_mask_the_found_places_count_or_else_the_hottest():
    tokens, distance = unit(10, 10), torch.arange(100.0).reshape(10, 10)
    assert len(choose_patches(tokens, distance, distance, None, 95.0)) == 4
    hottest = choose_patches(tokens, distance, distance, None, float("inf"))
    assert torch.equal(hottest, tokens.flatten(0, 1)[[99, 98]])
    many = choose_patches(unit(40, 40), torch.ones(40, 40), torch.ones(40, 40), None, 0.0)
    assert len(many) == MOST_PATCHES


def test_what_does_not_fit_together_is_refused():
    patches = unit(2)
    with pytest.raises(ValueError, match="not named"):
        KnownDefects((), Dictionary.build({0: patches}))
    with pytest.raises(ValueError, match="one id"):
        KnownDefects((KnownDefect(0, "a", "a"), KnownDefect(0, "b", "b")), Dictionary.build({0: patches}))
