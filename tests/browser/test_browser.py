"""The front end as a visitor sees it: a real server, real weights, a real browser."""

import base64
import re
from pathlib import Path

import pytest
from front import ask, choose, go, inspect, judged, numbers, teach, upload, visit

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says so

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]


def test_a_product_is_taught_from_four_pictures_and_then_tells_good_from_defective(page, front):
    visit(page, front)
    panel = teach(page, "drilled plate", front.references())
    expect(page.locator("#teach-gallery button")).to_have_count(4)
    scores = [numbers(text)[0] for text in page.locator("#teach-gallery .words b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True) and scores[-1] > 0
    expect(panel.get_by_role("button", name="Add good pictures")).to_be_visible()

    panel = inspect(page, [front.part("chipped.png", 1, defect=True)], "drilled plate")
    word, bad, threshold = judged(page)
    assert word == "DEFECT" and bad > threshold
    expect(page.locator("#verdict .subject")).to_contain_text("compared with “drilled plate”, 4 good references")
    expect(panel.locator(".regions")).to_contain_text("R1")
    where = ask(panel, "Where is it, and how large?")
    assert "[R1]" in where and re.search(r"\d px", where)
    sure = ask(panel, "How sure are you?")
    assert "Fewer than 1 in 5 good parts" in sure and "p-value" in sure
    asked = panel.get_by_test_id("user").all_inner_texts()
    assert asked == ["Where is it, and how large?", "How sure are you?"]

    panel = inspect(page, [front.part("fine.png", 2)])
    word, good, same = judged(page)
    assert word == "GOOD" and good < threshold == same
    expect(panel.get_by_test_id("user")).to_have_count(0)


def test_a_false_alarm_lowers_the_score_and_can_be_taken_back(page, front):
    visit(page, front)
    teach(page, "chalked plate", front.references())
    panel = inspect(page, [front.part("chalk.png", 3, mark=True)], "chalked plate")
    word, before, threshold = judged(page)
    assert word == "DEFECT" and before > threshold
    notes = panel.locator(".block.notes")
    panel.get_by_role("button", name="False alarm", exact=True).click()
    doubt = page.locator("#doubt")
    expect(doubt).to_contain_text("chalk.png scores")
    expect(doubt).to_contain_text("Nothing has changed yet")
    doubt.get_by_role("button", name="Teach it all the same").click()
    expect(notes).to_contain_text("the score went from")
    expect(doubt).to_be_hidden()
    word, after, _ = judged(page)
    assert word == "GOOD" and after < before / 2
    assert numbers(notes.inner_text().split("went from")[1])[:2] == [before, after]

    expect(page.locator("#undo")).to_have_text("Undo the good part chalk.png")
    page.locator("#undo").click()
    expect(notes).to_contain_text("Took back the good part chalk.png")
    assert judged(page) == ("DEFECT", before, threshold)
    go(page, "Teach")
    choose(page.locator("#teach-place"), "Product", "chalked plate")
    expect(page.locator("#teach-gallery button")).to_have_count(4)


def test_a_batch_says_what_it_cannot_read_and_is_still_there_after_a_reload_and_a_restart(page, front, plate):
    panel = visit(page, front, "Batch")
    parts = [front.part(f"lot {i}.png", number, defect=i < 2) for i, number in enumerate((10, 11, 12, 13, 15))]
    upload(panel, [*parts, front.broken()])
    choose(panel, "Saved product", plate)
    panel.get_by_label("Lot (optional)").fill("morning")
    panel.get_by_role("button", name="Start batch").click()
    expect(page.locator("#standing")).to_contain_text("All 6 pictures are done")
    expect(page.locator("#unread")).to_contain_text("broken.png")
    expect(page.locator("#unread")).to_contain_text("damaged")
    counts = page.locator("#standing .counts").inner_text().replace("\n", " ")
    assert re.sub(r"\s+", " ", counts).strip() == "defect 2 review 0 good 3 error 1"
    assert page.locator("#worst .words i").all_inner_texts() == ["defect", "defect", "good", "good", "good"]
    names = page.locator("#worst .name").all_inner_texts()
    assert sorted(names) == [f"lot {i}.png" for i in range(5)], "whole, and without what is listed as not read"
    panel.get_by_label("good", exact=True).check()
    expect(page.locator("#worst button")).to_have_count(3)
    expect(page.locator("#worst .head")).to_have_text("3, the highest score first")

    page.reload()
    assert kept(page) == ["broken.png", *(f"lot {i}.png" for i in range(5))]
    page.goto("about:blank")
    front.stop()
    front.start()
    page.goto(front.url)
    assert kept(page) == ["broken.png", *(f"lot {i}.png" for i in range(5))]
    page.locator("#kept button", has_text="lot 1.png").focus()
    page.keyboard.press("Enter")
    opened = page.locator("#opened")
    expect(opened.locator(".badge")).to_have_text("DEFECT")
    answer = ask(opened, "Where is it?")
    assert "[R1]" in answer
    page.reload()
    go(page, "History")
    page.locator("#kept button", has_text="lot 1.png").click()
    expect(opened.get_by_test_id("bot").last).to_have_text(answer)


def kept(page):
    """The names of what the history holds of the lot, sorted."""
    panel = go(page, "History")
    expect(page.locator("#kept caption")).to_be_visible()
    choose(panel, "Lot", "morning")
    expect(page.locator("#kept caption")).to_have_text("1 to 6 of 6, newest first")
    return sorted(page.locator("#kept button").all_inner_texts())


def test_a_batch_is_cancelled_keeps_what_is_done_and_goes_on(page, front, plate):
    panel = visit(page, front, "Batch")
    upload(panel, [front.part(f"many {i}.png", 20 + i) for i in range(24)])
    choose(panel, "Saved product", plate)
    panel.get_by_role("button", name="Start batch").click()
    panel.get_by_role("button", name="Cancel", exact=True).click()
    standing = page.locator("#standing [role=status]")
    expect(standing).to_contain_text("What is done stays")
    done, total = map(int, re.match(r"(\d+) of (\d+)", standing.inner_text()).groups())
    assert done < total == 24
    panel.get_by_role("button", name="Continue", exact=True).click()
    expect(standing).to_have_text("All 24 pictures are done.")
    go(page, "History")
    expect(page.locator("#kept button", has_text="many")).to_have_count(24)


COPY = """async picture => {
  const blob = await (await fetch("data:image/png;base64," + picture)).blob();
  await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
}"""


def test_a_picture_is_pasted_and_another_is_taken_with_the_camera(page, front, plate):
    page.context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
    panel = visit(page, front)
    choose(panel, "Product", plate)
    given = panel.locator("#pictures")
    page.evaluate(COPY, base64.b64encode(Path(front.part("copied.png", 6, defect=True)).read_bytes()).decode())
    with page.expect_response(lambda r: "/gradio_api/upload" in r.url and r.ok):
        given.get_by_label("Paste from clipboard").click()
    page.locator("#inspect").click()
    expect(page.locator("#verdict .subject")).to_contain_text("clipboard")
    assert judged(page)[0] == "DEFECT"

    page.reload()
    panel = go(page, "Inspect")
    given = panel.locator("#pictures")
    given.get_by_label("Capture from camera").click()
    given.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#pictures video')?.videoWidth > 0")
    with page.expect_response(lambda r: "/gradio_api/upload" in r.url and r.ok):
        given.get_by_label("capture photo").click()
    page.locator("#inspect").click()
    expect(page.locator("#verdict .subject")).to_contain_text("webcam")


def test_two_visitors_never_see_each_other(open_page, front, plate):
    one, other = open_page(), open_page()
    visit(one, front)
    visit(other, front)
    first = inspect(one, [front.part("secret of one.png", 4, mark=True)], plate)
    answer = ask(first, "Where is it?")
    expect(other.locator("#verdict .subject")).to_have_count(0)
    second = inspect(other, [front.part("secret of two.png", 7)], plate)
    assert judged(one)[0] == "DEFECT" and judged(other)[0] == "GOOD"
    ask(second, "Compared with what?")
    assert ask(first, "How sure are you?") != answer
    assert first.get_by_test_id("user").all_inner_texts() == ["Where is it?", "How sure are you?"]
    assert second.get_by_test_id("user").all_inner_texts() == ["Compared with what?"]
    assert "two" not in first.inner_text() and "one.png" not in second.inner_text()
    pictures = {page.locator(".overlay img:visible").first.get_attribute("src") for page in (one, other)}
    assert len(pictures) == 2
    other.reload()
    expect(other.locator("#verdict")).to_contain_text("Drop, paste")
    assert second.get_by_test_id("bot").count() == 0
    assert judged(one)[0] == "DEFECT"
