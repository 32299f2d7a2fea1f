"""Questions that no picture can answer, by topic: the phrases that people ask them in.

Sizes in millimetres and causes have answers of their own, see `intents`.
"""

from __future__ import annotations

NO_PICTURE = "That a picture cannot tell; the record only holds what was found, and where."
"""What the template says to such a question."""

_IT = r"(?:it|this|that|they|r ?\d+|(?:the|my|this|that|your) \w+)"
_WAS = r"(?:is|are|was|were|do|does|did)"

BEYOND: dict[str, str] = {
    "price": r"costs?|pric(?:e|es|ed|ing|ey)|worth|expensive|cheap\w*|money|warranty|insur\w*|who pays",
    "maker": r"who (?:made|built|produced|assembled|supplied|sold|delivered|packed)(?! you)",
    "source": r"suppliers?|vendors?|manufactur\w*|factory|(?:which|what) (?:shift|worker|plant|line|lot|customer)",
    "blame": rf"(?:whose|who is at) fault|who (?:broken?|damaged|scratched|dropped|touched) {_IT}",
    "making": rf"when {_WAS} {_IT} (?:\w+ )?(?:made|built|produced|damaged|broken|scratched|caused)",
    "past": rf"when {_WAS} {_IT} (?:\w+ )?(?:happen|occur|break|appear|arise|start)|how old|since when"
    r"|how long (?:has|have|had|ago)",
    "date": r"(?:production|manufacturing) date|what (?:day|year|date|month)|today|yesterday",
    "journey": r"(?:during|in) transport|delivery",
    "use": r"in (?:use|service|operation|the field)|li(?:fe|ves?) ?(?:times?|spans?)|functions?|still works?",
    "load": r"under (?:load|pressure|stress)|consequences?",
    "future": r"(?:how long|will|would|can|could|does) .*(?:last|survive|get (?:worse|worst)|wear out)",
    "harm": r"(?:will|would|could|can|does|might|may) .*(?:leak|spread|grow|burst|catch fire|hurt|harm)",
    "failing": rf"(?:will|would|can|could) (?:{_IT}|a customer) (?:break|crack|notice|complain)",
    "safety": r"(?:dangerous|safe|risky) (?:to|for) (?:use|drive|eat|touch|people|users?)",
    "back": r"(?:back|reverse|rear|bottom|inner|other) side|(?:on|at|from|is) the (?:back|rear|underside|inside)",
    "hidden": r"behind|turn it over|(?:is|was) (?:it|this) (?:\w+ )?inside|inside (?:of )?(?:it|the)",
    "outside": r"(?:under|below|beneath) the (?:surface|coating|paint|skin)|outside the picture",
    "matter": r"made (?:of|from|out of)|materials?|alloys?|weighs?|weight|heavy|hardness|temperatures?",
    "taste": r"favou?rites?",
    "others": r"(?:all|every|most) (?:the |your )?(?:part|piece|product|unit)s? (?:like|look|have|the same)"
    r"|(?:other|next|previous|remaining) (?:part|piece|product|unit)s?|before (?:it|this)",
    "lot": r"rest of (?:the|this) (?:batch|lot|parts|order|series|shipment)|(?:serial|part|order) number",
    "habit": r"(?:this|per|a) (?:day|week|month|year)|how often|often",
}
"""Topic -> phrases in normalised words; the topics are for the reader alone."""
