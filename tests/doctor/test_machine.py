"""The machine as its files describe it: quotas and limits of containers, processors, folders left untouched."""

import os

import pytest

from assistant.doctor import machine


@pytest.fixture
def groups(tmp_path):
    """groups(lines, files): the files of control groups, and what a process says it is in."""

    def make(lines, files):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        own = tmp_path / "own"
        own.write_text(lines)
        return tmp_path / "cgroup", own

    return make


@pytest.mark.parametrize(
    ("lines", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2.0),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/elsewhere\n", {"cpu.max": "300000 100000\n"}, 3.0),
        (
            "4:cpu,cpuacct:/\n2:pids:/\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "40000\n", "cpu,cpuacct/cpu.cfs_period_us": "20000\n"},
            2.0,
        ),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_of_a_container_is_the_narrowest_of_its_groups(groups, lines, files, quota):
    assert machine.read_quota(*groups(lines, files)) == quota


@pytest.mark.parametrize(
    ("lines", "files", "limit"),
    [
        ("0::/a\n", {"a/memory.max": "536870912\n", "memory.max": "max\n"}, 536870912),
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": "1000000\n"}, 1000000),
    ],
)
def test_the_memory_that_a_container_is_granted_is_read(groups, lines, files, limit):
    assert machine.read_memory_limit(*groups(lines, files)) == limit


def test_a_quota_below_the_processors_says_which_number_of_threads_fits(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine, "usable_processors", lambda: 16)
    monkeypatch.setattr(machine, "read_quota", lambda: 1.5)
    assert machine.find_threads().state == "note" and "OMP_NUM_THREADS=2" in machine.find_threads().mend
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert machine.find_threads().state == "works"


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
