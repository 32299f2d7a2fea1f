"""The facts of several pictures in words: how many of which verdict, which is worst, what they share.

Pictures are numbered from 1, and named with their file: picture 2, "b.png".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from assistant.inspection import Inspection
from assistant.language.catalogue import Wording
from assistant.language.picture_facts import for_a_decision, numbers
from assistant.language.terms import VERDICTS, name_some, place_word, refer, verdict_word
from assistant.language.wording import Sentences, base_name, number, quote

LISTED = 12
"""Pictures spelled out at once; the rest are only counted."""

Numbered = Sequence[tuple[int, Inspection]]
"""Pictures with their numbers, from 1."""

_RANK = {"defect": 2, "review": 1, "good": 0, "unrated": 0}


def rank(i: Inspection) -> tuple[float, float, float]:
    """How bad an inspection is, comparable over products: by verdict, then p-value, then score over threshold.

    Unrated ones rank by score alone, and only among each other: `comparable` says which.
    """
    if i.status == "error":
        return (-1.0, 0.0, 0.0)
    if i.verdict == "unrated":
        return (0.0, 0.0, i.score)
    score, p, threshold, _ = numbers(i)
    return (float(_RANK[i.verdict or "good"]), -p, score / threshold if threshold > 0 else score - threshold)


def comparable(rows: Numbered) -> list[tuple[int, Inspection]]:
    """The pictures that rank among each other: the rated ones, else all that could be read."""
    rated = [(n, i) for n, i in rows if i.verdict not in (None, "unrated")]
    return rated or [(n, i) for n, i in rows if i.status == "ok"]


def name_picture(w: Wording, n: int, i: Inspection) -> str:
    """How answers call a picture, by its number and its file's name."""
    return w("picture {n}, {name}", n=n, name=quote(base_name(i.path)))


def tell_tally(w: Wording, rows: Numbered) -> Sentences:
    """How many have which verdict."""
    counts = Counter(i.verdict for _, i in rows if i.verdict)
    parts = [
        w("{n} {verdict}", n=counts[verdict], verdict=verdict_word(w, verdict))
        for verdict in ("defect", "review", "good", "unrated")
        if counts[verdict]
    ]
    if unread := sum(i.status == "error" for _, i in rows):
        parts.append(w("{n} could not be read", n=unread))
    said = [w.count("Of {n} picture: {parts}.", "Of {n} pictures: {parts}.", len(rows), parts=w.join(parts))]
    for verdict in ("defect", "review"):
        which = [str(n) for n, i in rows if i.verdict == verdict]
        if which:
            said.append(
                w("{verdict}: {pictures}.", verdict=_cap(verdict_word(w, verdict)), pictures=_some(w, which))
            )
    return [*said, *(for_a_decision(w) if counts["unrated"] else [])]


def tell_verdict_of(w: Wording, rows: Numbered, verdict: str) -> Sentences:
    """Which pictures have a verdict."""
    found = [name_picture(w, n, i) for n, i in rows if i.verdict == verdict]
    word = w(VERDICTS[verdict])
    if not found:
        return [w("None has the verdict {verdict}.", verdict=word)]
    return [
        w.count(
            "One has the verdict {verdict}: {names}.",
            "{n} have the verdict {verdict}: {names}.",
            len(found),
            verdict=word,
            names=name_some(w, found),
        )
    ]


def tell_list(w: Wording, rows: Numbered) -> Sentences:
    """Each picture with its verdict and score, worst first; where all have one verdict, which they are."""
    if len(verdicts := {i.verdict for _, i in rows}) == 1 and None not in verdicts:
        first = tell_verdict_of(w, rows, str(rows[0][1].verdict))
        return [*first, *(_row(w, n, i) for n, i in rows[:LISTED]), *_left_out(w, len(rows))]
    order = sorted(comparable(rows), key=lambda row: rank(row[1]), reverse=True)
    ranked = {n for n, _ in order}
    order += [row for row in rows if row[0] not in ranked]
    names = [str(n) for n, _ in order[:LISTED]]
    said = [w("Worst first: pictures {numbers}.", numbers=", ".join(names))]
    return [*said, *(_row(w, n, i) for n, i in order[:LISTED]), *_left_out(w, len(order))]


def tell_extreme(w: Wording, rows: Numbered, end: Literal["worst", "best"]) -> Sentences:
    """The worst or the best picture, by verdict, p-value and score; of unrated ones by score."""
    ranked = sorted(comparable(rows), key=lambda row: rank(row[1]), reverse=end == "worst")
    if not ranked:
        return [w("None of these pictures could be read.")]
    n, i = ranked[0]
    score, p, threshold, _ = numbers(i)
    gaps = {"name": name_picture(w, n, i), "score": number(score), "verdict": verdict_word(w, i.verdict)}
    if i.verdict == "unrated" and end == "worst":
        said = [w("The strangest is {name}, score {score}.", **gaps)]
    elif i.verdict == "unrated":
        said = [w("The least strange is {name}, score {score}.", **gaps)]
    elif end == "worst":
        said = [w("The worst is {name}: verdict {verdict}, score {score}.", **gaps)]
    else:
        said = [w("The best is {name}: verdict {verdict}, score {score}.", **gaps)]
    if i.verdict != "unrated":
        said.append(
            w("Its threshold is {threshold} and its p-value {p}.", threshold=number(threshold), p=number(p))
        )
    if sum(rank(other) == rank(i) for _, other in ranked) > 1:
        said.append(w("Others come out the same."))
    if i.verdict != "good" and i.regions:
        r = i.regions[0]
        said.append(w("{region} lies {place}.", region=_cap(refer(r, n, w)), place=place_word(w, r.position)))
    if unranked := len(rows) - len(ranked):
        said.append(w.count("{n} picture could not be ranked.", "{n} pictures could not be ranked.", unranked))
    return said


def tell_pair(w: Wording, rows: Numbered) -> Sentences:
    """Two or more pictures beside each other: which is worse, and their verdicts."""
    each = [_row(w, n, i) for n, i in rows[:LISTED]]
    read = [row for row in rows if row[1].status == "ok"]
    if len(read) < 2:
        return [w("None can be ranked: too few of them could be read."), *each]
    if len(comparable(read)) < len(read):
        return [w("Some of them are unrated, so they cannot be ranked."), *each]
    ranked = sorted(read, key=lambda row: rank(row[1]), reverse=True)
    (n, worst), (other, next_) = ranked[:2]
    if rank(worst) == rank(next_):
        return [w("By verdict, p-value and score they come out the same."), *each]
    if worst.verdict == "unrated":
        return [w("By score alone, picture {n} is the strangest of them.", n=n), *each]
    if len(ranked) == 2:
        return [w("By verdict and p-value, picture {n} is worse than picture {other}.", n=n, other=other), *each]
    return [w("By verdict and p-value, picture {n} is the worst of them.", n=n), *each]


def tell_common(w: Wording, rows: Numbered) -> Sentences:
    """What several records share: the place and type of the strongest region, and the product."""
    marked = [(n, i) for n, i in rows if i.status == "ok" and i.regions and i.verdict != "good"]
    said = tell_tally(w, rows)
    if len(marked) > 1:
        place, times = Counter(i.regions[0].position for _, i in marked).most_common(1)[0]
        if times > 1:
            shared = w(
                "In {times} of {n}, the strongest region lies {place}.",
                times=times,
                n=len(marked),
                place=place_word(w, place),
            )
        else:
            shared = w("Their strongest regions lie in different places.")
        said.insert(0, shared)
        types = Counter(i.regions[0].defect_types[0].name for _, i in marked if i.regions[0].has_type)
        for name, times in types.most_common(1):
            if times > 1:
                said.append(
                    w(
                        "In {times} of {n} it looks most like {name}.",
                        times=times,
                        n=len(marked),
                        name=quote(w(name)),
                    )
                )
    products = list(dict.fromkeys(i.product for _, i in rows if i.product))
    if len(products) == 1 and all(i.product for _, i in rows if i.status == "ok"):
        said.append(w("All were inspected as the product {name}.", name=quote(products[0])))
    elif products:
        said.append(w("They were inspected as {names}.", names=name_some(w, [quote(name) for name in products])))
    return said


def tell_same_place(w: Wording, rows: Numbered) -> Sentences:
    """Whether the strongest regions of pictures lie in the same one of nine places."""
    marked = [(n, i) for n, i in rows if i.status == "ok" and i.regions]
    if len(marked) < 2:
        return [w("Fewer than two of these pictures have a region, so no places can be compared.")]
    places = [i.regions[0].position for _, i in marked]
    spots = [
        w("{region} {place}", region=refer(i.regions[0], n, w), place=place_word(w, i.regions[0].position))
        for n, i in marked
    ]
    which = w("Strongest regions: {spots}.", spots=name_some(w, spots))
    if len(set(places)) == 1:
        return [
            w("The strongest regions lie in the same of nine places: {place}.", place=place_word(w, places[0])),
            which,
        ]
    return [w("The strongest regions do not all lie in the same of nine places."), which]


def _row(w: Wording, n: int, i: Inspection) -> str:
    if i.status == "error":
        return w("{name}: could not be read.", name=_cap(name_picture(w, n, i)))
    score, _, threshold, _ = numbers(i)
    gaps = {"name": _cap(name_picture(w, n, i)), "verdict": verdict_word(w, i.verdict), "score": number(score)}
    if i.verdict == "unrated":
        return w("{name}: verdict {verdict}, score {score}.", **gaps)
    limit = number(threshold)
    return w("{name}: verdict {verdict}, score {score}, threshold {threshold}.", threshold=limit, **gaps)


def _some(w: Wording, names: Sequence[str]) -> str:
    shown = list(names[:LISTED])
    more = [w("{n} more", n=len(names) - LISTED)] if len(names) > LISTED else []
    word = w("picture") if len(names) == 1 else w("pictures")
    return w("{word} {names}", word=word, names=w.join([*shown, *more]))


def _left_out(w: Wording, n: int) -> Sentences:
    return [w("{n} more are left out here.", n=n - LISTED)] if n > LISTED else []


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]
