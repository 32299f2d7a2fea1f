"""`looktwice products --remove` forgets a product for good, so it asks, or is told --yes."""

import sys

import pytest
from PIL import Image

from assistant.products.store import ProductStore


@pytest.fixture
def cloth(run, tmp_path, good):
    for i in range(2):
        (tmp_path / "ref").mkdir(exist_ok=True)
        Image.fromarray(good(i)).save(tmp_path / "ref" / f"{i}.png")
    assert run("learn", "old cloth", "--references", tmp_path / "ref")[0] == 0


@pytest.fixture
def terminal(monkeypatch, tmp_path):
    """terminal(answer): somebody sits there, and types that."""

    def sit(answer):
        (tmp_path / "typed").write_text(answer)
        typed = open(tmp_path / "typed")
        monkeypatch.setattr(typed, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stdin", typed)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return sit


def names():
    return ProductStore().names()


def test_where_nobody_can_be_asked_a_product_stays_until_it_is_said(run, cloth):
    status, out, err = run("products", "--remove", "old cloth")
    assert status == 2 and not out and "no way back" in err and "--yes forgets it" in err
    assert names() == ["old cloth"]
    assert run("products", "--remove", "old cloth", "--yes")[0] == 0 and names() == []


@pytest.mark.parametrize(("answer", "left"), [("n\n", ["old cloth"]), ("\n", ["old cloth"]), ("y\n", [])])
def test_who_sits_at_a_terminal_is_asked(run, cloth, terminal, answer, left):
    terminal(answer)
    status, _, err = run("products", "--remove", "old cloth")
    assert "Forget it?" in err and names() == left
    assert status == (2 if left else 0)


def test_nobody_is_asked_about_a_product_that_is_not_there(run, cloth, terminal):
    terminal("y\n")
    status, _, err = run("products", "--remove", "new cloth")
    assert status == 2 and "old cloth" in err and "Forget it?" not in err
