"""A product: what its good parts look like, and the limits that follow. Kept as one file each.

A product is a safetensors file; its settings are JSON in the file's header, so that tensors and settings
change together or not at all.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.foreground import Foreground
from assistant.calibration import Calibration
from assistant.errors import ProductError
from assistant.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
SUFFIX = ".product.safetensors"
_HEADER = "looktwice"
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True)
class Reference:
    """One good picture in memory: its id, its file's base name, its own score against the others."""

    id: int
    name: str
    score: float | None = None


@dataclass(frozen=True)
class Product:
    """A learned product; made by `Inspector.learn`.

    `bundle` and `weights` name the towers that made `dictionary`, which fits no others. `views` says which
    changed views of each reference are in memory, `side` the side in pixels that pictures are shown at.
    `roi` [h, w] float32 in [0, 1] on the reference's picture says what to look at; None is everything.
    `foreground` leaves out the plain ground that the product stands on; None where none was asked for or found.
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
    foreground: Foreground | None = field(default=None, compare=False, repr=False)
    created: str = ""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.references:
            raise ProductError(f"The product {self.name!r} has no reference.")
        if not len(self.dictionary):
            raise ProductError(f"The product {self.name!r} has an empty memory.")
        if self.roi is not None and not _is_share(self.roi):
            raise ProductError(f"The region of interest of the product {self.name!r} is not a map of 0 to 1.")
        if self.foreground and len(self.foreground.direction) != self.dictionary.entries.shape[1]:
            raise ProductError(f"The foreground of the product {self.name!r} does not fit its memory.")

    @property
    def nbytes(self) -> int:
        """Bytes of its memory."""
        return self.dictionary.nbytes

    def with_target(self, target_false_alarm: float) -> Product:
        """The same product with its limits at another rate of false alarms."""
        return replace(self, calibration=self.calibration.at(target_false_alarm))

    def save(self, path: str | Path) -> Path:
        """Write the product to a file, atomically: a crash leaves the old file or the new one.

        ProductError where the folder cannot be written to.
        """
        from safetensors.torch import save

        tensors = {f"dictionary.{k}": v.contiguous() for k, v in self.dictionary.state_dict().items()}
        if self.roi is not None:
            tensors["roi"] = self.roi.float().contiguous()
        if self.foreground:
            tensors |= {f"foreground.{k}": v.contiguous() for k, v in self.foreground.state_dict().items()}
        header = {
            name: getattr(self, name)
            for name in ("schema", "name", "bundle", "weights", "side", "views", "created")
        }
        header["references"] = [asdict(reference) for reference in self.references]
        header["calibration"] = self.calibration.to_dict()
        header["capacity"] = self.dictionary.capacity
        content = save(tensors, {_HEADER: json.dumps(header, allow_nan=False)})
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            return write_atomically(Path(path), content)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProductError(f"The product {self.name!r} cannot be kept in its folder: {why}.") from error

    @classmethod
    def load(cls, path: str | Path) -> Product:
        """Read a product; ProductError in one sentence where the file is missing, damaged or newer."""
        path = Path(path)
        try:
            return _read(path)
        except FileNotFoundError:
            raise ProductError(f"There is no product file {path.name!r}.") from None
        except ProductError:
            raise
        except Exception as error:  # whatever a damaged file leads to, nothing half-read comes out
            raise ProductError(f"The product file {path.name!r} is damaged and cannot be read.") from error


class ProductStore:
    """The products in one folder, by name."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder()

    def path(self, name: str) -> Path:
        """Where a product of that name is kept; ProductError for a name that cannot be a file's."""
        return self.folder / f"{check_name(name)}{SUFFIX}"

    def save(self, product: Product) -> Path:
        """Keep a product under its name, in place of an older one; ProductError where it cannot be written."""
        return product.save(self.path(product.name))

    def load(self, name: str) -> Product:
        """The product of that name; ProductError lists the ones there are."""
        path = self.path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none yet"
            raise ProductError(f"There is no product {name!r}; the products are: {known}.")
        product = Product.load(path)
        if product.name != name:
            raise ProductError(f"The file of the product {name!r} holds {product.name!r} instead.")
        return product

    def delete(self, name: str) -> None:
        """Remove a product; ProductError where there is none."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            raise ProductError(f"There is no product {name!r}.") from None

    def names(self) -> list[str]:
        """The names of the products, sorted."""
        return sorted(self._names()) if self.folder.is_dir() else []

    def _names(self) -> Iterator[str]:
        for path in self.folder.glob(f"*{SUFFIX}"):
            yield path.name.removesuffix(SUFFIX)


def default_folder() -> Path:
    """$LOOKTWICE_PRODUCTS where that is set, else a folder of the user's."""
    import platformdirs

    named = os.environ.get("LOOKTWICE_PRODUCTS")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("looktwice")) / "products"


def check_name(name: str) -> str:
    """The name, if it can be a product's: 1 to 80 letters, digits, spaces, dots, dashes, underscores."""
    plain = bool(re.fullmatch(r"\w[\w .\-]*", name)) and len(name) <= 80 and len(name.encode()) <= 200
    if not plain or name != name.strip(" .") or name.split(".")[0].lower() in _RESERVED:
        raise ProductError(
            f"{name[:40]!r} cannot be a product's name: use up to 80 letters, digits, spaces, dashes, dots or "
            "underscores, starting with a letter or digit."
        )
    return name


def _is_share(roi: Tensor) -> bool:
    return roi.ndim == 2 and roi.numel() > 0 and float(roi.min()) >= 0 and float(roi.max()) <= 1


def _read(path: Path) -> Product:
    from safetensors.torch import load

    # Read at once: `safe_open` opens a file by its name twice, and another may have taken its place in between.
    content = path.read_bytes()
    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_HEADER])
    if header.pop("schema") != SCHEMA:
        raise ProductError(f"The product file {path.name!r} was written by another version; learn it again.")
    dictionary = Dictionary(header.pop("capacity"))
    roi = tensors.pop("roi", None)
    ground = {name: tensors.pop(name) for name in list(tensors) if name.startswith("foreground.")}
    dictionary.load_state_dict({name.removeprefix("dictionary."): t for name, t in tensors.items()})
    references = tuple(Reference(**row) for row in header.pop("references"))
    if set(dictionary.ids()) - {reference.id for reference in references}:
        raise ProductError(f"The product file {path.name!r} holds patches of a reference it does not name.")
    return Product(
        references=references,
        calibration=Calibration.from_dict(header.pop("calibration")),
        dictionary=dictionary,
        roi=roi,
        foreground=_foreground(ground) if ground else None,
        **header,
    )


def _foreground(tensors: dict[str, Tensor]) -> Foreground:
    return Foreground.from_state_dict({name.removeprefix("foreground."): t for name, t in tensors.items()})
