"""The rooms stand one upon the other: imports point down or stay inside, none runs in a circle."""

import subprocess
import sys

import pytest

from assistant.eval.research.house import HERE, ROOMS, circles, code_files, read_imports, room_of, upward

ROOT_MODULES = {
    *("__init__", "errors", "files", "inspection", "inspector", "outlines", "overlay", "processes", "product"),
    "progress",
}
"""All that stands at the root of `assistant/`; everything else has a room."""

TYPED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
"""What a line stands behind that only type checkers read."""

SMALL = {
    "assistant/__init__.py": f"{TYPED}from assistant.inspector import I\n",
    "assistant/inspector.py": "from assistant.images.load import load\n",
    "assistant/images/__init__.py": "",
    "assistant/images/load.py": "",
    "assistant/commands/measure.py": "",
    "eval/metrics.py": "",
}
"""A house of a few empty rooms in order."""


@pytest.fixture(scope="module")
def imports():
    found = read_imports(HERE)
    assert len(found) > 1000, "the imports of this checkout were not read"
    return found


@pytest.fixture
def build(tmp_path):
    """A function that builds the small house, some files of it changed, and reads its imports."""

    def build(**changed):
        texts = SMALL | {name.replace("__", "/") + ".py": text for name, text in changed.items()}
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return read_imports(tmp_path)

    return build


def test_each_room_is_named_once_and_each_file_stands_in_one():
    rooms = [room for level in ROOMS for room in level]
    files = [file for file in code_files(HERE) if room_of(file) not in ("__init__", "product")]
    assert len(rooms) == len(set(rooms))
    assert {room_of(file) for file in files} == set(rooms)


def test_the_root_holds_what_a_user_imports_and_little_more():
    at_root = {path.stem for path in (HERE / "assistant").glob("*.py")}
    assert at_root == ROOT_MODULES


def test_imports_point_down_or_stay_inside_a_room(imports):
    said = [f"{one.source}:{one.line} -> {one.target}" for one in upward(imports)]
    assert not said, "imports that point up:\n" + "\n".join(said)


def test_no_imports_run_in_a_circle(imports):
    said = [" <-> ".join(group) for group in circles(imports)]
    assert not said, "circles of imports:\n" + "\n".join(said)


def test_what_is_installed_does_not_know_the_research(imports):
    known = [one for one in imports if one.target.startswith("eval/research/")]
    assert known and all(one.source.startswith("eval/research/") for one in known)


@pytest.mark.parametrize(
    "text",
    [
        "from assistant.inspector import I\n",
        "from assistant import inspector\n",
        "import assistant.inspector\n",
        "from assistant import I\n",
        "def later():\n    from assistant.inspector import I\n",
        f"{TYPED}from assistant.inspector import I\n",
    ],
)
def test_an_import_that_points_up_is_seen_in_every_form(build, text):
    assert not upward(build())
    [found] = upward(build(assistant__images__load=text))
    assert (found.source, found.target) == ("assistant/images/load.py", "assistant/inspector.py")


def test_only_the_command_that_measures_may_ask_for_eval_and_only_in_a_function(build):
    asks = "from assistant.eval.metrics import auroc\n"
    inside = f"def measure():\n    {asks}"
    assert not upward(build(assistant__commands__measure=inside))
    assert len(upward(build(assistant__commands__measure=asks))) == 1
    assert len(upward(build(assistant__inspector=inside))) == 1


def test_a_circle_is_seen_around_a_corner_and_not_where_only_a_type_checker_goes_round(build):
    first = {"assistant__images__load": "from assistant.images.sources import walk\n"}
    second = "from assistant.images.load import load\n"
    lazy = f"def later():\n    {second}"
    files = ["assistant/images/load.py", "assistant/images/sources.py"]
    assert circles(build(**first, assistant__images__sources=second)) == [files]
    assert circles(build(**first, assistant__images__sources=lazy)) == [files]
    assert circles(build(**first, assistant__images__sources=TYPED + second)) == []


def test_the_house_is_counted_from_a_command(tmp_path):
    command = [sys.executable, "-m", "assistant.eval.research.house"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "words of README.md" in said
