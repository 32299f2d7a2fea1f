"""Which packages are here: those that everything needs, and those of each extra."""

from __future__ import annotations

from importlib import metadata

from packaging.requirements import Requirement

from assistant.doctor.finding import Check, Finding, fails, note, works

PACKAGE = "looktwice"
FOR_DEVELOPERS = ("dev",)

WORTH = {
    "ui": "the page (`looktwice app`)",
    "mcp": "programs of this machine that inspect (`looktwice app --mcp`)",
    "lvlm": "language models",
    "train": "training",
    "serve": "the service (`looktwice serve`)",
    "report": "reports as PDF",
    "history": "the history",
    "line": "lines that run by themselves (`looktwice watch`)",
    "postgres": "a history in PostgreSQL, for several stations",
    "export": "products as graphs for other programs (`looktwice export`)",
    "annotations": "regions as detections of supervision (`Inspection.to_supervision`)",
    "samples": "pictures to measure with (`looktwice demo`)",
}
"""What each extra is for."""


def list_checks() -> tuple[Check, ...]:
    """The packages of all, then each extra's; nothing where this is no installed package."""
    checks = [Check("packages", find_packages, f"Run `pip install --upgrade {PACKAGE}`.")]
    try:
        names = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        names = []
    for name in names:
        if name not in FOR_DEVELOPERS:
            checks.append(Check(f"extra {name}", lambda name=name: find_extra(name), _mend(name)))  # type: ignore[misc]
    return tuple(checks)


def find_packages() -> Finding:
    """Whether every package that is always needed is here in a version that fits."""
    here, missing = sort_out(None)
    if missing:
        return fails(f"Missing: {', '.join(missing)}.", f"Run `pip install --upgrade {PACKAGE}`.", here=here)
    said = ", ".join(f"{name} {here[name]}" for name in ("torch", "openvino", "timm") if name in here)
    return works(f"All {len(here)} are here ({said}).", here=here)


def find_extra(name: str) -> Finding:
    """Whether the packages of an extra are here; what is missing is no failure."""
    here, missing = sort_out(name)
    worth = WORTH.get(name, "what it is named for")
    if missing:
        return note(f"For {worth}; missing: {', '.join(missing)}.", _mend(name), here=here, missing=missing)
    return works(f"For {worth}: {', '.join(f'{n} {v}' for n, v in here.items())}.", here=here)


def sort_out(extra: str | None, package: str = PACKAGE) -> tuple[dict[str, str], list[str]]:
    """What a package needs for an extra, or always for None: versions of what is here, and what is missing."""
    here: dict[str, str] = {}
    missing: list[str] = []
    for text in metadata.requires(package) or []:
        needed = Requirement(text)
        if needed.marker and not needed.marker.evaluate({"extra": extra or ""}):
            continue
        if extra and (not needed.marker or needed.marker.evaluate({"extra": ""})):
            continue  # it is needed without the extra, and told there
        try:
            version = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            missing.append(str(needed).split(";")[0].strip())
            continue
        if needed.specifier.contains(version, prereleases=True):
            here[needed.name] = version
        else:
            missing.append(f"{needed.name}{needed.specifier} (here is {version})")
        for more in sorted(needed.extras):
            further, lacking = sort_out(more, needed.name)
            here |= further
            missing += lacking
    return here, missing


def _mend(extra: str) -> str:
    return f'Run `pip install "{PACKAGE}[{extra}]"`.'
