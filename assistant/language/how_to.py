"""Facts about the product itself in words: how it is used, and what its words, colours and numbers mean."""

from __future__ import annotations

from collections.abc import Callable

from assistant.detection.counting import parts_needed
from assistant.inspection import Inspection
from assistant.language.catalogue import Wording
from assistant.language.picture_facts import tell_limits, tell_promise
from assistant.language.wording import Sentences, number, percent, plain


def how_many_parts(w: Wording, i: Inspection) -> Sentences:
    """Whether there are enough references, and how many are missing."""
    return [
        *tell_promise(w, i),
        w("Four good parts are enough to begin, 45 to promise 5 % by counting."),
    ]


def how_sensitive(w: Wording, i: Inspection) -> Sentences:
    """How more or less is called a defect."""
    name = _name(i)
    return [
        w("Change the share of false alarms: `looktwice teach {name} --false-alarms 2%`.", name=name),
        w("A smaller share is less sensitive, a larger one more; on the page it stands under Teach."),
        w("`looktwice what-if {name} --false-alarms 2%` shows first what that would have changed.", name=name),
        w("More good parts, of several days, make the limit more exact."),
    ]


def how_limit_at(w: Wording, i: Inspection, share: float) -> Sentences:
    """What the threshold would be at another share of false alarms."""
    e, rate, name = i.evidence, percent(share), _name(i)
    if e and i.verdict != "unrated" and abs(e.target_false_alarm - share) < 1e-12:
        return [w("It is set for {rate} now. {limits}", rate=rate, limits=tell_limits(w, i)[0])]
    ask = w(
        "`looktwice what-if {name} --false-alarms {share}` works it out and changes nothing.",
        name=name,
        share=f"{number(100 * share)}%",
    )
    said = [ask, w("This record holds no threshold for {rate} false alarms.", rate=rate)]
    if e and i.verdict != "unrated":
        said.append(w("Counting promises {rate} from {n} good parts on.", rate=rate, n=parts_needed(share)))
    return said


def how_colours(w: Wording, i: Inspection) -> Sentences:
    """What the colours of the map mean."""
    low, high = i.scale
    said = [
        w("The colours show how strange a place is: from clear over violet and red to yellow."),
        w("The scale is the product's, so a colour means the same in every picture of it."),
        w("White boxes are regions; their numbers begin with the strangest."),
    ]
    if i.status == "ok" and low < high:
        said.insert(
            1, w("Colour begins at a map value of {low} and ends at {high}.", low=number(low), high=number(high))
        )
    return said


def how_review(w: Wording, i: Inspection) -> Sentences:
    """What the verdict review means."""
    return [
        w("Review means that the score lies between the two limits, and a person should look."),
        w("It is neither good nor defect; more good parts as references make this band narrower."),
    ]


def how_unrated(w: Wording, i: Inspection) -> Sentences:
    """What the verdict unrated means."""
    return [
        w("Unrated means that nothing is known of the product, so nothing was decided."),
        w("Give one to a few good parts as references, or inspect a whole lot together."),
    ]


def how_score(w: Wording, i: Inspection) -> Sentences:
    """What a score is."""
    return [
        w("The score tells how far the strangest places are from what good parts show; higher is stranger."),
        w("It has no unit and is compared with limits of the same product only."),
    ]


def how_rarity(w: Wording, i: Inspection) -> Sentences:
    """What a p-value is."""
    return [
        w("The p-value is the share of good parts that would score as high as this one."),
        w("It is not the chance that the part is good, nor that the verdict is wrong."),
    ]


def how_regions(w: Wording, i: Inspection) -> Sentences:
    """What a region and its severity are."""
    return [
        w(
            "A region is one connected place where the map exceeds the limit; "
            "they are numbered from the highest peak down."
        ),
        w(
            "Slight, moderate and severe follow from a region's share of the picture and how rare its peak is, "
            "not from danger."
        ),
    ]


def how_types(w: Wording, i: Inspection) -> Sentences:
    """How types of defects become known."""
    return [
        w(
            "Teach it an example: paint the defect on the page, or `looktwice teach {name} --defect FILE`.",
            name=_name(i),
        ),
        w("Regions like a known defect are then called by your word for it."),
    ]


def how_correct(w: Wording, i: Inspection) -> Sentences:
    """What to do where a verdict was wrong."""
    return [
        w("Tell it: press False alarm or Missed defect beside the result, and it learns from that."),
        w(
            "In the shell, `looktwice teach {name} --good FILE` adds a good part; undo takes it back.",
            name=_name(i),
        ),
    ]


def how_scale(w: Wording, i: Inspection) -> Sentences:
    """Why there are pixels and no millimetres."""
    return [
        w("Sizes are in pixels of the picture and in percent of it; no scale to millimetres is set."),
        w("Photograph a ruler at the same distance to work it out."),
    ]


def how_it_works(w: Wording, i: Inspection) -> Sentences:
    """How a decision is made."""
    return [
        w("Each patch of the picture is compared with those of good parts; the strangest make the score."),
        w("The threshold is set from good parts only, so that few of them exceed it."),
        w("Language models only choose what is told: the verdict never comes from them."),
    ]


def how_to_ask(w: Wording, i: Inspection) -> Sentences:
    """What can be asked."""
    return [
        w("Ask about verdict, score, limits, place, size, severity, type, references, or what to do."),
        w("Also how to use it: what the colours mean, how many good parts are missing, how to be less strict."),
        w('"In one word", "as a table", "as JSON" and "in detail" set the form.'),
    ]


def how_from_where(w: Wording, i: Inspection) -> Sentences:
    """Where references should come from."""
    return [
        w("Take references from several days, lots and fixtures, in the light that parts are seen in."),
        w("Good parts of one moment are more alike than parts will ever be again."),
    ]


def how_limits(w: Wording, i: Inspection) -> Sentences:
    """What the two limits mean."""
    if i.status == "error" or i.verdict == "unrated":
        return [w("Scores above the threshold are called defect, scores between the two go to review.")]
    gaps = {"threshold": number(i.threshold), "review": number(i.review_threshold)}
    return [
        w(
            "The threshold is {threshold} and the review limit {review}: between them a person should look.",
            **gaps,
        ),
        w("Scores above the threshold are called defect, scores between the two go to review."),
    ]


def how_severity(w: Wording, i: Inspection) -> Sentences:
    """What a severity is."""
    return [
        w(
            "Slight, moderate and severe follow from a region's share of the picture and how rare its peak is, "
            "not from danger."
        )
    ]


def how_teach(w: Wording, i: Inspection) -> Sentences:
    """How a good part is added."""
    return [
        w("`looktwice teach {name} --good FILE` adds a good part; on the page it is under Teach.", name=_name(i))
    ]


def how_undo(w: Wording, i: Inspection) -> Sentences:
    """How what was taught is taken back."""
    return [
        w(
            "`looktwice teach {name} --undo` takes the last lesson back; the page has Undo under Teach.",
            name=_name(i),
        )
    ]


def how_mask(w: Wording, i: Inspection) -> Sentences:
    """How part of a picture is left out."""
    return [w("Paint a mask over what should not count, on the page under Teach, or learn with `--roi FILE`.")]


def how_tiles(w: Wording, i: Inspection) -> Sentences:
    """What finds small defects."""
    return [w("For small defects learn the product with `--tiles`: the picture is then looked at in pieces.")]


def how_turns(w: Wording, i: Inspection) -> Sentences:
    """What to do where parts lie at any angle."""
    return [w("For parts at any angle learn the product with `--views turns`, or give references at many angles.")]


def how_batch(w: Wording, i: Inspection) -> Sentences:
    """How a folder is inspected."""
    return [w("`looktwice batch FOLDER` inspects a whole folder; the page has a place for it, Batch.")]


def how_kept(w: Wording, i: Inspection) -> Sentences:
    """Where results are kept."""
    return [w("Results are kept in the history on this machine: the page's History, or `looktwice history`.")]


def how_report(w: Wording, i: Inspection) -> Sentences:
    """How a report is made."""
    return [
        w("`--report FILE.pdf` or `FILE.html` writes a report; the page has a button for it beside the result.")
    ]


def how_export(w: Wording, i: Inspection) -> Sentences:
    """How results come into a table."""
    return [w("`looktwice history export FILE.csv` writes a table that Excel opens; the page exports it, too.")]


def how_private(w: Wording, i: Inspection) -> Sentences:
    """What leaves this machine."""
    return [
        w("Pictures stay on this machine, and inspecting needs no internet."),
        w("Only a language model behind an endpoint that you name gets what it is asked about."),
    ]


def how_languages(w: Wording, i: Inspection) -> Sentences:
    """The languages of answers."""
    return [w("I understand English, German, Spanish and Chinese.")]


def how_check(w: Wording, i: Inspection) -> Sentences:
    """How a product is checked with known parts."""
    return [
        w("`looktwice check {name} --good ok/ --bad nok/` shows what it gets wrong on known parts.", name=_name(i))
    ]


def how_sign(w: Wording, i: Inspection) -> Sentences:
    """How a person signs a part off."""
    return [
        w("Sign it off in the page's History, as good or as a defect, with a reason; the verdict stays beside it.")
    ]


def greet(w: Wording, i: Inspection) -> Sentences:
    """A greeting."""
    return [w("Hello.")]


def thank(w: Wording, i: Inspection) -> Sentences:
    """A reply to thanks."""
    return [w("You are welcome.")]


HOW_TO: dict[str, Callable[[Wording, Inspection], Sentences]] = {
    "how_many_parts": how_many_parts,
    "how_sensitive": how_sensitive,
    "how_colours": how_colours,
    "how_review": how_review,
    "how_unrated": how_unrated,
    "how_score": how_score,
    "how_rarity": how_rarity,
    "how_regions": how_regions,
    "how_types": how_types,
    "how_correct": how_correct,
    "how_scale": how_scale,
    "how_it_works": how_it_works,
    "how_to_ask": how_to_ask,
    "how_from_where": how_from_where,
    "how_limits": how_limits,
    "how_severity": how_severity,
    "how_teach": how_teach,
    "how_undo": how_undo,
    "how_mask": how_mask,
    "how_tiles": how_tiles,
    "how_turns": how_turns,
    "how_batch": how_batch,
    "how_kept": how_kept,
    "how_report": how_report,
    "how_export": how_export,
    "how_private": how_private,
    "how_languages": how_languages,
    "how_check": how_check,
    "how_sign": how_sign,
    "greeting": greet,
    "thanks": thank,
}


def _name(i: Inspection) -> str:
    """The product's name as a command takes it; NAME where there is none, or where it is no plain word."""
    name = plain(i.product or "", 40)
    return name if name and name == i.product and " " not in name else f'"{name}"' if name == i.product else "NAME"
