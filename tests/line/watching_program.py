"""Watches a folder with a quick judge, to be killed: FOLDER JOURNAL ROWS SORTED URL HISTORY [once]."""

import sys
import time
from pathlib import Path

from line_parts import QUICK, judge

from assistant.line.delivery import Delivery, Route
from assistant.line.file_sinks import LineFile, VerdictFolders
from assistant.line.history_sink import HistorySink
from assistant.line.journal import Journal
from assistant.line.keeping import Keeper
from assistant.line.watching import FolderWatch, Pace
from assistant.line.webhook import Webhook
from assistant.records.history import History

folder, journal, rows, sorted_into, url, history, *once = sys.argv[1:]
kept = Journal(Path(journal))
routes = [
    Route("lines", LineFile(Path(rows)), patience=QUICK),
    Route("folders", VerdictFolders(Path(sorted_into)), patience=QUICK),
    Route("bad", Webhook(url, b"a secret of some length"), frozenset(["defect"]), QUICK),
    Route("history", HistorySink(History(history)), patience=QUICK),
]
delivery = Delivery(kept.outbox, routes, print)
watch = FolderWatch(Path(folder), judge, Keeper(kept, routes), delivery, say=print, pace=Pace(0.02, 0.05, 0.3))
print("ready", flush=True)
for part in watch.run(once=bool(once)):
    print(part.event.part, flush=True)
if once:  # that every sink was tried is enough for the watch, and not for this
    with kept.hold():
        rest = Delivery(kept.outbox, routes, print)
        rest.start()
        while kept.outbox.waiting():
            time.sleep(0.02)
        rest.stop()
