"""Changes that are made at the same moment are all kept, or refused with a sentence."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from test_product import make

from assistant.errors import ProductError
from assistant.products import store as stores
from assistant.products.changes import last_changes
from assistant.products.live_store import LiveProducts
from assistant.products.product import Change, Reference
from assistant.products.store import ProductStore, TakenName

CHANGER = """
import sys
sys.path.insert(0, sys.argv[2])
from dataclasses import replace
from assistant.products.product import Change, Reference
from assistant.products.store import ProductStore
store = ProductStore(sys.argv[1])
for i in range(int(sys.argv[4])):
    note = Change("2026-01-01", "good", None, f"{sys.argv[3]}-{i}")
    store.change("widget", lambda p: p.followed_by(replace(p, history=(*p.history, note))))
"""


def noted(name):
    return lambda product: product.followed_by(
        replace(product, history=(*product.history, Change("2026-01-01", "good", None, name)))
    )


@pytest.fixture
def store(tmp_path):
    store = ProductStore(tmp_path / "products")
    store.save(make(name="widget", entries=30))
    return store


def test_fifty_changes_of_eight_processes_are_fifty_changes(store):
    counts = [7, 7, 6, 6, 6, 6, 6, 6]
    command = [sys.executable, "-c", CHANGER, store.folder, Path(__file__).parent]
    together = [subprocess.Popen([*command, str(i), str(n)]) for i, n in enumerate(counts)]
    assert [process.wait() for process in together] == [0] * 8
    names = {change.name for change in store.load("widget").history}
    assert names == {f"{i}-{k}" for i, n in enumerate(counts) for k in range(n)}
    assert store.log.verify().entries == 1 + 50 and not list(store.strays())


def test_threads_of_a_server_and_the_shell_do_not_lose_each_others_changes(store):
    live = LiveProducts(store, store.load)
    work = [threading.Thread(target=live.change, args=("widget", noted(f"page {i}"), "page")) for i in range(5)]
    work += [threading.Thread(target=store.change, args=("widget", noted(f"shell {i}"))) for i in range(5)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    names = {change.name for change in store.load("widget").history}
    assert names == {f"{who} {i}" for who in ("page", "shell") for i in range(5)}
    assert live.get("widget").history == store.load("widget").history


def test_a_change_that_waits_too_long_is_refused_and_the_other_one_kept(store, monkeypatch):
    monkeypatch.setattr(stores, "LONGEST_WAIT", 0.2)
    with store.held("widget"):
        with pytest.raises(ProductError, match="is being changed elsewhere"):
            store.change("widget", noted("late"))
    before, after = store.change("widget", noted("in time"))
    assert len(after.history) == len(before.history) + 1 == len(store.load("widget").history)


def test_a_product_is_not_replaced_unless_that_is_asked_for_and_comes_back(store):
    store.change("widget", noted("much work"))
    before = store.load("widget")
    made = []

    def anew():
        others = (Reference(0, "c.png", 0.1, "c"), Reference(1, "d.png", 0.12, "d"))
        made.append(make(name="widget", seed=5, entries=40, references=others))
        return made[-1]

    with pytest.raises(TakenName, match="'widget' already, with 2 references"):
        store.learn("widget", anew)
    assert not made and store.load("widget").history == before.history
    replaced = store.learn("widget", anew, replace=True)
    assert store.load("widget").history == () and last_changes(replaced)[0].what == "replaced"
    _, back = store.change("widget", lambda product: product.undo())
    assert back.state()[0] == before.state()[0] == store.load("widget").state()[0]
    assert not list(store.strays())


def test_a_damaged_product_is_in_the_way_too_and_says_so(store):
    store.path("widget").write_bytes(b"nothing")
    with pytest.raises(TakenName, match="whose file is damaged"):
        store.learn("widget", lambda: make(name="widget"))
    assert store.learn("widget", lambda: make(name="widget"), replace=True).past == ()


def test_a_change_that_fails_lets_go_of_the_product(store):
    def fail(product):
        raise ProductError("no such thing")

    with pytest.raises(ProductError, match="no such thing"):
        store.change("widget", fail)
    store.change("widget", noted("after"))
    assert store.names() == ["widget"]


def hidden(store):
    return {
        path.name for path in store.folder.iterdir() if path.name.startswith(".widget") or "other" in path.name
    }


@pytest.mark.parametrize("error", [ProductError("no picture can be read"), KeyboardInterrupt()])
def test_a_name_that_no_product_has_leaves_no_lock_behind(store, error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        store.learn("other", fail)
    assert not hidden(store) - {".widget.lock"}
    with store.held("widget"):
        store.delete("widget")
    assert not hidden(store)


def test_who_waits_for_a_lock_that_goes_is_still_alone(store):
    inside, most, done = [], [], []

    def learn(number):
        def make_one():
            inside.append(number)
            most.append(len(inside))
            threading.Event().wait(0.02)
            inside.remove(number)
            raise ProductError("unfit")

        with pytest.raises(ProductError, match="unfit"):
            store.learn("other", make_one)
        done.append(number)

    work = [threading.Thread(target=learn, args=(i,)) for i in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert set(most) == {1} and sorted(done) == list(range(8)) and not hidden(store) - {".widget.lock"}
