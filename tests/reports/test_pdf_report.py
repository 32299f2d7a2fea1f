"""The PDF as another reader reads it back: words, numbers, pages, pictures, and nothing that runs."""

import io
import logging

import pytest
from PIL import Image

from assistant.errors import LooktwiceError
from assistant.inspection import DefectType, Evidence
from assistant.reports import Entry, report_inspection, report_lot, write_report
from assistant.reports.words import as_name

pytest.importorskip("fpdf")
pypdf = pytest.importorskip("pypdf")


@pytest.fixture
def render(tmp_path, caplog):
    """The pages of a report, as texts, and the reader itself."""
    caplog.set_level(logging.ERROR)

    def write(report):
        reader = pypdf.PdfReader(write_report(report, tmp_path / "r.pdf"))
        return [page.extract_text() for page in reader.pages], reader

    return write


def joined(pages):
    return " ".join(" ".join(pages).split())


def test_it_says_what_was_decided_and_by_what(render, make, region, turn, red):
    one = make("folder/a.png", regions=(region(types=(DefectType("crack", 0.62),)),))
    pages, reader = render(
        report_inspection(one, red, [turn()], lot="L 7", original=Image.new("RGB", (1600, 1200), "blue"))
    )
    text = joined(pages)
    for said in (
        "defect folder/a.png",
        "Lot L 7",
        "Set from twenty good bottles. (5 % of good parts expected above it; 25 more from",
        "Weights (hash) abc123",
        "Score 0.75 Threshold 0.5 Review from 0.4 p-value 0.02 by the curve",
        "R1 top left, slight; resembles crack 62 %",
        "30 × 40 px at (10, 20)",
        "The verdict is defect",
        "Where is it? At the top left.",
        "Page 1 of ",
    ):
        assert said in text, said
    assert len(reader.pages[0].images) == 2 and len(pages) <= 2


def test_a_lot_has_a_summary_then_the_worst_then_a_table(render, make, red, broken):
    entries = [
        Entry(make(f"part{n:03}.png", n / 200), Image.new("RGB", (80, 60), (2 * n, 37 * n % 256, 0)))
        for n in range(120)
    ]
    pages, reader = render(report_lot([*entries, broken], "Lot 7", most_shown=4))
    text = joined(pages)
    assert text.startswith("Lot 7 defect 19 review 20 good 81 not read 1 of 121 pictures")
    places = [text.index(f"part{n:03}.png") for n in (119, 118, 117, 116, 115, 60, 0)]
    assert places == sorted(places)
    assert text.index("Other pictures") < places[4]
    assert sum(len(page.images) for page in reader.pages) == 4
    assert text.index("broken.jpg") > places[-1] and "This file is empty." in text
    assert all(f"Page {n} of {len(pages)}" in page for n, page in enumerate(pages, 1))
    assert "threshold 0.5" in text
    heads = [page for page in pages if "Picture Product Verdict" in " ".join(page.split())]
    assert len(heads) >= 2, "the head of the table is on each of its pages"


def test_whatever_comes_from_outside_is_text(render, make, region, turn, broken, hostile):
    evil = make(
        hostile,
        product=hostile,
        bundle=hostile,
        weights=hostile,
        notices=(hostile,),
        regions=(region(id=hostile, types=(DefectType(hostile, 1.0),)),),
        evidence=Evidence(hostile, hostile, 1, 0.05, 0.5),
    )
    unread = type(broken)(path=hostile, status="error", error=hostile)
    entry = Entry(evil, turns=[turn(hostile, hostile, hostile, (hostile,))])
    content = report_lot(
        [entry, make("rest", 0.1, product=hostile), unread], hostile, lot=hostile, notes=[hostile]
    )
    pages, reader = render(content)
    assert reader.metadata.title == as_name(hostile)
    kinds = {
        item.get("/S")
        for item in map(reader.get_object, range(1, len(reader.xref[0]) + 1))
        if hasattr(item, "get")
    }
    assert not kinds & {"/JavaScript", "/Launch", "/URI", "/GoToR", "/SubmitForm"}
    assert not any("/Annots" in page for page in reader.pages)
    assert not {"/AA", "/Names", "/AcroForm"} & set(reader.trailer["/Root"])
    assert reader.trailer["/Root"]["/OpenAction"][1] == "/FitH", "it opens in full width, and that is all"
    if hostile.isascii() and hostile.isprintable():
        squeezed = "".join("".join(pages).split())
        assert squeezed.count("".join(hostile.split())) >= 10


def test_letters_of_many_scripts_are_there_and_others_become_numbers(render, make):
    pages, _ = render(report_inspection(make("größe деталь Ωμέγα.png")))
    assert "größe деталь Ωμέγα.png" in joined(pages) and "Unicode numbers" not in joined(pages)
    pages, _ = render(report_inspection(make("零件😀.png")))
    assert "[U+96F6][U+4EF6][U+1F600].png" in joined(pages)
    assert "Letters that the fonts of this file do not have" in joined(pages)


def test_right_to_left_is_set_from_the_right(render, make):
    pages, _ = render(report_inspection(make("x", product="בדיקה")))
    assert "בדיקה" in joined(pages) or "הקידב" in joined(pages)
    assert "[U+" not in joined(pages)


def test_a_font_of_ones_own_that_cannot_be_used_is_one_sentence(make, tmp_path, monkeypatch):
    (tmp_path / "mine.ttf").write_text("not a font")
    monkeypatch.setenv("LOOKTWICE_FONTS", str(tmp_path / "mine.ttf"))
    with pytest.raises(LooktwiceError, match=r"The font 'mine\.ttf'"):
        write_report(report_inspection(make()), tmp_path / "a.pdf")


def test_a_font_of_ones_own_supplies_its_letters(make, tmp_path, monkeypatch, render):
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 700), (700, 700)):
        (pen.lineTo if pen.points else pen.moveTo)(point)
    pen.closePath()
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "part"])
    font.setupCharacterMap({0x96F6: "part"})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "part": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (800, 0), "part": (800, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Own", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "own.ttf")
    monkeypatch.setenv("LOOKTWICE_FONTS", str(tmp_path / "own.ttf"))
    pages, _ = render(report_inspection(make("零件.png")))
    assert "零[U+4EF6].png" in joined(pages)


def test_a_word_as_long_as_a_page_is_broken_and_kept(render, make, turn):
    pages, _ = render(report_inspection(make(), turns=[turn("Q", "abcdefghij" * 500)]))
    assert len(pages) > 1
    squeezed = "".join("".join(page.split()) for page in pages)
    assert squeezed.count("abcdefghij") > 480, "page numbers stand between a few of them"


def test_the_size_is_bounded(render, make, red, tmp_path):
    noise = io.BytesIO()
    red.effect_spread(200).save(noise, "PNG")
    render(report_lot((Entry(make(f"n{n}", n / 500), noise.getvalue()) for n in range(60)), most_shown=6))
    assert (tmp_path / "r.pdf").stat().st_size < 600_000


def test_empty_lots_and_unread_pictures_are_reports_too(render, broken):
    assert "of 0 pictures" in joined(render(report_lot([]))[0])
    assert "This file is empty." in joined(render(report_inspection(broken))[0])


def test_regions_stand_beside_good_parts(render, make, region, red):
    one = make(regions=(region(), region("R2")))

    def pictures(report):
        return sum(len(page.images) for page in render(report)[1].pages)

    alone = pictures(report_inspection(one, red))
    assert (
        pictures(report_inspection(one, red, pairs={"R1": red, "R2": Image.new("RGB", (600, 200))})) == alone + 2
    )
    assert pictures(report_lot([Entry(one, red, pairs={"R1": Image.new("RGB", (600, 200))})])) == 2
