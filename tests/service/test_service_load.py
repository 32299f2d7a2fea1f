"""The load script: what it measures of a running service, and what it calls an error."""

import asyncio
import math
from collections import Counter

import pytest

from assistant.errors import LooktwiceError
from assistant.eval.load import LoadFigures, measure, print_tallies
from assistant.records.entries import Query


def run(port, files, **how):
    return asyncio.run(measure(f"http://127.0.0.1:{port}", files, **{"clients": 4, "seconds": 0.5, **how}))


def test_every_answer_is_counted_and_none_is_an_error(live, files, capsys):
    app, port, _ = live()
    tally = run(port, [("a.png", files["good"]), ("b.png", files["bad"])])
    assert not tally.errors and len(tally.seconds) >= 4 and tally.gathering == "up to 8, 10 ms"
    assert len(app.state.service.records.find(Query(), 1000)) == len(tally.seconds) + 1  # and one to warm up
    assert 0 < tally.quantile(0.5) <= tally.quantile(0.95) <= tally.quantile(0.99)
    print_tallies([tally], 4)
    assert "p99" in capsys.readouterr().out


def test_refusals_and_rows_of_others_are_errors(live, inspector, files, monkeypatch):
    _, port, _ = live(most_gathered=1)
    tally = run(port, [("a.png", b"no picture")])
    assert tally.gathering == "off" and set(tally.errors) == {"error row"} and not tally.seconds
    assert set(run(port, [("a.png", files["good"])], product="none").errors) == {"status 404"}
    with pytest.raises(LooktwiceError, match="No service answers"):
        run(1, [("a.png", files["good"])])


def test_quantiles_of_few_and_of_many():
    assert math.isnan(LoadFigures("off").quantile(0.5)) and LoadFigures("off", [0.2]).quantile(0.99) == 200
    many = LoadFigures("off", [i / 1000 for i in range(1, 1001)], elapsed=10.0)
    assert many.quantile(0.5) == pytest.approx(500, abs=2) and many.quantile(0.99) == pytest.approx(990, abs=2)
    assert many.pictures_a_second == 100


def test_rounds_are_counted_together():
    whole = LoadFigures("")
    for seconds, error in ((0.1, "status 503"), (0.3, "status 503")):
        whole.take(LoadFigures("off", [seconds], Counter([error]), elapsed=2.0))
    assert (whole.gathering, whole.seconds, whole.errors["status 503"], whole.elapsed) == (
        "off",
        [0.1, 0.3],
        2,
        4.0,
    )
