"""A run as one HTML page that opens anywhere: what was decided, against which limit, shown on the pictures.

The page holds everything it needs, runs no script and loads nothing. Whatever comes from outside (file and
product names, answers) is shown as text. It repeats what the inspections say and decides nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from assistant.files import write_atomically
from assistant.inspection import UNKNOWN, Answer, Inspection, Region
from assistant.report_style import BAR, PAGE, ROW, STYLE

Picture = str | Path | Image.Image

MOST_PICTURES = 500
THUMBNAIL_SIDE = 480

# Marks that reverse the reading direction can make one file name pass for another.
_TURNS = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
_INLINE_IMAGE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}")


def write_html(
    inspections: Iterable[Inspection],
    target: str | Path,
    *,
    pictures: Mapping[str, Picture] | None = None,
    title: str = "Inspection report",
    notes: Sequence[str] = (),
    answers: Mapping[str, Answer | str] | None = None,
) -> Path:
    """Write one self-contained page about a run and return its path.

    `target` is a file, or a folder (it exists, or its name has no suffix) that gets "report.html". `pictures`
    and `answers` go by `Inspection.path`: a picture is an overlay file, an open picture or a data URI, of
    which the 500 with the highest scores are embedded as small JPEGs; an overlay inside the page's folder is
    linked as well. Rows run from the highest score down, pictures that could not be read stand last. The
    page replaces an older one in one step. ValueError for a data URI that is not a picture.
    """
    file = _page_file(Path(target))
    rows = sorted(inspections, key=lambda one: (one.status == "error", -(one.score or 0.0), one.path))
    shown = pictures or {}
    said = answers or {}
    notes = list(notes)
    if sum(one.path in shown for one in rows) > MOST_PICTURES:
        notes.append(f"Pictures are shown for the {MOST_PICTURES} highest scores only.")
    with_picture = [one.path for one in rows if one.path in shown][:MOST_PICTURES]
    frames = {path: _figure(shown[path], file.parent) for path in with_picture}
    span = _span(rows)
    page = PAGE.substitute(
        title=_text(title),
        style=STYLE,
        style_hash=_hash(STYLE),
        counts=_counts(rows),
        notes=_list(notes, "notes"),
        facts="".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in _facts(rows)),
        rows="\n".join(_row(one, frames.get(one.path, ""), said.get(one.path), span) for one in rows),
    )
    return write_atomically(file, page.encode())


def _page_file(target: Path) -> Path:
    if target.is_dir() or not target.suffix:
        target = target / "report.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _text(value: object) -> str:
    """Any value as harmless HTML text: escaped, control and direction characters made visible."""
    return html.escape("".join(_plain(letter) for letter in str(value)), quote=True)


def _plain(letter: str) -> str:
    turns = unicodedata.bidirectional(letter) in _TURNS
    unseen = unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"
    return "\ufffd" if turns or unseen else letter


def _hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _list(items: Sequence[str], kind: str) -> str:
    if not items:
        return ""
    return f'<ul class="{kind}">' + "".join(f"<li>{_text(item)}</li>" for item in items) + "</ul>"


def _counts(rows: Sequence[Inspection]) -> str:
    tally = Counter(one.verdict if one.status == "ok" else "error" for one in rows)
    words = {"defect": "defect", "review": "review", "good": "good", "error": "not read"}
    parts = [f"<span>{len(rows)} {'picture' if len(rows) == 1 else 'pictures'}</span>"]
    for kind, word in words.items():
        if tally[kind] or kind != "error":
            parts.append(f'<span><span class="badge {kind}">{word}</span> {tally[kind]}</span>')
    return "\n".join(parts)


def _facts(rows: Sequence[Inspection]) -> list[tuple[str, str]]:
    """What the rows have in common, or all the different values where they do not agree."""
    read = [one for one in rows if one.status == "ok"]
    limits = sorted({one.threshold for one in read if one.threshold is not None})
    limit = " to ".join(f"{value:.4g}" for value in dict.fromkeys([*limits[:1], *limits[-1:]]))
    sources = {
        f"{e.origin} (method: {e.method}; good pictures behind it: {e.n}; set to reject "
        f"{100 * e.target_false_alarm:.3g} % of good pictures)"
        for one in read
        if (e := one.evidence) is not None
    }
    facts: list[tuple[str, set[str] | set[str | None]]] = [
        ("Mode", {str(one.mode) for one in read}),
        ("Product", {one.product for one in read}),
        ("References", {str(one.references) for one in read}),
        ("Limit", {limit}),
        ("Origin of the limit", sources),
        ("Bundle", {one.bundle for one in read}),
        ("Weights", {one.weights for one in read}),
        ("Inspected", {one.created[:10] for one in read if one.created}),
    ]
    said = [(name, "; ".join(sorted(value for value in values if value))) for name, values in facts]
    return [(name, value) for name, value in said if value]


def _span(rows: Sequence[Inspection]) -> tuple[float, float]:
    """The range that all score bars of the page share."""
    values = [v for one in rows for v in (one.score, one.threshold, one.review_threshold) if v is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _row(one: Inspection, figure: str, answer: Answer | str | None, span: tuple[float, float]) -> str:
    if one.status == "error":
        numbers, words = '<span class="badge error">not read</span>', f"<p>{_text(one.error)}</p>"
    else:
        numbers, words = _numbers(one, span), _words(answer)
    words += "".join(f'<p class="soft">{_text(notice)}</p>' for notice in one.notices)
    regions = "".join(f"<li>{_region(region)}</li>" for region in one.regions)
    return ROW.substitute(
        name=_text(one.path).replace("/", "/<wbr>"),
        picture=figure,
        numbers=numbers,
        regions=f"<ul>{regions}</ul>" if regions else '<span class="soft">none</span>',
        words=words,
    )


def _words(answer: Answer | str | None) -> str:
    if answer is None:
        return ""
    if isinstance(answer, str):
        return f"<p>{_text(answer)}</p>"
    source = f'<p class="soft">Written by: {_text(answer.source)}</p>'
    return f"<p>{_text(answer.text)}</p>" + _list(answer.notices, "soft") + source


def _numbers(one: Inspection, span: tuple[float, float]) -> str:
    score, limit, review = one.score or 0.0, one.threshold or 0.0, one.review_threshold or 0.0
    low, high = span

    def along(value: float) -> str:
        return f"{4 + 168 * (value - low) / (high - low):.1f}"

    label = f"score {score:.4g}, limit {limit:.4g}, review from {review:.4g}"
    bar = BAR.substitute(
        label=_text(label), near=along(review), limit=along(limit), score=along(score), verdict=one.verdict
    )
    lines = f"score <strong>{score:.4g}</strong>, limit {limit:.4g}<br>p-value {one.p_value:.3g}"
    if one.evidence and one.p_value is not None and one.p_value < one.evidence.smallest_p:
        note = f"rests on the fitted curve: counting supports {one.evidence.smallest_p:.3g} at best"
        lines += f'<br><span class="soft">{note}</span>'
    return f'<span class="badge {one.verdict}">{one.verdict}</span>{bar}<span>{lines}</span>'


def _region(region: Region) -> str:
    x0, y0, x1, y1 = region.box
    share = f"{100 * region.area_fraction:.2g}\u00a0% of the picture"
    size = f"{x1 - x0} \u00d7 {y1 - y0} px at ({x0}, {y0}); {share}"
    named = [kind for kind in region.defect_types[:3] if kind.name != UNKNOWN]
    types = ", ".join(f"{kind.name} {100 * kind.probability:.0f}\u00a0%" for kind in named)
    like = f"<br>resembles {_text(types)}" if types else ""
    head = f"<strong>{_text(region.id)}</strong> {region.position}, {region.severity}{like}"
    return f'{head}<br><span class="soft">{size}; peak {region.peak:.4g}</span>'


def _figure(picture: Picture, folder: Path) -> str:
    """The thumbnail, linked to a file that lies beside the page; "" for a file that cannot be read."""
    if isinstance(picture, str) and picture.startswith("data:"):
        if not _INLINE_IMAGE.fullmatch(picture):
            raise ValueError("a picture in a report is a base64 PNG, JPEG or WebP data URI")
        return _image(picture)
    if isinstance(picture, Image.Image):
        return _image(_embed(picture))
    try:
        with Image.open(picture, formats=("PNG", "JPEG", "WEBP")) as opened:
            tag = _image(_embed(opened))
    except (OSError, ValueError, Image.DecompressionBombError):
        return ""
    file, root = Path(picture).resolve(), folder.resolve()
    if not file.is_relative_to(root):
        return tag
    address = "./" + quote(os.fsencode(file.relative_to(root).as_posix()))
    return f'<a href="{_text(address)}">{tag}</a>'


def _image(source: str) -> str:
    return f'<img src="{source}" alt="The picture with its anomaly map and regions" loading="lazy">'


def _embed(picture: Image.Image) -> str:
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(sink.getvalue()).decode()
