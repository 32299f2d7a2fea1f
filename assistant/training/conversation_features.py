"""What the tower sees of the pictures of conversations, worked out once for each and kept on disk.

Shards are written whole, so an interrupted run goes on where it was, and a shard is made again only where what it
depends on has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from assistant.errors import ImageError
from assistant.files import write_atomically
from assistant.images.load import load_image
from assistant.language.visual_tokens import VisualTokens, see
from assistant.models.backbone import Backbone
from assistant.models.weights import load_tensors
from assistant.progress import Tell
from assistant.training.conversations import Conversation

SHARD = 64  # pictures in a file


def gather_visual_tokens(
    backbone: Backbone, conversations: Sequence[Conversation], folder: Path, tell: Tell
) -> list[VisualTokens | None]:
    """The visual tokens of each conversation, from `folder` where they are there; None where there is no picture.

    A picture that cannot be read, or has another size than the inspection says, is left out: the conversation
    stays, and `tell` hears why.
    """
    keys = [sight_key(backbone, c) for c in conversations]
    firsts = {key: c for key, c in zip(keys, conversations, strict=True) if key}
    unique = list(firsts)
    by_key: dict[str, VisualTokens] = {}
    for start in range(0, len(unique), SHARD):
        part = unique[start : start + SHARD]
        path = folder / f"{hashlib.sha256(''.join(part).encode()).hexdigest()[:16]}.safetensors"
        if not path.is_file():
            tensors: dict[str, Tensor] = {}
            for key in part:
                tokens = _look(backbone, firsts[key], tell, start / len(unique))
                tensors |= tokens.pack(key) if tokens else {}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, save(tensors))
        tensors = load_tensors(path)
        there = {name.split(".")[0] for name in tensors}
        by_key |= {key: VisualTokens.unpack(tensors, key) for key in part if key in there}
        tell("Looking at the pictures", min(1.0, (start + SHARD) / len(unique)))
    return [by_key.get(key) for key in keys]


def sight_key(backbone: Backbone, conversation: Conversation) -> str:
    """What the visual tokens depend on, as a name: tower, picture, boxes and map; "" where there is no picture."""
    image, inspection = conversation.image, conversation.inspection
    if image is None:
        return ""
    facts = image.stat() if image.is_file() else None
    said = [backbone.digest, str(image), *([facts.st_size, facts.st_mtime_ns] if facts else [])]
    said += [inspection.status, [region.box for region in inspection.regions]]
    digest = hashlib.sha256(repr(said).encode())
    if inspection.coarse_map is not None:
        digest.update(repr(inspection.coarse_map.shape).encode() + inspection.coarse_map.tobytes())
    return digest.hexdigest()[:24]


def _look(backbone: Backbone, conversation: Conversation, tell: Tell, fraction: float) -> VisualTokens | None:
    inspection, image = conversation.inspection, conversation.image
    if image is None:
        return None
    try:
        pixels = load_image(image).pixels
    except ImageError as error:
        tell(str(error), fraction)
        return None
    if inspection.width and pixels.shape[:2] != (inspection.height, inspection.width):
        tell(f"{image} has another size than its inspection says, and is left out.", fraction)
        return None
    return see(backbone, pixels, inspection)
