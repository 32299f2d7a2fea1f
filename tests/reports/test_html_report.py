"""The page as a reader and as an attacker see it: facts, order, escaping, and nothing that loads or runs."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from assistant.inspection import UNKNOWN, DefectType, Evidence, Inspection
from assistant.reports import Entry, report_inspection, report_lot, write_report
from assistant.reports.words import as_name, visible


class Page(HTMLParser):
    """The elements, the attributes and the visible words of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def line(self):
        return re.sub(r"\s+", " ", self.words)


@pytest.fixture
def render(tmp_path):
    def write(report):
        return Page(write_report(report, tmp_path / "page.html").read_text(encoding="utf-8"))

    return write


def test_the_summary_says_what_was_decided_and_by_what(render, make, broken):
    found = [make("a", 0.9), make("b", 0.8), make("c", 0.45), make("d", 0.1), broken]
    page = render(report_lot(found, "Lot 7", notes=["Light was dim."]))
    assert "Lot 7 5 pictures defect 2 review 1 good 1 not read 1 Light was dim." in page.line
    for fact in ("Productbottle", "Judgedfew-shot, 4 references", "Model bundlepocket", "Weights (hash)abc123"):
        assert fact in page.words
    assert (
        "Set from twenty good bottles. (5 % of good parts expected above it; 25 more from several days"
        in page.line
    )
    assert "threshold 0.5" in page.words and "How many pictures have which score" in page.words
    assert "broken.jpgThis file is empty." in page.words


def test_an_entry_tells_numbers_regions_and_words(render, make, region, turn):
    one = make(regions=(region(types=(DefectType("crack", 0.62),)),), notices=("Only the first frame.",))
    page = render(report_inspection(one, turns=[turn(notices=("A number was removed.",), source="pocket")]))
    for said in (
        "Score0.75",
        "Threshold0.5",
        "Review from0.4",
        "p-value0.02 by the curve",
        "Fewer than 1 in 21 good parts would score this high",
        "R1 top left, slight; resembles crack 62 %",
        "30 × 40 px at (10, 20); 3.1 % of the picture; peak 0.75",
        "The verdict is defect",
        "Only the first frame.",
        "Where is it?At the top left.A number was removed.Answered by: pocket",
    ):
        assert said in page.line, said


def test_a_p_value_that_counting_supports_has_no_remark(render, make):
    assert "curve" not in render(report_inspection(make(p_value=0.2))).words


def test_the_bar_puts_score_and_limit_on_one_scale_for_all(render, make):
    page = render(report_lot([make("a", 0.9), make("b", 0.1)]))
    dots = [float(dot["cx"]) for dot in page.named("circle")]
    limits = [line["x1"] for line in page.named("line") if line["class"] == "limit"][
        1:
    ]  # the first: the histogram
    assert 4 <= dots[1] < float(limits[0]) < dots[0] <= 172
    assert limits[0] == limits[1]


def test_an_unknown_type_is_not_something_to_resemble(render, make, region):
    unknown = DefectType(UNKNOWN, 0.8)
    assert "resembles" not in render(report_inspection(make(regions=(region(types=(unknown,)),)))).words
    known = (DefectType("loose thread", 0.7, "known"), unknown)
    assert "resembles loose thread 70" in render(report_inspection(make(regions=(region(types=known),)))).words


def test_whatever_comes_from_outside_is_text(render, make, region, turn, hostile):
    def page(word):
        one = make(
            word,
            product=word,
            bundle=word,
            weights=word,
            notices=(word,),
            regions=(region(id=word, types=(DefectType(word, 1.0),)),),
            evidence=Evidence(word, word, 1, 0.05, 0.5),
        )
        entry = Entry(one, turns=[turn(word, word, word, (word,))])
        unread = Inspection(path=word, status="error", error=word)
        rest = make("rest", 0.1, product=word)
        return render(report_lot([entry, rest, unread], word, lot=word, notes=[word], most_shown=1))

    evil, tame = page(hostile), page("x")
    shown, named = visible(hostile), as_name(hostile)
    assert evil.words.count(named) + (evil.words.count(shown) if shown != named else 0) >= 18
    assert [tag for tag, _ in evil.elements if tag != "wbr"] == [tag for tag, _ in tame.elements]
    assert [set(a) for _, a in evil.elements if a] == [set(a) for _, a in tame.elements if a]
    assert not {"\u202e", "\x1b", "\x00", "\u2028"} & set(evil.words)


def test_the_policy_forbids_scripts_and_admits_only_our_style(render, make, tmp_path, red):
    page = render(report_inspection(make(), red))
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not [tag for tag, attributes in page.elements if "style" in attributes]
    assert "prefers-color-scheme: dark" in style and "url(" not in style and "@import" not in style


def test_pictures_are_embedded_small_and_nothing_is_loaded(tmp_path, make, red):
    inside = tmp_path / "run" / "over lays"
    inside.mkdir(parents=True)
    red.save(tmp_path / "a.png")
    red.save(inside / "b#?.png")
    (tmp_path / "text.png").write_text("not a picture")
    pictures = (tmp_path / "a.png", str(inside / "b#?.png"), red, lambda: red.tobytes("jpeg", "RGB"))
    gone = (tmp_path / "missing.png", tmp_path / "text.png", b"GIF89a", lambda: None, None)
    entries = [Entry(make(str(n)), picture) for n, picture in enumerate((*pictures, *gone))]
    file = write_report(report_lot(entries), tmp_path / "run")
    assert file == tmp_path / "run" / "report.html"
    page = Page(file.read_text(encoding="utf-8"))
    images = page.named("img")
    assert len(images) == 4 and all(image["alt"] for image in images)
    assert [link["href"] for link in page.named("a")] == ["./over%20lays/b%23%3F.png"]
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "data", "poster", "background"):
            assert attributes.get(name, "./").startswith(("data:image/jpeg;base64,", "./"))
    assert max(len(image["src"]) for image in images) < 10_000


def test_metadata_of_a_picture_stays_out(tmp_path, make):
    comment = Image.new("RGB", (40, 40))
    exif = Image.Exif()
    exif[0x010E] = "SECRET PLACE"
    comment.save(tmp_path / "a.jpg", exif=exif, comment=b"SECRET PLACE")
    file = write_report(report_inspection(make(), tmp_path / "a.jpg"), tmp_path / "p.html")
    source = re.search(r'src="data:image/jpeg;base64,([^"]+)"', file.read_text())
    assert b"SECRET" not in base64.b64decode(source[1])


def test_a_large_lot_shows_the_worst_and_lists_the_others(render, make, red, tmp_path):
    page = render(report_lot((Entry(make(f"n{n}", n / 5000), red) for n in range(2000)), most_shown=5))
    assert len(page.named("img")) == 5 and len(page.named("article")) == 5
    assert all(f"n{n}" in page.words for n in range(0, 2000, 97))
    assert (tmp_path / "page.html").stat().st_size < 1_500_000


def test_a_lot_without_pictures_is_still_a_page(render, broken):
    assert "0 pictures" in render(report_lot([])).words
    assert "1 picture" in render(report_lot([broken])).words


def test_regions_stand_beside_good_parts(render, make, region, red):
    one = make(regions=(region(), region("R2")))
    drawn = []

    def draw():
        drawn.append(1)
        return {"R1": red, '"><script>': red, "R3": None}

    page = render(report_inspection(one, red, pairs=draw))
    words = [image["alt"] for image in page.named("img") if "good part" in image["alt"]]
    assert len(words) == 2 and words[0].startswith("Region R1, the same place") and not page.named("script")
    assert drawn == [1]
    lot = render(report_lot([Entry(one, red, pairs={"R1": red}), Entry(make("b", 0.6), red)]))
    assert sum("good part" in image["alt"] for image in lot.named("img")) == 1
