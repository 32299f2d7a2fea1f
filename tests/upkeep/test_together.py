"""Eight programs write into one store at once, on both databases: nothing is lost, nothing is there twice."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from assistant.records.drift import DriftWatch
from assistant.records.entries import Query
from assistant.records.history import History
from assistant.upkeep.examination import examine

PROGRAMS, ROUNDS = 8, 20
HERE = Path(__file__).parent


def write_together(place, run):
    """What each of the programs says that it kept, and which ids its places of the run have."""
    command = [sys.executable, str(HERE / "writer.py"), str(place)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    together = [subprocess.Popen([*command, f"p{i}", str(ROUNDS), run], **pipes) for i in range(PROGRAMS)]
    assert [program.stdout.readline() for program in together] == ["ready\n"] * PROGRAMS
    for program in together:
        program.stdin.write("\n")
        program.stdin.flush()
    said = [json.loads(program.communicate()[0]) for program in together]
    assert not any(program.returncode for program in together)
    return said


@pytest.mark.slow
def test_eight_programs_write_at_once_and_nothing_is_lost_or_doubled(place):
    with closing(History(place)) as history:
        run = history.runs.start([f"{i}.png" for i in range(ROUNDS)], owner="all")
        watch = DriftWatch(history)
        said = write_together(place, run.id)
        kept = [id for ids, _ in said for id in ids]
        assert len(set(kept)) == PROGRAMS * ROUNDS
        loose = [one for one in history.every() if one.run is None]
        names = Counter(one.inspection.path for one in loose)
        assert names == Counter(f"p{i}-{k}.png" for i in range(PROGRAMS) for k in range(ROUNDS))
        assert {one.id for one in loose} == set(kept) and all(one.sign_off for one in loose)
        for i, (ids, _) in enumerate(said):
            assert [history.turns(id)[0].question for id in ids] == [f"p{i} {k}?" for k in range(ROUNDS)]
        placed = list(history.every(Query(run=run.id, order="place")))
        assert [one.place for one in placed] == list(range(ROUNDS)), "a place is filled once"
        for _, ids in said:
            assert [ids[str(k)] for k in range(ROUNDS)] == [one.id for one in placed]
        assert watch is not None and history.runs.finish(run.id).state == "done"
    assert examine(place).is_sound
