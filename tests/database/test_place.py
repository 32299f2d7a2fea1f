"""A place is a file or a URL, and none is shown with its password."""

from pathlib import Path

import pytest

from assistant.database.place import beside, default_place, full_url, is_begun, read_place, show_place

URL = "postgresql://eva:s3cret@line.example:5433/parts?sslmode=require"


def test_a_place_is_read_as_a_person_writes_it(monkeypatch, tmp_path):
    assert read_place(URL) == URL
    assert read_place("~/a.sqlite") == Path.home() / "a.sqlite"
    monkeypatch.setenv("LOOKTWICE_HISTORY", URL)
    assert default_place() == URL
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(tmp_path / "x"))
    assert default_place() == tmp_path / "x" and not is_begun(default_place())
    assert is_begun(URL), "only the server can say"


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        (URL, "postgresql://eva@line.example:5433/parts"),
        ("postgresql:///parts", "postgresql:///parts"),
        ("postgresql://eva:s3cret@host:port/x", "a database by its URL"),
        (Path("/a/b.sqlite"), "/a/b.sqlite"),
    ],
)
def test_a_place_is_shown_without_its_password(where, shown):
    assert show_place(where) == shown


def test_postgresql_means_the_driver_that_comes_along():
    assert full_url("postgres://h/x") == full_url("postgresql://h/x") == "postgresql+psycopg://h/x"
    assert full_url("postgresql+psycopg2://h/x") == "postgresql+psycopg2://h/x"


def test_what_lies_beside_a_store_is_another_for_each_and_does_not_go_with_its_password(tmp_path):
    assert beside(tmp_path / "a.sqlite", ".waiting") == tmp_path / "a.sqlite.waiting"
    one, other = beside(URL, ".waiting"), beside(URL.replace("parts", "other"), ".waiting")
    assert one != other and one == beside(URL.replace("s3cret", "new"), ".waiting") and one.is_absolute()
