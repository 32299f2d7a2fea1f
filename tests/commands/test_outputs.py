"""What a run writes: one file that vanishes or changes meanwhile ends nothing, and no link is followed."""

import numpy as np
import pytest
from PIL import Image

from assistant.commands.outputs import Outputs, write_results
from assistant.inspection import Evidence, Inspection
from assistant.records.batches import plan_batch, run_batch
from assistant.records.history import History


def judged(path, size=(40, 30)):
    width, height = size
    return Inspection(
        path=str(path),
        mode="few-shot",
        score=0.3,
        p_value=0.01,
        threshold=0.2,
        review_threshold=0.15,
        verdict="defect",
        width=width,
        height=height,
        evidence=Evidence("predictive", "made up", 4, 0.05, 0.2),
        coarse_map=np.zeros((3, 4), np.float32),
    )


def pictures(folder, count):
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(count)]
    for path in paths:
        Image.new("RGB", (40, 30)).save(path)
    return paths


def test_files_that_vanish_change_or_break_after_they_were_judged_end_nothing(tmp_path, capfd):
    paths = pictures(tmp_path / "new", 5)
    results = [judged(path) for path in paths]
    paths[1].unlink()
    Image.new("RGB", (10, 10)).save(paths[2])
    paths[3].write_bytes(b"no longer a picture")
    outputs = Outputs(tmp_path / "rows.jsonl", tmp_path / "t.csv", tmp_path / "drawn", tmp_path / "page.html")
    counts = write_results(results, outputs)
    assert counts == {"defect": 5} and len((tmp_path / "rows.jsonl").read_text().splitlines()) == 5
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["0.png", "4.png"]
    said = capfd.readouterr().err
    assert [f"No overlay of {i}.png" in said for i in range(5)] == [False, True, True, True, False]
    assert (tmp_path / "page.html").is_file()


def test_a_link_where_an_overlay_goes_is_replaced_and_not_followed(tmp_path):
    [path] = pictures(tmp_path / "new", 1)
    before = path.read_bytes()
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn" / "0.png").symlink_to(path)
    write_results([judged(path)], Outputs(overlays=tmp_path / "drawn"))
    assert path.read_bytes() == before and not (tmp_path / "drawn" / "0.png").is_symlink()


def spoiled(results, paths):
    """The results, each file changed, broken or taken away once it was judged."""
    for place, row in enumerate(results):
        if place % 3 == 0:
            Image.new("RGB", (320, 320), (255, 0, 0)).save(paths[place])
        elif place % 3 == 1:
            paths[place].unlink()
        else:
            paths[place].write_bytes(b"no longer a picture")
        yield row


def parts_in(folder, good, count):
    folder.mkdir()
    for i in range(count):
        Image.fromarray(good(70 + i)).save(folder / f"{i}.png")
    return [folder / f"{i}.png" for i in range(count)]


@pytest.mark.parametrize("mode", ["zero-shot", "mutual"])
def test_everything_is_drawn_from_the_pixels_that_were_judged(inspector, good, tmp_path, mode, capfd):
    paths = parts_in(tmp_path / "new", good, 6)
    expected = [np.asarray(row.overlay()) for row in inspector.inspect(list(paths), mode=mode)]
    history = History(tmp_path / "kept.sqlite")
    outputs = Outputs(tmp_path / "rows.jsonl", None, tmp_path / "drawn", tmp_path / "page.html", history)
    counts = write_results(spoiled(inspector.inspect(iter(paths), mode=mode), paths), outputs)
    assert sum(counts.values()) == 6 and not counts["error"]
    for i, pixels in enumerate(expected):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "drawn" / f"{i}.png")), pixels)
    assert "No overlay" not in capfd.readouterr().err
    assert all(history.preview(one.id) for one in history.every())


@pytest.mark.parametrize("name", ["page.html", "page.pdf"])
def test_a_report_alone_shows_what_was_judged(inspector, good, tmp_path, name):
    paths = parts_in(tmp_path / "new", good, 5)
    report = tmp_path / name
    write_results(spoiled(inspector.inspect(iter(paths)), paths), Outputs(report=report))
    content = report.read_bytes()
    assert (content.count(b"data:image/jpeg") if name.endswith("html") else content.count(b"/Subtype /Image")) == 5


def test_a_batch_keeps_thumbnails_of_what_was_judged(inspector, good, tmp_path, monkeypatch):
    paths = parts_in(tmp_path / "new", good, 4)
    history = History(tmp_path / "kept.sqlite")
    run = plan_batch(inspector, history, paths)
    inspect = inspector.inspect
    monkeypatch.setattr(inspector, "inspect", lambda *a, **k: spoiled(inspect(*a, **k), paths))
    *_, last = run_batch(inspector, history, run.id)
    assert (last.done, last.state) == (4, "done")
    assert all(history.preview(one.id) for one in history.every())


def test_an_inspection_of_an_array_draws_itself(inspector, good):
    found = inspector.inspect(np.asarray(good(71)))
    assert found.overlay().width >= 320 and b"PNG" in found._repr_png_()
