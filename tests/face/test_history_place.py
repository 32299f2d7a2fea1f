"""The History place: what was inspected is found as asked, opened with its conversation, and removed when told."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("gradio")
import gradio as gr

from assistant.errors import HistoryError
from assistant.face import history_place
from assistant.face.history_steps import ANY, NONE, Filters, choices, parse_day
from assistant.face.kept import KeptHandlers
from assistant.face.result import ResultHandlers
from assistant.face.shared import Resources
from assistant.face.upload_store import UploadStore
from assistant.inspection import Answer, Evidence, Inspection, Region
from assistant.records.entries import Query
from assistant.records.history import History

NOON = datetime(2026, 3, 10, 12).astimezone()
ALL = (ANY, [], None, None, ANY, "", False)
NASTY = "<b>a<i>.png"


class EmptyStore:
    """Has no product."""

    log = None

    def names(self):
        return []

    def state(self, name):
        return None

    def missing(self, name):
        return f"There is no product {name!r}."


class StubInspector:
    """Answers with what it was asked."""

    explainer = None
    store = EmptyStore()
    load = None

    def ask(self, inspection, question, history=(), picture=None, language=None):
        return Answer(f"{inspection.path} {len(history)}: {question}", notices=("A note.",))


def found(path, verdict="good", at=NOON, product="cloth", score=0.5):
    return Inspection(
        path=path,
        mode="few-shot",
        score=score,
        p_value=0.2,
        threshold=0.7,
        review_threshold=0.6,
        verdict=verdict,
        regions=(Region("R1", (1, 2, 30, 40), 500, 0.05, 0.9, "top left", "slight"),),
        width=64,
        height=48,
        evidence=Evidence("conformal", "set by counting", 20, 0.05, 1 / 21),
        scale=(0.5, 1.2),
        product=product,
        created=at.isoformat(timespec="seconds"),
        coarse_map=np.linspace(0, 1.3, 12, dtype=np.float32).reshape(3, 4),
    )


@pytest.fixture
def history(tmp_path):
    opened = History(tmp_path / "h.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def handlers(history, tmp_path):
    (tmp_path / "cache").mkdir()
    return history_place.HistoryHandlers(Resources(StubInspector(), str(tmp_path / "cache"), history), history)


@pytest.fixture
def filled_history(history):
    """Three days with a defect, a good and an unread picture each; {name: id}."""
    picture = np.full((48, 64, 3), 90, np.uint8)
    ids = {}
    for day in range(3):
        at, lot = NOON + timedelta(days=day), f"L{day}"
        ids[f"bad{day}"] = history.add(
            found(f"/x/bad{day}.png", "defect", at, score=0.9), lot=lot, preview=picture
        )
        ids[f"good{day}"] = history.add(found(f"/x/good{day}.png", at=at, product=None), preview=picture)
    ids["unread"] = history.add(Inspection("/x/u.png", "error", "u.png is <empty>", created=NOON.isoformat()))
    ids["nasty"] = history.add(found(f"/secret/{NASTY}", product="<i>p</i>"), preview=picture)
    return ids


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (ALL, "bad0 good0 bad1 good1 bad2 good2 nasty unread"),
        (("=cloth", [], None, None, ANY, ""), "bad0 bad1 bad2"),
        ((NONE, [], None, None, ANY, "good"), "good0 good1 good2"),
        ((ANY, ["defect", "error"], None, None, ANY, ""), "bad0 bad1 bad2 unread"),
        ((ANY, ["defect"], "2026-03-11", None, ANY, ""), "bad1 bad2"),
        ((ANY, [], "2026-03-11", "2026-03-11", ANY, ""), "bad1 good1"),
        ((ANY, [], None, "2026-03-10", "=L0", ""), "bad0"),
        ((ANY, [], None, None, NONE, "BAD"), ""),
        (("=any", [], None, None, ANY, ""), ""),
    ],
)
def test_every_filter_finds_what_it_says(handlers, filled_history, filters, names):
    page, _, listing, back, on = handlers.search(None, *filters[:6], False)
    for name, id in filled_history.items():
        assert (f'data-id="{id}"' in listing) == (name in names.split()), name
    assert page == 1 and not back.interactive and not on.interactive


@pytest.mark.parametrize(
    ("verdicts", "counted"),
    [
        ([], {"defect": 3, "review": 0, "good": 4, "error": 1}),
        (["good"], {"good": 4}),
        (["unrated", "review"], {"review": 0, "unrated": 0}),
        (["error", "defect"], {"defect": 3, "error": 1}),
    ],
)
def test_counts_are_of_what_the_filters_find(handlers, filled_history, verdicts, counted):
    _, counts, listing, *_ = handlers.search(None, ANY, verdicts, None, None, ANY, "", False)
    found = {kind: int(n) for kind, n in re.findall(r'<i class="(\w+)">\w+</i> (\d+)<', counts)}
    assert found == counted
    total = sum(counted.values())
    assert f"1 to {total} of {total}" in listing if total else "<table" not in listing
    only_bad = handlers.search(None, ANY, [], None, None, ANY, "bad", False)[1]
    assert "</i> 3<" in only_bad and "</i> 4<" not in only_bad


def test_names_in_a_listing_are_escaped(handlers, filled_history):
    listing = handlers.search(None, *ALL)[2]
    assert "<b>a<i>" not in listing and "&lt;b&gt;a&lt;i&gt;.png" in listing and "&lt;i&gt;p" in listing
    assert "/secret" not in listing


def test_pages_go_back_and_forth(handlers, history):
    for i in range(120):
        history.add(found(f"{i:03}.png", at=NOON + timedelta(minutes=i)))
    seen = []
    page, shown = 1, handlers.search(None, *ALL)
    while True:
        seen += [line.split("<")[0] for line in shown[2].split('">')[1:] if line.split("<")[0].endswith(".png")]
        page = shown[0]
        if not shown[4].interactive:
            break
        shown = handlers.on(page, None, *ALL)
    assert seen == [f"{i:03}.png" for i in reversed(range(120))] and page == 3
    assert handlers.back(page, None, *ALL)[0] == 2 and handlers.back(1, None, *ALL)[0] == 1
    assert handlers.find(99, None, *ALL)[0] == 3, "the last page where there are fewer"


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ((ANY, [], "31.3.2026", None, ANY, ""), "Write a day as"),
        ((ANY, [], None, "2026-02-30", ANY, ""), "Write a day as"),
        ((ANY, [], "2026-03-11", "2026-03-10", ANY, ""), "lies after"),
        ((ANY, [], None, None, ANY, "x" * 301), "at most 300"),
        ((ANY, [], None, None, f"={'x' * 200}", ""), "A lot has"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(handlers, filled_history, filters, said):
    shown = handlers.search(None, *filters[:6], False)
    assert said in shown[1] and "<table" not in shown[2]


def test_an_inspection_is_opened_with_its_conversation_which_goes_on(handlers, filled_history, history):
    id = filled_history["bad1"]
    history.add_turn(id, "Why <b>?", Answer("Because.", notices=("Mind this.",)))
    opened = handlers.open(SimpleNamespace(_data={"id": str(id)}), 1, *ALL)
    shown, verdict, chat = opened[0], opened[1], opened[4]
    assert shown.kept == id and "DEFECT" in verdict and "bad1.png" in verdict and "/x/" not in verdict
    assert [m["content"] for m in chat] == ["Why &lt;b&gt;?", 'Because.<div class="told">Mind this.</div>']
    assert opened[2].size == (64, 48) and opened[3].value["data"][0][0] == "R1"
    assert f'data-id="{id}"' in opened[-3] and opened[-3].count("aria-current") == 1
    assert 'class="chosen"' in opened[-3]
    talk = ResultHandlers(handlers.shared)
    *_, (shown, chat, left) = talk.ask("and then?", shown)
    assert [t.question for t in history.turns(id)] == ["Why <b>?", "and then?"] and left == ""
    assert history.turns(id)[1].answer.text == "bad1.png 1: and then?"
    assert not history.turns(filled_history["bad2"])
    shown, chat = KeptHandlers(handlers.shared, history).forget(shown)
    assert chat == [] and not shown.turns and not history.turns(id)


def test_a_conversation_is_deleted_after_a_question_only(handlers, filled_history):
    with gr.Blocks() as page, gr.Tab("History") as tab:
        history_place.lay_out(handlers.shared, page, tab)
    named = {block.value: block for block in page.blocks.values() if isinstance(block, gr.Button)}
    deletes = [fn for fn in page.fns.values() if getattr(fn.fn, "__name__", "") == "forget"]
    assert [fn.targets for fn in deletes] == [[(named["Delete it"]._id, "click")]]
    asked = [fn for fn in page.fns.values() if (named["Delete conversation"]._id, "click") in fn.targets]
    assert [fn.fn().visible for fn in asked] == [True]


def test_what_a_click_in_a_list_opens_is_the_same_in_every_place(handlers, filled_history, history):
    shown, values = KeptHandlers(handlers.shared, history).open(str(filled_history["bad2"]))
    opened = handlers.open(SimpleNamespace(_data={"id": str(filled_history["bad2"])}), 1, *ALL)
    assert shown.inspection == opened[0].inspection and values[1] == opened[1]
    assert len(values) == len(opened) - 5


@pytest.mark.parametrize("id", ["unread", "999", "-1", "x", "", "1; DROP TABLE", "9" * 30])
def test_what_cannot_be_shown_is_one_sentence(handlers, filled_history, id):
    opened = handlers.open(SimpleNamespace(_data={"id": str(filled_history.get(id, id))}), 1, *ALL)
    assert opened[0] is None and "NOT READ" in opened[1] and "<table" in opened[-3]
    assert "&lt;empty&gt;" in opened[1] if id == "unread" else "no" in opened[1].lower()


def test_an_export_holds_what_the_filters_find(handlers, filled_history):
    filters = ("=cloth", ["defect"], None, None, ANY, "", False)
    file = Path(handlers.export("jsonl", *filters))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["id"] for row in rows} == {filled_history[f"bad{i}"] for i in range(3)}
    assert file.is_relative_to(handlers.shared.uploads)
    page = Path(handlers.export("html", *ALL)).read_text()
    assert NASTY not in page and "bad2.png" in page
    with pytest.raises(HistoryError):
        handlers.export("csv", ANY, [], "x", None, ANY, "", False)


def test_nothing_is_removed_before_it_was_said_how_much(handlers, filled_history, history):
    end, line, sure, no = handlers.ask_removal("2026-03-11")
    assert "4 inspections" in line and "2026-03-11" in line and sure.visible and no.visible
    assert history.search().total == 8
    assert handlers.keep()[0] is None and history.search().total == 8
    assert handlers.remove(None)[0] is None and history.search().total == 8
    gone, line, sure, no = handlers.remove(end)
    assert gone is None and "4 removed" in line and not sure.visible
    assert {k.inspection.path for k in history.every()} == {
        f"/x/{n}{d}.png" for n in ("bad", "good") for d in (1, 2)
    }


@pytest.mark.parametrize(("before", "said"), [("", "Say first"), (None, "Say first"), ("soon", "Write a day")])
def test_a_day_that_is_none_removes_nothing(handlers, filled_history, before, said):
    end, line, sure, _ = handlers.ask_removal(before)
    assert end is None and said in line and not sure.visible
    assert "Nothing is older" in handlers.ask_removal("2020-01-01")[1]


def test_pictures_of_purged_runs_go_too(handlers, history, tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    token, kept = UploadStore(history).keep([str(tmp_path / "a.png")])
    run = history.runs.start([*kept, "b.png"], {"basis": "x", "uploads": token})
    history.add(found("a.png"), run=run.id, place=0)
    history.runs.finish(run.id)
    handlers.remove(handlers.ask_removal("2026-03-09")[0])
    assert Path(kept[0]).is_file()
    handlers.remove(handlers.ask_removal("2026-03-12")[0])
    assert not Path(kept[0]).exists()


def test_choices_are_what_was_kept(handlers, filled_history, history):
    products, lots = handlers.list_names("=cloth", "=gone")
    assert (products.value, lots.value) == ("=cloth", ANY), "what is gone is not chosen any more, nor a neighbour"
    assert [value for _, value in products.choices] == [ANY, NONE, "=<i>p</i>", "=cloth"]
    assert [name for name, _ in lots.choices] == ["any", "none", "L0", "L1", "L2"]
    assert choices(["any"])[-1] == ("any", "=any"), "a product may have any name"
    assert Filters(product="=any").query.product == "any"
    assert parse_day("2026-03-10") == datetime(2026, 3, 10).astimezone()
    assert history.scores(Query(product="cloth", until=NOON.astimezone(UTC) + timedelta(hours=1))) == {
        "defect": [0.9]
    }


def test_without_a_history_the_place_says_so():
    with gr.Blocks() as page, gr.Tab("History") as tab:
        history_place.lay_out(Resources(StubInspector(), "", None), page, tab)
    assert any(
        "keeps no history" in str(block.value) for block in page.blocks.values() if isinstance(block, gr.HTML)
    )


def test_all_its_events_are_private(handlers):
    with gr.Blocks() as page, gr.Tab("History") as tab:
        history_place.lay_out(handlers.shared, page, tab)
    assert page.fns and {fn.api_visibility for fn in page.fns.values()} == {"private"}
