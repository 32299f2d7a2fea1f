"""Measures the limits a bundle ships with, on good pictures.

`looktwice limits --bundle pocket --out FILE GROUP=SPEC...` is the command.

Two things are measured on good pictures: how high they score zero-shot, when nothing is known of their kind;
and what one product teaches about the spread of another's scores, for when there are few references. It makes
numbers and copies no picture. `docs/limits.md` says which pictures the shipped numbers come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from assistant.commands import console
from assistant.detection.built_in import BuiltInLimits, merge_sources, user_limits
from assistant.detection.prior import Prior
from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, DatasetError, open_dataset
from assistant.images.load import load_image
from assistant.images.reading import in_groups, read_ahead
from assistant.images.sources import find_images
from assistant.images.views import jittered_views
from assistant.inspector import Inspector

if TYPE_CHECKING:
    from assistant.products.product import Product

MOST = 60
"""Pictures taken of a group, at most, so that no group outvotes the others."""

FEWEST = 12
"""A group of fewer teaches nothing about spread."""

REFERENCES = 4
WEIGHTS = tuple(np.round(np.arange(1.0, 20.01, 0.05), 2).tolist())
"""What other products may count at least and at most beside a product's own references."""

DRAWS = 8
"""Random sets of references drawn of each product, of `REFERENCES` and of one."""

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Good pictures of one kind: paths or arrays. `one_product`: all show the same product, made many times."""

    name: str
    pictures: tuple[Any, ...]
    one_product: bool = False

    def __post_init__(self) -> None:
        if not self.pictures:
            raise LooktwiceError(f"The group {self.name!r} has no picture.")


@dataclass(frozen=True)
class Spread:
    """What one product shows, in natural logarithms of the score.

    `variance` is that of good pictures outside of memory against `REFERENCES` in it, the mean over draws.
    `degrees`: degrees of freedom of that. `gaps`, one for each draw: how much higher other good pictures score,
    in the mean, against one reference than changed views of that reference do; `gap_variance`, that of single
    pictures around it, the mean over draws.
    """

    name: str
    variance: float
    gaps: tuple[float, ...]
    degrees: int = FEWEST
    gap_variance: float = 0.0


def good_pictures(specs: Iterable[str]) -> list[Group]:
    """Groups from "NAME=SPEC" or "SPEC": a dataset, of which the good training pictures count, or a folder.

    A dataset is one product, and a specification that names several makes as many groups. A folder in no
    dataset's layout is a group of pictures of different things. LooktwiceError where there is no picture.
    """
    groups: list[Group] = []
    for text in specs:
        name, named, spec = text.partition("=")
        if not named:
            name, spec = "", text
        datasets = _datasets(spec)
        if not datasets:
            groups.append(Group(name or Path(spec).name, tuple(find_images([spec]))))
        for dataset in datasets:
            title = name if name and len(datasets) == 1 else f"{name} {dataset.name}".strip()
            groups.append(Group(title, tuple(s.image for s in dataset.train_good), one_product=True))
    return groups


def measure_limits(
    inspector: Inspector,
    groups: Sequence[Group],
    *,
    most: int = MOST,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> BuiltInLimits:
    """The limits of the inspector's bundle, from good pictures only.

    Every group gives as many pictures to the zero-shot limits, drawn by `seed`: `most`, or what the smallest
    has. Groups that are one product, of at least `FEWEST` pictures, also give the prior; where there are none
    it stays the default. `tell` hears a sentence a group. LooktwiceError for a picture that cannot be read.
    """
    if not groups:
        raise LooktwiceError("Limits need at least one group of good pictures.")
    count = min(most, min(len(group.pictures) for group in groups))
    zero_shot: list[float] = []
    spreads: list[Spread] = []
    for group in groups:
        drawn = _draw(group.pictures, most, seed)
        zero_shot += [float(row[0]) for row in score_table(inspector, drawn[:count], [None])]
        if tell:
            tell(f"{group.name}: {count} pictures, median zero-shot score {np.median(zero_shot[-count:]):.4g}.")
        if group.one_product and len(drawn) >= FEWEST:
            spread = measure_spread(inspector, Group(group.name, drawn, True), seed=seed)
            spreads.append(spread)
            if tell:
                tell(f"{group.name}: spread {math.sqrt(spread.variance):.3g}, gap {np.mean(spread.gaps):.3g}.")
    return BuiltInLimits(
        bundle=inspector.backbone.card.name,
        weights=inspector.backbone.digest,
        source=merge_sources([(group.name, count) for group in groups]),
        zero_shot=tuple(zero_shot),
        prior=fit_prior(spreads) if spreads else Prior(),
    )


def measure_spread(inspector: Inspector, group: Group, *, draws: int = DRAWS, seed: int = 0) -> Spread:
    """How the scores of one product's good pictures vary; see `Spread`. Each picture is encoded once."""
    generator = np.random.default_rng(seed)
    total = len(group.pictures)
    drawn = [generator.choice(total, k, replace=False) for k in (REFERENCES, 1) for _ in range(draws)]
    products = [inspector.learn("draw", [group.pictures[i] for i in chosen]) for chosen in drawn]
    logs = _logs(inspector, group.pictures, products)
    others = [np.delete(logs[:, i], chosen) for i, chosen in enumerate(drawn)]
    gaps = []
    for chosen, product, scores in zip(drawn[draws:], products[draws:], others[draws:], strict=True):
        changed = jittered_views(load_image(group.pictures[int(chosen[0])]).pixels)
        gaps.append(float(scores.mean() - _logs(inspector, changed, [product]).mean()))
    within, around = (float(np.mean([s.var(ddof=1) for s in part])) for part in (others[:draws], others[draws:]))
    return Spread(group.name, within, tuple(gaps), total - REFERENCES - 1, around)


def fit_prior(spreads: Sequence[Spread]) -> Prior:
    """The prior of `assistant.detection.calibration` from what products show.

    `spread` and `weight` are those of a scaled inverse chi-square, from the moments of the logarithms of the
    products' variances (Smyth 2004, section 6.2), the weight held between 1 and 20: typical products decide, and
    one that varies much makes the weight small and not the spread large. `gap` is the mean over all draws,
    `gap_spread` the standard deviation of single pictures around it, within and between draws.
    """
    logs = np.log([max(s.variance, 1e-12) for s in spreads])
    degrees = np.array([s.degrees for s in spreads], float)
    centred = logs - digamma(degrees / 2) + np.log(degrees / 2)
    if len(spreads) > 1:
        scatter = float(centred.var(ddof=1) - polygamma(1, degrees / 2).mean())
        weight = next((w for w in WEIGHTS if float(polygamma(1, w / 2)) <= scatter), WEIGHTS[-1])
    else:
        weight = Prior().weight  # one product does not tell how much others differ from it
    spread = math.exp((float(centred.mean()) + float(digamma(weight / 2)) - math.log(weight / 2)) / 2)
    gaps = np.array([gap for s in spreads for gap in s.gaps])
    between = float(gaps.var(ddof=1)) if len(gaps) > 1 else 0.0
    around = math.sqrt(between + float(np.mean([s.gap_variance for s in spreads])))
    return Prior(*(float(f"{number:.4g}") for number in (spread, weight, float(gaps.mean()), max(around, 0.01))))


def score_table(
    inspector: Inspector, pictures: Iterable[Any], products: Sequence[Product | None]
) -> Iterator[Scores]:
    """For each picture, its raw scores [P] against each of P products, None being zero-shot.

    The limits that `Inspector.inspect_many` needs for its verdicts are what is being measured here, so this
    asks the detector. LooktwiceError for a picture that cannot be read.
    """
    for entries in in_groups(read_ahead(pictures), 4):
        if bad := next((entry for entry in entries if entry.image is None), None):
            raise LooktwiceError(f"A good picture cannot be used: {bad.error}")
        for features in inspector.detector.encode([e.image.pixels for e in entries if e.image]):
            yield np.array([inspector.detector.score(features, product).value for product in products])


def _datasets(spec: str) -> list[Dataset]:
    """The datasets of a specification; none for a folder in no dataset's layout."""
    try:
        return open_dataset(spec)
    except DatasetError:
        if Path(spec).is_dir():
            return []
        raise


def _draw(pictures: Sequence[Any], most: int, seed: int) -> tuple[Any, ...]:
    """At most `most` pictures in a random order, so that the first of them are a fair draw too."""
    order = np.random.default_rng(seed).permutation(len(pictures))[:most]
    return tuple(pictures[i] for i in order)


def _logs(inspector: Inspector, pictures: Iterable[Any], products: Sequence[Product | None]) -> Scores:
    """Natural logarithms [N, P] of a score table."""
    return np.log(np.maximum(np.stack([*score_table(inspector, pictures, products)]), 1e-9))


def write_limits(specs: Sequence[str], bundle: str, out: Path | None = None, most: int = MOST) -> Path:
    """Measure a bundle's limits on `GROUP=SPEC` groups and write them, by default as the user's own.

    Same errors as `good_pictures` and `measure_limits`.
    """
    inspector = Inspector.from_pretrained(bundle)
    limits = measure_limits(inspector, good_pictures(specs), most=most, tell=console.say)
    path = limits.save(out or user_limits(bundle))
    made, prior = limits.calibration(0.05), limits.prior
    console.say(
        f"{limits.source}: at 5 %, zero-shot threshold {made.threshold:.4g}, review {made.review_threshold:.4g}."
    )
    console.say(
        f"Prior: spread {prior.spread:g}, weight {prior.weight:g}, gap {prior.gap:g}, gap spread "
        f"{prior.gap_spread:g}. Written to {path.name}."
    )
    return path
