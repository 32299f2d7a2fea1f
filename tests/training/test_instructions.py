"""Conversations to learn from: every answer borne out by its record, balanced, repeatable, readable again."""

import json
import re
import sys
import tomllib
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.errors import TrainingError
from assistant.inspection import Inspection
from assistant.language.evidence_text import state_evidence
from assistant.language.wording import number
from assistant.prompts.defects import DEFECTS
from assistant.training.answers_declined import BEYOND, FURTHER
from assistant.training.dataset import Example, TrainingData
from assistant.training.defect_causes import OFTEN
from assistant.training.instructions import FILE, InstructionConfig, build_instructions
from assistant.training.outline_facts import look_at
from assistant.training.phrasings import phrasings
from assistant.training.simulated_inspections import draw_inspection, top_mean

COUNT = 300
SIDES = {"good": ("fine", "fine_claim"), "defect": ("presence", "bad_claim")}
PLACE = r"(?:in|on|at) the ((?:top|bottom)(?: left| right)?|left|right|center)\b(?! half)"


def silent(message, fraction):
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory, good):
    root = tmp_path_factory.mktemp("talk")
    examples = []
    for kind in range(6):
        path = root / f"{kind}.png"
        Image.fromarray(good(kind, 150 + 20 * kind, 190)).save(path)
        examples.append(Example(path, f"k/{kind}", 0))
    return root, TrainingData(tuple(examples))


@pytest.fixture(scope="module")
def rows(folder):
    root, data = folder
    assert build_instructions(data, root / "out", InstructionConfig(COUNT), silent) == COUNT
    return json.loads((root / "out" / FILE).read_text(encoding="utf-8"))


def turns_of(row):
    said = [turn["value"] for turn in row["conversations"]]
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"] * (len(said) // 2)
    return list(zip(said[::2], said[1::2], strict=True))


def every_answer(rows):
    for row in rows:
        inspection = Inspection.from_dict(row["inspection"])
        for question, answer in turns_of(row):
            yield inspection, question, answer


def test_every_number_stands_in_the_evidence(rows):
    for inspection, question, answer in every_answer(rows):
        if "\nA: " in question:
            continue
        evidence = re.findall(r"\d[\d.]*(?:e-?\d+)?", state_evidence(inspection))
        allowed = {n.rstrip(".") for n in evidence}
        found = {n.rstrip(".") for n in re.findall(r"\d[\d.]*(?:e-?\d+)?", answer)}
        assert found <= allowed, (answer, state_evidence(inspection))


def test_regions_exist_and_lie_where_the_answer_says(rows):
    places = related = 0
    for inspection, _, answer in every_answer(rows):
        known = {r.id: r for r in inspection.regions}
        assert set(re.findall(r"\[(R\d+)\]", answer)) <= set(known)
        for id, place in re.findall(rf"\[(R\d+)\] (?:lies |is |stands out )?{PLACE}", answer):
            assert set(place.split()) <= set(known[id].position.split()), answer
            places += 1
        for id, half in re.findall(r"\[(R\d+)\] (?:lies |is )?in the (left|right|upper|lower) half", answer):
            x0, y0, x1, y1 = known[id].box
            middle = (x0 + x1) / inspection.width if half in ("left", "right") else (y0 + y1) / inspection.height
            assert (middle > 1) == (half in ("right", "lower")), answer
        ways = r"((?:above|below|left of|right of)(?: and (?:left|right) of)?)"
        pairs = re.findall(rf"\[(R\d+)\] (?:lies|is) {ways} \[(R\d+)\]", answer)
        pairs += [(b, way, a) for a, b, way in re.findall(rf"from \[(R\d+)\], \[(R\d+)\] is {ways} it", answer)]
        for id, way, other in pairs:
            a, b = known[id].box, known[other].box
            assert "above" not in way or a[1] + a[3] < b[1] + b[3], answer
            assert "below" not in way or a[1] + a[3] > b[1] + b[3], answer
            assert "left" not in way or a[0] + a[2] < b[0] + b[2], answer
            assert "right" not in way or a[0] + a[2] > b[0] + b[2], answer
            related += 1
    assert related >= 2
    assert places > 60


def test_the_verdict_is_never_another_one(rows):
    said = Counter()
    for inspection, _, answer in every_answer(rows):
        for verdict in re.findall(r"verdict (?:is|stays) (good|review|defect)\b", answer):
            assert verdict == inspection.verdict, answer
            said[verdict] += 1
        if inspection.verdict != "good":
            assert not re.search(r"no region stands out|nothing stands out(?! (?:in|on|at))|found no", answer), (
                answer
            )
        if inspection.verdict == "good":
            assert not re.search(r"\[R\d|set it aside|have a person", answer, re.IGNORECASE), answer
    assert min(said.values()) >= 8 and said["good"] < 2.5 * said["defect"], said


def test_boxes_sizes_and_severities_are_those_of_the_region(rows):
    checked = Counter()
    for inspection, _, answer in every_answer(rows):
        known = {r.id: r for r in inspection.regions}
        for id, *box in re.findall(r"\[(R\d+)\](?::| spans) x (\d+) to (\d+)(?:,| and) y (\d+) to (\d+)", answer):
            x0, y0, x1, y1 = known[id].box
            assert [int(n) for n in box] == [x0, x1, y0, y1], answer
            checked["box"] += 1
        for id, area in re.findall(r"\[(R\d+)\](?:: | covers | has )(\d+) px", answer):
            assert int(area) == known[id].area
            checked["size"] += 1
        for id, severity in re.findall(r"\[(R\d+)\] is (slight|moderate|severe)\b", answer):
            assert severity == known[id].severity
            checked["severity"] += 1
    assert all(checked[name] for name in ("box", "size", "severity")), checked


def test_the_right_letter_is_given(rows):
    checked = 0
    for inspection, question, answer in every_answer(rows):
        if "\nA: " not in question:
            continue
        options = dict(re.findall(r"^([A-E]): (.+)\.$", question, re.MULTILINE))
        assert len(set(options.values())) == len(options) >= 2
        right = options[answer[0]]
        assert answer in (f"{answer[0]}.", f"{answer[0]}: {right}.")
        truths = {
            frozenset({"Good", "Defect", "Review, a person has to look"}): {
                "good": "Good", "defect": "Defect", "review": "Review, a person has to look"
            },
            frozenset({"Let it pass", "Set it aside", "Have a person look at it"}): {
                "good": "Let it pass", "defect": "Set it aside", "review": "Have a person look at it"
            },
        }  # fmt: skip
        if truth := truths.get(frozenset(options.values())):
            assert right == truth[inspection.verdict]
            checked += 1
        elif number(inspection.score) in options.values():
            assert right == number(inspection.score)
            checked += 1
    assert checked >= 3


def test_good_and_defective_pictures_are_balanced_and_some_are_open(rows):
    verdicts = Counter(row["inspection"]["verdict"] for row in rows)
    share = verdicts["good"] / (verdicts["good"] + verdicts["defect"])
    assert 0.45 <= share <= 0.55, verdicts
    assert 0.05 <= verdicts["review"] / COUNT <= 0.3
    assert all(bool(r["inspection"]["regions"]) == (r["inspection"]["verdict"] != "good") for r in rows)


def test_answers_are_short_and_conversations_have_one_to_eight_turns(rows):
    turns = [len(turns_of(row)) for row in rows]
    assert set(turns) == set(range(1, 9)) and 4 <= np.mean(turns) <= 6 and turns.count(1) >= 0.15 * COUNT
    lengths = [len(answer.split()) for _, _, answer in every_answer(rows)]
    assert max(lengths) <= 60 and np.quantile(lengths, 0.9) <= 30


def test_rows_read_back_with_their_picture_and_map(rows, folder):
    root = folder[0] / "out"
    for row in rows[::10]:
        inspection = Inspection.from_dict(row["inspection"])
        assert inspection.to_dict() == row["inspection"] | {
            "regions": inspection.to_dict()["regions"], "looks_like": (), "notices": (), "scale": inspection.scale
        }  # fmt: skip
        with Image.open(root / row["image"]) as picture:
            assert picture.size == (inspection.width, inspection.height) and max(picture.size) <= 320
        coarse = np.load(root / row["map"])
        assert coarse.dtype == np.float16
        assert top_mean(coarse.astype(np.float32)) == pytest.approx(inspection.score, rel=0.01)


def test_the_seed_decides_everything(folder, rows):
    root, data = folder
    for name, seed in (("again", 0), ("other", 1)):
        build_instructions(data, root / name, InstructionConfig(30, seed), silent)
    again, other = (json.loads((root / name / FILE).read_text()) for name in ("again", "other"))
    assert again == rows[:30]
    assert other != again
    assert (root / "again/pictures/00003.jpg").read_bytes() == (root / "out/pictures/00003.jpg").read_bytes()


def test_phrasings_held_out_are_never_trained_on(folder):
    train, test = phrasings("train"), phrasings("test")
    seen = {line for lines in train.values() for line in lines}
    assert test.keys() <= train.keys() and all(test.values())
    assert train.keys() - test.keys() <= FURTHER.keys()
    assert not seen & {line for lines in test.values() for line in lines}
    assert all(len(lines) + len(test.get(topic, ())) >= 12 for topic, lines in train.items())
    root, data = folder
    build_instructions(data, root / "test", InstructionConfig(60, 5, "test"), silent)
    held_out = [_pattern(line) for lines in test.values() for line in lines]
    for row in json.loads((root / "test" / FILE).read_text()):
        for question, _ in turns_of(row):
            asked = question.split("\nA: ")[0]
            assert any(p.search(asked) for p in held_out), asked


@cache
def _lines(topics):
    return {line.casefold().rstrip("?.") for topic in topics for line in phrasings()[topic]}


def _pattern(line):
    words = re.escape(line.rstrip("?.")).replace(r"\{kind\}", ".+").replace(r"\{name\}", ".+")
    return re.compile(re.sub(r"\\{\w+\\}", ".+", words) + r"[?.]?$", re.IGNORECASE)


def test_types_are_asked_about_as_often_where_one_is_named_as_where_none_is(rows):
    told, turns = Counter(), 0
    for inspection, question, answer in every_answer(rows):
        turns += 1
        if not _asks_type(question) or answer.startswith("There is no such"):
            continue
        region = next(r for r in inspection.regions if r.id in question.upper())
        told["named" if region.has_type else "not named"] += 1
        assert ("names no type" in answer or "unknown" in answer) != region.has_type, (question, answer)
    assert min(told.values()) >= 0.015 * turns and 0.5 <= told["named"] / told["not named"] <= 2, (told, turns)


def test_that_a_region_is_missing_follows_from_the_record_and_not_from_the_words(rows):
    missing = Counter()
    for inspection, question, answer in every_answer(rows):
        known = {r.id for r in inspection.regions}
        if answer.startswith("There is no such region"):
            assert not known & set(re.findall(r"R\d+", question.upper())), (question, answer)
            missing["type" if _asks_type(question) else "other"] += 1
    assert missing["type"] >= 5 and missing["other"] >= 5, missing


def _asks_type(question):
    """Whether a question is one of the type, about a region that it calls by its id."""
    plain = re.sub(r"(?i)(?:region )?\[?R\d+\]?", "{r}", question).casefold().rstrip("?.")
    return "{r}" in plain and any(plain.endswith(line) for line in _lines(("type",)))


def test_yes_and_no_follow_from_claim_and_verdict_and_are_asked_both_ways(rows):
    asked, opened = Counter(), Counter()
    for row in rows:
        verdict, sides = row["inspection"]["verdict"], set()
        for question, answer in turns_of(row):
            asked_by = (s for s, topics in SIDES.items() if question.casefold().rstrip("?.") in _lines(topics))
            if side := next(asked_by, None):
                opening = answer.partition(":")[0]
                opened[verdict] += 1
                wanted = {"review": "That is not settled"}.get(verdict, "Yes" if verdict == side else "No")
                assert opening == wanted, (question, answer)
                sides.add(side)
        asked[len(sides)] += 1
    assert asked[2] >= 0.15 * COUNT, asked
    assert max(opened.values()) < 2 * min(opened.values()), opened


def test_what_no_picture_can_tell_is_declined_first(rows):
    openings = ("That cannot be told from a picture", "That cannot be told from this inspection")
    lines = _lines((*BEYOND, *FURTHER))
    met = [a for _, q, a in every_answer(rows) if q.casefold().rstrip("?.") in lines]
    assert met and all(a.startswith(openings) for a in met)
    declined = [a for _, _, a in every_answer(rows) if a.startswith(openings)]
    assert 0.15 <= len(declined) / sum(1 for _ in every_answer(rows)) <= 0.28


def test_no_phrasing_is_close_to_one_that_is_held_out():
    held_out = [(line, _words(line)) for lines in phrasings("test").values() for line in lines]
    drills = tomllib.loads((resources.files("assistant.training") / "drills.toml").read_text(encoding="utf-8"))
    for drill in (line for lines in drills.values() for line in lines.split("\n")[:-1]):
        words = _words(drill)
        for line, other in held_out:
            assert len(words & other) < 0.75 * len(words | other), (drill, line)


def _words(line):
    return frozenset(re.findall(r"\{\w+\}|[a-z0-9']+", line.casefold()))


def test_an_outline_becomes_regions_with_its_looks():
    pixels = np.full((160, 240, 3), 150, np.uint8)
    line, disc = np.zeros((160, 240), bool), np.zeros((160, 240), bool)
    line[20:24, 10:70] = True
    disc[(np.add.outer((np.arange(160) - 120) ** 2, (np.arange(240) - 190) ** 2)) < 200] = True
    pixels[line], pixels[disc] = 60, 230
    wanted = {
        "scratch": (line, "top left", "long", "darker"),
        "stain": (disc, "bottom right", "compact", "lighter"),
    }
    for name, (mask, position, shape, contrast) in wanted.items():
        made = draw_inspection("a.jpg", (240, 160), [(mask, name)], "defect", np.random.default_rng(1))
        assert made.verdict == "defect" and made.score > made.threshold
        [region] = made.regions
        look = look_at(region, pixels, ((mask, name),))
        assert (region.position, look.shape, look.contrast, look.parts) == (position, shape, contrast, "one")
        assert look.type == name
    both = look_at(replace(region, box=(0, 0, 240, 160)), pixels, ((line | disc, ""),))
    assert both.parts == "several"


def test_a_picture_that_cannot_be_read_is_left_out_and_said(folder, tmp_path):
    _, data = folder
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    heard = []
    mixed = TrainingData((*data.examples[:1], Example(broken, "k/broken", 0)))
    build_instructions(mixed, tmp_path / "out", InstructionConfig(12), lambda m, f: heard.append(m))
    assert any("broken.png" in message for message in heard)
    assert len(json.loads((tmp_path / "out" / FILE).read_text())) == 12
    with pytest.raises(TrainingError, match="None of the pictures"):
        build_instructions(TrainingData((Example(broken, "k", 0),)), tmp_path / "x", InstructionConfig(3), silent)


def test_a_detector_is_believed_only_where_it_fits_what_was_planted(folder, tmp_path):
    _, data = folder
    asked = []

    def blind(pixels, untouched, rng):
        asked.append(pixels.shape)
        size = (pixels.shape[1], pixels.shape[0])
        made = draw_inspection("seen.jpg", size, (), "good", rng)
        return replace(made, bundle="blind")

    build_instructions(data, tmp_path / "out", InstructionConfig(60, inspected=1.0), silent, blind)
    rows = json.loads((tmp_path / "out" / FILE).read_text())
    believed = [row for row in rows if row["inspection"]["bundle"] == "blind"]
    assert len(asked) == 20 and len(believed) == 10
    assert all(int(row["image"][-5]) % 2 == 0 for row in believed)  # the good ones, every other picture


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0,), "At least one"), ((3, -1), "At least one"), ((3, 0, "both"), "both"), ((3, 0, "train", 2.0), "share")],
)
def test_numbers_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(TrainingError, match=words):
        InstructionConfig(*arguments)


def test_conversations_are_not_written_over(folder, rows):
    root, data = folder
    with pytest.raises(TrainingError, match="holds conversations already"):
        build_instructions(data, root / "out", InstructionConfig(3), silent)


def test_every_type_of_the_vocabulary_has_a_likely_cause():
    assert set(OFTEN) == {defect.name for defect in DEFECTS}


def test_real_defects_with_outlines_are_talked_about_too(sample, tmp_path):
    build_instructions(sample("masks"), tmp_path / "out", InstructionConfig(48), silent)
    rows = json.loads((tmp_path / "out" / FILE).read_text())
    planted = {(r["inspection"]["width"], r["inspection"]["height"]) for r in rows if r["inspection"]["regions"]}
    assert planted & {(72, 80), (80, 80), (88, 80), (80, 72), (80, 88)}  # whole pictures; simulated ones are cut


def test_the_command_writes_a_folder_or_one_sentence(sample, tmp_path, monkeypatch, capfd):
    sample()

    def run(*arguments):
        line = ["looktwice", "train", "instructions", str(tmp_path / "pictures0"), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code or 0, " ".join(capfd.readouterr().err.split())

    status, said = run("--out", tmp_path / "talk", "--count", 7)
    assert status == 0 and said.endswith(f"7 conversations are in {tmp_path / 'talk'}.")
    assert len(json.loads((tmp_path / "talk" / FILE).read_text())) == 7
    for arguments, words in ((("talk",), "already"), (("new", "--split", "both"), "both")):
        status, said = run("--out", tmp_path / arguments[0], *arguments[1:])
        assert status == 2 and words in said and "Traceback" not in said
