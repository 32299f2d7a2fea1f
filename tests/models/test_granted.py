"""Processors and memory that a process is granted: by its affinity and the groups of its container."""

import pytest
import torch

from assistant.models import granted, runtime


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
    assert granted.read_quota(*groups(lines, files)) == quota


@pytest.mark.parametrize(
    ("lines", "files", "limit"),
    [
        ("0::/a\n", {"a/memory.max": "536870912\n", "memory.max": "max\n"}, 536870912),
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("5:memory:/x\n", {"memory/x/memory.limit_in_bytes": "1000000\n"}, 1000000),
    ],
)
def test_the_memory_that_a_container_is_granted_is_read(groups, lines, files, limit):
    assert granted.read_memory_limit(*groups(lines, files)) == limit


@pytest.fixture
def threads():
    """Sets torch's threads, and what they were again afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("usable", "quota", "count"), [(16, 1.5, 2), (16, None, 16), (2, 8.0, 2), (4, 0.2, 1)])
def test_threads_are_as_many_as_processors_are_granted(monkeypatch, threads, usable, quota, count):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(granted, "usable_processors", lambda: usable)
    monkeypatch.setattr(granted, "read_quota", lambda: quota)
    assert granted.processors_granted() == count
    threads(16)
    assert granted.fit_threads() == torch.get_num_threads() == count


def test_threads_that_somebody_chose_and_fewer_than_granted_stay(monkeypatch, threads):
    monkeypatch.setattr(granted, "processors_granted", lambda: 2)
    threads(5)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert granted.fit_threads() == torch.get_num_threads() == 5
    monkeypatch.delenv("OMP_NUM_THREADS")
    threads(1)
    assert granted.fit_threads() == torch.get_num_threads() == 1


@pytest.mark.parametrize(("count", "told"), [(3, 3), (16, None)])
def test_openvino_is_told_of_a_quota_and_left_alone_without(monkeypatch, tmp_path, count, told):
    hints = {}

    class Core:
        def compile_model(self, graph, device, given):
            hints.update(given)

    monkeypatch.setattr(runtime, "import_openvino", lambda: type("openvino", (), {"Core": Core}))
    monkeypatch.setattr(runtime, "usable_processors", lambda: 16)
    monkeypatch.setattr(runtime, "processors_granted", lambda: count)
    runtime.OpenVinoRuntime(tmp_path / "image.xml")
    assert hints.get("INFERENCE_NUM_THREADS") == told
