"""The settings of a line in a TOML file: what is watched, and where results go.

    [watch]
    source = "/mnt/press3"
    product = "bracket"

    [sinks.mes]
    kind = "webhook"
    url = "https://mes.example/parts"
    secret_env = "LINE_SECRET"
    verdicts = ["defect", "review"]

Secrets stand in environment variables or files of their own, which the settings name; a word that is not known
is refused.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from assistant.errors import LineError, unknown_name
from assistant.inspection import Outcome
from assistant.line.delivery import Patience, Route

if TYPE_CHECKING:
    from assistant.line.sink import Sink
    from assistant.line.trigger import Calls

Kind = Literal["lines", "folders", "webhook", "mqtt", "opcua"]

SECRET_VARIABLE = "LOOKTWICE_WEBHOOK_SECRET"  # noqa: S105  the name of a variable
"""The environment variable that holds the secret of a webhook that is named in the shell."""

HISTORY = "history"
"""The name of the sink that is the history; no other has it."""

_COMMON = ("kind", "verdicts", "retry_first", "retry_longest", "refusals", "give_up_hours")

WORDS: dict[str, dict[str, type]] = {
    "lines": {"path": str},
    "folders": {"path": str, "move": bool},
    "webhook": {
        **{"url": str, "secret_env": str, "secret_file": str, "unsigned": bool},
        **{"timeout": float, "ca_file": str},
    },
    "opcua": {"listen": str, "insecure": bool},
    "mqtt": {
        **{"host": str, "port": int, "topic": str, "client_id": str, "timeout": float},
        **{"username": str, "password_env": str, "password_file": str},
        **{"tls": bool, "ca_file": str, "cert_file": str, "key_file": str},
    },
}
"""What can be said of each kind of sink, besides what can be said of all."""


NEEDED = {"lines": "path", "folders": "path", "webhook": "url", "mqtt": "host", "opcua": "listen"}
"""What has to be said of each kind."""


@dataclass(frozen=True)
class Surroundings:
    """What a sink may have to know of its line: watched folder, station, calls for a camera, counts so far."""

    folder: Path | None = None
    station: str = ""
    calls: Calls | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SinkSettings:
    """One sink as it is set: its name, its kind, and what is said of it. LineError for what makes no sense."""

    name: str
    kind: Kind
    said: Mapping[str, Any] = field(default_factory=dict)
    verdicts: tuple[str, ...] = ()
    patience: Patience = Patience()

    def __post_init__(self) -> None:
        if not self.name or self.name == HISTORY or not self.name.isprintable() or len(self.name) > 60:
            raise LineError(f"A sink cannot be called {self.name[:60]!r}.")
        if unknown := [one for one in self.verdicts if one not in get_args(Outcome)]:
            raise LineError(f"Sink {self.name!r}: {unknown_name('verdict', str(unknown[0]), get_args(Outcome))}")
        known = WORDS[self.kind]
        for word, value in self.said.items():
            if word not in known:
                raise LineError(f"Sink {self.name!r}: {unknown_name('setting', word, [*known, *_COMMON])}")
            kinds = (int, float) if known[word] is float else known[word]
            if not isinstance(value, kinds) or (isinstance(value, bool) and known[word] is not bool):
                raise LineError(f"Sink {self.name!r}: {word} has a value that it cannot have.")
        if not self.said.get(NEEDED[self.kind]):
            raise LineError(f"Sink {self.name!r}: {NEEDED[self.kind]} is missing.")

    def open(self, around: Surroundings | None = None) -> Route:
        """The sink, ready to deliver; LineError where it cannot be used."""
        return Route(self.name, self._open(around or Surroundings()), frozenset(self.verdicts), self.patience)

    def _open(self, around: Surroundings) -> Sink:
        from assistant.line.file_sinks import LineFile, VerdictFolders
        from assistant.line.signing import read_secret
        from assistant.line.webhook import Webhook

        said = dict(self.said)
        if self.kind == "lines":
            return LineFile(Path(said["path"]).expanduser())
        if self.kind == "folders":
            return VerdictFolders(Path(said["path"]).expanduser(), around.folder, said.get("move", False))
        if self.kind == "mqtt":
            return _open_mqtt(said, around.station)
        if self.kind == "opcua":
            from assistant.line.opcua import OpcUaServer

            insecure = said.get("insecure", False)
            return OpcUaServer(said["listen"], around.station, around.calls, around.counts, insecure)
        secret = None
        if not said.get("unsigned"):
            secret = read_secret(said.get("secret_env", SECRET_VARIABLE), said.get("secret_file", ""))
        return Webhook(said["url"], secret, said.get("timeout", 10.0), said.get("ca_file", ""))

    def to_dict(self) -> dict[str, Any]:
        """A row of JSON, without any secret; `from_dict` reverses it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> SinkSettings:
        """Rebuild from `to_dict`."""
        return cls(**{**row, "verdicts": tuple(row["verdicts"]), "patience": Patience(**row["patience"])})


@dataclass(frozen=True)
class WatchSettings:
    """The settings of a line: `watch` has the words of the command, `sinks` are those that results go to."""

    watch: Mapping[str, Any] = field(default_factory=dict)
    sinks: tuple[SinkSettings, ...] = ()


def read_settings(path: Path) -> WatchSettings:
    """The settings in a TOML file; LineError, with the place, where it cannot be read or says what is not known.

    Paths in it count from the folder that the file lies in.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LineError(f"The settings in {path} cannot be read: {error.strerror or 'an error'}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LineError(f"The settings in {path.name} are no TOML: {error}.") from error
    if unknown := sorted(set(read) - {"watch", "sinks"}):
        raise LineError(unknown_name("table of settings", unknown[0], ["watch", "sinks"]))
    watch, sinks = read.get("watch", {}), read.get("sinks", {})
    if not isinstance(watch, dict) or not isinstance(sinks, dict):
        raise LineError(f"In {path.name}, watch and sinks are tables: [watch], [sinks.NAME].")
    home = path.absolute().parent
    return WatchSettings(watch, tuple(_read_sink(name, row, home) for name, row in sinks.items()))


def list_sinks(sinks: tuple[SinkSettings, ...]) -> str:
    """Sinks as they are kept in a journal."""
    return json.dumps([sink.to_dict() for sink in sinks])


def read_list(text: str | None) -> tuple[SinkSettings, ...]:
    """The sinks that `list_sinks` wrote."""
    return tuple(SinkSettings.from_dict(row) for row in json.loads(text or "[]"))


def _open_mqtt(said: dict[str, Any], station: str) -> Sink:
    from assistant.line.mqtt import MqttSink
    from assistant.line.signing import read_hidden

    password = None
    if "password_env" in said or "password_file" in said:
        password = read_hidden(said.get("password_env", ""), said.get("password_file", ""))
    return MqttSink(
        said["host"],
        said.get("port"),
        said.get("topic", "looktwice"),
        station,
        name=said.get("username", ""),
        password=password,
        tls=said.get("tls", False),
        ca=said.get("ca_file", ""),
        certificate=said.get("cert_file", ""),
        key=said.get("key_file", ""),
        client=said.get("client_id", ""),
        seconds=said.get("timeout", 10.0),
    )


def _read_sink(name: str, row: Any, home: Path) -> SinkSettings:
    if not isinstance(row, dict):
        raise LineError(f"A sink is a table, [sinks.{name}], with a kind.")
    kind = row.get("kind")
    if kind not in WORDS:
        raise LineError(f"Sink {name!r}: {unknown_name('kind of sink', str(kind), list(WORDS))}")
    verdicts = row.get("verdicts", [])
    if not isinstance(verdicts, list):
        raise LineError(f'Sink {name!r}: verdicts is a list, as in ["defect", "review"].')
    said = {word: value for word, value in row.items() if word not in _COMMON}
    for word in ("path", *(word for word in said if word.endswith("_file"))):
        if isinstance(said.get(word), str):
            said[word] = str(home / Path(said[word]).expanduser())
    usual = Patience()
    numbers = {
        one.name: row.get(word, getattr(usual, one.name))
        for one, word in zip(fields(Patience), _COMMON[2:], strict=True)
    }
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers.values()):
        raise LineError(f"Sink {name!r}: {', '.join(_COMMON[2:])} are numbers.")
    return SinkSettings(name, kind, said, tuple(map(str, verdicts)), Patience(**numbers))
