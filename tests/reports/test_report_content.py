"""What a report says, before anyone lays it out: order, counts, limits, and how little it keeps in memory."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import LooktwiceError
from assistant.inspection import Evidence
from assistant.records.agreement import SignOff
from assistant.reports import Entry, check_target, report_inspection, report_lot, write_report
from assistant.reports.tables import tabulate_rest, tabulate_unread
from assistant.reports.words import as_name, visible


def paths(found):
    return [getattr(one, "inspection", one).path for one in found]


def test_the_worst_come_first_in_full_and_the_others_follow_in_order(make, broken):
    scores = [0.2, 0.9, 0.45, 0.9, 0.1, -0.3]
    lot = report_lot([broken, *(make(str(n), score) for n, score in enumerate(scores))], most_shown=3)
    assert paths(lot.full) == ["1", "3", "2"]
    assert paths(lot.rest) == ["0", "4", "5"]
    assert paths(lot.unread) == ["broken.jpg"]
    assert lot.total == 7
    assert lot.counts == [("defect", 2), ("review", 1), ("good", 3), ("error", 1)]
    assert any("3 pictures with the highest scores are shown in full" in said for said in lot.remarks)


def test_what_is_not_shown_keeps_neither_map_nor_picture(make):
    asked = []

    def entries():
        for n in range(50):
            one = make(str(n), n / 100, coarse_map=np.zeros((4, 4), np.float32))
            yield Entry(one, lambda n=n: asked.append(n))

    lot = report_lot(entries(), most_shown=2)
    assert (
        all(one.inspection.coarse_map is None and one.picture is None for one in lot.rest) and len(lot.rest) == 48
    )
    assert not asked, "pictures are drawn only when the report is written"


def test_thresholds_are_told_apart_by_product_and_origin(make):
    other = Evidence("predictive", "Worked out from two.", 2, 0.05, 1 / 3)
    lot = report_lot(
        [make("a"), make("b"), make("c", 0.2, product="cap", threshold=0.3, review_threshold=0.25, evidence=other)]
    )
    assert [(one.product, one.threshold, one.pictures) for one in lot.limits] == [
        ("bottle", 0.5, 2),
        ("cap", 0.3, 1),
    ]
    assert lot.limits[1].evidence == other
    assert dict(lot.facts)["Product"] == "bottle (2); cap (1)"


def test_thousands_of_thresholds_stay_a_short_table(make):
    lot = report_lot(make(str(n), threshold=0.5 + n / 1e4) for n in range(100))
    assert len(lot.limits) == 12 and lot.more_limits == 88
    assert any("88 more thresholds" in said for said in lot.remarks)


def test_facts_say_models_time_and_errors(make, broken):
    late = make("b", created="2026-03-02T09:30:00+00:00")
    facts = dict(report_lot([make(), late, broken], lot="L 7").facts)
    assert facts["Lot"] == "L 7"
    assert facts["Model bundle"] == "pocket" and facts["Weights (hash)"] == "abc123"
    assert facts["Inspected"] == "2026-03-01 12:00:00 UTC to 2026-03-02 09:30:00 UTC"
    assert facts["Not read"] == "1 of 3"
    assert "looktwice" in facts["Report written"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_the_histogram_counts_every_picture_once(scores):
    from assistant.inspection import Inspection

    def one(score):
        return Inspection(
            path="a",
            mode="mutual",
            score=score,
            p_value=0.1,
            threshold=0.5,
            review_threshold=0.4,
            verdict="good",
        )

    histogram = report_lot(map(one, scores)).histogram
    assert sum(bar.get("good", 0) for bar in histogram.bars) == len(scores)
    assert histogram.edges[0] < min(scores) and max(scores) < histogram.edges[-1]


def test_a_picture_that_could_not_be_read_is_a_report_too(broken):
    report = report_inspection(broken)
    assert report.total == 1 and paths(report.unread) == ["broken.jpg"] and not report.full


@pytest.mark.parametrize("name", ["a.docx", "report.txt"])
def test_another_ending_is_refused_before_any_work(name, tmp_path, make):
    with pytest.raises(LooktwiceError, match=r"\.html or a \.pdf"):
        check_target(tmp_path / name)
    with pytest.raises(LooktwiceError, match=r"\.html or a \.pdf"):
        write_report(report_inspection(make()), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "fpdf", None)
    with pytest.raises(LooktwiceError, match=r"looktwice\[report\]"):
        check_target(tmp_path / "a.pdf")
    assert check_target(tmp_path / "a.html").name == "a.html"


@pytest.mark.parametrize("ending", [".html", ".pdf"])
def test_an_old_report_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, make, ending):
    file = write_report(report_inspection(make("old")), tmp_path / f"a{ending}")
    before = file.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(LooktwiceError, match="cannot be written: No space"):
        write_report(report_inspection(make("new")), file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def test_nothing_stays_hidden_in_a_text():
    assert visible("a\x00\x1b\u202egnp\u2066.exe\udcff\u200b") == "a\ufffd\ufffd\ufffdgnp\ufffd.exe\ufffd\ufffd"
    assert visible("one\r\ntwo\tthree") == "one\ntwo three"
    assert as_name("a\nb") == "a\ufffdb"
    assert visible("x" * 7000).endswith("[1,000 more characters]")
    assert visible("न\u200dم") == "न\u200dم", "joiners are part of a script"


def signed(decision, name="eva", id=1):
    return SignOff(id, decision, "within tolerance", name, "user eva", datetime(2026, 5, 4, tzinfo=UTC))


def test_sign_offs_are_counted_and_stand_with_their_pictures(make, broken):
    entries = [Entry(make(str(n), n / 10), sign_offs=[signed("good", f"eva{n}")]) for n in range(8)]
    lot = report_lot([*entries, Entry(broken, sign_offs=[signed("defect")]), make("none", 0.45)], most_shown=2)
    assert lot.agreement.signed == 9 and lot.agreement.error.defect == 1
    assert any(said.startswith(f"{lot.agreement.review.inspected} in review, ") for said in lot.remarks)
    table = tabulate_rest(lot)
    cells = {row[0]: row[-1] for row in table.rows}
    assert (
        table.names[-1] == "Signed off" and cells["3"] == "good (eva3: within tolerance)" and cells["none"] == ""
    )
    assert list(tabulate_unread(lot).rows)[0][-1].startswith("defect (eva")
    plain = report_lot([make("a"), make("b"), broken], most_shown=1)
    assert "Signed off" not in (*tabulate_rest(plain).names, *tabulate_unread(plain).names)
    assert not any("signed off" in said for said in plain.remarks)


@pytest.mark.parametrize("ending", ["html", "pdf"])
def test_both_layouts_take_sign_offs(make, broken, tmp_path, ending):
    entries = [Entry(one, sign_offs=[signed("good")]) for one in (make("a", 0.9), make("b"), make("c"), broken)]
    lot = write_report(report_lot(entries, most_shown=1), tmp_path / f"lot.{ending}")
    withdrawn = replace(signed("defect"), withdrawn=datetime(2026, 5, 5, tzinfo=UTC), withdrawn_by="otto")
    given = [withdrawn, signed("good", id=2)]
    one = write_report(report_inspection(make("a"), sign_offs=given), tmp_path / f"one.{ending}")
    if ending == "html":
        assert "good (eva: within tolerance)" in lot.read_text()
        assert "(withdrawn by otto, 2026-05-05 00:00:00 UTC)" in one.read_text()
    else:
        assert lot.read_bytes()[:5] == one.read_bytes()[:5] == b"%PDF-"
