"""What a change of a product makes of recent inspections in the page's history: in words, and as a table."""

from __future__ import annotations

import html

from assistant.errors import HistoryError
from assistant.face.shared import Resources
from assistant.face.verdicts import outcome_word
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.retelling import retell
from assistant.products.product import Product
from assistant.products.teaching import DoubtfulTeaching
from assistant.records.what_if import Effect, Judging, describe, describe_changes, recent_inspections, what_if


def say_effect(shared: Resources, before: Product, after: Product) -> str:
    """The limits before and after a change, and which recent verdicts it would change, as a sentence."""
    return describe(_effect(shared, before, after.calibration), shared.w)


def ask_doubt(shared: Resources, doubt: DoubtfulTeaching) -> str:
    """Why a good part was not taught yet and what it would do, as HTML, for a question before it is."""
    w = shared.w
    told = w.put_together([retell(w, str(doubt)), say_effect(shared, doubt.before, doubt.after)])
    return f"{html.escape(told)} <b>{w('Nothing has changed yet.')}</b>"


def show_what_if(shared: Resources, product: Product, other: Judging) -> str:
    """What recent inspections would have become by other limits, as a table in HTML with its sentence."""
    return show_effect(_effect(shared, product, other), shared.w)


def show_effect(effect: Effect, w: Wording = ENGLISH_WORDS) -> str:
    """As `show_what_if`, of what is known already."""
    told = describe_changes(effect, w)
    sentence = f"<p>{html.escape(told[:1].upper() + told[1:])}{w('.')}</p>"
    if not effect.changed:
        return sentence
    head = "".join(
        f"<th>{w('would be {verdict}', verdict=outcome_word(w, name))}</th>" for name in effect.verdicts
    )
    rows = "".join(
        f"<tr><th>{outcome_word(w, before)}</th>{''.join(f'<td>{n:,}</td>' for n in row.values())}</tr>"
        for before, row in effect.verdicts.items()
    )
    return f"{sentence}<table><thead><tr><th>{w('now')}</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _effect(shared: Resources, product: Product, other: Judging) -> Effect:
    return what_if(product, other, recent(shared, product))


def recent(shared: Resources, product: Product) -> list[Inspection]:
    """The newest inspections of a product; none where no history is kept, or it cannot be read just now."""
    try:
        return recent_inspections(shared.history, product) if shared.history else []
    except HistoryError:
        return []
