"""Product files: the same product comes back, or one sentence and nothing half-read; a crash costs nothing."""

import dataclasses
import errno
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.strength import Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.calibration import calibrate
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.known import KnownDefect, KnownDefects
from assistant.errors import CalibrationError, ProductError
from assistant.models.digests import digest_state
from assistant.products import kept_pictures
from assistant.products.kept_pictures import expand
from assistant.products.product import SCHEMA, SUFFIX, Change, Product, Reference, check_name
from assistant.products.store import ProductStore, default_folder


def make(name="cloth", seed=0, entries=20, **changes):
    patches = normalize(torch.randn(entries, 8, generator=torch.Generator().manual_seed(seed)), dim=-1)
    made = Product(
        name=name,
        bundle="tiny",
        weights="abc123",
        side=128,
        views="plain",
        references=(Reference(0, "a.png", 0.1), Reference(1, "b.png", 0.12)),
        calibration=calibrate([0.1, 0.12]),
        dictionary=Dictionary.build({0: patches[: entries // 2], 1: patches[entries // 2 :]}),
        roi=torch.tensor([[0.0, 1.0], [1.0, 0.5]]),
        created="2025-01-01T00:00:00+00:00",
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
def store(tmp_path):
    return ProductStore(tmp_path / "products")


@pytest.fixture
def saved(store):
    return store.save(make())


def same_memory(one, other):
    state, again = one.dictionary.state_dict(), other.dictionary.state_dict()
    return all(torch.equal(state[name], again[name]) for name in state)


def products_in(folder):
    """Everything there, temporary files too, but for the audit log."""
    return [name for name in os.listdir(folder) if name not in ("audit.jsonl", ".audit.lock")]


def is_one_of(product, known):
    return any(same_memory(product, one) for one in known)


@pytest.mark.parametrize("change", [{}, {"roi": None}, {"calibration": calibrate([], [[0.1, 0.2]])}], ids=str)
def test_a_product_survives_the_way_through_a_file(store, change):
    product = make(**change)
    again = Product.load(store.save(product))
    assert again == product and same_memory(again, product)
    assert again.dictionary.capacity == product.dictionary.capacity and again.nbytes == product.nbytes
    assert again.roi is None if product.roi is None else torch.equal(again.roi, product.roi)
    assert again.calibration.threshold == product.calibration.threshold
    queries = normalize(torch.randn(5, 8), dim=-1)
    assert torch.equal(again.dictionary.lookup(queries, without=1), product.dictionary.lookup(queries, without=1))


def test_whole_pictures_are_kept_and_a_product_without_them_is_read(store):
    rows = normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(3)), dim=-1).half()
    product = make(wholes=Wholes(rows, (0, 1)))
    again = Product.load(store.save(product))
    assert again.alike and torch.equal(again.wholes.rows, rows) and again.wholes.owners == (0, 1)
    assert again.nbytes == product.nbytes == make().nbytes + 2 * 6 * 2
    plain = Product.load(store.save(make("plain")))
    assert not plain.alike and plain.wholes is None
    sealed = product.sealed()
    sealed.check_seal()
    for wholes in (None, Wholes(rows.flip(0), (0, 1))):
        with pytest.raises(ProductError, match="recalibrate"):
            dataclasses.replace(sealed, wholes=wholes).check_seal()
    path = store.save(dataclasses.replace(product, wholes=Wholes(rows, (0, 7))))
    assert "does not name" in refused(path)


def test_strengths_are_kept_and_the_seal_holds_them(store):
    limits = torch.tensor([[1.0, 2.0], [1.5, 0.5]])
    product = make(strengths=Strengths(limits, (0, 1))).sealed()
    again = Product.load(store.save(product))
    again.check_seal()
    assert torch.equal(again.strengths.rows, limits) and again.strengths.owners == (0, 1)
    assert Product.load(store.save(make("plain"))).strengths is None
    for strengths in (None, Strengths(limits + 1, (0, 1))):
        with pytest.raises(ProductError, match="recalibrate"):
            dataclasses.replace(product, strengths=strengths).check_seal()
    path = store.save(dataclasses.replace(product, strengths=Strengths(limits, (0, 7))))
    assert "does not name" in refused(path)


def test_saving_twice_writes_the_same_bytes(store, saved):
    before = saved.read_bytes()
    store.save(store.load("cloth"))
    assert saved.read_bytes() == before


def refused(path):
    with pytest.raises(ProductError) as caught:
        Product.load(path)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and str(path.parent) not in sentence
    return sentence


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 100, -40, -1])
def test_a_cut_file_is_refused(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    assert "damaged" in refused(saved)


def test_a_header_that_claims_to_be_huge_is_refused(saved):
    saved.write_bytes(struct.pack("<Q", 2**62) + saved.read_bytes()[8:])
    assert "damaged" in refused(saved)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_wrong_bytes_gives_a_product_or_one_sentence(saved, data):
    content = bytearray(saved.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = saved.with_name("spoilt")
    path.write_bytes(bytes(content))
    try:
        Product.load(path)
    except ProductError:
        pass


def rewrite(path, tensors=lambda t: None, header=lambda h: None):
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        row = json.loads(file.metadata()["looktwice"].partition("\n")[0])
    kept = load_file(path)
    tensors(kept)
    header(row)
    settings = json.dumps(row)
    save_file(kept, path, {"looktwice": f"{settings}\n{digest_state(settings, kept)}"})


def test_one_flipped_bit_anywhere_in_the_file_is_noticed(saved):
    content, random = saved.read_bytes(), np.random.default_rng(0)
    assert Product.load(saved)
    for place in random.integers(0, len(content), 200):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(8))
        saved.write_bytes(flipped)
        with pytest.raises(ProductError, match="damaged|another version"):
            Product.load(saved)


def test_a_kept_picture_of_another_format_or_size_is_one_sentence(monkeypatch):
    def packed(format, **options):
        out = io.BytesIO()
        Image.new("RGB", (40, 30)).save(out, format, **options)
        return torch.frombuffer(bytearray(out.getvalue()), dtype=torch.uint8)

    assert expand(packed("PNG")).shape == (30, 40, 3)
    for format in ("GIF", "JPEG2000", "PCX", "EPS", "BMP"):
        with pytest.raises(ProductError, match="keeps is damaged"):
            expand(packed(format))
    with pytest.raises(ProductError, match="keeps is damaged"):
        expand(packed("PNG")[:-40])
    monkeypatch.setattr(kept_pictures, "MOST_PIXELS", 1000)
    with pytest.raises(ProductError, match="keeps is damaged"):
        expand(packed("PNG"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.pop("dictionary.entries"),
        lambda t: t.pop("dictionary.owners"),
        lambda t: t.update(surprise=torch.ones(2)),
        lambda t: t.update({"dictionary.surprise": torch.ones(2)}),
        lambda t: t.update({"dictionary.entries": t["dictionary.entries"].float()}),
        lambda t: t.update({"dictionary.entries": t["dictionary.entries"][:-1].clone()}),
        lambda t: t.update({"dictionary.entries": t["dictionary.entries"][0].clone()}),
        lambda t: t.update({"dictionary.entries": t["dictionary.entries"] * float("nan")}),
        lambda t: t.update({"dictionary.owners": t["dictionary.owners"].float()}),
        lambda t: t.update({"dictionary.owners": t["dictionary.owners"] + 5}),
        lambda t: t.update(
            {"dictionary.entries": torch.empty(0, 8).bfloat16(), "dictionary.owners": torch.empty(0).long()}
        ),
        lambda t: t.update(roi=torch.full((2, 2), float("nan"))),
        lambda t: t.update(roi=torch.ones(3)),
        lambda t: t.update(roi=torch.full((2, 2), 7.0)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(saved, spoil):
    rewrite(saved, tensors=spoil)
    refused(saved)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda h: h.pop("name"),
        lambda h: h.pop("calibration"),
        lambda h: h.pop("schema"),
        lambda h: h.pop("capacity"),
        lambda h: h.update(surprise=1),
        lambda h: h.update(capacity=0),
        lambda h: h.update(name="../up"),
        lambda h: h.update(references=[]),
        lambda h: h.update(references=[{"id": 0}]),
        lambda h: h["references"].pop(),
        lambda h: h["calibration"].update(method="guess"),
        lambda h: h["calibration"].update(target=0.9),
        lambda h: h["calibration"].update(width=float("nan")),
        lambda h: h["calibration"].update(scores=None),
        lambda h: h["calibration"].pop("center"),
        lambda h: h["scoring"].update(share=0.5),
        lambda h: h["scoring"].update(top_share=0),
        lambda h: h["scoring"].update(rim="wide"),
        lambda h: h["scoring"].update(mutual_sizes=None),
        lambda h: h.update(scoring=[]),
        lambda h: h.update(memory="sideways"),
    ],
)
def test_settings_that_do_not_fit_are_refused(saved, spoil):
    rewrite(saved, header=spoil)
    try:
        refused(saved)
    except CalibrationError:
        pytest.fail("a damaged product is a ProductError")


def full():
    """A product that has something of everything that can be kept."""
    rows = normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(3)), dim=-1)
    known = KnownDefects().with_example(KnownDefect(2, "d.png", "dent", "9"), rows.repeat(1, 2)[:, :8])
    return make(
        ignore=torch.tensor([[0.0, 0.0], [0.0, 0.5]]),
        known=known,
        pictures={0: torch.arange(9, dtype=torch.uint8), 1: torch.arange(7, dtype=torch.uint8)},
        history=(Change("2025-01-02", "defect", 2, "d.png", "dent"),),
        wholes=Wholes(rows.half(), (0, 1)),
        strengths=Strengths(rows.float(), (0, 1)),
        scoring=ScoringConfig(rim=2),
        trained="abc",
    ).sealed()


def flipped(tensor):
    """A copy with the lowest bit of its last number flipped."""
    copy = tensor.clone()
    octets = copy.view(torch.uint8).flatten()
    octets[-copy.element_size()] ^= 1
    return copy


def numbers(row, path=()):
    """The paths of all numbers in a JSON-ready row."""
    if isinstance(row, dict | list):
        for key, value in row.items() if isinstance(row, dict) else enumerate(row):
            yield from numbers(value, (*path, key))
    elif isinstance(row, int | float) and not isinstance(row, bool):
        yield path


def shift(row, path):
    """Change the number at a path, a whole one by 1 and another one by the least that tells."""
    *way, last = path
    for key in way:
        row = row[key]
    row[last] += 1 if isinstance(row[last], int) else 1e-9 * (1 if row[last] < 0.4 else -1)


def test_a_seal_is_whole_after_a_file_and_saving_breaks_none(store):
    product = full()
    again = Product.load(store.save(product))
    again.check_seal()
    assert again.seal == product.seal != "" and again == product and again.scoring == ScoringConfig(rim=2)
    assert Product.load(store.save(again)).sealed().seal == product.seal


@pytest.mark.parametrize("name", sorted(full().state()[1]))
def test_one_flipped_bit_in_a_tensor_breaks_the_seal(store, name):
    path = store.save(full())
    rewrite(path, tensors=lambda t: t.update({name: flipped(t[name])}))
    try:
        product = Product.load(path)
    except ProductError:  # an owner that cannot be is refused at once
        assert name.endswith("owners")
        return
    with pytest.raises(ProductError, match="run `looktwice teach cloth --recalibrate`"):
        product.check_seal()
    product.sealed().check_seal()


@pytest.mark.parametrize("part", ["calibration", "references", "scoring", "tiles", "side", "history", "capacity"])
def test_one_other_number_in_the_settings_breaks_the_seal(store, part):
    path = store.save(full())
    content, header = path.read_bytes(), json.loads(full().state()[0])
    tried = 0
    for way in numbers({part: header[part]}):
        path.write_bytes(content)
        rewrite(path, header=lambda h, way=way: shift(h, way))
        try:
            product = Product.load(path)
        except ProductError:  # out of its range, or the id of nothing
            continue
        tried += 1
        with pytest.raises(ProductError, match="recalibrate"):
            product.check_seal()
    assert tried >= {"calibration": 5, "scoring": 15}.get(part, 1)


@pytest.mark.parametrize(
    "change",
    [{"trained": "abd"}, {"aligned": True}, {"views": "flips"}, {"weights": "abc124"}, {"memory": "trained"}],
    ids=str,
)
def test_another_word_in_the_settings_breaks_the_seal(change):
    with pytest.raises(ProductError, match="recalibrate"):
        dataclasses.replace(full(), **change).check_seal()


def test_another_version_of_the_score_rule_breaks_the_seal(store, monkeypatch):
    path = store.save(full())
    Product.load(path).check_seal()
    monkeypatch.setattr("assistant.detection.config.FORMULA", 99)
    with pytest.raises(ProductError, match="recalibrate"):
        Product.load(path).check_seal()


def test_a_seal_is_worked_out_again_where_a_memory_changed_in_its_place():
    product = full()
    product.check_seal()
    product.dictionary.remove(1)
    with pytest.raises(ProductError, match="recalibrate"):
        product.check_seal()


def age(path, more=None):
    """Write a product's file again as schema 2 was, with `more` tensors."""
    header = json.loads(Product.load(path).state()[0]) | {"schema": 2, "seal": "0123456789abcdef"}
    for name in ("scoring", "trained", "memory"):
        del header[name]
    save_file(load_file(path) | (more or {}), path, {"looktwice": json.dumps(header)})


def test_a_file_of_the_schema_before_is_read_and_its_limits_are_stale(store):
    product = full()
    path = store.save(product)
    age(path)
    old = Product.load(path)
    assert (old.schema, old.scoring, old.memory, old.trained) == (SCHEMA, SHIPPED, "nearest", "")
    assert same_memory(old, product) and old.calibration == product.calibration
    assert old.references == product.references and torch.equal(old.wholes.rows, product.wholes.rows)
    for stale in (old, old.with_target(0.2)):
        with pytest.raises(ProductError, match="recalibrate"):
            stale.check_seal()
    again = Product.load(store.save(old))
    assert again == old and json.loads(again.state()[0])["schema"] == SCHEMA == 3


def test_a_file_of_the_schema_before_that_left_out_its_ground_is_refused_with_a_sentence(store):
    path = store.save(full())
    age(path, {"foreground.direction": torch.ones(8)})
    assert "leaves out the ground it stands on" in refused(path) and "learn it again" in refused(path)


@pytest.mark.parametrize("schema", [1, 4, 0, "2", "3", None])
def test_another_schema_says_what_helps(saved, schema):
    rewrite(saved, header=lambda h: h.update(schema=schema))
    assert "another version; learn it again" in refused(saved)


def test_a_safetensors_file_of_something_else_is_refused(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert "damaged" in refused(tmp_path / "a.safetensors")


def test_a_missing_product_is_told_with_those_there_are(store, saved):
    with pytest.raises(ProductError, match="There is no product 'tile'; the products are: cloth"):
        store.load("tile")
    with pytest.raises(ProductError, match="none yet"):
        ProductStore(store.folder / "other").load("tile")
    assert "There is no product file" in refused(store.folder / "tile")


def test_a_renamed_file_is_not_taken_for_another_product(store, saved):
    saved.rename(store.path("tile"))
    with pytest.raises(ProductError, match="holds 'cloth' instead"):
        store.load("tile")


@pytest.mark.parametrize(
    "name",
    ["../../etc", "..", ".", "a/b", "a\\b", "/etc", "C:x", "", " ", "x" * 81, "x" * 300, "CON", "con.txt", "nul"]
    + ["COM1", "Lpt9.a", "a\n", "a\0b", ".hidden", "-rf", "a.", "a ", "a*b", "a?b", "ä" * 70 + "漢" * 40, "<b>"],
)
def test_names_that_cannot_be_a_files_are_refused_and_touch_nothing(store, name):
    for ask in (check_name, store.path, store.load, store.delete, make):
        with pytest.raises(ProductError, match="cannot be a product's name"):
            ask(name)
    assert not store.folder.exists()


@pytest.mark.parametrize(
    "name", ["cloth", "Mono solar cell 2", "v1.2_b-3", "7", "schräg", "布", "console", "x" * 80]
)
def test_names_that_people_use_are_kept(store, name):
    assert store.save(make(name)).parent == store.folder
    assert store.load(name).name == name and store.names() == [name]


@given(st.text(max_size=100))
def test_no_name_leads_out_of_the_folder(name):
    store = ProductStore("products")
    try:
        path = store.path(name)
    except ProductError:
        return
    assert path.parent == store.folder and os.path.normpath(path) == str(path) and path.name.endswith(SUFFIX)


def test_a_product_can_be_deleted_once(store, saved):
    store.delete("cloth")
    assert store.names() == []
    with pytest.raises(ProductError, match="There is no product 'cloth'"):
        store.delete("cloth")


def test_products_are_listed_and_other_files_are_not(store, saved):
    store.save(make("able"))
    (store.folder / "notes.txt").write_text("")
    (store.folder / f".cloth{SUFFIX}.abc").write_bytes(b"")
    assert store.names() == ["able", "cloth"]


def test_the_folder_is_the_users_or_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", str(tmp_path))
    assert default_folder() == tmp_path == ProductStore().folder
    monkeypatch.delenv("LOOKTWICE_PRODUCTS")
    assert default_folder().name == "products"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a/b"},
        {"references": ()},
        {"roi": torch.tensor([[2.0]])},
        {"roi": torch.tensor([[float("nan")]])},
        {"dictionary": Dictionary()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_product_that_makes_no_sense_cannot_be_made(change):
    with pytest.raises(ProductError):
        make(**change)


def test_another_target_moves_the_limits_and_nothing_else():
    product = make().sealed()
    loose = product.with_target(0.3)
    assert loose.calibration == calibrate([0.1, 0.12], target=0.3)
    assert loose.calibration.threshold < product.calibration.threshold
    loose.check_seal()
    assert loose.seal != product.seal
    assert dataclasses.replace(loose, calibration=product.calibration, seal=product.seal) == product
    with pytest.raises(CalibrationError):
        product.with_target(0.0)


def test_another_target_makes_no_stale_limits_fresh():
    product = make().sealed()
    for stale in (dataclasses.replace(product, roi=None), dataclasses.replace(product, seal=""), make()):
        with pytest.raises(ProductError, match="recalibrate"):
            stale.with_target(0.3).check_seal()
    # What was changed by hand and is changed back is as it was.
    moved = dataclasses.replace(product, calibration=product.calibration.at(0.3))
    moved.with_target(product.calibration.target).check_seal()
    assert moved.with_target(product.calibration.target) == product


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_folder_that_cannot_be_written_to_gives_one_sentence_and_keeps_the_old_file(
    store, saved, monkeypatch, call
):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC if call == "fsync" else errno.EACCES, "it is not to be")

    with monkeypatch.context() as patch:
        patch.setattr("assistant.files.open" if call == "open" else f"os.{call}", fail, raising=call != "open")
        with pytest.raises(ProductError, match="'cloth' cannot be kept.*: it is not to be.$") as caught:
            store.save(make(seed=1))
    assert str(store.folder) not in str(caught.value)
    assert saved.read_bytes() == before and products_in(store.folder) == [saved.name]


def test_a_folder_that_is_a_file_gives_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProductError, match="cannot be kept"):
        ProductStore(tmp_path / "file" / "products").save(make())


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_read_only_folder_gives_one_sentence(store, saved):
    store.folder.chmod(0o500)
    try:
        with pytest.raises(ProductError, match="Permission denied"):
            store.save(make(seed=1))
    finally:
        store.folder.chmod(0o700)


SAVER = """
import sys, torch
from assistant.products.store import ProductStore
store = ProductStore(sys.argv[1])
one, other = store.load("one"), store.load("other")
import dataclasses
print("ready", flush=True)
while True:
    for product in (one, other):
        store.save(dataclasses.replace(product, name="cloth"))
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_in_the_middle_of_saving_leaves_the_old_file_or_the_new(store):
    sizes = {"one": 4000, "other": 6000}
    for seed, (name, entries) in enumerate(sizes.items()):
        store.save(make(name, seed=seed, entries=entries))
    known = [make(name, seed=seed, entries=n) for seed, (name, n) in enumerate(sizes.items())]
    for again in range(2):
        saver = subprocess.Popen([sys.executable, "-c", SAVER, store.folder], stdout=subprocess.PIPE, text=True)
        try:
            assert saver.stdout.readline() == "ready\n"
            end = time.monotonic() + 10
            while not store.path("cloth").exists() and time.monotonic() < end:
                time.sleep(0.001)
            for _ in range(10):  # whoever reads meanwhile sees a whole file too
                assert is_one_of(store.load("cloth"), known)
            time.sleep(0.013 * again)
        finally:
            saver.send_signal(signal.SIGKILL)
            saver.wait()
            saver.stdout.close()
        assert is_one_of(store.load("cloth"), known)
        assert store.names() == ["cloth", "one", "other"]


def test_two_savers_at_once_leave_one_of_the_two(store):
    products = [make(seed=seed, entries=3000 + 500 * seed) for seed in range(2)]

    def keep_saving(product):
        for _ in range(15):
            store.save(product)

    savers = [threading.Thread(target=keep_saving, args=(product,)) for product in products]
    for saver in savers:
        saver.start()
    while any(saver.is_alive() for saver in savers):
        if store.names():
            assert is_one_of(store.load("cloth"), products)
    assert is_one_of(store.load("cloth"), products)
    assert products_in(store.folder) == [f"cloth{SUFFIX}"]


def test_a_reader_never_sees_parts_of_two_files(store):
    products = [make(seed=seed, entries=1000 + 500 * seed) for seed in range(2)]
    contents = [store.save(product).read_bytes() for product in products]
    path, done = store.path("cloth"), threading.Event()

    def keep_replacing(content, fresh):
        while not done.is_set():
            fresh.write_bytes(content)
            os.replace(fresh, path)

    writers = [
        threading.Thread(target=keep_replacing, args=(content, store.folder / f"fresh {i}"))
        for i, content in enumerate(contents)
    ]
    for writer in writers:
        writer.start()
    try:
        for _ in range(300):
            assert is_one_of(store.load("cloth"), products)
    finally:
        done.set()
        for writer in writers:
            writer.join()
