"""An endpoint that speaks the protocol of chat completions, or fails to, as a script tells it to."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLAN = {
    "facts": [{"key": "place", "ids": ["R1"], "value": None}],
    "test": None,
    "cannot": [],
    "seen": [{"where": "R1", "text": "A dark groove runs along the rim.", "sure": "clear"}],
    "disagrees": None,
}


class FakeEndpoint(ThreadingHTTPServer):
    """Answers what it is asked with `script(handler)`; keeps what it was asked in `asked`.

    The small requests by which it is found out what it can are answered by itself and kept in `probed`, unless
    `probes` is false: `schema` tells whether it holds a model to one, `odds` whether it tells how likely words
    are.
    """

    daemon_threads = True

    def __init__(self, script, *, probes=True, schema=True, odds=False):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.probes, self.schema, self.odds = script, probes, schema, odds
        self.asked, self.probed, self.gone = [], [], threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, address):
        self.gone.set()

    def end(self):
        self.gone.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if server.probes and "hello" in str(body["messages"][-1]["content"]):
            server.probed.append(body)
            self.begin()
            odds = {"content": [{"token": "{", "logprob": -0.1, "top_logprobs": []}]} if server.odds else None
            self.event(
                {
                    "choices": [
                        {"delta": {"content": '{"word":"azure"}' if server.schema else "Hello!"}, "logprobs": odds}
                    ]
                }
            )
            self.say()
            return
        server.asked.append((self.path, dict(self.headers), body))
        server.script(self)

    def log_message(self, *_):
        pass

    def begin(self, status=200, kind="text/event-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def say(self, *pieces, ended="stop", done=True):
        """The pieces as events, and an end."""
        for piece in pieces:
            self.event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]})
        if ended:
            self.event({"choices": [{"delta": {}, "finish_reason": ended}]})
        if done:
            self.wfile.write(b"data: [DONE]\n\n")

    def think(self, *pieces):
        for piece in pieces:
            self.event({"choices": [{"delta": {"reasoning_content": piece}, "finish_reason": None}]})

    def event(self, row):
        self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())

    def json(self, row, status=200):
        self.begin(status, "application/json")
        self.wfile.write(json.dumps(row).encode())


def speak(*pieces, **how):
    """A script that says these pieces."""

    def script(handler):
        handler.begin()
        handler.say(*pieces, **how)

    return script


def go_on(what, *first):
    """A script that says the first pieces, then does something again and again until nobody listens."""

    def script(handler):
        handler.begin()
        if first:
            handler.say(*first, ended="", done=False)
        while not handler.server.gone.is_set():
            what(handler)
            time.sleep(0.05)

    return script


def plan_of(**fields):
    """The text of a plan, with some of its fields changed."""
    return json.dumps(PLAN | fields)
