"""The page as a reader and as an attacker see it: facts, order, escaping, and nothing that loads or runs."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assistant import report
from assistant.inspection import UNKNOWN, Answer, DefectType, Evidence, Inspection, Region
from assistant.report import write_html

EVIL = '<img src=x onerror="alert(1)">&\'$title.png'
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class Page(HTMLParser):
    """The elements, the attributes and the visible words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def inspection(path: str = "a.png", score: float = 0.75, **changes: Any) -> Inspection:
    verdict = "defect" if score > 0.5 else "review" if score > 0.4 else "good"
    fields: dict[str, Any] = {
        "mode": "few-shot",
        "p_value": 0.02,
        "threshold": 0.5,
        "review_threshold": 0.4,
        "verdict": verdict,
        "product": "bottle",
        "references": 4,
        "bundle": "pocket",
        "weights": "abc123",
        "evidence": Evidence("conformal", "Set from twenty good bottles.", 20, 0.05, 1 / 21),
    }
    return Inspection(path=path, score=score, **{**fields, **changes})


def render(tmp_path: Path, *inspections: Inspection, **options: Any) -> Page:
    file = write_html(inspections, tmp_path / "page.html", **options)
    return Page(file.read_text(encoding="utf-8"))


def sources(page: Page) -> Iterator[str]:
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "data", "poster", "background"):
            if name in attributes:
                yield attributes[name] or ""


def test_the_summary_says_what_was_decided_and_by_what(tmp_path: Path) -> None:
    broken = Inspection(path="x.jpg", status="error", error="This file is empty.")
    page = render(
        tmp_path,
        inspection("a", 0.9),
        inspection("b", 0.8),
        inspection("c", 0.45),
        inspection("d", 0.1),
        broken,
        notes=["Light was dim."],
        title="Lot 7",
    )
    words = re.sub(r"\s+", " ", page.words)
    assert "Lot 7 5 pictures defect 2 review 1 good 1 not read 1 Light was dim." in words
    for fact in ("Modefew-shot", "Productbottle", "References4", "Limit0.5", "Bundlepocket", "Weightsabc123"):
        assert fact in words
    assert (
        "Set from twenty good bottles. (method: conformal; good pictures behind it: 20; set to reject 5 %" in words
    )


def test_rows_run_from_the_highest_score_and_errors_stand_last(tmp_path: Path) -> None:
    broken = Inspection(path="e-broken", status="error", error="This file is empty.")
    page = render(
        tmp_path, broken, inspection("a-low", -0.2), inspection("b-high", 0.9), inspection("c-mid", 0.45)
    )
    places = [page.words.index(name) for name in ("b-high", "c-mid", "a-low", "e-broken")]
    assert places == sorted(places)
    assert page.words.index("This file is empty.") > places[-1]


def test_a_row_tells_numbers_regions_and_words(tmp_path: Path) -> None:
    region = Region("R1", (10, 20, 40, 60), 900, 0.031, 0.75, "top left", "slight", (DefectType("crack", 0.62),))
    answer = Answer("It has a crack.", ("R1",), "template", ("A number was removed.",))
    page = render(
        tmp_path, inspection(regions=(region,), notices=("Only the first frame.",)), answers={"a.png": answer}
    )
    words = re.sub(r"\s+", " ", page.words)
    assert "score 0.75, limit 0.5" in words and "p-value 0.02" in words
    assert "counting supports 0.0476 at best" in words
    assert "R1 top left, slightresembles crack 62 %" in words
    assert "30 × 40 px at (10, 20); 3.1 % of the picture; peak 0.75" in words
    for sentence in (
        "It has a crack.",
        "A number was removed.",
        "Written by: template",
        "Only the first frame.",
    ):
        assert sentence in words


def test_a_p_value_that_counting_supports_has_no_remark(tmp_path: Path) -> None:
    assert "fitted curve" not in render(tmp_path, inspection(p_value=0.2)).words


def test_the_bar_puts_score_and_limit_on_one_scale_for_all_rows(tmp_path: Path) -> None:
    page = render(tmp_path, inspection("a", 0.9), inspection("b", 0.1))
    dots = [float(dot["cx"] or 0) for dot in page.named("circle")]
    limits = [line["x1"] for line in page.named("line") if line["class"] == "limit"]
    assert 4 <= dots[1] < float(limits[0] or 0) < dots[0] <= 172
    assert limits[0] == limits[1]


def test_an_unknown_type_is_not_something_to_resemble(tmp_path: Path) -> None:
    unknown = DefectType(UNKNOWN, 0.8)
    for types in [(unknown,), (DefectType("loose thread", 0.7, "known"), unknown)]:
        region = Region("R1", (0, 0, 1, 1), 1, 1.0, 1.0, "center", "slight", types)
        render(tmp_path, inspection("a.png", regions=(region,)))
        text = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert UNKNOWN not in text
        assert ("resembles loose thread 70" in text) is (len(types) == 2)


def test_whatever_comes_from_outside_is_text(tmp_path: Path) -> None:
    region = Region("<b>R1</b>", (0, 0, 1, 1), 1, 1.0, 1.0, "center", "slight", (DefectType("<u>x</u>", 1.0),))
    evil = inspection(
        EVIL,
        product=EVIL,
        bundle=EVIL,
        weights=EVIL,
        notices=(EVIL,),
        regions=(region,),
        evidence=Evidence(EVIL, EVIL, 1, 0.05, 0.5),
    )
    broken = Inspection(path="z" + EVIL, status="error", error=EVIL)
    options = {"title": EVIL, "notes": [EVIL], "answers": {EVIL: Answer(EVIL, source=EVIL, notices=(EVIL,))}}
    page = render(tmp_path, evil, broken, **options)
    assert page.words.count(EVIL) == 15
    assert "<b>R1</b>" in page.words and "<u>x</u>" in page.words
    assert {tag for tag, _ in page.elements}.isdisjoint({"img", "script", "b", "u", "iframe", "object", "form"})
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_plain_strings_will_do_as_answers(tmp_path: Path) -> None:
    page = render(tmp_path, inspection(), answers={"a.png": "<i>Fine</i>"})
    assert "<i>Fine</i>" in page.words and not page.named("i")


def test_control_and_direction_characters_are_made_visible(tmp_path: Path) -> None:
    page = render(tmp_path, inspection("a\x00\x1b\u202egnp\u2066.exe\udcff"))
    assert "a\ufffd\ufffd\ufffdgnp\ufffd.exe\ufffd" in page.words


def test_the_policy_forbids_scripts_and_admits_only_our_style(tmp_path: Path) -> None:
    page = render(tmp_path, inspection(), pictures={"a.png": PIXEL})
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not [tag for tag, attributes in page.elements if "style" in attributes]
    assert "prefers-color-scheme: dark" in style and "url(" not in style and "@import" not in style


def test_pictures_are_embedded_and_nothing_is_loaded(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    inside = tmp_path / "run" / "over lays"
    outside.mkdir()
    inside.mkdir(parents=True)
    Image.new("RGB", (1200, 900), "red").save(outside / "a.png")
    Image.new("RGB", (1200, 900), "red").save(inside / "b#?.png")
    pictures = {
        "a": outside / "a.png",
        "b": str(inside / "b#?.png"),
        "c": PIXEL,
        "d": Image.new("L", (900, 9)),
        "e": outside / "missing.png",
    }
    file = write_html([inspection(name) for name in "abcdef"], tmp_path / "run", pictures=pictures)
    assert file == tmp_path / "run" / "report.html"
    page = Page(file.read_text(encoding="utf-8"))
    embedded = [image["src"] or "" for image in page.named("img")]
    assert len(embedded) == 4 and all(source.startswith("data:image/") for source in embedded)
    assert all(image["alt"] for image in page.named("img"))
    assert [link["href"] for link in page.named("a")] == ["./over%20lays/b%23%3F.png"]
    assert all(source.startswith(("data:image/", "./")) for source in sources(page))
    assert max(len(source) for source in embedded) < 10_000


@pytest.mark.parametrize(
    "uri",
    ["data:text/html;base64,AAAA", "data:image/svg+xml;base64,AAAA", 'data:image/png;base64,AA" onload="x'],
)
def test_only_pictures_pass_as_data_uris(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ValueError, match="data URI"):
        write_html([inspection()], tmp_path, pictures={"a.png": uri})


def test_a_huge_run_embeds_only_the_highest_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_PICTURES", 2)
    rows = [inspection(name, score) for name, score in (("a", 0.1), ("b", 0.9), ("c", 0.8))]
    page = render(tmp_path, *rows, pictures=dict.fromkeys("abc", PIXEL))
    assert len(page.named("img")) == 2
    assert "2 highest scores only" in page.words


def test_an_old_page_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_html([inspection("old")], tmp_path)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_html([inspection("new")], tmp_path)
    assert "old" in file.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [file]


def test_a_run_without_pictures_is_still_a_page(tmp_path: Path) -> None:
    assert "0 pictures" in render(tmp_path).words
    only_errors = render(tmp_path, Inspection(path="x", status="error", error="This file is empty."))
    assert "1 picture" in only_errors.words and "Limit0" not in only_errors.words
