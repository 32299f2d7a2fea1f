"""What is built is whole: a wheel, and an editable install, work from an empty folder."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from assistant.eval.research.house import FOLDERS, HERE

pytestmark = pytest.mark.slow

IMPORTS = """
import assistant, sys
from pathlib import Path

from assistant import Inspection, Inspector, Product
from assistant.inspection import Inspection as second
from assistant.inspector import Inspector as first
from assistant.product import Product as third

assert (Inspector, Inspection, Product) == (first, second, third)
import assistant.adapters, assistant.commands.main, assistant.eval.benchmark, assistant.prompts

home = Path(sys.argv[1]).resolve()
for name, module in sorted(sys.modules.items()):
    if name.split(".")[0] == "assistant" and getattr(module, "__file__", None):
        assert Path(module.__file__).resolve().is_relative_to(home), f"{name} comes from {module.__file__}"
"""


def run(*command, cwd, **kept):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=os.environ | kept)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pip(*arguments, cwd):
    offline = ("--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    return run(sys.executable, "-m", "pip", arguments[0], *offline, *arguments[1:], cwd=cwd)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this checkout, since building writes into it."""
    target = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS:
        shutil.copytree(HERE / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "app.py"):
        shutil.copy(HERE / file, target)
    return target


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--wheel-dir", folder, checkout, cwd=folder)
    [file] = folder.glob("looktwice-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--target", folder, wheel, cwd=folder)
    return folder


def alone(folder):
    """What makes an interpreter started with -S see a folder, then its libraries, and no editable install."""
    libraries = {str(Path(find_spec(name).origin).parents[1]) for name in ("torch", "typer")}
    return {"PYTHONPATH": os.pathsep.join([str(folder), *sorted(libraries)]), "COLUMNS": "100"}


def test_every_package_is_in_the_wheel_and_research_is_not(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [file.relative_to(HERE) for folder in FOLDERS for file in (HERE / folder).rglob("*.py")]
    inside = [file for file in files if file.parts[:2] != ("eval", "research")]
    assert len(files) > len(inside) > 200
    for file in inside:
        path = file if file.parts[0] == "assistant" else Path("assistant", file)
        assert path.as_posix() in names, f"{file} is not in the wheel; name its package in pyproject.toml"
    assert not [name for name in names if "research" in name or name.startswith(("tests/", "eval/"))]


def test_what_the_packages_read_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [f for f in (HERE / "assistant").rglob("*") if f.suffix in {".toml", ".json", ".safetensors", ".typed"}]
    assert len(data) > 10
    for file in data:
        assert file.relative_to(HERE).as_posix() in names
    assert any(name.endswith("share/looktwice/app.py") for name in names)


def test_a_wheel_works_from_an_empty_folder(installed, tmp_path):
    run(sys.executable, "-S", "-c", IMPORTS, installed, cwd=tmp_path, **alone(installed))
    script = installed / "bin" / "looktwice"
    said = run(sys.executable, "-S", script, "--help", cwd=tmp_path, **alone(installed))
    assert all(command in said for command in ("inspect", "learn", "teach", "eval", "serve"))
    listed = run(sys.executable, "-S", script, "bundles", cwd=tmp_path, **alone(installed))
    assert "pocket" in listed, "the cards of the bundles are not read from the wheel"


def test_an_editable_install_works_from_an_empty_folder(checkout, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("editable")
    pip("install", "--target", folder, "--editable", checkout, cwd=folder)
    read = f"import site; site.addsitedir({str(folder)!r})\n"  # a folder on PYTHONPATH has no .pth files read
    run(sys.executable, "-S", "-c", read + IMPORTS, checkout, cwd=tmp_path, **alone(folder))


def test_each_extra_asks_for_something_and_the_shell_page_says_what_it_is_for():
    extras = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = (HERE / "docs" / "shell.md").read_text()
    for extra, packages in extras.items():
        assert packages, f"the extra {extra!r} is empty"
        assert f"`{extra}`" in told, f"docs/shell.md does not say what the extra {extra!r} is for"
