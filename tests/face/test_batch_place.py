"""The Batch place: runs go on without a page and after a restart, and only what may be read is read."""

import html
import io
import itertools
import json
import os
import re
import stat
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr

from assistant.detection.unrated import Unrated
from assistant.errors import LooktwiceError, ProductError
from assistant.face import batch_place, batch_show, batch_steps, worker
from assistant.face import upload_store as upload_store
from assistant.face.batch_steps import BatchRequest, BatchRuns, allowed_folder, only_pictures
from assistant.face.chart import draw_histogram
from assistant.face.listing import ListedRow, picked, show_listing
from assistant.face.shared import Resources
from assistant.overlay import shown_size
from assistant.records.batches import plan_batch
from assistant.records.entries import Query
from assistant.records.history import History

NASTY = "<b>{{7}} ${alert(1)} a.png"


@pytest.fixture
def history(tmp_path):
    opened = History(tmp_path / "h.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def uploads(tmp_path, good, planted):
    """Seven uploads: a spoiled one, a broken one, and one whose name means something to a browser."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for i in range(5):
        pixels = planted(good(i), 0.4, 0.6)[0] if i == 2 else good(i)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    Image.fromarray(good(9)).save(folder / NASTY)
    (folder / "broken.png").write_bytes(b"no picture")
    return sorted(map(str, folder.glob("*.png")))


@pytest.fixture
def batches(inspector, history, tmp_path, uploads):
    made = BatchRuns.of(Resources(inspector, str(tmp_path / "cache"), history), history)
    yield made
    made.worker.join(30)


@pytest.fixture
def handlers(batches):
    return batch_place.BatchHandlers(batches)


@pytest.fixture
def held(monkeypatch):
    """Batches wait for `held.go`, after `held.after` pictures."""
    gate = SimpleNamespace(go=threading.Event(), after=2, reached=threading.Event())
    real = worker.run_batch

    def slow(*given, **more):
        for count, now in enumerate(real(*given, **more)):
            yield now
            if count == gate.after:
                gate.reached.set()
                gate.go.wait(20)

    monkeypatch.setattr(worker, "run_batch", slow)
    yield gate
    gate.go.set()


def test_a_run_goes_on_by_itself_and_its_uploads_go_when_it_is_done(batches, history, uploads, held):
    run = batches.start(BatchRequest(tuple(uploads), lot="L7"))
    assert held.reached.wait(20)
    [folder] = batches.upload_store.folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert sorted(p.name for p in folder.iterdir()) == sorted(Path(p).name for p in uploads)
    view = batches.view(run, "all")
    assert view.standing == "at work" and 0 < view.run.done < view.run.total == 7
    held.go.set()
    batches.worker.join(30)
    view = batches.view(run, "all")
    assert view.standing == "done" and sum(view.counts.values()) == 7 and view.run.lot == "L7"
    assert not list(batches.upload_store.folder.iterdir())
    scores = [row.inspection.score for row in view.worst if row.inspection.status == "ok"]
    assert len(scores) == 6 and scores == sorted(scores, reverse=True)
    assert [row.inspection.path.endswith("broken.png") for row in view.errors] == [True]
    assert sum(map(len, view.scores.values())) == 6 and set(view.limits) == {"threshold", "review"}


def test_a_run_is_at_hand_from_its_start_to_its_end(batches, monkeypatch):
    gate = threading.Semaphore(0)

    def nothing(*given, **more):
        gate.acquire(timeout=20)
        yield from ()

    monkeypatch.setattr(worker, "run_batch", nothing)
    monkeypatch.setattr(batches.history.runs, "get", lambda run: SimpleNamespace(state="stopped", settings={}))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for i in range(300):
            batches.worker.start(str(i))
            assert str(i) in batches.worker.unfinished  # a page that looks now must look again later
            gate.release()
            batches.worker.join(20)
            assert not batches.worker.unfinished
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("asked", ["get", "newest"])
def test_a_run_that_ends_while_it_is_looked_at_is_not_called_halted(batches, uploads, held, monkeypatch, asked):
    run = batches.start(BatchRequest(tuple(uploads)))
    assert held.reached.wait(20)
    real = getattr(batches.history.runs, asked)

    def old_news(*given):
        news = real(*given)
        held.go.set()
        batches.worker.join(30)
        return news

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(batches.history.runs, asked, old_news)
        seen = batches.view(run, "all").standing if asked == "get" else batches.runs()[0][1]
    assert seen == "at work"
    assert batches.view(run, "all").standing == batches.runs()[0][1] == "done"


def test_a_cancelled_run_is_continued_on_another_server(batches, inspector, history, uploads, held, tmp_path):
    run = batches.start(BatchRequest(tuple(uploads)))
    assert held.reached.wait(20)
    batches.worker.cancel(run)
    assert batches.worker.progress.stopping
    held.go.set()
    batches.worker.join(30)
    before = history.runs.get(run)
    assert before.state == "stopped" and 0 < before.done < 7
    for path in uploads:
        os.unlink(path)  # the cache goes with its server
    again = BatchRuns.of(Resources(inspector, str(tmp_path / "cache2"), history), history)
    assert [(r.id, standing) for r, standing in again.runs()] == [(run, "halted")]
    again.proceed(run)
    again.worker.join(30)
    assert history.runs.get(run).state == "done"
    rows = list(history.every(Query(run=run, order="place")))
    assert [row.place for row in rows] == list(range(7))
    assert sum(row.inspection.status == "error" for row in rows) == 1, "only the broken one"


def test_runs_wait_for_one_another_and_one_that_waits_is_cancelled(batches, uploads, held):
    first = batches.start(BatchRequest(tuple(uploads[:4])))
    second, third = (batches.start(BatchRequest(tuple(uploads[4:]))) for _ in range(2))
    assert held.reached.wait(20)
    assert batches.worker.unfinished == {first: "at work", second: "waiting", third: "waiting"}
    assert dict((r.id, standing) for r, standing in batches.runs()) == batches.worker.unfinished
    batches.worker.cancel(third)
    held.go.set()
    batches.worker.join(30)
    assert [batches.history.runs.get(run).state for run in (first, second, third)] == ["done", "done", "stopped"]


def test_a_product_that_changed_halts_a_run_until_it_is_wanted_anyway(batches, inspector, good, uploads, tmp_path):
    inspector.save(inspector.learn("cloth", [good(i) for i in range(20, 24)]))
    planned = plan_batch(inspector, batches.history, uploads[:2], inspector.load("cloth"))
    inspector.save(inspector.teach(inspector.load("cloth"), good(30)))
    batches.proceed(planned.id)
    batches.worker.join(30)
    failure = batches.worker.failure(planned.id)
    assert failure.other_basis and "changed" in failure.sentence
    shown = batch_place.BatchHandlers(batches).show(planned.id, "all", ())
    assert "changed" in shown[2] and shown[4].value == "Continue anyway"
    batches.proceed(planned.id)
    batches.worker.join(30)
    assert batches.history.runs.get(planned.id).state == "done" and batches.worker.failure(planned.id) is None


def test_what_makes_no_sense_is_one_sentence_and_leaves_nothing(batches, uploads, monkeypatch):
    for request, said in (
        (BatchRequest(), "Give pictures"),
        (BatchRequest(tuple(uploads), folder="x"), "Give pictures"),
        (BatchRequest(tuple(uploads), product="gone"), "no product 'gone'"),
        (BatchRequest(tuple(uploads), product="a", compare=True), "not both"),
        (BatchRequest(tuple(uploads), lot="x" * 101), "A lot has a name"),
        (BatchRequest(folder="/etc"), "not started with leave"),
    ):
        with pytest.raises(LooktwiceError, match=said):
            batches.start(request)
    monkeypatch.setattr(upload_store, "MOST_BYTES", 10)
    with pytest.raises(LooktwiceError, match="no room"):
        batches.start(BatchRequest(tuple(uploads)))
    assert not batches.runs() and not list(batches.upload_store.folder.glob("*"))


def test_only_allowed_folders_are_read(tmp_path, good):
    root, outside = tmp_path / "line", tmp_path / "secret"
    for folder in (root / "shift", outside, root / "empty"):
        folder.mkdir(parents=True)
    for folder in (root / "shift", outside):
        Image.fromarray(good(1)).save(folder / "a.png")
    (root / "link").symlink_to(outside)
    (root / "inner").symlink_to(root / "shift")
    roots = (str(root),)
    assert allowed_folder("shift", roots) == allowed_folder(str(root / "shift"), roots) == str(root / "shift")
    assert allowed_folder("inner", roots) == str(root / "shift") and allowed_folder(".", roots) == str(root)
    refused = [
        "../secret",
        "link",
        "shift/../../secret",
        str(outside),
        "/",
        "..",
        "~",
        "gone",
        "shift/a.png",
        "a\0b",
    ]
    for wanted in [*refused, str(tmp_path / "line2"), f"{root}/link/../secret"]:
        with pytest.raises(LooktwiceError, match="not there, or this server"):
            allowed_folder(wanted, roots)
    with pytest.raises(LooktwiceError, match="no picture"):
        allowed_folder("empty", roots)
    with pytest.raises(LooktwiceError):
        allowed_folder(str(root / "shift"), ())


def test_a_folder_is_read_where_it_lies_and_links_that_leave_it_are_not(batches, tmp_path, good):
    root, outside = tmp_path / "line", tmp_path / "secret.png"
    root.mkdir()
    for path in (root / "a.png", outside):
        Image.fromarray(good(1)).save(path)
    (root / "b.png").symlink_to(outside)
    allowed = BatchRuns(
        Resources(batches.shared.inspector, batches.shared.uploads, batches.history, (str(root),)),
        batches.history,
        batches.upload_store,
        batches.worker,
    )
    run = allowed.start(BatchRequest(folder=str(root)))
    assert batches.history.runs.get(run).sources == (str(root / "a.png"),)
    batches.worker.join(30)
    assert (root / "a.png").is_file(), "only copies are removed"


def test_uploads_of_one_name_are_all_kept_and_strays_go(batches, tmp_path, good):
    twins = [tmp_path / name / "000.png" for name in ("x", "y", "z")]
    for i, path in enumerate(twins):
        path.parent.mkdir()
        path.write_bytes(bytes([i]))
    token, kept = batches.upload_store.keep(list(map(str, twins)))
    assert [Path(p).name for p in kept] == ["000.png", "000 (2).png", "000 (3).png"]
    assert [Path(p).read_bytes() for p in kept] == [b"\0", b"\1", b"\2"]
    batches.upload_store.sweep()
    assert Path(kept[0]).is_file(), "somebody may be about to plan a run with it"
    old = time.time() - 2 * 86_400
    os.utime(batches.upload_store.folder / token, (old, old))
    batches.upload_store.sweep()
    assert not (batches.upload_store.folder / token).exists()
    batches.upload_store.drop("../cache")
    batches.upload_store.drop("")
    assert (tmp_path / "cache").is_dir()
    assert only_pictures(["/a/b.PNG", "/a/.b.png", "/a/notes.txt"]) == ["/a/b.PNG"]


def test_the_screen_shows_what_is_done_and_escapes_names(handlers, uploads, batches):
    shown = handlers.start([{"path": path} for path in uploads], "", "", False, "<i>L</i>", group=" lamp  2")
    assert shown[:2] == [None, "all"] and len(shown) == 16
    run = shown[2]
    batches.worker.join(30)
    done = handlers.show(run, "all", ())
    assert "All 7 pictures are done." in done[2] and "&lt;i&gt;L" in done[2] and "<i>L" not in "".join(done[2:3])
    assert '<i class="error">error</i> 1' in done[2]
    assert done[5].visible and done[6].startswith("<svg") and "threshold" in done[6]
    assert done[7].count("<button") == done[7].count('src="data:image/jpeg') == 6
    assert f'<span class="name">{html.escape(NASTY)}</span>' in done[7] and NASTY not in done[7]
    assert "broken.png" not in done[7], "it is listed among what was not read, and nowhere else"
    verdicts = [row.inspection.verdict for row in batches.view(run, "all").worst]
    assert re.findall(r'<i class="(\w+)">\1</i><b>', done[7]) == verdicts
    assert "<b>broken.png</b> is not a PNG" in done[8] and "&lt;i&gt;L" in done[9]
    assert done[10].active is False and not done[11].visible
    assert {row.inspection.group for row in batches.view(run, "all").worst} == {"lamp 2"}
    same = handlers.show(run, "all", done[1])
    assert same[7] == gr.skip(), "a gallery that would show the same is left alone"


def test_the_title_of_the_pictures_follows_the_filter(handlers, uploads, batches, monkeypatch):
    run = batches.start(BatchRequest(tuple(uploads)))
    batches.worker.join(30)
    counts = batches.view(run, "all").counts
    for verdict in ("all", "defect", "review", "good", "unrated"):
        there = sum(counts.values()) - counts["error"] if verdict == "all" else counts[verdict]
        shown = handlers.show(run, verdict, (-1,))[7]
        assert f">{there}, the highest score first<" in shown if there else "no such picture" in shown
    monkeypatch.setattr(batch_steps, "MOST_PREVIEWS", 2)
    assert ">2 of 6, the highest score first<" in handlers.show(run, "all", (-1,))[7]


def test_a_picture_that_is_picked_opens_its_inspection(handlers, uploads, batches):
    run = batches.start(BatchRequest(tuple(uploads)))
    batches.worker.join(30)
    cards = handlers.show(run, "all", ())[7]
    for row in batches.view(run, "all").worst[1:4]:
        assert f'data-id="{row.id}"' in cards
        *view, pictures, inspection = handlers.open_picture(SimpleNamespace(_data={"id": str(row.id)}))
        assert view[0].inspection.path == Path(row.inspection.path).name and view[0].kept == row.id
        assert row.inspection.verdict.upper() in view[1] and view[2].size, "its verdict and its picture"
        assert not pictures.visible and inspection.visible
    assert [one.visible for one in batch_place.panes("pictures")] == [True, False]
    *view, _, inspection = handlers.open_picture(SimpleNamespace(_data={"id": "x"}))
    assert view[0] is None and "NOT READ" in view[1] and inspection.visible


def test_unrated_pictures_have_their_rank_once_all_are_done(handlers, uploads, batches, held, monkeypatch):
    inspector = batches.shared.inspector
    monkeypatch.setattr(inspector, "limits_for", lambda product, target, shipped=False: Unrated(target))
    run = batches.start(BatchRequest(tuple(uploads)))
    assert held.reached.wait(20)
    assert not any(row.inspection.rank for row in batches.view(run, "all").worst)
    held.go.set()
    batches.worker.join(30)
    view = batches.view(run, "all")
    assert [row.inspection.standing for row in view.worst] == [f"{i + 1} of 6" for i in range(6)]
    assert [card.note for card in batches.cards(view.worst)] == [f"{i + 1} of 6" for i in range(6)]
    values = handlers.open_picture(SimpleNamespace(_data={"id": str(view.worst[2].id)}))
    assert ", 3 of 6, and no limit" in values[1]


def test_limits_of_other_products_decide_where_they_are_asked_to(batches, uploads):
    run = batches.start(BatchRequest(tuple(uploads), shipped=True))
    assert batches.history.runs.get(run).settings["zero_shot_limits"] is True


def test_pictures_that_an_earlier_state_judged_say_so(batches, handlers, inspector, good, uploads):
    product = inspector.learn("cloth", [good(20 + i) for i in range(4)])
    inspector.save(product)
    run = batches.start(BatchRequest(tuple(uploads), product="cloth"))
    batches.worker.join(30)
    shown = SimpleNamespace(_data={"id": str(batches.view(run, "all").worst[0].id)})

    def said():
        return {card.note for card in batches.cards(batches.view(run, "all").worst)}, handlers.open_picture(shown)

    notes, opened = said()
    assert notes <= {"", "open"} and "Judged before the last change of the product." not in str(opened)
    inspector.save(inspector.teacher.retarget(product, 0.2))
    notes, opened = said()
    assert all(note.endswith("judged before the last change") for note in notes)
    assert "Judged before the last change of the product." in str(opened)


def test_a_preview_says_nothing_that_stands_beside_it(handlers, uploads, batches):
    run = batches.start(BatchRequest(tuple(uploads[:1])))
    batches.worker.join(30)
    (row,) = batches.view(run, "all").worst
    with Image.open(io.BytesIO(batches.history.preview(row.id))) as preview:
        shown = shown_size(row.inspection.width, row.inspection.height)
        assert preview.width / preview.height == pytest.approx(shown[0] / shown[1], rel=0.01), (
            "and no bar above it"
        )


def test_two_visitors_look_at_different_runs(handlers, uploads, batches):
    runs = [batches.start(BatchRequest((path,))) for path in uploads[:2]]
    batches.worker.join(30)
    views = [handlers.open("all", SimpleNamespace(_data={"id": run})) for run in runs]
    assert [view[0] for view in views] == runs and views[0][1] != views[1][1]
    assert handlers.look(runs[0], "all", ())[0] == runs[0] and handlers.look("", "all", ())[0] == ""


@pytest.mark.parametrize("data", [None, {}, {"id": ["x"]}, {"id": "'; DROP TABLE looktwice_runs; --"}, []])
def test_a_run_that_is_not_there_is_one_sentence(handlers, data):
    shown = handlers.open("all", SimpleNamespace(_data=data))
    assert len(shown) == 14 and shown[0] == "" and ("no run" in shown[2] or shown[2] == batch_show.NO_RUN)


def test_files_are_taken_away_from_the_servers_own_folder(handlers, uploads, batches):
    run = batches.start(BatchRequest(tuple(uploads), lot="../../L 7"))
    batches.worker.join(30)
    for ending in ("csv", "jsonl", "html"):
        file = Path(handlers.export(ending, run))
        assert (
            file.is_relative_to(batches.shared.uploads) and file.suffix == f".{ending}" and ".." not in file.name
        )
        assert file.stat().st_size > 500
    rows = [json.loads(line) for line in Path(handlers.export("jsonl", run)).read_text().splitlines()]
    assert [row["lot"] for row in rows] == ["../../L 7"] * 7 and rows[0]["id"] == min(row["id"] for row in rows)
    page = Path(handlers.export("html", run)).read_text()
    assert "broken.png" in page and NASTY not in page and "data:image/jpeg" in page
    with pytest.raises(LooktwiceError):
        handlers.export("exe", run)
    for _ in range(25):
        handlers.export("csv", run)
    assert len(list(Path(batches.shared.uploads).glob("export-*"))) <= 20


def test_only_uploads_are_taken(handlers, uploads, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Warning", lambda text, **how: said.append(text))
    (tmp_path / "else.png").write_bytes(Path(uploads[0]).read_bytes())
    handlers.start([{"path": str(tmp_path / "else.png")}], "", "", False, "")
    handlers.take_folder([{"path": "/etc/passwd"}])
    assert len(said) == 2 and all("uploaded" in line for line in said)
    assert not handlers.batches.runs()


def test_without_a_history_the_place_says_so(inspector):
    with gr.Blocks() as page, gr.Tab("Batch") as tab:
        batch_place.lay_out(Resources(inspector, "", None), page, tab)
    assert any("keeps none" in str(block.value) for block in page.blocks.values() if isinstance(block, gr.HTML))


def test_all_its_events_are_private_and_its_widgets_follow_no_address(inspector, history, tmp_path):
    with gr.Blocks() as page, gr.Tab("Batch") as tab:
        batch_place.lay_out(Resources(inspector, str(tmp_path), history), page, tab)
    assert page.fns and {fn.api_visibility for fn in page.fns.values()} == {"private"}
    uploads = [
        b for b in page.blocks.values() if isinstance(b, gr.UploadButton | gr.File) and b.interactive is not False
    ]
    assert len(uploads) == 2
    assert all(block.async_move_resource_to_block_cache.__name__ == "store_file" for block in uploads)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.2, "1 s"), (130, "2 min"), (9000, "2.5 h")],
)
def test_time_left_in_words(seconds, said):
    assert batch_show.say_left(seconds) == said


def test_a_histogram_has_every_score_and_the_limits():
    svg = draw_histogram({"good": [0.1, 0.3, float("nan")], "<x>": [0.9]}, {"threshold": 0.5, "review": 0.45})
    assert svg.count("<rect") == 3 and svg.count("<line") == 3 and svg.count('class="count"') == 3
    assert "<x>" not in svg and "1 &lt;x&gt;: " in svg
    assert "3 scores from 0.1 to 0.9; review above 0.45; defect above 0.5" in svg
    assert draw_histogram({"good": []}, {"threshold": 0.5}) == ""
    assert draw_histogram({"good": [0.3, 0.3]}, {}).count("<rect") == 1


def test_bars_of_a_histogram_stand_on_each_other_to_one_scale():
    svg = draw_histogram({"good": [0.1] * 300 + [0.9] * 50, "defect": [0.9] * 100}, {"threshold": 0.5})
    bars = re.findall(r'class="bar (\w+)" x="([0-9.]+)%" width="[0-9.]+%" y="(\d+)" height="(\d+)"', svg)
    (_, _, top, tall), (_, left, upper, low), (kind, same, highest, high) = bars
    assert int(top) + int(tall) == int(upper) + int(low) == 132 and int(highest) + int(high) == int(upper)
    assert kind == "defect" and left == same and int(tall) == 78
    assert (int(low), int(high)) == (13, 26)
    assert re.findall(r'class="count"[^>]*>(\d+)<', svg) == ["300"], "of large counts only the largest has room"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parts", [12, 60, 400, 5000])
def test_counts_of_bars_do_not_overlap_on_a_narrow_screen_and_no_bar_is_thin(seed, parts):
    random = np.random.default_rng(seed)
    scores = np.exp(random.normal(-1.8, 0.02 + 0.1 * seed, parts)).tolist()
    svg = draw_histogram({"good": scores}, {"threshold": 0.6, "review": 0.2})
    narrow, digit = 250, 7.7  # pixels: the least width of a chart, and how wide a digit is
    widths = [narrow * float(w) / 100 for w in re.findall(r'<rect [^>]*width="([0-9.]+)%"', svg)]
    assert min(widths) >= 8
    told = re.findall(r'class="count" x="([0-9.]+)%" y="(\d+)"[^>]*>([0-9,]+)<', svg)
    assert told
    boxes = [(narrow * float(x) / 100, int(y), digit * len(text) / 2) for x, y, text in told]
    for (left, high, half), (right, other, more) in itertools.combinations(boxes, 2):
        assert right - left >= half + more or abs(high - other) >= 12
    assert svg.index("<rect") < svg.index('class="threshold"') < svg.index('class="count"')


def test_a_listing_is_text_with_a_button_a_row():
    shown = show_listing("<t>", ("A",), [ListedRow('1"', ("<b>", "defect", "defect"), "defect")], "none", '1"')
    assert shown.count("<button") == 1 and 'data-id="1&quot;"' in shown and "&lt;b&gt;" in shown
    assert shown.count('<i class="defect">') == 2 and 'aria-current="true"' in shown and "&lt;t&gt;" in shown
    assert picked(SimpleNamespace(_data={"id": "9" * 99})) == "9" * 64


def test_a_failure_of_a_run_is_kept_for_whoever_looks(batches, uploads, monkeypatch, caplog):
    def broken(*given, **more):
        raise RuntimeError("/secret/path")
        yield

    monkeypatch.setattr(worker, "run_batch", broken)
    run = batches.start(BatchRequest(tuple(uploads)))
    batches.worker.join(20)
    failure = batches.worker.failure(run)
    assert "secret" not in failure.sentence and "/secret/path" in caplog.text and not failure.other_basis
    assert issubclass(ProductError, LooktwiceError) and batches.worker.progress is None
