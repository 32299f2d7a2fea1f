"""What one visitor has done in the Inspect place, and the steps that change it: inspect, ask, correct, undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from assistant.errors import HistoryError, LooktwiceError
from assistant.face.effect import ask_doubt, say_effect
from assistant.face.pairs import find_pairs, show_pairs
from assistant.face.shared import ACTOR, Resources
from assistant.face.teach_steps import mark_of
from assistant.face.teach_view import name_change
from assistant.face.words import OPENING
from assistant.images.sources import shown_name
from assistant.inspection import Answer, Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.conversation import LONGEST_QUESTION, MOST_TURNS
from assistant.language.retelling import retell
from assistant.language.terms import verdict_word
from assistant.language.wording import number
from assistant.overlay import draw_overlay
from assistant.products.masks import Mask
from assistant.products.pairs import Pair
from assistant.products.product import Product
from assistant.products.teaching import Correction, DoubtfulTeaching
from assistant.records.entries import Turn, check_group, shrink

MOST_INSPECTED = 50
MOST_REFERENCES = 100

Tell = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Result:
    """One result and the conversation about it, wherever it is shown.

    `picture` is its file, None where that is gone; `preview`, a JPEG with the overlay on it, then stands for it.
    `turns` is the conversation, an opening first. `kept` is its id in the history, None outside of it. `mark` is
    that of the product which it was judged by, and `product` is that one, where it is at hand. `lies` is where the
    picture of a kept one still lies. `beside` shows its regions beside good parts as HTML, once it was opened.
    """

    inspection: Inspection
    picture: str | None = None
    preview: bytes | None = None
    turns: tuple[Turn, ...] = ()
    kept: int | None = None
    mark: str = ""
    product: Product | None = None
    lies: str | None = None
    beside: str = ""

    @property
    def pairs(self) -> list[Pair]:
        """Its regions beside good parts, see `find_pairs`."""
        return find_pairs(self.inspection, self.product, self.picture or self.lies)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture as it was judged [H, W, 3]; from its file where it is not held any more. ImageError."""
        return self.inspection.picture(None if self.inspection.judged else self.picture).pixels


@dataclass(frozen=True)
class KnownState:
    """A product as a session last saw it: the mark of its content, and what its undo would take back.

    `undo` says that on a button, and `undone` once it is done; "" for nothing.
    """

    mark: str = ""
    undo: str = ""
    undone: str = ""

    @classmethod
    def of(cls, product: Product | None, w: Wording = ENGLISH_WORDS) -> KnownState:
        """That of a product; of none, an empty one."""
        if product is None:
            return cls()
        if not (change := name_change(product, w)):
            return cls(mark_of(product))
        return cls(mark_of(product), w("Undo {change}", change=change), w("Took back {change}", change=change))


@dataclass(frozen=True, eq=False)
class Session:
    """What one browser page has done; no other page sees it.

    `learned` is the product made from the uploads `learned_from`, in memory only. `results` are those of the last
    inspection, worst first, `pictures` what it was asked to look at, `against` the product or its name, `known`
    the state of that, `shipped` and `group` as for `inspect_pictures`, and `place` which result is on the screen.
    `notes` are sentences about the whole, and `said` is one about the last step. `doubt`, HTML, is what is asked
    before the part on the screen is taken as good.
    """

    learned: Product | None = None
    learned_from: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    against: Product | str | None = None
    results: tuple[Result, ...] = ()
    place: int = 0
    notes: tuple[str, ...] = ()
    said: str = ""
    doubt: str = ""
    known: KnownState = KnownState()
    shipped: bool = False
    group: str = ""

    @property
    def shown(self) -> Result:
        """The result on the screen; LooktwiceError where there is none."""
        if not self.results:
            raise LooktwiceError("Inspect a picture first.")
        return self.results[self.place]

    def showing(self, shown: Result) -> Session:
        """The same with another state of the result on the screen."""
        return replace(self, results=(*self.results[: self.place], shown, *self.results[self.place + 1 :]))

    def is_outdated(self, result: Result) -> bool:
        """Whether the product has changed since it judged a result."""
        return result.mark != self.known.mark


def inspect_pictures(
    shared: Resources,
    pictures: Sequence[str],
    references: Sequence[str],
    product: str | None,
    session: Session,
    tell: Tell | None = None,
    shipped: bool = False,
    group: str = "",
) -> Session:
    """The session after an inspection, the worst result on the screen. References are learned once, until they
    change. A picture that cannot be read is a note, as long as there is another one. `shipped`: where nothing is
    known of the product, limits that were measured on others decide. `group`: a word for the camera, the light or
    the lot, each of which is watched for drift by itself.

    LooktwiceError, in one sentence, for whatever cannot be used.
    """
    if not pictures:
        raise LooktwiceError("Upload a picture to inspect first.")
    if references and product:
        raise LooktwiceError("Use either uploaded references or a saved product, not both.")
    if len(references) > MOST_REFERENCES:
        raise LooktwiceError(f"At most {MOST_REFERENCES} pictures can be learned here at once.")
    if len(pictures) > MOST_INSPECTED:
        raise LooktwiceError(f"At most {MOST_INSPECTED} pictures can be inspected here at once.")
    pictures = tuple(dict.fromkeys(pictures))  # the same file twice is one upload, and one picture
    chosen = tuple(references)
    if chosen and chosen != session.learned_from:
        learned = shared.inspector.learn("session product", list(chosen), tell=tell)
        session = replace(session, learned=learned, learned_from=chosen)
    against: Product | str | None = session.learned if chosen else product or None
    session = replace(session, pictures=pictures, against=against, said="", doubt="")
    session = replace(session, shipped=shipped, group=check_group(group))
    session = replace(session, known=KnownState.of(_product_of(shared, session), shared.w))
    results, notes = _look_at(shared, pictures, session, tell)
    if not results:
        raise LooktwiceError(notes[0])
    return show_result(shared, replace(session, results=results, notes=notes), 0)


def show_result(shared: Resources, session: Session, place: int) -> Session:
    """The session with another of its results on the screen, its conversation opened.

    One that an earlier state of the product judged is judged again.
    """
    session = replace(session, place=place, said="", doubt="")
    if session.is_outdated(session.shown):
        return _look_again(shared, session, shared.w("The product has changed since"))
    return _open(shared, session)


def _open(shared: Resources, session: Session) -> Session:
    if session.shown.turns:
        return session
    shown = replace(session.shown, beside=show_pairs(session.shown.pairs, session.shown.inspection, shared.w))
    return session.showing(list(_answer(shared, OPENING, shown, shared.w.language))[-1])


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


def correct_result(
    shared: Resources,
    session: Session,
    correction: Correction,
    label: str | None = None,
    mask: Mask | None = None,
    confirm: bool = False,
) -> Session:
    """The session after the product learned what the result on the screen really was, and looked again.

    `label` and `mask` [H, W] say what was missed, and where; a good part that is doubtful is asked about before,
    unless `confirm` is given. LooktwiceError where there is no product, or the picture was taught already.
    """
    picture, before = _file_of(session.shown), list[Product]()

    def correct(product: Product) -> Product:
        before.append(product)
        corrected = shared.inspector.correct(product, picture, correction, label, mask, confirm)
        if corrected is product:
            raise LooktwiceError(f"{session.shown.inspection.path} was taught already; nothing has changed.")
        return corrected

    try:
        changed = _change_product(shared, session, correct)
    except DoubtfulTeaching as doubt:
        return replace(session, said="", doubt=ask_doubt(shared, doubt))
    effect = say_effect(shared, before[-1], _product_of(shared, changed) or before[-1])
    w, name = shared.w, _name_of(changed, shared.w)
    good = correction == "false alarm"
    taken = w("Taken as a good part of {name}", name=name) if good else w("Taken as a defect of {name}", name=name)
    looked = _look_again(shared, changed, taken)
    return replace(looked, said=w.put_together([looked.said, effect]))


def undo_change(shared: Resources, session: Session) -> Session:
    """The session after the product took its last change back, whoever made it.

    A change that the session has not seen stays, and is what another undo would take back. LooktwiceError where
    there is none.
    """
    if session.known != (now := KnownState.of(_product_of(shared, session), shared.w)):
        said = shared.w("The product was changed elsewhere: the button says what it would take back now.")
        return replace(session, known=now, said=said, doubt="")
    if not session.known.undo:
        raise LooktwiceError("There is no change to take back.")

    def undo(product: Product) -> Product:
        if mark_of(product) != session.known.mark:
            raise LooktwiceError("The product was changed elsewhere just now; nothing was taken back.")
        return product.undo()

    return _look_again(shared, _change_product(shared, session, undo), session.known.undone)


def _look_at(
    shared: Resources, pictures: Sequence[str], session: Session, tell: Tell | None = None
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """The results, worst first, and sentences about what could not be read or kept."""
    results: list[Result] = []
    notes: list[str] = []
    w = shared.w
    product = _product_of(shared, session)
    rows = shared.inspector.inspect(iter(pictures), session.against, zero_shot_limits=session.shipped)
    for done, row in enumerate(rows):
        if tell:
            tell(w("Looked at {n} of {total}", n=done + 1, total=len(pictures)), (done + 1) / len(pictures))
        inspection = shared.drift.see(replace(row, path=shown_name(row.path), group=session.group))
        overlay = None if inspection.error else draw_overlay(row.picture().pixels, inspection, bar=False)
        kept = None
        try:
            kept = shared.history.add(inspection, preview=overlay) if shared.history else None
        except HistoryError as error:
            notes.append(shared.say(error))
        if overlay is None:
            why = (inspection.error or "").rstrip(".")
            notes.insert(0, retell(w, f"{why}.") if why else w("A picture cannot be read."))
        else:
            one = Result(inspection, pictures[done], shrink(overlay), kept=kept, mark=session.known.mark)
            results.append(replace(one, product=product))
    return tuple(sorted(results, key=lambda one: -one.inspection.score)), tuple(notes)


def _look_again(shared: Resources, session: Session, event: str) -> Session:
    before = session.shown.inspection
    results, notes = _look_at(shared, [_file_of(session.shown)], session)
    if not results:
        raise LooktwiceError(notes[0])
    now = results[0].inspection
    w = shared.w
    moved = {
        "event": event,
        "before": number(before.score),
        "now": number(now.score),
        "verdict": verdict_word(w, now.verdict),
    }
    if now.verdict == before.verdict:
        said = w("{event}: the score went from {before} to {now}, and the verdict is still {verdict}.", **moved)
    else:
        said = w("{event}: the score went from {before} to {now}, and the verdict is now {verdict}.", **moved)
    said = w.put_together([said, *notes])
    return _open(shared, replace(session.showing(results[0]), said=said, doubt=""))


def _product_of(shared: Resources, session: Session) -> Product | None:
    """The product that a session compares with, as it is now."""
    return shared.products.get(session.against) if isinstance(session.against, str) else session.against


def _change_product(shared: Resources, session: Session, how: Callable[[Product], Product]) -> Session:
    """The session after a change to the product that it compares with, which is kept where that one is."""
    if session.against is None:
        raise LooktwiceError("Choose a product or give references first: a correction teaches one.")
    if isinstance(session.against, str):
        return replace(session, known=KnownState.of(shared.products.change(session.against, how, ACTOR), shared.w))
    product = how(session.against)
    return replace(session, learned=product, against=product, known=KnownState.of(product, shared.w))


def _name_of(session: Session, w: Wording) -> str:
    return session.against if isinstance(session.against, str) else w("the references given here")


def _file_of(shown: Result) -> str:
    if shown.picture is None:
        raise LooktwiceError("The picture is not here any more.")
    return shown.picture


def _answer(shared: Resources, question: str, shown: Result, language: str | None = None) -> Iterator[Result]:
    """The result with a question answered, in the language of the question where none is given."""
    inspector, inspection = shared.inspector, shared.drift.warned(shown.inspection)
    before = [(turn.question, turn.answer.whole) for turn in shown.turns]
    if inspector.explainer is None:
        snapshots = iter([inspector.ask(inspection, question, before, language=language)])
    else:
        snapshots = inspector.stream(inspection, question, before, shown.picture, language, product=shown.product)
    answer: Answer | None = None
    for answer in snapshots:
        turns = (*shown.turns, Turn(question, answer, datetime.now(UTC)))
        yield replace(shown, turns=(*turns[:1], *turns[1:][-MOST_TURNS:]))
    if answer and shared.history and shown.kept is not None:
        shared.history.add_turn(shown.kept, question, answer)
