"""What the machine and this Python are: processor, threads, memory, disk, folders. It loads no model."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from assistant.database.place import Place
from assistant.doctor.finding import Check, Finding, fails, note, works
from assistant.errors import LooktwiceError, WeightsError
from assistant.models.cache import status
from assistant.models.granted import processors_granted, read_memory_limit, read_quota, usable_processors
from assistant.models.places import cache_root
from assistant.models.plan import plan_pull
from assistant.products.names import default_folder

FEATURES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX VNNI",
    "avx512_bf16": "AVX-512 bf16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX bf16",
    "amx_int8": "AMX int8",
    "asimddp": "dot product",
    "i8mm": "int8 products",
    "bf16": "bf16",
    "sve": "SVE",
}
"""What a processor may offer for products of matrices, as Linux names it and as people do."""

LITTLE_MEMORY = 1_500_000_000
"""Bytes that should be free."""


def list_checks(bundle: str) -> tuple[Check, ...]:
    """The checks of this room, of which none needs another."""
    return (
        Check("version", find_version, "Install looktwice again."),
        Check("processor", find_processor, "Nothing has to be done: it only could not be read."),
        Check("threads", find_threads, "Set OMP_NUM_THREADS to the number of processors that you may use."),
        Check("memory", find_memory, "Nothing has to be done: it only could not be read."),
        Check("disk", lambda: find_disk(bundle), "Free some space, or set LOOKTWICE_CACHE to a folder elsewhere."),
        Check("cache folder", lambda: find_folder("LOOKTWICE_CACHE", cache_root()), _elsewhere("LOOKTWICE_CACHE")),
        Check(
            "products folder",
            find_products,
            _elsewhere("LOOKTWICE_PRODUCTS"),
        ),
        Check("history folder", find_history, _elsewhere("LOOKTWICE_HISTORY")),
    )


def find_version() -> Finding:
    """Versions of the program and of Python, and what they run on."""
    version, python, system = metadata.version("looktwice"), platform.python_version(), platform.platform()
    return works(
        f"looktwice {version}, Python {python}, {system}.", version=version, python=python, platform=system
    )


def find_processor() -> Finding:
    """The processor and what it offers for products of matrices, where that can be known."""
    model, flags = read_processor()
    name = model or platform.processor() or platform.machine()
    if not flags:
        return works(f"{name}; which of its features count cannot be known on this system.", name=name)
    offered = [word for flag, word in FEATURES.items() if flag in flags]
    facts = {"name": name, "features": [flag for flag in FEATURES if flag in flags]}
    if platform.machine().lower() in ("x86_64", "amd64") and "avx2" not in flags:
        return note(
            f"{name}, without AVX2.", "Expect several times the usual durations, or use another machine.", **facts
        )
    return works(f"{name}, with {', '.join(offered) or 'none of the features that count'}.", **facts)


def read_processor(path: Path = Path("/proc/cpuinfo")) -> tuple[str, frozenset[str]]:
    """The processor's name and flags as Linux tells them, empty elsewhere."""
    if not path.is_file():
        return "", frozenset()
    said: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    flags = said.get("flags") or said.get("Features") or ""
    return said.get("model name", ""), frozenset(flags.split())


def find_threads() -> Finding:
    """How many processors there are, how many this process may use, and the quota of its container."""
    there, allowed, quota = os.cpu_count() or 1, usable_processors(), read_quota()
    wanted = os.environ.get("OMP_NUM_THREADS")
    facts = {"processors": there, "usable": allowed, "quota": quota, "OMP_NUM_THREADS": wanted}
    said = f"{there} processors, of which this process may use {allowed}"
    said += f", and a quota of {quota:g}" if quota else ""
    said += f"; OMP_NUM_THREADS is {wanted}." if wanted else "."
    granted = processors_granted()
    if wanted and wanted.isdecimal() and int(wanted) > granted:
        return note(said, f"Unset OMP_NUM_THREADS, or set {granted}: more threads than that slow it.", **facts)
    if not wanted and granted < allowed:
        said = f"{said[:-1]}; {granted} will be used."
    return works(said, **facts)


def find_memory() -> Finding:
    """Memory in all and free, within the limit of a container."""
    total, free = read_memory()
    if total is None:
        return works("How much memory there is cannot be known on this system.")
    limit = read_memory_limit()
    facts = {"total": total, "free": free, "limit": limit}
    said = f"{total / 1e9:.1f} GB in all" + (f", {free / 1e9:.1f} GB free" if free is not None else "")
    said += f", {limit / 1e9:.1f} GB granted to this container." if limit and limit < total else "."
    most = min(size for size in (free, limit, total) if size is not None)
    if most < LITTLE_MEMORY:
        return note(said, "End other programs or give it more: an inspection takes up to 1 GB.", **facts)
    return works(said, **facts)


def read_memory(path: Path = Path("/proc/meminfo")) -> tuple[int | None, int | None]:
    """Bytes of memory in all and free, None for what cannot be known."""
    if path.is_file():
        rows = (line.split() for line in path.read_text().splitlines())
        said = {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1}
        return said.get("MemTotal"), said.get("MemAvailable")
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), None
    return None, None


def find_disk(bundle: str) -> Finding:
    """The space that is free where the cache is, and whether the bundle still fits where it is not here."""
    home = standing(cache_root())
    free = shutil.disk_usage(home).free
    said = f"{free / 1e9:.1f} GB are free in the cache"
    try:
        needed = 0 if status(bundle).state == "ready" else plan_pull(bundle).room
    except WeightsError:  # told by the check of the bundle itself
        needed = 0
    if not needed:
        return works(f"{said}.", free=free, needed=0)
    if free < needed:
        mend = "Free some space, or set LOOKTWICE_CACHE to a folder elsewhere."
        return fails(f"{said}, and a pull takes {needed / 1e9:.1f} GB.", mend, free=free, needed=needed)
    return works(f"{said}; a pull takes {needed / 1e9:.1f} GB.", free=free, needed=needed)


def find_folder(variable: str, folder: Path) -> Finding:
    """Whether a folder can be written, or made; nothing is written to find out."""
    there = standing(folder)
    facts = {"folder": str(folder), "exists": folder.is_dir()}
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return works(f"{folder} can be {'written' if folder.is_dir() else 'made'}.", **facts)
    why = "may not be written" if there.is_dir() else f"cannot be made, because {there} is no folder"
    return fails(f"{folder} {why}.", _elsewhere(variable), **facts)


def find_products() -> Finding:
    """As `find_folder`, of the folder with the products; a database is asked whether it answers."""
    from assistant.database.place import is_url
    from assistant.products.names import default_products

    where = default_products()
    return find_database(where) if is_url(where) else find_folder("LOOKTWICE_PRODUCTS", default_folder())


def find_history() -> Finding:
    """As `find_folder`, of the folder with the history; a database is asked whether it answers."""
    from assistant.database.place import is_url
    from assistant.records.history import default_history

    where = default_history()
    return find_database(where) if is_url(where) else find_folder("LOOKTWICE_HISTORY", Path(where).parent)


def find_database(where: Place) -> Finding:
    """Whether the database of the history answers, and has a schema that this version works with."""
    from assistant.database.place import show_place

    shown = show_place(where)
    try:
        from assistant.database.engine import Database
        from assistant.database.schema import check, read_state

        database = Database(where)
        try:
            with database.read() as connection:
                state = read_state(connection)
        finally:
            database.close()
        check(state)
    except ImportError:
        return fails(f"{shown} needs SQLAlchemy.", 'Run `pip install "looktwice[postgres]"`.')
    except LooktwiceError as error:
        return fails(f"{shown}: {error}", _elsewhere("LOOKTWICE_HISTORY"), place=shown)
    return works(f"{shown} answers, revision {state.revision or 'none yet'}.", place=shown)


def standing(folder: Path) -> Path:
    """The nearest of a folder and those around it that is there."""
    folder = folder.absolute()
    return next((one for one in (folder, *folder.parents) if one.exists()), Path(sys.prefix))


def _elsewhere(variable: str) -> str:
    what = "a database that answers, or a file in a folder" if variable == "LOOKTWICE_HISTORY" else "a folder"
    return f"Set {variable} to {what} that you may write."
