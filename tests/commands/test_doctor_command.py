"""`looktwice doctor` and `looktwice pull --sizes`: what they print and with which status they end."""

import json

import pytest

from assistant.doctor.finding import Diagnosis, Finding

FINE = Finding("bundle", "works", "pocket, whole.", facts={"bytes": 3})
LACKING = Finding("extra ui", "note", "Missing: gradio.", 'Run `pip install "looktwice[ui]"`.')
BAD = Finding("towers", "fails", "They do not run [at all].", "Run `looktwice pull pocket`.")


@pytest.fixture
def found(monkeypatch):
    """found(finding, ...): what the examination finds; returns what it was asked."""

    def put(*findings):
        asked = []

        def examine(bundle, *, device, network, tell):
            asked.append((bundle, device, network))
            tell("Trying: bundle", 0.5)
            return Diagnosis(findings)

        monkeypatch.setattr("assistant.doctor.examine", examine)
        return asked

    return put


def test_all_that_is_needed_works_is_status_0_though_an_extra_is_missing(run, found):
    asked = found(FINE, LACKING)
    status, out, err = run("doctor")
    assert status == 0 and "All that is needed works: 1 works, 1 note" in err
    assert asked == [("pocket", None, False)]
    assert 'Run `pip install "looktwice[ui]"`.' in out and "pocket, whole." in out


def test_a_failure_is_status_1_with_what_to_do(run, found):
    found(FINE, BAD)
    status, out, err = run("doctor")
    assert status == 1 and "Not all that is needed works" in err
    assert "They do not run [at all]." in out and "-> Run `looktwice pull pocket`." in out


def test_as_json_it_is_one_object_for_programs(run, found):
    asked = found(FINE, BAD)
    status, out, _ = run("doctor", "--json", "--network", "--bundle", "my.toml", "--device", "cuda:1")
    said = json.loads(out)
    assert status == 1 and said["works"] is False and asked == [("my.toml", "cuda:1", True)]
    assert said["findings"][0]["facts"] == {"bytes": 3}


def test_sizes_are_said_and_nothing_is_fetched(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("assistant.models.pull.pull_bundle", lambda *a, **k: pytest.fail("something was fetched"))
    status, _, err = run("pull", "tiny-cnn", "--sizes")
    assert status == 0 and "To fetch: Python package tiny 1.0" in err and "On disk it takes up to" in err
    assert not (tmp_path / "empty").exists()


def test_a_card_of_ones_own_is_listed_by_its_path(run, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'schema = 1\nname = "mine"\ntitle = "Mine"\nlicence = "mine"\nmeasured = false\nnote = "My own."\n'
        '[language]\nkind = "vision"\n[language.source]\npath = "weights"\nlicence = "mine"\n'
    )
    status, out, _ = run("bundles", str(tmp_path / "mine.toml"))
    assert status == 0 and "mine: not fetched" in out and "My own." in out
    status, out, _ = run("bundles", str(tmp_path / "mine.toml"), "--json")
    assert [row["state"] for row in json.loads(out)] == ["missing"]
