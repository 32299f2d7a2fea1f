"""How a checkout is built, in numbers: `python -m assistant.eval.research.house [FOLDER]`.

It reads the code and runs none of it. Imports inside functions and under TYPE_CHECKING count where rooms are
concerned: they tie modules together as much as any other. A circle is of imports that run, so those under
TYPE_CHECKING make none. An earlier state is measured from a checkout of it: its modules count as of the rooms to
which the history of this one has moved them since.
"""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

ROOMS: tuple[tuple[str, ...], ...] = (
    ("prompts", "adapters"),
    ("errors", "files", "progress", "processes"),
    ("database", "images"),
    ("inspection", "overlay", "outlines"),
    ("bundles", "models"),
    ("detection",),
    ("products",),
    ("export",),
    ("language",),
    ("inspector",),
    ("records",),
    ("upkeep",),
    ("reports", "annotations"),
    ("line",),
    ("training",),
    ("face",),
    ("service",),
    ("doctor",),
    ("commands",),
    ("eval", "app"),
)
"""The rooms, from the lowest up; those of one level know nothing of rooms above them, and may know each other."""

FRONT = ("assistant/__init__.py", "assistant/product.py")
"""Files that hand on to users what stands elsewhere: who imports by them imports from there."""

MEASURING = "assistant/commands/measure.py"
"""The one command that asks for measurements; it may name `eval/` inside its functions."""

FOLDERS = ("assistant", "prompts", "adapters", "eval")
SHARED = ("prompts", "adapters", "eval")
HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One import: the file it stands in, the file it names, its line.

    `when` is "at once", "later" inside a function, or "never" under TYPE_CHECKING.
    """

    source: str
    target: str
    line: int
    when: str


def code_files(root: Path) -> list[str]:
    """The paths of all Python files of a checkout but its tests, relative to it, with slashes."""
    files = [file for folder in FOLDERS for file in sorted((root / folder).rglob("*.py"))]
    return [file.relative_to(root).as_posix() for file in [*files, root / "app.py"] if file.is_file()]


def room_of(file: str) -> str:
    """The room that a file stands in: a folder, or the name of a module at the root of `assistant/`."""
    top, *rest = file.removesuffix(".py").split("/")
    return rest[0] if top == "assistant" else top


def read_imports(root: Path) -> list[Import]:
    """Every import of one file of a checkout by another, in functions and under TYPE_CHECKING too."""
    trees = {file: ast.parse((root / file).read_text(encoding="utf-8")) for file in code_files(root)}
    names = {_dotted(file): file for file in trees}
    for front in FRONT:
        for node, _ in _walk(trees.get(front, ast.Module([], []))):
            if isinstance(node, ast.ImportFrom) and node.module in names:
                names |= {f"{_dotted(front)}.{one.asname or one.name}": names[node.module] for one in node.names}
    found = []
    for source, tree in trees.items():
        for node, when in _walk(tree):
            targets = {names[name] for name in _named(node, names)} - {source}
            found += [Import(source, target, node.lineno, when) for target in sorted(targets)]
    return found


def upward(imports: list[Import], homes: Mapping[str, str] | None = None) -> list[Import]:
    """The imports that name a room above their own; `homes` says where a file of earlier times has gone.

    KeyError where a file stands in no room.
    """
    level = {room: i for i, rooms in enumerate(ROOMS) for room in rooms}
    found = []
    for one in imports:
        source, target = ((homes or {}).get(file, file) for file in (one.source, one.target))
        measures = source == MEASURING and one.when == "later" and room_of(target) == "eval"
        front = {source, target} & set(FRONT)
        if not front and not measures and level[room_of(source)] < level[room_of(target)]:
            found.append(one)
    return found


def circles(imports: list[Import]) -> list[list[str]]:
    """Groups of files that import each other, directly or around corners, by imports that run."""
    after: defaultdict[str, set[str]] = defaultdict(set)
    for one in imports:
        if one.when != "never":
            after[one.source].add(one.target)
    reached = {file: _reach(file, after) for file in list(after)}
    groups = {tuple(sorted(o for o in reached[f] if f in reached.get(o, ()))) for f in reached if f in reached[f]}
    return [list(group) for group in sorted(groups)]


def public_names(root: Path) -> dict[str, list[str]]:
    """The files that define each public class, function or constant of a checkout at their top level."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in code_files(root):
        for name in sorted(set(_defined(ast.parse((root / file).read_text(encoding="utf-8"))))):
            found[name].append(file)
    return dict(found)


def count(root: Path) -> dict[str, int]:
    """What the table of a checkout says, by row."""
    files = code_files(root)
    imports = read_imports(root)
    homes = {} if root.resolve() == HERE else _moved(root)
    lines = {file: len((root / file).read_text(encoding="utf-8").splitlines()) for file in files}
    research = sum(n for file, n in lines.items() if file.startswith("eval/research/"))
    inspector, bases = _class(root, "Inspector", files)
    groups = circles(imports)
    return {
        "modules at the root of assistant/": sum(f.count("/") == 1 and f.startswith("assistant/") for f in files),
        "lines without tests": sum(lines.values()),
        "lines of these that are installed": sum(lines.values()) - research,
        "circles of imports": len(groups),
        "modules in circles": sum(map(len, groups)),
        "upward imports": len(upward(imports, homes)),
        "public members of Inspector": len({name for one in [inspector, *bases] for name in _members(one)}),
        "parameters of learn": _parameters(inspector, "learn"),
        "words of README.md": len((root / "README.md").read_text(encoding="utf-8").split()),
        "names defined in more than one place": sum(len(places) > 1 for places in public_names(root).values()),
    }


def _dotted(file: str) -> str:
    parts = file.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(["assistant", *parts] if parts[0] in SHARED else parts)


def _walk(node: ast.AST, when: str = "at once") -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """The imports below a node, and when they run."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, when
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        when = "later"
    guarded = node.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) else []
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, "never" if child in guarded else when)


def _named(node: ast.Import | ast.ImportFrom, names: Mapping[str, str]) -> set[str]:
    """The modules of a checkout that an import names; of `from package import module` the module alone."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & set(names)
    inside = {f"{node.module}.{alias.name}" for alias in node.names}
    rest = {node.module or ""} if inside - set(names) else set()
    return (inside | rest) & set(names)


def _reach(start: str, after: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = list(after.get(start, ()))
    while ahead:
        if (file := ahead.pop()) not in reached:
            reached.add(file)
            ahead += after.get(file, ())
    return reached


def _defined(tree: ast.Module) -> Iterator[str]:
    """The public names that a module gives a class, a function or a constant."""
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        yield from (name for name in names if not name.startswith("_"))


def _class(root: Path, name: str, files: list[str]) -> tuple[ast.ClassDef, list[ast.ClassDef]]:
    """A class of `assistant/` and those it inherits from, as far as this project wrote them."""
    trees = [ast.parse((root / f).read_text(encoding="utf-8")) for f in files if f.startswith("assistant/")]
    classes = {n.name: n for tree in trees for n in tree.body if isinstance(n, ast.ClassDef)}
    seen, ahead = [classes[name]], [ast.unparse(base) for base in classes[name].bases]
    while ahead:
        if base := classes.get(ahead.pop()):
            seen.append(base)
            ahead += [ast.unparse(one) for one in base.bases]
    return seen[0], seen[1:]


def _members(node: ast.ClassDef) -> set[str]:
    """The public methods, properties and attributes of a class; attributes as `__init__` sets them."""
    found = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == "self":
            found.add(one.attr)
    return {name for name in found if not name.startswith("_")}


def _parameters(node: ast.ClassDef, method: str) -> int:
    taken = next(
        one.args
        for one in node.body
        if isinstance(one, ast.FunctionDef) and one.name == method and not one.decorator_list
    )
    named = len(taken.posonlyargs) + len(taken.args) + len(taken.kwonlyargs)
    return named + (taken.vararg is not None) + (taken.kwarg is not None) - 1


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _moved(root: Path) -> dict[str, str]:
    """Where the files of an earlier state are now, by the renames between its commit and this checkout's."""
    commit = _git(root, "rev-parse", "HEAD").strip()
    homes = {file: file for file in code_files(root)}
    renames = ("-M", "-C", "--diff-filter=RC", "--name-status", "--format=")
    for line in _git(HERE, "log", "--reverse", *renames, f"{commit}..HEAD").splitlines():
        kind, old, new = line.split("\t")
        if kind.startswith("R") or old in FRONT:  # a copy is a move where the old path only hands on since
            homes |= {first: new for first, now in homes.items() if now == old}
    return homes


def main(
    folder: Annotated[Path, typer.Argument(help="A checkout; by default this one.")] = HERE,
    details: Annotated[bool, typer.Option("--details", help="Name each circle, upward import and name.")] = False,
) -> None:
    """Count what the table in `docs/house.md` says."""
    out = Console(soft_wrap=True)
    table = Table("", folder.resolve().name)
    for row, number in count(folder).items():
        table.add_row(row, f"{number:,}")
    out.print(table)
    if not details:
        return
    imports = read_imports(folder)
    homes = {} if folder.resolve() == HERE else _moved(folder)
    for group in circles(imports):
        out.print("circle:", *group, highlight=False)
    for one in upward(imports, homes):
        out.print(f"upward: {one.source}:{one.line} -> {one.target}", highlight=False)
    for name, places in sorted(public_names(folder).items()):
        if len(places) > 1:
            out.print(f"name: {name}: {', '.join(places)}", highlight=False)


if __name__ == "__main__":
    typer.run(main)
