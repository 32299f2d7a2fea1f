"""What tests of several commands share."""

import sys

import pytest

from assistant.commands import main as cli

WITH_TOWERS = ("inspect", "ask", "learn", "teach", "check", "recalibrate", "batch", "watch")


@pytest.fixture
def run(tiny_home, monkeypatch, capfd, tmp_path):
    """run(*arguments) -> (exit status, standard output, standard error), with the tiny convolutional tower.

    The history is a file of the test's own.
    """
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(tmp_path / "history.sqlite"))

    def call(*arguments):
        chosen = list(map(str, arguments))
        if chosen[0] in WITH_TOWERS:
            chosen += ["--bundle", "tiny-cnn", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["looktwice", *chosen])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, " ".join(err.split())

    return call
