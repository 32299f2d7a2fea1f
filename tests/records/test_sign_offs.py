"""Sign-offs: people's decisions stand beside verdicts and change none; they are counted, exported, and labels."""

import csv
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from assistant.errors import AuditError, HistoryError
from assistant.inspection import Evidence, Inspection
from assistant.products.audit import AuditLog
from assistant.records.agreement import Agreement, Tally, agreement_of, describe
from assistant.records.entries import Query
from assistant.records.history import History
from assistant.records.sign_offs import labels_of

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
OLD_TABLES = """
CREATE TABLE looktwice_settings (name VARCHAR(32) NOT NULL, value VARCHAR(255) NOT NULL, PRIMARY KEY (name));
INSERT INTO looktwice_settings VALUES ('schema', '1');
CREATE TABLE looktwice_runs (id VARCHAR(32) NOT NULL, state VARCHAR(16) NOT NULL, total INTEGER NOT NULL,
    sources TEXT NOT NULL, settings TEXT NOT NULL, lot VARCHAR(255) NOT NULL, created VARCHAR(32) NOT NULL,
    owner VARCHAR(255) NOT NULL, held_until VARCHAR(32) NOT NULL, PRIMARY KEY (id));
CREATE TABLE looktwice_inspections (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
    verdict VARCHAR(16) NOT NULL, score DOUBLE, product VARCHAR(255) NOT NULL, lot VARCHAR(255) NOT NULL,
    created VARCHAR(32) NOT NULL, run VARCHAR(32), place INTEGER, "row" TEXT NOT NULL, map BLOB,
    map_height INTEGER, map_width INTEGER, map_peak DOUBLE, preview BLOB, UNIQUE (run, place),
    FOREIGN KEY(run) REFERENCES looktwice_runs (id));
CREATE TABLE looktwice_turns (id INTEGER NOT NULL, inspection INTEGER NOT NULL, question TEXT NOT NULL,
    answer TEXT NOT NULL, created VARCHAR(32) NOT NULL, PRIMARY KEY (id),
    FOREIGN KEY(inspection) REFERENCES looktwice_inspections (id));
"""
"""The tables of a history before there were sign-offs, as they were made then."""


@pytest.fixture
def history(place):
    kept = History(place)
    yield kept
    kept.close()


@pytest.fixture
def log(tmp_path):
    return AuditLog(tmp_path / "products" / "audit.jsonl")


def judged(verdict, path="/nowhere/part.png", score=0.5, at=NOON, product="cap"):
    unrated = verdict == "unrated"
    return Inspection(
        path=str(path),
        mode="zero-shot" if unrated else "few-shot",
        score=score,
        verdict=verdict,
        product=None if unrated else product,
        references=0 if unrated else 4,
        evidence=Evidence("conformal", "Set by counting.", 20, 0.05, 1 / 21),
        created=at.isoformat(timespec="seconds"),
        **({} if unrated else {"p_value": 0.2, "threshold": 0.6, "review_threshold": 0.4}),
    )


def test_a_sign_off_stands_beside_a_verdict_that_stays(history, log):
    id = history.add(judged("review"))
    before = history.get(id)
    first = history.sign_offs.add(id, "good", "  a scratch\nwithin tolerance ", "eva", log=log)
    second = history.sign_offs.add(id, "defect", "deeper than it looked", "otto", actor="key line-3", log=log)
    after = history.get(id)
    assert after.inspection == before.inspection and before.sign_off is None and after.sign_off == second
    assert (first.reason, first.name) == ("a scratch within tolerance", "eva") and second.actor == "key line-3"
    assert history.sign_offs.of(id) == (first, second)
    assert [kept.sign_off for kept in history.search().rows] == [second]
    noted = [(entry.action, entry.actor, entry.details["decision"]) for entry in log.entries()]
    assert noted == [("sign off", first.actor, "good"), ("sign off", "key line-3", "defect")]
    assert log.verify().ok


def test_the_newest_that_was_not_withdrawn_counts_and_all_are_kept(history, log):
    id = history.add(judged("defect"))
    for decision in ("good", "defect", "good"):
        history.sign_offs.add(id, decision, "looked again", "eva", log=log)
    one, two, three = (given.id for given in history.sign_offs.of(id))
    assert history.sign_offs.withdraw(id, "otto", log=log).id == three
    assert history.get(id).sign_off.id == two
    assert history.sign_offs.withdraw(id, "otto", sign_off=one, log=log).id == one
    assert history.search().rows[0].sign_off.id == two
    history.sign_offs.withdraw(id, "otto", log=log)
    assert history.get(id).sign_off is None and history.search(Query(signed="no")).total == 1
    given = history.sign_offs.of(id)
    assert len(given) == 3 and {one.withdrawn_by for one in given} == {"otto"} and all(g.withdrawn for g in given)
    with pytest.raises(HistoryError, match="no sign-off that could be withdrawn"):
        history.sign_offs.withdraw(id, "otto", log=log)
    assert [entry.action for entry in log.entries()].count("withdraw sign-off") == 3


@pytest.mark.parametrize(
    ("give", "sentence"),
    [
        (lambda s: s.add(9, "good", "why", "eva", log=None), "no inspection 9"),
        (lambda s: s.withdraw(9, "eva", log=None), "no inspection 9"),
        (lambda s: s.add(1, "fine", "why", "eva", log=None), "as good or as defect, not as 'fine'"),
        (lambda s: s.add(1, "good", " \n", "eva", log=None), "has a reason"),
        (lambda s: s.add(1, "good", "x" * 501, "eva", log=None), "1 to 500 printable"),
        (lambda s: s.add(1, "good", "why", "e\x1bva", log=None), "who gives it"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_kept_nowhere(history, give, sentence):
    history.add(judged("review"))
    with pytest.raises(HistoryError, match=sentence):
        give(history.sign_offs)
    assert not history.sign_offs.of(1)


def test_what_cannot_be_noted_in_the_log_is_not_kept(history, log):
    id = history.add(judged("review"))
    log.path.mkdir(parents=True)
    with pytest.raises(AuditError):
        history.sign_offs.add(id, "good", "why", "eva", log=log)
    assert not history.sign_offs.of(id)


def test_parts_are_found_by_what_they_were_signed_off_as(history):
    ids = [history.add(judged(verdict)) for verdict in ("review", "review", "good", "defect", "review")]
    for id, decision in zip(ids, ("good", "defect", "defect"), strict=False):
        history.sign_offs.add(id, decision, "seen", "eva", log=None)

    def found(signed, *verdicts):
        return {kept.id for kept in history.search(Query(signed=signed, verdicts=verdicts)).rows}

    assert found("yes") == set(ids[:3]) and found("no") == set(ids[3:])
    assert found("good") == {ids[0]} and found("defect") == set(ids[1:3])
    assert found("no", "review") == {ids[4]} and found("defect", "good") == {ids[2]}
    assert history.search(Query(signed="no")).counts == {"defect": 1, "review": 1}
    assert history.scores(Query(signed="yes")).keys() == {"review", "good"}
    with pytest.raises(HistoryError, match="not 'maybe'"):
        Query(signed="maybe")


def test_agreement_is_counted_by_the_sign_offs_that_count(history):
    plan = {"review": ("good", "good", "defect", None), "defect": ("good", None), "good": ("defect", "good", None)}
    for verdict, decisions in plan.items():
        for decision in decisions:
            id = history.add(judged(verdict), lot="L1")
            if decision:
                history.sign_offs.add(
                    id, "good" if decision == "defect" else "defect", "at first", "eva", log=None
                )
                history.sign_offs.add(id, decision, "on second thought", "eva", log=None)
    history.add(judged("review"), lot="L2")
    history.add(Inspection("x", "error", "unreadable"), lot="L1")
    found = history.sign_offs.agreement(Query(lot="L1"))
    assert found == Agreement(
        defect=Tally(2, 1, 0), review=Tally(4, 2, 1), good=Tally(3, 1, 1), error=Tally(1, 0, 0)
    )
    assert (found.overkill, found.escapes, found.signed) == (1, 1, 6)
    assert describe(found) == (
        "4 in review, 3 signed off: 2 good, 1 defect; 2 called defect, 1 signed off: 1 good (overkill); "
        "3 called good, 2 signed off: 1 good, 1 defect (escaped)."
    )
    assert history.sign_offs.agreement().review == Tally(5, 2, 1)


def test_an_agreement_says_what_waits_and_nothing_where_nothing_does():
    assert describe(agreement_of([("good", None, 40)])) == ""
    assert (
        describe(agreement_of([("review", None, 1200), ("good", None, 3)])) == "1,200 in review, none signed off."
    )
    many = agreement_of([("review", None, 3), ("review", "good", 7), ("review", "defect", 2)])
    assert describe(many) == "12 in review, 9 signed off: 7 good, 2 defect."
    assert json.loads(json.dumps(many.to_dict()))["review"] == {"inspected": 12, "good": 7, "defect": 2}


def test_exports_have_what_people_decided(history, tmp_path):
    signed, other = history.add(judged("review")), history.add(judged("review"))
    history.sign_offs.add(signed, "defect", "=SUM(A1)", "eva", log=None)
    query = Query(order="oldest")
    history.export(query, tmp_path / "a.csv")
    history.export(query, tmp_path / "a.jsonl")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        one, none = csv.DictReader(file)
    assert (one["verdict"], one["signed_off"], one["signed_by"]) == ("review", "defect", "eva")
    assert one["sign_off_reason"] == "'=SUM(A1)" and datetime.fromisoformat(one["signed_at"]).tzinfo
    assert none["signed_off"] == none["signed_at"] == "" and none["id"] == str(other)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows[0]["sign_off"]["reason"] == "=SUM(A1)" and rows[1]["sign_off"] is None


def test_a_purge_takes_sign_offs_along(history):
    old, new = history.add(judged("review")), history.add(judged("review", at=NOON + timedelta(days=2)))
    for id in (old, new):
        history.sign_offs.add(id, "good", "seen", "eva", log=None)
    assert history.purge(NOON + timedelta(days=1)) == 1
    assert history.sign_offs.agreement().signed == 1 and not history.sign_offs.of(old)


def test_a_history_of_before_opens_and_works_and_its_own_version_still_works_with_it(tmp_path):
    path, one = tmp_path / "old.sqlite", judged("review")
    with sqlite3.connect(path) as raw:
        raw.executescript(OLD_TABLES)
        raw.execute(
            'INSERT INTO looktwice_inspections (name, verdict, score, product, lot, created, "row") '
            "VALUES ('part.png', 'review', 0.5, 'cap', '', ?, ?)",
            (NOON.isoformat(timespec="microseconds"), one.to_json()),
        )
    history = History(path)
    assert history.get(1).inspection == one and history.search(Query(signed="no")).total == 1
    history.sign_offs.add(1, "good", "seen", "eva", log=None)
    assert history.search().rows[0].sign_off.name == "eva"
    history.close()
    with sqlite3.connect(path) as raw:  # as the version of then removes what is old
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("DELETE FROM looktwice_inspections")
        assert raw.execute("SELECT count(*) FROM looktwice_sign_offs").fetchone() == (0,)
        assert raw.execute("SELECT value FROM looktwice_settings").fetchone() == ("1",)


def test_a_damaged_sign_off_hides_no_inspection(history):
    id = history.add(judged("review"))
    history.sign_offs.add(id, "good", "seen", "eva", log=None)
    with history.database.write() as raw:
        raw.exec_driver_sql("UPDATE looktwice_sign_offs SET created = 'yesterday'")
    assert [kept.id for kept in history.search().rows] == [id]
    with pytest.raises(HistoryError, match="sign-off 1 is damaged"):
        history.sign_offs.of(id)


def test_signed_off_inspections_are_labels(history, inspector, good, tmp_path):
    product = inspector.learn("cap", [good(0), good(1)])
    product = inspector.teacher.retarget(product, 0.1)
    limits = product.calibration
    there = tmp_path / "there.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(there)
    later = datetime.fromisoformat(product.created) + timedelta(hours=1)

    def keep(decision, path, score, **changes):
        one = judged("review", path, score, changes.pop("at", later), changes.pop("product", "cap"))
        limit = {"threshold": limits.threshold, "review_threshold": limits.review_threshold, "references": 2}
        id = history.add(Inspection.from_dict(one.to_dict() | limit | changes))
        if decision:
            history.sign_offs.add(id, decision, "seen", "eva", log=None)
        return id

    now = keep("good", there, 0.3)
    gone = keep("defect", "/nowhere/gone.png", 0.7)
    keep("defect", "there.png", 0.8)  # relative: nobody knows to what
    earlier = keep("good", "/nowhere/x.png", 0.2, references=1)
    keep("good", there, 0.3)  # the same picture once more
    keep(None, there, 0.9)
    keep("good", there, 0.4, product="board")
    keep("good", there, 0.5, at=NOON.replace(year=2020))  # another product of that name
    found = {one.kept.id: one for one in labels_of(history, product)}
    assert len(found) == 4 and len({(one.kept.inspection.path, one.score) for one in found.values()}) == 4
    same = next(one for one in found.values() if one.path)
    assert same.kept.id >= now and (same.path, same.score, same.label) == (there, 0.3, "good")
    assert (found[gone].path, found[gone].score, found[gone].label) == (None, 0.7, "defect")
    assert [one.earlier for one in found.values()].count(True) == 1 and found[earlier].earlier


def test_what_counts_can_be_asked_of_other_databases_too():
    from sqlalchemy.dialects import mysql, postgresql
    from sqlalchemy.schema import CreateTable

    from assistant.database.tables import INSPECTIONS, SIGN_OFFS
    from assistant.records.queries import standing

    for dialect in (postgresql.dialect(), mysql.dialect()):
        assert "ON DELETE CASCADE" in str(CreateTable(SIGN_OFFS).compile(dialect=dialect))
        asked = INSPECTIONS.select().with_only_columns(INSPECTIONS.c.id, standing("decision"))
        assert str(asked.compile(dialect=dialect)).count("FROM looktwice_inspections") == 1
