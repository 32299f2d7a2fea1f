"""What a check set shows, in sentences, and as a report with every part that is wrong as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from assistant.detection.check_set import CheckSet, Outcome, Share
from assistant.detection.counting import percent
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.retelling import retell
from assistant.products.ways import NOW, Chosen
from assistant.reports.content import Entry, Report, report_lot
from assistant.reports.pictures import draw_from_file
from assistant.reports.words import amount


def describe_check(found: CheckSet, w: Wording = ENGLISH_WORDS) -> Iterator[str]:
    """What is wrong by the limits of now, and what the cheapest limits would do, a sentence each."""
    yield w("By the limits of now: {outcome}.", outcome=say_outcome(found.now, w))
    if found.better.limits == found.now.limits:
        yield w("No other limits would cost less on these parts.")
        return
    yield w(
        "With defect above {limit} and review above {review}: {outcome}. These limits were chosen on these very "
        "parts, and will do a little worse on others.",
        limit=amount(found.better.threshold),
        review=amount(found.better.review_threshold),
        outcome=say_outcome(found.better, w),
    )


def describe_choice(chosen: Chosen) -> Iterator[str]:
    """Which way to look at the product was chosen and why, a sentence each."""
    gain = chosen.gain
    if chosen.product is None:
        yield f"Looked at as now: {gain.reason}."
    else:
        low, middle, high = (f"{100 * value:.1f}" for value in (gain.low, gain.gain, gain.high))
        yield (
            f"Looked at another way, {gain.chosen}: bad parts score above good ones in "
            f"{100 * gain.auroc[gain.chosen]:.1f} % of cases, {100 * gain.auroc[NOW]:.1f} % as now; on parts that "
            f"were held out the gain is {middle} points ({low} to {high} with 90 % confidence)."
        )
    yield from chosen.left_out


def say_outcome(one: Outcome, w: Wording = ENGLISH_WORDS) -> str:
    """What limits do, each share with the interval that it lies in with 90 % confidence."""
    return w(
        "good parts called defective {overkill}, bad parts called good {escape}, to a person {review}",
        overkill=say_share(one.overkill, w),
        escape=say_share(one.escape, w),
        review=say_share(one.review, w),
    )


def say_share(share: Share, w: Wording = ENGLISH_WORDS) -> str:
    """A share with its interval, "3 of 40 (2.8 % to 16 %)"."""
    ends = {"low": percent(share.low), "high": percent(share.high)}
    return w("{n} of {total} ({low} to {high})", n=share.count, total=share.of, **ends)


def name_limits(one: Outcome, w: Wording = ENGLISH_WORDS) -> str:
    """What limits that a check tried are called."""
    return retell(w, one.name)


def report_check(found: CheckSet, name: str) -> Report:
    """The report on the check set of the product of that name: limits in its notes, and what is wrong in full."""
    bad = {id(one) for one in found.bad}

    def entry(one: Inspection) -> Entry:
        truth = "a bad part that is called good" if id(one) in bad else "a good part that is called defective"
        return Entry(replace(one, notices=(f"this is {truth}", *one.notices)), draw_from_file(one))

    tried = (
        f"{one.name[0].upper()}{one.name[1:]}, defect above {amount(one.threshold)}, review above "
        f"{amount(one.review_threshold)}: {one.overkill.count} good parts called defective, "
        f"{one.escape.count} bad ones called good, {one.review.count} to a person."
        for one in found.tried[2:]
    )
    title = f"Check of {name}: wrong ones of {len(found.good)} good and {len(found.bad)} bad parts"
    return report_lot(map(entry, found.wrong), title, notes=[*describe_check(found), *tried])
