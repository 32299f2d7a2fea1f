"""Keys, roles, limits and refusals: who gets in, how much, and from where."""

import json
import stat

import pytest
from parcels import bearer, parts

from assistant.errors import LooktwiceError
from assistant.service.keys import KeyRing, open_keys
from assistant.service.quotas import CallerRates, InFlight
from assistant.service.settings import ServiceSettings

LOOK = [("GET", "/v1/products"), ("GET", "/v1/inspections"), ("GET", "/v1/version"), ("GET", "/metrics")]
CHANGE = [
    ("POST", "/v1/products"),
    ("PATCH", "/v1/products/x"),
    ("DELETE", "/v1/products/x"),
    ("POST", "/v1/products/x/references"),
    ("DELETE", "/v1/products/x/references/1"),
]
USE = [("POST", "/v1/inspect"), ("POST", "/v1/ask")]


def test_without_a_valid_key_nothing_but_health_answers(open_client, keys, files):
    ring, operator, _ = keys
    client = open_client(ring)
    wrong = [
        "",
        "Bearer",
        "Bearer x",
        f"Basic {operator}",
        f"Bearer {operator}x",
        f"Bearer {operator[:-1]}",
        "Bearer look_",
    ]
    for method, address in LOOK + CHANGE + USE:
        for header in wrong:
            refused = client.request(method, address, headers={"Authorization": header} if header else {})
            assert refused.status_code == 401, (address, header)
            assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get("/v1/health").json() == {"status": "ok", "stuck": 0}


def test_an_operator_inspects_and_an_engineer_also_teaches(open_client, keys, files, good):
    ring, operator, engineer = keys
    client = open_client(ring)
    for token in (operator, engineer):
        sent = client.post("/v1/inspect", files=parts("pictures", [files["good"]]), headers=bearer(token))
        assert sent.status_code == 200
        assert all(client.request(*one, headers=bearer(token)).status_code == 200 for one in LOOK)
    for method, address in CHANGE:
        refused = client.request(method, address, headers=bearer(operator), json={"target_false_alarm": 0.1})
        assert refused.status_code == 403, address
        assert client.request(method, address, headers=bearer(engineer)).status_code != 403


def test_a_revoked_key_opens_nothing_at_once(open_client, keys):
    ring, operator, _ = keys
    client = open_client(ring)
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 200
    KeyRing(ring.path).revoke("otto")  # as another process does
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 401


def test_a_file_of_keys_that_is_lost_or_damaged_lets_nobody_in(open_client, keys):
    ring, operator, _ = keys
    client = open_client(ring)
    ring.path.write_text("{")
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 401
    ring.path.unlink()
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 401
    assert client.get("/v1/version").status_code == 401


APPEARANCES = {
    "a key": lambda path: KeyRing(path).add("later", "operator"),
    "nothing in it": lambda path: path.touch(),
    "broken": lambda path: path.write_text('{"schema": 1, "keys": [{"id"'),
    "another schema": lambda path: path.write_text('{"schema": 2, "keys": []}'),
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("unmounted")),
    "a loop": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("appear", APPEARANCES.values(), ids=APPEARANCES)
def test_a_file_of_keys_that_appears_closes_the_service_at_once_and_for_good(open_client, tmp_path, appear):
    path = tmp_path / "later.json"
    client = open_client(open_keys(path))
    schemes = lambda: client.get("/openapi.json").json()["components"].get("securitySchemes")  # noqa: E731
    assert client.get("/v1/products").status_code == 200 and not schemes()
    token = appear(path)
    for method, address in LOOK + CHANGE + USE:
        assert client.request(method, address).status_code == 401
    if isinstance(token, str):
        assert client.get("/v1/products", headers=bearer(token)).status_code == 200 and schemes()
    path.rmdir() if path.is_dir() else path.unlink()
    assert client.get("/v1/products").status_code == 401
    assert token is None or client.get("/v1/products", headers=bearer(str(token))).status_code == 401


def test_a_file_of_keys_that_may_no_longer_be_read_lets_nobody_in(open_client, keys, monkeypatch):
    ring, operator, _ = keys
    client = open_client(ring)
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 200
    ring.path.chmod(0o000)
    monkeypatch.setattr(type(ring.path), "read_text", _refuse)  # root may read whatever the mode is
    assert client.get("/v1/version", headers=bearer(operator)).status_code == 401
    assert client.get("/v1/version").status_code == 401
    with pytest.raises(LooktwiceError, match="missing or damaged"):
        open_keys(ring.path)


def test_a_folder_of_keys_that_may_not_be_looked_into_counts_as_keys(tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.service.keys.os.lstat", _refuse)
    monkeypatch.setattr("assistant.service.keys.os.stat", _refuse)
    with pytest.raises(LooktwiceError, match="missing or damaged"):
        open_keys(tmp_path / "keys.json")


def _refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


def test_the_file_holds_no_token_and_belongs_to_its_owner(keys):
    ring, operator, engineer = keys
    content = ring.path.read_text()
    assert operator not in content and operator.split("_", 2)[2] not in content and engineer not in content
    assert stat.S_IMODE(ring.path.stat().st_mode) == 0o600
    assert len(operator.split("_", 2)[2]) >= 43  # 256 bits
    assert ring.find(operator).role == "operator" and ring.find(engineer).name == "eva"


def test_keys_have_a_name_of_their_own_and_a_role(keys, tmp_path):
    ring, _, _ = keys
    for name, role in (
        ("otto", "operator"),
        ("", "operator"),
        ("x" * 61, "operator"),
        ("a\x07", "operator"),
        ("z", "chief"),
    ):
        with pytest.raises(LooktwiceError):
            ring.add(name, role)
    ring.revoke("otto")
    with pytest.raises(LooktwiceError, match="no valid key"):
        ring.revoke("otto")
    ring.add("otto", "engineer")
    assert not open_keys(tmp_path / "none.json").required
    (tmp_path / "bad.json").write_text(json.dumps({"schema": 9, "keys": []}))
    with pytest.raises(LooktwiceError, match="damaged"):
        open_keys(tmp_path / "bad.json")


def test_the_rate_of_one_key_is_bounded_and_not_that_of_another(open_client, keys):
    ring, operator, engineer = keys
    client = open_client(ring, rate=0.5, burst=3)
    answers = [client.get("/v1/version", headers=bearer(operator)) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
    assert client.get("/v1/version", headers=bearer(engineer)).status_code == 200


def test_a_bucket_fills_again_with_time():
    now = [0.0]
    rates = CallerRates(2.0, 2, clock=lambda: now[0])
    assert [rates.take("a") for _ in range(3)] == [0, 0, pytest.approx(0.5)]
    now[0] = 0.5
    assert rates.take("a") == 0 and rates.take("a") > 0
    now[0] = 100.0
    assert [rates.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_too_many_bytes_are_refused_before_they_are_read(open_client, files):
    client = open_client(most_bytes=50_000, most_bytes_together=50_000)
    big = [("pictures", ("a.png", b"x" * 60_000))]
    refused = client.post("/v1/inspect", files=big)
    assert refused.status_code == 413 and "50000 bytes" in refused.json()["detail"]

    def unannounced():
        for _ in range(60):
            yield b"x" * 1000

    kind = {"Content-Type": "application/json"}
    assert client.post("/v1/inspect", content=unannounced(), headers=kind).status_code == 413
    assert client.post("/v1/ask", content=unannounced(), headers=kind).status_code == 413
    assert client.app.state.service.in_flight.bytes == 0


def test_too_many_pictures_are_refused(open_client, inspector, files, monkeypatch):
    monkeypatch.setattr(inspector, "inspect", lambda *a, **k: pytest.fail("it was inspected"))
    client = open_client(most_pictures=2)
    for count in (3, 9):
        many = client.post("/v1/inspect", files=parts("pictures", [files["good"]] * count))
        assert many.status_code == 422 and "at most 2 pictures" in many.json()["detail"]
    body = {"pictures": [{"data": ""}] * 3}
    assert client.post("/v1/inspect", json=body).status_code == 422


def test_load_counts_what_is_in_flight():
    load = InFlight(2, 100)
    with load.request() as first, load.request() as second, load.request() as third:
        assert (first, second, third) == (True, True, False) and load.requests == 2
    assert load.requests == 0
    assert load.add(60) and not load.add(60) and load.bytes == 60
    load.add(-60)
    assert load.bytes == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": ""}, 400),
        ({"Host": "127.0.0.1:8100"}, 200),
        ({"Host": "[::1]:8100"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_and_other_names_are_refused(client, headers, status):
    answer = client.get("/v1/version", headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_site_that_is_allowed_by_name_may_call(open_client):
    client = open_client(origins=("https://line.example",))
    allowed = client.get("/v1/version", headers={"Origin": "https://line.example"})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == "https://line.example"
    asked = {"Origin": "https://line.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/inspect", headers=asked).status_code == 200
    assert client.get("/v1/version", headers={"Origin": "https://other.example"}).status_code == 403
    with pytest.raises(ValueError, match="by name"):
        ServiceSettings(origins=("*",))


def test_every_answer_is_shielded(client):
    for address in ("/v1/health", "/v1/products", "/v1/nowhere", "/v1/products/none", "/metrics", "/openapi.json"):
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"


def test_what_is_not_there_is_a_problem_too(client):
    for method, address, status in (("GET", "/", 404), ("GET", "/v1/x", 404), ("PUT", "/v1/inspect", 405)):
        answer = client.request(method, address)
        assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) == {"type", "title", "status", "detail", "id"}
    assert client.put("/v1/products/x").headers["allow"] == "DELETE, GET, PATCH"


def test_settings_that_let_nothing_through_are_refused():
    for wrong in ({"most_gathered": 0}, {"rate": 0}, {"wait_ms": -1}, {"queue": 4}, {"most_bytes_together": 1}):
        with pytest.raises(ValueError):
            ServiceSettings(**wrong)


def test_the_counters_count_and_carry_no_name_of_a_client(client, files):
    client.post("/v1/inspect", files=parts("pictures", [files["good"], b"no"]))
    client.get("/v1/products/secret-name")
    client.request("BREW", "/v1/coffee-address")
    text = client.get("/metrics").text
    assert 'looktwice_pictures_total{verdict="error"} 1.0' in text
    assert 'looktwice_requests_total{method="POST",route="/v1/inspect",status="200"} 1.0' in text
    assert 'route="/v1/products/{id}",status="404"' in text and 'method="other"' in text
    assert "secret-name" not in text and "coffee" not in text and "BREW" not in text
    assert "looktwice_batch_pictures_count 1.0" in text
