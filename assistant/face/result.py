"""A result on the screen: verdict, picture, regions and the conversation about them. Any place can show one.

It shows what a `Result` holds and asks about it. Where that came from, and what may be done about it, is the
business of the place around it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.face.drawing import SCALES, VIEWS, DrawingOptions, drawn, region_at
from assistant.face.pairs import lay_out_pairs
from assistant.face.session import Result, stream_chat
from assistant.face.shared import QUIET, WORK, Resources
from assistant.face.words import (
    COLUMNS,
    QUESTIONS,
    show_chat,
    show_regions,
    show_verdict,
)
from assistant.images.sources import shown_name
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.conversation import LONGEST_QUESTION
from assistant.overlay import shown_size
from assistant.products.pairs import SHOWN, draw_pair

REPORTS = ("HTML", "PDF")


@dataclass(frozen=True)
class ResultView:
    """The widgets that show one result. `shown` holds the `Result` that is on the screen, or None.

    `actions` is an empty row under the verdict for what a place offers to do about it, and `below` an empty column
    under that.
    """

    shown: gr.State
    verdict: gr.HTML
    actions: gr.Row
    below: gr.Column
    body: gr.Row
    overlay: gr.Image
    compare: gr.ImageSlider
    legend: gr.HTML
    controls: gr.Column
    view: gr.Radio
    opacity: gr.Slider
    scale: gr.Radio
    regions: gr.Dataframe
    pairs: gr.HTML
    chat: gr.Chatbot
    question: gr.Textbox
    suggestions: tuple[gr.Button, ...]
    stop: gr.Button
    reports: tuple[gr.Button, ...]
    report: gr.DownloadButton

    @property
    def all(self) -> list[Any]:
        """Everything that a new result changes; `filled` and `cleared` give the values."""
        shown = [self.shown, self.verdict, self.overlay, self.regions, self.chat, self.compare, self.legend]
        return [*shown, self.actions, self.body, self.controls, *self.suggestions, self.pairs]

    @property
    def options(self) -> list[Any]:
        """The widgets whose values make a `DrawingOptions`, in its order."""
        return [self.view, self.opacity, self.scale]


def lay_out_result(shared: Resources, welcome: str, *, public: bool = False) -> ResultView:
    """Lay out the widgets, empty but for a line of HTML, and wire what they do among themselves.

    `public`: its chat is the endpoint /ask; one of a page can be.
    """
    verdict = gr.HTML(welcome, elem_classes="verdict", elem_id="verdict" if public else None)
    actions = gr.Row(visible=False, elem_classes="actions")
    below = gr.Column()
    with gr.Row(visible=False) as body:
        with gr.Column(scale=5, min_width=300):
            picture = _lay_out_picture(shared.w)
        with gr.Column(scale=4, min_width=300):
            talk = _lay_out_chat(shared.inspector.explainer is not None, shared.w)
    view = ResultView(gr.State(None), verdict, actions, below, body, *picture, *talk)
    _wire(view, ResultHandlers(shared), public)
    return view


def filled(shown: Result, options: DrawingOptions | None = None, w: Wording = ENGLISH_WORDS) -> list[Any]:
    """What every widget of `ResultView.all` shows of a result."""
    inspection, options = shown.inspection, options or DrawingOptions()
    rows = show_regions(inspection, w)
    buttons = [gr.Button(w(text), interactive=True) for text in QUESTIONS[inspection.verdict or "review"]]
    overlay, compare, legend = drawn(shown, options, w)
    table = gr.Dataframe(rows, visible=bool(rows))
    seen = [show_verdict(inspection, w), overlay, table, show_chat(shown.turns, w), compare, legend]
    # A preview has its overlay on it already: there is nothing to choose about how it is drawn.
    around = [gr.Row(visible=True), gr.Row(visible=True), gr.Column(visible=shown.picture is not None)]
    return [shown, *seen, *around, *buttons, gr.HTML(shown.beside, visible=bool(shown.beside))]


def cleared(line: str) -> list[Any]:
    """What every widget of `ResultView.all` shows while there is no result: a line of HTML."""
    buttons = [gr.Button(interactive=False) for _ in QUESTIONS["defect"]]
    hidden = [gr.Row(visible=False), gr.Row(visible=False), gr.Column(visible=True)]
    return [
        None,
        line,
        None,
        gr.Dataframe([], visible=False),
        [],
        gr.ImageSlider(visible=False),
        "",
        *hidden,
        *buttons,
        gr.HTML("", visible=False),
    ]


def write_shown(shown: Result, options: DrawingOptions, kind: str, folder: str) -> Path:
    """Write a report of one of REPORTS on a result as it is drawn, where nobody can guess its address."""
    from assistant.reports import report_inspection, write_report

    original = shown.pixels if shown.picture else None
    picture = drawn(shown, options)[0]
    stem = Path(shown_name(shown.inspection.path)).stem
    target = Path(folder) / "reports" / secrets.token_hex(16) / f"{stem}.{kind.lower()}"
    pairs = {pair.region: draw_pair(pair) for pair in shown.pairs[:SHOWN]}
    report = report_inspection(shown.inspection, picture, shown.turns, original=original, pairs=pairs)
    return write_report(report, target)


@dataclass(frozen=True)
class ResultHandlers:
    """What the widgets of a result call; everything comes in with what is on the screen."""

    shared: Resources

    def ask(self, question: str, shown: Result | None) -> Iterator[tuple[Any, ...]]:
        """The result, the chat, and what stays in the question box: the question, where it has no answer."""
        last = shown
        try:
            for last in stream_chat(self.shared, question, shown):
                yield last, show_chat(last.turns, self.shared.w), ""
        except Exception as error:
            self.shared.warn(error)
            yield last, show_chat(last.turns if last else (), self.shared.w), question

    def ask_about_row(self, shown: Result | None, at: gr.SelectData) -> Iterator[tuple[Any, ...]]:
        """As `ask`, about the region in the row of the table that was clicked."""
        yield from self._ask_about(shown.inspection.regions[at.index[0]].id if shown else None, shown)

    def ask_about_place(self, shown: Result | None, at: gr.SelectData) -> Iterator[tuple[Any, ...]]:
        """As `ask`, about the region of the picture that was clicked."""
        region = None
        if shown and shown.picture:  # a preview may have more on it than the picture
            inspection = shown.inspection
            width, height = shown_size(inspection.width or 1, inspection.height or 1)
            region = region_at(inspection, at.index[0] / width, at.index[1] / height)
        yield from self._ask_about(region, shown)

    def redraw(self, shown: Result | None, view: str, opacity: float, scale: str) -> list[Any]:
        """The picture, the comparison and the legend, drawn anew."""
        if shown is None:
            return [gr.skip()] * 3
        try:
            options = DrawingOptions(view, opacity, scale)
            overlay, compare, legend = drawn(shown, options, self.shared.w)
        except Exception as error:
            self.shared.warn(error)
            return [gr.skip()] * 3
        return [gr.Image(overlay, visible=view != "Compare"), compare, legend]

    def report(self, kind: str, shown: Result | None, view: str, opacity: float, scale: str) -> str | None:
        """The file of a report on what is on the screen, with its conversation; None where there is none."""
        if shown is None:
            return None
        try:
            return str(write_shown(shown, DrawingOptions("Overlay", opacity, scale), kind, self.shared.uploads))
        except Exception as error:
            self.shared.warn(error)
            return None

    def _ask_about(self, region: str | None, shown: Result | None) -> Iterator[tuple[Any, ...]]:
        if region is None or shown is None:
            yield shown, gr.skip(), gr.skip()
            return
        yield from self.ask(self.shared.w("What is {region}?", region=region), shown)


def _lay_out_picture(w: Wording) -> tuple[Any, ...]:
    overlay = gr.Image(
        label=w("Picture"),
        show_label=False,
        format="png",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_classes="overlay",
    )
    compare = gr.ImageSlider(
        label=w("Original and overlay"),
        show_label=False,
        format="png",
        interactive=False,
        visible=False,
        max_height=460,
        buttons=["fullscreen"],
        elem_classes="overlay",
    )
    legend = gr.HTML(elem_classes="legend")
    with gr.Column() as controls:
        view = gr.Radio(
            [(w(one), one) for one in VIEWS], value=VIEWS[0], label=w("View"), show_label=False, container=False
        )
        with gr.Row():
            opacity = gr.Slider(0, 1, 0.5, step=0.05, label=w("Opacity"), min_width=140, buttons=[])
            scale = gr.Radio([(w(one), one) for one in SCALES], value=SCALES[0], label=w("Colours"), min_width=140)
    regions = gr.Dataframe(
        headers=[w(name) for name in COLUMNS],
        interactive=False,
        visible=False,
        label=w("Regions (pick one to ask about it)"),
        show_label=True,
        buttons=[],
        wrap=True,
        column_widths=["16%", "20%", "26%", "22%", "16%"],
        elem_classes="regions",
    )
    return overlay, compare, legend, controls, view, opacity, scale, regions, lay_out_pairs()


def _lay_out_chat(streams: bool, w: Wording) -> tuple[Any, ...]:
    chat = gr.Chatbot(
        label=w("Conversation"),
        show_label=False,
        height=430,
        render_markdown=False,
        sanitize_html=True,
        allow_tags=False,
        feedback_options=None,
        latex_delimiters=[],
        buttons=[],
        placeholder=w("Nothing was asked about this picture yet."),
        elem_classes="chat",
    )
    with gr.Row(elem_classes="questions"):
        suggestions = tuple(gr.Button(w(text), size="sm", interactive=False) for text in QUESTIONS["defect"])
        stop = gr.Button(w("Stop answering"), size="sm", variant="stop", visible=streams)
    question = gr.Textbox(
        placeholder=w("Ask about the result, for example: Where is it?"),
        label=w("Question"),
        show_label=False,
        max_length=LONGEST_QUESTION,
        submit_btn=True,
    )
    with gr.Row(elem_classes="questions"):
        reports = tuple(gr.Button(w("Report as {kind}", kind=kind), size="sm") for kind in REPORTS)
    return chat, question, suggestions, stop, reports, _lay_out_download(w)


def _lay_out_download(w: Wording) -> gr.DownloadButton:
    return gr.DownloadButton(w("Download"), elem_id=f"report-{secrets.token_hex(4)}", elem_classes="fetch")


def _wire(view: ResultView, handlers: ResultHandlers, public: bool) -> None:
    said = [view.shown, view.chat, view.question]
    door: dict[str, Any] = handlers.shared.door("ask") if public else {"api_visibility": "private"}
    asked: list[Any] = [
        view.question.submit(
            handlers.ask, [view.question, view.shown], said, show_progress="hidden", **door, **WORK
        ),
        view.regions.select(handlers.ask_about_row, view.shown, said, **QUIET, **WORK),
        view.overlay.select(handlers.ask_about_place, view.shown, said, **QUIET, **WORK),
    ]
    for button in view.suggestions:
        asked.append(button.click(handlers.ask, [button, view.shown], said, **QUIET, **WORK))
    # The button that fetches a file has none to fetch until it is written.
    fetch = f"() => setTimeout(() => document.querySelector('#{view.report.elem_id}')?.click(), 200)"
    for button, kind in zip(view.reports, REPORTS, strict=True):
        made = button.click(partial(handlers.report, kind), [view.shown, *view.options], view.report, **QUIET)
        made.success(None, None, None, js=fetch, **QUIET)
    view.stop.click(None, None, None, cancels=asked, **QUIET)
    for event in (view.view.change, view.opacity.release, view.scale.change):
        event(handlers.redraw, [view.shown, *view.options], [view.overlay, view.compare, view.legend], **QUIET)
