"""Folders are walked in order, to their end, and never out of themselves."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.errors import ImageError
from assistant.images.sources import Census, find_images, is_lazy, read_file, shown_name, walk_sources


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root: Path, census: Census | None = None, confined: bool = False) -> list[str]:
    return [str(path.relative_to(root)) for path in find_images([root], census, confined=confined)]


def test_natural_order_with_folders_in_their_place(tmp_path: Path) -> None:
    wanted = ["1.png", "2.png", "9/a.png", "9/b.png", "10.png", "a2/x.bmp", "B1.png", "b10.png", "b010.png"]
    touch(*(tmp_path / name for name in wanted))
    assert names(tmp_path) == ["1.png", "2.png", "9/a.png", "9/b.png", "10.png", "a2/x.bmp", "B1.png"] + [
        "b010.png",
        "b10.png",
    ]


def test_only_pictures_by_extension_in_any_case(tmp_path: Path) -> None:
    kept = ["a.png", "b.JPG", "c.jpeg", "d.Bmp", "e.tif", "f.TIFF", "g.webp"]
    touch(*(tmp_path / name for name in [*kept, "h.gif", "i.psd", "j", "k.png.txt", "png", "l.svg"]))
    assert names(tmp_path) == kept


@pytest.mark.parametrize("alias", ["jfif", "JPE", "jif", "jfi", "pjpeg", "Pjp", "mpo", "dib", "apng"])
def test_other_names_of_formats_that_are_read(alias: str, tmp_path: Path) -> None:
    touch(tmp_path / f"a.{alias}")
    census = Census()
    assert names(tmp_path, census) == [f"a.{alias}"] and not census.left_out


def test_what_looks_like_a_picture_and_is_not_read_is_counted_by_kind(tmp_path: Path) -> None:
    other = ["1.pgm", "2.PGM", "3.gif", "sub/4.avif", "5.heic", "6.jp2", "7.dcm", "8.exr", "9.cr2", "10.jxl"]
    touch(*(tmp_path / name for name in [*other, "read.png", "notes.txt", "labels.json", "Makefile"]))
    census = Census()
    assert names(tmp_path, census) == ["read.png"]
    assert census.left_out == {
        ".pgm": 2,
        **dict.fromkeys((".gif", ".avif", ".heic", ".jp2", ".dcm", ".exr", ".cr2", ".jxl"), 1),
    }
    assert str(census).startswith("2 .pgm, 1 ") and str(Census()) == ""
    assert list(walk_sources([b"bytes", str(tmp_path)], again := Census())) == [b"bytes", tmp_path / "read.png"]
    assert again.left_out == census.left_out


STARTS = {
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff\xe0",
    "TIFF": b"II*\0\x08\0\0\0",
    "big TIFF": b"MM\0+\0\x08\0\0",
    "WebP": b"RIFF\x10\0\0\0WEBPVP8L",
    "BMP": b"BM\x36\x01\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
}


@pytest.mark.parametrize("kind", STARTS)
@pytest.mark.parametrize("name", ["0f3a", "frame.0001", "DSC"])
def test_a_file_without_extension_is_read_where_it_begins_as_a_picture(
    kind: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(STARTS[kind] + bytes(200))
    census = Census()
    assert names(tmp_path, census) == [name] and not census.left_out


@pytest.mark.parametrize(
    ("start", "counted"),
    [
        (b"GIF89a", "GIF without extension"),
        (b"\0\0\0\x1cftypavif", "AVIF without extension"),
        (b"\0\0\0\x1cftypheic", "HEIC without extension"),
        (b"P5\n3 3\n255\n", "PNM without extension"),
        (b"8BPS\0\1", "Photoshop without extension"),
        (bytes(128) + b"DICM", "DICOM without extension"),
        (b"BMW is a car", None),
        (b"Plain text", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_other_files_without_extension(start: bytes, counted: str | None, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(start)
    census = Census()
    assert names(tmp_path, census) == []
    assert census.left_out == ({counted: 1} if counted else {})


def test_a_picture_under_a_foreign_extension_is_counted_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png.bak").write_bytes(STARTS["PNG"])
    (tmp_path / "b.dat").write_bytes(STARTS["JPEG"])
    census = Census()
    assert names(tmp_path, census) == []
    assert census.left_out == {"PNG named .bak": 1, "JPEG named .dat": 1}


def test_hidden_names_are_passed_over_but_not_a_hidden_root(tmp_path: Path) -> None:
    touch(tmp_path / ".root/a.png", tmp_path / ".root/.b.png", tmp_path / ".root/.cache/c.png")
    assert names(tmp_path / ".root") == ["a.png"]
    assert names(tmp_path) == []


def test_a_named_file_is_taken_whatever_it_is_called(tmp_path: Path) -> None:
    touch(tmp_path / ".hidden.dat", tmp_path / "b/c.png")
    given = [str(tmp_path / ".hidden.dat"), tmp_path / "b"]
    assert list(find_images(given)) == [tmp_path / ".hidden.dat", tmp_path / "b/c.png"]
    assert list(find_images(str(tmp_path / "b"))) == [tmp_path / "b/c.png"]
    assert list(find_images([])) == []


def test_whatever_is_handed_over_becomes_single_pictures(tmp_path: Path) -> None:
    touch(tmp_path / "b/2.png", tmp_path / "b/1.png", tmp_path / "a.png")
    folder, picture = tmp_path / "b", tmp_path / "a.png"
    walked = [folder / "1.png", folder / "2.png"]
    array = object()  # whatever is no path, list or iterator is left for the reader to judge
    cases: list[tuple[object, bool, list[object]]] = [
        (picture, False, [picture]),
        (str(picture), False, [str(picture)]),
        ("gone.png", False, ["gone.png"]),
        (b"bytes", False, [b"bytes"]),
        (bytearray(b"bytes"), False, [bytearray(b"bytes")]),
        (array, False, [array]),
        (folder, True, [*walked]),
        (str(folder), True, [*walked]),
        (iter([picture, array]), True, [picture, array]),
        ([array, folder, picture, iter([b"one"])], False, [array, *walked, picture, b"one"]),
        ((), False, []),
    ]
    for given, lazy, expected in cases:
        assert is_lazy(given) is lazy
        assert list(walk_sources(given)) == expected


def test_an_iterator_among_the_sources_is_drawn_only_as_far_as_is_asked() -> None:
    drawn: list[int] = []

    def camera() -> Iterator[int]:
        while True:
            drawn.append(1)
            yield len(drawn)

    sources = iter(walk_sources([b"first", camera()]))
    assert [next(sources) for _ in range(3)] == [b"first", 1, 2]
    assert len(drawn) == 2


def test_a_missing_path_is_told_before_the_first_picture(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    with pytest.raises(ImageError) as caught:
        find_images([tmp_path / "a.png", tmp_path / "gone"])
    assert str(caught.value) == f"{tmp_path / 'gone'} does not exist"
    with pytest.raises(ImageError, match="cannot be the name"):
        find_images(["a\0b"])


def test_folders_are_listed_when_they_are_reached(tmp_path: Path) -> None:
    touch(tmp_path / "a/1.png", tmp_path / "b/1.png")
    pictures = find_images([tmp_path])
    assert next(pictures) == tmp_path / "a/1.png"
    touch(tmp_path / "b/2.png")
    assert list(pictures) == [tmp_path / "b/1.png", tmp_path / "b/2.png"]


def links(tmp_path: Path) -> Path:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(root / "a.png", outside / "secret.png", outside / "notes.txt")
    (root / "b.png").symlink_to(outside / "secret.png")
    (root / "c").symlink_to(outside)
    (root / "d").symlink_to("..")
    (root / "e.png").symlink_to(root / "a.png")
    (root / "f.png").symlink_to("gone.png")
    (root / "g.txt").symlink_to(outside / "notes.txt")
    return root


def test_links_in_a_given_folder_are_read_and_none_is_lost(tmp_path: Path) -> None:
    root, census = links(tmp_path), Census()
    assert names(root, census) == ["a.png", "b.png", "c/secret.png", "e.png", "f.png"]
    assert not census.left_out
    with pytest.raises(ImageError) as caught:
        read_file(root / "f.png", 100)
    assert str(caught.value) == "f.png is a link to a file that does not exist"


def test_links_out_of_a_confined_folder_are_not_followed(tmp_path: Path) -> None:
    root, census = links(tmp_path), Census()
    assert names(root, census, confined=True) == ["a.png", "e.png"]
    assert census.left_out == {"links out of the folder": 3}


def test_a_folder_of_links_into_a_cache(tmp_path: Path) -> None:
    for i in range(5):
        touch(tmp_path / f"cache/{i}a/{i}{i}f0")
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / f"data/{i}.png").symlink_to(f"../cache/{i}a/{i}{i}f0")
    (tmp_path / "typed").symlink_to("data")
    for typed in ("data", "typed"):
        assert names(tmp_path / typed) == [f"{i}.png" for i in range(5)]


def test_a_link_to_nothing_is_one_error_row_and_stops_no_other(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    given = [tmp_path / "gone.png", tmp_path / "a.png"]
    assert list(find_images(given)) == given


def test_a_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    touch(tmp_path / "root/a.png", tmp_path / "root2/b.png")
    (tmp_path / "root/link").symlink_to(tmp_path / "root2")
    assert names(tmp_path / "root", confined=True) == ["a.png"]
    assert names(tmp_path / "root") == ["a.png", "link/b.png"]


def test_a_link_to_a_folder_above_is_not_walked(tmp_path: Path) -> None:
    touch(tmp_path / "root/a.png", tmp_path / "sibling/b.png")
    (tmp_path / "root/up").symlink_to(tmp_path)
    (tmp_path / "root/all").symlink_to("/")
    assert names(tmp_path / "root") == ["a.png"]


def test_a_root_that_is_a_link_is_walked(tmp_path: Path) -> None:
    touch(tmp_path / "real/a.png")
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "link") == ["a.png"]


@pytest.mark.timeout(20)
def test_loops_end_and_no_folder_comes_twice(tmp_path: Path) -> None:
    touch(tmp_path / "a/1.png", tmp_path / "b/2.png")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/self").symlink_to(".")
    (tmp_path / "b/a").symlink_to("../a")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert names(tmp_path) == ["a/1.png", "b/2.png", "loop.png"]
    assert names(tmp_path, confined=True) == ["a/1.png", "b/2.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.timeout(20)
def test_pipes_devices_and_sockets_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "z.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/null")
    monkeypatch.chdir(tmp_path)  # a socket's path may be 107 bytes long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        census = Census()
        assert names(tmp_path, census) == ["z.png"]
        assert census.left_out == {"pipes, devices or sockets": 3}


def test_unusual_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "-rf.png",
        "=1+1.png",
        "a b.png",
        "two\nlines.png",
        "größe.png",
        "٣.png",
        "📷.png",
        "x" * 251 + ".png",
    ]
    touch(*(tmp_path / name for name in wanted))
    assert sorted(names(tmp_path)) == sorted(wanted)
    monkeypatch.chdir(tmp_path)
    assert sorted(map(str, find_images(["."]))) == sorted(wanted)


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        open(raw, "wb").close()
    except OSError:
        pytest.skip("this file system takes text only")
    [picture] = find_images([tmp_path])
    assert os.fsencode(picture) == raw
    assert shown_name(str(picture)) == "\\udcff.png"


def test_names_that_differ_in_case_only_keep_one_order(tmp_path: Path) -> None:
    wanted = ["ABC.png", "ABc.png", "AbC.png", "Abc.png", "aBC.png", "aBc.png", "abC.png", "abc.png"]
    touch(*(tmp_path / name for name in reversed(wanted)))
    if len(list(tmp_path.iterdir())) < len(wanted):
        pytest.skip("this file system knows no case")
    assert names(tmp_path) == wanted


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder deeper than Python calls, tidied up here because pytest would do it by recursion."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    path = tmp_path.joinpath(*["d"] * 1200)
    yield path
    for file in path.iterdir():
        file.unlink()
    while path != tmp_path:
        path.rmdir()
        path = path.parent


def test_deep_folders(deep: Path, tmp_path: Path) -> None:
    picture = deep / "x.png"
    picture.write_bytes(b"")
    assert list(find_images([tmp_path])) == [picture]


def test_a_folder_that_may_not_be_listed_is_not_left_out_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a/1.png", tmp_path / "locked/2.png", tmp_path / "z.png")
    listdir = os.listdir

    def guarded(path: Path) -> list[str]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", guarded)
    assert names(tmp_path) == ["a/1.png", "locked", "z.png"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/a.png", "a.png"),
        ("C:\\Users\\me\\a.png", "a.png"),
        ("folder/", "folder"),
        ("", "the picture"),
        ("///", "the picture"),
        ("tab\there", "tab\\there"),
        ("y" * 300, "y" * 252 + "..."),
    ],
)
def test_shown_names(text: str, shown: str) -> None:
    assert shown_name(text) == shown
