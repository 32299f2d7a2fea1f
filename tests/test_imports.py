"""Imports run one way, and a bare import costs nothing."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import assistant

ROOT = Path(assistant.__file__).parent.parent
HEAVY = {"gradio", "transformers", "sqlalchemy", "torch", "open_clip", "numpy", "PIL"}
MODELS = {"transformers", "open_clip", "timm", "gradio", "openvino"}
BUILDERS = {"open_clip", "timm", "torchvision", "transformers"}

INSPECT = """
import json, sys
from pathlib import Path

import numpy as np

import assistant.models.card, assistant.detection.built_in
from assistant import Inspector

cards = Path(sys.argv[1]) / "cards"
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: cards
inspector = Inspector.from_pretrained("tiny-cnn", device="cpu", runtime="openvino")
pictures = np.random.default_rng(0).integers(0, 255, (4, 96, 96, 3), dtype=np.uint8)
product = inspector.learn("noise", list(pictures[:3]))
results = inspector.inspect(list(pictures[2:]), product) + inspector.inspect(list(pictures[:1]))
assert all(inspector.ask(row, "Is it good?").text for row in results if row.status == "ok"), results
print(json.dumps([[row.status for row in results], "text_tower" in vars(inspector.backbone), sorted(sys.modules)]))
"""


def imports(file, only_top=False):
    """The modules that a file imports, absolute ones by full name; with `only_top`, those it imports at once."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(tree.body) if only_top else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def starts(name, *packages):
    return any(name == p or name.startswith(f"{p}.") for p in packages)


@pytest.mark.parametrize("folder", ["prompts", "adapters"])
def test_what_is_said_and_what_is_learned_stand_on_torch_alone(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        for name in imports(file):
            assert not starts(name, *MODELS, "eval", "app"), f"{file.name} imports {name}"
            inside = starts(name, "assistant.prompts", "assistant.adapters")
            assert inside or not starts(name, "assistant"), f"{file.name} imports {name}"


def test_the_core_knows_neither_measuring_nor_the_screen():
    for file in sorted((ROOT / "assistant").rglob("*.py")):
        for name in imports(file, only_top=file.name == "measure.py"):
            # Only its command line may ask for a measurement, and only when it is told to.
            assert not starts(name, "assistant.eval", "eval", "app"), f"{file.name} imports {name}"
            assert not starts(name, "prompts", "adapters"), f"{file.name} imports the bare name {name}"


def test_a_bare_import_loads_nothing_heavy():
    code = "import sys, json, assistant; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert not HEAVY & set(json.loads(found.stdout))


def test_inspecting_with_a_compiled_tower_loads_no_text_tower_and_nothing_that_builds_towers(tiny_folder):
    command = [sys.executable, "-c", INSPECT, str(tiny_folder)]
    home = os.environ | {"LOOKTWICE_CACHE": str(tiny_folder)}
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=home).stdout
    status, speaks, loaded = json.loads(said.splitlines()[-1])
    assert status == ["ok"] * 3 and not speaks
    assert not [name for name in loaded if starts(name, *BUILDERS, "gradio", "sqlalchemy", "scipy.stats")]


def test_every_public_name_is_there_and_there_are_few():
    assert len(assistant.__all__) <= 10
    for name in assistant.__all__:
        assert getattr(assistant, name) is not None and name in dir(assistant)
    from assistant.inspector import Inspector

    assert assistant.Inspector is Inspector
    assert assistant.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'Detektor'"):
        _ = assistant.Detektor
