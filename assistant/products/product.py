"""A product: what its good parts look like, and the limits that follow. Kept as one file each.

A product is a safetensors file; its settings are JSON in the file's header, so that tensors and settings
change together or not at all. What it takes to undo its changes lies in a second file beside it, which may be
lost without harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.strength import Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.calibration import Calibration
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.counted import CountedZone
from assistant.detection.known import KnownDefects
from assistant.detection.registration import Registration
from assistant.errors import ProductError
from assistant.files import write_atomically
from assistant.images.window import Window
from assistant.models.digests import digest_state
from assistant.products.config import check_memory
from assistant.products.masks import is_share, look_at
from assistant.products.names import SUFFIX
from assistant.products.remarks import IS_EVEN, remarks_on
from assistant.products.undo import Step, pack, trim, unpack

SCHEMA = 3
_READ = (2, SCHEMA)
UNDO_SUFFIX = ".undo.safetensors"
_HEADER = "looktwice"
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True)
class Reference:
    """One good picture: its id, its file's base name, its own score against the others, a digest of its pixels.

    `score` is None where there is no other reference, or the picture itself is no longer kept. `like`: the id of
    the first reference that it is nearly one picture with, None for itself. `distance`: how far its patches
    usually are from the others', None where `score` is. `width` and `height` are those of the picture as shown, 0
    where nobody noted them. `doubt` says why it may be no picture of a good part, "" for nothing.
    """

    id: int
    name: str
    score: float | None = None
    digest: str = ""
    like: int | None = None
    distance: float | None = None
    width: int = 0
    height: int = 0
    doubt: str = ""

    @property
    def even(self) -> bool:
        """Whether nothing is to be seen in it."""
        return self.doubt == IS_EVEN

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; what came later is left out where it says nothing, so that old seals hold."""
        later = {"like": None, "distance": None, "width": 0, "height": 0, "doubt": ""}
        return {k: v for k, v in asdict(self).items() if k not in later or v != later[k]}


@dataclass(frozen=True)
class Change:
    """One thing that was taught: when, what ("good", "defect", "removed", "masks", "recalibrated"), and which."""

    when: str
    what: str
    id: int | None = None
    name: str = ""
    label: str = ""


@dataclass(frozen=True)
class Product:
    """A learned product; made by `Inspector.learn`, changed by `Inspector.teach` and its like.

    `bundle` and `weights` name the towers that made `dictionary`, which fits no others. `views` says which
    changed views of each reference are in memory, `side` the side in pixels that pictures are shown at.
    `roi` [h, w] float32 in [0, 1] on the reference's picture says what to look at, None is everything; `ignore`
    what not to look at in there. `known` are the defects that were given as examples.
    `aligned`: whether parts lie alike, so that a patch is compared with what lies around the same place.
    `tiles`: into how many overlapping tiles along each side a picture is cut; 1 is the whole. `memory`: how
    `dictionary` is looked up, by the "nearest" patch or by what was "trained" for the bundle.
    `pictures`: of each reference that is scored again when something changes, the picture as a PNG, uint8 [n],
    in the size that the tower sees. `wholes`: how these look as wholes, None where they are not alike; made with
    the limits, from the same pictures. `strengths`: how strongly their patches usually respond, None for a single
    one, made alike. `scoring`: the numbers of its score rule, and `trained` the digest of the trained dictionary
    behind its limits, "" for none. `window`: black and white of all its pictures, without levels for those of 8
    bits and for a product from before there were windows, whose pictures are each scaled by itself.
    `registration`: by what a picture is brought to the pose of the first reference before anything else, None
    where it is compared as it lies; memory and `pictures` then hold references as brought. `counted`: the zones in
    which a number of alike things is expected, and how these are found. `seal`: a
    digest of all that is kept, limits and the version of the score rule included, see `check_seal`.
    `past`: the way back.
    """

    name: str
    bundle: str
    weights: str
    side: int
    views: str
    references: tuple[Reference, ...]
    calibration: Calibration
    dictionary: Dictionary = field(compare=False, repr=False)
    roi: Tensor | None = field(default=None, compare=False, repr=False)
    created: str = ""
    schema: int = SCHEMA
    ignore: Tensor | None = field(default=None, compare=False, repr=False)
    known: KnownDefects = field(default_factory=KnownDefects, compare=False, repr=False)
    pictures: Mapping[int, Tensor] = field(default_factory=dict, compare=False, repr=False)
    history: tuple[Change, ...] = field(default=(), repr=False)
    seal: str = field(default="", repr=False)
    past: tuple[Step, ...] = field(default=(), compare=False, repr=False)
    aligned: bool = False
    tiles: int = 1
    wholes: Wholes | None = field(default=None, compare=False, repr=False)
    strengths: Strengths | None = field(default=None, compare=False, repr=False)
    memory: str = "nearest"
    scoring: ScoringConfig = SHIPPED
    trained: str = field(default="", repr=False)
    window: Window = Window()
    registration: Registration | None = field(default=None, compare=False, repr=False)
    counted: tuple[CountedZone, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.references:
            raise ProductError(f"The product {self.name!r} has no reference.")
        check_memory(self.memory)
        if not len(self.dictionary):
            raise ProductError(f"The product {self.name!r} has an empty memory.")
        if self.roi is not None and not is_share(self.roi):
            raise ProductError(f"The region of interest of the product {self.name!r} is not a map of 0 to 1.")
        if self.ignore is not None and not is_share(self.ignore):
            raise ProductError(f"The ignore mask of the product {self.name!r} is not a map of 0 to 1.")

    def __repr__(self) -> str:
        known = f", {len(self.known.defects)} known defect(s)" if self.known.defects else ""
        limit = f"defect above {self.calibration.threshold:.4g}"
        limit += f", window {self.window}" if self.window.levels else ""
        return f"<Product {self.name!r}: {len(self.references)} reference(s){known}, {limit}, {self.bundle}>"

    @property
    def nbytes(self) -> int:
        """Bytes of all that it keeps: memory, known defects and pictures, and not the way back."""
        pictures = sum(t.numel() for t in self.pictures.values())
        wholes = self.wholes.nbytes if self.wholes else 0
        return int(self.dictionary.nbytes + self.known.nbytes + pictures + wholes)

    @property
    def alike(self) -> bool:
        """Whether its references are alike as whole pictures: one that differs as a whole then scores higher."""
        return self.wholes is not None

    @property
    def groups(self) -> dict[int, tuple[int, ...]]:
        """The ids of references that are nearly one picture, by the first of them; most are alone."""
        groups: dict[int, tuple[int, ...]] = {}
        for reference in self.references:
            first = reference.id if reference.like is None else reference.like
            groups[first] = (*groups.get(first, ()), reference.id)
        return groups

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said about its references, a sentence each; see `products.remarks`."""
        return remarks_on(self.references)

    @property
    def looked_at(self) -> Tensor | None:
        """The region of interest [h, w] float32 in [0, 1] without what is to be ignored; None is everything."""
        drawn = look_at(self.roi, self.ignore)
        return drawn if drawn is None or self.registration is None else self.registration.look_at(drawn)

    def with_target(self, target_false_alarm: float) -> Product:
        """The same product with its limits at another rate of false alarms; what was stale stays so."""
        moved = replace(self, calibration=self.calibration.at(target_false_alarm))
        return moved.sealed() if self.seal == self._digest() else moved

    def undo(self) -> Product:
        """The product before its last change, the very same; ProductError where there is no way back."""
        if not self.past:
            raise ProductError(f"The product {self.name!r} has no change that can be undone.")
        settings, tensors = self.past[-1].revert(self.state()[1])
        return replace(_from_state(json.loads(settings), tensors), past=self.past[:-1])

    def followed_by(self, new: Product) -> Product:
        """The product as it is after a change, with the way back to this one."""
        return replace(new, past=trim([*self.past, Step.between(self.state(), new.state())]))

    def sealed(self) -> Product:
        """The product with a seal on what it is now: to be set where limits were just worked out for it."""
        return replace(self, seal=self._digest())

    def check_seal(self) -> None:
        """ProductError where the limits were worked out for anything else than they would be used on."""
        if self.seal != self._digest():
            raise stale(self.name)

    def state(self) -> tuple[str, dict[str, Tensor]]:
        """Its settings as JSON, and its tensors on the CPU: all that is kept but the way back."""
        tensors = {f"dictionary.{k}": v for k, v in self.dictionary.state_dict().items()}
        tensors |= {f"known.{k}": v for k, v in self.known.state_dict().items()}
        tensors |= {f"picture.{i}": v for i, v in self.pictures.items()}
        for name in ("roi", "ignore"):
            if (mask := getattr(self, name)) is not None:
                tensors[name] = mask.float()
        if self.wholes:
            tensors |= {f"wholes.{k}": v for k, v in self.wholes.state_dict().items()}
        if self.strengths:
            tensors |= {f"strengths.{k}": v for k, v in self.strengths.state_dict().items()}
        plain = ("schema", "name", "bundle", "weights", "side", "views", "created", "seal", "aligned", "tiles")
        header: dict[str, Any] = {name: getattr(self, name) for name in (*plain, "memory", "trained")}
        header["scoring"] = self.scoring.to_dict()
        header["references"] = [reference.to_dict() for reference in self.references]
        header["defects"] = self.known.rows()
        header["history"] = [asdict(change) for change in self.history]
        header["calibration"] = self.calibration.to_dict()
        header["capacity"] = self.dictionary.capacity
        if self.window != Window():  # those without one are kept, and sealed, as they always were
            header["window"] = self.window.to_dict()
        if self.counted:
            header["counted"] = [zone.to_dict() for zone in self.counted]
        if self.registration:
            header["registration"] = self.registration.settings()
            tensors["registration.template"] = self.registration.tensor()
        return json.dumps(header, allow_nan=False), tensors

    def save(self, path: str | Path) -> Path:
        """Write the product to a file, atomically: a crash leaves the old file or the new one.

        What it takes to undo its changes goes to a second file. ProductError where the folder cannot be written
        to.
        """
        path = Path(path)
        content, past = self.packed()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if past is not None:
                write_atomically(undo_path(path), past, private=True)
            write_atomically(path, content, private=True)
            if past is None:
                undo_path(path).unlink(missing_ok=True)
            return path
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProductError(f"The product {self.name!r} cannot be kept in its folder: {why}.") from error

    def packed(self) -> tuple[bytes, bytes | None]:
        """The contents of its file, and of the one with what it takes to undo changes, None where it has none."""
        from safetensors.torch import save

        settings, tensors = self.state()
        content = save(
            {name: t.contiguous() for name, t in tensors.items()},
            {_HEADER: f"{settings}\n{digest_state(settings, tensors)}"},
        )
        return content, pack(self.past) if self.past else None

    @classmethod
    def load(cls, path: str | Path) -> Product:
        """Read a product; ProductError in one sentence where the file is missing, damaged or newer."""
        path = Path(path)
        try:
            # Read at once: `safe_open` opens a file by its name twice, and another may have taken its place since.
            content = path.read_bytes()
        except FileNotFoundError:
            raise ProductError(f"There is no product file {path.name!r}.") from None
        except OSError as error:
            raise ProductError(f"The product file {path.name!r} is damaged and cannot be read.") from error
        past = None
        with suppress(OSError):  # without a way back the product is whole all the same
            past = undo_path(path).read_bytes()
        return cls.unpacked(content, past, path.name)

    @classmethod
    def unpacked(cls, content: bytes, past: bytes | None, name: str) -> Product:
        """The product of the contents that `packed` gives; `name` is how to call it; errors as of `load`."""
        try:
            return _read(content, past, name)
        except ProductError:
            raise
        except Exception as error:  # whatever a damaged file leads to, nothing half-read comes out
            raise ProductError(f"The product file {name!r} is damaged and cannot be read.") from error

    def _digest(self) -> str:
        """A digest of all that is kept but the seal and the way back, worked out once for the tensors it has."""
        held = (*self.dictionary.state(), *self.known.dictionary.state())
        before: tuple[tuple[Tensor, ...], str] | None = self.__dict__.get("_digest_of")
        if before and all(one is other for one, other in zip(before[0], held, strict=True)):
            return before[1]
        settings, tensors = replace(self, seal="").state()
        found = digest_state(settings + self.scoring.digest, tensors)[:32]
        self.__dict__["_digest_of"] = held, found
        return found


def stale(name: str) -> ProductError:
    """The error for limits that were worked out for anything else than they would be used on."""
    return ProductError(
        f"The limits of the product {name!r} were set for another memory, mask, resolution or way of scoring; run "
        f"`looktwice teach {_quoted(name)} --recalibrate`."
    )


def check_name(name: str) -> str:
    """The name, if it can be a product's: 1 to 80 letters, digits, spaces, dots, dashes, underscores."""
    plain = bool(re.fullmatch(r"\w[\w .\-]*", name)) and len(name) <= 80 and len(name.encode()) <= 200
    if not plain or name != name.strip(" .") or name.split(".")[0].lower() in _RESERVED:
        raise ProductError(
            f"{name[:40]!r} cannot be a product's name: use up to 80 letters, digits, spaces, dashes, dots or "
            "underscores, starting with a letter or digit."
        )
    return name


def undo_path(path: Path) -> Path:
    """Where the way back of the product in this file is kept."""
    return path.with_name(path.name.removesuffix(SUFFIX) + UNDO_SUFFIX)


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _read(content: bytes, past: bytes | None, name: str) -> Product:
    from safetensors.torch import load

    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    settings, _, checksum = json.loads(content[8 : 8 + length])["__metadata__"][_HEADER].partition("\n")
    state = digest_state(settings, tensors)
    header: dict[str, Any] = json.loads(settings)
    if header["schema"] not in _READ:
        raise ProductError(f"The product file {name!r} was written by another version; learn it again.")
    if header["schema"] == SCHEMA and checksum != state:
        raise ProductError(f"The product file {name!r} is damaged: it is not what was kept.")
    product = _from_state(header, dict(tensors))
    return replace(product, past=_read_past(past, state))


def _read_past(content: bytes | None, state: str) -> tuple[Step, ...]:
    try:
        return unpack(content, state) if content is not None else ()
    except Exception:  # missing, of another state, or damaged: the product is whole all the same
        return ()


def _from_state(header: dict[str, Any], tensors: dict[str, Tensor]) -> Product:
    """The product of a state; any error where settings and tensors do not fit together."""
    rest = header | {"schema": SCHEMA}  # what an earlier version left out has its default
    names = ("dictionary", "known", "picture", "wholes", "strengths", "registration")
    groups: dict[str, dict[str, Tensor]] = {name: {} for name in names}
    masks: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        group, _, inner = name.partition(".")
        if group == "foreground":
            raise ProductError(
                f"The product {rest['name']!r} leaves out the ground it stands on, which made no difference and "
                "is no longer done; learn it again."
            )
        if inner:
            groups[group][inner] = tensor
        else:
            masks[name] = tensor
    if set(masks) - {"roi", "ignore"}:
        raise ProductError(f"The product {rest['name']!r} holds a tensor that means nothing.")
    dictionary = Dictionary(rest.pop("capacity"))
    dictionary.load_state_dict(groups["dictionary"])
    references = tuple(Reference(**row) for row in rest.pop("references"))
    ids = {reference.id for reference in references}
    if {r.like for r in references} - {None, *ids}:
        raise ProductError(f"The product {rest['name']!r} holds a near copy of a reference it does not name.")
    wholes = Wholes.from_state_dict(groups["wholes"]) if groups["wholes"] else None
    strengths = Strengths.from_state_dict(groups["strengths"]) if groups["strengths"] else None
    registered, template = rest.pop("registration", None), groups["registration"].pop("template", None)
    if (registered is None) != (template is None) or groups["registration"]:
        raise ProductError(f"The product {rest['name']!r} holds a registration that is not whole.")
    owners = {*dictionary.ids(), *map(int, groups["picture"])}
    owners.update(*(part.owners for part in (wholes, strengths) if part))
    if owners - ids:
        raise ProductError(f"The product {rest['name']!r} holds patches of a reference it does not name.")
    return Product(
        references=references,
        calibration=Calibration.from_dict(rest.pop("calibration")),
        dictionary=dictionary,
        known=KnownDefects.from_state(rest.pop("defects"), groups["known"]),
        pictures={int(i): t for i, t in groups["picture"].items()},
        history=tuple(Change(**row) for row in rest.pop("history")),
        scoring=ScoringConfig.from_dict(rest.pop("scoring")) if "scoring" in rest else SHIPPED,
        window=Window.from_dict(rest.pop("window", {})),
        counted=tuple(map(CountedZone.from_dict, rest.pop("counted", ()))),
        wholes=wholes,
        strengths=strengths,
        registration=None if template is None else Registration.from_state(registered, template),
        roi=masks.get("roi"),
        ignore=masks.get("ignore"),
        **rest,
    )
