"""Webhooks: signed, refused, late, hung up on, sent elsewhere, and an HTTP server that comes back."""

import base64
import hashlib
import hmac
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from line_parts import Shelf, draw, wait_for

from assistant.errors import LineError
from assistant.line.delivery import Delivery
from assistant.line.event import make_event
from assistant.line.signing import read_secret, sign
from assistant.line.sink import Attachments, Away, Letter, Refused
from assistant.line.webhook import Webhook

SECRET = b"0123456789abcdef"
PAGE = Path(__file__).parents[2] / "docs" / "line.md"


@pytest.fixture
def letter(begin, folder, to):
    """A letter with the result of a part."""
    (folder / "a.png").write_bytes(draw(1))
    shelf = Shelf()
    list(begin(to(shelf)).run(once=True))
    return shelf.letters[0]


def verify():
    """The function that the page gives to receivers."""
    code = re.search(r"```python\n(.*?def verify\(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    names = {}
    exec(code, names)
    return names["verify"]


def test_a_result_is_posted_as_json_with_a_signature_that_the_page_verifies(receive, letter):
    receiver = receive()
    Webhook(receiver.url, SECRET).deliver(letter)
    [(headers, body)] = receiver.got
    assert json.loads(body) == letter.event.body
    assert headers["Content-Type"] == "application/json" and headers["webhook-id"] == letter.event.id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    accept = verify()
    assert accept(SECRET, headers, body)
    assert not accept(SECRET, headers, body.replace(b"good", b"bad!"))
    assert not accept(b"another secret..", headers, body)
    late = headers | {"webhook-timestamp": str(int(time.time()) - 3600)}
    assert not accept(SECRET, late | sign(SECRET, letter.event.id, int(late["webhook-timestamp"]), body), body)
    assert not accept(SECRET, headers | {"webhook-timestamp": str(int(time.time()) + 1)}, body)


def test_the_signature_is_that_of_standard_webhooks():
    # the vector of its reference implementations
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    signed = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    assert made["webhook-signature"][3:] == base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def test_without_a_secret_there_is_no_signature(receive, letter):
    receiver = receive()
    Webhook(receiver.url).deliver(letter)
    [(headers, _)] = receiver.got
    assert "webhook-signature" not in headers and headers["webhook-id"] == letter.event.id


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_takes_a_result(receive, letter, status):
    Webhook(receive(lambda number: status).url).deliver(letter)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_later_is_tried_again(receive, letter, status):
    with pytest.raises(Away, match=f"answered with HTTP {status}") as told:
        Webhook(receive(lambda number: (status, {"Retry-After": "7"})).url).deliver(letter)
    assert told.value.after == 7


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413, 422])
def test_never_refuses_this_result(receive, letter, status):
    with pytest.raises(Refused, match=f"refused it with HTTP {status}"):
        Webhook(receive(lambda number: status).url).deliver(letter)


def test_a_redirect_is_not_followed(receive, letter):
    elsewhere = receive()
    receiver = receive(lambda number: (307, {"Location": elsewhere.url}))
    with pytest.raises(Refused, match="a redirect"):
        Webhook(receiver.url, SECRET).deliver(letter)
    assert not elsewhere.asked


def test_a_server_that_hangs_or_hangs_up_is_away(receive, letter):
    with pytest.raises(Away, match="gave no answer in time"):
        Webhook(receive(lambda number: "hang").url, seconds=0.2).deliver(letter)
    with pytest.raises(Away, match="broke off"):
        Webhook(receive(lambda number: "drop").url).deliver(letter)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Away, match="nothing answers there"):
        Webhook(f"http://127.0.0.1:{port}/").deliver(letter)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/", "begins with https"),
        ("mes.example/parts", "begins with https"),
        ("https://user:word@host/", "no name and no password"),
        ("https://host:a/", "not a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(url, why):
    with pytest.raises(LineError, match=why) as told:
        Webhook(url)
    assert "word" not in str(told.value).replace("password", "")


def test_secrets_come_from_a_variable_or_a_file_and_are_long_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("LINE", "whsec_" + base64.b64encode(SECRET).decode())
    assert read_secret("LINE") == SECRET
    monkeypatch.setenv("LINE", "sixteen letters!")
    assert read_secret("LINE") == b"sixteen letters!"
    (tmp_path / "secret").write_text("sixteen letters!\n")
    assert read_secret(file=str(tmp_path / "secret")) == b"sixteen letters!"
    for text, why in (("short", "fewer than 16 bytes"), ("whsec_no!", "no base64"), ("", "no secret")):
        monkeypatch.setenv("LINE", text)
        with pytest.raises(LineError, match=why) as told:
            read_secret("LINE")
        assert not text or text not in str(told.value)
    with pytest.raises(LineError, match="cannot be read: No such file"):
        read_secret(file=str(tmp_path / "none"))


def test_a_server_that_fails_in_every_way_has_all_in_the_end(begin, folder, receive, to, journal, said):
    """It refuses, hangs, breaks off, redirects and goes away: nothing is lost, and ids tell what came twice."""
    ways = [500, "drop", "hang", 503, (429, {"Retry-After": "0"}), 200, "drop", 200, 502]
    receiver = receive(lambda number: ways[number] if number < len(ways) else 200)
    for i in range(12):
        (folder / f"{i}.png").write_bytes(draw(i))
    route = to(Webhook(receiver.url, SECRET, seconds=0.3), "mes")
    assert len(list(begin(route).run(once=True))) == 12
    again = Delivery(journal.outbox, [to(Webhook(receiver.url, SECRET, seconds=0.3), "mes")], said.append)
    again.start()
    wait_for(lambda: not journal.outbox.waiting())
    again.stop()
    assert receiver.parts == list(range(1, 13)), "in order, since one at a time is sent"
    ids = [headers["webhook-id"] for headers, _ in receiver.asked]
    assert len(set(ids)) == 12 and len(ids) > 12
    assert said.count("The sink 'mes' is back.") >= 1


def test_a_server_that_is_away_for_a_while_gets_what_it_missed(begin, folder, receive, to, journal, said):
    first = receive()
    port, url = first.port, first.url
    (folder / "a.png").write_bytes(draw(1))
    list(begin(to(Webhook(url), "mes")).run(once=True))
    first.close()
    for i in range(5):
        (folder / f"{i}.png").write_bytes(draw(10 + i))
    list(begin(to(Webhook(url), "mes")).run(once=True))
    assert journal.outbox.waiting()["mes"] == 5 and "nothing answers there" in said[0]
    second = receive(port=port)
    list(begin(to(Webhook(url), "mes")).run(once=True))
    assert first.parts == [1] and second.parts == [2, 3, 4, 5, 6]


def test_an_event_is_strict_json_in_ascii():
    from assistant.inspection import Inspection

    event = make_event("0" * 32, 1, "ü\udcff.png", "", "", Inspection("ü\udcff.png", "error", "no"), {"error": 1})
    letter = Letter(1, "mes", event, 0, Attachments, bytes)
    assert json.loads(letter.event.to_json().encode("ascii"))["source"] == "ü\udcff.png"


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_is_trusted_only_where_that_is_said(receive, letter, tmp_path):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    receiver = receive()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    url = receiver.url.replace("http:", "https:")
    with pytest.raises(Away, match="its certificate is not trusted"):
        Webhook(url, SECRET).deliver(letter)
    Webhook(url, SECRET, ca=str(tmp_path / "ca.pem")).deliver(letter)
    assert receiver.parts == [1]
    with pytest.raises(LineError, match="certificates in .* cannot be read"):
        Webhook(url, ca=str(tmp_path / "none.pem"))
