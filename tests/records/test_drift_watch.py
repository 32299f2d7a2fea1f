"""Streams of parts in the history: an alarm stands in notices, outlives a restart, and ends with other limits."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from assistant.database.engine import take_turns
from assistant.errors import HistoryFault
from assistant.inspection import Evidence, Inspection
from assistant.products.summary import ProductRow
from assistant.records.drift import DriftWatch, as_stream, drift_of, stream_of, to_part
from assistant.records.history import History

LIMITS = {"threshold": 0.3, "review_threshold": 0.25, "references": 60}
WASHER = ProductRow(name="washer", **LIMITS)
CLOCK = datetime(2026, 5, 4, 8, tzinfo=UTC)


def part(p, **changes):
    """An inspection of a part of "washer" with that p-value."""
    evidence = Evidence("conformal", "counted", 60, 0.05, 1 / 61)
    one = Inspection("a.png", mode="few-shot", score=0.2, p_value=p, verdict="good", evidence=evidence, **LIMITS)
    return replace(one, product="washer", created=CLOCK.isoformat(timespec="seconds"), **changes)


def draw(seed, count, most=1.0):
    return [float(p) for p in most * (1 - np.random.default_rng(seed).random(count))]


@pytest.fixture
def history(place):
    return History(place)


def keep(watch, history, p_values, **changes):
    """The inspections of some parts as they are shown, each kept after it was watched."""
    rows = []
    for p in p_values:
        rows.append(watch.see(part(p, **changes)))
        history.add(rows[-1])
    return rows


def test_from_the_alarm_on_every_part_has_a_notice_and_no_other_part_has(history):
    watch = DriftWatch(history)
    rows = keep(watch, history, draw(1, 100) + draw(2, 60, 0.1))
    noted = [i for i, row in enumerate(rows) if row.notices]
    assert noted and noted == list(range(noted[0], 160)) and 110 <= noted[0] <= 145
    assert rows[-1].notices[0].startswith("the last 59 parts of 'washer' score higher than its")
    assert watch.report()[0].startswith("The last 60 parts of 'washer' score higher than its")
    assert watch.alarms == 1
    assert not any(row.notices for row in rows[: noted[0]])


def test_parts_of_one_stream_are_kept_in_the_order_of_their_ids(postgres):
    """Whoever follows a stream reads on from the last id that he saw: none may come after a later one."""
    history = History(postgres.url())
    stream = as_stream(to_part(part(0.5)))
    waiting = threading.Thread(target=history.add, args=(part(0.5),))
    with history.database.write() as connection:
        take_turns(connection, stream)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and history.search().total == 0
        assert history.add(part(0.5, group="another"))
    waiting.join(30)
    assert history.search().total == 2
    history.close()


def test_the_state_outlives_a_restart_and_is_the_same_for_two_programs_at_once(history, place):
    first, second = DriftWatch(history), DriftWatch(History(place))
    for number, p in enumerate(draw(3, 80) + draw(4, 40, 0.1)):
        history.add((first, second)[number % 2].see(part(p)))
    (state,) = drift_of(history, WASHER)
    assert state.drifted and state.parts == 120 and state.direction == "higher"
    assert first.states(WASHER) == second.states(WASHER) == [state]
    assert state.since.startswith("2026-05-04T08:00:00")


def test_a_place_of_a_run_that_is_done_twice_counts_once(history):
    run = history.runs.start(["a.png"], {"product": "washer"}, "").id
    for _ in range(3):
        history.add(part(0.5), run=run, place=0)
    (state,) = drift_of(history, WASHER)
    assert state.parts == 1


def test_other_limits_begin_anew_and_those_of_before_go_on_where_they_stood(history):
    watch = DriftWatch(history)
    keep(watch, history, draw(5, 60, 0.1))
    changed = {"threshold": 0.4, "review_threshold": 0.35}
    rows = keep(watch, history, draw(6, 60), **changed)
    assert not any(row.notices for row in rows) and watch.alarms == 0
    assert not drift_of(history, replace(WASHER, **changed))[0].drifted
    assert drift_of(history, WASHER)[0].drifted
    assert keep(watch, history, [0.5])[0].notices, "a change that was undone"


def test_groups_are_watched_by_themselves(history):
    watch = DriftWatch(history)
    pairs = zip(draw(7, 100), draw(8, 100, 0.1), strict=True)
    for sound, moved in pairs:
        keep(watch, history, [sound], group="north")
        keep(watch, history, [moved], group="south")
    north, south = drift_of(history, WASHER)
    assert (north.group, south.group) == ("north", "south") and north.parts == south.parts == 100
    assert south.drifted and "in group 'south'" in south.sentence and not north.drifted


def test_without_a_history_a_run_is_watched_by_itself():
    watch = DriftWatch()
    rows = [watch.see(part(p)) for p in draw(9, 60, 0.1)]
    assert rows[-1].notices and not rows[0].notices
    assert watch.states(WASHER)[0].parts == 60


def test_a_run_with_half_its_parts_rare_says_so_though_no_alarm_is_raised():
    watch = DriftWatch()
    for common in draw(10, 14):
        watch.see(part(0.01))
        watch.see(part(max(0.06, common)))
    assert watch.alarms == 0
    assert watch.report() == [
        "14 of 28 parts of 'washer' score as at most one in 20 of its good parts does: unless so many are bad, "
        "the camera, the light or the lot has changed; check before you believe single verdicts."
    ]


def test_what_was_judged_by_no_product_is_in_no_stream(history):
    alone = replace(part(0.5), product=None)
    unrated = Inspection("a.png", mode="zero-shot", score=0.2, verdict="unrated")
    for one in (alone, unrated, Inspection("a.png", "error", "It cannot be read.")):
        assert stream_of(one) is None and DriftWatch(history).see(one) is one
        history.add(one)
    assert drift_of(history, WASHER) == []


def test_a_history_that_is_away_stops_no_inspection(history, monkeypatch):
    def away():
        raise HistoryFault("The history does not answer.")

    monkeypatch.setattr(history.database, "read", away)
    watch = DriftWatch(history)
    assert watch.see(part(0.5)).notices == () and watch.report() == []


def test_purging_forgets_the_parts_too(history):
    keep(DriftWatch(history), history, draw(11, 10))
    assert history.purge(CLOCK + timedelta(days=1)) == 10
    assert drift_of(history, WASHER) == []


def test_who_asks_about_a_part_is_warned_where_the_change_had_begun_by_then(history):
    watch = DriftWatch(history)
    rows = []
    for minute, p in enumerate(draw(12, 100) + draw(13, 60, 0.1)):
        made = (CLOCK + timedelta(minutes=minute)).isoformat(timespec="seconds")
        rows.append(watch.see(replace(part(p), created=made)))
        history.add(rows[-1])
    (state,) = drift_of(history, WASHER)
    alarmed = next(i for i, row in enumerate(rows) if row.notices)
    for asked in (watch, DriftWatch(history)):
        warned = [i for i, row in enumerate(rows) if asked.warned(row).notices]
        assert warned == list(range(160 - state.last, 160)) and warned[0] < alarmed
        assert asked.warned(rows[-1]) is rows[-1], "it says so already"
    assert drift_of(history, WASHER) == [state], "asking counts nothing"
    assert not watch.warned(replace(rows[-1], notices=(), threshold=0.4)).notices, "other limits judged it"


def test_a_run_that_is_not_kept_goes_on_from_what_was(history):
    keep(DriftWatch(history), history, draw(14, 60, 0.1))
    fresh = DriftWatch(history, keeps=False)
    assert fresh.see(part(0.5)).notices and drift_of(history, WASHER)[0].parts == 60
    sound = DriftWatch(history, keeps=False)
    rows = [sound.see(replace(part(p), group="night")) for p in draw(15, 60, 0.1)]
    assert not rows[0].notices and rows[-1].notices, "a run is watched by itself, too"
