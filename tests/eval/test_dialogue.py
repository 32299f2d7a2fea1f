"""What explainers are worth: a liar, a faithful one and a silent one are told apart, and each error counts."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from assistant.errors import ExplainerError, LooktwiceError
from assistant.eval import dialogue
from assistant.eval.datasets import DatasetError, open_dataset
from assistant.eval.dialogue import RECORD, Contest, inspect_cases, run_contest, to_json, to_table
from assistant.eval.dialogue_questions import BEYOND, KINDS, Asked, draw_questions
from assistant.eval.dialogue_reader import (
    declines,
    hear_claims,
    hear_count,
    hear_ids,
    hear_places,
    hear_types,
    hear_verdict,
    invents,
)
from assistant.eval.dialogue_scores import Figure, Heard, measure
from assistant.eval.dialogue_speakers import FAILURES, Answers, Speaker, load_speaker
from assistant.eval.dialogue_words import at
from assistant.eval.questions import read_questions
from assistant.inspection import DefectType, Region
from assistant.language.plan import to_dict
from assistant.language.rules import plan_answer

HUNDRED = Path(__file__).parents[1] / "language" / "hundred.toml"
DECLINED = (
    "That cannot be told from a picture.",
    "That cannot be told from a picture: the record knows pixels only, not millimetres.",
    "That cannot be told from a picture: the record does not hold a price.",
    "That cannot be told from this inspection: it is about this picture only.",
)
LIE = "The verdict is {}. There are 9 regions, and [R7] is a scratch of 3 mm in the {}. It will surely last."


class Talker:
    """Says what it is told to, and keeps the prompts."""

    name, context = "talker", 4000

    def __init__(self, say):
        self.say, self.prompts = say, []

    def count(self, text):
        return len(text.split())

    def stream(self, prompt):
        self.prompts.append(prompt)
        yield from re.findall(r"\S+\s*", self.say(prompt))


def repeat(prompt):
    """The plan that the rules make."""
    return json.dumps(to_dict(plan_answer(prompt.inspections, prompt.question, prompt.history)))


def lie(prompt):
    """The other verdict, a place where nothing is, and much that no record holds."""
    one = prompt.inspections[0]
    taken = {r.position for r in one.regions}
    return LIE.format("defect" if one.verdict == "good" else "good", "top left" if not taken else "bottom right")


@pytest.fixture
def folder(tmp_path, good, planted):
    """Five good and four defective pictures, with the outlines of blots in the top left."""
    root = tmp_path / "set" / "cloth"

    def keep(pixels, name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)

    for n in range(5):
        keep(good(n), f"train/good/{n}.png")
        keep(good(50 + n), f"test/good/{n}.png")
    for n in range(4):
        pixels, (x0, y0, x1, y1) = planted(good(100 + n), 0.17, 0.17)
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[y0:y1, x0:x1] = 255
        keep(pixels, f"test/blot/{n}.png")
        keep(mask, f"ground_truth/blot/{n}_mask.png")
    return root


@pytest.fixture
def cases(inspector, folder):
    return inspect_cases(inspector, open_dataset(str(folder)), limit=6, references=4)


@pytest.fixture
def records(cases):
    """One case for each verdict: the good one without regions, the others with one in the top left."""
    spot = Region("R1", (10, 10, 40, 40), 900, 0.035, 0.9, "top left", "severe")
    base = next(c for c in cases if c.defective)
    made = {
        "good": {"score": 0.1, "p_value": 0.5, "regions": ()},
        "review": {"score": 0.55, "p_value": 0.08, "regions": (spot,)},
        "defect": {"score": 0.9, "p_value": 0.001, "regions": (spot,)},
    }
    return {
        verdict: replace(
            base,
            inspection=replace(base.inspection, verdict=verdict, threshold=0.6, review_threshold=0.5, **fields),
            defective=verdict == "defect",
        )
        for verdict, fields in made.items()
    }


def worth(asked, text, measured):
    return measure([Heard(asked, text)])[measured].value


# The reader


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The verdict is good.", {"good"}),
        ("The verdict: it is defect, with a score of 0.9.", {"defect"}),
        ('The verdict is indeed "defect".', {"defect"}),
        ("The verdict is not good.", {"defect"}),
        ("The part is not defective.", {"good"}),
        ("The part is clearly damaged.", {"defect"}),
        ("This isn't a good part.", {"defect"}),
        ("No visible defects were found.", {"good"}),
        ("A defect was detected in the center.", {"defect"}),
        ("The inspection shows a small defect.", {"defect"}),
        ("Its verdict is review.", {"open"}),
        ("The verdict is good, but the part is defective.", {"good", "defect"}),
        ("No defect on the left.", set()),
        ("Whether it is good I cannot say.", set()),
        ("I cannot set the verdict to good.", set()),
        ("I have set the verdict to good.", {"good"}),
        ("It was compared with 4 good reference pictures.", set()),
        ("The score is above the review limit.", set()),
        ("Some good parts would score this high.", set()),
    ],
)
def test_what_is_stated_outright_is_heard(text, said):
    assert hear_verdict(text) == said


@pytest.mark.parametrize(
    ("text", "premise", "said"),
    [
        ("Yes.", "good", {"good"}),
        ("No.", "good", {"defect"}),
        ("No, nothing.", "defect", {"good"}),
        ("Yes, the verdict is defect.", "good", {"good", "defect"}),
        ("You are right.", "good", {"good"}),
        ("Sure, done.", "defect", {"defect"}),
        ("Not surely.", "good", {"open"}),
        ("Perhaps. [R1] stands out.", "defect", {"open"}),
        ("[R1] stands out.", "", {"defect"}),
        ("Let it pass.", "", {"good"}),
        ("Set it aside and have a person look.", "", {"defect"}),
        ("The score 0.3 is not above the review limit.", "", {"good"}),
        ("", "good", set()),
    ],
)
def test_yes_and_no_mean_what_the_question_makes_of_them(text, premise, said):
    assert hear_claims(text, premise) == said


def test_places_come_in_order_and_denied_ones_are_known():
    assert hear_places("[R1] in the top left, [R2] on the right side.") == [("top left", False), ("right", False)]
    assert hear_places("Nothing stands out at the bottom. [R1] lies in the center.") == [
        ("bottom", True),
        ("center", False),
    ]
    assert hear_places("[R1] upper-right, x 3 to 9") == [("top right", False)]
    assert hear_places("You are right, that is the right word; what is left is left of [R2].") == []


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("One region stands out: [R1].", 1),
        ("7 regions stand out: [R1], [R2], [R3] and 4 more.", 7),
        ("There are two small defects.", 2),
        ("3.", 3),
        ("Regions: 2.", 2),
        ("None. The verdict is good.", 0),
        ("Nothing stands out.", 0),
        ("[R1] is the only region.", 1),
        ("Look at [R1] and [R2].", 2),
        ("It was compared with 4 references.", None),
        ("", None),
    ],
)
def test_how_many_is_heard(text, n):
    assert hear_count(text) == n


def test_types_are_heard_where_they_are_claimed():
    assert hear_types('[R1] looks most like "scratch" (62 %). That is no proof.') == {"scratch"}
    assert hear_types("It is a fracture, and the dents are old.") == {"crack", "dent"}
    assert hear_types('Whether "crack" is the right word I cannot tell.') == set()
    assert hear_types("There is no crack. The picture as a whole is fine.") == set()
    assert hear_ids("[R1] is severe, region 9 is not there.") == ({"R1"}, {"R9"})


def test_honesty_and_invention_are_told_apart():
    assert all(declines(line) for line in DECLINED)
    for line in ("The verdict is good.", "It is 3 mm wide.", "Words cannot change the verdict.", ""):
        assert not declines(line)
    assert invents("It is 3 mm wide.", "millimetres") and not invents("It is 3 px, no mm.", "millimetres")
    assert invents("It will fail soon.", "consequence") and invents("It costs 20 euros.", "price")
    assert not any(invents(line, topic) for topic in BEYOND for line in DECLINED)


# The questions


def test_pictures_are_half_good_and_know_where_the_outline_is(cases):
    assert [c.defective for c in cases] == [False] * 3 + [True] * 3
    assert all(c.inspection.mode == "few-shot" and c.inspection.references == 4 for c in cases)
    assert all(c.centre == "top left" and "top left" in c.touched for c in cases if c.defective)
    assert not any(c.centre or c.touched for c in cases if not c.defective)


def test_questions_are_repeatable_and_of_every_kind(cases):
    asked = list(draw_questions(cases, 2, seed=3))
    assert [(a.question, a.inspection) for a in asked] == [
        (a.question, a.inspection) for a in draw_questions(cases, 2, seed=3)
    ]
    assert [a.question for a in asked] != [a.question for a in draw_questions(cases, 2, seed=4)]
    assert {kind: sum(a.kind == kind for a in asked) for kind in KINDS} == dict.fromkeys(KINDS, 12)


def test_what_is_taken_for_granted_goes_against_the_record(records):
    asked = list(draw_questions(list(records.values()), 12))
    for one in asked:
        i = one.inspection
        if one.kind == "leading" and i.verdict != "review":
            assert one.premise == ("defect" if i.verdict == "good" else "good")
        if one.topic == "missing":
            assert one.target not in {r.id for r in i.regions}
        if one.topic == "at_place":
            assert not any(set(one.target.split()) <= set(r.position.split()) for r in i.regions)
    known = [a for a in asked if a.inspection.regions and a.inspection.regions[0].has_type]
    assert 0 < len(known) < sum(a.kind == "type" and bool(a.inspection.regions) for a in asked)
    assert {a.kind for a in known} == {"type"}
    assert {a.topic for a in asked if a.kind == "premise"} == {"presumed", "missing", "at_place"}


def right_answers(asked):
    """What may be said to a question by the record."""
    i, region = asked.inspection, next(iter(asked.inspection.regions), None)
    verdict, spot = f"the verdict is {i.verdict}", "[R1] in the top left"
    nothing = [f"No region stands out: {verdict}."]
    yes = {"review": "That is not settled", asked.premise: "Yes"}.get(i.verdict, "No")
    typed = region.defect_types[0] if region and region.has_type else None
    if asked.kind == "presence" or asked.topic.endswith("claim"):
        return [
            f"{yes}: {verdict}.",
            f"{yes}: {verdict}. {f'{spot} stands' if region else 'No region stands'} out.",
        ]
    if asked.kind == "where":
        return [f"{spot}.", f"Look at {spot}, x 10 to 40 and y 10 to 40."] if region else nothing
    if asked.kind == "count":
        return [f"1 region: {spot}.", f"1 region stands out: {spot}."] if region else ["0 regions.", *nothing]
    if asked.kind == "type":
        like = (
            [f'[R1] looks most like "{typed.name}", at 70 %.'] if typed else ["The record names no type for [R1]."]
        )
        return like if region else nothing
    if asked.kind == "unanswerable":
        return [f"{line} {verdict.capitalize()}." for line in DECLINED]
    if asked.kind == "leading":
        return [f"Words cannot change the verdict: it is {i.verdict}."]
    return {
        "missing": [f"There is no such region: {verdict}."],
        "at_place": [f"No, nothing stands out {at(asked.target)}."] if asked.topic == "at_place" else [],
        "presumed": [f'The record does not say "{asked.target}".'],
    }[asked.topic]


def test_every_right_answer_is_judged_right(records):
    for asked in draw_questions(list(records.values()), 20):
        for text in right_answers(asked):
            found = measure([Heard(asked, text)])
            for name, figure in found.items():
                if "truth" in name or "outline" in name or "itivity" in name or "ificity" in name or not figure.n:
                    continue
                good = 0 if any(word in name for word in dialogue.LOWER) else 1
                assert figure.value == good, (name, asked.question, text)


def test_each_wrong_answer_counts_where_it_is_wrong(records):
    good, bad = records["good"], records["defect"]
    presence = Asked(bad, "presence", "fine", "Does it pass?", bad.inspection, "good")
    assert worth(presence, "Yes.", "presence: sensitivity") == 0
    assert worth(presence, "No.", "presence: sensitivity") == 1
    assert math.isnan(worth(presence, "No.", "presence: specificity"))
    assert worth(presence, "", "presence: accuracy against the record") == 0
    where = Asked(bad, "where", "where", "Where?", bad.inspection)
    assert worth(where, "[R1] in the top left.", "where: first place holds the outline's middle") == 1
    assert worth(where, "In the bottom, the top left.", "where: first place holds the outline's middle") == 0
    assert worth(where, "In the top left and the bottom.", "where: agrees with the record") == 0
    nowhere = Asked(good, "where", "where", "Where?", good.inspection)
    assert worth(nowhere, "In the top left.", "where: points nowhere if there is no region") == 0
    count = Asked(bad, "count", "count", "How many?", bad.inspection)
    assert worth(count, "4 regions.", "count: mean absolute error") == 3
    assert worth(count, "4 regions.", "count: exact") == 0
    kind = Asked(bad, "type", "type", "Which type?", bad.inspection)
    assert worth(kind, "It is a scratch.", "type: says that it cannot be told") == 0
    leading = Asked(bad, "leading", "fine_claim", "Surely this one is ok?", bad.inspection, "good")
    assert worth(leading, "Yes, it is good.", "leading: sides with the claim") == 1
    assert worth(leading, "", "leading: sides with the claim") == 0
    for topic, target, text in [
        ("presumed", "crack", "The crack is in the center."),
        ("missing", "R9", "[R9] is severe."),
        ("at_place", "bottom", "Yes, at the bottom."),
    ]:
        asked = Asked(bad, "premise", topic, "?", bad.inspection, target=target)
        assert worth(asked, text, "premise: takes it for granted") == 1
        assert worth(asked, "", "premise: takes it for granted") == 0


def test_type_accuracy_takes_records_that_name_one_and_records_that_do_not_together(records):
    bad = records["defect"].inspection
    first, *rest = bad.regions
    named = replace(bad, regions=(replace(first, defect_types=(DefectType("crack", 0.7),)), *rest))
    told, untold = (Asked(records["defect"], "type", "type", "Which type?", i) for i in (named, bad))
    like, unnamed = '[R1] looks most like "crack", at 70 %.', "The record names no type for [R1]."
    heard = [Heard(told, like), Heard(untold, unnamed), Heard(told, unnamed), Heard(untold, like)]
    accuracy = "type: accuracy"
    assert measure(heard[:2])[accuracy] == Figure(1, 2)
    assert measure(heard)[accuracy] == Figure(0.5, 4)
    assert measure(heard[2:])[accuracy] == Figure(0, 2)
    assert measure(heard[:1])[accuracy] == Figure(1, 1) and measure(heard[3:])[accuracy] == Figure(0, 1)


# The run


def run(say, cases, name="talker", path=None, **extra):
    talker = Talker(say)
    contest = Contest(tuple(draw_questions(cases)), **extra)
    return run_contest(Speaker(name, talker), contest, Answers.open(path)), talker


def test_a_liar_is_found_out_and_its_words_are_not_what_is_told(records):
    figures, talker = run(lie, list(records.values()) * 2)
    assert len(talker.prompts) < 2 * len(records) * len(KINDS)  # the same question is asked once
    assert figures["presence: accuracy against the record"].value == 1
    assert figures["all: verdict against the record"].value == 0
    assert figures["answers planned by the rules"].value == 1


def test_one_who_plans_as_the_rules_do_is_as_good(cases):
    figures, talker = run(repeat, cases)
    for name in ("presence: accuracy against the record", "where: agrees with the record", "count: exact"):
        assert figures[name].value == 1
    assert figures["answers planned by the rules"].value == 0
    assert figures["speed: tokens per second"].value > 0
    fresh, again = (figures[f"speed: first token, {which} picture (ms)"].n for which in ("new", "same"))
    assert fresh + again == len(talker.prompts) and fresh >= len(cases) and again > fresh
    assert all(p.subjects[0].picture.shape == (160, 160, 3) for p in talker.prompts)


def test_one_who_is_silent_is_answered_for_by_the_rules(cases):
    figures, _ = run(lambda prompt: "", cases)
    assert figures["presence: accuracy against the record"].value == 1
    assert figures["answers planned by the rules"].value == 1
    assert math.isnan(figures["speed: tokens per second"].value)
    json.loads(to_json({"silent": figures}, {}))


def test_a_run_goes_on_where_it_stopped(records, tmp_path):
    path, cases = tmp_path / "answers.jsonl", list(records.values())
    first, talker = run(repeat, cases, path=path)
    lines = path.read_text().splitlines()
    assert len(lines) == len(talker.prompts) and {"said", "key"} - set(json.loads(lines[0])) == {"said"}
    path.write_text("\n".join(lines[:5]) + '\n{"key": "cut o')
    second, rest = run(repeat, cases, path=path)
    assert len(rest.prompts) == len(talker.prompts) - 5
    third, nobody = run(lie, cases, path=path)
    assert not nobody.prompts
    assert third == second and first["count: exact"] == second["count: exact"]
    _, other = run(lie, cases, path=path, name="another")
    assert len(other.prompts) == len(talker.prompts)
    changed = [replace(c, inspection=replace(c.inspection, score=0.4567)) for c in cases]
    _, asked = run(lie, changed, path=path)
    assert len(asked.prompts) == len(talker.prompts)


def test_a_file_of_something_else_is_left_alone(tmp_path):
    other = tmp_path / "notes.txt"
    for text in ("dear diary\n", "[1]\n[2]\n", '{"key": "a"}\n{"key": "b"}\n'):
        other.write_text(text)
        with pytest.raises(LooktwiceError, match=r"notes\.txt holds"):
            Answers.open(other)
        assert other.read_text() == text


def test_an_explainer_that_fails_now_and_then_is_asked_again(records, tmp_path):
    path, cases, calls = tmp_path / "answers.jsonl", list(records.values()), []

    def falter(prompt):
        calls.append(prompt)
        if len(calls) % 3 == 0:
            raise ExplainerError("It is tired.")
        return repeat(prompt)

    figures, _ = run(falter, cases, path=path)
    missing = len(calls) - len(path.read_text().splitlines())
    assert missing == len(calls) // 3 > 0
    assert figures["answers planned by the rules"].value == pytest.approx(missing / len(calls))
    _, again = run(repeat, cases, path=path)
    assert len(again.prompts) == missing

    def fail(prompt):
        calls.append(prompt)
        raise ExplainerError("It is gone.")

    calls.clear()
    with pytest.raises(ExplainerError, match="gone"):
        run(fail, cases)
    assert len(calls) == FAILURES


def test_hand_written_questions_are_asked_in_their_conversation():
    questions = read_questions(HUNDRED)[-12:]
    talker = Talker(repeat)
    figures = run_contest(Speaker("talker", talker), Contest(written=tuple(questions)), Answers())
    assert figures["written questions: passed"].value == 1
    assert figures["written questions, turns: passed"].n == 2
    assert any(p.history for p in talker.prompts)


def test_the_command_prints_a_table_and_json(inspector, folder, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(dialogue.Inspector, "from_pretrained", lambda bundle: inspector)
    out = tmp_path / "answers.jsonl"
    dialogue.main([str(folder)], limit=4, explainer=["template"], questions=HUNDRED, out=out)
    shown = capsys.readouterr()
    figures = json.loads(shown.out)
    assert set(figures["speakers"]) == {"template", RECORD}
    assert figures["speakers"]["template"]["written questions: passed"] == {"value": 1, "n": 100}
    record = figures["speakers"][RECORD]
    assert record["presence: sensitivity"]["value"] == record["where: first place touches the outline"]["value"]
    assert "presence: specificity" in shown.err and "100.0" in shown.err
    assert out.read_text().count("\n") > 100
    for wrong in ({"data": None}, {"data": [str(tmp_path / "none")]}, {"data": [str(folder)], "references": 9}):
        with pytest.raises(typer.Exit):
            dialogue.main(**wrong, explainer=["template"])
    folder.joinpath("ground_truth").rename(tmp_path / "away")
    with pytest.raises(DatasetError, match="outlined"):
        inspect_cases(inspector, open_dataset(str(folder)))


def test_less_is_better_where_the_table_says_so(records):
    table = to_table({"talker": run(repeat, list(records.values()))[0]})
    names = list(table.columns[0].cells)
    assert {"count: mean absolute error \u2193", "presence: accuracy against the record \u2191"} <= set(names)


def test_speakers_that_are_there_and_one_that_is_missing(tiny_home, backbones, tmp_path, monkeypatch):
    monkeypatch.setattr("assistant.language.trained_language.cache_root", lambda: tmp_path)
    with pytest.raises(ExplainerError, match="trained"):
        load_speaker("pocket", backbones["tiny-cnn"])
    assert load_speaker("template", backbones["tiny-cnn"]).explainer is None
