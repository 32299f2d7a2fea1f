"""Sign-offs: what people decided about inspected parts, and how far the verdicts agree with them.

A sign-off stands beside an inspection and changes nothing of it. Of several the newest that was not withdrawn
counts, and all are kept. How they are kept is in `assistant.records.sign_offs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from assistant.errors import HistoryError, told
from assistant.images.sources import shown_name
from assistant.inspection import Inspection, Outcome
from assistant.language.catalogue import ENGLISH_WORDS, Wording

if TYPE_CHECKING:
    from assistant.products.audit import AuditLog
    from assistant.products.audit_chain import Action

Decision = Literal["good", "defect"]

LONGEST_REASON = 500
"""Characters in the reason of a sign-off."""

LONGEST_SIGNER = 100
"""Characters in the name of who signs off."""

SIGN_OFF_COLUMNS = ("signed_off", "sign_off_reason", "signed_by", "signed_at")
"""What a row of a table says of the sign-off that counts."""


@dataclass(frozen=True)
class SignOff:
    """What a person decided about an inspected part, why, who that was and when (UTC).

    `name` is who decided, as it was given, and `actor` who the program knows to have asked for it, as in the audit
    log. `withdrawn` is when it was taken back, by `withdrawn_by`; None while it stands.
    """

    id: int
    decision: Decision
    reason: str
    name: str
    actor: str
    created: datetime
    withdrawn: datetime | None = None
    withdrawn_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        withdrawn = self.withdrawn.isoformat() if self.withdrawn else None
        return asdict(self) | {"created": self.created.isoformat(), "withdrawn": withdrawn}


@dataclass(frozen=True)
class Tally:
    """How many parts of one verdict were inspected, and how many of them are signed off as good or as a defect."""

    inspected: int = 0
    good: int = 0
    defect: int = 0

    @property
    def signed(self) -> int:
        """How many are signed off."""
        return self.good + self.defect


@dataclass(frozen=True)
class Agreement:
    """The sign-offs of some inspections by their verdict; "error" are pictures that could not be read."""

    defect: Tally = Tally()
    review: Tally = Tally()
    unrated: Tally = Tally()
    good: Tally = Tally()
    error: Tally = Tally()

    @property
    def signed(self) -> int:
        """How many inspections are signed off."""
        return sum(tally.signed for tally in vars(self).values())

    @property
    def overkill(self) -> int:
        """Verdicts "defect" that were signed off as good."""
        return self.defect.good

    @property
    def escapes(self) -> int:
        """Verdicts "good" that were signed off as a defect."""
        return self.good.defect

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict, `described` included."""
        return asdict(self) | {
            "overkill": self.overkill,
            "escapes": self.escapes,
            "described": describe(self),
        }


def agreement_of(counted: Iterable[tuple[Outcome, Decision | None, int]]) -> Agreement:
    """The agreement by (outcome, decision that counts or None, how many)."""
    sums = {outcome: dict.fromkeys(("inspected", *get_args(Decision)), 0) for outcome in get_args(Outcome)}
    for outcome, decision, number in counted:
        tally = sums.get(outcome, {})  # none of a damaged row
        for name in {"inspected", decision} & set(tally):
            tally[name] += number
    return Agreement(**{outcome: Tally(**numbers) for outcome, numbers in sums.items()})


def describe(agreement: Agreement, w: Wording = ENGLISH_WORDS) -> str:
    """An agreement in one sentence, "12 in review, 9 signed off: 7 good, 2 defect."; "" where it has nothing.

    Other verdicts are named only where somebody signed off parts of them.
    """
    named = {
        "review": (w("in review"), w("good"), w("defect")),
        "defect": (w("called defect"), w("good (overkill)"), w("defect")),
        "good": (w("called good"), w("good"), w("defect (escaped)")),
        "unrated": (w("unrated"), w("good"), w("defect")),
        "error": (w("not read"), w("good"), w("defect")),
    }
    parts = []
    for outcome, (word, good, defect) in named.items():
        tally: Tally = getattr(agreement, outcome)
        if tally.signed:
            made = [f"{n:,} {what}" for n, what in ((tally.good, good), (tally.defect, defect)) if n]
            counted = {"n": f"{tally.inspected:,}", "called": word, "signed": f"{tally.signed:,}"}
            parts.append(w("{n} {called}, {signed} signed off: {decisions}", **counted, decisions=w.commas(made)))
        elif outcome == "review" and tally.inspected:
            parts.append(w("{n} {called}, none signed off", n=f"{tally.inspected:,}", called=word))
    return f"{'; '.join(parts)}{w('.')}" if parts else ""


def current(sign_offs: Sequence[SignOff]) -> SignOff | None:
    """The sign-off that counts of those of one part: the newest that was not withdrawn."""
    return max((one for one in sign_offs if one.withdrawn is None), key=lambda one: one.id, default=None)


def to_cells(sign_off: SignOff | None) -> dict[str, Any]:
    """The cells of `SIGN_OFF_COLUMNS`, empty where nothing was signed off."""
    if sign_off is None:
        return dict.fromkeys(SIGN_OFF_COLUMNS)
    at = sign_off.created.isoformat(timespec="seconds")
    return dict(zip(SIGN_OFF_COLUMNS, (sign_off.decision, sign_off.reason, sign_off.name, at), strict=True))


def decide(decision: str, reason: str, name: str, actor: str) -> SignOff:
    """A sign-off of now that nobody has kept yet, with the id 0; HistoryError where it is none."""
    return SignOff(
        id=0,
        decision=check_decision(decision),
        reason=check_reason(reason),
        name=check_signer(name),
        actor=actor,
        created=datetime.now(UTC),
    )


def take_back(given: Sequence[SignOff], name: str, sign_off: int | None = None) -> SignOff:
    """The sign-off that counts of those given, or the one of an id, withdrawn now; HistoryError for none."""
    name = check_signer(name)
    taken = current([one for one in given if sign_off in (None, one.id)])
    if taken is None:
        raise HistoryError("The inspection has no sign-off that could be withdrawn.")
    return replace(taken, withdrawn=datetime.now(UTC), withdrawn_by=name)


def check_decision(decision: str) -> Decision:
    """A decision; HistoryError for any other word."""
    for known in get_args(Decision):
        if decision == known:
            return known  # type: ignore[no-any-return]
    raise HistoryError(f"A part is signed off as good or as defect, not as {decision[:40]!r}.")


def check_reason(reason: str) -> str:
    """A reason in one line; HistoryError for none, and for one that is too long or not printable."""
    return _one_line(told("A sign-off has a reason"), reason, LONGEST_REASON)


def check_signer(name: str) -> str:
    """The name of who signs off, in one line; HistoryError as for `check_reason`."""
    return _one_line(told("A sign-off says who gives it"), name, LONGEST_SIGNER)


@contextmanager
def logged(
    log: AuditLog | None,
    action: Action,
    id: int | str,
    inspection: Inspection,
    sign_off: SignOff,
    actor: str,
) -> Iterator[None]:
    """Note in the audit log what the block then keeps: a sign-off, or that one is withdrawn, asked for by `actor`.

    Where the block fails, the log says so too; without a log it is noted nowhere. AuditError where it cannot be.
    """
    if log is None:
        yield
        return
    seen = {
        "inspection": str(id),
        "picture": shown_name(inspection.path),
        "verdict": inspection.outcome,
        "product": inspection.product,
        "decision": sign_off.decision,
        "reason": sign_off.reason,
        "by": sign_off.withdrawn_by or sign_off.name,
    }
    # the product stands in the details: an entry of its own says what a product has become
    with log.hold() as writer, writer.recording(action, None, actor=actor, details=seen):
        yield


def _one_line(what: str, text: str, longest: int) -> str:
    plain = " ".join(text.split())
    if not plain or len(plain) > longest or not plain.isprintable():
        raise HistoryError(f"{what}, in 1 to {longest} printable characters.")
    return plain
