"""The machine as its files describe it: quotas and limits of containers, processors, folders left untouched."""

import os

import pytest

from assistant.doctor import machine


@pytest.mark.parametrize(
    ("wanted", "state", "said"),
    [("", "works", "; 2 will be used"), ("2", "works", "OMP_NUM_THREADS is 2"), ("8", "note", "")],
)
def test_more_threads_than_the_quota_are_noted_where_somebody_asked_for_them(monkeypatch, wanted, state, said):
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    monkeypatch.setattr(machine, "usable_processors", lambda: 16)
    monkeypatch.setattr(machine, "read_quota", lambda: 1.5)
    monkeypatch.setattr(machine, "processors_granted", lambda: 2)
    found = machine.find_threads()
    assert found.state == state and said in found.said


@pytest.mark.parametrize(
    ("text", "name", "has", "lacks"),
    [
        (
            "model name\t: Fast\nflags\t\t: fpu avx2 amx_tile amx_bf16\n\nflags\t: none\n",
            "Fast",
            "AMX bf16",
            "AVX-512",
        ),
        ("Features\t: fp asimd asimddp i8mm bf16\n", "", "int8 products", "AVX2"),
    ],
)
def test_features_that_count_are_named_as_people_name_them(tmp_path, monkeypatch, text, name, has, lacks):
    (tmp_path / "cpuinfo").write_text(text)
    read = machine.read_processor(tmp_path / "cpuinfo")
    assert read[0] == name
    monkeypatch.setattr(machine, "read_processor", lambda: read)
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    said = machine.find_processor().said
    assert has in said and lacks not in said


def test_a_processor_without_avx2_is_noted_and_an_unknown_system_is_told_plainly(tmp_path, monkeypatch):
    unknown = machine.read_processor(tmp_path / "none")
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine, "read_processor", lambda: ("Old", frozenset({"sse2"})))
    assert machine.find_processor().state == "note"
    monkeypatch.setattr(machine, "read_processor", lambda: unknown)
    assert machine.find_processor().state == "works" and "cannot be known" in machine.find_processor().said


def test_little_memory_is_noted_and_the_limit_of_the_container_counts(monkeypatch):
    monkeypatch.setattr(machine, "read_memory", lambda: (64_000_000_000, 32_000_000_000))
    monkeypatch.setattr(machine, "read_memory_limit", lambda: None)
    assert machine.find_memory().state == "works"
    monkeypatch.setattr(machine, "read_memory_limit", lambda: 600_000_000)
    assert machine.find_memory().state == "note" and "0.6 GB granted" in machine.find_memory().said
    monkeypatch.setattr(machine, "read_memory", lambda: (None, None))
    assert machine.find_memory().state == "works"


def test_a_folder_is_judged_without_being_made_or_written(tmp_path):
    new = tmp_path / "a" / "b"
    assert machine.find_folder("LOOKTWICE_PRODUCTS", new).state == "works"
    assert not (tmp_path / "a").exists() and not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("x")
    found = machine.find_folder("LOOKTWICE_PRODUCTS", tmp_path / "file" / "products")
    assert found.state == "fails" and "LOOKTWICE_PRODUCTS" in found.mend


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_leave_to_write_fails(tmp_path):
    tmp_path.chmod(0o500)
    assert machine.find_folder("LOOKTWICE_CACHE", tmp_path).state == "fails"


def test_a_disk_that_is_too_small_for_the_pull_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1_000_000})())
    found = machine.find_disk("pocket")
    assert found.state == "fails" and found.facts["needed"] > 500_000_000
    assert machine.find_disk("nothing-of-this-name").state == "works"  # its own check says so


def test_a_history_in_a_database_is_asked_whether_it_answers(postgres, monkeypatch):
    url = postgres.url()
    monkeypatch.setenv("LOOKTWICE_HISTORY", url)
    found = machine.find_history()
    assert found.state == "works" and "revision none yet" in found.said
    away = "postgresql://eva:s3cret@127.0.0.1:1/parts"
    monkeypatch.setenv("LOOKTWICE_HISTORY", away)
    found = machine.find_history()
    assert found.state == "fails" and "the server does not answer" in found.said and "s3cret" not in str(found)
