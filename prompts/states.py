"""Sentences that call a product normal or abnormal, for a text tower to turn into two directions.

Every state phrase is put into every photo template, as in WinCLIP (Jeong et al., CVPR 2023); the wording is
our own. The sentences are written like captions, without an article, so that any product name fits in.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

DEFAULT_PRODUCT = "object"
LONGEST_PRODUCT = 60

NORMAL_STATES = (
    "{}",
    "intact {}",
    "spotless {}",
    "{} in good order",
    "{} of consistent quality",
    "{} that passed inspection",
    "{} free of any fault",
)
ABNORMAL_STATES = (
    "faulty {}",
    "spoiled {}",
    "{} that failed inspection",
    "{} with a visible fault",
    "{} with one bad spot",
)
TEMPLATES = (
    "{}",
    "photo of {}",
    "picture of {}",
    "product photo showing {}",
    "inspection photo of {}",
    "camera frame with {}",
    "close view of {}",
    "macro shot of {}",
    "magnified surface of {}",
    "detail of {}",
    "wide view of {}",
    "view from above of {}",
    "small picture of {}",
    "large picture of {}",
    "sharp photo of {}",
    "slightly blurred photo of {}",
    "noisy photo of {}",
    "dim photo of {}",
    "brightly lit photo of {}",
    "grayscale photo of {}",
    "color photo of {}",
    "low-contrast photo of {}",
    "scan of {}",
    "{} on a plain background",
    "{} on a production line",
    "{} under a microscope",
)


@dataclass(frozen=True)
class Prompts:
    """The sentences for one product, a tuple for each of the two states.

    `product` is the name that stands in them. `notice` says in one sentence how it differs from the name that
    was given, and is None where nothing had to be changed.
    """

    product: str
    normal: tuple[str, ...]
    abnormal: tuple[str, ...]
    notice: str | None = None

    def __post_init__(self) -> None:
        if not (self.product and self.normal and self.abnormal):
            raise ValueError("prompts need a product name and at least one sentence for each state")


def compose(product: str | None = None) -> Prompts:
    """Build the normal and abnormal sentences of a product, or of any "object" where none is named.

    The name comes from a user and is cleaned first, see `clean_product`; no name raises an error.
    """
    name, notice = clean_product(product)
    return Prompts(name, _fill(NORMAL_STATES, name), _fill(ABNORMAL_STATES, name), notice)


def clean_product(product: str | None) -> tuple[str, str | None]:
    """Make a product name fit for a sentence; returns the name and a notice, None where it is as given.

    Invisible, control and unassigned characters go, runs of white space and underscores become one space,
    compatibility forms become plain letters (NFKC), and what is longer than 60 characters is cut between
    words where it can be. A name of which nothing is left becomes "object". Spacing alone earns no notice.
    """
    if product is None:
        return DEFAULT_PRODUCT, None
    # Cut first, so that a name of many megabytes costs nothing.
    given = unicodedata.normalize("NFKC", product[: 20 * LONGEST_PRODUCT])
    visible = "".join(_visible(character) for character in given)
    words = " ".join(visible.replace("_", " ").split())
    name = _cut(words)
    if not name:
        return DEFAULT_PRODUCT, 'The product name holds no readable character; "object" is used instead.'
    if len(name) < len(words) or len(product) > 20 * LONGEST_PRODUCT:
        return name, f'The product name is longer than {LONGEST_PRODUCT} characters; "{name}" is used.'
    if name != " ".join(product.replace("_", " ").split()):
        return name, f'The product name holds characters that cannot be used; "{name}" is used.'
    return name, None


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # joiners and direction marks sit inside words
        return ""
    return " " if category[0] in "CZ" else character


def _cut(words: str) -> str:
    if len(words) <= LONGEST_PRODUCT:
        return words
    head, space, _ = words[: LONGEST_PRODUCT + 1].rpartition(" ")
    return head if space else words[:LONGEST_PRODUCT]


def _fill(states: tuple[str, ...], name: str) -> tuple[str, ...]:
    # str.replace and not str.format: a name may hold braces.
    phrases = [state.replace("{}", name) for state in states]
    return tuple(template.replace("{}", phrase) for phrase in phrases for template in TEMPLATES)
