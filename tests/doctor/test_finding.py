"""One failure never stops the others, and what rests on it says so."""

import pytest

from assistant.doctor.finding import Check, Diagnosis, attempt, attempt_all, fails, note, works
from assistant.errors import WeightsError


def raising(error):
    def find():
        raise error

    return find


CHECKS = (
    Check("bundle", raising(WeightsError("The bundle is gone.")), "Pull it."),
    Check("towers", lambda: works("They run."), "Pull it.", ("bundle",)),
    Check("page", lambda: works("It was built."), "Install it."),
    Check("service", raising(KeyError("nobody foresaw\nthis")), "Report it."),
    Check("learn", lambda: works("Learned."), "Report it.", ("towers",)),
)


def test_a_failure_is_a_finding_and_stops_only_what_rests_on_it():
    heard = []
    found = {one.part: one for one in attempt_all(CHECKS, heard.append)}
    assert {part: one.state for part, one in found.items()} == {
        "bundle": "fails",
        "towers": "untried",
        "page": "works",
        "service": "fails",
        "learn": "untried",
    }
    assert heard == [check.part for check in CHECKS]
    assert (found["bundle"].said, found["bundle"].mend) == ("The bundle is gone.", "Pull it.")
    assert "bundle" in found["towers"].said and "towers" in found["learn"].said
    assert "KeyError" in found["service"].said and "\n" not in found["service"].said


@pytest.mark.parametrize(
    "error", [SystemError("broken"), MemoryError(), ImportError("libgomp.so.1"), OSError(5, "x")]
)
def test_whatever_a_library_raises_is_told_with_what_to_do(error):
    found = attempt(Check("torch", raising(error), "Install it again."))
    assert found.state == "fails" and type(error).__name__ in found.said and found.mend == "Install it again."


def test_what_can_be_done_without_is_no_failure():
    fine = attempt(Check("extra", lambda: note("Missing: gradio.", "Install it."), ""))
    bad = attempt(Check("disk", lambda: fails("Full.", "Free some.", free=0), ""))
    assert Diagnosis((fine,)).works and not Diagnosis((fine, bad)).works
    told = Diagnosis((fine, bad)).to_dict()
    assert told["works"] is False and told["findings"][1]["facts"] == {"free": 0}
    assert Diagnosis((fine, bad))["disk"] is bad
    with pytest.raises(KeyError):
        Diagnosis((fine,))["disk"]
