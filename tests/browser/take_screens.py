"""The pictures of the front end in docs/screens: `python tests/browser/take_screens.py [PLACE ...]`.

Each place in use, in light, in dark and on a phone, on generated pictures; needs the pocket bundle and Chromium.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from front import Front, ask, choose, go, inspect, open_browser, teach, upload, visit, what_is_missing
from PIL import Image

TARGET = Path(__file__).resolve().parents[2] / "docs" / "screens"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 1},
}
PRODUCT, DIMMED = "drilled plate", "drilled plate at night"
LAMP = "camera 2"
COLORS = 192  # of an octree, which keeps rare ones: a line of one colour is one of them


def main(*wanted: str) -> None:
    """Take those of some places, such as "history", or all of them."""
    if why := what_is_missing():
        sys.exit(why)
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _front(Path(folder)) as front:
        with open_browser() as browser:
            _prepare(browser, front)
            _take_all(browser, front, SHOWN, wanted)
            if not wanted or "drift" in wanted:
                _let_a_lamp_fail(front)  # last: from here on every place says so
                _take_all(browser, front, {"Drift": _show_drift}, wanted)


def _take_all(browser: Any, front: Front, shown: dict[str, Any], wanted: Sequence[str]) -> None:
    for look, how in LOOKS.items():
        page = browser.new_context(**how).new_page()
        for place, show in shown.items():
            if not wanted or place.lower() in wanted:
                show(page, front)
                _take(page, f"{place.lower()}-{look}")
        page.context.close()


@contextmanager
def _front(folder: Path) -> Iterator[Front]:
    front = Front(folder)
    front.start()
    try:
        yield front
    finally:
        front.stop()


def _prepare(browser: Any, front: Front) -> None:
    """A product of twelve references, a batch, and a few inspections."""
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 1280, "height": 860})
    visit(page, front)
    teach(page, PRODUCT, [front.part(f"plate {i:02d}.png", 100 + i) for i in range(12)])
    panel = go(page, "Batch")
    parts = [front.part(f"A-{200 + i}.png", 200 + i, defect=i in (3, 9), mark=i == 6) for i in range(12)]
    upload(panel, [*parts, front.broken()])
    choose(panel, "Saved product", PRODUCT)
    panel.get_by_label("Lot (optional)").fill("2026-03")
    panel.get_by_role("button", name="Start batch").click()
    expect(page.locator("#standing")).to_contain_text("pictures are done")
    page.close()


def _let_a_lamp_fail(front: Front) -> None:
    """A second product, whose last parts were inspected under less and less light."""
    references = [front.part(f"night {i:02d}.png", 400 + i) for i in range(12)]
    front.run("learn", DIMMED, *(word for one in references for word in ("--references", one)))
    parts = [front.part(f"N-{i:03d}.png", 420 + i, light=1 - 0.01 * i) for i in range(60)]
    front.run("batch", *parts, "--product", DIMMED, "--group", LAMP)


def _show_drift(page: Any, front: Front) -> None:
    panel = visit(page, front)
    panel.get_by_role("button", name="Settings").click()
    panel.get_by_label("Camera or light").fill(LAMP)
    panel = inspect(page, [front.part("N-061.png", 481, light=0.5)], DIMMED)
    page.locator("#inspect-drift .drift").wait_for()
    ask(panel, "What should I do with it?")


def _show_sign_off(page: Any, front: Front) -> None:
    visit(page, front, "Batch")
    page.locator("#runs button").first.click()
    page.get_by_label("review", exact=True).check()
    page.locator("#worst button", has_text="A-205.png").click()
    picked = page.locator("#picked")
    picked.locator(".badge").wait_for()
    picked.locator(".overlay img").first.wait_for()
    if not picked.get_by_role("button", name="Withdraw").is_visible():
        for name, what, why in (
            ("Bo", "defect", "are the holes too far up?"),
            ("Ann", "good", "measured: they are in place"),
        ):
            picked.get_by_label("Your decision: why").fill(why)
            picked.get_by_label("Your name").fill(name)
            picked.get_by_role("button", name=f"Sign off as {what}").click()
            picked.locator(".sign-off b", has_text=why).wait_for()
        ask(picked, "What should I do?")


def _show_inspect(page: Any, front: Front) -> None:
    visit(page, front)
    panel = inspect(page, [front.part("A-203.png", 203, defect=True)], PRODUCT)
    ask(panel, "Where is it, and how large?")
    ask(panel, "Is it a scratch?")


def _show_teach(page: Any, front: Front) -> None:
    _open_tab(page, front, "Good pictures")


def _show_what_if(page: Any, front: Front) -> None:
    panel = _open_tab(page, front, "What if")
    line = panel.get_by_label("range slider for The line: a defect above")
    line.focus()
    page.keyboard.press("Home")
    page.locator("#what-if table").wait_for()


def _show_check(page: Any, front: Front) -> None:
    panel = _open_tab(page, front, "Check")
    good = [front.part(f"good {i}.png", 300 + i) for i in range(5)]
    bad = [front.part("not drilled.png", 320, defect=True), front.part("hard to see.png", 340)]
    for label, files in (("Known good parts", good), ("Known bad parts", bad)):
        upload(panel.locator(".block", has=page.get_by_text(label, exact=True)).last, files)
        panel.get_by_role("cell", name=Path(files[0]).name).wait_for()
    panel.get_by_role("button", name="Check", exact=True).click()
    page.locator("#check-told table").wait_for()


def _open_tab(page: Any, front: Front, name: str) -> Any:
    panel = visit(page, front, "Teach")
    choose(panel, "Product", PRODUCT)
    page.locator("#teach-gallery img").first.wait_for()
    panel.get_by_role("tab", name=name, exact=True).click()
    return panel


def _show_batch(page: Any, front: Front) -> None:
    visit(page, front, "Batch")
    page.locator("#runs button").first.click()
    page.locator("#worst img").first.wait_for()


def _show_history(page: Any, front: Front) -> None:
    panel = visit(page, front, "History")
    page.locator("#kept button", has_text="A-209.png").click()
    page.locator("#opened .badge").wait_for()
    page.locator("#opened .overlay img").first.wait_for()
    if not panel.get_by_test_id("user").count():
        ask(page.locator("#opened"), "Why?")
        opened = page.locator("#opened")
        opened.get_by_label("Your decision: why").fill("a hole is not drilled through")
        opened.get_by_label("Your name").fill("Ann")
        opened.get_by_role("button", name="Sign off as defect").click()
        opened.get_by_role("button", name="Withdraw").wait_for()


SHOWN = {
    "Inspect": _show_inspect,
    "Teach": _show_teach,
    "What-if": _show_what_if,
    "Check": _show_check,
    "Batch": _show_batch,
    "Sign-off": _show_sign_off,
    "History": _show_history,
}


def _take(page: Any, name: str) -> None:
    """The whole page as a PNG of few colours."""
    page.evaluate("() => { document.activeElement?.blur(); scrollTo(0, 0); }")
    page.locator("#kept *").evaluate_all("all => all.forEach((one) => { one.scrollTop = 0; })")
    page.evaluate("() => [...document.images].forEach((one) => { one.loading = 'eager'; })")  # or some never come
    page.wait_for_function("() => [...document.images].every((one) => one.complete)")
    page.wait_for_timeout(1200)  # what fades in or scrolls is there by then
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    picture = picture.quantize(COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture.save(TARGET / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
