"""What one visitor has done in the Inspect place, and the steps that change it. It knows no widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL.Image import Image

from assistant.errors import LooktwiceError
from assistant.face.words import Turn
from assistant.images import load_image
from assistant.inspection import Inspection
from assistant.inspector import Inspector
from assistant.intake import shown_name
from assistant.overlay import draw_overlay
from assistant.product import Product

MOST_REFERENCES = 100
MOST_TURNS = 50
LONGEST_QUESTION = 500  # characters
OPENING = "What did you find?"


@dataclass(frozen=True, eq=False)
class Session:
    """What one browser page has done; no other page sees it.

    `learned` is the product made from the uploads `learned_from`, in memory only. `turns` are (question,
    answer) pairs about `inspection`, the opening first. `picture` is the upload that was inspected.
    """

    learned: Product | None = None
    learned_from: tuple[str, ...] = ()
    inspection: Inspection | None = None
    turns: tuple[Turn, ...] = ()
    picture: str | None = None


def inspect_picture(
    inspector: Inspector,
    picture: str | None,
    references: Sequence[str],
    product: str | None,
    session: Session,
    tell: Callable[[str, float], None] | None = None,
) -> tuple[Session, Image]:
    """The session after an inspection, and the overlay. References are learned once, until they change.

    LooktwiceError, in one sentence, for whatever cannot be used.
    """
    if not picture:
        raise LooktwiceError("Upload a picture to inspect first.")
    if references and product:
        raise LooktwiceError("Use either uploaded references or a saved product, not both.")
    if len(references) > MOST_REFERENCES:
        raise LooktwiceError(f"At most {MOST_REFERENCES} references can be learned here.")
    chosen = tuple(references)
    if chosen and chosen != session.learned_from:
        learned = inspector.learn("session product", list(chosen), tell=tell)
        session = replace(session, learned=learned, learned_from=chosen)
    found: Inspection = inspector.inspect([picture], session.learned if chosen else product or None)[0]
    if found.status == "error":
        raise LooktwiceError(found.error or "The picture cannot be read.")
    found = replace(found, path=shown_name(found.path))
    overlay = draw_overlay(load_image(picture).pixels, found)
    session = replace(session, inspection=found, turns=(), picture=picture)
    return list(_answer(inspector, OPENING, found, session))[-1], overlay


def continue_chat(inspector: Inspector, question: str, session: Session) -> Session:
    """The session with one more question answered; LooktwiceError where there is nothing to ask about."""
    return list(stream_chat(inspector, question, session))[-1]


def stream_chat(inspector: Inspector, question: str, session: Session) -> Iterator[Session]:
    """As `continue_chat`, while the answer grows; the last session is final."""
    if session.inspection is None:
        raise LooktwiceError("Inspect a picture first, then ask about it.")
    asked = question[:LONGEST_QUESTION].strip()
    if asked:
        yield from _answer(inspector, asked, session.inspection, session)
    else:
        yield session


def _answer(inspector: Inspector, question: str, found: Inspection, session: Session) -> Iterator[Session]:
    if inspector.explainer is None:
        snapshots = iter([inspector.ask(found, question, session.turns)])
    else:
        snapshots = inspector.stream(found, question, session.turns, session.picture)
    for answer in snapshots:
        turns = (*session.turns, (question, "\n".join((answer.text, *answer.notices))))
        yield replace(session, turns=(*turns[:1], *turns[1:][-MOST_TURNS:]))
