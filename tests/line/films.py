"""Films for tests: a video file without loss, and a camera that sends JPEGs over HTTP."""

import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
from PIL import Image


def shade(value, seed=0):
    """A frame [48, 64, 3] of about one shade, with noise of its own."""
    noise = np.random.default_rng(seed).integers(0, 4, (48, 64, 3))
    return (np.full((48, 64, 3), value) + noise).clip(0, 255).astype(np.uint8)


def film(path, frames, rate=10):
    """Write frames as a video without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


class WebCamera:
    """A camera that sends what `shows` gives, twenty times a second, while it is up."""

    def __init__(self, shows):
        self.shows, self.port = shows, 0
        self.up()

    @property
    def url(self):
        return f"http://viewer:word@127.0.0.1:{self.port}/stream.mjpg"

    def up(self):
        self._ended = threading.Event()
        ended, outer = self._ended, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                while not ended.is_set():
                    file = io.BytesIO()
                    Image.fromarray(outer.shows()).save(file, "JPEG", quality=95)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {file.tell()}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + file.getvalue() + b"\r\n")
                    except OSError:
                        return
                    time.sleep(0.05)

            def log_message(self, *given):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self):
        self._ended.set()
        self.server.shutdown()
        self.server.server_close()
