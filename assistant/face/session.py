"""What one visitor has done in the Inspect place, and the steps that change it: inspect, ask, correct, undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from assistant.errors import HistoryError, LooktwiceError
from assistant.face.shared import ACTOR, Resources
from assistant.face.words import OPENING, say, sentence
from assistant.images.load import load_image
from assistant.images.sources import shown_name
from assistant.inspection import Answer, Inspection
from assistant.language.conversation import LONGEST_QUESTION, MOST_TURNS
from assistant.language.wording import number
from assistant.overlay import draw_overlay
from assistant.products.product import Change, Product
from assistant.products.teaching import Correction
from assistant.records.entries import Turn, shrink

MOST_INSPECTED = 50
MOST_REFERENCES = 100

Tell = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Result:
    """One result and the conversation about it, wherever it is shown.

    `picture` is its file, None where that is gone; `preview`, a JPEG with the overlay on it, then stands for it.
    `turns` is the conversation, an opening first. `kept` is its id in the history, None outside of it.
    """

    inspection: Inspection
    picture: str | None = None
    preview: bytes | None = None
    turns: tuple[Turn, ...] = ()
    kept: int | None = None


@dataclass(frozen=True, eq=False)
class Session:
    """What one browser page has done; no other page sees it.

    `learned` is the product made from the uploads `learned_from`, in memory only. `results` are those of the last
    inspection, worst first, `pictures` what it was asked to look at, `against` the product or its name, and
    `place` which result is on the screen. `notes` are sentences about the whole. `taught` is the last
    correction, as the product remembers it, that can be taken back.
    """

    learned: Product | None = None
    learned_from: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    against: Product | str | None = None
    results: tuple[Result, ...] = ()
    place: int = 0
    notes: tuple[str, ...] = ()
    taught: Change | None = None

    @property
    def shown(self) -> Result:
        """The result on the screen; LooktwiceError where there is none."""
        if not self.results:
            raise LooktwiceError("Inspect a picture first.")
        return self.results[self.place]

    def showing(self, shown: Result) -> Session:
        """The same with another state of the result on the screen."""
        return replace(self, results=(*self.results[: self.place], shown, *self.results[self.place + 1 :]))


def inspect_pictures(
    shared: Resources,
    pictures: Sequence[str],
    references: Sequence[str],
    product: str | None,
    session: Session,
    tell: Tell | None = None,
) -> Session:
    """The session after an inspection, the worst result on the screen. References are learned once, until they
    change. A picture that cannot be read is a note, as long as there is another one.

    LooktwiceError, in one sentence, for whatever cannot be used.
    """
    if not pictures:
        raise LooktwiceError("Upload a picture to inspect first.")
    if references and product:
        raise LooktwiceError("Use either uploaded references or a saved product, not both.")
    for most, given, what in ((MOST_REFERENCES, references, "learned"), (MOST_INSPECTED, pictures, "inspected")):
        if len(given) > most:
            raise LooktwiceError(f"At most {most} pictures can be {what} here at once.")
    chosen = tuple(references)
    if chosen and chosen != session.learned_from:
        learned = shared.inspector.learn("session product", list(chosen), tell=tell)
        session = replace(session, learned=learned, learned_from=chosen)
    against: Product | str | None = session.learned if chosen else product or None
    results, notes = _look_at(shared, pictures, against, tell)
    if not results:
        raise LooktwiceError(notes[0])
    session = replace(
        session, pictures=tuple(pictures), against=against, results=results, notes=notes, taught=None
    )
    return show_result(shared, session, 0)


def show_result(shared: Resources, session: Session, place: int) -> Session:
    """The session with another of its results on the screen, its conversation opened."""
    session = replace(session, place=place)
    if session.shown.turns:
        return session
    return session.showing(list(_answer(shared, OPENING, session.shown))[-1])


def stream_chat(shared: Resources, question: str, shown: Result | None) -> Iterator[Result]:
    """The result with one more question answered, while the answer grows; the last is final and kept.

    LooktwiceError where there is nothing to ask about.
    """
    if shown is None:
        raise LooktwiceError("Inspect a picture first, then ask about it.")
    asked = question[:LONGEST_QUESTION].strip()
    if asked:
        yield from _answer(shared, asked, shown)
    else:
        yield shown


def correct_result(shared: Resources, session: Session, correction: Correction) -> Session:
    """The session after the product learned what the result on the screen really was, and looked again.

    LooktwiceError where there is no product, or the picture was taught already.
    """
    picture = _file_of(session.shown)

    def correct(product: Product) -> Product:
        corrected = shared.inspector.correct(product, picture, correction)
        if corrected is product:
            raise LooktwiceError(f"{session.shown.inspection.path} was taught already; nothing has changed.")
        return corrected

    session, product = _change_product(shared, session, correct)
    taken = "a good part" if correction == "false alarm" else "a defect"
    session = replace(session, taught=product.history[-1])
    return _look_again(shared, session, f"Taken as {taken} of {_name_of(session)}")


def undo_correction(shared: Resources, session: Session) -> Session:
    """The session after its last correction was taken back; LooktwiceError where the product has changed since."""

    def undo(product: Product) -> Product:
        if session.taught is None:
            raise LooktwiceError("There is no correction to take back.")
        if product.history[-1:] != (session.taught,):
            raise LooktwiceError("The product was changed since; undo that in the Teach place.")
        return product.undo()

    changed, _ = _change_product(shared, session, undo)
    return _look_again(shared, replace(changed, taught=None), "The correction was taken back")


def _look_at(
    shared: Resources, pictures: Sequence[str], against: Product | str | None, tell: Tell | None = None
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """The results, worst first, and sentences about what could not be read or kept."""
    results: list[Result] = []
    notes: list[str] = []
    for done, row in enumerate(shared.inspector.inspect(iter(pictures), against)):
        if tell:
            tell(f"Looked at {done + 1} of {len(pictures)}", (done + 1) / len(pictures))
        inspection = replace(row, path=shown_name(row.path))
        overlay = (
            None if inspection.error else draw_overlay(load_image(pictures[done]).pixels, inspection, bar=False)
        )
        kept = None
        try:
            kept = shared.history.add(inspection, preview=overlay) if shared.history else None
        except HistoryError as error:
            notes.append(sentence(error))
        if overlay is None:
            notes.insert(0, f"{(inspection.error or 'A picture cannot be read').rstrip('.')}.")
        else:
            results.append(Result(inspection, pictures[done], shrink(overlay), kept=kept))
    return tuple(sorted(results, key=lambda one: -one.inspection.score)), tuple(notes)


def _look_again(shared: Resources, session: Session, event: str) -> Session:
    before = session.shown.inspection
    results, notes = _look_at(shared, [_file_of(session.shown)], session.against)
    if not results:
        raise LooktwiceError(notes[0])
    now = results[0].inspection
    moved = f"the score went from {number(before.score)} to {number(now.score)}"
    settled = "still" if now.verdict == before.verdict else "now"
    note = f"{event}: {moved}, and the verdict is {settled} {now.verdict}."
    session = replace(session.showing(results[0]), notes=(note, *notes))
    return show_result(shared, session, session.place)


def _change_product(
    shared: Resources, session: Session, how: Callable[[Product], Product]
) -> tuple[Session, Product]:
    """The session after a change to the product that it compares with, which is kept where that one is; and it."""
    if session.against is None:
        raise LooktwiceError("Choose a product or give references first: a correction teaches one.")
    if isinstance(session.against, str):
        return session, shared.products.change(session.against, how, ACTOR)
    product = how(session.against)
    return replace(session, learned=product, against=product), product


def _name_of(session: Session) -> str:
    return session.against if isinstance(session.against, str) else "the references given here"


def _file_of(shown: Result) -> str:
    if shown.picture is None:
        raise LooktwiceError("The picture is not here any more.")
    return shown.picture


def _answer(shared: Resources, question: str, shown: Result) -> Iterator[Result]:
    inspector, inspection = shared.inspector, shown.inspection
    before = [(turn.question, say(turn.answer)) for turn in shown.turns]
    if inspector.explainer is None:
        snapshots = iter([inspector.ask(inspection, question, before)])
    else:
        snapshots = inspector.stream(inspection, question, before, shown.picture)
    answer: Answer | None = None
    for answer in snapshots:
        turns = (*shown.turns, Turn(question, answer, datetime.now(UTC)))
        yield replace(shown, turns=(*turns[:1], *turns[1:][-MOST_TURNS:]))
    if answer and shared.history and shown.kept is not None:
        shared.history.add_turn(shown.kept, question, answer)
