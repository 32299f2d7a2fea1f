"""The lock file pins one version of everything that the project asks for, and each is one that it takes."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from assistant.eval.research.house import HERE

LINE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!]+)")


@pytest.fixture(scope="module")
def pinned():
    """The versions of the lock file by the names of their packages; every line is a pin and nothing else."""
    lines = (HERE / "requirements.lock").read_text("utf-8").splitlines()
    assert lines[0].startswith("#") and "make lock" in lines[0]
    pins = [LINE.fullmatch(line) for line in lines[1:]]
    assert all(pins), [line for line, pin in zip(lines[1:], pins, strict=True) if not pin]
    versions = {canonicalize_name(pin["name"]): pin["version"] for pin in pins}
    assert len(versions) == len(pins) > 50
    return versions


def asked_for():
    project = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    groups = project["project"]["optional-dependencies"].values()
    lists = [project["build-system"]["requires"], project["project"]["dependencies"], *groups]
    return sorted({line for group in lists for line in group})


@pytest.mark.parametrize("line", asked_for())
def test_what_is_asked_for_is_pinned_to_a_version_that_fits(pinned, line):
    asked = Requirement(line)
    assert asked.specifier.contains(pinned[canonicalize_name(asked.name)], prereleases=True)


def test_the_project_does_not_pin_itself(pinned):
    assert "looktwice" not in pinned
