"""A PostgreSQL server that is thrown away afterwards, for tests and measurements of this checkout.

It listens on this machine only, on a free port, with data in a temporary folder, and runs as another user where
this program runs as root: the server itself refuses to.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

UNPRIVILEGED = ("postgres", "nobody")
"""Users that it may run as, the first that there is."""

START_SECONDS = 60.0


class Unavailable(Exception):
    """PostgreSQL is not installed here, or cannot be started, in one sentence."""


class Server:
    """A running server; `url(name)` is a database in it, made where there is none."""

    def __init__(self, folder: Path, binaries: Path, user: dict[str, Any]) -> None:
        self.folder, self._binaries, self._user = folder, binaries, user
        self.port = _free_port()

    def url(self, name: str | None = None) -> str:
        """The URL of a database; without a name of a new and empty one."""
        name = name or f"d{secrets.token_hex(6)}"
        with self._connect() as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if not there:
                connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql://tester@127.0.0.1:{self.port}/{name}"

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of the server, in its first database, and return the rows."""
        with self._connect() as connection:
            done = connection.execute(sql)
            return done.fetchall() if done.description else []

    def start(self) -> None:
        """Start it and wait until it answers; Unavailable where it does not."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        log = self.folder / "log"
        told = self._run("pg_ctl", "-w", "-t", f"{START_SECONDS:.0f}", "-o", options, "-l", log, "start")
        if told.returncode:
            raise Unavailable(f"PostgreSQL did not start: {told.stdout.strip() or told.stderr.strip()}")

    def stop(self, how: str = "immediate") -> None:
        """Stop it, at once as after a crash, or "fast" as an administrator does; it can be started again."""
        self._run("pg_ctl", "-m", how, "-w", "stop")

    def settle(self, **settings: str) -> None:
        """Write settings that hold from the next start on."""
        lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(lines)

    def make(self) -> None:
        """Make its data folder; Unavailable where that fails."""
        told = self._run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        if told.returncode:
            raise Unavailable(f"initdb failed: {told.stderr.strip().splitlines()[-1]}")

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(host="127.0.0.1", port=self.port, user="tester", dbname="postgres", autocommit=True)

    def _run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self._binaries / program), "-D", str(self.folder / "data"), *map(str, arguments)]
        quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "text": True, "cwd": "/", "check": False}
        # through files: a server that goes on holds the ends of pipes open
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(command, stdout=out, stderr=err, **quiet, **self._user)
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())


def find_binaries() -> Path | None:
    """The folder of the server's programs; None where it is not installed."""
    homes = [Path(found).resolve().parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    homes += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((home for home in homes if (home / "initdb").is_file() and (home / "pg_ctl").is_file()), None)


@contextmanager
def serve(*, synced: bool = False) -> Iterator[Server]:
    """A running server, gone when the block ends; Unavailable where there can be none.

    `synced`: whether it waits for the disk, as one that is worked with does; tests do without.
    """
    binaries = find_binaries()
    if binaries is None:
        raise Unavailable("PostgreSQL is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="looktwice-postgres-"))
    try:
        server = Server(folder, binaries, _as_other_user(folder))
        server.make()
        if not synced:
            server.settle(fsync="off", full_page_writes="off")
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_other_user(folder: Path) -> dict[str, Any]:
    """What makes a program run as somebody else, to whom the folder is given; nothing for who is not root."""
    if os.geteuid():
        return {}
    for name in UNPRIVILEGED:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise Unavailable("PostgreSQL refuses to run as root, and there is no other user here")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
