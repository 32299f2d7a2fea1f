"""A receiver of webhooks that fails as it is told to, and remembers what it has taken."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """`behaves` says for each request, by its number: a status, (status, headers), "hang" or "drop".

    `got` are the requests that were answered with 2xx, `asked` all: (headers, body as bytes).
    """

    def __init__(self, behaves=lambda number: 200, port=0):
        self.behaves, self.got, self.asked = behaves, [], []
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                if len(body) < int(self.headers["content-length"]):  # whoever sent it was killed
                    self.close_connection = True
                    return
                outer.asked.append((dict(self.headers), body))
                how = outer.behaves(len(outer.asked) - 1)
                if how == "hang":
                    outer.release.wait(20)
                    self.close_connection = True
                    return
                if how == "drop":
                    self.close_connection = True
                    return
                status, headers = how if isinstance(how, tuple) else (how, {})
                if 200 <= status < 300:
                    outer.got.append((dict(self.headers), body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *given):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *given):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/parts"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def parts(self):
        """The numbers of the parts that were taken, in order."""
        return [json.loads(body)["part"] for _, body in self.got]

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
