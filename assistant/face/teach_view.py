"""What widgets show of a product: thumbnails with scores, facts, limits at any target."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from assistant.detection.calibration import Calibration
from assistant.detection.counting import percent as counted_share
from assistant.detection.counting import say_missing
from assistant.face.cards import Card, show_cards
from assistant.face.chart import Axis, draw_limits
from assistant.face.embedded import embed_file
from assistant.face.masks import IGNORE, LOOK, Mask, read_drawing, show_drawing
from assistant.face.words import sentence
from assistant.files import write_atomically
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.retelling import retell
from assistant.language.wording import number, percent, plain, quote
from assistant.products.changes import last_changes
from assistant.products.kept_pictures import expand
from assistant.products.product import Product, Reference

TARGETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
MOST_THUMBNAILS = 120
THUMBNAIL = 320  # pixels

WELCOME = message("""<p>Nothing is chosen yet.</p><ol>
<li>Give a new product its name.</li>
<li>Drop pictures of good parts, from several days: one is enough to begin, 45 let 5 % be promised.</li>
<li>Press <b>Learn</b>. It takes seconds, and you see which pictures stand out.</li>
</ol><p>Or choose a product to see what it knows, and to change it.</p>""")

_TOLD = {
    "good": message("the good part {name}"),
    "removed": message("the removal of {name}"),
    "defect": message("the known defect {label}"),
    "replaced": message("the learning anew"),
    "masks": message("the masks"),
    "recalibrated": message("the new limits"),
    "target": message("the false-alarm target of {target}"),
}


def show_said(text: str, w: Wording = ENGLISH_WORDS) -> str:
    """A sentence about what was done, as HTML."""
    return f'<span class="badge done">{w("DONE")}</span>{html.escape(text)}'


def show_trouble(error: Exception, w: Wording = ENGLISH_WORDS) -> str:
    """A sentence about why something was not done, as HTML."""
    return f'<span class="badge trouble">{w("NOT DONE")}</span>{html.escape(sentence(error, w))}'


def show_facts(product: Product, w: Wording = ENGLISH_WORDS) -> str:
    """A product in short, and where its limits come from, as HTML."""
    limits, evidence = product.calibration, product.calibration.evidence
    cells = {
        w("good pictures"): str(len(product.references)),
        w("known defects"): str(len(product.known.defects)),
        w("review above"): number(limits.review_threshold),
        w("defect above"): number(limits.threshold),
        w("good parts turned away, expected"): counted_share(evidence.expected_rate),
        w("at most, by counting"): counted_share(evidence.upper_rate)
        if evidence.upper_rate < 1
        else w("not known"),
        w("kept"): f"{number(product.nbytes / 1e6)} MB",
    }
    row = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in cells.items())
    notes = [w("The threshold is {origin}.", origin=retell(w, evidence.origin))]
    if missing := say_missing(evidence):
        missing = retell(w, missing)
        notes.append(f"{missing[:1].upper()}{missing[1:]}{w('.')}")
    notes.append(say_lying(product, w))
    if product.alike:
        notes.append(w("The pictures are alike as wholes: one that differs as a whole counts too."))
    if product.roi is not None or product.ignore is not None:
        notes.append(w("A mask says where to look."))
    for one in product.counted:
        name, expected = quote(one.zone.name), one.zone.expected
        notes.append(w("In the zone {name}, {expected} alike things are expected.", name=name, expected=expected))
    told = html.escape(w.put_together(notes))
    return f"<h3>{html.escape(product.name)}</h3><dl>{row}</dl><p>{told}</p>"


def say_lying(product: Product, w: Wording = ENGLISH_WORDS) -> str:
    """How the product takes its parts to lie in the picture, in a sentence."""
    if product.registration:
        return w("Each part is brought to the pose of the first good picture, and compared place by place.")
    if product.aligned:
        return w("Parts lie alike in every picture: missing and moved ones count too.")
    if product.views == "flips":
        return w("Parts may be mirrored.")
    return w("Parts may lie at any angle.") if product.views == "turns" else w("Parts may lie anywhere.")


def shown_references(product: Product) -> list[Reference]:
    """The references in the order of the gallery: the highest score first, at most `MOST_THUMBNAILS`."""
    ranked = sorted(product.references, key=lambda r: (r.score is None, -(r.score or 0.0), r.id))
    return ranked[:MOST_THUMBNAILS]


def show_gallery(product: Product, folder: str, selected: int | None = None, w: Wording = ENGLISH_WORDS) -> str:
    """The references as cards, one of them selected; their thumbnails are kept in the folder."""
    shown, there = shown_references(product), len(product.references)
    title = w("Each scored without itself, highest first")
    if len(shown) < there:
        title = w("Each scored without itself, highest first: {n} of {total}", n=len(shown), total=there)
    cards = [_card(product, reference, Path(folder), w) for reference in shown]
    return show_cards(title, cards, str(selected), large=True, w=w)


def remove_label(reference: Reference, w: Wording = ENGLISH_WORDS) -> str:
    """What removes a reference."""
    return w("Remove {name}", name=plain(reference.name, 40))


def show_limits(product: Product, target: float, w: Wording = ENGLISH_WORDS) -> tuple[str, str]:
    """The chart with the limits at a target, and what they would do, both as HTML; CalibrationError as `at`."""
    limits = product.calibration.at(target)
    scores = [(r.name, r.score) for r in product.references if r.score is not None]
    chart = draw_limits(scores, limits.review_threshold, limits.threshold, _axis(product.calibration), w)
    saved = target == product.calibration.target
    return chart, _describe(limits, [score for _, score in scores], w, saved=saved)


def target_choices(product: Product) -> list[tuple[str, float]]:
    """The targets to choose from, the product's own among them."""
    return [(percent(t), t) for t in sorted({*TARGETS, product.calibration.target})]


def undo_label(product: Product, w: Wording = ENGLISH_WORDS) -> str:
    """What a button says that takes the last change back; empty where there is none."""
    change = name_change(product, w)
    return w("Undo {change}", change=change) if change else ""


def name_change(product: Product, w: Wording = ENGLISH_WORDS) -> str:
    """What the last change was, "the masks"; empty where there is none."""
    changes = last_changes(product)
    if not changes:
        return ""
    change = changes[-1]
    if len(changes) > 1:
        n = len(changes)
        if change.what == "good":
            return w.count("the {n} good part", "the {n} good parts", n)
        return w.count("the {n} known defect", "the {n} known defects", n)
    name, label = plain(change.name, 40), plain(change.label, 40)
    return w(_TOLD[change.what], name=name, label=label, target=percent(product.calibration.target))


def defect_choices(product: Product) -> list[tuple[str, int]]:
    """The known defects by label and file, with their ids."""
    return [(f"{defect.label} · {defect.name}", defect.id) for defect in product.known.defects]


def drawable(product: Product) -> list[tuple[str, int]]:
    """The references that masks can be drawn on, with their ids."""
    return [(r.name, r.id) for r in product.references if r.id in product.pictures]


def show_masks(product: Product, reference: int | None) -> dict[str, Any]:
    """The product's masks on one of its references, for the painter; empty where it keeps no picture."""
    pixels = _drawn_on(product, reference)
    if pixels is None:
        return {}
    roi, ignore = (None if m is None else m.cpu().numpy() > 0.5 for m in (product.roi, product.ignore))
    return show_drawing(pixels, {LOOK: roi, IGNORE: ignore})


def read_masks(
    product: Product, reference: int | None, drawing: Mapping[str, Any] | None
) -> tuple[Mask | None, Mask | None]:
    """Where to look and what to ignore, as it was painted on a reference; ImageError for what is no mask of it."""
    pixels = _drawn_on(product, reference)
    size = None if pixels is None else (pixels.shape[1], pixels.shape[0])
    return read_drawing(drawing, LOOK, size), read_drawing(drawing, IGNORE, size)


def _drawn_on(product: Product, reference: int | None) -> NDArray[np.uint8] | None:
    there = [i for _, i in drawable(product)]
    return expand(product.pictures[reference if reference in there else there[0]]) if there else None


def _card(product: Product, reference: Reference, folder: Path, w: Wording) -> Card:
    picture = embed_file(_thumbnail(product, reference, folder))
    score, id = reference.score, str(reference.id)
    if score is None:
        return Card(id, picture, reference.name, note=w("no score"))
    # A reference is a good part: only a score that would be called otherwise is marked.
    verdict = product.calibration.verdict(score)
    return Card(id, picture, reference.name, "" if verdict == "good" else verdict, number(score))


def _thumbnail(product: Product, reference: Reference, folder: Path) -> Path:
    """The file of a thumbnail, made where it is not there: a product with many is shown again and again."""
    kept = product.pictures.get(reference.id)
    path = folder / "thumbnails" / f"{reference.digest if kept is not None else 'none'}.webp"
    if not path.is_file():
        from io import BytesIO

        picture = Image.fromarray(_nothing_kept() if kept is None else expand(kept))
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        picture.save(out := BytesIO(), "WEBP", quality=85)
        os.makedirs(path.parent, exist_ok=True)
        write_atomically(path, out.getvalue())
    return path


def _nothing_kept() -> NDArray[np.uint8]:
    picture = Image.new("RGB", (THUMBNAIL, THUMBNAIL), (128, 132, 138))
    middle = THUMBNAIL // 2
    ImageDraw.Draw(picture).text((middle, middle), "picture not kept", "white", anchor="mm", font_size=26)
    return np.asarray(picture)


def _axis(limits: Calibration) -> Axis:
    """An axis that stays where it is while the target moves."""
    ends = [limits.at(t) for t in (TARGETS[0], TARGETS[-1], limits.target)]
    return Axis.around([*limits.scores, *(v for e in ends for v in (e.threshold, e.review_threshold))])


def _describe(limits: Calibration, scores: Sequence[float], w: Wording, *, saved: bool) -> str:
    verdicts = [limits.verdict(score) for score in scores]
    above, review = verdicts.count("defect"), verdicts.count("review")
    judged = w.count(
        "Of the {n} score here, {above} would be a defect and {review} for review.",
        "Of the {n} scores here, {above} would be a defect and {review} for review.",
        len(scores),
        above=above,
        review=review,
    )
    if not scores:
        judged = w("The only reference has no score of its own.")
    if saved:  # where the kept limits come from stands above
        return judged
    would = w("The threshold would be {origin}.", origin=retell(w, limits.evidence.origin))
    return w.put_together([judged, html.escape(would), f"<b>{w('Not saved yet.')}</b>"])
