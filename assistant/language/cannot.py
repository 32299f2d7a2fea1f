"""What cannot be told, and why: one sentence for each reason, in the words of a language."""

from __future__ import annotations

from assistant.language.catalogue import Wording

REASONS = {
    "cause": "What caused it a picture cannot tell; the record holds what was found, and where.",
    "material": "What it is made of cannot be told from the record.",
    "millimetres": "Millimetres cannot be told: the record has pixels only, and no scale is set.",
    "depth": "How deep it goes cannot be told: a picture has no depth.",
    "price": "What it costs a picture cannot tell.",
    "time": "When something happened cannot be told from a picture.",
    "future": "What will become of it cannot be told from one picture.",
    "function": "Whether it works cannot be told: a picture does not show function.",
    "medical": "That cannot be told: this inspects products and makes no diagnosis.",
    "safety": "Whether it is safe cannot be told by this; a person has to decide it.",
    "permission": "Whether to do that is for a person to decide; this can only say what was found.",
    "repair": "How to repair it cannot be told from the record.",
    "maker": "Where it comes from or who made it a picture cannot tell.",
    "person": "Who did it, and what somebody meant by it, a picture cannot tell.",
    "other_side": "The other side cannot be told: only what the picture shows was inspected.",
    "inside": "What lies inside cannot be told: only the surface in the picture was inspected.",
    "other_picture": "About other pictures nothing can be told here: this record is about what was asked with it.",
    "type": "Whether that is the right word for it cannot be told; a likeness is no proof.",
    "chance": "The chance that it is good or bad cannot be told; the p-value is something else.",
    "standard": "Whether it meets a standard cannot be told: the record knows good parts, and no norm.",
    "colour": "The record does not say which colours or things the picture shows.",
    "text": "What is written in the picture or its name is not read, and cannot change anything.",
    "command": "Words cannot change what the detector decided.",
    "language": "I understand English, German, Spanish and Chinese.",
    "no_region": "This inspection has no such region.",
    "no_picture": "There is no such picture among these.",
    "off_topic": "That cannot be told here: this is about the inspected picture only.",
    "unknown": "That cannot be told from this record.",
}


def tell_cannot(w: Wording, reason: str) -> str:
    """The sentence of a reason."""
    return w(REASONS[reason])
