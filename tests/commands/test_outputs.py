"""What a run writes: one file that vanishes or changes meanwhile ends nothing, and no link is followed."""

import numpy as np
from PIL import Image

from assistant.commands.outputs import Outputs, write_results
from assistant.inspection import Evidence, Inspection


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
