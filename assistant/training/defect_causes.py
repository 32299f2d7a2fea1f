"""What a type of defect often comes from, for teaching a model to say so as a likelihood.

General knowledge of surfaces and parts: no picture proves a cause.
"""

from __future__ import annotations

OFTEN: dict[str, str] = {
    "scratch": "rubbing against something hard",
    "crack": "stress or an impact",
    "hole": "piercing or missing material",
    "dent": "a knock or pressure",
    "broken edge": "a knock against the edge",
    "cut": "a sharp edge or tool",
    "bend": "rough handling",
    "deformation": "pressure or heat",
    "missing part": "a step left out in assembly",
    "misplaced part": "a mistake in assembly",
    "stain": "a liquid that dried",
    "contamination": "dust or dirt from the surroundings",
    "color fault": "an uneven material or coating",
    "loose thread": "wear or a pulled fiber",
    "weave fault": "a fault in weaving",
    "corrosion": "moisture over time",
    "print fault": "a fault in printing",
    "short circuit": "surplus metal after etching or soldering",
    "open circuit": "a conductor etched too far or broken",
    "spur": "surplus metal left at an edge",
    "mouse bite": "an edge etched too far",
    "burn": "too much heat",
    "bubble": "trapped gas",
    "dark area": "an uneven material or an inactive zone",
}
"""What each type of `assistant.prompts.defects.DEFECTS` often comes from, as words after "from"."""
