"""The Inspect place: what a session does with an inspector, and what the widgets show of it."""

import inspect as inspect_
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr
from stub_inspector import StubInspector, StubProduct, StubStore

from assistant.errors import LooktwiceError, ProductError
from assistant.face import examples, masks, words
from assistant.face import session as steps
from assistant.face.correction import offer
from assistant.face.drawing import SCALES, VIEWS, DrawingOptions, drawn, region_at
from assistant.face.inspect_place import WELCOME, InspectHandlers
from assistant.face.result import ResultHandlers, cleared, filled, write_shown
from assistant.face.session import Result, Session
from assistant.face.shared import ACTOR, Resources
from assistant.inspection import Answer, Inspection, Seen
from assistant.inspector import Inspector
from assistant.products.store import ProductStore
from assistant.records.history import History

LOOK = (VIEWS[0], 0.5, SCALES[0])


@pytest.fixture
def stub():
    return StubInspector()


@pytest.fixture
def shared(stub, tmp_path):
    return Resources(stub, str(tmp_path))


@pytest.fixture
def picture(tmp_path):
    """picture(name, brightness): the path of a grey PNG."""

    def make(name, brightness=200, size=(64, 32)):
        Image.new("RGB", size, (brightness,) * 3).save(tmp_path / name)
        return str(tmp_path / name)

    return make


def inspect(shared, paths, references=(), product=None, session=None):
    paths = [paths] if isinstance(paths, str) else paths
    return steps.inspect_pictures(shared, paths, references, product, session or Session())


def follow(shared, question, shown):
    return list(steps.stream_chat(shared, question, shown))[-1]


def card(id):
    """What a widget sends when the card or row of an id is picked."""
    return SimpleNamespace(_data={"id": str(id)})


def shows(values):
    """By name, what a correction's widgets show of `InspectHandlers.screen`."""
    names = ("false_alarm", "missed", "undo", "notes", "form", "label", "painter", "doubt", "asked")
    return SimpleNamespace(**dict(zip(names, values[-10:-1], strict=True)))


def uploads(*paths):
    return [{"image": {"path": path}, "caption": None} for path in paths]


# Inspecting


def test_an_inspection_opens_the_chat(shared, stub, picture):
    session = inspect(shared, picture("bolt.png"))
    assert session.shown.inspection.verdict == "defect"
    assert session.shown.inspection.path == "bolt.png"
    (turn,) = session.shown.turns
    assert (turn.question, turn.answer.text) == (words.OPENING, f"bolt.png [R1] 0: {words.OPENING}")
    assert stub.compared == [None]


def test_references_are_learned_once_until_they_change(shared, stub, picture):
    good = [picture(f"good{i}.png", 40 + i) for i in range(3)]
    session = inspect(shared, picture("a.png"), good)
    session = inspect(shared, picture("b.png"), good, session=session)
    assert stub.learned == [["good0.png", "good1.png", "good2.png"]]
    assert [product.count for product in stub.compared] == [3, 3]
    session = inspect(shared, picture("b.png"), good[:2], session=session)
    assert len(stub.learned) == 2 and stub.compared[-1].count == 2
    inspect(shared, picture("b.png"), (), session=session)
    assert stub.compared[-1] is None, "references taken away must not be compared with"


def test_a_saved_product_is_named_to_the_inspector(shared, stub, picture):
    inspect(shared, picture("a.png"), (), "bracket")
    assert stub.compared == ["bracket"] and not stub.learned


@pytest.mark.parametrize(
    ("pictures", "references", "product", "said"),
    [
        (0, 0, None, "Upload a picture"),
        (1, 1, "bracket", "not both"),
        (1, 101, None, "At most 100"),
        (51, 0, None, "At most 50"),
        (1, 0, "gone", "no product 'gone'"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(shared, stub, picture, pictures, references, product, said):
    ok = picture("ok.png")
    with pytest.raises(LooktwiceError, match=said):
        inspect(shared, [ok] * pictures, [ok] * references, product)
    assert not stub.learned


def test_several_pictures_come_worst_first_and_a_broken_one_is_a_line(shared, picture, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    paths = [
        picture("dark.png", 20),
        str(tmp_path / "broken.png"),
        picture("bright.png", 230),
        picture("mid.png", 90),
    ]
    session = inspect(shared, paths)
    assert [one.inspection.path for one in session.results] == ["bright.png", "mid.png", "dark.png"]
    assert session.shown.inspection.path == "bright.png"
    (note,) = session.notes
    assert note.startswith("broken.png is ") and note.endswith(".")
    assert not session.results[1].turns, "nobody has looked at the others yet"
    session = steps.show_result(shared, session, 2)
    assert session.shown.turns[0].answer.text.startswith("dark.png")
    with pytest.raises(LooktwiceError, match="broken.png"):
        inspect(shared, paths[1])


def test_the_conversation_stays_with_its_picture(shared, picture):
    session = inspect(shared, [picture("a.png", 220), picture("b.png", 200)])
    asked = follow(shared, "why?", session.shown)
    other = InspectHandlers(shared).pick(*LOOK, asked, session, card(1))[0]
    assert other.shown.inspection.path == "b.png" and len(other.shown.turns) == 1
    back = InspectHandlers(shared).pick(*LOOK, other.shown, other, card(0))[0]
    assert [turn.question for turn in back.shown.turns] == [words.OPENING, "why?"]


# Asking


def test_follow_ups_keep_their_history_and_it_is_bounded(shared, stub, picture):
    shown = inspect(shared, picture("a.png")).shown
    shown = follow(shared, "why?", shown)
    shown = follow(shared, "  where? ", shown)
    assert [turn.question for turn in shown.turns] == [words.OPENING, "why?", "where?"]
    assert [question for question, _ in stub.histories[-1]] == [words.OPENING, "why?"]
    assert [m["role"] for m in words.show_chat(shown.turns)] == ["assistant", *["user", "assistant"] * 2]
    assert follow(shared, "   ", shown) is shown
    for i in range(70):
        shown = follow(shared, f"{i} {'x' * 10_000}", shown)
    assert len(shown.turns) == 1 + steps.MOST_TURNS and shown.turns[0].question == words.OPENING
    assert all(len(turn.question) <= steps.LONGEST_QUESTION for turn in shown.turns)


def test_an_answer_of_a_language_model_grows_and_is_kept_once(stub, picture, tmp_path):
    history = History(tmp_path / "h.sqlite")
    shared = Resources(stub, str(tmp_path), history)
    shown = inspect(shared, picture("a.png")).shown
    asked = []

    def stream(*given, product=None):
        asked.append((*given, product))
        yield from (Answer("One."), Answer("One. Two.", notices=("Note.",)))

    stub.explainer, stub.stream = object(), stream
    chats = [chat for _, chat, _ in ResultHandlers(shared).ask("why?", shown)]
    assert [chat[-1]["content"] for chat in chats] == ["One.", 'One. Two.<div class="told">Note.</div>']
    assert [len(chat) for chat in chats] == [3, 3]
    ((found, _, before, file, language, against),) = asked
    assert (found, Path(file).name, against, language) == (shown.inspection, "a.png", None, None)
    assert before == [(words.OPENING, f"a.png [R1] 0: {words.OPENING}")]
    kept = history.turns(shown.kept)
    assert [turn.question for turn in kept] == [words.OPENING, "why?"]
    assert kept[1].answer.text == "One. Two."


def test_what_a_model_sees_is_framed_apart_and_what_it_says_is_text():
    seen = (Seen("R1", "A <b>groove</b>."), Seen("elsewhere", "A stain.", "maybe"))
    said = Answer("[R1] lies <here>.", more="All of it.", seen=seen, disagrees="The rim is open.")
    shown = words.show_answer(said)
    banner, _, rest = shown.partition("[R1] lies &lt;here&gt;.")
    assert "second-look" in banner and "The verdict is unchanged" in banner and "The rim is open." in banner
    checked, _, look = rest.partition('<div class="own-look">')
    assert "<details" in checked and "All of it." in checked and "groove" not in checked
    assert "not checked" in look and "[R1] A &lt;b&gt;groove&lt;/b&gt;." in look
    assert "elsewhere: A stain. (maybe)" in look
    assert "own-look" not in words.show_answer(Answer("One.")) and words.show_answer(Answer("One.")) == "One."


def test_an_answer_that_was_stopped_is_not_kept(stub, picture, tmp_path):
    history = History(tmp_path / "h.sqlite")
    shared = Resources(stub, str(tmp_path), history)
    shown = inspect(shared, picture("a.png")).shown
    stub.explainer, stub.stream = object(), lambda *_, **__: iter((Answer("One."), Answer("One. Two.")))
    asked = ResultHandlers(shared).ask("why?", shown)
    next(asked)
    asked.close()
    assert len(history.turns(shown.kept)) == 1


def test_there_is_nothing_to_ask_about_before_an_inspection(shared):
    with pytest.raises(LooktwiceError, match="Inspect a picture first"):
        follow(shared, "why?", None)


def test_a_click_on_a_region_asks_about_it(shared, picture):
    shown = inspect(shared, picture("a.png")).shown
    asking = ResultHandlers(shared)
    (row,) = asking.ask_about_row(shown, SimpleNamespace(index=[0, 3]))
    assert row[0].turns[-1].question == "What is R1?"
    width = 512  # the picture of 64 x 32 is shown enlarged
    (hit,) = asking.ask_about_place(shown, SimpleNamespace(index=[5 * width / 64, 5 * width / 64]))
    assert hit[0].turns[-1].question == "What is R1?"
    (missed,) = asking.ask_about_place(shown, SimpleNamespace(index=[60 * width / 64, 5]))
    assert missed[0] is shown
    assert region_at(shown.inspection, 1 / 64, 2 / 32) == "R1" and region_at(shown.inspection, 9 / 64, 0.1) is None


# Keeping


def test_every_result_is_kept_with_a_preview_and_its_conversation(stub, picture, tmp_path):
    history = History(tmp_path / "h.sqlite")
    shared = Resources(stub, str(tmp_path), history)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    session = inspect(shared, [picture("a.png", 20), picture("b.png", 210), str(tmp_path / "broken.png")])
    kept = {row.inspection.path: row for row in history.search().rows}
    assert set(kept) == {"a.png", "b.png", "broken.png"}
    assert kept["a.png"].has_preview and kept["b.png"].has_preview and not kept["broken.png"].has_preview
    assert session.shown.kept == kept["b.png"].id
    assert [turn.question for turn in history.turns(session.shown.kept)] == [words.OPENING]
    assert history.turns(kept["a.png"].id) == ()


def test_a_history_that_cannot_be_written_takes_no_result_away(stub, picture, tmp_path):
    history = History(tmp_path / "h.sqlite")
    history.close()
    (tmp_path / "h.sqlite").unlink()
    (tmp_path / "h.sqlite").mkdir()
    session = inspect(Resources(stub, str(tmp_path), history), picture("a.png"))
    assert session.shown.inspection.verdict == "defect" and session.shown.kept is None
    assert len(session.notes) == 1


# Correcting


def test_a_false_alarm_teaches_the_saved_product_and_is_seen_at_once(shared, stub, picture):
    session = inspect(shared, picture("a.png", 153), (), "bracket")
    before = session.shown.inspection
    session = steps.correct_result(shared, session, "false alarm")
    now = session.shown.inspection
    assert (before.verdict, now.verdict) == ("defect", "good") and now.score < before.score
    assert stub.saved == [("bracket", ACTOR)]
    assert session.said.startswith(
        "Taken as a good part of bracket: the score went from 0.6 to 0.3, and the verdict is now good."
    )
    assert len(session.shown.turns) == 1, "the conversation about the old result is over"
    with pytest.raises(LooktwiceError, match="taught already"):
        steps.correct_result(shared, session, "missed")
    session = steps.undo_change(shared, session)
    assert session.shown.inspection.score == pytest.approx(before.score) and not session.known.undo
    assert stub.products["bracket"] == StubProduct("bracket")


def test_a_doubtful_good_part_is_taught_by_a_button_of_its_own(shared, stub, picture):
    handlers, name = InspectHandlers(shared), "a.png"
    stub.doubted = {name}
    session = inspect(shared, [picture(name, 153), picture("b.png", 140)], (), "bracket")
    for _ in range(2):  # the same button again only asks again
        values = handlers.false_alarm(*LOOK, session.shown, session)
        session, asked = values[0], shows(values)
        assert asked.doubt.visible and "a.png is &lt;far&gt; above" in asked.asked and not stub.taught
    other = handlers.pick(*LOOK, session.shown, session, card(1))
    assert not shows(other).doubt.visible, "it was asked about another part"
    values = handlers.false_alarm(*LOOK, session.shown, session, confirm=True)
    assert not shows(values).doubt.visible and values[0].said.startswith("Taken as a good part of bracket")
    assert [one[0] for one in stub.taught] == [name]


def test_limits_of_other_products_decide_only_where_they_are_asked_to(shared, stub, picture):
    path = picture("a.png")
    InspectHandlers(shared).inspect(uploads(path), None, "", *LOOK, True, "", Session())
    session = inspect(shared, path)
    assert stub.shipped == [True, False] and not session.shipped


@pytest.mark.parametrize(
    ("stub_class", "real", "names"),
    [
        (StubInspector, Inspector, "learn load correct inspect ask"),
        (StubStore, ProductStore, "names path state missing held save load"),
    ],
)
def test_the_stub_is_called_as_the_real_one(stub_class, real, names):
    for name in names.split():
        there, wanted = (inspect_.signature(getattr(one, name)).parameters for one in (stub_class, real))
        assert [(p.name, p.kind) for p in there.values()] == [(p.name, p.kind) for p in wanted.values()], name


def test_what_is_drawn_is_what_was_judged(inspector, good, tmp_path):
    path = tmp_path / "part.png"
    Image.fromarray(good(0)).save(path)
    session = inspect(Resources(inspector, str(tmp_path)), str(path))
    Image.new("RGB", (64, 64), (255, 0, 0)).save(path)
    assert (session.shown.pixels == good(0)).all()
    path.unlink()
    assert drawn(session.shown, DrawingOptions("Original"))[0].size


def test_a_missed_defect_is_taught_where_it_was_painted_and_by_its_name(shared, stub, picture):
    session = inspect(shared, picture("a.png", 76, size=(64, 64)), (), "bracket")
    handlers = InspectHandlers(shared)
    form, drawing, body = handlers.ask_where(session.shown)
    assert form.visible and not body.visible and drawing["picture"].startswith("data:image/jpeg")
    mask = np.zeros((64, 64), bool)
    mask[10:20, 30:50] = True
    painted = masks.show_drawing(np.zeros((64, 64, 3), np.uint8), {masks.IGNORE: mask})
    values = handlers.missed("  dent ", painted, *LOOK, session.shown, session)
    assert values[0].shown.inspection.verdict == "defect" and "Taken as a defect of bracket" in values[0].said
    ((name, correction, label, where),) = stub.taught
    assert (name, correction, label) == ("a.png", "missed", "dent") and (where == mask).all()
    seen = shows(values)
    assert not seen.form.visible and seen.label == "" and seen.painter == {} and "dent" in seen.undo.value
    assert handlers.ask_where(None) == (gr.skip(),) * 3


def test_a_correction_is_offered_only_where_it_can_be_one(shared, picture):
    def offered(brightness, product="bracket"):
        session = inspect(shared, picture("a.png", brightness), (), product)
        seen = shows(InspectHandlers(shared).screen(session, DrawingOptions()))
        return seen.false_alarm.visible, seen.missed.visible

    assert offered(204) == (True, False), "nothing was missed in a defect"
    assert offered(40) == (False, True), "nothing was alarmed by a good part"
    assert offered(204, "") == offered(40, "") == (False, False)
    for outcome, both in (("review", (True, True)), ("unrated", (True, True)), ("error", (False, False))):
        false_alarm, missed, *_ = offer(SimpleNamespace(outcome=outcome), True, "", "")
        assert (false_alarm.visible, missed.visible) == both


def test_undo_goes_as_far_as_that_of_the_product(shared, stub, picture):
    for name in ("early.png", "later.png"):
        stub.store.save(stub.correct(stub.products["bracket"], picture(name), "false alarm"))
    session = inspect(shared, [picture("a.png", 230), picture("b.png", 220)], (), "bracket")
    session = steps.correct_result(shared, session, "missed", "scratch")
    session = steps.show_result(shared, session, 1)
    told = []
    while session.known.undo:
        told.append(session.known.undo)
        session = steps.undo_change(shared, session)
    assert told == [
        "Undo the known defect scratch",
        "Undo the good part later.png",
        "Undo the good part early.png",
    ]
    assert stub.products["bracket"] == StubProduct("bracket")
    with pytest.raises(LooktwiceError, match="no change to take back"):
        steps.undo_change(shared, session)


def test_results_that_an_earlier_state_judged_say_so_and_are_judged_again_when_they_are_looked_at(shared, picture):
    session = inspect(shared, [picture("a.png", 230), picture("b.png", 220)], (), "bracket")
    strip = len(InspectHandlers(shared).screen(session, DrawingOptions())) - 11
    session = steps.correct_result(shared, session, "false alarm")
    cards = InspectHandlers(shared).screen(session, DrawingOptions())[strip].value
    assert cards.count("judged before the last change") == 1
    old = session.results[1].inspection.score
    session = steps.show_result(shared, session, 1)
    assert session.shown.inspection.score == pytest.approx(old - 0.3) and "has changed since" in session.said
    cards = InspectHandlers(shared).screen(session, DrawingOptions())[strip].value
    assert "judged before" not in cards
    assert steps.show_result(shared, session, 0).said == "", "what was said is about another result"
    undone = steps.undo_change(shared, session)
    assert undone.is_outdated(undone.results[0]) and undone.shown.inspection.score == pytest.approx(old)


def test_uploaded_references_are_corrected_for_this_visitor_alone(shared, stub, picture):
    good = [picture("good.png", 40)]
    session = inspect(shared, picture("a.png", 153), good)
    session = steps.correct_result(shared, session, "false alarm")
    assert session.shown.inspection.verdict == "good" and not stub.saved
    again = inspect(shared, picture("a.png", 153), good, session=session)
    assert again.shown.inspection.verdict == "good", "the session goes on with what it was taught"
    assert inspect(shared, picture("a.png", 153), good).shown.inspection.verdict == "defect"
    assert steps.undo_change(shared, session).shown.inspection.verdict == "defect"


def test_nothing_is_taken_back_that_the_visitor_has_not_seen(shared, stub, picture):
    session = inspect(shared, picture("a.png", 153), (), "bracket")
    session = steps.correct_result(shared, session, "false alarm")
    stub.store.save(stub.correct(stub.products["bracket"], picture("other.png"), "missed", "crack"))
    session = steps.undo_change(shared, session)
    assert "changed elsewhere" in session.said and session.known.undo == "Undo the known defect crack"
    assert len(stub.products["bracket"].history) == 2
    assert len(steps.undo_change(shared, session).results) == 1 and len(stub.products["bracket"].history) == 1


def test_without_a_product_there_is_nothing_to_correct(shared, picture):
    session = inspect(shared, picture("a.png"))
    with pytest.raises(LooktwiceError, match="Choose a product"):
        steps.correct_result(shared, session, "false alarm")
    assert "choose a product" in shows(InspectHandlers(shared).screen(session, DrawingOptions())).notes


def test_the_same_file_twice_is_one_picture(shared, picture):
    one, other = picture("a.png", 20), picture("b.png", 40)
    session = inspect(shared, [one, other, one, one])
    assert [result.inspection.path for result in session.results] == ["b.png", "a.png"]


def test_who_chose_a_product_keeps_it_by_name_and_one_that_is_gone_is_none(shared, stub):
    stub.products |= {name: StubProduct(name) for name in ("anvil", "bracket", "cog")}
    del stub.products["anvil"]
    for chosen, kept in (("bracket", "bracket"), ("anvil", ""), ("", ""), (None, "")):
        shown = InspectHandlers(shared).list_products(chosen)
        assert shown.value == kept and [value for _, value in shown.choices] == ["", "bracket", "cog"]


# What is shown


def test_the_verdict_line_says_score_threshold_and_its_origin(shared, picture):
    found = inspect(shared, picture("a.png", 204)).shown.inspection
    line = words.show_verdict(found)
    assert 'class="badge defect">DEFECT<' in line
    assert "<b>0.8</b>" in line and "<b>0.5</b>" in line and "review above 0.45" in line
    assert "from &lt;b&gt;4&lt;/b&gt; good pictures." in line, "text from the record is escaped"
    assert "read as &lt;12-bit&gt;" in line
    assert "No region" not in line
    assert line.count("0.45") == 2, "in words, and for who listens to the bar"
    calm = inspect(shared, picture("b.png", 20)).shown.inspection
    assert "No region stands out." in words.show_verdict(calm)


def test_names_are_escaped(shared, picture):
    found = Inspection(
        **{**vars(inspect(shared, picture("a.png")).shown.inspection), "path": "<i>.png", "product": "<b>"}
    )
    line = words.show_verdict(found)
    assert "<i>.png" not in line and "&lt;i&gt;.png" in line and "&lt;b&gt;" in line


def test_the_score_stands_where_it_belongs_on_its_scale(shared, picture):
    line = words.show_score(inspect(shared, picture("a.png", 204)).shown.inspection)
    at = [float(part.split("%")[0]) for part in line.split("left:")[1:]]
    good, review, defect, needle, _ = at
    assert good == 0 < review < defect < needle < 100
    assert needle / defect == pytest.approx(0.8 / 0.5, rel=1e-3)
    assert 'aria-label="Score 0.8; review above 0.45, defect above 0.5"' in line


def test_regions_are_rows_of_text(shared, picture):
    found = inspect(shared, picture("a.png", 204)).shown.inspection
    assert words.show_regions(found) == [["R1", "top left", "48 px (2.34 %)", "moderate", "0.8"]]


def test_each_view_shows_what_it_says(shared, picture):
    shown = inspect(shared, picture("a.png", 204)).shown
    pixels = {view: np.asarray(drawn(shown, DrawingOptions(view))[0]) for view in VIEWS}
    assert all(p.shape == (256, 512, 3) for p in pixels.values())
    assert (pixels["Original"] == 204).all()
    assert not (pixels["Overlay"] == pixels["Original"]).all() and not (pixels["Map"] == pixels["Overlay"]).all()
    assert (pixels["Compare"] == pixels["Overlay"]).all()
    plain, overlay = drawn(shown, DrawingOptions("Compare"))[1].value
    assert plain and overlay
    assert (
        "0.25" in drawn(shown, DrawingOptions())[2]
        and "0.25" not in drawn(shown, DrawingOptions(scale=SCALES[1]))[2]
    )
    clear = np.asarray(drawn(shown, DrawingOptions(opacity=0.0))[0])
    assert (clear[200:] == 204).all(), "no colour at no opacity; the box lies above"
    for wrong in ({"view": "Sideways"}, {"opacity": 2.0}, {"scale": "mine"}):
        with pytest.raises(LooktwiceError):
            DrawingOptions(**wrong)


def test_a_result_whose_picture_is_gone_shows_its_preview(shared, picture):
    shown = inspect(shared, picture("a.png")).shown
    values = filled(Result(shown.inspection, preview=shown.preview, turns=shown.turns))
    assert values[2].size == (512, 256)
    assert len(values) == len(cleared("gone"))


def test_a_failure_and_other_pictures_clear_the_old_result(shared, picture, tmp_path):
    handlers = InspectHandlers(shared)
    path = picture("a.png")
    values = handlers.inspect(uploads(path), None, "", *LOOK, False, "", Session())
    assert values[0].results and values[1].inspection.path == "a.png"
    kept = handlers.forget(uploads(path), values[0])
    assert len(kept) == len(values) and all(one == gr.skip() for one in kept)
    gone = handlers.forget(uploads(picture("b.png")), values[0])
    assert not gone[0].results and gone[1] is None and gone[2] == WELCOME
    failed = handlers.inspect(uploads("/etc/passwd"), None, "", *LOOK, False, "", values[0])
    assert not failed[0].results and "NO RESULT" in failed[2]


def test_a_report_holds_the_conversation_and_escapes_it(shared, picture, tmp_path):
    shown = follow(shared, "<script>alert(1)</script>", inspect(shared, picture("a.png")).shown)
    page = write_shown(shown, DrawingOptions(), "HTML", str(tmp_path)).read_text()
    assert "&lt;script&gt;alert(1)" in page and "<script>" not in page
    assert ResultHandlers(shared).report("HTML", None, *LOOK) is None


def test_what_is_not_the_visitors_doing_is_logged_under_an_id_and_not_shown(caplog):
    line = words.show_error(RuntimeError("/secret/path at 0x7f00"))
    assert "secret" not in line and "0x7f" not in line
    name = next(r.args[0] for r in caplog.records)
    assert name in line and "/secret/path" in caplog.text
    assert words.show_error(ProductError("No <b>x</b>")).endswith("No &lt;b&gt;x&lt;/b&gt;.")


# Examples


def test_examples_are_drawn_once_and_alike(tmp_path):
    for name in examples.EXAMPLES:
        made = examples.make_example(name, tmp_path / "one")
        assert len({*made.pictures, *made.references}) == 2 + examples.REFERENCES
        with Image.open(made.pictures[0]) as opened:
            assert opened.size == (examples.SIDE, examples.SIDE)
        again = examples.make_example(name, tmp_path / "two")
        assert Path(again.pictures[0]).read_bytes() == Path(made.pictures[0]).read_bytes()
    stamp = Path(made.pictures[0]).stat().st_mtime_ns
    examples.make_example(name, tmp_path / "one")
    assert Path(made.pictures[0]).stat().st_mtime_ns == stamp


def test_a_planted_defect_is_small_and_seen():
    for name, draw in examples._DRAWN.items():
        bad, good = (draw(np.random.default_rng(0), defect) for defect in (True, False))
        changed = np.abs(bad - good).max(axis=-1) > 0.1
        assert 0.001 < changed.mean() < 0.1, name


def test_an_example_is_inspected_with_its_own_references(shared, stub):
    pictures, references, product = InspectHandlers(shared).try_example(card(examples.EXAMPLES[1]))
    values = InspectHandlers(shared).inspect(
        uploads(*pictures), [{"path": path} for path in references], product, *LOOK, False, "", Session()
    )
    assert len(values[0].results) == 2 and len(stub.learned[0]) == examples.REFERENCES
