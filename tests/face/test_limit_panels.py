"""The panels of Teach that find limits by other parts: shown first, kept as one change, taken back by undo."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr

from assistant.face import drift, teach_place
from assistant.face.check_panel import CheckHandlers
from assistant.face.kept import KeptHandlers
from assistant.face.production_panel import ProductionHandlers
from assistant.face.session import Session, inspect_pictures, stream_chat
from assistant.face.shared import Resources
from assistant.face.teach_layout import lay_out_view
from assistant.face.teach_steps import ProductEditor, SeenProduct


def quiet(fraction, desc):
    """Take the place of a progress display."""


@pytest.fixture
def place(shared):
    with gr.Blocks():
        view = lay_out_view(shared)
    return teach_place.TeachHandlers(shared, ProductEditor(shared.inspector, shared.products), view)


@pytest.fixture
def given(shared, good, planted):
    """given(numbers, bad): uploads of good or of bad parts."""

    def put(numbers, bad=False):
        paths = []
        for i in numbers:
            path = f"{shared.uploads}/{'bad <b>' if bad else 'good'} {i}.png"
            Image.fromarray(planted(good(i), 0.4, 0.6)[0] if bad else good(i)).save(path)
            paths.append({"path": path})
        return paths

    return put


def seen(shared):
    return SeenProduct.of(shared.products.get("cloth"))


def with_limits(shared, factor):
    """The product with both limits at so many times what they are, as somebody may have kept them."""
    product = shared.products.get("cloth")
    limits = product.calibration
    other = replace(
        limits,
        method="checked",
        limits=(limits.review_threshold * factor, limits.threshold * factor),
        source="a hunch",
    )
    changed = shared.inspector.teacher.keep_limits(product, other, "by hand")
    shared.inspector.save(changed)
    return changed


def test_a_check_shows_what_is_wrong_and_keeps_better_limits_with_undo(place, shared, given):
    before = with_limits(shared, 50.0)  # so that defects are called good
    panel = place.view.check
    handlers = CheckHandlers(shared, place.editor, panel)
    found = handlers.check(seen(shared), given(range(20, 24)), given(range(30, 33), bad=True), progress=quiet)
    told, wrong = found[panel.offer.told], found[panel.wrong]
    assert "bad parts called good 3 of 3" in told and '<th scope="row"><b>recommended</b>' in told
    assert wrong.count("<button") == 3 and wrong.count("known to be bad") == 3 and "bad &lt;b&gt; 30.png" in wrong
    assert wrong.count('src="data:image') == 3 and found[panel.offer.keep].visible
    assert shared.products.get("cloth").calibration == before.calibration, "nothing is kept by looking"
    kept = place.keep_limits(seen(shared), found[panel.offer.limits])
    assert "Limits kept" in kept[place.view.said] and kept[panel.offer.told] == ""
    now = shared.products.get("cloth").calibration
    assert now.threshold < before.calibration.threshold and "4 good and 3 bad parts" in now.evidence.origin
    place.undo(kept[place.view.seen])
    assert shared.products.get("cloth").calibration == before.calibration


def test_what_a_missed_defect_costs_is_said_in_the_check(place, shared, given, monkeypatch):
    panel, asked = place.view.check, []
    check = type(shared.inspector).check

    def spy(self, product, good, bad, escape_cost):
        asked.append(escape_cost)
        return check(self, product, good, bad, escape_cost)

    monkeypatch.setattr(type(shared.inspector), "check", spy)
    handlers = CheckHandlers(shared, place.editor, panel)
    good, bad = given([20, 21]), given([30], bad=True)
    for cost in (40, None, -1):
        told = handlers.check(seen(shared), good, bad, cost, progress=quiet)[panel.offer.told]
    assert asked == [40, 5, -1] and 'role="alert"' in told and "a number above 0" in told


def test_signed_off_parts_are_a_check_set_with_their_pictures(place, shared, given, inspector):
    panel = place.view.check
    handlers = CheckHandlers(shared, place.editor, panel)
    assert 'role="alert"' in handlers.check_signed(seen(shared))[panel.offer.told]
    with_limits(shared, 50.0)
    parts = [*given(range(20, 24)), *given(range(30, 33), bad=True)]
    for row in inspector.inspect([one["path"] for one in parts], shared.products.get("cloth")):
        id = shared.history.add(row, preview=row.picture().pixels)
        shared.history.sign_offs.add(id, "defect" if "bad" in row.path else "good", "seen", "Eva", log=None)
    for part in parts:
        Path(part["path"]).unlink()
    found = handlers.check_signed(seen(shared))
    told, wrong = found[panel.offer.told], found[panel.wrong]
    assert "bad parts called good 3 of 3" in told and wrong.count('src="data:image') == 3
    kept = place.keep_limits(seen(shared), found[panel.offer.limits])
    assert "Limits kept" in kept[place.view.said]
    assert "4 good and 3 bad parts" in shared.products.get("cloth").calibration.evidence.origin
    alone = CheckHandlers(Resources(shared.inspector, shared.uploads), place.editor, panel)
    assert "keeps no history" in alone.check_signed(seen(shared))[panel.offer.told]


def test_a_check_needs_both_kinds_and_only_uploads(place, shared, given):
    handlers = CheckHandlers(shared, place.editor, place.view.check)
    for parts in ((given([20]), None), (None, given([30], bad=True)), ([{"path": "/etc/passwd"}], given([30]))):
        update = handlers.check(seen(shared), *parts, progress=quiet)
        assert 'role="alert"' in update[place.view.check.offer.told]
        assert update[place.view.check.offer.limits] is None and not update[place.view.check.offer.keep].visible


def test_limits_are_proposed_from_parts_and_from_the_history(place, shared, given, inspector):
    panel = place.view.production
    handlers = ProductionHandlers(shared, place.editor, panel)
    parts = [*given(range(20, 42)), *given(range(50, 52), bad=True)]
    found = handlers.from_parts(seen(shared), parts, quiet)
    assert "24 parts" in found[panel.offer.told] and found[panel.offer.keep].visible
    bars = [int(n) for n in re.findall(r"<title>(\d+) ", found[panel.chart])]
    assert sum(bars) == 24
    assert "at least 20" in handlers.from_history(seen(shared))[panel.offer.told]
    for row in inspector.inspect([one["path"] for one in parts], "cloth"):
        shared.history.add(row)
    same = handlers.from_history(seen(shared))
    assert same[panel.offer.limits].calibration.threshold == pytest.approx(
        found[panel.offer.limits].calibration.threshold
    )
    kept = place.keep_limits(seen(shared), same[panel.offer.limits])
    assert "Limits kept" in kept[place.view.said]
    assert shared.products.get("cloth").calibration == same[panel.offer.limits].calibration


def test_limits_for_a_product_as_it_was_are_not_kept(place, shared, given):
    panel = place.view.production
    handlers = ProductionHandlers(shared, place.editor, panel)
    found = handlers.from_parts(seen(shared), given(range(20, 42)), quiet)
    changed = with_limits(shared, 2.0)
    update = place.keep_limits(seen(shared), found[panel.offer.limits])
    assert "as it was before" in update[place.view.said]
    assert shared.products.get("cloth").calibration == changed.calibration
    nothing = Resources(shared.inspector, shared.uploads)
    without = ProductionHandlers(nothing, place.editor, panel).from_history(seen(shared))
    assert "keeps no history" in without[panel.offer.told]


def test_a_product_whose_limits_fit_no_more_has_a_banner_in_every_place(place, shared, inspector, good):
    assert not drift.show_drift(shared, ["cloth", "gone"]).visible
    product = shared.products.get("cloth")
    (row,) = inspector.inspect([good(60)], product)
    for _ in range(80):
        shared.history.add(replace(row, p_value=0.01))
    banner = drift.show_drift(shared, ["cloth", "gone"]).value
    assert banner.count('role="alert"') == 1 and "The limits of cloth may no longer fit" in banner
    assert "score higher than its good parts did" in banner and "add good parts of today" in banner
    for id in (1, 80):
        opened, _ = KeptHandlers(shared, shared.history).open(str(id))
        *_, talk = stream_chat(shared, "What should I do with it?", opened)
        assert "its limit no longer holds" in talk.turns[-1].answer.text
        assert shared.history.get(id).inspection.notices == row.notices, "what was kept stays as it was"
    shown = place.open(SeenProduct(), "cloth")[place.view.drift]
    assert shown.value == banner and shown.visible
    with_limits(shared, 3.0)
    assert not drift.show_drift(shared, ["cloth"]).visible, "parts that other limits judged say nothing of these"


def test_a_camera_that_changed_is_watched_by_itself_and_its_parts_are_not_sent_on(place, shared, inspector, given):
    (row,) = inspector.inspect([given([60])[0]["path"]], shared.products.get("cloth"))
    for _ in range(80):
        shared.history.add(replace(row, p_value=0.01, group="camera 2"))
    said = {}
    for group in ("camera 2", "camera 3", ""):
        session = inspect_pictures(shared, [given([61])[0]["path"]], [], "cloth", Session(), group=group)
        assert session.shown.inspection.group == group
        *_, talk = stream_chat(shared, "What now?", session.shown)
        said[group] = talk.turns[-1].answer.text
    assert "no longer holds" in said["camera 2"]
    assert not any("no longer holds" in said[group] for group in ("camera 3", ""))
    assert "in group &#x27;camera 2&#x27;" in drift.show_drift(shared, ["cloth"]).value
