"""A program that writes into a store as fast as it can: `writer.py PLACE NAME COUNT RUN`; prints what it did.

Each round keeps an inspection, fills the next place of a run that others fill too, asks and signs off; now and
then it looks for what it kept.
"""

import json
import sys

from test_upkeep import PICTURE, part

from assistant.database.place import read_place
from assistant.inspection import Answer
from assistant.records.entries import Query
from assistant.records.history import History

where, name, count, run = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
history = History(read_place(where))
print("ready", flush=True)
sys.stdin.readline()
kept, placed = [], {}
for number in range(count):
    id = history.add(part(0, path=f"{name}-{number}.png"), lot=name, preview=PICTURE)
    history.add_turn(id, f"{name} {number}?", Answer("So."))
    history.sign_offs.add(id, "good", f"{number}", name, log=None)
    placed[number] = history.add(part(0, path=f"{name} at {number}"), run=run, place=number)
    kept.append(id)
    if number % 10 == 9:
        assert history.search(Query(lot=name), size=500).total == len(kept)
print(json.dumps([kept, placed]))
