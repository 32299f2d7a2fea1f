"""Measures the limits a bundle ships with, on good pictures.

`looktwice limits --bundle pocket --out FILE GROUP=SPEC...` is the command.

Two things are measured on good pictures: how high they score zero-shot, when nothing is known of their kind;
and what one product teaches about the spread of another's scores, for when there are few references. It makes
numbers and copies no picture. `docs/limits.md` says which pictures the shipped numbers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.commands import console
from assistant.detection.built_in import BuiltInLimits, merge_sources, user_limits
from assistant.detection.prior import Prior
from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, DatasetError, open_dataset
from assistant.eval.draws import PLAN, measure_draws, read_draws, write_draws
from assistant.eval.prior_fit import fit_prior, fit_registered
from assistant.images.reading import read_ahead
from assistant.images.sources import find_images
from assistant.inspector import Inspector

MOST = 60
"""Pictures taken of a group, at most, so that no group outvotes the others."""

FEWEST = 12
"""A group of fewer teaches nothing about spread."""


@dataclass(frozen=True)
class Group:
    """Good pictures of one kind: paths or arrays. `one_product`: all show the same product, made many times."""

    name: str
    pictures: tuple[Any, ...]
    one_product: bool = False

    def __post_init__(self) -> None:
        if not self.pictures:
            raise LooktwiceError(f"The group {self.name!r} has no picture.")


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

    Every group gives as many pictures to the zero-shot limits, drawn by `seed`: `most`, or what the smallest has.
    Groups that are one product also give the prior, see `measure_prior`. `tell` hears a sentence a group.
    LooktwiceError for a picture that cannot be read.
    """
    if not groups:
        raise LooktwiceError("Limits need at least one group of good pictures.")
    count = min(most, min(len(group.pictures) for group in groups))
    zero_shot: list[float] = []
    for group in groups:
        drawn = _draw(group.pictures, most, seed)
        zero_shot += zero_shot_scores(inspector, drawn[:count])
        if tell:
            tell(f"{group.name}: {count} pictures, median zero-shot score {np.median(zero_shot[-count:]):.4g}.")
    return BuiltInLimits(
        bundle=inspector.backbone.card.name,
        weights=inspector.backbone.digest,
        source=merge_sources([(group.name, count) for group in groups]),
        zero_shot=tuple(zero_shot),
        prior=measure_prior(inspector, groups, most=most, tell=tell),
        words=inspector.detector.words.digest(inspector.detector.config),
    )


def measure_prior(
    inspector: Inspector,
    groups: Sequence[Group],
    *,
    most: int = MOST,
    tell: Callable[[str], None] | None = None,
    kept: Path | None = None,
    registered: bool = False,
) -> Prior:
    """What groups that are one product, of at least `FEWEST` pictures, teach; the default where there are none.

    `registered`: their parts are brought to one pose, else they are seen as they lie. The first `most` pictures
    of each count, in the order in which they were taken. `kept`: a file of draws, to which each group's are added;
    what is in it is not measured again.
    """
    plan = {n: count for n, count in PLAN.items() if n > 1} if registered else PLAN
    draws = read_draws(kept) if kept else []
    known = {draw.product for draw in draws}
    for group in groups:
        if not group.one_product or len(group.pictures) < FEWEST or group.name in known:
            continue
        draws += measure_draws(inspector, group.name, group.pictures[:most], plan=plan, registered=registered)
        if kept:
            write_draws(kept, draws)
        if tell:
            shares = [
                np.mean(np.array(d.good) > d.calibration.threshold) for d in draws if d.product == group.name
            ]
            tell(f"{group.name}: {len(shares)} draws, {100 * np.mean(shares):.2g} % beyond the limits of today.")
    return fit_registered(draws, inspector.limits.prior) if registered else fit_prior(draws)


def zero_shot_scores(inspector: Inspector, pictures: Iterable[Any]) -> Iterator[float]:
    """The raw score of each picture with nothing known of its product. LooktwiceError for one that is unreadable.

    The limits that `Inspector.inspect` needs for its verdicts are what is being measured here, so this asks the
    detector.
    """
    for entry in read_ahead(pictures):
        if entry.image is None:
            raise LooktwiceError(f"A good picture cannot be used: {entry.error}")
        (features,) = inspector.detector.encode([entry.image.pixels])
        yield inspector.detector.score(features, None).value


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


def write_limits(
    specs: Sequence[str],
    bundle: str,
    out: Path | None = None,
    most: int = MOST,
    *,
    prior_only: bool = False,
    registered: bool = False,
    draws: Path | None = None,
) -> Path:
    """Measure a bundle's limits on `GROUP=SPEC` groups and write them, by default as the user's own.

    `prior_only`: the zero-shot scores stay as they are. `registered`: so does the prior, and only what products
    teach whose parts are brought to one pose is measured. `draws`: a file in which draws are kept, so that a run
    that was stopped goes on. LooktwiceError for both of the first two, else the errors of `good_pictures` and
    `measure_limits`.
    """
    if prior_only and registered:
        raise LooktwiceError("Each measures one prior: give either --prior-only or --registered.")
    inspector = Inspector.from_pretrained(bundle)
    groups = good_pictures(specs)
    if prior_only or registered:
        prior = measure_prior(inspector, groups, most=most, tell=console.say, kept=draws, registered=registered)
        known = inspector.limits
        plain, brought = (known.prior, prior) if registered else (prior, known.prior.registered)
        limits = replace(known, prior=replace(plain, registered=brought))
    else:
        limits = measure_limits(inspector, groups, most=most, tell=console.say)
        if brought := inspector.prior.registered:
            limits = replace(limits, prior=replace(limits.prior, registered=brought))
            console.say("What registered parts teach stays as it was; --registered measures it.")
    path = limits.save(out or user_limits(inspector.backbone.card.name))
    made = limits.calibration(0.05)
    console.say(
        f"{limits.source}: at 5 %, zero-shot threshold {made.threshold:.4g}, review {made.review_threshold:.4g}."
    )
    for name, one in (("Prior", limits.prior), ("Prior of registered parts", limits.prior.registered)):
        if one:
            told = {k: v for k, v in asdict(one).items() if k != "registered"}
            console.say(f"{name}: {', '.join(f'{k} {v:g}' for k, v in told.items())}.")
    console.say(f"Written to {path.name}.")
    return path
