"""Collecting pictures: what is taken from a package, what is left, and that it is the same every time."""

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.training.collect import Source, collect, main, read_sources
from assistant.training.licences import is_free, licence_of, read_stanzas
from assistant.training.picture_cutting import Seen, cut

FREE = frozenset({"GPL-2+", "CC0", "CC-BY-3.0"})
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: Somebody
License: GPL-2+

Files: base/textures/stone/closed.png
 base/textures/stone/*_nc.png
Copyright: Somebody else
License: CC-BY-NC-3.0
 Long text.

License: GPL-2+
 Long text.
"""


def noise(seed: int, width: int = 200, height: int = 160, bands: int = 3) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20, bands), np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def as_bytes(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def wheel(folder: Path, pictures: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "fake_pictures-1.0-py3-none-any.whl", "w") as archive:
        for name, content in pictures.items():
            archive.writestr(name, content)
    return folder


def fake(**changes: object) -> Source:
    entry = {
        "package": "fake-pictures",
        "version": "1.0",
        "origin": "pypi",
        "take": ("stone/*",),
        "licence": "CC0",
    }
    return Source(**{**entry, **changes})  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_takes_the_fit_pictures_and_the_same_ones_every_time(tmp_path: Path) -> None:
    flat = Image.new("RGB", (200, 200), (90, 90, 90))
    downloads = wheel(
        tmp_path / "downloads",
        {
            "stone/Rough Granite.png": as_bytes(noise(0)),
            "stone/rough_copy.png": as_bytes(noise(0).resize((300, 240))),
            "stone/granite_norm.png": as_bytes(noise(1)),
            "stone/even.png": as_bytes(flat),
            "stone/tiny.png": as_bytes(noise(2, 64, 64)),
            "stone/broken.png": b"no picture",
            "stone/skipped.png": as_bytes(noise(4)),
            "metal/steel.png": as_bytes(noise(3)),
        },
    )
    source = fake(leave=("*skipped*",))
    kinds = collect(tmp_path / "one", [source], FREE, downloads)
    collect(tmp_path / "two", [source], FREE, downloads)
    assert len(kinds) == 1 and next(iter(kinds)) in ("fake-stone-rough-granite", "fake-stone-rough-copy")
    (entry,) = kinds.values()
    assert entry["licence"] == "CC0" and entry["origin"] == "PyPI" and entry["files"] == 1
    assert json.loads((tmp_path / "one" / "sources.json").read_text()) == kinds
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_licence_that_is_not_free_or_not_known_is_left_out(tmp_path: Path) -> None:
    downloads = wheel(tmp_path / "downloads", {"stone/a.png": as_bytes(noise(0))})
    for number, licence in enumerate(("CC-BY-NC-3.0", "")):
        assert collect(tmp_path / str(number), [fake(licence=licence)], FREE, downloads) == {}


def test_the_limit_counts_kinds(tmp_path: Path) -> None:
    downloads = wheel(tmp_path / "downloads", {f"stone/{n}.png": as_bytes(noise(n)) for n in range(6)})
    assert len(collect(tmp_path / "out", [fake(limit=4)], FREE, downloads)) == 4


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="builds a Debian package")
def test_in_a_debian_package_each_picture_has_its_own_licence(tmp_path: Path) -> None:
    root = tmp_path / "root"
    texts = {
        "DEBIAN/control": "Package: fake\nVersion: 1:2-3\nArchitecture: all\nMaintainer: A <a@b>\nDescription: x\n"
    }
    texts["usr/share/doc/fake/copyright"] = COPYRIGHT
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "usr/games/base").mkdir(parents=True)
    with zipfile.ZipFile(root / "usr/games/base/0.pk3", "w") as archive:
        for number, name in enumerate(("open", "closed", "also_nc")):
            archive.writestr(f"textures/stone/{name}.png", as_bytes(noise(number)))
    (tmp_path / "downloads").mkdir()
    file = tmp_path / "downloads" / "fake_1%3a2-3_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(file)], check=True, stdout=subprocess.DEVNULL)
    source = Source("fake", "1:2-3", "debian", ("*/textures/*",))
    kinds = collect(tmp_path / "out", [source], FREE, tmp_path / "downloads")
    assert {kind: entry["licence"] for kind, entry in kinds.items()} == {"fake-stone-open": "GPL-2+"}


def test_the_last_stanza_that_names_a_file_decides() -> None:
    stanzas = read_stanzas(COPYRIGHT)
    assert licence_of("usr/games/base/textures/stone/closed.png", stanzas) == "CC-BY-NC-3.0"
    assert licence_of("usr/games/base/textures/stone/open.png", stanzas) == "GPL-2+"
    assert licence_of("anything", []) == ""


@pytest.mark.parametrize(
    ("licence", "free"),
    [("GPL-2+", True), ("CC0 and CC-BY-NC-3.0", False), ("CC-BY-NC-3.0 or CC0", True), ("GPL-2+ AND CC0", True)],
)
def test_all_licences_that_hold_together_must_be_free(licence: str, free: bool) -> None:
    assert is_free(licence, FREE) is free


def test_a_large_picture_gives_several_crops_of_one_kind() -> None:
    parts = cut(noise(0, 3000, 2000), ground=False, name="x")
    assert [part.size for part in parts] == [(512, 512)] * 6
    assert [cut(noise(0, 900, 700), ground=False, name="x")[0].size] == [(640, 498)]


def test_a_cut_out_is_left_or_placed_on_a_plain_ground() -> None:
    cutout = noise(0, 400, 400)
    alpha = Image.new("L", cutout.size)
    alpha.paste(255, (100, 100, 300, 300))
    cutout.putalpha(alpha)
    assert cut(cutout, ground=False, name="x") == []
    (placed,) = cut(cutout, ground=True, name="x")
    assert placed.size == (250, 250) and placed.mode == "RGB"
    pixels = np.asarray(placed)
    assert (pixels[:20] == pixels[0, 0]).all() and pixels[50:200, 50:200].std() > 50


def test_drawn_pictures_and_relief_maps_are_left() -> None:
    drawn = Image.new("RGB", (200, 200), (255, 0, 0))
    drawn.paste((0, 0, 255), (50, 50, 120, 120))
    relief = noise(0, 200, 200).point(lambda v: 118 + v // 13)
    relief = Image.merge("RGB", (*relief.split()[:2], relief.getchannel(2).point(lambda v: v + 110)))
    assert cut(drawn, ground=False, name="x") == []
    assert cut(relief, ground=False, name="x") == []


def test_a_recoloured_copy_is_seen() -> None:
    seen = Seen()
    assert seen.add(noise(0)) and seen.add(noise(1))
    assert not seen.add(noise(0).point(lambda v: v // 2 + 60))


def test_bad_lists_folders_and_packages_end_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("free = []\n[[package]]\npackage = 'x'\ncolour = 'red'\n")
    with pytest.raises(LooktwiceError, match="no list of packages"):
        read_sources(tmp_path / "bad.toml")
    with pytest.raises(LooktwiceError, match="not empty"):
        collect(tmp_path, [], FREE, tmp_path / "downloads")
    with pytest.raises(LooktwiceError, match="debian or pypi"):
        fake(origin="elsewhere")


def test_without_apt_the_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = Source("fake", "1", "debian", ("*",))
    with pytest.raises(LooktwiceError, match="apt-get"):
        collect(tmp_path / "out", [source], FREE, tmp_path / "downloads")


def test_the_shipped_list_is_pinned_and_free() -> None:
    import assistant.training.collect as module

    sources, free = read_sources(Path(module.__file__).with_name("pictures.toml"))
    assert len(sources) > 10 and all(source.version for source in sources)
    assert not any("NC" in licence or "ND" in licence for licence in free)
    assert all(is_free(source.licence, free) for source in sources if source.licence)


def test_the_command_says_why_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("sys.argv", ["collect", str(tmp_path)])
    assert main() == 2 and "not empty" in capsys.readouterr().err
