"""Small steps on the page that people stumble over: where a click leads, what stays chosen, what is in view."""

import pytest
from front import choose, go, inspect, judged, upload, visit

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says so

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]
PHONE = {"viewport": {"width": 390, "height": 844}}


def in_view(page, selector):
    """Whether the top of an element is on the screen."""
    top = page.locator(selector).first.bounding_box()["y"]
    return 0 <= top < page.viewport_size["height"] - 40


@pytest.mark.parametrize("how", [{}, PHONE])
def test_a_picture_that_is_clicked_in_a_batch_opens_its_inspection_and_leads_back(open_page, front, plate, how):
    page = open_page(**how)
    panel = visit(page, front, "Batch")
    name = "no second look at this part of a long name.png"
    upload(panel, [front.part("calm.png", 31), front.part(name, 32, mark=True), front.part("also calm.png", 33)])
    choose(panel, "Saved product", plate)
    panel.get_by_role("button", name="Start batch").click()
    expect(page.locator("#standing")).to_contain_text("All 3 pictures are done")
    card = page.locator("#worst button", has_text=name)
    expect(card.locator("i.defect")).to_have_css("background-color", "rgb(190, 25, 40)")
    card.click()
    picked = page.locator("#picked")
    expect(picked.locator(".badge")).to_have_text("DEFECT")
    expect(picked.locator(".subject")).to_contain_text(name)
    expect(picked.locator(".overlay img").first).to_be_visible()
    page.wait_for_timeout(500)
    assert in_view(page, "#picked .badge"), "and not a blank"
    assert not page.locator("#worst").is_visible()
    picked.get_by_role("button", name="Back to all pictures").click()
    expect(page.locator("#worst button")).to_have_count(3)
    expect(picked).to_be_hidden()


def test_a_region_stands_beside_the_same_place_of_a_good_part_here_and_in_the_history(open_page, front, plate):
    part = front.part("one hole less.png", 37, defect=True)
    front.run("inspect", part, "--product", plate, "--history")
    page = open_page(**PHONE)
    visit(page, front)
    inspect(page, [part], plate)
    _check_pairs(page, page.locator("#inspect-place .block.beside"))
    expect(page.locator("#inspect-place .block.beside h4").first).to_contain_text("beside reference")
    page.set_viewport_size({"width": 1280, "height": 900})
    go(page, "History")
    rows = page.locator("#kept button", has_text="one hole less.png")
    expect(rows).to_have_count(2)
    rows.last.click()  # the older one, whose picture is there
    _check_pairs(page, page.locator("#opened .block.beside"))


def _check_pairs(page, beside):
    """Three pictures for each region, side by side, as large as each other, and nothing wider than the screen."""
    expect(beside).to_be_visible()
    boxes = [one.bounding_box() for one in beside.locator("section").first.locator("img").all()]
    assert len(boxes) == 3 and beside.locator("img").count() % 3 == 0
    assert len({(round(one["y"]), round(one["height"])) for one in boxes}) == 1 and boxes[0]["height"] > 60
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = beside.locator("section").first.locator("img")
    pixels = [shown.nth(i).evaluate("one => one.naturalWidth") for i in range(3)]
    assert min(pixels) > 20


def test_on_a_phone_the_verdict_is_in_view_after_an_inspection(open_page, front, plate):
    page = open_page(**PHONE)
    visit(page, front)
    inspect(page, [front.part("one.png", 34), front.part("two.png", 35, mark=True)], plate)
    page.wait_for_timeout(500)
    assert in_view(page, "#verdict .badge")


def test_a_missed_defect_is_painted_and_named_and_taken_back(page, front, plate):
    visit(page, front)
    panel = inspect(page, [front.part("calm enough.png", 36)], plate)
    assert judged(page)[0] != "DEFECT"
    panel.get_by_role("button", name="Missed defect").click()
    sheet = panel.locator("#missed-painter canvas")
    expect(sheet).to_be_visible()
    page.wait_for_timeout(500)
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 80, steps=4)
    page.mouse.up()
    panel.get_by_label("What to call it").fill("hair crack")
    panel.get_by_role("button", name="Teach this defect").click()
    expect(panel.locator(".block.notes")).to_contain_text("Taken as a defect")
    expect(page.locator("#undo")).to_have_text("Undo the known defect hair crack")
    expect(panel.locator("#missed")).to_be_hidden()
    page.locator("#undo").click()
    expect(panel.locator(".block.notes")).to_contain_text("Took back the known defect hair crack")
    expect(page.locator("#undo")).to_be_hidden()


def test_a_chosen_product_stays_by_its_name_until_it_is_gone(page, front, plate):
    given = [word for reference in front.references()[:2] for word in ("--references", reference)]
    for name in ("another", "zoom lens"):
        front.run("learn", name, *given)
    visit(page, front)
    chosen = {"Inspect": "Product", "Batch": "Saved product", "Teach": "Product"}

    def shown(place):
        return go(page, place).get_by_label(chosen[place], exact=True).first

    for place, label in chosen.items():
        choose(go(page, place), label, plate)
    page.wait_for_timeout(1000)
    for gone, left in (("another", plate), (plate, "")):
        (front.folder / "products" / f"{gone}.product.safetensors").unlink()
        for place in chosen:
            expect(shown(place)).to_have_value(left or ("New product" if place == "Teach" else "none"))
