"""The defect vocabulary: what can be wrong with a product, in words that a camera could confirm.

One description per type serves both the text tower, which ranks types for a region, and the explanations,
which quote it. Nothing here says that a defect is present.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """A type of defect: its `name`, one visual `description`, and `words`, other names that people use.

    The description is a noun phrase in lower case without a full stop, to be read after "looks like a
    scratch: ". ValueError where a part is missing or the description ends like a sentence.
    """

    name: str
    description: str
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.name and self.description and self.words):
            raise ValueError("a defect needs a name, a description and at least one other word")
        if self.description.endswith("."):
            raise ValueError(f"the description of {self.name!r} is a phrase and has no full stop")


DEFECTS = (
    Defect("scratch", "a thin line scored into the surface", ("scrape", "scuff", "score mark")),
    Defect("crack", "a fine jagged line where the material has split", ("fracture", "fissure", "split")),
    Defect("hole", "an opening through the material with a clear rim", ("puncture", "perforation", "pinhole")),
    Defect("dent", "a shallow hollow pressed in, with shading around it", ("ding", "indentation")),
    Defect(
        "broken edge",
        "a piece broken off that leaves a ragged outline",
        ("chip", "chipped edge", "breakage", "broken part"),
    ),
    Defect("cut", "a straight open slit with clean sides", ("gash", "slit", "incision")),
    Defect("bend", "a part that leaves its straight line or lies at an angle", ("bent part", "kink", "warp")),
    Defect(
        "deformation",
        "an outline that is squeezed, swollen or out of shape",
        ("squeezed shape", "distortion", "bulge", "crush"),
    ),
    Defect("missing part", "an empty place where a part should sit", ("absent part", "missing piece", "gap")),
    Defect(
        "misplaced part",
        "a part that sits in the wrong place or is turned the wrong way",
        ("shifted part", "misalignment", "swapped part", "flipped part"),
    ),
    Defect("stain", "a blot of another tone with a soft border", ("spot", "smear", "discolored patch")),
    Defect(
        "contamination",
        "foreign matter such as dust, hair or residue lying on the surface",
        ("foreign body", "dirt", "particle", "debris"),
    ),
    Defect(
        "color fault",
        "an area whose color differs from the color around it",
        ("colour fault", "wrong color", "discoloration", "fading"),
    ),
    Defect("loose thread", "a fiber that sticks out or hangs loose", ("fraying", "fuzz", "pulled thread")),
    Defect("weave fault", "a break in the regular pattern of threads", ("broken thread", "knot", "slub")),
    Defect("corrosion", "a rough rusty area with small pits", ("rust", "pitting", "oxidation")),
    Defect(
        "print fault",
        "lettering or a pattern that is smudged, faded, doubled or incomplete",
        ("misprint", "smudged print", "print defect"),
    ),
    Defect("short circuit", "an extra bridge of metal that joins two conductors", ("short", "solder bridge")),
    Defect("open circuit", "a conductor that is interrupted by a gap", ("open", "broken track", "broken finger")),
    Defect("spur", "a small point of extra material that sticks out of an edge", ("burr", "flash", "spike")),
    Defect("mouse bite", "a small bite missing from the edge of a conductor", ("nick", "notch", "edge nibble")),
    Defect("burn", "a dark scorched area with browned borders", ("scorch", "overheating mark", "charring")),
    Defect("bubble", "a round raised or hollow spot caused by trapped gas", ("blister", "void", "air pocket")),
    Defect("dark area", "a large zone that is darker than the rest", ("inactive area", "shaded zone")),
)


def find_defect(word: str) -> Defect | None:
    """The defect of this name or synonym, whatever its case and plural; None for an unknown word."""
    asked = " ".join(word.casefold().split())
    for candidate in (asked, asked.removesuffix("s"), asked.removesuffix("es")):
        for defect in DEFECTS:
            if candidate == defect.name or candidate in defect.words:
                return defect
    return None
