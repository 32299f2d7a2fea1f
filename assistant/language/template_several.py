"""The template explainer for several inspections: which is worst, how many are defective, what they share.

It speaks from the records alone and cites "picture 2 [R1]". A question about one of the pictures goes to
`assistant.language.template`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from assistant.inspection import Answer, Inspection
from assistant.language.intents import BAD, GOOD
from assistant.language.picture_claims import comparable, rank
from assistant.language.picture_statements import FOR_A_DECISION, numbers, state_drift
from assistant.language.question_clauses import is_foreign, normalize
from assistant.language.question_reading import History
from assistant.language.region_statements import locate
from assistant.language.template import answer
from assistant.language.wording import Sentences, at, base_name, cited_regions, list_names, number, quote

LISTED = 12
"""Pictures spelled out at once; the rest are only counted."""

ABOUT = (
    "You can ask for the worst or the best, for a count, a list, what they have in common, a comparison of two, "
    "or about one of them by its number."
)
_COUNTS = "one two three four five six seven eight nine ten eleven twelve".split()
_ORDER = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_N = rf"\d+|{'|'.join(_COUNTS)}"
_SHARE = re.compile(rf"\b(last|first) ({_N})\b")
_NAMED = re.compile(
    rf"\b(?:pictures?|images?|photos?|parts?|numbers?|nr|no) ({_N})\b(?: ?(?:and|or|to|with|vs|versus"
    rf"|,) ?({_N})\b)*"
)
_BARE = re.compile(r"\b\d+\b")
_ORDINAL = re.compile(rf"\b({'|'.join(_ORDER)}|last) (?:one|picture|image|photo|part)\b")
_REVIEW = r"review|unsure|unclear|doubtful|borderline"
_INTENTS: dict[str, str] = {
    "command": r"(?:ignore|disregard|forget|override|pretend|change|set|flip|mark|approve|make|call|say) .*"
    rf"(?:{GOOD}|{BAD}|verdict|threshold|score|instructions?|all|them|it)\b|you are now|system prompt",
    "common": r"in common|common|pattern|share[ds]?\b|alike|similar|same",
    "compare": r"compar\w*|differ\w*|versus|vs|against|worse than|better than|between",
    "worst": r"worst|most (?:severe|serious|critical|defective|damaged|suspicious|anomalous|unusual)"
    r"|highest|strangest|severest",
    "best": r"best|cleanest|lowest|least (?:severe|serious|suspicious|defective|unusual)|nicest",
    "list": r"list|show me all|all of them|each|every|overview|table|one by one",
    "which": rf"(?:which|what|name|show|any|are there|where|who).*\b(?:{GOOD}|{BAD}|{_REVIEW})|(?:which"
    rf"|what) ones",
    "tally": rf"how many|number of|count|summar\w*|(?:all|both|any|they|these) .*(?:{GOOD}|{BAD})"
    rf"|verdicts?|result|statistics|rate",
}


def answer_several(inspections: Sequence[Inspection], question: str, history: History = ()) -> Answer:
    """The answer to a question about several inspections, numbered from 1; about one, the template's answer.

    "it" refers to the picture that the last answer cites, where it cites one. Never empty.
    """
    if not inspections:
        raise ValueError("a question is about at least one inspection")
    if len(inspections) == 1:
        return answer(inspections[0], question, history)
    if is_foreign(question):
        return _cite(inspections, ["I understand English only.", *_tally(inspections, ()), ABOUT])
    words = normalize(question)
    intent = next((name for name, rule in _INTENTS.items() if re.search(rf"\b(?:{rule})", words)), "")
    chosen, missing = _choose(words, intent, history, len(inspections))
    if missing:
        return _cite(inspections, [f"There are only {len(inspections)} pictures.", *_tally(inspections, ())])
    if len(chosen) == 1 and intent not in ("command", "common"):
        return _answer_one(inspections, chosen[0], question, history)
    if len(chosen) == 2 and intent in ("", "worst", "best"):
        intent = "compare"
    reply = _REPLIES.get(intent)
    said = reply(inspections, chosen) if reply else _which(inspections, words) if intent == "which" else []
    if not said:
        said = ["That I cannot tell from these inspections.", *_tally(inspections, chosen), ABOUT]
    return _cite(inspections, said)


def name_picture(inspections: Sequence[Inspection], n: int) -> str:
    """How answers call a picture, by its index from 0 and its file's name."""
    return f"picture {n + 1}, {quote(base_name(inspections[n].path))}"


def _number_all(chosen: Sequence[int]) -> str:
    """Several pictures by their numbers, from indices from 0."""
    first, last = chosen[0] + 1, chosen[-1] + 1
    if len(chosen) > 2 and list(chosen) == list(range(first - 1, last)):
        return f"pictures {first} to {last}"
    names = [str(n + 1) for n in chosen]
    return f"pictures {', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else f"picture {names[0]}"


def cite_picture(sentence: str, n: int) -> str:
    """A sentence about one inspection as it stands among several: it names the picture, before each region."""
    if re.search(r"\[R\d+\]", sentence):
        named = _name_before(sentence, n)
        return named[0].upper() + named[1:]
    return f"Picture {n + 1}: {sentence[:1].lower()}{sentence[1:]}" if sentence else sentence


def _name_before(text: str, n: int) -> str:
    return re.sub(r"\[(R\d+)\]", rf"picture {n + 1} [\1]", text)


def _choose(words: str, intent: str, history: History, total: int) -> tuple[tuple[int, ...], bool]:
    """The indices that a question points at, none for all of them, and whether it points beyond."""
    if share := _SHARE.search(words):
        n = min(_read(share[2]), total)
        return tuple(range(total - n, total) if share[1] == "last" else range(n)), False
    numbered = [_read(n) for m in _NAMED.finditer(words) for n in re.findall(rf"\b(?:{_N})\b", m[0])]
    if not numbered and intent in ("compare", "worst", "best"):
        numbered = [int(n) for n in _BARE.findall(words)]
    numbered += [total if m[1] == "last" else _ORDER.index(m[1]) + 1 for m in _ORDINAL.finditer(words)]
    if numbered:
        return tuple(dict.fromkeys(n - 1 for n in numbered)), any(not 1 <= n <= total for n in numbered)
    follows = re.search(r"\b(?:it|this|that)\b", words) and intent in ("", "which") or words.startswith("why")
    if follows and history:
        cited = dict.fromkeys(int(n) - 1 for n in re.findall(r"(?i)\bpicture (\d+)", history[-1][1]))
        if len(cited) == 1 and 0 <= (only := next(iter(cited))) < total:
            return (only,), False
    return (), False


def _read(n: str) -> int:
    return int(n[:9]) if n.isdigit() else _COUNTS.index(n) + 1


def _answer_one(inspections: Sequence[Inspection], n: int, question: str, history: History) -> Answer:
    asked = re.sub(
        rf"(?i)\b(?:in|on|of|about|for|with)?\s*(?:the )?(?:picture|image|photo|part|number|nr|no)\s*#?(?:{_N})\b",
        " it ",
        question,
    )
    asked = re.sub(rf"(?i)\b(?:the )?(?:{'|'.join(_ORDER)}|last) (?:one|picture|image|photo|part)\b", "it", asked)
    cited = _name_before(answer(inspections[n], asked, history).text, n)
    cited = re.sub(r"(^|[.!?] )picture", r"\1Picture", cited)
    return _cite(inspections, [f"This is about {name_picture(inspections, n)}.", cited])


def _cite(inspections: Sequence[Inspection], sentences: Sequence[str]) -> Answer:
    text = " ".join(dict.fromkeys(sentences))
    return Answer(text, cited_regions(text, inspections))


# One reply for each intent; `chosen` are indices, none for all


def _tally(inspections: Sequence[Inspection], chosen: Sequence[int]) -> Sentences:
    rows = [inspections[n] for n in chosen] or list(inspections)
    counts = Counter(i.verdict for i in rows if i.verdict)
    unread = sum(i.status == "error" for i in rows)
    parts = [
        f"{counts[verdict]} {'has' if counts[verdict] == 1 else 'have'} the verdict {verdict}"
        for verdict in ("defect", "review", "good", "unrated")
        if counts[verdict]
    ]
    parts += [f"{unread} could not be read"] if unread else []
    joined = ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
    said = f"Of {_number_all(chosen)}: {joined}." if chosen else f"Of {len(rows)} pictures, {joined}."
    drifted = next(filter(None, map(state_drift, rows)), [])
    return [said, *drifted, *([FOR_A_DECISION] if counts["unrated"] else [])]


def _list(inspections: Sequence[Inspection], chosen: Sequence[int]) -> Sentences:
    order = list(chosen) or list(range(len(inspections)))
    said = [_row(inspections, n) for n in order[:LISTED]]
    return said + ([f"{len(order) - LISTED} more are left out here."] if len(order) > LISTED else [])


def _row(inspections: Sequence[Inspection], n: int) -> str:
    i = inspections[n]
    name = name_picture(inspections, n)
    name = name[0].upper() + name[1:]
    if i.status == "error":
        return f"{name}, could not be read."
    score, _, threshold, _ = numbers(i)
    limit = "" if i.verdict == "unrated" else f", threshold {number(threshold)}"
    return f"{name}: the verdict is {i.verdict}, score {number(score)}{limit}."


def _extreme(choose: Callable[..., int], word: str) -> Callable[[Sequence[Inspection], Sequence[int]], Sentences]:
    def reply(inspections: Sequence[Inspection], chosen: Sequence[int]) -> Sentences:
        asked = list(chosen or range(len(inspections)))
        readable = [asked[n] for n in comparable([inspections[one] for one in asked])]
        if not readable:
            return ["None of these pictures could be read."]
        n = choose(readable, key=lambda one: rank(inspections[one]))
        i = inspections[n]
        score, p, threshold, _ = numbers(i)
        among = f" of these {len(chosen)}" if len(chosen) > 1 else ""
        figures, which = f"a score of {number(score)}", word
        if i.verdict == "unrated":
            which = {"worst": "strangest", "best": "least strange"}[word]
        else:
            figures += f", a threshold of {number(threshold)} and a p-value of {number(p)}"
        said = [
            f"The {which}{among} is {name_picture(inspections, n)}: the verdict is {i.verdict}, with {figures}."
        ]
        if i.verdict != "good" and i.regions:
            said.append(cite_picture(locate(i.regions[0]), n))
        if sum(rank(inspections[one]) == rank(i) for one in readable) > 1:
            said.append("Others come out the same.")
        return said

    return reply


def _which(inspections: Sequence[Inspection], words: str) -> Sentences:
    """The pictures of the verdict that is asked for."""
    refused = re.search(r"\bnot\b", words)
    good = bool(re.search(rf"\b{GOOD}\b", words)) != bool(refused)
    if re.search(rf"\b(?:{_REVIEW})\b", words):
        verdict = "review"
    elif re.search(rf"\b(?:{GOOD}|{BAD})\b", words):
        verdict = "good" if good else "defect"
    else:
        return []
    numbered = [n for n, i in enumerate(inspections) if i.verdict == verdict]
    if not numbered:
        return [f"None has the verdict {verdict}.", *_tally(inspections, ())]
    names = [name_picture(inspections, n) for n in numbered[:LISTED]]
    rest = [f"{len(numbered) - LISTED} more"] if len(numbered) > LISTED else []
    has = "This has" if len(numbered) == 1 else f"These {len(numbered)} have"
    return [f"{has} the verdict {verdict}: {'; '.join(names + rest)}.", *_tally(inspections, ())]


def _compare(inspections: Sequence[Inspection], chosen: Sequence[int]) -> Sentences:
    order = list(chosen) or list(range(len(inspections)))
    said = _list(inspections, order)
    readable = [n for n in order if inspections[n].status == "ok"]
    if len(readable) == 2:
        first, second = sorted(readable, key=lambda n: rank(inspections[n]), reverse=True)
        same = rank(inspections[first]) == rank(inspections[second])
        unrated = [inspections[n].verdict for n in readable].count("unrated")
        by, worse = ("score alone", "stranger") if unrated else ("verdict and p-value", "worse")
        if unrated == 1:
            said.append("One of them is unrated, so they cannot be ranked.")
        elif same:
            said.append(f"By {by} they come out the same.")
        else:
            said.append(f"By {by}, picture {first + 1} is the {worse} one.")
        for n in (first, second):
            i = inspections[n]
            if i.verdict != "good" and i.regions:
                said.append(cite_picture(locate(i.regions[0]), n))
    return said


def _common(inspections: Sequence[Inspection], chosen: Sequence[int]) -> Sentences:
    """What several records share: verdict, place and type of the strongest region, product and comparison."""
    rows = [i for n, i in enumerate(inspections) if not chosen or n in chosen]
    read = [i for i in rows if i.status == "ok"]
    if not read:
        return ["None of these pictures could be read."]
    said = _tally(inspections, chosen)
    marked = [i for i in read if i.regions and i.verdict != "good"]
    if len(marked) > 1:
        place, n = Counter(i.regions[0].position for i in marked).most_common(1)[0]
        said.append(
            f"Their strongest regions lie in the same place in {n} of {len(marked)}: {at(place)}."
            if n > 1
            else "Their strongest regions lie in different places."
        )
        types = Counter(i.regions[0].defect_types[0].name for i in marked if i.regions[0].has_type)
        for name, n in types.most_common(1):
            said += (
                [f"In {n} of {len(marked)}, the strongest region looks most like {quote(name)}."] if n > 1 else []
            )
    products = list(dict.fromkeys(i.product for i in read if i.product))
    if len(products) == 1 and all(i.product for i in read):
        said.append(f"All were inspected as the product {quote(products[0])}.")
    elif products:
        said.append(f"They were inspected as {list_names([quote(name) for name in products])}.")
    return [*said, "What caused it the records do not say."]


_REPLIES: dict[str, Callable[[Sequence[Inspection], Sequence[int]], Sentences]] = {
    "tally": _tally,
    "list": _list,
    "worst": _extreme(max, "worst"),
    "best": _extreme(min, "best"),
    "compare": _compare,
    "common": _common,
    "command": lambda rows, chosen: ["Words cannot change what the detector decided.", *_tally(rows, ())],
}
