"""What a person does about limits on the page: signs parts off, tries other limits, checks, and keeps some."""

import re
from contextlib import closing

import pytest
from front import ask, choose, go, inspect, numbers, upload, visit

from assistant.records.entries import Query
from assistant.records.history import History

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says so

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]


@pytest.fixture(scope="module")
def lot(front, plate):
    """24 plates that were inspected with the product, two of them with a hole too few."""
    parts = [front.part(f"P-{i:02d}.png", 500 + i, defect=i in (4, 17)) for i in range(24)]
    front.run("batch", *parts, "--product", plate)
    return plate


def open_product(page, front, name, tab):
    panel = visit(page, front, "Teach")
    choose(panel, "Product", name)
    page.locator("#teach-gallery img").first.wait_for()
    panel.get_by_role("tab", name=tab, exact=True).click()
    return panel


def test_a_part_is_signed_off_in_a_batch_and_the_decision_stands_in_the_history(page, front, lot):
    visit(page, front, "Batch")
    page.locator("#runs button").first.click()
    page.locator("#worst button", has_text="P-04.png").click()
    picked = page.locator("#picked")
    picked.get_by_label("Your decision: why").fill("a hole is missing")
    picked.get_by_label("Your name").fill("Ann")
    picked.get_by_role("button", name="Sign off as defect").click()
    expect(picked.locator(".sign-off")).to_contain_text("Signed off as defect by Ann")
    picked.get_by_role("button", name="Back to all pictures").click()
    expect(page.locator("#worst button", has_text="P-04.png")).to_contain_text("signed off as defect")
    go(page, "History")
    expect(page.locator("#kept tr", has_text="P-04.png")).to_contain_text("signed off as defect")
    page.locator("#kept button", has_text="P-04.png").click()
    opened = page.locator("#opened")
    expect(opened.locator(".sign-off")).to_contain_text("a hole is missing")
    opened.get_by_label("Your name").fill("Bo")
    opened.get_by_role("button", name="Withdraw").click()
    expect(opened.locator(".sign-off")).to_contain_text("withdrawn by Bo")
    expect(page.locator("#kept tr", has_text="P-04.png")).not_to_contain_text("signed off")


@pytest.fixture(scope="module")
def dimmed(front):
    """A product whose last 120 parts scored as one that was inspected under a lamp that gave out."""
    references = [front.part(f"ref {i}.png", 700 + i) for i in range(4)]
    front.run("learn", "dim plate", *(word for one in references for word in ("--references", one)))
    front.run("inspect", front.part("D-00.png", 720, light=0.4), "--product", "dim plate", "--history")
    with closing(History(front.folder / "history.sqlite")) as history:
        (row,) = history.search(Query(product="dim plate")).rows
        for _ in range(119):
            history.add(row.inspection)
    return "dim plate"


@pytest.mark.timeout(900)  # with the products that it needs first
def test_a_product_that_drifted_has_a_banner_until_its_limits_are_others(page, front, plate, dimmed):
    dim, sound = dimmed, plate
    panel = visit(page, front)
    banner = page.locator("#inspect-drift")
    choose(panel, "Product", dim)
    expect(banner.get_by_role("alert")).to_have_count(1)
    expect(banner).to_contain_text(f"The limits of {dim} may no longer fit")
    expect(banner).to_contain_text("score higher than its")
    choose(panel, "Product", sound)
    expect(banner).to_be_hidden()
    panel = inspect(page, [front.part("fresh.png", 790)], dim)
    said = ask(panel, "What should I do with it?")
    assert "its limit no longer holds" in said and "et it pass" not in said
    go(page, "History")
    expect(page.locator("#history-drift").get_by_role("alert")).to_have_count(1)
    panel = open_product(page, front, dim, "Good pictures")
    expect(page.locator("#teach-drift")).to_contain_text("add good parts of today")
    panel.get_by_label("10 %", exact=True).check()
    panel.get_by_role("button", name="Keep this target").first.click()
    expect(page.locator("#teach-said")).to_contain_text("Target kept")
    expect(page.locator("#teach-drift")).to_be_hidden()
    visit(page, front, "History")
    expect(page.locator("#kept button").first).to_be_visible()
    expect(page.locator("#history-drift")).to_be_hidden()


def test_the_line_is_moved_by_keyboard_and_nothing_is_kept_until_it_is_said(page, front, lot):
    panel = open_product(page, front, lot, "What if")
    told = page.locator("#what-if")
    expect(told).to_contain_text("none would change")
    before = numbers(told.inner_text())[0]
    line = panel.get_by_label("range slider for The line: a defect above")
    line.focus()
    page.keyboard.press("Home")
    expect(told).to_contain_text("to defect")
    assert numbers(told.inner_text())[0] < before
    page.reload()
    open_product(page, front, lot, "What if")
    expect(page.locator("#what-if")).to_contain_text(f"A defect above {before:g}")


def test_limits_from_the_history_are_shown_kept_and_taken_back(page, front, lot):
    panel = open_product(page, front, lot, "From production")
    panel.get_by_role("button", name="Propose from the history").click()
    told = page.locator("#production-told")
    expect(told).to_contain_text("24 unlabelled parts")
    panel.get_by_role("button", name="Keep these limits").last.click()
    expect(page.locator("#teach-said")).to_contain_text("Limits kept")
    expect(page.locator("#teach-facts")).to_contain_text("24 unlabelled parts")
    panel.get_by_role("button", name="Undo the new limits").click()
    expect(page.locator("#teach-said")).to_contain_text("Undone")
    expect(page.locator("#teach-facts")).not_to_contain_text("unlabelled")


def test_a_check_set_shows_the_parts_that_are_called_what_they_are_not(page, front, lot):
    panel = open_product(page, front, lot, "Check")
    kinds = {
        "Known good parts": [front.part(f"good {i}.png", 600 + i) for i in range(4)],
        "Known bad parts": [front.part("hole.png", 620, defect=True), front.part("no defect at all.png", 621)],
    }
    for label, files in kinds.items():
        upload(panel.locator(".block", has=page.get_by_text(label, exact=True)).last, files)
        expect(panel.get_by_role("cell", name=files[-1].rsplit("/", 1)[-1])).to_be_visible()
    panel.get_by_role("button", name="Check", exact=True).click()
    told = page.locator("#check-told")
    expect(told).to_contain_text("By the limits of now")
    assert re.search(r"bad parts called good [01] of 2", told.inner_text())
    expect(told.get_by_role("row", name="now")).to_be_visible()
