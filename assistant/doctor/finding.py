"""What an examination finds: one part of the machine or the program, whether it works, and what to do if not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from assistant.errors import LooktwiceError

State = Literal["works", "note", "fails", "untried"]
"""`note`: something is not here, or scarce, that can be done without. `untried`: it rests on what failed."""


@dataclass(frozen=True)
class Finding:
    """One part: what is so in a sentence, what to do about it in another, and the same as values for programs.

    `seconds` is how long it took to find out.
    """

    part: str
    state: State
    said: str
    mend: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in the order in which they were made."""

    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether all that is needed works."""
        return all(one.state in ("works", "note") for one in self.findings)

    def __getitem__(self, part: str) -> Finding:
        """The finding about a part; KeyError where it was not examined."""
        found = next((one for one in self.findings if one.part == part), None)
        if found is None:
            raise KeyError(part)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {"works": self.works, "findings": [asdict(one) for one in self.findings]}


@dataclass(frozen=True)
class Check:
    """One thing to find out. `mend`: what helps where it fails; `needs`: parts that have to work before."""

    part: str
    find: Callable[[], Finding]
    mend: str
    needs: tuple[str, ...] = ()


def works(said: str, **facts: Any) -> Finding:
    """What a check returns where all is well; `attempt` fills in the part."""
    return Finding("", "works", said, facts=facts)


def note(said: str, mend: str, **facts: Any) -> Finding:
    """What a check returns where something can be done without."""
    return Finding("", "note", said, mend, facts)


def fails(said: str, mend: str, **facts: Any) -> Finding:
    """What a check returns where something needed does not work."""
    return Finding("", "fails", said, mend, facts)


def attempt(check: Check, before: Iterable[Finding] = ()) -> Finding:
    """The finding of a check, whatever it raises; untried where something that it needs did not work."""
    poor = [one.part for one in before if one.part in check.needs and one.state in ("fails", "untried")]
    if poor:
        return Finding(check.part, "untried", f"It was not tried, because it needs: {', '.join(poor)}.")
    began = time.perf_counter()
    try:
        found = check.find()
    except LooktwiceError as error:
        found = fails(str(error), check.mend)
    except Exception as error:  # whatever is broken is what is looked for, and the next check has to run
        found = fails(f"It failed with {describe(error)}.", check.mend)
    return replace(found, part=check.part, seconds=round(time.perf_counter() - began, 3))


def attempt_all(checks: Sequence[Check], tell: Callable[[str], None]) -> list[Finding]:
    """The findings of several checks, one after the other; `tell` hears which part is next."""
    findings: list[Finding] = []
    for check in checks:
        tell(check.part)
        findings.append(attempt(check, findings))
    return findings


def describe(error: BaseException) -> str:
    """An error that nobody foresaw: its kind and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
