"""The chat in a browser: `looktwice app`, or `python app.py`. It serves this machine only.

It turns widgets into calls of an `Inspector` and Inspections into widgets. It decides nothing, explains
nothing and keeps nothing: what a visitor uploads lives in that visitor's session and in a private folder that
goes with the server.
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
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from PIL.Image import Image
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from assistant.errors import LooktwiceError
from assistant.images import DEFAULT_LIMITS, load_image
from assistant.inspection import Inspection
from assistant.inspector import Inspector
from assistant.intake import EXTENSIONS, shown_name
from assistant.language.wording import number
from assistant.overlay import draw_overlay
from assistant.product import Product

MOST_REFERENCES = 100
MOST_TURNS = 50
LONGEST_QUESTION = 500  # characters
WAITING = 16  # requests that may wait for the inspector before one is told that it is busy
SESSIONS = 100

# What Gradio's server can do beyond showing this page to this machine: each is switched off by name.
OFF = "share mcp_server ssr_mode pwa run_history enable_monitoring show_error debug inbrowser".split()

OPENING = "What did you find?"
_DOUBTS = ("Why?", "Where is it, and how large?", "How sure are you?", "What should I do?")
QUESTIONS = {
    "defect": _DOUBTS,
    "review": _DOUBTS,
    "good": ("Why?", "How close is it to the threshold?", "Compared with what?", "How sure are you?"),
}
COLUMNS = ["Region", "Place", "Size", "Severity", "Peak"]
WELCOME = "Upload a picture and press <b>Inspect</b>. With good references, or a saved product, it sees much more."

FONT = ("system-ui", "sans-serif")
CSS = """
#verdict { padding: 2px 4px; font-size: 15px; line-height: 1.5; overflow-wrap: anywhere; }
#verdict .badge { padding: 2px 10px; border-radius: 6px; margin-right: 8px; font-weight: 600; }
#verdict .defect, #verdict .error { background: #be1928; color: #fff; }
#verdict .review { background: #f0b414; color: #000; }
#verdict .good { background: #00725c; color: #fff; }
#verdict small { display: block; margin-top: 4px; opacity: 0.75; font-size: 13px; }
#overlay { min-height: 160px; }
#overlay img { max-height: 430px; object-fit: contain; }
#questions { gap: 6px; flex-wrap: wrap; }
#questions button { flex: 1 1 auto; min-width: 0; }
footer { opacity: 0.6; }
"""

log = logging.getLogger("looktwice.app")

Turn = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Session:
    """What one browser page has done; no other page sees it.

    `learned` is the product made from the uploads `learned_from`, in memory only. `turns` are (question,
    answer) pairs about `inspection`, the opening first. `picture` is the upload that was inspected.
    """

    learned: Product | None = None
    learned_from: tuple[str, ...] = ()
    inspection: Inspection | None = None
    turns: tuple[Turn, ...] = ()
    picture: str | None = None


def inspect_picture(
    inspector: Inspector,
    picture: str | None,
    references: Sequence[str],
    product: str | None,
    session: Session,
    tell: Callable[[str, float], None] | None = None,
) -> tuple[Session, Image]:
    """The session after an inspection, and the overlay. References are learned once, until they change.

    LooktwiceError, in one sentence, for whatever cannot be used.
    """
    if not picture:
        raise LooktwiceError("Upload a picture to inspect first.")
    if references and product:
        raise LooktwiceError("Use either uploaded references or a saved product, not both.")
    if len(references) > MOST_REFERENCES:
        raise LooktwiceError(f"At most {MOST_REFERENCES} references can be learned here.")
    chosen = tuple(references)
    if chosen and chosen != session.learned_from:
        learned = inspector.learn("session product", list(chosen), tell=tell)
        session = replace(session, learned=learned, learned_from=chosen)
    found: Inspection = inspector.inspect([picture], session.learned if chosen else product or None)[0]
    if found.status == "error":
        raise LooktwiceError(found.error or "The picture cannot be read.")
    found = replace(found, path=shown_name(found.path))
    overlay = draw_overlay(load_image(picture).pixels, found)
    session = replace(session, inspection=found, turns=(), picture=picture)
    return list(_answer(inspector, OPENING, found, session))[-1], overlay


def continue_chat(inspector: Inspector, question: str, session: Session) -> Session:
    """The session with one more question answered; LooktwiceError where there is nothing to ask about."""
    return list(stream_chat(inspector, question, session))[-1]


def stream_chat(inspector: Inspector, question: str, session: Session) -> Iterator[Session]:
    """As `continue_chat`, while the answer grows; the last session is final."""
    if session.inspection is None:
        raise LooktwiceError("Inspect a picture first, then ask about it.")
    asked = question[:LONGEST_QUESTION].strip()
    if asked:
        yield from _answer(inspector, asked, session.inspection, session)
    else:
        yield session


def _answer(inspector: Inspector, question: str, found: Inspection, session: Session) -> Iterator[Session]:
    if inspector.explainer is None:
        snapshots = iter([inspector.ask(found, question, session.turns)])
    else:
        snapshots = inspector.stream(found, question, session.turns, session.picture)
    for answer in snapshots:
        turns = (*session.turns, (question, "\n".join((answer.text, *answer.notices))))
        yield replace(session, turns=(*turns[:1], *turns[1:][-MOST_TURNS:]))


def show_verdict(inspection: Inspection) -> str:
    """The verdict, the score against the threshold, and where the threshold comes from, as HTML."""
    verdict = inspection.verdict or "error"
    score, limit, review = (
        number(value or 0.0) for value in (inspection.score, inspection.threshold, inspection.review_threshold)
    )
    notes = [f"The threshold is {inspection.evidence.origin}."] if inspection.evidence else []
    if not inspection.regions:
        notes.append("No region stands out.")
    notes += [f"Note: {notice}." for notice in inspection.notices]
    small = "".join(f"<small>{html.escape(note)}</small>" for note in notes)
    line = f"score <b>{score}</b> against a threshold of <b>{limit}</b>, review above {review}"
    return f'<span class="badge {verdict}">{verdict.upper()}</span>{line}{small}'


def show_error(error: Exception) -> str:
    """One sentence as HTML for whatever went wrong; what is not the visitor's doing is logged under an id."""
    return f'<span class="badge error">NO RESULT</span>{html.escape(_sentence(error))}'


def _sentence(error: Exception) -> str:
    if isinstance(error, LooktwiceError):
        return f"{str(error).rstrip('.')}."
    name = uuid.uuid4().hex[:8]
    log.error("error %s", name, exc_info=error)
    return f"Something went wrong here, and it is not your picture's fault: see error {name} in the server's log."


def show_regions(inspection: Inspection) -> list[list[str]]:
    """One row of text a region, in the order of `COLUMNS`."""
    return [
        [r.id, r.position, f"{r.area} px ({number(100 * r.area_fraction)} %)", r.severity, number(r.peak)]
        for r in inspection.regions
    ]


def show_chat(turns: Sequence[Turn]) -> list[dict[str, str]]:
    """The conversation as chat messages; the opening is an answer that nobody asked for."""
    said = [
        {"role": role, "content": html.escape(text, quote=False)}
        for question, answer in turns
        for role, text in (("user", question), ("assistant", answer))
    ]
    return said[1:]


def build(inspector: Inspector | LooktwiceError) -> gr.Blocks:
    """The page of an inspector, or of the error that kept one from loading, which is then all it says."""
    page = gr.Blocks(title="looktwice", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True)
    with page:
        gr.Markdown("# looktwice\nFinds defects, shows where, and talks about the evidence.")
        if isinstance(inspector, LooktwiceError):
            gr.HTML(f'<div role="alert">{html.escape(_sentence(inspector))}</div>', elem_id="verdict")
            return page
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                inputs = _lay_out_inputs(inspector)
            with gr.Column(scale=5, min_width=320):
                outputs = _lay_out_outputs()
        _wire(page, Handlers(inspector, inputs.picture.GRADIO_CACHE), inputs, outputs)
    page.queue(max_size=WAITING, api_open=False, default_concurrency_limit=1)
    return page


@dataclass(frozen=True)
class Inputs:
    """The widgets on the left."""

    picture: gr.Image
    references: gr.File
    product: gr.Dropdown
    inspect: gr.Button


@dataclass(frozen=True)
class Outputs:
    """The widgets on the right."""

    verdict: gr.HTML
    overlay: gr.Image
    regions: gr.Dataframe
    chat: gr.Chatbot
    question: gr.Textbox
    suggestions: tuple[gr.Button, ...]
    session: gr.State

    @property
    def all(self) -> list[Any]:
        """Everything that an inspection changes."""
        return [self.session, self.verdict, self.overlay, self.regions, self.chat, *self.suggestions]


def _lay_out_inputs(inspector: Inspector) -> Inputs:
    picture = gr.Image(
        label="Picture to inspect",
        type="filepath",
        sources=["upload", "clipboard"],
        height=280,
        buttons=[],
        placeholder="Drop, paste or click",
    )
    references = gr.File(
        label="Good references (optional, any number)",
        file_count="multiple",
        file_types=sorted(EXTENSIONS),
        height=200,
    )
    product = gr.Dropdown(_choices(inspector), value="", label="Saved product")
    _refuse_addresses(picture)
    _refuse_addresses(references)
    return Inputs(picture, references, product, gr.Button("Inspect", variant="primary"))


def _lay_out_outputs() -> Outputs:
    verdict = gr.HTML(WELCOME, elem_id="verdict")
    overlay = gr.Image(
        label="Overlay",
        show_label=False,
        format="png",
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_id="overlay",
    )
    regions = gr.Dataframe(headers=COLUMNS, interactive=False, visible=False, label="Regions", buttons=[])
    chat = gr.Chatbot(
        show_label=False,
        height=330,
        render_markdown=False,
        sanitize_html=True,
        allow_tags=False,
        feedback_options=None,
        latex_delimiters=[],
        buttons=[],
        placeholder="Ask about the result once there is one.",
    )
    with gr.Row(elem_id="questions"):
        suggestions = tuple(gr.Button(text, size="sm", interactive=False) for text in QUESTIONS["defect"])
    question = gr.Textbox(
        placeholder="Ask about the result, for example: Where is it?",
        label="Question",
        show_label=False,
        max_length=LONGEST_QUESTION,
        submit_btn=True,
    )
    return Outputs(verdict, overlay, regions, chat, question, suggestions, gr.State(Session()))


@dataclass(frozen=True)
class Handlers:
    """What the widgets call: the inspector is shared, everything of a visitor comes in with the session.

    Uploads come unprocessed, as {"path": ...}, so that nobody but `load_image` opens them.
    """

    inspector: Inspector
    folder: str

    def inspect(
        self,
        picture: dict[str, Any] | None,
        references: list[dict[str, Any]] | None,
        product: str | None,
        session: Session,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - this is how Gradio hands one over
    ) -> list[Any]:
        """Values for `Outputs.all`."""

        def tell(message: str, fraction: float) -> None:
            progress(fraction, desc=message)

        try:
            path = _uploaded_path(picture, self.folder) if picture else None
            others = [_uploaded_path(one, self.folder) for one in references or []]
            done, overlay = inspect_picture(self.inspector, path, others, product, session, tell)
        except Exception as error:
            return _cleared(session, show_error(error))
        return _filled(done, overlay)

    def ask(self, question: str, session: Session) -> Iterator[tuple[Session, list[dict[str, str]], str]]:
        """The session, the chat, and what stays in the question box: the question, where it has no answer."""
        try:
            for done in stream_chat(self.inspector, question, session):
                yield done, show_chat(done.turns), ""
        except Exception as error:
            gr.Warning(html.escape(_sentence(error)))
            yield session, show_chat(session.turns), question

    def forget(self, session: Session) -> list[Any]:
        """Values for `Outputs.all` once another picture is there: no answer is about one that is gone."""
        return _cleared(session, WELCOME)

    def start_over(self, session: Session) -> tuple[Session, list[dict[str, str]]]:
        """The session and the chat with nothing but the opening."""
        session = replace(session, turns=session.turns[:1])
        return session, show_chat(session.turns)

    def list_products(self) -> gr.Dropdown:
        """The saved products as they are now."""
        return gr.Dropdown(_choices(self.inspector))


def _wire(page: gr.Blocks, handlers: Handlers, left: Inputs, right: Outputs) -> None:
    work: dict[str, Any] = {"concurrency_id": "inspector", "concurrency_limit": 1}
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    wanted = [left.picture, left.references, left.product, right.session]
    left.inspect.click(
        handlers.inspect, wanted, right.all, preprocess=False, show_progress_on=right.verdict, **work
    )
    said = [right.session, right.chat, right.question]
    right.question.submit(handlers.ask, [right.question, right.session], said, show_progress="hidden", **work)
    for button in right.suggestions:
        button.click(handlers.ask, [button, right.session], said, **quiet, **work)
    left.picture.change(handlers.forget, right.session, right.all, trigger_mode="multiple", **quiet)
    right.chat.clear(handlers.start_over, right.session, said[:2], **quiet)
    page.load(handlers.list_products, None, left.product, **quiet)


def _filled(session: Session, overlay: Image) -> list[Any]:
    """What every widget of `Outputs.all` shows after an inspection."""
    found = session.inspection
    if found is None:
        raise ValueError("there is no inspection to show")
    rows = show_regions(found)
    buttons = [gr.Button(text, interactive=True) for text in QUESTIONS[found.verdict or "review"]]
    table = gr.Dataframe(rows, visible=bool(rows))
    return [session, show_verdict(found), overlay, table, show_chat(session.turns), *buttons]


def _cleared(session: Session, line: str) -> list[Any]:
    """What every widget of `Outputs.all` shows while there is no result."""
    session = replace(session, inspection=None, turns=(), picture=None)
    buttons = [gr.Button(interactive=False) for _ in QUESTIONS["defect"]]
    return [session, line, None, gr.Dataframe([], visible=False), [], *buttons]


def _choices(inspector: Inspector) -> list[tuple[str, str]]:
    return [("none", ""), *((name, name) for name in inspector.store.names())]


def _uploaded_path(upload: dict[str, Any], folder: str) -> str:
    """The file of an upload; LooktwiceError for one that a client names without having uploaded it."""
    path = os.path.realpath(upload.get("path") or "")
    if not Path(path).is_relative_to(os.path.realpath(folder)):
        raise LooktwiceError("Only a picture that was uploaded can be used.")
    return path


def _refuse_addresses(upload: gr.Image | gr.File) -> None:
    """Keep Gradio from fetching an address that a client names instead of uploading a file."""
    store = upload.async_move_resource_to_block_cache

    async def store_file(place: Any) -> str | None:
        if "://" in str(place):
            raise gr.Error("Upload the picture itself: addresses are not followed.", print_exception=False)
        return await store(place)

    upload.async_move_resource_to_block_cache = store_file  # type: ignore[assignment,method-assign]


def launch_arguments(port: int, host: str) -> dict[str, Any]:
    """What `Blocks.launch` is called with; each is given, so that neither a default nor a variable decides."""
    loopback = host == "localhost" or _is_loopback(host)
    # A page of another site may resolve its own name to this machine; such a request names another host.
    hosts = ["127.0.0.1", "localhost", host] if loopback else ["*"]
    return {
        "server_name": host,
        "server_port": port,
        **dict.fromkeys(OFF, False),
        "strict_cors": True,
        "allowed_paths": [],
        "blocked_paths": [],
        "root_path": "",
        "quiet": True,
        "max_file_size": DEFAULT_LIMITS.max_bytes,
        "state_session_capacity": SESSIONS,
        "num_workers": 0,
        "footer_links": ["settings"],
        "app_kwargs": {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]},
        "theme": gr.themes.Default(primary_hue="blue", font=FONT, font_mono=FONT),
        "css": CSS,
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
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
    return ignored


def launch(
    inspector: Inspector | LooktwiceError, *, port: int = 7860, host: str = "127.0.0.1", wait: bool = True
) -> gr.Blocks:
    """Serve the page until it is stopped, or only start it where `wait` is false; one page a process.

    LooktwiceError where the port is taken.
    """
    if ignored := shield_environment():
        log.warning("These variables are not used here: %s.", ", ".join(ignored))
    page = build(inspector)
    try:
        page.launch(prevent_thread_lock=True, **launch_arguments(port, host))
    except OSError as error:
        raise LooktwiceError(f"Port {port} of {host} is not free; choose another with --port.") from error
    print(f"The chat is at {page.local_url} - Ctrl+C stops it.", flush=True)
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
        launch(inspector)
    except LooktwiceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
