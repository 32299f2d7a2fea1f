"""The whole examination: the machine, the packages, every part of the program, and the network where asked for."""

from __future__ import annotations

from assistant.doctor import machine
from assistant.doctor.finding import Check, Diagnosis, Finding, attempt_all, fails
from assistant.doctor.trial_process import PATIENCE, try_parts
from assistant.models.card import DEFAULT
from assistant.progress import Tell, say_nothing

STEPS = 40
"""About how many things are found out, for a progress bar."""


def examine(
    bundle: str = DEFAULT,
    *,
    device: str | None = None,
    network: bool = False,
    tell: Tell | None = None,
    patience: float = PATIENCE,
) -> Diagnosis:
    """What is here and what works, with what to do about what does not; nothing of the user's is changed.

    `bundle` is the one whose towers are tried, by name or as the path of a card, and `device` where they run.
    Nothing is sent unless `network` asks for one try of the model hub and one of the package index. `tell` hears
    what is being tried, `patience` is how many seconds one part may take. What is broken is a finding, no error.
    """
    heard = 0

    def hear(part: str) -> None:
        nonlocal heard
        heard += 1
        (tell or say_nothing)(f"Trying: {part}", min(0.99, heard / STEPS))

    findings = attempt_all(machine.list_checks(bundle), hear)
    findings += attempt_all(_package_checks(), hear)
    findings += try_parts(bundle, device, hear, patience)
    if network:
        findings += attempt_all(_network_checks(bundle), hear)
    (tell or say_nothing)("Done", 1.0)
    return Diagnosis(tuple(findings))


def _package_checks() -> tuple[Check, ...]:
    try:
        from assistant.doctor import extras

        return extras.list_checks()
    except ImportError as error:
        return (_broken("packages", error, "Run `pip install --upgrade packaging looktwice`."),)


def _network_checks(bundle: str) -> tuple[Check, ...]:
    from assistant.doctor import network

    try:
        return network.list_checks(bundle)
    except Exception as error:  # a card that is not right is told by the bundle's own check
        return (_broken("model hub", error, "Give a bundle whose card is right."),)


def _broken(part: str, error: Exception, mend: str) -> Check:
    def find() -> Finding:
        return fails(f"It could not be asked: {error}", mend)

    return Check(part, find, mend)
