"""The Teach place: handlers on a real inspector with tiny towers, what they show, and what they refuse."""

import dataclasses
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr

from assistant.errors import ImageError
from assistant.face import masks, teach_place, teach_view
from assistant.face.chart import Axis, draw_limits
from assistant.face.embedded import embed
from assistant.face.shared import ACTOR, Resources
from assistant.face.teach_layout import lay_out_view
from assistant.face.teach_steps import ProductEditor, SeenProduct
from assistant.images.masks import load_mask
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
    return place.learn(SeenProduct(), "cloth", "find out", given, quiet)


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
    """What the painter hands over: for each brush a layer, white where it painted."""
    layer = Image.new("RGBA", size)
    if box:
        layer.paste("#fff", box)
    return {"paint": {color: embed(layer, "PNG")}}


# Learning


def test_a_product_is_learned_kept_and_shown(place, cloth):
    product = kept(place)
    assert seen(place, cloth) == SeenProduct.of(product) and "DONE" in said(place, cloth)
    cards = cloth[place.view.knowledge.gallery]
    ranked = sorted(product.references, key=lambda r: -r.score)
    assert re.findall(r'class="name">([^<]+)<', cards) == [r.name for r in ranked]
    assert f"<b>{ranked[0].score:.3g}</b>" in cards and cards.count("data:image/webp;base64,") == 4
    assert "cloth" in cloth[place.view.facts] and ">4<" in cloth[place.view.facts]
    (entry,) = place.shared.inspector.store.log.entries()
    assert (entry.action, entry.actor) == ("learn", ACTOR)


@pytest.mark.parametrize(
    ("name", "count", "sentence"),
    [("", 1, "a name first"), ("a/b", 1, "cannot be a product"), ("cloth", 0, "at least one picture")],
)
def test_what_cannot_be_learned_is_one_sentence(place, upload, good, name, count, sentence):
    update = place.learn(SeenProduct(), name, "find out", [upload(good(0), "a.png")] * count, quiet)
    assert set(update) == {place.view.said} and sentence in said(place, update)
    assert place.shared.inspector.store.names() == []


@pytest.mark.parametrize(
    ("lying", "aligned", "views", "told"),
    [
        ("always alike", True, "plain", "Parts lie alike in every picture"),
        ("at any angle", False, "turns", "Parts may lie at any angle."),
        ("also mirrored", False, "flips", "Parts may be mirrored."),
    ],
)
def test_how_parts_lie_is_learned_and_told_as_it_was_said(place, upload, good, lying, aligned, views, told):
    parts = [upload(good(i), f"part {i}.png") for i in range(2)]
    update = place.learn(SeenProduct(), "cloth", lying, parts, quiet)
    product = kept(place)
    assert (product.aligned, product.views) == (aligned, views)
    assert told in update[place.view.facts] and "anywhere" not in update[place.view.facts]
    assert told in place.open(SeenProduct(), "cloth")[place.view.facts], "and so it is on another day"


def test_a_part_that_stands_before_no_plain_ground_has_no_pose_to_be_found(place, upload, good):
    for lying, why in (
        ("at any angle, on plain ground", "before a plain ground"),
        ("upside down", "how parts lie"),
    ):
        update = place.learn(SeenProduct(), "cloth", lying, [upload(good(0), "part.png")], quiet)
        assert why in said(place, update) and place.shared.inspector.store.names() == []


def test_a_name_is_taken_once(place, cloth, upload, good):
    update = place.learn(SeenProduct(), "cloth", "find out", [upload(good(9), "other.png")], quiet)
    assert "There is a product &#x27;cloth&#x27; already" in said(place, update)
    assert len(kept(place).references) == 4


def test_only_uploads_are_learned(place):
    for path in ("/etc/passwd", place.shared.uploads):  # nor all that others uploaded
        update = place.learn(SeenProduct(), "cloth", "find out", [{"path": path}], quiet)
        assert "Only a picture that was uploaded" in said(place, update)


# Changing


def test_good_pictures_are_added_and_taken_back(place, cloth, upload, good):
    added = place.learn(seen(place, cloth), "", "find out", [upload(good(7), "new <b>.png")], quiet)
    assert len(kept(place).references) == 5
    assert given(added, place.view.choice.undo)["value"].startswith("Undo the good part new")
    before = seen(place, cloth)
    back = place.undo(seen(place, added))
    assert seen(place, back) == before and given(back, place.view.choice.undo)["interactive"] is False


def test_several_good_pictures_are_taken_back_at_once(place, cloth, upload, good):
    told = []
    more = [upload(good(i), f"more{i}.png") for i in (7, 8)]
    added = place.learn(
        seen(place, cloth), "", "find out", more, lambda fraction, desc: told.append((fraction, desc))
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
    failed = place.learn(seen(place, back), "", "find out", [more[0], broken], quiet)
    assert "broken.png" in said(place, failed) and SeenProduct.of(kept(place)) == seen(place, cloth)


def test_a_known_picture_changes_nothing_and_says_so(place, cloth, upload, good):
    again = place.learn(seen(place, cloth), "", "find out", [upload(good(0), "again.png")], quiet)
    assert "Nothing changed" in said(place, again) and len(kept(place).references) == 4


def test_pictures_that_are_hardly_good_are_taught_by_a_button_of_their_own(place, cloth, upload, good, planted):
    bad = [upload(planted(good(30), 0.4, 0.6)[0], "odd <b>.png")]
    doubt, now = place.view.choice.doubt, seen(place, cloth)
    for _ in range(2):
        asked = place.learn(now, "", "find out", bad, quiet)
        assert given(asked, doubt.form)["visible"] and "odd &lt;b&gt;.png scores" in asked[doubt.line]
        assert "Nothing has changed yet" in asked[doubt.line] and len(kept(place).references) == 4
        now = seen(place, asked)
    taught = place.confirm(now, quiet)
    assert len(kept(place).references) == 5 and not given(taught, doubt.form)["visible"]
    assert "DONE" in said(place, taught) and seen(place, taught).doubted == ()


def test_the_selected_reference_is_removed(place, cloth):
    highest = max(kept(place).references, key=lambda r: r.score)
    chosen = place.select(seen(place, cloth), SimpleNamespace(_data={"id": str(highest.id)}))
    assert given(chosen, place.view.knowledge.remove.ask)["value"] == f"Remove {highest.name}"
    assert f'data-id="{highest.id}" class="chosen' in chosen[place.view.knowledge.gallery]
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
    masked = place.remask(seen(place, cloth), None, painted(size, half))
    roi = kept(place).roi
    assert tuple(roi.shape) == size[::-1] and roi[:, : half[2]].all() and not roi[:, half[2] :].any()
    assert kept(place).ignore is None
    look, ignore = (masks.read_drawing(masked[widgets.painter], color) for color in (masks.LOOK, masks.IGNORE))
    assert (look == (roi.numpy() > 0)).all() and ignore is None
    ignored = place.remask(seen(place, masked), 1, painted(size, half, masks.IGNORE))
    assert kept(place).roi is None and kept(place).ignore is not None
    place.unmask(seen(place, ignored))
    assert kept(place).looked_at is None
    everything = painted(size, (0, 0, *size), masks.IGNORE)
    assert "leaves nothing to look at" in said(place, place.remask(SeenProduct.of(kept(place)), None, everything))
    sideways = painted((size[0], size[1] * 2), half)
    assert "another shape" in said(place, place.remask(SeenProduct.of(kept(place)), None, sideways))
    assert kept(place).looked_at is None


def test_stale_limits_are_said_and_worked_out_again(place, cloth):
    inspector = place.shared.inspector
    inspector.save(dataclasses.replace(kept(place), seal="of another rule"))
    opened = place.open(SeenProduct(), "cloth")
    assert given(opened, place.view.stale)["visible"] is True
    mended = place.recalibrate(seen(place, opened))
    assert given(mended, place.view.stale)["visible"] is False
    assert not inspector.teacher.is_stale(kept(place))


def test_a_product_is_deleted_after_a_question(place, cloth):
    gone = place.delete(seen(place, cloth))
    assert place.shared.inspector.store.names() == [] and seen(place, gone) == SeenProduct()
    assert "deleted" in said(place, gone) and "Choose a product" in said(place, place.undo(SeenProduct()))


def test_a_damaged_product_says_so_and_can_be_deleted(place, cloth):
    place.shared.inspector.store.path("cloth").write_bytes(b"nonsense")
    opened = place.open(SeenProduct(), "cloth")
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
    cards = teach_view.show_gallery(product, place.shared.uploads)
    assert "<img src=x" not in cards and '<i class="defect">defect</i><b>9</b>' in cards
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
        masks.read_drawing({"paint": {masks.LOOK: paint}}, masks.LOOK)
    assert masks.read_drawing({}, masks.LOOK) is None and masks.read_drawing(None, masks.LOOK) is None
    assert masks.read_drawing({"paint": {masks.LOOK: paint}}, masks.IGNORE) is None


def test_what_is_painted_is_read_as_any_other_mask(monkeypatch):
    called = []
    monkeypatch.setattr(
        masks, "load_mask", lambda *given, **named: called.append(given) or load_mask(*given, **named)
    )
    for box in ((0, 0, 9, 5), (0, 0, 40, 30)):  # a part, and everything
        mask = masks.read_drawing(painted((40, 30), box), masks.LOOK, (80, 60))
        assert mask.sum() == box[2] * box[3] and mask[0, 0]
    assert len(called) == 2
    assert masks.read_drawing(painted((40, 30)), masks.LOOK) is None
    with pytest.raises(ImageError, match="another shape"):
        masks.read_drawing(painted((40, 30), (0, 0, 9, 9)), masks.LOOK, (40, 40))


def test_whatever_is_removed_is_asked_about_first(inspector, uploads):
    shared = Resources(inspector, str(uploads))
    with gr.Blocks() as page, gr.Tab("Teach") as tab:
        teach_place.lay_out(shared, page, tab)
    named = {block.value: block._id for block in page.blocks.values() if isinstance(block, gr.Button)}
    for button in (
        "Delete this product",
        "Remove the selected picture",
        "Remove the chosen defect",
        "Take all masks away",
    ):
        done = [fn for fn in page.fns.values() if (named[button], "click") in fn.targets]
        assert [fn.fn().visible for fn in done] == [True], f"{button} only asks"
    deleting = [
        fn
        for fn in page.fns.values()
        if fn.fn.__name__ in ("delete", "remove", "remove_defect", "unmask", "confirm")
    ]
    answers = {id for name, id in named.items() if name in ("Delete it", "Remove it", "Take them away")}
    everything = [block._id for block in page.blocks.values() if getattr(block, "variant", "") == "stop"]
    assert answers <= set(everything) and len(everything) == len(deleting) == 5
    assert {fn.targets[0][0] for fn in deleting} == set(everything)


def test_a_product_learned_anew_is_taken_back_by_that_name(inspector, good):
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    other = product.followed_by(inspector.learn("cloth", [good(i) for i in range(5, 8)]))
    assert teach_view.undo_label(other) == "Undo the learning anew"


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
