"""What one visitor does in the Batch place: plan a run of many pictures, look at it, download it as a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.errors import LooktwiceError
from assistant.face.cards import Card
from assistant.face.embedded import embed_thumbnail
from assistant.face.exports import Ending, Exports, show_time
from assistant.face.shared import Resources
from assistant.face.sign_off import standing_of
from assistant.face.upload_store import UploadStore
from assistant.face.verdicts import OUTCOMES
from assistant.face.words import JUDGED_EARLIER, say_standing
from assistant.face.worker import Worker
from assistant.images.sources import EXTENSIONS, find_images, shown_name
from assistant.inspection import AskedMode, Outcome
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.wording import number
from assistant.records.agreement import describe
from assistant.records.batch_run import Run
from assistant.records.batches import plan_batch
from assistant.records.entries import KeptInspection, Query
from assistant.records.history import History

Filter = Literal["all", "defect", "review", "unrated", "good", "open"]
Standing = Literal["at work", "waiting", "halted", "done", "purged"]

READ: tuple[Outcome, ...] = tuple(outcome for outcome in OUTCOMES if outcome != "error")
"""What can come of a picture that was read: the others are listed by themselves."""

MOST_PREVIEWS = 60
MOST_ERRORS = 50


@dataclass(frozen=True)
class BatchRequest:
    """What a visitor asks for: uploads by their paths or a folder of this machine, and how to judge them.

    `shipped`: where nothing is known, limits that were measured on other products decide. `group`: a word for the
    camera, the light or the lot.
    """

    uploads: tuple[str, ...] = ()
    folder: str = ""
    product: str = ""
    compare: bool = False
    lot: str = ""
    shipped: bool = False
    group: str = ""


@dataclass(frozen=True)
class RunView:
    """A run as it is shown: counts and scores by verdict, limits, the worst of one verdict, and the errors.

    `worst` are the first of `matching`. `agreed` says how people's decisions agree with the verdicts.
    """

    run: Run
    standing: Standing
    counts: Counter[str]
    scores: dict[str, list[float]]
    limits: dict[str, float]
    worst: tuple[KeptInspection, ...]
    matching: int
    errors: tuple[KeptInspection, ...]
    agreed: str = ""


@dataclass(frozen=True, eq=False)
class BatchRuns:
    """The batch runs of one server: they are planned here, done by the worker, and shown."""

    shared: Resources
    history: History
    upload_store: UploadStore
    worker: Worker

    @classmethod
    def of(cls, shared: Resources, history: History) -> BatchRuns:
        """The runs of a server; uploaded pictures that nobody needs any more are cleared away."""
        upload_store = UploadStore(history)
        upload_store.sweep()
        worker = shared.worker or Worker(shared.inspector, history, upload_store)
        return cls(shared, history, upload_store, worker)

    def start(self, request: BatchRequest) -> str:
        """Begin a run and return its id; LooktwiceError where it makes no sense."""
        if request.compare and request.product:
            raise LooktwiceError("Pictures are compared with each other or with a product, not both.")
        if bool(request.uploads) == bool(request.folder.strip()):
            raise LooktwiceError("Give pictures to upload, or a folder of this machine.")
        if request.folder.strip():
            return self._plan(request, [allowed_folder(request.folder.strip(), self.shared.folders)], None)
        token, kept = self.upload_store.keep(request.uploads)
        try:
            return self._plan(request, kept, token)
        except BaseException:
            self.upload_store.drop(token)
            raise

    def proceed(self, run: str) -> None:
        """Continue a run; one whose product changed goes on where the visitor was told so and wants it anyway."""
        failure = self.worker.failure(run)
        self.worker.start(self.history.runs.get(run).id, anyway=bool(failure and failure.other_basis))

    def runs(self) -> list[tuple[Run, Standing]]:
        """The newest batches, newest first, and what each does as seen from here; "halted" can be continued."""
        unfinished = self.worker.unfinished  # first: a run that ends meanwhile is not taken for a halted one
        return [(run, _standing(run, unfinished)) for run in self.history.runs.newest() if "basis" in run.settings]

    def view(self, run: str, which: Filter) -> RunView:
        """A run with the worst of its pictures of a verdict; HistoryError where there is none."""
        unfinished = self.worker.unfinished
        shown = self.history.runs.get(run)
        page = self.history.search(_asked(run, which), size=MOST_PREVIEWS)
        errors = self.history.search(Query(run=run, verdicts=("error",), order="place"), size=MOST_ERRORS)
        return RunView(
            shown,
            _standing(shown, unfinished),
            page.counts,
            self.history.scores(Query(run=run)),
            self._limits(run),
            tuple(map(self.history.ranker(Query(run=run)), page.rows)),
            page.total,
            errors.rows,
            describe(self.history.sign_offs.agreement(Query(run=run)), self.shared.w),
        )

    def cards(self, rows: Sequence[KeptInspection]) -> list[Card]:
        """The rows as cards, each with the preview that was kept."""
        return [self._card(row) for row in rows]

    def export(self, run: str, ending: Ending) -> str:
        """Write a run, or a report on it, to a file among the server's own and return its path."""
        exported = self.history.runs.get(run)
        exports = Exports(self.shared.uploads, self.history)
        return exports.write(
            Query(run=run, order="place"), title_of(exported, self.shared.w), ending, exported.lot
        )

    def _card(self, row: KeptInspection) -> Card:
        inspection, preview = row.inspection, self.history.preview(row.id) if row.has_preview else None
        picture = embed_thumbnail(preview) if preview else ""
        w = self.shared.w
        changed = w(JUDGED_EARLIER) if self.shared.is_outdated(inspection) else say_standing(inspection, w)
        note = w.commas(filter(None, (standing_of(row, w), changed)))
        name = shown_name(inspection.path)
        return Card(str(row.id), picture, name, inspection.outcome, number(inspection.score), note)

    def _plan(self, request: BatchRequest, paths: Sequence[str], token: str | None) -> str:
        inspector = self.shared.inspector
        product = self.shared.products.get(request.product) if request.product else None
        mode: AskedMode = "mutual" if request.compare else "auto"
        more = {"uploads": token} if token else {}
        run = plan_batch(
            inspector,
            self.history,
            paths,
            product,
            mode,
            lot=request.lot,
            group=request.group,
            zero_shot_limits=request.shipped,
            more=more,
            confined=True,
        )
        self.worker.start(run.id)
        return run.id

    def _limits(self, run: str) -> dict[str, float]:
        newest = self.history.search(Query(run=run, verdicts=("good", "review", "defect")), size=1).rows
        if not newest:
            return {}
        inspection = newest[0].inspection
        return {"threshold": inspection.threshold, "review": inspection.review_threshold}


def _asked(run: str, which: Filter) -> Query:
    """The query for the pictures of a run that are shown; "open" are those that wait for a person's decision."""
    if which == "open":
        return Query(run=run, verdicts=("review",), order="score", signed="no")
    return Query(run=run, verdicts=READ if which == "all" else (which,), order="score")


def _standing(run: Run, unfinished: Mapping[str, Standing]) -> Standing:
    if run.id in unfinished:
        return unfinished[run.id]
    return run.state if run.state in ("done", "purged") else "halted"


def title_of(run: Run, w: Wording = ENGLISH_WORDS) -> str:
    """What a run is called: its lot or product, and when it began."""
    named = run.lot or str(run.settings.get("product") or "") or w("Batch")
    return f"{named} {show_time(run.created)}"


def only_pictures(paths: Sequence[str]) -> list[str]:
    """Those of a whole folder that look like pictures by their names; the hidden ones are left out."""
    names = ((path, Path(path)) for path in paths)
    return [path for path, name in names if name.suffix.lower() in EXTENSIONS and not name.name.startswith(".")]


def allowed_folder(wanted: str, roots: Sequence[str]) -> str:
    """The real path of a folder inside one of `roots`; LooktwiceError for any other.

    A relative path is looked for in each root. Links are followed first: what counts is where they lead.
    """
    for root in roots:
        real_root = os.path.realpath(root)
        try:
            path = os.path.realpath(os.path.join(real_root, wanted))
            if Path(path).is_relative_to(real_root) and os.path.isdir(path):
                if next(find_images([path], confined=True), None) is None:
                    raise LooktwiceError("There is no picture in that folder.")
                return path
        except ValueError:  # a zero byte
            continue
    raise LooktwiceError("That folder is not there, or this server was not started with leave to read it.")
