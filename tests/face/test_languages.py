"""The page in each language: nothing English is left on it, and what it shows keeps numbers, names and ids."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
from stub_inspector import StubInspector

from assistant.detection.production_limits import calibrate_production
from assistant.errors import LooktwiceError, unknown_name
from assistant.face import words
from assistant.face.frontend import load_frontend
from assistant.face.languages import path_of, script
from assistant.face.session import Session, inspect_pictures
from assistant.face.shared import Resources
from assistant.face.teach_steps import FIND_OUT, ProductEditor
from assistant.face.verdicts import OUTCOMES, outcome_word
from assistant.images.caps import DEFAULT_CAPS
from assistant.images.load import load_image
from assistant.inspection import Evidence, Inspection, Region
from assistant.language.catalogue import ENGLISH, LANGUAGES, Wording, read_messages
from assistant.language.question_tables import read_language
from assistant.language.retelling import retell
from assistant.language.rules import plan_answer
from assistant.records.history import History

app = load_frontend()
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
REGION = Region("R1", (1, 2, 9, 8), 48, 0.0234, 0.75, "top left", "moderate")
SHOWN = Inspection(
    path="good.png",
    score=0.75,
    p_value=0.01,
    threshold=0.5,
    review_threshold=0.4,
    verdict="defect",
    width=64,
    height=32,
    regions=(REGION,),
    product="review",
    references=4,
    mode="few-shot",
    evidence=Evidence(
        "predictive",
        "estimated for 5 % false alarms from 4 good pictures and what other products show; counting alone "
        "promises 44 % at most with 90 % confidence, and it takes 45 from several days to promise 5 %",
        4,
        0.05,
        0.2,
        0.05,
        0.438,
    ),
    notices=("read as 12-bit because its largest value is 4011",),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of all languages, with a history."""
    history = History(tmp_path_factory.mktemp("kept") / "history.sqlite")
    yield app.build(StubInspector(), history, ["/data/line"], others=[*LANGUAGES])
    history.close()


def texts(page, language):
    """Every text that the widgets of a language's page begin with."""
    config = page.get_config_file()
    wanted = set(config["page"][path_of(language)]["components"])

    def walk(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            if value.get("choices"):  # their values, and the one that is chosen, are for handlers
                value = value | {"choices": [label for label, _ in value["choices"]], "value": None}
            for name, one in value.items():
                if name not in ("css_template", "js_on_load", "elem_id", "elem_classes", "name", "id", "type"):
                    yield from walk(one)
        elif isinstance(value, list | tuple):
            for one in value:
                yield from walk(one)

    return [text for part in config["components"] if part["id"] in wanted for text in walk(part["props"])]


def sentences(language):
    """The English messages of at least three words that a language says in others."""
    said = read_messages(language)
    return {one for (one, many), forms in said.items() if len(one.split()) > 2 and one not in forms and not many}


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_sentence_is_left_on_a_page(page, language):
    shown = "\n".join(texts(page, language))
    left = [one for one in sentences(language) if "{" not in one and one in shown]
    assert left == []
    assert Wording(language)("Pictures to inspect") in shown and Wording(language)("What if") in shown


def test_every_label_of_the_english_page_is_a_message_and_stays_as_it_is(page):
    shown = "\n".join(texts(page, ENGLISH))
    assert "Pictures to inspect" in shown and "Good references instead" in shown and "Keep this target" in shown


def test_one_page_alone_has_endpoints_for_programs(page):
    public = [event.api_name for event in page.fns.values() if event.api_visibility == "public"]
    assert sorted(public) == ["ask", "inspect"]


def test_all_pages_do_their_batches_in_one_thread(tmp_path):
    shared = Resources(StubInspector(), str(tmp_path), History(tmp_path / "history.sqlite"))
    assert {id(shared.in_language(language, main=False).worker) for language in LANGUAGES} == {id(shared.worker)}


@pytest.mark.parametrize("language", OTHERS)
def test_a_result_is_shown_in_the_language_with_its_numbers_names_and_ids(language):
    w = Wording(language)
    english, shown = words.show_verdict(SHOWN), words.show_verdict(SHOWN, w)
    number = r"\d+(?:\.\d+)?"
    assert set(re.findall(number, re.sub("<[^>]*>", "", english))) <= set(re.findall(number, shown))
    assert "<b>good.png</b>" in shown  # a name is no word, even where it is one
    assert outcome_word(w, "defect").upper() in shown and "review" in re.sub("<[^>]*>", "", shown)
    for left in ("threshold", "false alarms", "counting", "largest value", "compared with", "Note"):
        assert left not in shown, left
    assert [row[0] for row in words.show_regions(SHOWN, w)] == ["R1"]
    assert words.show_regions(SHOWN, w)[0][1] != "top left"


@pytest.mark.parametrize("language", OTHERS)
def test_questions_to_click_are_understood_as_the_english_ones(language):
    w = Wording(language)
    for verdict, questions in words.QUESTIONS.items():
        unrated = dict.fromkeys(("p_value", "threshold", "review_threshold"), float("nan"))
        inspection = replace(SHOWN, verdict=verdict, **(unrated if verdict == "unrated" else {}))
        for question in [*questions, "What is {region}?"]:
            asked, english = w(question, region="R1"), question.format(region="R1")
            assert read_language(asked) == language, asked
            planned, plain = plan_answer([inspection], asked, ()), plan_answer([inspection], english, ())
            assert [fact.key for fact in planned.facts] == [fact.key for fact in plain.facts], asked


def test_outcomes_have_a_word_in_each_language():
    for language in OTHERS:
        assert len({outcome_word(Wording(language), one) for one in OUTCOMES}) == len(OUTCOMES)


def test_errors_and_notices_are_told_in_the_language_by_the_templates_that_made_them():
    w = Wording("de")
    assert retell(w, "At most 50 pictures can be inspected here at once.").startswith("Höchstens 50 Bilder")
    known = "it is one of the references itself, it is dark.png, so its score says little"
    assert "it is dark.png" in retell(w, known) and retell(w, known) != known
    assert words.sentence(LooktwiceError("Inspect a picture first"), w) == "Prüfen Sie zuerst ein Bild."
    assert retell(Wording("zh"), "Inspect a picture first.").endswith("。")


def test_what_no_template_made_stays_english_and_whole():
    for said in ("Somebody wrote this by hand: 3 of 4.", "", "x"):
        assert retell(Wording("es"), said) == said


def test_every_notice_and_origin_that_is_made_is_known_in_every_language():
    for language in OTHERS:
        assert retell(Wording(language), SHOWN.evidence.origin) != SHOWN.evidence.origin
        assert "false alarms" not in retell(Wording(language), SHOWN.evidence.origin)


def test_the_first_page_gives_way_to_the_browser_unless_a_language_is_asked_for():
    assert '"en": ""' in script() and "follow = true" in script()
    asked = app.launch_arguments(7860, "127.0.0.1", language="de")["head"]
    assert '"de": ""' in asked and '"en": "en"' in asked and "follow = false" in asked
    assert json.loads(re.search(r"pages = (\{.*?\})", asked)[1]).keys() == LANGUAGES.keys()


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(LooktwiceError, match="en, de, es, zh"):
        app.launch_arguments(7860, "127.0.0.1", language="Klingon")


@pytest.fixture
def german(shared):
    """A German page with a product "cloth", and what it says of a step that goes wrong."""
    page = shared.in_language("de", main=False)

    def say(step, *arguments, **more):
        with pytest.raises(LooktwiceError) as error:
            step(*arguments, **more)
        return page.say(error.value)

    page.refuse = say
    return page


def test_a_picture_that_cannot_be_read_is_said_so_in_german(german, tmp_path):
    upload = tmp_path / "uploads" / "cut off.png"
    upload.write_bytes(b"\x89PNG\r\n\x1a\n")
    told = "cut off.png ist beschädigt oder abgeschnitten und kann nicht gelesen werden."
    assert german.refuse(inspect_pictures, german, [str(upload)], [], "cloth", Session()) == told
    editor = ProductEditor(german.inspector, german.products)
    learned = german.refuse(editor.learn, "new", [str(upload)], FIND_OUT, lambda share, said: None)
    assert learned == f"Eine Referenz von 'new' kann nicht verwendet werden: {told}"


def test_pictures_and_masks_of_a_wrong_size_are_said_so_in_german(german, good):
    large = german.refuse(load_image, good(1), name="a.png", caps=replace(DEFAULT_CAPS, max_side=40))
    assert large == f"a.png misst {good(1).shape[1]} x {good(1).shape[0]} Pixel, über der Grenze von 40 je Seite."
    mask, product = np.ones((40, 200), bool), german.products.get("cloth")
    told = german.refuse(german.inspector.teacher.teach, product, good(9), "defect", "ink", mask)
    assert told.startswith("Die Maske eines Defekts misst 200 x 40, eine andere Form als das Bild von ")


def test_products_that_are_there_or_not_are_said_so_in_german(german, tmp_path, good):
    editor = ProductEditor(german.inspector, german.products)
    upload = str(tmp_path / "uploads" / "good.png")
    Image.fromarray(good(3)).save(upload)
    taken = german.refuse(editor.learn, "cloth", [upload], FIND_OUT, lambda share, said: None)
    assert taken == "Es gibt schon ein Produkt 'cloth', mit 4 Referenzen."
    assert german.refuse(german.products.get, "clothe") == "Produkt 'clothe' gibt es nicht. Meinten Sie „cloth“?"
    bad = german.refuse(editor.learn, "a/b", [upload], FIND_OUT, lambda share, said: None)
    assert bad.startswith("'a/b' kann kein Produktname sein: Nehmen Sie bis zu 80 Buchstaben")


def test_too_few_parts_are_said_so_in_german(german):
    editor = ProductEditor(german.inspector, german.products)
    told = german.refuse(editor.learn, "new", [], FIND_OUT, lambda share, said: None)
    assert told == "Wählen Sie mindestens ein Bild eines guten Teils."
    few = german.refuse(german.inspector.learn, "new", [])
    assert few == "Um 'new' zu lernen, braucht es mindestens ein gutes Bild."
    unlabelled = german.refuse(calibrate_production, [0.1, 0.2])
    assert re.fullmatch(
        r"Grenzen aus unsortierten Teilen brauchen mindestens \d+ davon, und hier sind 2\.", unlabelled
    )


def test_a_question_ends_as_one():
    asked = words.sentence(LooktwiceError(unknown_name("product", "clothe", ["cloth"])))
    assert asked == "There is no product 'clothe'. Did you mean 'cloth'?"
