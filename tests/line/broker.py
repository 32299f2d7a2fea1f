"""A mosquitto of a test's own, on a free port, that may go away and come back."""

import os
import shutil
import socket
import subprocess
import time


def what_is_missing():
    """Why there is no broker here, "" where there is one."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return "" if found else "mosquitto is not installed (apt-get install mosquitto)"


class Broker:
    """`lines` are those of its configuration beyond the port; what it retains outlives a stop."""

    def __init__(self, folder, *lines):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        usual = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        if not any(line.startswith("password_file") for line in lines):
            usual.append("allow_anonymous true")
        if os.name == "posix" and os.getuid() == 0:
            usual.append("user root")
        self.config.write_text("\n".join([*usual, *lines]) + "\n")
        self._process = None

    def start(self):
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        command = [shutil.which("mosquitto", path=path), "-c", str(self.config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None, "mosquitto ended"
                assert time.monotonic() < until, "mosquitto does not listen"
                time.sleep(0.05)

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None
