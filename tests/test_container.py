"""The container: what its files promise, and its steps run without an engine, in a fresh environment.

The image itself is built where an engine is: `.ci/run` does it there.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from assistant.commands.main import app
from assistant.eval.research.house import HERE
from assistant.models.places import cached_bundles

USER = "10001"


def instructions():
    """Every instruction of the Dockerfile as (name, text), lines that go on joined and comments left out."""
    lines = [line for line in (HERE / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


DOCKERFILE = instructions()
LAST = DOCKERFILE[max(i for i, (name, _) in enumerate(DOCKERFILE) if name == "FROM") :]
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text())
ENVIRONMENT = dict(part.split("=", 1) for name, text in LAST if name == "ENV" for part in shlex.split(text))
"""What the image sets for every program in it."""


def of(name, among=LAST):
    return [text for one, text in among if one == name]


def known_options(words):
    """The options of a command of the shell, and those that are asked of it."""
    command = get_command(app).commands[words[0]]
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    return known, {word for word in words if word.startswith("--")}


def test_the_image_runs_without_rights_and_says_how_it_is():
    assert of("USER") == [f"{USER}:{USER}"]
    assert of("VOLUME") == ["/data"] and of("WORKDIR") == ["/data"] and of("EXPOSE") == ["8100"]
    assert of("STOPSIGNAL") == ["SIGTERM"]
    (check,) = of("HEALTHCHECK")
    assert "/v1/health" in check and "--start-period" in check
    assert json.loads(of("ENTRYPOINT")[0]) == ["looktwice"]
    for name, path in ENVIRONMENT.items():
        if name in ("HOME", "LOOKTWICE_PRODUCTS", "LOOKTWICE_HISTORY", "LOOKTWICE_KEYS"):
            assert path == "/data" or path.startswith("/data/"), f"{name} is not on the volume"
    assert not re.search(r"(?i)(password|secret|token)=", " ".join(text for _, text in DOCKERFILE))


def test_all_that_was_kept_is_where_the_programs_look_for_it():
    asked = set()
    for file in (HERE / "assistant").rglob("*.py"):
        asked |= set(re.findall(r"environ(?:\.get\(|\[)\"(LOOKTWICE_\w+)\"", file.read_text()))
    assert {name for name in ENVIRONMENT if name.startswith("LOOKTWICE_")} <= asked


def test_it_starts_what_the_shell_knows():
    words = json.loads(of("CMD")[0])
    known, asked = known_options(words)
    assert words[0] == "serve" and asked <= known
    compose = COMPOSE["services"]["looktwice"]["command"]
    known, asked = known_options(compose)
    assert compose[: len(words)] == words and asked <= known


def test_a_bundle_and_torch_for_cpus_are_asked_for_before_anything_is_installed():
    build = DOCKERFILE[: len(DOCKERFILE) - len(LAST)]
    assert {"TORCH_INDEX", "EXTRAS=serve,history,postgres,report,line", "BUNDLE=pocket"} <= set(of("ARG", build))
    runs = of("RUN", build)
    assert 'test -n "$TORCH_INDEX"' in runs[0] and runs[-1] == 'looktwice pull "$BUNDLE"'
    assert "--index-url" in next(run for run in runs if "torch.txt" in run)
    assert "--constraint requirements.lock" in next(run for run in runs if "EXTRAS" in run)
    extras = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (asked,) = (text.split("=")[1].split(",") for text in of("ARG", build) if text.startswith("EXTRAS"))
    assert set(asked) <= set(extras)


def test_what_is_copied_is_there_and_nothing_else_is_let_in():
    copied = [
        source for text in of("COPY", DOCKERFILE) if not text.startswith("--from") for source in text.split()[:-1]
    ]
    let_in = {line[1:] for line in (HERE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((HERE / source).exists() for source in copied) and set(copied) == let_in
    assert "*" in (HERE / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    assert set(packages.values()) <= set(copied)


def test_the_composed_service_writes_nothing_outside_its_volume_and_is_reached_from_this_machine():
    service = COMPOSE["services"]["looktwice"]
    assert service["read_only"] is True and service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(COMPOSE["services"]) == {"looktwice", "postgres", "mosquitto"}
    assert not any("ports" in COMPOSE["services"][name] for name in ("postgres", "mosquitto"))
    volumes = {mount.split(":")[0] for one in COMPOSE["services"].values() for mount in one["volumes"]}
    named = {volume for volume in volumes if not volume.startswith(".")}
    assert named == set(COMPOSE["volumes"]) and all((HERE / one).is_file() for one in volumes - named)


def test_the_service_waits_for_its_database_and_no_password_is_written_down():
    service, database = COMPOSE["services"]["looktwice"], COMPOSE["services"]["postgres"]
    assert service["depends_on"]["postgres"]["condition"] == "service_healthy" and database["healthcheck"]["test"]
    user, name = (database["environment"][f"POSTGRES_{what}"] for what in ("USER", "DB"))
    url = service["environment"]["LOOKTWICE_HISTORY"]
    assert url.startswith(f"postgresql://{user}:${{POSTGRES_PASSWORD:?") and url.endswith(f"@postgres:5432/{name}")
    assert database["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_a_linter_finds_nothing():
    linter = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [linter, "--failure-threshold", "warning", str(HERE / "Dockerfile")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


CLOSED_OFF = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/looktwice /opt/models /opt/data /opt/site /opt/base
mount --bind {installed} /opt/looktwice
mount --bind {models} /opt/models
mount --bind {data} /opt/data
mount --bind {site} /opt/site
mount --bind {base} /opt/base
mount -t tmpfs -o mode=1777 tmpfs /tmp
case {base} in /root/*)
  mount -t tmpfs -o mode=755 tmpfs /root
  mkdir -p {base}
  mount --bind /opt/base {base}
  mount -o remount,ro /root ;;
esac
mount -o remount,ro /opt
mount -o remount,bind,ro /
cd /opt/data
exec setpriv --reuid {user} --regid {user} --clear-groups --inh-caps=-all --no-new-privs "$@"
"""
"""Runs a command as the image does: its folders at their places (/data at /opt/data), no rights, and all read-only
but the volume and /tmp."""


def can_be_closed_off():
    """Whether a command can be given a file system of its own here, and lose its rights."""
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    probe = ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount -o remount,bind,ro /"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@pytest.fixture
def closed_off(tmp_path, installed):
    """closed_off(*command) -> a command that runs it as the image does, and the folder that is its volume."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, int(USER), int(USER))
    places = {"installed": installed, "models": cached_bundles().parent, "data": data, "user": USER}
    script = CLOSED_OFF.format(**places, site=SITE, base=sys.base_prefix)
    return data, lambda *command: ["unshare", "-m", "sh", "-c", script, "sh", *map(str, command)]


SITE = Path(find_spec("torch").origin).parents[1]
"""Where the packages of the tests lie."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh environment with the wheel of this checkout; what it needs is taken from the tests' own."""
    folder = tmp_path_factory.mktemp("image")
    source, home = folder / "src", folder / "looktwice"
    for text in of("COPY", DOCKERFILE):
        if not text.startswith("--from"):
            for name in text.split()[:-1]:
                take(HERE / name, source / name)
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "beside.pth").write_text(f"{SITE}\n/opt/site\n")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--no-deps"]
    offline = [
        "--no-index",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--quiet",
        "--no-warn-script-location",
    ]
    done = subprocess.run([*pip, *offline, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return home


def take(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        links = shutil.ignore_patterns(
            "__pycache__", *(["adapters", "eval", "prompts"] if source.name == "assistant" else [])
        )
        shutil.copytree(source, target, ignore=links)
    else:
        shutil.copy(source, target)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_steps_start_a_service_that_is_healthy_and_writes_its_volume_alone(closed_off, installed):
    if not can_be_closed_off():
        pytest.skip("no file system of its own can be made here (unshare, mount and setpriv as root)")
    data, run = closed_off
    port = str(free_port())
    environment = {name: text.replace("/data", "/opt/data") for name, text in ENVIRONMENT.items()}
    words = [port if word == "8100" else word for word in json.loads(of("CMD")[0])]
    (entry,) = json.loads(of("ENTRYPOINT")[0])
    entry = ["/opt/looktwice/bin/python", f"/opt/looktwice/bin/{entry}"]
    bare = subprocess.run(run(*entry, *words), env=environment, capture_output=True, text=True)
    assert bare.returncode == 2 and "looktwice keys add" in bare.stderr, bare.stderr
    made = subprocess.run(
        run(*entry, "keys", "add", "line", "--role", "operator"), env=environment, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    (check,) = (json.loads(text.split("CMD", 1)[1]) for text in of("HEALTHCHECK"))
    check = [sys.executable, *(word.replace("8100", port) for word in check[1:])]
    with subprocess.Popen(run(*entry, *words), env=environment, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert wait_until_healthy(check, environment, service), service.stderr.read()
            assert inspects(port, made.stdout.strip()) == {"unrated"}
            written = os.stat(data / "history.sqlite")
            assert (written.st_uid, written.st_mode & 0o077) == (int(USER), 0)
            status = Path(f"/proc/{service.pid}/status").read_text()
            assert re.search(rf"^Uid:\s+{USER}\s", status, re.MULTILINE)
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(60) == 0


def wait_until_healthy(check, environment, service, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and service.poll() is None:
        if subprocess.run(check, env=environment, capture_output=True).returncode == 0:
            return True
        time.sleep(0.5)
    return False


def inspects(port, key):
    """The verdicts on a picture that is sent to the service."""
    import base64
    import io

    import numpy as np
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(content, "PNG")
    body = json.dumps({"pictures": [{"name": "a.png", "data": base64.b64encode(content.getvalue()).decode()}]})
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/inspect",
        body.encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return {row["verdict"] for row in json.load(answer)["inspections"]}
    except urllib.error.HTTPError as error:
        return error.read().decode()
