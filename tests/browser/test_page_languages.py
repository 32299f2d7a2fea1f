"""The page follows the browser's language and what a visitor chooses, and tells a result in it."""

import pytest
from front import upload

try:
    from playwright.sync_api import expect
except ImportError:
    expect = None  # the fixture `chromium` says so

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]


def test_a_german_browser_is_led_to_a_german_page_and_a_choice_is_remembered(open_page, front, plate):
    page = open_page(locale="de-DE")
    page.goto(front.url)
    panel = page.locator("#inspect-place")
    expect(page.get_by_role("tab", name="Prüfen", exact=True)).to_be_visible()
    expect(page.get_by_text("Home", exact=True)).to_be_hidden()
    panel.get_by_label("Produkt", exact=True).click()
    page.get_by_role("option", name=plate, exact=True).click()
    upload(panel.locator("#pictures"), [front.part("zwei.png", 51, mark=True)])
    panel.locator("#inspect").click()
    expect(page.locator("#verdict .badge")).to_have_text("DEFEKT")
    expect(page.locator("#verdict small").first).to_contain_text("Die Schwelle ist")
    assert "good part" not in page.locator("#verdict").inner_text()
    box = panel.get_by_role("textbox", name="Frage")
    said = panel.get_by_test_id("bot")
    before = said.count()
    box.fill("Wo ist es?")
    box.press("Enter")
    expect(said).to_have_count(before + 1)
    expect(said.last).to_contain_text("rechts")

    page.locator("#language input").click()
    page.get_by_role("option", name="Español", exact=True).click()
    expect(page.get_by_role("tab", name="Inspeccionar", exact=True)).to_be_visible()
    page.goto(front.url)
    expect(page.get_by_role("tab", name="Inspeccionar", exact=True)).to_be_visible()
