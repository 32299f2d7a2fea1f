"""The MCP tool: off by default, one tool that remembers nothing, pictures in base64 and never by address."""

import base64
import io
import json
import logging
import socket
import sys

import gradio as gr
import httpx
import pytest
from PIL import Image
from stub_inspector import StubInspector

from assistant.errors import LooktwiceError
from assistant.face.frontend import load_frontend
from assistant.face.shared import Resources
from assistant.face.tool import Tool

app = load_frontend()


@pytest.fixture
def tool(tmp_path):
    return Tool(Resources(StubInspector(), str(tmp_path / "uploads")))


def picture(brightness=230):
    sink = io.BytesIO()
    Image.new("RGB", (64, 32), (brightness,) * 3).save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()


def documented(page):
    return set(page.get_api_info()["named_endpoints"])


def test_mcp_is_off_unless_it_is_asked_for():
    assert app.launch_arguments(7860, "127.0.0.1")["mcp_server"] is False
    assert app.launch_arguments(7860, "127.0.0.1", mcp=True)["mcp_server"] is True
    assert documented(app.build(StubInspector())) == {"/inspect", "/ask"}
    assert documented(app.build(StubInspector(), mcp=True)) == {"/inspect_picture"}


def test_a_missing_package_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **_: pytest.fail("it was launched"))
    with pytest.raises(LooktwiceError, match=r'run `pip install "gradio\[mcp\]"`'):
        app.launch(StubInspector(), mcp=True, wait=False)


def test_a_call_is_judged_and_answered_from_nothing(tool):
    row = json.loads(tool.inspect_picture(picture(), "bracket", "why?"))
    assert row["verdict"] == "defect" and row["mode"] == "few-shot" and row["answer"].endswith("why?")
    next_row = json.loads(tool.inspect_picture(picture(10)))
    assert next_row["verdict"] == "good" and next_row["mode"] == "zero-shot" and "answer" not in next_row
    assert next_row["path"] == "picture"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("http://169.254.169.254/",), "not a file in base64"),
        (("/etc/passwd",), "not a PNG|not a file in base64"),
        (("",), "not a PNG|empty"),
        ((base64.b64encode(b"<svg>").decode(),), "not a PNG"),
        (("A" * 90_000_000,), "larger than 64 MB"),
        ((picture(), "no such product"), "There is no product"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(tool, given, said):
    with pytest.raises(gr.Error, match=said):
        tool.inspect_picture(*given)


def test_a_program_finds_one_tool_and_gets_a_verdict(tmp_path, monkeypatch, free_port):
    pytest.importorskip("mcp")
    monkeypatch.setattr(app, "shield_environment", lambda: [])
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    logging.getLogger("mcp").setLevel(logging.ERROR)
    page = app.launch(StubInspector(), port=free_port, mcp=True, wait=False)
    url = f"{page.local_url}gradio_api/mcp/"
    try:
        tools = call(url, "tools/list", {})["tools"]
        assert [one["name"] for one in tools] == ["inspect_picture"]
        assert set(tools[0]["inputSchema"]["properties"]) == {"picture", "product", "question"}
        said = call(url, "tools/call", {"name": "inspect_picture", "arguments": {"picture": picture()}})
        assert json.loads(said["content"][0]["text"])["verdict"] == "defect"
        assert call(url, "tools/call", {"name": "ask", "arguments": {"question": "why?"}})["isError"]
        assert httpx.post(url, headers={"Host": "rebound.example"}, json={}, trust_env=False).status_code == 400
    finally:
        page.close(verbose=False)


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def call(url, method, given):
    """What the server answers to one request."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
    takes = {"Accept": "application/json, text/event-stream"}
    reply = httpx.post(url, headers=takes, json=asked, timeout=60, trust_env=False).text
    return json.loads(reply.split("data: ", 1)[-1])["result"]
