"""The what-if panel: target and line move together, and recent inspections are counted by their scores."""

import re

import pytest

pytest.importorskip("gradio")
import gradio as gr

from assistant.face import teach_place
from assistant.face.shared import Resources
from assistant.face.teach_layout import lay_out_view, shown_product
from assistant.face.teach_steps import ProductEditor, SeenProduct
from assistant.face.what_if_panel import WhatIfHandlers, in_percent
from assistant.records.history import History


@pytest.fixture
def shared(inspector, good, planted, tmp_path):
    """A page with a product "cloth" and six of its inspections, two of them defects."""
    history = History(tmp_path / "history.sqlite")
    product = inspector.learn("cloth", [good(i) for i in range(6)])
    inspector.save(product)
    pictures = [*(good(20 + i) for i in range(4)), *(planted(good(30 + i), 0.4, 0.6)[0] for i in range(2))]
    for row in inspector.inspect(pictures, product):
        history.add(row)
    yield Resources(inspector, str(tmp_path), history)
    history.close()


@pytest.fixture
def place(shared):
    with gr.Blocks():
        view = lay_out_view(shared)
    return teach_place.TeachHandlers(shared, ProductEditor(shared.inspector, shared.products), view)


@pytest.fixture
def panel(place):
    return WhatIfHandlers(place.shared, place.editor, place.view.what_if)


def test_the_panel_begins_with_what_is_kept(place, shared):
    product = shared.products.get("cloth")
    shown = shown_product(place.view, product, shared, "", stale=False)
    widgets = place.view.what_if
    assert shown[widgets.target] == in_percent(product.calibration.target) == 5.0
    line = shown[widgets.line].constructor_args
    assert line["minimum"] < line["value"] < line["maximum"]
    assert line["value"] == pytest.approx(product.calibration.threshold, rel=1e-3) and len(str(line["value"])) < 8
    assert (
        "of the last 6 inspections" in shown[widgets.effect].lower()
        and "none would change" in shown[widgets.effect]
    )
    assert shown[widgets.chart].count("<rect") > 1


def test_a_line_below_all_makes_all_of_them_defects(place, shared, panel):
    product = shared.products.get("cloth")
    seen, widgets = SeenProduct.of(product), place.view.what_if
    least = min(kept.inspection.score for kept in shared.history.every())
    moved = panel.by_line(seen, least / 2)
    before = [product.calibration.verdict(kept.inspection.score) for kept in shared.history.every()]
    changed = 6 - before.count("defect")
    assert f"{changed} would change" in moved[widgets.effect]
    assert moved[widgets.line] == pytest.approx(least / 2, rel=1e-3) and moved[widgets.target] == 20.0, (
        "as far as the slider goes"
    )
    assert set(re.findall(r'rect class="bar (\w+)', moved[widgets.chart])) == {"defect"}
    assert SeenProduct.of(shared.products.get("cloth")) == seen, "and nothing is kept"


def test_the_line_and_the_target_say_the_same_and_the_target_is_kept(place, shared, panel):
    product = shared.products.get("cloth")
    seen, widgets = SeenProduct.of(product), place.view.what_if
    strict = panel.by_target(seen, 1.0)
    assert strict[widgets.line] > product.calibration.threshold
    assert panel.by_line(seen, strict[widgets.line])[widgets.target] == 1.0
    assert strict[widgets.keep].interactive and not panel.by_target(seen, 5.0)[widgets.keep].interactive
    kept = place.keep_target(seen, 1.0)
    assert "Target kept" in kept[place.view.said]
    assert shared.products.get("cloth").calibration.threshold == pytest.approx(strict[widgets.line], rel=1e-3)


def test_choosing_what_is_seen_already_takes_nothing_back_that_was_tried(place, shared):
    seen = SeenProduct.of(shared.products.get("cloth"))
    assert set(place.open(seen, "cloth")) == {place.view.choice.product}
    shared.inspector.save(shared.products.get("cloth").with_target(0.2))
    assert place.view.what_if.line in place.open(seen, "cloth"), "but what has changed is shown"


def test_what_cannot_be_is_one_sentence(place, shared, panel):
    seen, widgets = SeenProduct.of(shared.products.get("cloth")), place.view.what_if
    for update in (panel.by_line(seen, -1.0), panel.by_target(seen, 90.0), panel.by_target(SeenProduct(), 5.0)):
        assert set(update) == {widgets.effect} and update[widgets.effect].count("<p>") == 1
