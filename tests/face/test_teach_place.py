"""The Teach place: handlers on a real inspector with tiny towers, what they show, and what they refuse."""

import base64
import dataclasses
import io
import os
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr

from assistant.errors import ImageError
from assistant.face import masks, teach_place, teach_view
from assistant.face.chart import Axis, draw_limits
from assistant.face.shared import ACTOR, Resources
from assistant.face.teach_layout import lay_out_view
from assistant.face.teach_steps import ProductEditor, SeenProduct
from assistant.products.changes import last_changes


@pytest.fixture
def uploads(tmp_path):
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def place(inspector, uploads):
    """The handlers of a page."""
    shared = Resources(inspector, str(uploads))
    with gr.Blocks():
        view = lay_out_view(shared)
    return teach_place.TeachHandlers(shared, ProductEditor(inspector, shared.products), view)


@pytest.fixture
def upload(uploads):
    """upload(pixels, name): a picture as a browser hands it in."""

    def put(pixels, name):
        Image.fromarray(pixels).save(uploads / name)
        return {"path": str(uploads / name)}

    return put


@pytest.fixture
def cloth(place, upload, good):
    """What the page shows after "cloth" was learned from four pictures."""
    given = [upload(good(i), f"good{i}.png") for i in range(4)]
    return place.learn(SeenProduct(), "cloth", "plain", given, quiet)


def quiet(fraction, desc):
    """Take the place of a progress display."""


def seen(place, update):
    return update[place.view.seen]


def given(update, widget):
    """With what a widget is seen next."""
    return update[widget].constructor_args if isinstance(update[widget], gr.blocks.Block) else update[widget]


def said(place, update):
    return update[place.view.said]


def kept(place):
    return place.shared.inspector.load("cloth")


def painted(size, box=None, color=masks.LOOK):
    layer = Image.new("RGBA", size)
    if box:
        layer.paste(color, box)
    out = io.BytesIO()
    layer.save(out, "PNG")
    return {"paint": "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()}


# Learning


def test_a_product_is_learned_kept_and_shown(place, cloth):
    product = kept(place)
    assert seen(place, cloth) == SeenProduct.of(product) and "DONE" in said(place, cloth)
    captions = [caption for _, caption in given(cloth, place.view.knowledge.gallery)["value"]]
    ranked = sorted(product.references, key=lambda r: -r.score)
    assert [c.split(" · ")[-1] for c in captions] == [r.name for r in ranked]
    assert captions[0].startswith(f"{ranked[0].score:.3g}")
    assert all(os.path.isfile(path) for path, _ in given(cloth, place.view.knowledge.gallery)["value"])
    assert "cloth" in cloth[place.view.facts] and ">4<" in cloth[place.view.facts]
    (entry,) = place.shared.inspector.store.log.entries()
    assert (entry.action, entry.actor) == ("learn", ACTOR)


@pytest.mark.parametrize(
    ("name", "count", "sentence"),
    [("", 1, "a name first"), ("a/b", 1, "cannot be a product"), ("cloth", 0, "at least one picture")],
)
def test_what_cannot_be_learned_is_one_sentence(place, upload, good, name, count, sentence):
    update = place.learn(SeenProduct(), name, "plain", [upload(good(0), "a.png")] * count, quiet)
    assert set(update) == {place.view.said} and sentence in said(place, update)
    assert place.shared.inspector.store.names() == []


def test_a_name_is_taken_once(place, cloth, upload, good):
    update = place.learn(SeenProduct(), "cloth", "plain", [upload(good(9), "other.png")], quiet)
    assert "There is a product &#x27;cloth&#x27; already" in said(place, update)
    assert len(kept(place).references) == 4


def test_only_uploads_are_learned(place):
    for path in ("/etc/passwd", place.shared.uploads):  # nor all that others uploaded
        update = place.learn(SeenProduct(), "cloth", "plain", [{"path": path}], quiet)
        assert "Only a picture that was uploaded" in said(place, update)


# Changing


def test_good_pictures_are_added_and_taken_back(place, cloth, upload, good):
    added = place.learn(seen(place, cloth), "", "plain", [upload(good(7), "new <b>.png")], quiet)
    assert len(kept(place).references) == 5
    assert given(added, place.view.choice.undo)["value"].startswith("Undo the good part new")
    before = seen(place, cloth)
    back = place.undo(seen(place, added))
    assert seen(place, back) == before and given(back, place.view.choice.undo)["interactive"] is False


def test_several_good_pictures_are_taken_back_at_once(place, cloth, upload, good):
    told = []
    more = [upload(good(i), f"more{i}.png") for i in (7, 8)]
    added = place.learn(
        seen(place, cloth), "", "plain", more, lambda fraction, desc: told.append((fraction, desc))
    )
    assert told == [
        (0, "Learning picture 1 of 2"),
        (1 / 3, "Learning picture 2 of 2"),
        (2 / 3, "Working out the limits"),
    ]
    assert given(added, place.view.choice.undo)["value"] == "Undo the 2 good parts"
    assert len(kept(place).references) == 6
    back = place.undo(seen(place, added))
    assert seen(place, back) == seen(place, cloth)
    broken = {"path": more[0]["path"].replace("more7", "broken")}
    with open(broken["path"], "w") as file:
        file.write("no picture")
    failed = place.learn(seen(place, back), "", "plain", [more[0], broken], quiet)
    assert "broken.png" in said(place, failed) and SeenProduct.of(kept(place)) == seen(place, cloth)


def test_a_known_picture_changes_nothing_and_says_so(place, cloth, upload, good):
    again = place.learn(seen(place, cloth), "", "plain", [upload(good(0), "again.png")], quiet)
    assert "Nothing changed" in said(place, again) and len(kept(place).references) == 4


def test_the_selected_reference_is_removed(place, cloth):
    highest = max(kept(place).references, key=lambda r: r.score)
    chosen = place.select(seen(place, cloth), SimpleNamespace(index=0))
    assert given(chosen, place.view.knowledge.remove)["value"] == f"Remove {highest.name}"
    place.remove(seen(place, chosen))
    assert highest.id not in {r.id for r in kept(place).references}
    assert "Select what to remove" in said(place, place.remove(seen(place, cloth)))


def test_a_change_elsewhere_is_shown_and_not_overwritten(place, cloth):
    inspector, product = place.shared.inspector, kept(place)
    inspector.save(inspector.teacher.remove(product, 0), "somebody else")
    for change in (place.undo, place.delete, lambda s: place.retarget(s, 0.2), place.unmask):
        update = change(seen(place, cloth))
        assert "was changed elsewhere" in said(place, update)
        assert seen(place, update) == SeenProduct.of(kept(place)), "what is there now is seen"
    assert len(kept(place).references) == 3 and kept(place).calibration.target == 0.05
    assert "was changed" not in said(place, place.retarget(seen(place, update), 0.2))


def test_a_target_is_looked_at_before_it_is_kept(place, cloth):
    now, widgets = seen(place, cloth), place.view.knowledge
    looked = place.preview(now, 0.2)
    limits = kept(place).calibration
    assert limits.target == 0.05 and given(looked, widgets.save)["interactive"] is True
    assert f"defect above {limits.at(0.2).threshold:.3g}" in looked[widgets.chart]
    assert "Not saved" in looked[widgets.effect] and "Not saved" not in cloth[widgets.effect]
    saved = place.retarget(now, 0.2)
    assert kept(place).calibration.target == 0.2
    assert given(saved, place.view.choice.undo)["value"] == "Undo the false-alarm target of 20 %"
    entry = list(place.shared.inspector.store.log.entries())[-1]
    assert (entry.action, entry.actor) == ("target", ACTOR)
    place.undo(seen(place, saved))
    assert kept(place).calibration == limits
    assert "lies between" in said(place, place.retarget(seen(place, cloth), 0.9))


def test_a_known_defect_is_added_with_its_mask_and_removed(place, cloth, upload, good, planted):
    pixels, (x0, y0, x1, y1) = planted(good(50), 0.3, 0.4)
    picture = upload(pixels, "bad.png")
    offered = place.show_defect(seen(place, cloth), picture)
    assert (
        given(offered, place.view.defects.form)["visible"]
        and given(offered, place.view.defects.painter)["picture"]
    )
    drawing = painted(pixels.shape[1::-1], (x0, y0, x1, y1), masks.IGNORE)
    added = place.add_defect(seen(place, cloth), picture, " wax <b>blot ", drawing)
    (defect,) = kept(place).known.defects
    assert defect.label == "wax <b>blot"
    direct = kept(place).undo()
    mask = np.zeros(pixels.shape[:2], bool)
    mask[y0:y1, x0:x1] = True
    direct = place.shared.inspector.teach(direct, picture["path"], "defect", "wax <b>blot", mask)
    assert direct.known.defects == (defect,), "the digest holds picture and mask"
    assert given(added, place.view.defects.known)["choices"] == [("wax <b>blot · bad.png", defect.id)]
    assert "wax" in given(added, place.view.choice.undo)["value"]
    place.remove_defect(seen(place, added), defect.id)
    assert kept(place).known.defects == ()


def test_masks_are_painted_shown_again_and_taken_away(place, cloth):
    widgets = place.view.masks
    size = Image.open(io.BytesIO(kept(place).pictures[0].numpy().tobytes())).size
    half = (0, 0, size[0] // 2, size[1])
    masked = place.remask(seen(place, cloth), painted(size, half))
    roi = kept(place).roi
    assert tuple(roi.shape) == size[::-1] and roi[:, : half[2]].all() and not roi[:, half[2] :].any()
    assert kept(place).ignore is None
    look, ignore = masks.split_masks(masks.read_drawing(masked[widgets.painter]))
    assert (look == (roi.numpy() > 0)).all() and ignore is None
    ignored = place.remask(seen(place, masked), painted(size, half, masks.IGNORE))
    assert kept(place).roi is None and kept(place).ignore is not None
    place.unmask(seen(place, ignored))
    assert kept(place).looked_at is None
    everything = painted(size, (0, 0, *size), masks.IGNORE)
    assert "leaves nothing to look at" in said(place, place.remask(SeenProduct.of(kept(place)), everything))


def test_stale_limits_are_said_and_worked_out_again(place, cloth):
    inspector = place.shared.inspector
    inspector.save(dataclasses.replace(kept(place), seal="of another rule"))
    opened = place.open("cloth")
    assert given(opened, place.view.stale)["visible"] is True
    mended = place.recalibrate(seen(place, opened))
    assert given(mended, place.view.stale)["visible"] is False
    assert not inspector.teacher.is_stale(kept(place))


def test_a_product_is_deleted_after_a_question(place, cloth):
    assert given(place.ask_twice(), place.view.choice.sure)["visible"] is True
    assert "cloth" in place.shared.inspector.store.names()
    gone = place.delete(seen(place, cloth))
    assert place.shared.inspector.store.names() == [] and seen(place, gone) == SeenProduct()
    assert "deleted" in said(place, gone) and "Choose a product" in said(place, place.undo(SeenProduct()))


def test_a_damaged_product_says_so_and_can_be_deleted(place, cloth):
    place.shared.inspector.store.path("cloth").write_bytes(b"nonsense")
    opened = place.open("cloth")
    assert "damaged" in said(place, opened) and given(opened, place.view.details)["visible"] is False
    place.delete(seen(place, opened))
    assert place.shared.inspector.store.names() == []


def test_coming_back_keeps_a_drawing_unless_the_product_changed(place, cloth):
    now = seen(place, cloth)
    assert set(place.refresh(now)) == {place.view.choice.product}
    place.editor.change(now, lambda p: place.editor.teacher.remove(p, 0))
    assert seen(place, place.refresh(now)) == SeenProduct.of(kept(place))
    place.shared.inspector.store.delete("cloth")
    assert seen(place, place.refresh(now)) == SeenProduct()


# What is drawn


def test_whether_pictures_are_alike_as_wholes_is_said(inspector, mixed):
    alike = inspector.learn("cloth", [mixed(i, 0.5) for i in range(2)])
    assert alike.alike and "alike as wholes" in teach_view.show_facts(alike)
    unlike = inspector.learn("cloth", [mixed(0, 0.0), mixed(1, 1.0)])
    assert not unlike.alike and "alike as wholes" not in teach_view.show_facts(unlike)


def test_names_are_escaped_and_marks_follow_the_limits(place, cloth):
    product = kept(place)
    odd = dataclasses.replace(product.references[0], name="<img src=x>", score=9.0)
    product = dataclasses.replace(product, references=(odd, *product.references[1:]))
    assert "above limit" in teach_view._caption(product, odd)
    chart, _ = teach_view.show_limits(product, 0.05)
    assert "<img" not in chart and "&lt;img src=x&gt;" in chart


@pytest.mark.parametrize("count", [1, 7, 8, 300])
def test_few_scores_are_dots_and_many_are_bars_of_all_of_them(count):
    scores = [(f"{i}.png", 0.1 + 0.01 * (i % 17)) for i in range(count)]
    chart = draw_limits(scores, 0.3, 0.4, Axis.around([0.1, 0.5]))
    if count < 8:
        assert chart.count("<circle") == count and "<rect" not in chart
    else:
        counts = [int(part.split(" ")[0]) for part in chart.split("<title>")[1:]]
        assert sum(counts) == count and "<circle" not in chart
    assert "review above 0.3; defect above 0.4" in chart


def test_the_axis_stays_while_the_target_moves(place, cloth):
    ends = {teach_view.show_limits(kept(place), t)[0].rsplit("</text><g")[0][-60:] for t in teach_view.TARGETS}
    assert len(ends) == 1


@pytest.mark.parametrize(
    "paint", [7, "data:image/svg+xml;base64,AAAA", "data:image/png;base64,????", "data:image/png;base64,AAAA"]
)
def test_a_drawing_that_is_no_picture_is_refused(paint):
    with pytest.raises(ImageError):
        masks.read_drawing({"paint": paint})
    assert masks.read_drawing({}) is None and masks.read_drawing(None) is None


def test_what_an_undo_takes_back_is_known_beforehand(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    assert last_changes(product) == ()
    taught = inspector.teach(product, good(5))
    assert last_changes(taught) == taught.history
    moved = inspector.teacher.retarget(taught, 0.1)
    assert [c.what for c in last_changes(moved)] == ["target"] and moved.calibration.target == 0.1
    assert inspector.teacher.retarget(moved, 0.1) is moved
    assert last_changes(moved.undo()) == taught.history
    assert len(last_changes(inspector.teach(taught, [good(6), good(7)]))) == 2
