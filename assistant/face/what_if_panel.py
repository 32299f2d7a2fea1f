"""The panel in Teach that moves the target or the line, and shows at once what recent inspections would be."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from assistant.face.chart import Axis, draw_judged
from assistant.face.effect import recent, show_effect
from assistant.face.shared import QUIET, Resources
from assistant.face.teach_steps import ProductEditor, SeenProduct
from assistant.inspection import Inspection
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.wording import number
from assistant.products.product import Product
from assistant.records.what_if import VERDICTS, Judging, other_limits, what_if

LEAST, MOST = 0.1, 20.0
"""Per cent of false alarms that the slider runs between."""

STEPS = 400
"""Places of the line on its slider."""

Update = dict[Any, Any]


@dataclass(frozen=True)
class WhatIfPanel:
    """The widgets: target and line say the same, each as the other would have it."""

    target: gr.Slider
    line: gr.Slider
    chart: gr.HTML
    effect: gr.HTML
    keep: gr.Button


def lay_out_what_if(w: Wording) -> WhatIfPanel:
    """Lay out the widgets, empty."""
    gr.HTML(
        w(
            "Move either and see what the last inspections of this product would have been. Nothing is kept by "
            "that."
        )
    )
    with gr.Row():
        target = gr.Slider(
            LEAST, MOST, 5, step=0.1, label=w("False alarms, in % of good parts"), buttons=[], min_width=260
        )
        line = gr.Slider(0, 1, 0.5, label=w("The line: a defect above"), buttons=[], min_width=260)
    chart = gr.HTML(elem_id="what-if-chart")
    effect = gr.HTML(elem_id="what-if")
    keep = gr.Button(w("Keep this target"), size="sm", interactive=False)
    return WhatIfPanel(target, line, chart, effect, keep)


def wire_what_if(panel: WhatIfPanel, handlers: WhatIfHandlers, seen: gr.State) -> None:
    """Wire what the widgets do among themselves; who keeps the target listens to `keep`."""
    at_once: dict[str, Any] = {
        "outputs": panel_widgets(panel),
        "trigger_mode": "always_last",
        "preprocess": False,
        **QUIET,
    }
    panel.target.input(handlers.by_target, [seen, panel.target], **at_once)
    panel.line.input(handlers.by_line, [seen, panel.line], **at_once)


def panel_widgets(panel: WhatIfPanel) -> list[Any]:
    """All of them."""
    return [panel.target, panel.line, panel.chart, panel.effect, panel.keep]


def shown_what_if(panel: WhatIfPanel, shared: Resources, product: Product) -> Update:
    """What the widgets show of a product whose limits are as they are kept."""
    limits, parts = product.calibration, recent(shared, product)
    chart, effect = _show(product, limits, parts, shared.w)
    axis = Axis.around(
        [*(one.score for one in parts), *limits.scores, limits.threshold, 2 * limits.review_threshold]
    )
    low, high = rounded(max(axis.low, axis.high / STEPS)), rounded(axis.high)
    return {
        panel.target: in_percent(limits.target),
        panel.line: gr.Slider(low, high, rounded(limits.threshold), step=float(f"{(high - low) / STEPS:.1g}")),
        panel.chart: chart,
        panel.effect: effect,
        panel.keep: gr.Button(interactive=False),
    }


@dataclass(frozen=True, eq=False)
class WhatIfHandlers:
    """What the widgets call."""

    shared: Resources
    editor: ProductEditor
    panel: WhatIfPanel

    def by_target(self, seen: SeenProduct, percent: float) -> Update:
        """The line at another target, and what it would do."""
        return self._try(seen, lambda product: (other_limits(product, target=percent / 100), percent))

    def by_line(self, seen: SeenProduct, line: float) -> Update:
        """The target of another line, and what it would do."""

        def moved(product: Product) -> tuple[Judging, float]:
            return other_limits(product, limit=line), in_percent(product.calibration.p_value(line))

        return self._try(seen, moved)

    def _try(self, seen: SeenProduct, how: Callable[[Product], tuple[Judging, float]]) -> Update:
        try:
            product = self.editor.get(seen.name)
            limits, percent = how(product)
            chart, effect = _show(product, limits, recent(self.shared, product), self.shared.w)
        except Exception as error:
            return {self.panel.effect: f"<p>{html.escape(self.shared.say(error))}</p>"}
        return {
            self.panel.target: percent,
            self.panel.line: rounded(limits.threshold),
            self.panel.chart: chart,
            self.panel.effect: effect,
            self.panel.keep: gr.Button(interactive=percent != in_percent(product.calibration.target)),
        }


def in_percent(share: float) -> float:
    """A share as the slider of targets has it."""
    return round(min(MOST, max(LEAST, 100 * share)), 1)


def rounded(score: float) -> float:
    """A score as the slider of lines has it, with four digits."""
    return float(f"{score:.4g}")


def _show(
    product: Product, limits: Judging, parts: Sequence[Inspection], w: Wording = ENGLISH_WORDS
) -> tuple[str, str]:
    """The scores of recent inspections by what they would be, and which would change, both as HTML."""
    judged = [one for one in parts if one.verdict in VERDICTS and one.product == product.name]
    chart = draw_judged([one.score for one in judged], limits, w)
    at = {"limit": number(limits.threshold), "review": number(limits.review_threshold)}
    told = w("A defect above {limit}, for review above {review}.", **at)
    return chart, f"<p>{told}</p>{show_effect(what_if(product, limits, judged), w)}"
