"""Live products: loaded once, followed when their files change, and changed in one place alone."""

import ast
import dataclasses
import threading
from pathlib import Path

import pytest

import assistant
from assistant.products.live_store import (
    MOST_LOADED,
    LiveProducts,
    MissingProduct,
    UnkeptProduct,
    UnusableProduct,
)
from assistant.products.store import TakenName

ROOT = Path(assistant.__file__).parent


@pytest.fixture
def products(inspector):
    return LiveProducts(inspector.store, inspector.load)


@pytest.fixture
def cloth(products, inspector, good):
    return products.learn("cloth", lambda: inspector.learn("cloth", [good(0), good(1)]), "tester")


def test_a_product_is_loaded_once_until_its_file_changes(products, cloth, inspector):
    loads = []
    again = LiveProducts(inspector.store, lambda name: loads.append(name) or inspector.load(name))
    assert again.get("cloth") is again.get("cloth") and loads == ["cloth"]
    inspector.save(cloth.with_target(0.2))
    assert again.get("cloth").calibration.target == 0.2 and loads == ["cloth"] * 2


def test_a_name_is_learned_once_and_what_is_not_there_is_said(products, cloth):
    with pytest.raises(TakenName, match="'cloth' already"):
        products.learn("cloth", lambda: pytest.fail("nothing is learned under a taken name"), "tester")
    for wrong in ("gone", "a/b", ""):
        with pytest.raises(MissingProduct):
            products.get(wrong)
        with pytest.raises(MissingProduct):
            products.delete(wrong, "tester")


def test_changes_come_one_after_the_other_and_none_is_lost(products, cloth, inspector, good):
    threads = [
        threading.Thread(
            target=products.change, args=("cloth", lambda p, i=i: inspector.teach(p, good(i)), f"visitor {i}")
        )
        for i in range(5, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(inspector.load("cloth").references) == 6
    assert {entry.actor for entry in inspector.store.log.entries()} >= {f"visitor {i}" for i in range(5, 9)}


def test_a_change_that_cannot_be_written_is_not_made(products, cloth, inspector, monkeypatch):
    from assistant.errors import ProductError

    def refuse(product, actor=None):
        raise ProductError("The disk is full.")

    monkeypatch.setattr(inspector.store, "save", refuse)
    with pytest.raises(UnkeptProduct, match="disk is full"):
        products.change("cloth", lambda p: p.with_target(0.2), "tester")
    assert products.get("cloth").calibration.target == 0.05
    assert products.change("cloth", lambda p: p, "tester") is products.get("cloth"), "nothing new is not written"


def test_a_list_goes_on_where_a_file_is_damaged(products, cloth, inspector):
    inspector.store.path("broken").write_bytes(b"nonsense")
    broken, whole = products.summaries()
    assert broken.name == "broken" and broken.error and broken.threshold is None
    assert (whole.name, whole.references, whole.error) == ("cloth", 2, None)
    with pytest.raises(UnusableProduct):
        products.get("broken")


def test_only_so_many_are_held(products, cloth, inspector):
    for i in range(MOST_LOADED + 2):
        inspector.save(dataclasses.replace(cloth, name=f"cloth {i}"))
        products.get(f"cloth {i}")
    assert len(products._loaded) == MOST_LOADED and "cloth" not in products._loaded


def writes(source):
    """The calls in a module that would change a kept product past `LiveProducts`, as text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value).split(".")[-1]
            if node.func.attr in ("save", "change", "delete") and owner in (
                "inspector",
                "store",
                "_inspector",
                "_store",
            ):
                yield ast.unparse(node)


def test_what_writes_past_the_live_products_is_seen():
    assert len(list(writes("shared.inspector.save(p)\nself.store.delete(n)\nproducts.delete(n)"))) == 2


@pytest.mark.parametrize("room", ["face", "service"])
def test_page_and_service_save_products_in_one_way_only(room):
    modules = sorted((ROOT / room).glob("*.py"))
    assert len(modules) > 10
    for module in [*modules, ROOT.parent / "app.py"]:
        assert list(writes(module.read_text())) == [], module.name
