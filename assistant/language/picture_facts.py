"""The facts of a picture as a whole in words: verdict, score, limits, rarity, origin, references, advice, file.

Each function takes the words of a language and a record, and gives sentences, the first of which can stand alone.
"""

from __future__ import annotations

import math

from assistant.detection.counting import UNCOUNTED, parts_missing
from assistant.detection.drift import has_drifted
from assistant.inspection import MISSING_HERE, NOTHING_SHOWN, Inspection, judge_score
from assistant.language.catalogue import Wording
from assistant.language.region_facts import tell_counts
from assistant.language.retelling import retell
from assistant.language.terms import refer, verdict_word
from assistant.language.wording import Sentences, base_name, number, percent, plain, quote

FEW = 20  # good pictures; fewer than this and an answer says how little they can support
CLOSE = 0.05  # a score this near to the threshold, relative to it, is called close


def tell_verdict(w: Wording, i: Inspection) -> Sentences:
    """The verdict and on which side of which limit the score lies; then how far."""
    if i.status == "error":
        return tell_error(w, i)
    if i.verdict == "unrated":
        return [w("The verdict is unrated: without references no decision can be made."), *for_a_decision(w)]
    score, _, threshold, review = numbers(i)
    if i.verdict == "review" and any(notice.startswith(NOTHING_SHOWN) for notice in i.notices):
        shown = [w("The verdict is review: nothing in the picture can be inspected, so it is not called good.")]
        return [*shown, *(tell_notice(w, notice) for notice in i.notices[:1])]
    if i.verdict == "defect" and score <= threshold and any(one.wrong for one in i.counts):
        return [w("The verdict is defect: the number in a zone is not the expected one."), *tell_counts(w, i)]
    if i.verdict == "review" and score <= review and any(one.counted is None for one in i.counts):
        return [w("The verdict is review: a number cannot be counted for sure."), *tell_counts(w, i)]
    if i.verdict == "review" and MISSING_HERE in i.notices:
        return [w("The verdict is review: something that good parts have is missing, so it is not called good.")]
    said = [w("The verdict is {verdict}: {relation}.", verdict=verdict_word(w, i.verdict), relation=relate(w, i))]
    if i.verdict != judge_score(score, review, threshold):
        said.append(w("These numbers do not agree with the verdict in the record, so have it checked."))
    elif abs(score - threshold) <= CLOSE * abs(threshold):
        said.append(w("That is close to the threshold."))
    return [*said, *_measure_gap(w, i)]


def tell_stale(w: Wording, i: Inspection) -> Sentences:
    """That the limit no longer holds and what to check, where the product has drifted."""
    if i.verdict == "unrated" or not has_drifted(i.notices):
        return []
    return [
        w("The product has drifted, so its limit no longer holds."),
        w("Check the camera, the light and the lot before you go by single verdicts."),
    ]


def relate(w: Wording, i: Inspection) -> str:
    """On which side of the limit that decided the score lies, without a full stop."""
    score, _, threshold, review = numbers(i)
    name, limit = (w("threshold"), threshold) if i.verdict == "defect" else (w("review limit"), review)
    gaps = {"score": number(score), "limit": f"{name} {number(limit)}", "threshold": number(threshold)}
    if score > limit:
        return w("score {score} is above the {limit}", **gaps)
    if score < limit:
        return w("score {score} is below the {limit}", **gaps)
    return w("score {score} is exactly at the {limit}", **gaps)


def _measure_gap(w: Wording, i: Inspection) -> Sentences:
    """How far from the threshold the score lies, as a share of it."""
    score, _, threshold, _ = numbers(i)
    if i.verdict == "unrated" or threshold <= 0 or score < 0:
        return []
    gaps = {"score": number(score), "threshold": number(threshold)}
    if number(score) == number(threshold):
        return [w("Score and threshold are the same to three digits.")]
    if score > 1000 * threshold:
        return [w("That is more than a thousand times the threshold of {threshold}.", **gaps)]
    if score > threshold:
        return [w("That is {times} times the threshold of {threshold}.", times=number(score / threshold), **gaps)]
    return [w("That is {share} of the threshold of {threshold}.", share=percent(score / threshold), **gaps)]


def tell_score(w: Wording, i: Inspection) -> Sentences:
    """The score beside its threshold."""
    score, _, threshold, review = numbers(i)
    if i.verdict == "unrated":
        said = [w("The score is {score}; without references there is no threshold.", score=number(score))]
        if i.rank:
            said.append(
                w("Of {n} unrated pictures it comes {place} by strangeness.", n=i.rank[1], place=i.rank[0])
            )
        return said
    gaps = {"score": number(score), "threshold": number(threshold)}
    if threshold <= 0 or score < 0 or number(score) == number(threshold) or score > 1000 * threshold:
        said = [w("The score is {score}, the threshold {threshold}.", **gaps), *_measure_gap(w, i)]
    elif score > threshold:
        said = [
            w(
                "The score is {score}, {times} times the threshold of {threshold}.",
                times=number(score / threshold),
                **gaps,
            )
        ]
    else:
        said = [
            w(
                "The score is {score}, {share} of the threshold of {threshold}.",
                share=percent(score / threshold),
                **gaps,
            )
        ]
    return [*said, w("The review limit is {review}.", review=number(review))]


def tell_limits(w: Wording, i: Inspection) -> Sentences:
    """The two limits and what lies beyond each."""
    _, _, threshold, review = numbers(i)
    if i.verdict == "unrated":
        return [w("There is no threshold, since nothing is known of this product."), *for_a_decision(w)]
    return [
        w(
            "The threshold is {threshold} and the review limit {review}.",
            threshold=number(threshold),
            review=number(review),
        ),
        w("Scores above the threshold are called defect, scores between the two go to review."),
        *tell_origin(w, i),
    ]


def tell_rarity(w: Wording, i: Inspection) -> Sentences:
    """How many good parts would score this high, told no rarer than the references can show; then how firmly."""
    if i.verdict == "unrated":
        return [w("Which share of good parts would score this high is not known.")]
    p, evidence = numbers(i)[1], i.evidence
    said: Sentences
    if evidence and evidence.n and p <= evidence.smallest_p * (1 + 1e-9):
        rare = {"n": number(round(1 / evidence.smallest_p)), "p": number(p)}
        if i.by_curve:
            first = w("Fewer than 1 in {n} good parts would score this high (p-value {p} by the curve).", **rare)
        else:
            first = w("Fewer than 1 in {n} good parts would score this high (p-value {p}).", **rare)
        said = [
            first,
            w.count(
                "That is as rare as {n} picture can show.",
                "That is as rare as {n} pictures can show.",
                evidence.n,
            ),
        ]
        if i.by_curve:
            said.append(w("The fitted curve says {share}.", share=_share(w, p)))
    elif p >= 0.2:
        said = [
            w("About {share} of good parts would score this high (p-value {p}).", share=percent(p), p=number(p))
        ]
    else:
        said = [
            w("{share} good parts would score this high (p-value {p}).", share=_share(w, p, True), p=number(p))
        ]
    if evidence and evidence.n == 0:
        said.append(w("No good picture of this product stands behind that share: take it as a rough guide."))
    elif evidence and evidence.n < FEW and evidence.method not in UNCOUNTED:
        said.append(
            w.count(
                "Only {n} good picture can be counted for that.",
                "Only {n} good pictures can be counted for that.",
                evidence.n,
            )
        )
    said.append(w("The p-value tells how unusual the score is; it is not the chance of a wrong verdict."))
    if i.verdict == "good":
        said.append(w("That nothing more was found is no proof that nothing is there."))
    return said


def _share(w: Wording, p: float, begins: bool = False) -> str:
    if p < 1e-6:
        return w("Fewer than one in a million") if begins else w("fewer than one in a million")
    n = number(round(1 / p))
    return w("About 1 in {n}", n=n) if begins else w("about 1 in {n}", n=n)


def tell_origin(w: Wording, i: Inspection) -> Sentences:
    """Where the threshold comes from, by its method; then the share of good parts that it is set to turn away."""
    e = i.evidence
    if e is None:
        return [w("The record does not say where the threshold comes from.")]
    if i.verdict == "unrated" or e.method == "none":
        return [w("There is no threshold, since nothing is known of this product.")]
    rate = percent(e.target_false_alarm)
    gaps = {"n": e.n, "rate": rate}
    said = {
        "conformal": w.count(
            "The threshold was counted from {n} good picture, for {rate} false alarms.",
            "The threshold was counted from {n} good pictures, for {rate} false alarms.",
            e.n,
            rate=rate,
        ),
        "predictive": w.count(
            "The threshold was estimated from {n} good picture and other products, for {rate} false alarms.",
            "The threshold was estimated from {n} good pictures and other products, for {rate} false alarms.",
            e.n,
            rate=rate,
        ),
        "built-in": w(
            "The threshold is built in, from pictures of other things; it knows nothing of this product."
        ),
        "mutual": w(
            "The threshold was estimated from {n} pictures compared with each other, for {rate} false alarms.",
            **gaps,
        ),
        "production": w(
            "The threshold was estimated from {n} unsorted parts, mostly good, for {rate} false alarms.", **gaps
        ),
        "checked": w("The threshold was set on parts that somebody had sorted into good and bad."),
    }.get(e.method, w("The threshold was set by the method {method}.", method=quote(e.method)))
    aim = w("It is set to call about {rate} of good parts defective.", rate=rate)
    whole = retell(w, plain(e.origin).rstrip("."))
    return [said, aim, f"({whole}{w('.')})"]


def tell_promise(w: Wording, i: Inspection) -> Sentences:
    """Whether there are enough references, and how many are missing, as far as counting tells."""
    e = i.evidence
    if i.verdict == "unrated" or (e and e.method == "none"):
        return for_a_decision(w)
    if e is None:
        return [w("The record does not say where the threshold comes from.")]
    rate, more = percent(e.target_false_alarm), parts_missing(e)
    if more:
        said = [
            w.count(
                "{n} more good part, of another day, would let counting promise {rate} false alarms.",
                "{n} more good parts, from several days, would let counting promise {rate} false alarms.",
                more,
                rate=rate,
            )
        ]
    elif e.upper_rate > e.target_false_alarm:
        said = [w("There are enough good parts, but this limit was set for something else.")]
    else:
        said = [w("There are enough good parts to promise {rate} false alarms by counting.", rate=rate)]
    if e.expected_rate < 1:
        said.append(w("About {rate} of good parts are expected above it.", rate=percent(e.expected_rate)))
    if e.upper_rate < 1:
        most = percent(e.upper_rate)
        said.append(w("Counting alone promises {rate} at most, with 90 % confidence.", rate=most))
    return [*said, w("That holds for parts of the days, lots and light that the references come from.")]


def tell_references(w: Wording, i: Inspection) -> Sentences:
    """What the picture was compared with."""
    if i.mode == "zero-shot":
        return [w("The picture was compared with itself only: no reference picture was given.")]
    if i.mode == "mutual":
        return [w("It was compared with the other pictures that came with it, most of them taken as good.")]
    n = i.references
    if i.product and n:
        name = quote(i.product)
        return [
            w.count(
                "It was compared with {n} good reference picture of the product {name}.",
                "It was compared with {n} good reference pictures of the product {name}.",
                n,
                name=name,
            )
        ]
    if i.product:
        return [w("It was compared with good reference pictures of the product {name}.", name=quote(i.product))]
    if n:
        one, many = "It was compared with {n} good reference picture.", "It was compared with {n} good references."
        return [w.count(one, many, n)]
    return [w("It was compared with good reference pictures.")]


def tell_notice(w: Wording, notice: str) -> str:
    """A notice of the record as a sentence."""
    return w("Note: {notice}.", notice=retell(w, plain(notice, 600).rstrip(".")))


def tell_notices(w: Wording, i: Inspection) -> Sentences:
    """One sentence for each notice of the record."""
    notes = [tell_notice(w, notice) for notice in i.notices]
    return notes or [w("The record holds no notices.")]


def tell_file(w: Wording, i: Inspection) -> Sentences:
    """File, size, bundle and time, as far as the record holds them."""
    said = [w("The file is named {name}.", name=quote(base_name(i.path)))]
    if i.width and i.height:
        said.append(w("The picture is {width} x {height} px.", width=i.width, height=i.height))
    if i.bundle:
        said.append(w("It was inspected with the bundle {name}.", name=quote(i.bundle)))
    if i.ms is not None:
        said.append(w("That took {ms} ms.", ms=number(i.ms)))
    if i.created:
        said.append(w("It was inspected at {time}.", time=plain(i.created, 40)))
    return said


def tell_duration(w: Wording, i: Inspection) -> Sentences:
    """How long it took."""
    return [
        w("That took {ms} ms.", ms=number(i.ms))
        if i.ms is not None
        else w("That cannot be told from this record.")
    ]


def tell_picture_size(w: Wording, i: Inspection) -> Sentences:
    """The size of the picture."""
    return [w("The picture is {width} x {height} px.", width=i.width, height=i.height)]


def tell_bundle(w: Wording, i: Inspection) -> Sentences:
    """The bundle, and the digest of its weights."""
    if not i.bundle:
        return [w("That cannot be told from this record.")]
    said = [w("It was inspected with the bundle {name}.", name=quote(i.bundle))]
    return [*said, w("The digest of its weights is {digest}.", digest=plain(i.weights, 40))] if i.weights else said


def tell_rank(w: Wording, i: Inspection) -> Sentences:
    """The place of an unrated picture in its run."""
    if not i.rank:
        return [w("That cannot be told from this record."), *tell_score(w, i)]
    return [w("Of {n} unrated pictures it comes {place} by strangeness.", n=i.rank[1], place=i.rank[0])]


def tell_identity(w: Wording, i: Inspection) -> Sentences:
    """What the picture was inspected as; without a product, the word that it is nearest to, which is a guess."""
    if i.product:
        return [w("It was inspected as the product {name}.", name=quote(i.product))]
    if i.looks_like:
        return [
            w("Of the few words it knows, it is nearest to {name}.", name=quote(i.looks_like[0])),
            w("That is a guess at the object, often wrong, and no part of the verdict."),
        ]
    return [w("The record does not say what the picture shows.")]


def tell_advice(w: Wording, i: Inspection) -> Sentences:
    """What to do with the part, which follows from the verdict alone."""
    if i.status == "error":
        return [w("Check the file or take it again.")]
    spot = refer(i.regions[0]) if i.regions else w("the whole picture")
    if i.verdict == "unrated":
        return [*for_a_decision(w), w("The place to look at is {spot}.", spot=spot)]
    if i.verdict == "good" and not has_drifted(i.notices):
        said = [w("Nothing in this picture asks for a closer look.")]
        return [*said, w("If in doubt, {spot} is the place to look at.", spot=spot)] if i.regions else said
    if i.verdict == "defect":
        return [w("Set it aside and have a person look at {spot}.", spot=spot)]
    return [w("Have a person look at {spot} before it goes on.", spot=spot)]


def tell_drift(w: Wording, i: Inspection) -> Sentences:
    """Where it is followed whether a product's limits still fit."""
    if drifting := [notice for notice in i.notices if has_drifted([notice])]:
        return [
            w("The product has drifted, so its limit no longer holds."),
            *tell_stale(w, i)[1:],
            tell_notice(w, drifting[0]),
        ]
    name = plain(i.product or "NAME", 40)
    return [
        w("One picture cannot show drift; the history follows it over many."),
        w("`looktwice history drift {name}` says whether the limits still fit what is inspected.", name=name),
    ]


def tell_error(w: Wording, i: Inspection) -> Sentences:
    """Why a picture has no verdict, without the folder that it lies in."""
    reason = plain((i.error or "").replace(i.path or "\0", base_name(i.path)), 300).rstrip(".")
    return [
        w("This picture could not be read, so there is no verdict."),
        w("The reason: {reason}.", reason=reason),
        w("Check the file or take it again."),
    ]


def for_a_decision(w: Wording) -> Sentences:
    """What to do where nothing is known of a product."""
    return [w("For a decision, give one to a few good parts as references, or inspect a whole lot together.")]


def numbers(i: Inspection) -> tuple[float, float, float, float]:
    """Score, p-value, threshold and review threshold; the last three are NaN where a picture is unrated."""
    score, p, threshold, review = (
        math.nan if value is None else value for value in (i.score, i.p_value, i.threshold, i.review_threshold)
    )
    return score, p, threshold, review
