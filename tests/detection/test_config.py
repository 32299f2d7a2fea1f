"""The numbers of the score rule: each is checked, comes back from JSON, and changes the digest."""

import json
import math
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from assistant.detection import config
from assistant.detection.config import SHIPPED, ScoringConfig

OTHERS = {
    "layer_shares": (0.9, 0.1),
    "neighbourhood": 3,
    "scale_layers": False,
    "rarity_neighbours": 3,
    "rarity_apart": 5,
    "text_share": 0.25,
    "text_learned": False,
    "text_fusion": "mean",
    "text_whole": 0.2,
    "memory_share": 0.3,
    "reach": 4,
    "aligned_gates": ((0.5, 1.5),),
    "known_weight": 2.5,
    "strength_weight": 1.0,
    "strength_quantile": 0.5,
    "rim": 1,
    "whole_weight": 5.0,
    "whole_gate": 0.001,
    "whole_cap": 0.02,
    "top_share": 0.2,
    "mutual_patches": 100,
    "mutual_sizes": (1,),
    "mutual_interval": 1.0,
    "mutual_others": 2,
}
"""Another valid value of each field."""

SHARE, POSITIVE_SHARE, WEIGHT = (-0.1, 1.1, math.nan), (0.0, -0.1, 1.1, math.nan), (-0.1, math.inf, math.nan)
ANYTHING = (None, "much", [])

WRONG = {
    "layer_shares": ((0.5, 0.4), (1.5, -0.5), (0.5, math.nan), (math.inf,), 1.0, ("a", "b"), None),
    "neighbourhood": (0, 2, -1, 1.0, True, *ANYTHING),
    "scale_layers": (1, *ANYTHING),
    "rarity_neighbours": (0, -1, 2.0, True, *ANYTHING),
    "rarity_apart": (-1, 1.5, False, *ANYTHING),
    "text_share": (*SHARE, *ANYTHING),
    "text_learned": (1, *ANYTHING),
    "text_fusion": ("", "sum", 1, *ANYTHING),
    "text_whole": (*SHARE, *ANYTHING),
    "memory_share": (*SHARE, *ANYTHING),
    "reach": (-1, 1.5, True, *ANYTHING),
    "aligned_gates": (
        (),
        ((0.5, 0.9),),
        ((1.5, 1.1),),
        ((-0.1, 1.1),),
        ((0.5, math.inf),),
        ((0.5,),),
        (0.5, 1.1),
        None,
    ),
    "known_weight": (*WEIGHT, *ANYTHING),
    "strength_weight": (*WEIGHT, *ANYTHING),
    "strength_quantile": (*POSITIVE_SHARE, *ANYTHING),
    "rim": (-1, 1.5, True, *ANYTHING),
    "whole_weight": (*WEIGHT, *ANYTHING),
    "whole_gate": (*WEIGHT, *ANYTHING),
    "whole_cap": (*WEIGHT, *ANYTHING),
    "top_share": (*POSITIVE_SHARE, *ANYTHING),
    "mutual_patches": (0, 3, 600.0, *ANYTHING),
    "mutual_sizes": ((), (1, 2), (0,), (-1,), (1.0,), (True,), 3, None),
    "mutual_interval": (*POSITIVE_SHARE, *ANYTHING),
    "mutual_others": (0, 1.0, True, *ANYTHING),
}

NAMES = [field.name for field in fields(ScoringConfig)]


def test_every_field_is_tried_here():
    assert list(OTHERS) == list(WRONG) == NAMES
    assert all(getattr(SHIPPED, name) != value for name, value in OTHERS.items())


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_makes_no_sense_is_refused(name):
    for value in WRONG[name]:
        with pytest.raises(ValueError):
            ScoringConfig(**{name: value})
        with pytest.raises(ValueError):
            ScoringConfig.from_dict(SHIPPED.to_dict() | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, WRONG[name][0]) for name in NAMES],
)
def test_the_refusal_names_the_field(name, value):
    with pytest.raises(ValueError, match=f"^{name} of a scoring configuration "):
        ScoringConfig(**{name: value})


@pytest.mark.parametrize("name", NAMES)
def test_another_value_comes_back_from_json_and_has_another_digest(name):
    changed = replace(SHIPPED, **{name: OTHERS[name]})
    again = ScoringConfig.from_dict(json.loads(json.dumps(changed.to_dict(), allow_nan=False)))
    assert again == changed != SHIPPED and hash(again) == hash(changed)
    assert again.digest == changed.digest != SHIPPED.digest
    assert again.to_dict() == changed.to_dict()


def test_digests_are_of_the_numbers_alone_and_all_differ():
    digests = {replace(SHIPPED, **{name: value}).digest for name, value in OTHERS.items()} | {SHIPPED.digest}
    assert len(digests) == len(NAMES) + 1
    assert all(len(digest) == 32 and int(digest, 16) >= 0 for digest in digests)
    assert ScoringConfig().digest == SHIPPED.digest
    one, other = ScoringConfig(strength_weight=6, aligned_gates=((0.5, 1.03), (0.98, 1.15))), SHIPPED
    assert one == other and one.digest == other.digest, "6 and 6.0 are one number"


def test_another_version_of_the_rule_has_another_digest(monkeypatch):
    before = SHIPPED.digest
    monkeypatch.setattr(config, "FORMULA", config.FORMULA + 1)
    assert SHIPPED.digest != before


def test_a_field_that_is_not_known_is_refused_and_one_left_out_is_the_shipped_one():
    with pytest.raises(ValueError, match="no field 'share'"):
        ScoringConfig.from_dict(SHIPPED.to_dict() | {"share": 0.5})
    assert ScoringConfig.from_dict({}) == SHIPPED
    assert ScoringConfig.from_dict({"rim": 5}) == replace(SHIPPED, rim=5)


@pytest.mark.parametrize(
    "extreme",
    [
        {"layer_shares": (1.0, 0.0)},
        {"rarity_apart": 0, "reach": 0, "rim": 0},
        {"text_share": 0, "memory_share": 1},
        {"known_weight": 0, "strength_weight": 0, "whole_weight": 0, "whole_gate": 0, "whole_cap": 0},
        {"strength_quantile": 1, "top_share": 1, "mutual_interval": 1},
        {"mutual_patches": 4, "mutual_others": 1, "rarity_neighbours": 1},
        {"aligned_gates": ((0.0, 1.0), (1.0, 9.0))},
    ],
    ids=str,
)
def test_the_ends_of_each_range_belong_to_it(extreme):
    made = ScoringConfig(**extreme)
    assert ScoringConfig.from_dict(made.to_dict()) == made


def test_fields_that_came_later_leave_the_seals_of_kept_products_alone():
    assert SHIPPED.digest == "4985a56f653d4f1362dae44e61b4029a", "a product kept before would not open"
    assert not set(config.LATER) & set(SHIPPED.to_dict())
    assert ScoringConfig(text_fusion="mean").to_dict()["text_fusion"] == "mean"


def test_nobody_changes_a_configuration_that_is_in_use():
    with pytest.raises(FrozenInstanceError):
        SHIPPED.rim = 4
