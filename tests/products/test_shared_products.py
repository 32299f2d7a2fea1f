"""Products in a database: taught by one station and used by another at once, and nothing is lost between them."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from test_product import make
from test_store_together import noted

from assistant.database.engine import Database
from assistant.database.tables import AUDIT, PRODUCTS
from assistant.errors import ProductError
from assistant.products import store as stores
from assistant.products.live_store import LiveProducts, MissingProduct, UnkeptProduct, UnusableProduct
from assistant.products.opened import open_products
from assistant.products.product import Reference
from assistant.products.shared_store import SharedProducts
from assistant.products.store import ProductStore, TakenName
from assistant.upkeep.archive import export_store, import_store
from assistant.upkeep.examination import examine

CHANGER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_store_together import noted
from assistant.products.opened import open_products
store = open_products(sys.argv[1])
for i in range(int(sys.argv[4])):
    store.change("widget", noted(f"{sys.argv[3]}-{i}"))
"""


@pytest.fixture
def url(place):
    if isinstance(place, str):
        return place
    place.parent.mkdir()
    return f"sqlite:///{place}"


@pytest.fixture
def store(url):
    made = open_products(url)
    made.save(make(name="widget", entries=30))
    return made


def test_a_product_is_the_same_for_another_station_with_its_way_back_and_its_log(store, url):
    other = open_products(url)
    assert other.names() == ["widget"] and other.load("widget") == store.load("widget")
    other.change("widget", noted("by the other"))
    assert [change.name for change in store.load("widget").history] == ["by the other"]
    _, back = store.change("widget", lambda product: product.undo())
    assert back.history == () and other.load("widget").history == () and not other.load("widget").past
    assert [entry.action for entry in other.log.entries()] == ["learn", "teach good", "undo"]
    assert other.log.verify().ok and not list(other.strays())
    other.delete("widget")
    assert store.names() == [] and store.state("widget") is None
    with pytest.raises(ProductError, match="There is no product 'widget'"):
        store.load("widget")


def test_a_running_server_sees_what_another_station_taught_within_a_second(store, url):
    live = LiveProducts(store, store.load)
    before = live.get("widget")
    assert live.get("widget") is before, "it is read once"
    open_products(url).change("widget", noted("elsewhere"))
    began = time.monotonic()
    assert [change.name for change in live.get("widget").history] == ["elsewhere"]
    assert time.monotonic() - began < 1
    open_products(url).save(make(name="bolt"))
    assert [row.name for row in live.summaries()] == ["bolt", "widget"]
    for wrong in ("gone", "a/b", ""):
        with pytest.raises(MissingProduct):
            live.get(wrong)


@pytest.mark.slow
def test_changes_of_several_programs_are_all_kept(store, url):
    command = [sys.executable, "-c", CHANGER, url, Path(__file__).parent]
    together = [subprocess.Popen([*map(str, command), str(i), "5"]) for i in range(4)]
    assert [program.wait() for program in together] == [0] * 4
    names = [change.name for change in store.load("widget").history]
    assert sorted(names) == sorted(f"{i}-{k}" for i in range(4) for k in range(5))
    assert store.log.verify().entries == 21 and not list(store.strays())


def test_threads_of_a_server_and_another_station_lose_nothing(store, url):
    live, other = LiveProducts(store, store.load), open_products(url)
    work = [threading.Thread(target=live.change, args=("widget", noted(f"page {i}"), "page")) for i in range(4)]
    work += [threading.Thread(target=other.change, args=("widget", noted(f"shell {i}"))) for i in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    names = {change.name for change in live.get("widget").history}
    assert names == {f"{who} {i}" for who in ("page", "shell") for i in range(4)}


def test_a_change_that_waits_too_long_is_refused(store, url, monkeypatch):
    monkeypatch.setattr(stores, "LONGEST_WAIT", 0.3)
    with store.held("widget"), pytest.raises(ProductError, match="is being changed elsewhere"):
        open_products(url).change("widget", noted("late"))
    open_products(url).change("widget", noted("in time"))
    with pytest.raises(ProductError, match="is held|held by another"), store.log.hold():
        monkeypatch.setattr("assistant.products.shared_log.PATIENCE", 0.3)
        open_products(url).save(make(name="bolt"))
    assert store.names() == ["widget"]


def test_who_lost_the_lock_with_his_connection_does_not_overwrite_another(postgres):
    url = postgres.url()
    store, other = open_products(url), open_products(url)
    store.save(make(name="widget"))

    def slow(product):
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        other.change("widget", noted("quick"))
        return noted("slow")(product)

    with pytest.raises(ProductError, match="was changed elsewhere meanwhile: do it again"):
        store.change("widget", slow)
    assert [change.name for change in store.load("widget").history] == ["quick"]
    store.change("widget", noted("again"))
    assert len(other.load("widget").history) == 2 and not list(other.strays())


def test_a_taken_name_and_a_failing_change_leave_all_as_it_was(store):
    with pytest.raises(TakenName, match="'widget' already"):
        store.learn("widget", lambda: pytest.fail("nothing is made"))
    with pytest.raises(ProductError, match="unfit"):
        store.change("widget", lambda product: (_ for _ in ()).throw(ProductError("unfit")))
    others = (Reference(0, "c.png", 0.1, "c"), Reference(1, "d.png", 0.12, "d"))
    store.learn("widget", lambda: make(name="widget", seed=5, entries=40, references=others), replace=True)
    store.change("widget", lambda product: product.undo())
    assert store.load("widget").references == make(name="widget").references


def change_rows(url, statement):
    with closing(Database(url)) as database, database.write() as connection:
        connection.execute(statement)


def test_damage_is_found_and_hides_no_other_product(store, url):
    store.save(make(name="bolt"))
    change_rows(url, PRODUCTS.update().where(PRODUCTS.c.name == "bolt").values(content=b"nonsense", version="x"))
    live = LiveProducts(store, store.load)
    broken, whole = live.summaries()
    assert (broken.name, whole.name) == ("bolt", "widget") and broken.error and not whole.error
    with pytest.raises(UnusableProduct, match="is damaged"):
        live.get("bolt")
    [fault] = examine(url).faults
    assert fault.kind == "row" and fault.row == "bolt"
    assert any("bolt" in said for said in store.strays())


def test_an_entry_that_was_changed_or_taken_out_is_found(store, url):
    for i in range(3):
        store.change("widget", noted(str(i)))
    head = store.log.verify().head
    change_rows(url, AUDIT.delete().where(AUDIT.c.n == 2))
    assert not store.log.verify().ok
    change_rows(url, AUDIT.delete().where(AUDIT.c.n > 2))
    assert store.log.verify().ok and "cut off" in store.log.verify(head).fault
    [line] = [entry.line.decode() for entry in store.log.entries()]
    change_rows(url, AUDIT.update().values(line=line.replace('"target":0.05', '"target":0.5')))
    with pytest.raises(ProductError, match="damaged at its end"):
        store.save(make(name="bolt"))


def test_a_change_that_cannot_be_recorded_is_not_made(store, monkeypatch):
    with closing(store.database), store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE looktwice_audit RENAME TO elsewhere")
    live = LiveProducts(store, store.load)
    with pytest.raises(UnkeptProduct, match="audit log is in a database"):
        live.change("widget", noted("unrecorded"), "tester")
    assert store.load("widget").history == ()


def test_a_server_that_is_away_is_one_sentence(postgres):
    store = open_products(postgres.url())
    store.save(make(name="widget"))
    live = LiveProducts(store, store.load)
    live.get("widget")
    postgres.stop()
    try:
        for ask in (store.names, lambda: store.load("widget"), lambda: store.change("widget", noted("x"))):
            with pytest.raises(ProductError, match=r"^The products are in a database\. The history [^\n]*\.$"):
                ask()
        with pytest.raises(ProductError, match="the server does not answer"):
            live.get("widget")
    finally:
        postgres.start()
    assert store.load("widget").history == () and live.get("widget")


def test_a_folder_is_taken_over_with_its_log_and_stays_as_it_is(url, tmp_path):
    folder = ProductStore(tmp_path / "products")
    for name in ("widget", "bolt"):
        folder.save(make(name=name))
    folder.change("widget", noted("before"))
    shared = SharedProducts(url)
    assert shared.take_over(folder) == ["bolt", "widget"]
    assert shared.log.verify() == folder.log.verify() and not list(shared.strays())
    assert shared.load("widget").history == folder.load("widget").history
    shared.change("widget", lambda product: product.undo())
    assert shared.load("widget").history == () and len(folder.load("widget").history) == 1
    with pytest.raises(ProductError, match="has products already: nothing was taken over"):
        shared.take_over(folder)
    assert shared.log.verify().entries == 4


def test_a_folder_that_is_damaged_is_not_taken_over(url, tmp_path):
    folder = ProductStore(tmp_path / "products")
    folder.save(make(name="widget"))
    folder.path("bolt").write_bytes(b"nonsense")
    shared = SharedProducts(url)
    with pytest.raises(ProductError, match="is damaged"):
        shared.take_over(folder)
    folder.path("bolt").unlink()
    lines = folder.log.path.read_bytes()
    folder.log.path.write_bytes(lines.replace(b'"target":0.05', b'"target":0.06'))
    with pytest.raises(ProductError, match="Nothing was taken over"):
        shared.take_over(folder)
    assert shared.names() == [] and shared.log.verify().entries == 0


def test_products_are_carried_with_their_store(store, url, tmp_path):
    store.change("widget", noted("kept"))
    counts = export_store(url, tmp_path / "all.zip")
    assert (counts["looktwice_products"], counts["looktwice_audit"]) == (1, 2)
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    import_store(tmp_path / "all.zip", target)
    other = open_products(target)
    assert (
        other.load("widget").history == store.load("widget").history and other.log.verify() == store.log.verify()
    )
    assert examine(target).is_sound


def test_the_shell_works_on_shared_products(store, url):
    own = os.environ | {"LOOKTWICE_PRODUCTS": url, "LOOKTWICE_HISTORY": url}

    def run(*words):
        command = [sys.executable, "-c", "from assistant.commands.main import main; main()", *words]
        return subprocess.run(command, env=own, capture_output=True, text=True, check=False)

    listed = run("products", "--json")
    assert [row["name"] for row in json.loads(listed.stdout)] == ["widget"], listed.stderr
    verified = run("audit", "verify")
    assert verified.returncode == 0 and "All 1 entries fit" in verified.stderr
    assert run("products", "--remove", "widget", "--yes").returncode == 0 and store.names() == []


def test_a_place_that_is_a_folder_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", str(tmp_path))
    assert type(open_products()) is ProductStore and open_products().folder == tmp_path
