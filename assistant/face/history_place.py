"""The History place: earlier inspections are searched, opened with their conversation, downloaded, or removed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import gradio as gr

from assistant.errors import HistoryError
from assistant.face.downloads import DownloadRow, lay_out_downloads, wire_downloads
from assistant.face.drift import lay_out_drift, show_drift
from assistant.face.exports import Ending, Exports
from assistant.face.history_steps import (
    ANY,
    COLUMNS,
    PAGE,
    Filters,
    choices,
    chosen_of,
    entry_of,
    find,
    parse_day,
    purge,
)
from assistant.face.kept import KeptHandlers, KeptView, lay_out_kept
from assistant.face.listing import BADGES, lay_out_listing, picked, show_counts, show_listing
from assistant.face.session import Result
from assistant.face.shared import QUIET, Resources, scroll_to
from assistant.face.verdicts import OUTCOMES, outcome_word
from assistant.language.catalogue import Wording, message
from assistant.records.agreement import describe
from assistant.records.entries import Query, tell_disagreements
from assistant.records.history import History

WITHOUT = message("This server keeps no history: start it without <code>--no-history</code>.")
WELCOME = message("Open an inspection from the list: its picture, its verdict and its conversation come back.")
EMPTY = message("Nothing was inspected yet, or nothing fits what you look for.")


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it; without a history it says so."""
    if shared.history is None:
        gr.HTML(f'<p role="note">{shared.w(WITHOUT)}</p>', padding=True)
        return
    with gr.Row():
        with gr.Column(scale=5, min_width=320):
            drift = lay_out_drift("history-drift")
            search = _lay_out_search(shared.w)
            removal = _lay_out_removal(shared.w)
        with gr.Column(scale=5, min_width=320, elem_id="opened"):
            view = lay_out_kept(shared, shared.history, shared.w(WELCOME))
    _wire(page, tab, HistoryHandlers(shared, shared.history), search, removal, view, drift)


@dataclass(frozen=True)
class Search:
    """The widgets to look for inspections, and what is found. `page` counts from 1."""

    product: gr.Dropdown
    verdicts: gr.CheckboxGroup
    since: gr.DateTime
    until: gr.DateTime
    lot: gr.Dropdown
    text: gr.Textbox
    open: gr.Checkbox
    find: gr.Button
    counts: gr.HTML
    listing: gr.HTML
    page: gr.State
    back: gr.Button
    on: gr.Button
    files: DownloadRow

    @property
    def filters(self) -> list[Any]:
        """What makes `Filters`, in its order."""
        return [self.product, self.verdicts, self.since, self.until, self.lot, self.text, self.open]

    @property
    def listed(self) -> list[Any]:
        """Everything that a search changes."""
        return [self.page, self.counts, self.listing, self.back, self.on]


@dataclass(frozen=True)
class Removal:
    """The widgets to remove old inspections: what is removed is said first. `end` is when it has to be older."""

    before: gr.DateTime
    ask: gr.Button
    line: gr.HTML
    sure: gr.Button
    no: gr.Button
    end: gr.State

    @property
    def all(self) -> list[Any]:
        """Everything that a question or an answer changes."""
        return [self.end, self.line, self.sure, self.no]


def _lay_out_search(w: Wording) -> Search:
    with gr.Row():
        product = gr.Dropdown(choices([], w), value=ANY, label=w("Product"), min_width=130)
        lot = gr.Dropdown(choices([], w), value=ANY, label=w("Lot"), min_width=130)
        text = gr.Textbox(label=w("Part of the picture's name"), max_lines=1, max_length=300, min_width=160)
    with gr.Row():
        since = gr.DateTime(label=w("From (YYYY-MM-DD)"), include_time=False, type="string", min_width=200)
        until = gr.DateTime(label=w("Until, that day included"), include_time=False, type="string", min_width=200)
    verdicts = gr.CheckboxGroup(
        [(outcome_word(w, one), one) for one in OUTCOMES], label=w("Verdict (none chosen: any)")
    )
    waiting = gr.Checkbox(label=w("Only what waits for a person's decision"), container=False)
    search = gr.Button(w("Search"), variant="primary")
    counts = gr.HTML(css_template=BADGES, elem_id="found")
    listing = lay_out_listing(w(EMPTY), "kept")
    with gr.Row():
        back = gr.Button(w("Newer"), size="sm", interactive=False, min_width=90)
        on = gr.Button(w("Older"), size="sm", interactive=False, min_width=90)
    files = lay_out_downloads(w)
    page = gr.State(1)
    return Search(
        product, verdicts, since, until, lot, text, waiting, search, counts, listing, page, back, on, files
    )


def _lay_out_removal(w: Wording) -> Removal:
    with gr.Accordion(w("Remove old inspections"), open=False):
        before = gr.DateTime(label=w("Inspected before (YYYY-MM-DD)"), include_time=False, type="string")
        ask = gr.Button(w("Remove"), size="sm")
        line = gr.HTML()
        with gr.Row():
            sure = gr.Button(w("Yes, remove for good"), variant="stop", visible=False, min_width=140)
            no = gr.Button(w("No, keep all"), visible=False, min_width=140)
    return Removal(before, ask, line, sure, no, gr.State(None))


@dataclass(frozen=True)
class HistoryHandlers:
    """What the widgets call; what a visitor looks for and has opened comes in with each call."""

    shared: Resources
    history: History

    def find(self, page: int, shown: Result | None, *filters: Any) -> list[Any]:
        """Values for `Search.listed`: a page of what the filters find."""
        w = self.shared.w
        try:
            wanted = _filters(filters)
            listed, at = find(self.history, wanted, page)
            agreed = describe(self.history.sign_offs.agreement(replace(wanted.query, verdicts=(), signed=None)), w)
            second = tell_disagreements(self.history.disagreements(wanted.query), w)
            agreed = w.put_together([said for said in (agreed, second) if said])
        except Exception as error:
            line = f'<p role="alert">{html.escape(self.shared.say(error))}</p>'
            return [1, line, show_listing("", (), (), w(EMPTY)), *[gr.Button(interactive=False)] * 2]
        first = (at - 1) * PAGE + 1
        last = first + len(listed.rows) - 1
        title = w("{first} to {last} of {total}, newest first", first=first, last=last, total=listed.total)
        outdated = [self.shared.is_outdated(kept.inspection) for kept in listed.rows]
        title += f"; {w('* the product has changed since')}" if any(outdated) else ""
        entries = [entry_of(*one, w) for one in zip(listed.rows, outdated, strict=True)]
        chosen = str(shown.kept) if shown else ""
        return [
            at,
            f"{show_counts(listed.counts, wanted.query.verdicts, w)}<p>{html.escape(agreed)}</p>"
            if listed.counts
            else "",
            show_listing(title, COLUMNS, entries, w(EMPTY), chosen, w),
            gr.Button(interactive=at > 1),
            gr.Button(interactive=last < listed.total),
        ]

    def search(self, shown: Result | None, *filters: Any) -> list[Any]:
        """As `find`, from the first page."""
        return self.find(1, shown, *filters)

    def back(self, page: int, shown: Result | None, *filters: Any) -> list[Any]:
        """As `find`, the page before."""
        return self.find(page - 1, shown, *filters)

    def on(self, page: int, shown: Result | None, *filters: Any) -> list[Any]:
        """As `find`, the page after."""
        return self.find(page + 1, shown, *filters)

    def open(self, event: gr.EventData, page: int, *filters: Any) -> list[Any]:
        """Values for `KeptView.all` and `Search.listed`: the inspection whose row was picked."""
        shown, view = KeptHandlers(self.shared, self.history).open(picked(event))
        return [*view, *self.find(page, shown, *filters)]

    def export(self, ending: Ending, *filters: Any) -> str:
        """What the filters find, as a file."""
        wanted = _filters(filters)
        exports = Exports(self.shared.uploads, self.history)
        return exports.write(wanted.query, self.shared.w("Inspections"), ending, wanted.query.lot or "")

    def ask_removal(self, before: str | None) -> list[Any]:
        """Values for `Removal.all`: how much would be removed, and the question whether it shall be."""
        w = self.shared.w
        try:
            end = parse_day(before or "")
            if end is None:
                raise HistoryError("Say first before which day.")
            count = self.history.search(Query(until=end), size=1).total
        except Exception as error:
            return self.keep(f'<p role="alert">{html.escape(self.shared.say(error))}</p>')
        if not count:
            return self.keep(f"<p>{w('Nothing is older than that.')}</p>")
        line = w.count(
            "<b>{n} inspection</b> from before {day}, with previews and conversations, will be removed for good. "
            "Runs that lose pictures cannot be continued.",
            "<b>{n} inspections</b> from before {day}, with previews and conversations, will be removed for good. "
            "Runs that lose pictures cannot be continued.",
            count,
            day=f"{end:%Y-%m-%d}",
        )
        return [end, f'<p role="alert">{line}</p>', gr.Button(visible=True), gr.Button(visible=True)]

    def remove(self, end: datetime | None) -> list[Any]:
        """Values for `Removal.all` after the answer was yes."""
        if end is None:
            return self.keep()
        try:
            count = purge(self.history, end)
        except Exception as error:
            return self.keep(f'<p role="alert">{html.escape(self.shared.say(error))}</p>')
        return self.keep(f'<p role="status">{self.shared.w("{n} removed.", n=count)}</p>')

    def keep(self, line: str = "") -> list[Any]:
        """Values for `Removal.all` while nothing is asked."""
        return [None, line, gr.Button(visible=False), gr.Button(visible=False)]

    def show_drift(self) -> gr.HTML:
        """The banners of the products whose limits no longer fit."""
        return show_drift(self.shared, self.shared.products.names())

    def list_names(self, product: str, lot: str) -> list[Any]:
        """The products and the lots that anything was kept of, as choices, each with the chosen one."""
        try:
            products, lots = (choices(self.history.names(of), self.shared.w) for of in ("product", "lot"))
            return [
                gr.Dropdown(products, value=chosen_of(products, product)),
                gr.Dropdown(lots, value=chosen_of(lots, lot)),
            ]
        except HistoryError:
            return [gr.skip(), gr.skip()]


def _filters(values: Sequence[Any]) -> Filters:
    product, verdicts, since, until, lot, text, waiting = values
    names = product or ANY, tuple(verdicts or ()), since or "", until or "", lot or ANY, text or ""
    return Filters(*names, bool(waiting))


def _wire(
    page: gr.Blocks,
    tab: gr.Tab,
    handlers: HistoryHandlers,
    search: Search,
    removal: Removal,
    view: KeptView,
    drift: gr.HTML,
) -> None:
    asked = [view.result.shown, *search.filters]
    for event in (
        search.find.click,
        search.text.submit,
        search.product.input,
        search.lot.input,
        search.verdicts.input,
        search.open.input,
    ):
        event(handlers.search, asked, search.listed, **QUIET)
    search.back.click(handlers.back, [search.page, *asked], search.listed, **QUIET)
    search.on.click(handlers.on, [search.page, *asked], search.listed, **QUIET)
    opened = search.listing.select(
        handlers.open, [search.page, *search.filters], [*view.all, *search.listed], **QUIET
    )
    opened.success(None, None, None, js=scroll_to("#opened"), **QUIET)
    for signed in view.sign_off.changed:
        signed.then(handlers.find, [search.page, *asked], search.listed, **QUIET)
    wire_downloads(search.files, handlers.export, search.filters, handlers.shared)
    removal.ask.click(handlers.ask_removal, removal.before, removal.all, **QUIET)
    removal.no.click(handlers.keep, None, removal.all, **QUIET)
    removed = removal.sure.click(handlers.remove, removal.end, removal.all, **QUIET)
    removed.then(handlers.search, asked, search.listed, **QUIET)
    for shown in (page.load, tab.select):
        shown(handlers.show_drift, None, drift, **QUIET)
        named = [search.product, search.lot]
        listed = shown(handlers.list_names, named, named, **QUIET)
        listed.then(handlers.find, [search.page, *asked], search.listed, **QUIET)
