"""What a file is, told by its extension or by its first bytes: a picture that is read, another one, or none."""

from __future__ import annotations

PEEKED = 132
"""How many of the first bytes tell the kind of a file."""

EXTENSIONS = frozenset(
    ".png .apng .bmp .dib .tif .tiff .webp .jpg .jpeg .jpe .jfif .jfi .jif .pjpeg .pjpg .pjp .mpo".split()
)
"""Extensions of pictures that are read, in lower case."""

OTHER_EXTENSIONS = frozenset(
    ".gif .avif .avifs .heic .heif .hif .jxl .jp2 .j2k .j2c .jpc .jpf .jpx .jxr .wdp .hdp .jls .pgm .ppm .pbm "
    ".pnm .pam .pfm .psd .psb .ico .cur .icns .exr .hdr .dds .tga .pcx .sgi .ras .xcf .kra .qoi .ff .dcm .dicom "
    ".fits .fit .fts .nii .mha .svg .svgz .eps .wmf .emf .xbm .xpm .raw .dng .cr2 .cr3 .nef .arw .orf .raf .rw2 "
    ".pef .srw .svs .ndpi .czi .btf".split()
)
"""Extensions of pictures that are not read, in lower case."""

_READ = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_NOT_READ = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"farbfeld", "farbfeld"),
    (b"gimp xcf", "GIMP"),
    (b"SIMPLE  =", "FITS"),
    (b"<svg", "SVG"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}


def kind_of(start: bytes) -> tuple[str | None, bool]:
    """The format of the picture that a file begins as, and whether it is read; (None, False) for no picture."""
    for signature, kind in _READ:
        if start.startswith(signature):
            return kind, True
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP", True
    if start[:2] == b"BM" and start[6:10] == bytes(4) and start[14:18] in _BMP_HEADERS:
        return "BMP", True
    for signature, kind in _NOT_READ:
        if start.startswith(signature):
            return kind, False
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS:
        return _BRANDS[start[8:12]], False
    if start[:1] == b"P" and start[1:2] in b"1234567" and start[2:3] in (b"\n", b" ", b"\r", b"\t"):
        return "PNM", False
    if start[128:132] == b"DICM":
        return "DICOM", False
    return None, False


_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))
