"""The real front end in a process of its own, a real browser before it, and the steps a person takes there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from assistant.face.examples import EXAMPLES, draw_part

LOOKTWICE = (sys.executable, "-c", "from assistant.commands.main import main; main()")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage "
    "--use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
).split()
LONGEST_WAIT = 90_000  # milliseconds; a busy machine with two cores takes its time
STARTUP = 240  # seconds


def what_is_missing() -> str:
    """Why there can be no browser here, as a sentence; "" where there can be one."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright is not installed: pip install playwright."
    return "" if find_chromium() else "There is no Chromium on this machine: apt-get install chromium."


def find_chromium() -> str | None:
    """The browser's program, if there is one."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@contextmanager
def open_browser() -> Iterator[Any]:
    """A browser that stays on this machine."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=LONGEST_WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Front:
    """`looktwice app` with products, history and uploads in `folder`, and the pictures it is shown."""

    folder: Path
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its process."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        own = {"LOOKTWICE_PRODUCTS": "products", "LOOKTWICE_HISTORY": "history.sqlite", "TMPDIR": "tmp"}
        return os.environ | {name: str(self.folder / where) for name, where in own.items()}

    def run(self, *arguments: str) -> None:
        """Do something at the command line of the same installation."""
        subprocess.run([*LOOKTWICE, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [*LOOKTWICE, "app", "--port", str(self.port)]
        environment = self.environment
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + STARTUP
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the front end did not start: {self.log[-2000:]}")

    def stop(self) -> None:
        """Stop it as a service manager would."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "server.log").read_text()

    def part(self, name: str, number: int, *, defect: bool = False, mark: bool = False, light: float = 1.0) -> str:
        """The file of a generated drilled plate, `mark`ed with chalk or not, in so much of the usual light."""
        pixels = (draw_part(EXAMPLES[0], number, defect) * light).astype("uint8")
        if mark:
            pixels[148:172, 206:262] = (235, 235, 225)
        path = self.folder / "parts" / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        return str(path)

    def references(self) -> list[str]:
        """Four good plates."""
        return [self.part(f"reference {i + 1}.png", 100 + i) for i in range(4)]

    def broken(self) -> str:
        """A file that is called a picture and is none."""
        path = self.folder / "parts" / "broken.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\nand nothing of a picture")
        return str(path)


def visit(page: Any, front: Front, place: str = "Inspect") -> Any:
    """Open a place, and give its panel."""
    page.goto(front.url)
    return go(page, place)


def go(page: Any, place: str) -> Any:
    """Change to a place, and give its panel."""
    tab = page.get_by_role("tab", name=place, exact=True)
    tab.click()
    panel = page.locator(f"#{place.lower()}-place")
    panel.wait_for()
    return panel


def upload(widget: Any, files: Sequence[str]) -> None:
    """Hand files to an upload widget and wait until the server has them."""
    page = widget.page
    with page.expect_response(lambda r: "/gradio_api/upload" in r.url and r.ok, timeout=LONGEST_WAIT):
        widget.locator("input[type=file]").first.set_input_files(list(files))


def teach(page: Any, name: str, references: Sequence[str]) -> Any:
    """Make a product in the Teach place, and give its panel."""
    panel = go(page, "Teach")
    panel.get_by_label("Name of the new product").fill(name)
    upload(panel, references)
    from playwright.sync_api import expect

    expect(panel.get_by_role("cell", name=Path(references[-1]).name)).to_be_visible()
    panel.get_by_role("button", name="Learn", exact=True).click()
    expect(page.locator("#teach-said")).to_contain_text("Learned and kept")
    return panel


def choose(panel: Any, label: str, option: str) -> None:
    """Choose in a dropdown."""
    panel.get_by_label(label, exact=True).click()
    panel.page.get_by_role("option", name=option, exact=True).click()


def inspect(page: Any, pictures: Sequence[str], product: str = "") -> Any:
    """Inspect pictures in the Inspect place, by keyboard from the upload on, and give its panel."""
    from playwright.sync_api import expect

    panel = go(page, "Inspect")
    if clear := panel.locator("#pictures").get_by_label("Clear", exact=True).all():
        clear[0].click()
    if product:
        choose(panel, "Product", product)
    upload(panel.locator("#pictures"), pictures)
    expect(page.locator("#inspect")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#verdict .badge")).to_be_visible()
    expect(page.locator("#verdict .subject")).to_be_visible()
    return panel


def judged(page: Any) -> tuple[str, float, float]:
    """The verdict on the screen, the score and the threshold."""
    badge = page.locator("#verdict .badge").inner_text()
    score, threshold = (float(b) for b in page.locator("#verdict p").first.locator("b").all_inner_texts())
    return badge, score, threshold


def ask(panel: Any, question: str) -> str:
    """Ask in the conversation that is on the screen, and give the answer."""
    from playwright.sync_api import expect

    said = panel.get_by_test_id("bot")
    before = said.count()
    box = panel.get_by_role("textbox", name="Question")
    box.fill(question)
    box.press("Enter")
    expect(said).to_have_count(before + 1)
    expect(box).to_have_value("")
    return said.last.inner_text()


def numbers(text: str) -> list[float]:
    """The decimal numbers of a text, in their order."""
    return [float(found) for found in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
