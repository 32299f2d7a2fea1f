"""The Batch place: many pictures at once, inspected by the server whether or not a page is open."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from assistant.errors import LooktwiceError
from assistant.face.batch_show import (
    NO_RUN,
    NOTHING,
    STYLE,
    list_errors,
    list_runs,
    show_chart,
    show_standing,
    show_worst,
)
from assistant.face.batch_steps import READ, BatchRequest, BatchRuns, Filter, only_pictures
from assistant.face.cards import lay_out_cards
from assistant.face.downloads import DownloadRow, lay_out_downloads, wire_downloads
from assistant.face.drift import lay_out_drift, show_drift
from assistant.face.exports import Ending
from assistant.face.kept import KeptHandlers, KeptView, lay_out_kept
from assistant.face.listing import lay_out_listing, picked
from assistant.face.shared import QUIET, Resources, lay_out_group, lay_out_shipped, scroll_to
from assistant.face.sign_off import OPEN
from assistant.face.uploads import refuse_addresses, uploaded_path
from assistant.face.verdicts import outcome_word
from assistant.images.sources import EXTENSIONS
from assistant.language.catalogue import Wording, message
from assistant.records.entries import LONGEST_LOT
from assistant.records.history import History

WITHOUT = message(
    "A batch is kept in the history, row by row, and this server keeps none: "
    "start it without <code>--no-history</code>."
)
ALL = message("all")
FILTERS: tuple[str, ...] = (ALL, *READ, OPEN)

SECONDS = 1.5
"""Between two looks at a run that is at work."""


def lay_out(shared: Resources, page: gr.Blocks, tab: gr.Tab) -> None:
    """Lay out the place inside a tab and wire it; without a history it says why there is nothing."""
    if shared.history is None:
        gr.HTML(f'<p role="note">{shared.w(WITHOUT)}</p>', padding=True)
        return
    batches = BatchRuns.of(shared, shared.history)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            form = _lay_out_form(shared)
            runs = lay_out_listing(shared.w(NOTHING), "runs")
        with gr.Column(scale=5, min_width=320):
            screen = _lay_out_screen(shared, shared.history, runs)
    _wire(page, tab, BatchHandlers(batches), form, screen)


@dataclass(frozen=True)
class Form:
    """The widgets that say what is to be done."""

    pictures: gr.File
    whole: gr.UploadButton
    folder: gr.Textbox
    product: gr.Dropdown
    compare: gr.Checkbox
    lot: gr.Textbox
    shipped: gr.Checkbox
    group: gr.Textbox
    start: gr.Button

    @property
    def request(self) -> list[Any]:
        """What `BatchHandlers.start` takes."""
        return [self.pictures, self.folder, self.product, self.compare, self.lot, self.shipped, self.group]


@dataclass(frozen=True)
class Screen:
    """The widgets that show a run. `run` is its id, `ids` are the inspections in the gallery.

    Of its `body` either `pictures` are seen or, once one is opened, its `inspection`.
    """

    run: gr.State
    ids: gr.State
    standing: gr.HTML
    cancel: gr.Button
    proceed: gr.Button
    body: gr.Column
    pictures: gr.Column
    inspection: gr.Column
    back: gr.Button
    opened: KeptView
    chart: gr.HTML
    verdict: gr.Radio
    gallery: gr.HTML
    errors: gr.HTML
    files: DownloadRow
    runs: gr.HTML
    timer: gr.Timer
    drift: gr.HTML

    @property
    def all(self) -> list[Any]:
        """Everything that another look at a run changes; `BatchHandlers.show` gives the values."""
        seen = [self.run, self.ids, self.standing, self.cancel, self.proceed, self.body, self.chart, self.gallery]
        return [*seen, self.errors, self.runs, self.timer, self.drift]

    @property
    def panes(self) -> list[Any]:
        """Of which one is seen; `panes` of this module gives the values."""
        return [self.pictures, self.inspection]

    @property
    def chosen(self) -> list[Any]:
        """What says which run is looked at, and how."""
        return [self.run, self.verdict, self.ids]


def _lay_out_form(shared: Resources) -> Form:
    w = shared.w
    pictures = gr.File(
        label=w("Pictures to inspect"),
        file_count="multiple",
        file_types=sorted(EXTENSIONS),
        height=170,
        buttons=[],
    )
    whole = gr.UploadButton(w("Or choose a whole folder"), file_count="directory", size="sm")
    roots = ", ".join(shared.folders)
    folder = gr.Textbox(
        label=w("Or a folder of this machine, without uploading"),
        info=w("Inside {folders}", folders=roots),
        max_lines=1,
        visible=bool(shared.folders),
    )
    product = gr.Dropdown([(w("none"), "")], value="", label=w("Saved product"))
    compare = gr.Checkbox(
        label=w("Compare the pictures with each other"), info=w("Needs no product; rows come at the end.")
    )
    lot = gr.Textbox(label=w("Lot (optional)"), max_lines=1, max_length=LONGEST_LOT)
    with gr.Accordion(w("Settings"), open=False):
        group = lay_out_group(w)
        shipped = lay_out_shipped(w)
    refuse_addresses(pictures, w)
    refuse_addresses(whole, w)
    start = gr.Button(w("Start batch"), variant="primary")
    return Form(pictures, whole, folder, product, compare, lot, shipped, group, start)


def _lay_out_screen(shared: Resources, history: History, runs: gr.HTML) -> Screen:
    w = shared.w
    drift = lay_out_drift("batch-drift")
    standing = gr.HTML(w(NO_RUN), css_template=STYLE, elem_id="standing")
    with gr.Row():
        cancel = gr.Button(w("Cancel"), variant="stop", visible=False, scale=0, min_width=160)
        proceed = gr.Button(w("Continue"), variant="primary", visible=False, scale=0, min_width=160)
    with gr.Column(visible=False) as body:
        with gr.Column() as pictures:
            chart = gr.HTML(elem_id="scores")
            errors = gr.HTML(css_template=STYLE, elem_id="unread")
            files = lay_out_downloads(w)
            verdict = gr.Radio(filter_choices(w), value=ALL, label=w("Pictures (pick one to open it)"))
            gallery = lay_out_cards("worst", 150)
        with gr.Column(visible=False, elem_id="picked") as inspection:
            back = gr.Button(w("Back to all pictures"), size="sm")
            opened = lay_out_kept(shared, history, "")
    return Screen(
        run=gr.State(""),
        ids=gr.State(()),
        standing=standing,
        cancel=cancel,
        proceed=proceed,
        body=body,
        pictures=pictures,
        inspection=inspection,
        back=back,
        opened=opened,
        chart=chart,
        verdict=verdict,
        gallery=gallery,
        errors=errors,
        files=files,
        runs=runs,
        timer=gr.Timer(SECONDS, active=False),
        drift=drift,
    )


@dataclass(frozen=True)
class BatchHandlers:
    """What the widgets call. A visitor's choice comes in with each call; the runs are those of the server."""

    batches: BatchRuns

    def start(
        self,
        pictures: list[dict[str, Any]] | None,
        folder: str | None,
        product: str | None,
        compare: bool,
        lot: str | None,
        shipped: bool = False,
        group: str | None = "",
    ) -> list[Any]:
        """Emptied uploads, and values for `Screen.all` that show the new run."""
        try:
            paths = tuple(uploaded_path(one, self.batches.shared.uploads) for one in pictures or [])
            given = folder or "", product or "", bool(compare), lot or "", bool(shipped), group or ""
            request = BatchRequest(paths, *given)
            run = self.batches.start(request)
        except Exception as error:
            self.batches.shared.warn(error)
            return [gr.skip()] * 16
        return [None, "all", *self.show(run, "all", ()), *panes("pictures")]

    def take_folder(self, chosen: list[dict[str, Any]] | None) -> list[str]:
        """The pictures of a folder that was uploaded, for the list of uploads."""
        try:
            paths = only_pictures([uploaded_path(one, self.batches.shared.uploads) for one in chosen or []])
            if not paths:
                raise LooktwiceError("There is no picture in that folder.")
        except Exception as error:
            self.batches.shared.warn(error)
            return gr.skip()
        return paths

    def show(self, run: str, verdict: Filter, ids: Sequence[int]) -> list[Any]:
        """Values for `Screen.all`. The gallery is left alone where it would show the same."""
        try:
            active = bool(self.batches.worker.unfinished)  # first: what is no longer at hand is shown as it ended
            shared = self.batches.shared
            w = shared.w
            around = [list_runs(self.batches.runs(), run, w), gr.Timer(active=active)]
            if not run:
                hidden = [gr.Button(visible=False)] * 2
                return [
                    "",
                    (),
                    w(NO_RUN),
                    *hidden,
                    gr.Column(visible=False),
                    "",
                    "",
                    "",
                    *around,
                    show_drift(shared, ()),
                ]
            view = self.batches.view(run, verdict if verdict in FILTERS else "all")
            shown = tuple(row.id for row in view.worst)
            gallery = gr.skip() if shown == tuple(ids) else show_worst(view, self.batches.cards(view.worst), w)
        except Exception as error:
            shared = self.batches.shared
            line = f'<span class="badge error">{shared.w("NOT SHOWN")}</span>{html.escape(shared.say(error))}'
            return ["", (), line, *[gr.skip()] * 7, gr.Timer(active=False), gr.skip()]
        failure = self.batches.worker.failure(run)
        busy = view.standing in ("at work", "waiting")
        stopping = bool((progress := self.batches.worker.progress) and progress.run == run and progress.stopping)
        label = w("Continue anyway") if failure and failure.other_basis else w("Continue")
        return [
            run,
            shown,
            show_standing(view, self.batches.worker.progress, failure, w),
            gr.Button(w("Stopping") if stopping else w("Cancel"), visible=busy, interactive=not stopping),
            gr.Button(label, visible=view.standing == "halted"),
            gr.Column(visible=view.run.done > 0),
            show_chart(view, w),
            gallery,
            list_errors(view, w),
            *around,
            show_drift(shared, filter(None, [view.run.settings.get("product")])),
        ]

    def look(self, run: str, verdict: Filter, ids: Sequence[int]) -> list[Any]:
        """As `show`, when the page opens or the place is entered: without a choice, the run that is at work."""
        progress = self.batches.worker.progress
        return self.show(run or (progress.run if progress else ""), verdict, ids)

    def open(self, verdict: Filter, event: gr.EventData) -> list[Any]:
        """Values for `Screen.all` and `Screen.panes` that show the run whose row was picked."""
        return [*self.show(picked(event), verdict, (-1,)), *panes("pictures")]

    def open_picture(self, event: gr.EventData) -> list[Any]:
        """Values for `KeptView.all` and `Screen.panes` that show the inspection whose picture was picked."""
        _, view = KeptHandlers(self.batches.shared, self.batches.history).open(picked(event))
        return [*view, *panes("inspection")]

    def refresh(self, run: str, verdict: Filter) -> list[Any]:
        """As `show`, the pictures too, whose decisions have changed."""
        return self.show(run, verdict, (-1,))

    def cancel(self, run: str, verdict: Filter, ids: Sequence[int]) -> list[Any]:
        """Stop a run, and values for `Screen.all`."""
        self.batches.worker.cancel(run)
        return self.show(run, verdict, ids)

    def proceed(self, run: str, verdict: Filter, ids: Sequence[int]) -> list[Any]:
        """Continue a run, and values for `Screen.all`."""
        try:
            self.batches.proceed(run)
        except Exception as error:
            self.batches.shared.warn(error)
        return self.show(run, verdict, ids)

    def export(self, ending: Ending, run: str) -> str:
        """The file of a run."""
        return self.batches.export(run, ending)

    def list_products(self, product: str | None) -> gr.Dropdown:
        """The saved products as they are now, with the chosen one."""
        return self.batches.shared.choose_product(product)


def panes(seen: str) -> list[gr.Column]:
    """Values for `Screen.panes`: the pictures of a run or, for "inspection", the one that was opened."""
    return [gr.Column(visible=seen == "pictures"), gr.Column(visible=seen == "inspection")]


def filter_choices(w: Wording) -> list[tuple[str, str]]:
    """Which pictures of a run can be looked at, in words."""
    return [(w(one) if one in (ALL, OPEN) else outcome_word(w, one), one) for one in FILTERS]


def _wire(page: gr.Blocks, tab: gr.Tab, handlers: BatchHandlers, form: Form, screen: Screen) -> None:
    uploads: dict[str, Any] = {"preprocess": False, "show_progress": "hidden", "api_visibility": "private"}
    begun = form.start.click(
        handlers.start, form.request, [form.pictures, screen.verdict, *screen.all, *screen.panes], **uploads
    )
    form.whole.upload(handlers.take_folder, form.whole, form.pictures, **uploads)
    screen.cancel.click(handlers.cancel, screen.chosen, screen.all, **QUIET)
    screen.proceed.click(handlers.proceed, screen.chosen, screen.all, **QUIET)
    opened = screen.runs.select(handlers.open, screen.verdict, [*screen.all, *screen.panes], **QUIET)
    for event in (begun, opened):
        event.success(None, None, None, js=scroll_to("#standing"), **QUIET)
    seen = screen.gallery.select(handlers.open_picture, None, [*screen.opened.all, *screen.panes], **QUIET)
    seen.success(None, None, None, js=scroll_to("#picked", always=True), **QUIET)
    for signed in screen.opened.sign_off.changed:
        signed.then(handlers.refresh, [screen.run, screen.verdict], screen.all, **QUIET)
    left = screen.back.click(partial(panes, "pictures"), None, screen.panes, **QUIET)
    left.success(None, None, None, js=scroll_to("#worst", always=True), **QUIET)
    screen.verdict.change(handlers.show, screen.chosen, screen.all, **QUIET)
    screen.timer.tick(handlers.show, screen.chosen, screen.all, **QUIET)
    wire_downloads(screen.files, handlers.export, [screen.run], handlers.batches.shared)
    for shown in (page.load, tab.select):
        shown(handlers.list_products, form.product, form.product, **QUIET)
        shown(handlers.look, screen.chosen, screen.all, **QUIET)
