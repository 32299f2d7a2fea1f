"""The settings of a line in a file: what they say, and a sentence for each mistake."""

from pathlib import Path

import pytest

from assistant.errors import LineError
from assistant.line.delivery import Patience
from assistant.line.file_sinks import VerdictFolders
from assistant.line.places import check_places, default_journal, resolve_source
from assistant.line.settings import SinkSettings, Surroundings, list_sinks, read_list, read_settings
from assistant.line.webhook import Webhook

WHOLE = """
[watch]
source = "/mnt/press3"
product = "bracket"

[sinks.mes]
kind = "webhook"
url = "https://mes.example/parts"
secret_env = "MES_SECRET"
timeout = 5
verdicts = ["defect", "review"]
retry_first = 2
retry_longest = 120
refusals = 3
give_up_hours = 12

[sinks.sorted]
kind = "folders"
path = "sorted"
move = true
"""


@pytest.fixture
def written(tmp_path):
    """written(text): the settings in a file with this text."""

    def write(text):
        (tmp_path / "line.toml").write_text(text)
        return read_settings(tmp_path / "line.toml")

    return write


def test_what_a_file_says_is_what_is_opened(written, tmp_path, monkeypatch):
    read = written(WHOLE)
    assert read.watch == {"source": "/mnt/press3", "product": "bracket"}
    mes, by_verdict = read.sinks
    assert mes.verdicts == ("defect", "review") and mes.patience == Patience(2, 120, 3, 12)
    monkeypatch.setenv("MES_SECRET", "a secret of some length")
    route = mes.open()
    assert isinstance(route.sink, Webhook) and route.takes("review") and not route.takes("good")
    folders = by_verdict.open(Surroundings(Path("/mnt/press3"))).sink
    assert isinstance(folders, VerdictFolders) and folders.move and folders.folder == tmp_path / "sorted"


def test_sinks_are_kept_without_their_secrets(written, monkeypatch):
    monkeypatch.setenv("MES_SECRET", "a secret of some length")
    sinks = written(WHOLE).sinks
    kept = list_sinks(sinks)
    assert read_list(kept) == sinks and "of some length" not in kept and read_list(None) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[watch", "are no TOML"),
        ("[what]\n", "There is no table of settings 'what'"),
        ("watch = 3\n", "watch and sinks are tables"),
        ("[sinks]\nmes = 3\n", "A sink is a table"),
        ('[sinks.mes]\nkind = "webhok"\n', "There is no kind of sink 'webhok'. Did you mean 'webhook'?"),
        ('[sinks.mes]\nkind = "webhook"\n', "Sink 'mes': url is missing"),
        ('[sinks.mes]\nkind = "webhook"\nurl = 3\n', "url has a value that it cannot have"),
        ('[sinks.mes]\nkind = "lines"\npath = "a"\nurl = "b"\n', "There is no setting 'url'"),
        ('[sinks.mes]\nkind = "lines"\npath = "a"\nverdicts = ["bad"]\n', "There is no verdict 'bad'"),
        ('[sinks.mes]\nkind = "lines"\npath = "a"\nverdicts = "defect"\n', "verdicts is a list"),
        ('[sinks.mes]\nkind = "lines"\npath = "a"\nrefusals = true\n', "are numbers"),
        ('[sinks.mes]\nkind = "lines"\npath = "a"\nretry_first = 0\n', "Pauses between tries"),
        ('[sinks.history]\nkind = "lines"\npath = "a"\n', "cannot be called 'history'"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(written, text, why):
    with pytest.raises(LineError, match=why.replace("?", r"\?")) as told:
        written(text)
    assert str(told.value).endswith((".", "?"))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LineError, match="cannot be read: No such file"):
        read_settings(tmp_path / "none.toml")


def test_a_webhook_without_a_secret_is_only_opened_where_that_is_said(monkeypatch):
    monkeypatch.delenv("LOOKTWICE_WEBHOOK_SECRET", raising=False)
    with pytest.raises(LineError, match="no secret in the environment variable LOOKTWICE_WEBHOOK_SECRET"):
        SinkSettings("mes", "webhook", {"url": "https://h/"}).open()
    assert SinkSettings("mes", "webhook", {"url": "https://h/", "unsigned": True}).open().sink


def test_what_a_sink_writes_is_not_watched_and_two_do_not_share_a_place(tmp_path):
    inside = SinkSettings("s", "folders", {"path": str(tmp_path / "in" / "sorted")})
    with pytest.raises(LineError, match="the folder that is watched"):
        check_places(tmp_path / "in", [inside])
    with pytest.raises(LineError, match="has the name of one"):
        check_places(tmp_path, [SinkSettings("s", "lines", {"path": "rows.png"})])
    twins = [SinkSettings(name, "lines", {"path": "rows.jsonl"}) for name in "ab"]
    with pytest.raises(LineError, match="Sinks 'a' and 'b' write to one place"):
        check_places(tmp_path, twins)


def test_each_source_has_a_journal_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_LINE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    here, there = default_journal("in"), default_journal("other/in")
    assert here == default_journal(str(tmp_path / "in")) and here != there
    assert here.parent == tmp_path and here.name.startswith("in-")
    assert default_journal("rtsp://camera/1").name.startswith("1-")
    monkeypatch.setenv("CAMERA", "rtsp://user:word@camera/1")
    assert resolve_source("env:CAMERA") == "rtsp://user:word@camera/1" and resolve_source("in") == "in"
    with pytest.raises(LineError, match="no source in the environment variable NONE"):
        resolve_source("env:NONE")
