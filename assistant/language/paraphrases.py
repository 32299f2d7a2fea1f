"""Roundabout English put plainly, so that one rule reads many ways of saying a thing: places, numbers, negations.

Spelled-out words (`sentences.spell`) go in and come out.
"""

from __future__ import annotations

import re

_ONES = "zero one two three four five six seven eight nine ten eleven twelve".split()
_TENS = {
    word: 10 * n for n, word in enumerate("ten twenty thirty forty fifty sixty seventy eighty ninety".split(), 1)
}
_VALUES = {word: n for n, word in enumerate(_ONES)} | _TENS | {"fifteen": 15, "hundred": 100, "thousand": 1000,
           "million": 1_000_000}  # fmt: skip
_DIGITS = rf"(?:{'|'.join(sorted(_VALUES, key=len, reverse=True))}|\d+(?:,\d{{3}})*)"
_TENTH = {"half": 50, "third": 33, "quarter": 25, "fourth": 25, "fifth": 20, "sixth": 17, "eighth": 12.5,
          "tenth": 10, "twentieth": 5, "fiftieth": 2, "hundredth": 1}  # fmt: skip
_IT = r"(?:it|that|this(?: \w+)?|(?:the|that|your|such an?) \w+)"
_HOLD = r"(?:call|consider|describe|deem|regard|rate|judge|label|classify|think|believe|say|claim|flag|mark)"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rule), plain)
    for rule, plain in (
        (r"(?<=[a-z])'d\b", " would"),
        (r"(?<=[a-z])'ll\b", " will"),
        (r"(?<=[a-z])'ve\b", " have"),
        (r"(?<=[a-z])'re\b", " are"),
        (r"\bi'm\b", "i am"),
        (r"\bnorth(?:ern)? ?west(?:ern)?(?:ern most|ernmost)?\b", "top left"),
        (r"\bnorth(?:ern)? ?east(?:ern)?\b", "top right"),
        (r"\bsouth(?:ern)? ?west(?:ern)?\b", "bottom left"),
        (r"\bsouth(?:ern)? ?east(?:ern)?\b", "bottom right"),
        (r"\bnorth(?:ern)?\b", "top"),
        (r"\bsouth(?:ern)?\b", "bottom"),
        (r"\bwest(?:ern)?\b", "left"),
        (r"\beast(?:ern)?\b", "right"),
        (r"\b(?:uppermost|topmost)\b", "top"),
        (r"\b(?:lowermost|bottommost)\b", "bottom"),
        (r"\b(left|right)most\b", r"\1"),
        (r"\bcentral\b", "center"),
        (
            r"\b(left|right)(?: hand)?(?: side| half| part| third| edge| border)? (?:in|of|at) the (upper"
            r"|lower|top"
            r"|bottom)\b(?: half| part| third| area| edge)?",
            r"\2 \1",
        ),
        (
            r"\banything but\b|\bfar from(?= (?:being )?[a-z]+)|\bby no means\b|\bin no way\b"
            r"|\bnowhere near\b",
            "not",
        ),
        (r"\bit is not (?:the case|true|correct|right|so) that (.*?) (is|are|was|were) not\b", r"\1 \2"),
        (r"\bit is not (?:the case|true|correct|right|so) that (.*?) (is|are|was|were)\b", r"\1 \2 not"),
        (
            rf"\b(?:i|we|one|nobody) (?:would|should|do|did)(?: not| never"
            rf"| hesitate to) {_HOLD}(?: that)? {_IT}"
            r"(?: is| as| to be)?\b",
            "it is not",
        ),
        (rf"\b(?:i|we|one) would hesitate to {_HOLD}(?: that)? {_IT}(?: is| as| to be)?\b", "it is not"),
        (
            rf"\b(?:i|we|one) (?:would |do )?{_HOLD}(?: that)? {_IT}(?: is| are| as"
            rf"| to be)(?! an? example)\b",
            "it is",
        ),
        (rf"\b(?:i|we|one) would (?:call|deem|judge|consider|label|rate) {_IT}\b", "it is"),
        (r"\b(i|we) would (?=(?:reject|accept|approve|pass|let|ship|scrap|hold|set|send|keep|release)\b)", r"\1 "),
        (r"\bhalf a dozen\b", "6"),
        (r"\ba dozen\b", "12"),
        (r"\bdozens of\b", "24"),
        (r"\bhundreds of\b", "200"),
        (r"\bthousands of\b", "2000"),
        (r"\ba (?:pair|couple) of\b", "two"),
        (r"\b(?:a )?trio of\b", "three"),
        (r"\bone and a half times\b", "1.5 times"),
        (r"\b(?:twice|double)(?= (?:the|its|as|that|this)\b)", "2 times"),
        (r"\b(?:thrice|triple|three times)(?= (?:the|its|as|that|this)\b)", "3 times"),
        (r"\b(\d+(?:\.\d+)?) ?fold\b", r"\1 times"),
        (r"\bper ?cent\b", "percent"),
    )
)
_TENS_AND_ONES = re.compile(rf"\b({'|'.join(_TENS)}) ({'|'.join(_ONES[1:10])})\b")
_PERCENT = re.compile(rf"\b({'|'.join(_VALUES)}) ?(?:percent|%)")
_RATIO = re.compile(
    rf"\b({_DIGITS})(?: (?:good )?(?:parts?|pictures?|pieces))? (?:in|out of|of) (?:every |a "
    rf"|each )?({_DIGITS})\b"
    r"(?! (?:pictures?|regions?|images?|photos?)\b(?! would))"
)
_FRACTION = re.compile(
    rf"(?<!upper )(?<!lower )(?<!top )(?<!bottom )(?<!left )(?<!right )(?<!hand )(?<!other )"
    rf"\b(?:(?P<n>an?|one|two|three|\d) )?(?P<part>{'|'.join(_TENTH)})s?"
    r"(?: of)?(?= (?:the|its|this|that|all) (?!regions?\b|upper\b|lower\b|top\b|bottom\b))"
)


def rephrase(words: str) -> str:
    """The words with each turn of phrase that a plainer one stands for put plainly."""
    for rule, plain in _RULES:
        words = rule.sub(plain, words)
    words = _TENS_AND_ONES.sub(lambda m: str(_VALUES[m[1]] + _VALUES[m[2]]), words)
    words = _PERCENT.sub(lambda m: f"{_VALUES[m[1]]} %", words)
    words = _RATIO.sub(_say_share, words)
    words = _FRACTION.sub(_say_percent, words)
    return " ".join(words.split())


def _say_share(found: re.Match[str]) -> str:
    few, many = (
        float(_VALUES.get(n, n.replace(",", "")) if n in _VALUES else n.replace(",", "")) for n in found.groups()
    )
    of_parts = re.match(r" (?:of )?(?:all )?(?:the )?good\b", found.string[found.end() :])
    if not (20 if not of_parts else 2) <= many < 1_000_000 or few >= many:
        return found[0]
    return f"1 in {many:g}" if few == 1 else f"{100 * few / many:.4g} %"


def _say_percent(found: re.Match[str]) -> str:
    part = found["part"]
    if found["n"] is None and part != "half":
        return found[0]  # "the fifth", "lower third"
    times = {"a": 1, "an": 1, None: 1}.get(found["n"]) or _VALUES.get(found["n"]) or int(found["n"])
    share = min(_TENTH[part] * times + (times == 2 and part == "third"), 1000)
    return f"{share:g} % of"
