"""A front end and a browser for the tests of this folder; where there is no browser they are skipped, and say why.

With LOOKTWICE_BROWSER_TESTS=required they fail instead.
"""

import os
from urllib.parse import urlsplit

import pytest
from front import LONGEST_WAIT, Front, open_browser, what_is_missing

LEAVING = ("AbortError", "Connection errored out")
"""What Gradio's page logs when a visitor leaves it while it listens to the server."""


@pytest.fixture(scope="module")
def chromium():
    """The browser, closed with the last test here: while it is open, no other test can run an event loop."""
    if why := what_is_missing():
        (pytest.fail if os.environ.get("LOOKTWICE_BROWSER_TESTS") == "required" else pytest.skip)(why)
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def front(chromium, tmp_path_factory):
    """The front end with the pocket bundle, empty at first."""
    front = Front(tmp_path_factory.mktemp("front"))
    front.start()
    yield front
    front.stop()
    assert "Traceback" not in front.log


@pytest.fixture
def open_page(chromium, front):
    """open_page(): a page of a visitor of its own. None may ask another machine for anything or log an error."""
    contexts, wrong = [], []

    def look(request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            wrong.append(f"asked for {request.url}")

    def listen(said):
        if said.type == "error" and not any(words in said.text for words in LEAVING):
            wrong.append(f"logged: {said.text}")

    def open_one(**how):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | how)
        context.set_default_timeout(LONGEST_WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("request", look)
        page.on("pageerror", lambda error: wrong.append(f"broke: {error}"))
        page.on("console", listen)
        page.on("response", lambda reply: reply.status >= 400 and wrong.append(f"{reply.status} {reply.url}"))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(open_page):
    """One visitor's page."""
    return open_page()


@pytest.fixture(scope="module")
def plate(front):
    """A product that knows four good plates, taught at the command line of the same installation."""
    given = [word for reference in front.references() for word in ("--references", reference)]
    front.run("learn", "taught before", *given)
    return "taught before"
