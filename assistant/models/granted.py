"""What the system grants this process: processors and memory, by its affinity and by the quotas of its container.

Libraries count the processors of the machine. In a container with a quota they start too many threads, which then
wait for each other while the container is held back.
"""

from __future__ import annotations

import math
import os
from pathlib import Path


def processors_granted() -> int:
    """How many processors are worth a thread: those this process may run on, and no more than its quota."""
    usable, quota = usable_processors(), read_quota()
    return max(1, min(usable, math.ceil(quota))) if quota else usable


def fit_threads() -> int:
    """Let torch use no more threads than there are processors granted, and return how many.

    Whoever set OMP_NUM_THREADS has chosen, and fewer threads than that stay as they are.
    """
    import torch

    threads, granted = torch.get_num_threads(), processors_granted()
    if threads > granted and not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(granted)
        return granted
    return threads


def usable_processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """The processors that the control groups of this process grant it, the fewest of all; None for no limit."""
    quotas = []
    for folder in _groups(root, own):
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()[:2]
        elif (folder / "cpu.cfs_quota_us").is_file():
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        else:
            continue
        if quota.strip() not in ("max", "-1"):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def read_memory_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes that the control groups of this process grant it; None for no limit."""
    limits = []
    for folder in _groups(root, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (folder / name).is_file() and (said := (folder / name).read_text().strip()) != "max":
                limits.append(int(said))
    return min((limit for limit in limits if limit < 1 << 60), default=None)  # version 1 writes no limit so


def _groups(root: Path, own: Path) -> list[Path]:
    """The folders of the control groups that a process is in, from its own up to the root, of both versions."""
    lines = own.read_text().splitlines() if own.is_file() else []
    folders = []
    for line in lines:
        _, kinds, path = line.split(":", 2)
        named = kinds.split(",")
        if kinds and not {"cpu", "memory"} & set(named):
            continue
        home = root / next((kind for kind in (kinds, *named) if (root / kind).is_dir()), "") if kinds else root
        inside = home / path.lstrip("/")
        folders += [one for one in (inside, *inside.parents) if one == home or home in one.parents]
    return list(dict.fromkeys([*folders, root]))
