"""The pull of a bundle: its parts are fetched, turned into safetensors, and moved into the cache at once.

Everything is made in a staged folder beside the target. Whatever stops a pull, the cache holds the bundle as it
was before, or none, and never a mixture.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from assistant.errors import WeightsError
from assistant.models.cache import MANIFEST, cached_bundles, find_damage, read_manifest, write_manifest
from assistant.models.card import TOWER_FILES, Bundle, ImageTower, Wheel, load_card
from assistant.models.download import download_folder, download_wheel, extract
from assistant.models.weights import read_checkpoint
from assistant.progress import Tell, say_nothing

ROOM = 3  # bytes of disk for a byte of wheel: the wheel itself, what is unpacked, what is made from that
READS_GGUF = ("gguf", "accelerate")  # what transformers asks for before it reads a GGUF file
FETCHING = 0.9  # share of the progress bar for the parts; the rest is for preparing the runtime


def pull_bundle(
    name: str, *, tell: Tell | None = None, wheel_dir: Path | None = None, force: bool = False
) -> Path:
    """Fetch a bundle into the cache and return its folder; at once where it is there and intact.

    `tell` hears what is being done. `wheel_dir` is a folder of wheels to take instead of asking an index, for
    machines without a network. `force` fetches again. The old bundle stays until the new one is complete.
    WeightsError, one sentence, for a hash that differs, no pip, no network, no space, or an interruption.
    """
    card, tell = load_card(name), tell or say_nothing
    home = cached_bundles()
    folder = home / card.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home, card.name, tell):
            if force or not _complete(card, folder):
                _make(card, folder, tell, wheel_dir)
    except KeyboardInterrupt as stop:
        raise WeightsError(f"The pull was interrupted; the bundle {card.name!r} is as it was before.") from stop
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WeightsError(f"There is no space left on the disk for the bundle {card.name!r}.") from error
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"The bundle {card.name!r} could not be stored in {home}: {reason}.") from error
    return folder


def _make(card: Bundle, folder: Path, tell: Tell, wheel_dir: Path | None) -> None:
    home = folder.parent
    for leftover in home.glob(f".{card.name}~*"):
        shutil.rmtree(leftover, ignore_errors=True)
    _require_room(card, home)
    stage = home / f".{card.name}~{secrets.token_hex(4)}"
    stage.mkdir()
    try:
        skipped = _fetch_parts(card, stage, tell, wheel_dir)
        # Needs the whole stack, which a pull that is not needed does not.
        from assistant.models.runtime import prepare

        tell("Preparing the runtime", FETCHING)
        prepare(card, stage)
        write_manifest(stage, card, skipped)
        _flush(stage)
        _put_in_place(stage, folder)
        tell("Done", 1.0)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fetch_parts(card: Bundle, stage: Path, tell: Tell, wheel_dir: Path | None) -> dict[str, str]:
    """Fetch and convert every part; what was skipped, with the sentence that says why."""
    skipped = {}
    share = FETCHING / len(card.sources)
    for index, (part, source) in enumerate(card.sources.items()):
        if sentence := _why_skip(card, part):
            skipped[part] = sentence
            tell(sentence, index * share)
            continue
        message = f"Fetching {source.label}"
        within = partial(_tell_within, tell, message, index * share, share)
        within(0.0)
        scratch = stage / "download"
        if isinstance(source, Wheel):
            archive = download_wheel(source, scratch, within, wheel_dir)
            tell(f"Unpacking {source.label}", (index + 1) * share)
            _unpack(card, part, archive, stage)
        elif part in TOWER_FILES:
            download_folder(source, scratch)
            os.replace(scratch / source.files[0], stage / TOWER_FILES[part])
        else:
            download_folder(source, stage / part)
        shutil.rmtree(scratch, ignore_errors=True)
    return skipped


def _unpack(card: Bundle, part: str, archive: Path, stage: Path) -> None:
    """Take a part out of its wheel, into the staged folder, as safetensors."""
    wheel = card.sources[part]
    if not isinstance(wheel, Wheel):
        raise TypeError(f"{part} does not come from a wheel")
    if part == "text":
        extract(archive, wheel, stage / part)
        return
    file = extract(archive, wheel, archive.parent)[0]
    archive.unlink()
    if part == "language":
        _convert_language(file, stage / part)
    elif tower := card.patch_tower if part == "patch_tower" else card.image:
        _convert_image(file, tower, stage / TOWER_FILES[part])


def _convert_image(checkpoint: Path, tower: ImageTower, target: Path) -> None:
    """Write a checkpoint's tensors as safetensors under timm's parameter names.

    The two sides are matched one for one in order; shape and the last word of the name must agree.
    """
    import timm
    from safetensors.torch import save_file

    expected = timm.create_model(tower.architecture, pretrained=False).state_dict()
    foreign = [(name, t) for name, t in read_checkpoint(checkpoint).items() if not _is_counter(name)]
    names = [name for name in expected if not _is_counter(name)]
    if len(foreign) != len(names):
        raise WeightsError(
            f"{checkpoint.name} holds {len(foreign)} tensors, {tower.architecture} has {len(names)}."
        )
    for (theirs, tensor), ours in zip(foreign, names, strict=True):
        same_kind = theirs.rsplit(".", 1)[-1] == ours.rsplit(".", 1)[-1]
        if tensor.shape != expected[ours].shape or not same_kind:
            raise WeightsError(f"{checkpoint.name} does not fit {tower.architecture}: {theirs} is not {ours}.")
        expected[ours] = tensor
    save_file({name: tensor.contiguous() for name, tensor in expected.items()}, target)


def _convert_language(gguf: Path, folder: Path) -> None:
    """Write a GGUF model as a Hugging Face folder: safetensors in bfloat16, tokenizer and chat template."""
    import torch
    import transformers

    where = {"gguf_file": gguf.name, "local_files_only": True}
    whole = {}
    if config := getattr(transformers, "GgufConfig", None):  # older releases always unpack the weights
        whole["quantization_config"] = config(dequantize=True)
    with without_bars():
        model = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent, dtype=torch.bfloat16, **where, **whole
        )
        model.save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(gguf.parent, **where).save_pretrained(folder)


@contextmanager
def without_bars() -> Iterator[None]:
    """Silence the progress bars of transformers, which would write across the caller's own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _why_skip(card: Bundle, part: str) -> str:
    source = card.sources[part]
    if not isinstance(source, Wheel) or not source.member.endswith(".gguf"):
        return ""
    missing = [package for package in READS_GGUF if find_spec(package) is None]
    if not missing:
        return ""
    return (
        f"The language model was skipped because {' and '.join(missing)} is not installed: run "
        f'`pip install "looktwice[lvlm]"`, then `looktwice pull {card.name}` again.'
    )


def _complete(card: Bundle, folder: Path) -> bool:
    """Whether a bundle is here, from this card, undamaged, and with every part that could be here."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        manifest = read_manifest(folder)
    except WeightsError:
        return False
    if manifest.card != card.digest or find_damage(folder, manifest):
        return False
    return all(_why_skip(card, part) for part in manifest.skipped)


@contextmanager
def _alone(home: Path, name: str, tell: Tell) -> Iterator[None]:
    """Hold the one lock of a bundle, waiting for another process that pulls it."""
    from filelock import FileLock, Timeout

    lock = FileLock(home / f".{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"Waiting for another pull of {name!r}", 0.0)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _put_in_place(stage: Path, folder: Path) -> None:
    old = folder.parent / f".{folder.name}~{secrets.token_hex(4)}"
    replaced = folder.exists()
    if replaced:
        os.rename(folder, old)
    try:
        os.rename(stage, folder)
    except OSError:
        if replaced:
            os.rename(old, folder)
        raise
    _flush_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Force everything in a folder to the disk, so that a rename cannot outrun the bytes."""
    for path in folder.rglob("*"):
        if path.is_dir():
            _flush_folder(path)
        else:
            path.chmod(0o644)  # safetensors writes files that only the puller could read
            with path.open("r+b") as stream:
                os.fsync(stream.fileno())
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_room(card: Bundle, home: Path) -> None:
    needed = ROOM * sum(source.size for source in card.sources.values())
    free = shutil.disk_usage(home).free
    if free < needed:
        raise WeightsError(
            f"The bundle {card.name!r} needs about {needed / 1e6:.0f} MB of free disk in {home}, "
            f"and there are {free / 1e6:.0f} MB."
        )


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _tell_within(tell: Tell, message: str, start: float, share: float, done: float) -> None:
    tell(message, start + done * share)
