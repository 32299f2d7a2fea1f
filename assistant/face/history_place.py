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
from assistant.face.verdicts import OUTCOMES
from assistant.face.words import sentence
from assistant.records.agreement import describe
from assistant.records.entries import Query, tell_disagreements
from assistant.records.history import History

WITHOUT = "This server keeps no history: start it without <code>--no-history</code>."
WELCOME = "Open an inspection from the list: its picture, its verdict and its conversation come back."
EMPTY = "Nothing was inspected yet, or nothing fits what you look for."


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it; without a history it says so."""
    if shared.history is None:
        gr.HTML(f'<p role="note">{WITHOUT}</p>', padding=True)
        return
    with gr.Row():
        with gr.Column(scale=5, min_width=320):
            drift = lay_out_drift("history-drift")
            search = _lay_out_search()
            removal = _lay_out_removal()
        with gr.Column(scale=5, min_width=320, elem_id="opened"):
            view = lay_out_kept(shared, shared.history, WELCOME)
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


def _lay_out_search() -> Search:
    with gr.Row():
        product = gr.Dropdown(choices([]), value=ANY, label="Product", min_width=130)
        lot = gr.Dropdown(choices([]), value=ANY, label="Lot", min_width=130)
        text = gr.Textbox(label="Part of the picture's name", max_lines=1, max_length=300, min_width=160)
    with gr.Row():
        since = gr.DateTime(label="From (YYYY-MM-DD)", include_time=False, type="string", min_width=200)
        until = gr.DateTime(label="Until, that day included", include_time=False, type="string", min_width=200)
    verdicts = gr.CheckboxGroup(list(OUTCOMES), label="Verdict (none chosen: any)")
    waiting = gr.Checkbox(label="Only what waits for a person's decision", container=False)
    search = gr.Button("Search", variant="primary")
    counts = gr.HTML(css_template=BADGES, elem_id="found")
    listing = lay_out_listing(EMPTY, "kept")
    with gr.Row():
        back = gr.Button("Newer", size="sm", interactive=False, min_width=90)
        on = gr.Button("Older", size="sm", interactive=False, min_width=90)
    files = lay_out_downloads()
    page = gr.State(1)
    return Search(
        product, verdicts, since, until, lot, text, waiting, search, counts, listing, page, back, on, files
    )


def _lay_out_removal() -> Removal:
    with gr.Accordion("Remove old inspections", open=False):
        before = gr.DateTime(label="Inspected before (YYYY-MM-DD)", include_time=False, type="string")
        ask = gr.Button("Remove", size="sm")
        line = gr.HTML()
        with gr.Row():
            sure = gr.Button("Yes, remove for good", variant="stop", visible=False, min_width=140)
            no = gr.Button("No, keep all", visible=False, min_width=140)
    return Removal(before, ask, line, sure, no, gr.State(None))


@dataclass(frozen=True)
class HistoryHandlers:
    """What the widgets call; what a visitor looks for and has opened comes in with each call."""

    shared: Resources
    history: History

    def find(self, page: int, shown: Result | None, *filters: Any) -> list[Any]:
        """Values for `Search.listed`: a page of what the filters find."""
        try:
            wanted = _filters(filters)
            listed, at = find(self.history, wanted, page)
            agreed = describe(self.history.sign_offs.agreement(replace(wanted.query, verdicts=(), signed=None)))
            agreed = f"{agreed} {tell_disagreements(self.history.disagreements(wanted.query))}".strip()
        except Exception as error:
            line = f'<p role="alert">{html.escape(sentence(error))}</p>'
            return [1, line, show_listing("", (), (), EMPTY), *[gr.Button(interactive=False)] * 2]
        first = (at - 1) * PAGE + 1
        last = first + len(listed.rows) - 1
        title = f"{first} to {last} of {listed.total}, newest first"
        outdated = [self.shared.is_outdated(kept.inspection) for kept in listed.rows]
        title += "; * the product has changed since" if any(outdated) else ""
        entries = [entry_of(*one) for one in zip(listed.rows, outdated, strict=True)]
        chosen = str(shown.kept) if shown else ""
        return [
            at,
            f"{show_counts(listed.counts, wanted.query.verdicts)}<p>{html.escape(agreed)}</p>"
            if listed.counts
            else "",
            show_listing(title, COLUMNS, entries, EMPTY, chosen),
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
        return exports.write(wanted.query, "Inspections", ending, wanted.query.lot or "")

    def ask_removal(self, before: str | None) -> list[Any]:
        """Values for `Removal.all`: how much would be removed, and the question whether it shall be."""
        try:
            end = parse_day(before or "")
            if end is None:
                raise HistoryError("Say first before which day.")
            count = self.history.search(Query(until=end), size=1).total
        except Exception as error:
            return self.keep(f'<p role="alert">{html.escape(sentence(error))}</p>')
        if not count:
            return self.keep("<p>Nothing is older than that.</p>")
        what = "1 inspection" if count == 1 else f"{count} inspections"
        line = (
            f'<p role="alert"><b>{what}</b> from before {end:%Y-%m-%d}, with previews and conversations, will be '
            "removed for good. Runs that lose pictures cannot be continued.</p>"
        )
        return [end, line, gr.Button(visible=True), gr.Button(visible=True)]

    def remove(self, end: datetime | None) -> list[Any]:
        """Values for `Removal.all` after the answer was yes."""
        if end is None:
            return self.keep()
        try:
            count = purge(self.history, end)
        except Exception as error:
            return self.keep(f'<p role="alert">{html.escape(sentence(error))}</p>')
        return self.keep(f'<p role="status">{count} removed.</p>')

    def keep(self, line: str = "") -> list[Any]:
        """Values for `Removal.all` while nothing is asked."""
        return [None, line, gr.Button(visible=False), gr.Button(visible=False)]

    def show_drift(self) -> gr.HTML:
        """The banners of the products whose limits no longer fit."""
        return show_drift(self.shared, self.shared.products.names())

    def list_names(self, product: str, lot: str) -> list[Any]:
        """The products and the lots that anything was kept of, as choices, each with the chosen one."""
        try:
            products, lots = choices(self.history.names("product")), choices(self.history.names("lot"))
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
    wire_downloads(search.files, handlers.export, search.filters)
    removal.ask.click(handlers.ask_removal, removal.before, removal.all, **QUIET)
    removal.no.click(handlers.keep, None, removal.all, **QUIET)
    removed = removal.sure.click(handlers.remove, removal.end, removal.all, **QUIET)
    removed.then(handlers.search, asked, search.listed, **QUIET)
    for shown in (page.load, tab.select):
        shown(handlers.show_drift, None, drift, **QUIET)
        named = [search.product, search.lot]
        listed = shown(handlers.list_names, named, named, **QUIET)
        listed.then(handlers.find, [search.page, *asked], search.listed, **QUIET)
