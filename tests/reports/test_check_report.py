"""The report on a check set: every part that is wrong with what it really is, and what other limits would do."""

from assistant.detection.check_set import CheckSet
from assistant.reports.check_report import describe_check, report_check


def test_each_wrong_part_is_shown_with_its_truth(inspector, good, planted):
    product = inspector.learn("cloth", [good(i) for i in range(4)])
    rows = inspector.inspect([good(20), good(21), planted(good(30), 0.3, 0.4)[0]], product)
    good_rows, bad_rows = rows[:2], rows[2:]
    swapped = CheckSet.of(product.calibration, bad_rows, good_rows)  # as if somebody had named them the other way
    report = report_check(swapped, product.name)
    assert {one.verdict for one in rows[2:]} == {"defect"} and report.total == len(swapped.wrong) >= 1
    for entry in report.full:
        truth = "a good part that is called defective" if entry.inspection.verdict == "defect" else "called good"
        assert truth in entry.inspection.notices[0]
        assert min(entry.picture().size) >= 160
    assert len(report.notes) == len([*describe_check(swapped)]) + len(swapped.tried) - 2
    assert "1 good and 2 bad" in report.title
