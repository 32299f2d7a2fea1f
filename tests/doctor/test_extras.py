"""Which packages of an extra are here, which are missing, and the line that mends it."""

import tomllib
from pathlib import Path

import pytest

from assistant.doctor import extras

NEEDS = {
    "looktwice": [
        "torch>=2.6",
        "timm>=1",
        'gradio>=6; extra == "ui"',
        'sqlalchemy>=2; extra == "ui"',
        'gradio[mcp]>=6; extra == "mcp"',
        'pywin32>=1; sys_platform == "nowhere"',
    ],
    "gradio": ["pillow", 'mcp>=1; extra == "mcp"'],
}


@pytest.fixture
def installed(monkeypatch):
    """installed(torch="2.14", ...): these packages are here, in these versions."""

    def put(**versions):
        def version(name):
            if name not in versions:
                raise extras.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(extras.metadata, "version", version)
        monkeypatch.setattr(extras.metadata, "requires", NEEDS.get)

    return put


def test_what_is_always_needed_fails_where_it_is_missing_or_too_old(installed):
    installed(torch="2.14.1", timm="1.0")
    assert extras.find_packages().state == "works"
    installed(torch="2.1", timm="1.0")
    found = extras.find_packages()
    assert found.state == "fails" and "torch>=2.6 (here is 2.1)" in found.said
    installed(torch="2.14.1")
    assert "timm>=1" in extras.find_packages().said


def test_a_missing_extra_is_noted_with_its_pip_line(installed):
    installed(torch="2.14.1", timm="1.0", gradio="6.31")
    found = extras.find_extra("ui")
    assert found.state == "note" and "sqlalchemy>=2" in found.said and "torch" not in found.said
    assert '`pip install "looktwice[ui]"`' in found.mend
    installed(torch="2.14.1", gradio="6.31", sqlalchemy="2.0")
    assert extras.find_extra("ui").state == "works" and "gradio 6.31" in extras.find_extra("ui").said


def test_an_extra_of_a_package_counts_too(installed):
    installed(gradio="6.31")
    assert "mcp>=1" in extras.find_extra("mcp").said
    installed(gradio="6.31", mcp="1.27")
    assert extras.find_extra("mcp").state == "works"


def test_every_extra_that_users_may_ask_for_says_what_it_is_for():
    named = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(named["project"]["optional-dependencies"]) - set(extras.FOR_DEVELOPERS) == set(extras.WORTH)
    parts = [check.part for check in extras.list_checks()]
    assert parts[0] == "packages" and "extra ui" in parts and "extra dev" not in parts
