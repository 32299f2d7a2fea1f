"""The front end in a browser: `looktwice app`, or `python app.py`. It serves this machine only.

It puts the places of `assistant.face` on one page for each language, and launches them. It decides nothing,
explains nothing and keeps nothing of its own: what a visitor uploads lies in a private folder that goes with the
server.
"""

from __future__ import annotations

import atexit
import html
import ipaddress
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from assistant.errors import LooktwiceError
from assistant.face import batch_place, history_place, inspect_place, teach_place
from assistant.face.languages import HEADING, TITLES, lay_out_choice, path_of, script
from assistant.face.shared import Resources
from assistant.face.theme import CSS, FONT
from assistant.face.tool import offer_tool, require_mcp
from assistant.face.words import sentence
from assistant.images.load import DEFAULT_CAPS
from assistant.inspector import Inspector
from assistant.language.catalogue import LANGUAGES, Wording, pick_language
from assistant.models.telemetry import silence_hub
from assistant.products.live_store import LiveProducts
from assistant.records.history import History, default_history

WAITING = 16  # requests that may wait for the inspector before one is told that it is busy
SESSIONS = 100

# What Gradio's server can do beyond showing this page to this machine: each is switched off by name, and so is
# MCP where nobody asks for it.
OFF = "share ssr_mode pwa run_history enable_monitoring show_error debug inbrowser".split()

log = logging.getLogger("looktwice.app")

PLACES = {
    "Inspect": inspect_place,
    "Teach": teach_place,
    "Batch": batch_place,
    "History": history_place,
}
"""What stands in each tab."""


def build(
    inspector: Inspector | LooktwiceError,
    history: History | None = None,
    folders: Sequence[str] = (),
    *,
    products: LiveProducts | None = None,
    mcp: bool = False,
    language: str | None = None,
    others: Sequence[str] = (),
) -> gr.Blocks:
    """The page of an inspector, or of the error that kept one from loading, which is then all it says.

    `products`: those of a service beside the page, so that both change them in turn. `mcp`: its one documented
    endpoint is the tool of `assistant.face.tool`, and no longer those of the page. `language`: that of the first
    page, English by default; `others` have pages of their own, at their codes.
    """
    first = pick_language(language)
    page = gr.Blocks(title="looktwice", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True)
    with page:
        shared = None
        if not isinstance(inspector, LooktwiceError):
            shared = Resources(inspector, page.GRADIO_CACHE, history, tuple(folders), products)
        _lay_out(page, first, shared, inspector, main=True)
        if mcp and shared:
            offer_tool(shared, page)
    for code in others:
        if code != first:
            with page.route(LANGUAGES[code], path_of(code, first), show_in_navbar=False):
                _lay_out(page, code, shared, inspector, main=False)
    page.queue(max_size=WAITING, api_open=False, default_concurrency_limit=1)
    return page


def _lay_out(
    page: gr.Blocks,
    language: str,
    shared: Resources | None,
    inspector: Inspector | LooktwiceError,
    *,
    main: bool,
) -> None:
    """Lay out all that one language shows; without an inspector that is the error that kept it from loading."""
    w = Wording(language)
    gr.Navbar(visible=False)
    with gr.Row():
        gr.Markdown(f"# looktwice\n{w(HEADING)}")
        if shared:
            lay_out_choice(w)
    if shared is None or isinstance(inspector, LooktwiceError):
        said = sentence(inspector, w) if isinstance(inspector, LooktwiceError) else ""
        gr.HTML(f'<div role="alert">{html.escape(said)}</div>', elem_id="verdict")
        return
    mine = shared.in_language(language, main=main)
    with gr.Tabs():
        for name, place in PLACES.items():
            with gr.Tab(w(TITLES[name]), id=name.lower(), elem_id=f"{name.lower()}-place") as tab:
                place.lay_out(mine, page, tab)


def launch_arguments(port: int, host: str, *, mcp: bool = False, language: str | None = None) -> dict[str, Any]:
    """What `Blocks.launch` is called with; each is given, so that neither a default nor a variable decides."""
    loopback = host == "localhost" or _is_loopback(host)
    # A page of another site may resolve its own name to this machine; such a request names another host.
    hosts = ["127.0.0.1", "localhost", host] if loopback else ["*"]
    return {
        "server_name": host,
        "server_port": port,
        **dict.fromkeys(OFF, False),
        "mcp_server": mcp,
        "strict_cors": True,
        "allowed_paths": [],
        "blocked_paths": [],
        "root_path": "",
        "quiet": True,
        "max_file_size": DEFAULT_CAPS.max_bytes,
        "state_session_capacity": SESSIONS,
        "num_workers": 0,
        "footer_links": ["settings"],
        "app_kwargs": {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]},
        "theme": gr.themes.Default(primary_hue="blue", font=FONT, font_mono=FONT),
        "css": CSS,
        "head": script(pick_language(language), follow=language is None),
    }


def shield_environment() -> list[str]:
    """Take every GRADIO_* variable out of the process and return their names: some would open the server.

    Uploads go to a private folder that is deleted when the process ends; TMPDIR says where it lies. Requests
    of the server to itself pass by a proxy.
    """
    ignored = sorted(name for name in os.environ if name.startswith("GRADIO_"))
    for name in ignored:
        del os.environ[name]
    folder = tempfile.mkdtemp(prefix="looktwice-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = folder
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    silence_hub()
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
    return ignored


def launch(
    inspector: Inspector | LooktwiceError,
    *,
    history: History | None = None,
    folders: Sequence[str] = (),
    port: int = 7860,
    host: str = "127.0.0.1",
    mcp: bool = False,
    language: str | None = None,
    wait: bool = True,
) -> gr.Blocks:
    """Serve the page until it is stopped, or only start it where `wait` is false; one page a process.

    What is inspected is kept in `history`, where there is one. Batches may read the pictures in `folders`, and
    those below them, by their paths. `language`: that of the first page, by default the browser's. `mcp` opens a
    tool to programs of this machine, see `assistant.face.tool`. LooktwiceError where the port is taken, a folder
    is not there, or MCP is asked for and not installed.
    """
    if mcp:
        require_mcp()
    if ignored := shield_environment():
        log.warning("These variables are not used here: %s.", ", ".join(ignored))
    for folder in folders:
        if not os.path.isdir(folder):
            raise LooktwiceError(f"There is no folder {folder!r}.")
    page = build(
        inspector,
        history,
        [os.path.realpath(folder) for folder in folders],
        mcp=mcp,
        language=language,
        others=[*LANGUAGES],
    )
    try:
        page.launch(prevent_thread_lock=True, **launch_arguments(port, host, mcp=mcp, language=language))
    except OSError as error:
        raise LooktwiceError(f"Port {port} of {host} is not free; choose another with --port.") from error
    print(f"The chat is at {page.local_url} - Ctrl+C stops it.", flush=True)
    if mcp and page.mcp_error:
        raise LooktwiceError(f"The MCP server did not start: {page.mcp_error}")
    if wait:
        _stop_when_told()
        page.block_thread()
    return page


def _stop_when_told() -> None:
    """Let a closed terminal or a service manager end the server as Ctrl+C does, so that uploads are deleted."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and threading.current_thread() is threading.main_thread():
            signal.signal(getattr(signal, name), signal.default_int_handler)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def main() -> None:
    """Open the chat with the default bundle; where that is missing, the page says how to fetch it."""
    inspector: Inspector | LooktwiceError
    try:
        inspector = Inspector.from_pretrained()
    except LooktwiceError as error:
        inspector = error
    try:
        launch(inspector, history=None if isinstance(inspector, LooktwiceError) else History(default_history()))
    except LooktwiceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
