"""`looktwice check` and `looktwice recalibrate`: shown first, kept where asked for, undone as any change."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from assistant.commands.arguments import spread_paths
from assistant.products.store import ProductStore

PLACES = [(0.3, 0.3), (0.7, 0.6), (0.5, 0.4)]


@pytest.fixture
def folders(run, tmp_path, monkeypatch, good, planted):
    """A product "cloth" of four references at a target of 50 %, and folders of 20 good and of three bad parts."""
    pictures = {f"ref/{i}.png": good(i) for i in range(4)}
    pictures |= {f"good/{i}.png": good(20 + i) for i in range(20)}
    pictures |= {f"bad/{i}.png": planted(good(60 + i), *place)[0] for i, place in enumerate(PLACES)}
    for name, pixels in pictures.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    assert run("learn", "cloth", "--references", tmp_path / "ref", "--false-alarms", "0.5")[0] == 0
    return tmp_path


def stored():
    return ProductStore().path("cloth").read_bytes()


def test_a_check_says_what_is_wrong_draws_it_and_keeps_nothing(run, folders, inspector):
    store, drawn = ProductStore(), folders / "drawn"
    product = store.load("cloth")
    scores = [row.score for row in inspector.inspect([folders / "good" / f"{i}.png" for i in range(5)], product)]
    limits = replace(product.calibration, method="checked", limits=(0.001, sorted(scores)[1]), source="nothing")
    store.change("cloth", lambda product: inspector.teacher.keep_limits(product, limits, "by nothing"))
    before = stored()
    ways = ["--good", folders / "good", "--bad", folders / "bad", "--overlays", drawn]
    status, out, err = run("check", "cloth", *ways, "--out", folders / "check.html")
    row = json.loads(out)
    assert status == 0 and row["kept"] is None and stored() == before
    assert (row["now"]["overkill"]["of"], row["now"]["escape"]["of"]) == (20, 3)
    wrong = row["now"]["overkill"]["count"] + row["now"]["escape"]["count"]
    assert wrong >= 3 and len(list(drawn.iterdir())) == wrong
    page = (folders / "check.html").read_text()
    assert page.count("<article") == wrong and "good part that is called defective" in page
    assert "--apply keeps these limits" in err and "with 90 %" not in out
    assert f"{row['now']['overkill']['count']} of 20 (" in err


def test_limits_that_are_applied_are_one_change(run, folders):
    before = ProductStore().load("cloth").calibration
    ways = ["--good", folders / "good", "--bad", folders / "bad", "--apply"]
    status, out, err = run("check", "cloth", *ways)
    after = ProductStore().load("cloth")
    row = json.loads(out)
    assert status == 0 and row["kept"]["after"]["threshold"] == after.calibration.threshold
    assert after.calibration.threshold == row["recommended"]["threshold"] != before.threshold
    assert after.calibration.evidence.method == "checked" and "20 good and 3 bad parts" in err
    taught = run("teach", "cloth", "--good", folders / "good" / "0.png", "--yes")
    assert taught[0] == 0 and "`looktwice check --apply` renews them" in taught[2]
    assert (
        run("teach", "cloth", "--undo")[0] == 0 and ProductStore().load("cloth").calibration == after.calibration
    )
    assert run("teach", "cloth", "--undo")[0] == 0
    assert ProductStore().load("cloth").calibration == before


def test_a_check_set_may_be_what_was_signed_off(run, folders):
    from assistant.records.history import History, default_history

    assert run("inspect", folders / "good", folders / "bad", "--product", "cloth", "--history")[0] == 0
    history = History(default_history())
    for kept in history.search(size=50).rows:
        decision = "good" if "good" in kept.inspection.path else "defect"
        history.sign_offs.add(kept.id, decision, "looked at it", "Eva", log=None)
    history.close()
    row = json.loads(run("check", "cloth", "--from-history")[1])
    fresh = json.loads(run("check", "cloth", "--good", folders / "good", "--bad", folders / "bad")[1])
    assert row["now"] == fresh["now"] and row["recommended"] == fresh["recommended"]


@pytest.mark.parametrize("source", ["folder", "history"])
def test_limits_of_unlabelled_parts_are_shown_and_kept_with_yes(run, folders, source):
    parts = ["--from", folders / "good", folders / "bad"]
    if source == "history":
        parts = ["--from-history"]
        assert run("inspect", folders / "good", folders / "bad", "--product", "cloth", "--history")[0] == 0
    before = stored()
    spread = spread_paths(["recalibrate", *map(str, parts)])[1:]
    status, out, err = run("recalibrate", "cloth", *spread)
    row = json.loads(out)
    assert status == 0 and not row["kept"] and stored() == before
    assert row["parts"] == 23 == sum(row["would_be"].values())
    assert "defect from here" in err and "taken as mostly good" in err and "Nothing was changed" in err
    assert row["recent"]["recent"] == (23 if source == "history" else 0)
    assert json.loads(run("recalibrate", "cloth", *spread, "--yes")[1])["kept"]
    kept = ProductStore().load("cloth")
    assert kept.calibration.method == "production" and kept.calibration.n == 23
    assert kept.calibration.threshold == row["effect"]["after"]["threshold"]
    assert kept.undo().save(folders / "undone.safetensors").read_bytes() == before


def test_another_way_is_tried_said_and_kept_only_where_asked(run, folders, monkeypatch):
    """Two ways are tried, and a stub says which ranks better; everything else is the real thing."""
    from assistant.detection import held_out
    from assistant.products import ways

    def mirrored(scores, now):
        found = held_out.choose_way(scores, now)
        return replace(found, chosen="mirrored", best="mirrored", gain=0.1, low=0.02, high=0.18)

    every = ways.ways_of
    monkeypatch.setattr(ways, "ways_of", lambda *given: list(every(*given))[:2])
    given = ["--good", folders / "good" / "0.png", "--bad", folders / "bad", "--choose"]
    before = stored()
    status, out, err = run("check", "cloth", *given)
    row = json.loads(out)["choice"]
    assert status == 0 and (row["chosen"], row["good"], row["bad"]) == ("as now", 1, 3)
    assert "too few to choose by" in err and "More tiles were not tried" in err and stored() == before
    monkeypatch.setattr(ways, "choose_way", mirrored)
    status, out, err = run("check", "cloth", *given, "--references", folders / "ref")
    row = json.loads(out)
    assert set(row["choice"]["auroc"]) == {"as now", "mirrored"} and not row["choice"]["left_out"]
    assert "the gain is 10.0 points (2.0 to 18.0" in err and "--apply keeps this way and these limits" in err
    assert status == 0 and stored() == before and run("check", "cloth", *given, "--apply")[0] == 0
    kept = ProductStore().load("cloth")
    assert kept.views == "flips" and kept.calibration.threshold == row["recommended"]["threshold"]
    assert kept.history[-1].name == "mirrored, by 1 good and 3 bad parts"
    assert run("teach", "cloth", "--undo")[0] == 0 and stored() == before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["check", "cloth"], "--good and --bad"),
        (["check", "cloth", "--from-history", "--choose"], "--choose tries parts"),
        (["check", "cloth", "--good", "good", "--choose"], "both kinds"),
        (["check", "cloth", "--good", "good", "--bad", "bad", "--references", "ref"], "--references belongs"),
        (["check", "cloth", "--good", "good"], "both kinds"),
        (["check", "cloth", "--good", "good", "--bad", "bad", "--from-history"], "--from-history"),
        (["check", "cloth", "--good", "good", "--bad", "bad", "--out", "good/0.png"], "ends in"),
        (["check", "cloth", "--good", "good", "--bad", "bad", "--overlays", "bad"], "--overlays"),
        (["check", "cloth", "--from-history"], "no history yet"),
        (["recalibrate", "cloth"], "--from-history"),
        (["recalibrate", "cloth", "--from", "bad"], "at least 20"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(run, folders, monkeypatch, arguments, why):
    monkeypatch.chdir(folders)
    before = stored()
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and why in err and stored() == before


def test_several_paths_may_follow_one_option():
    given = "check x --good a b --bad c d --apply".split()
    assert spread_paths(given) == "check x --good a --good b --bad c --bad d --apply".split()
    assert spread_paths("recalibrate x --from a b".split()) == "recalibrate x --from a --from b".split()
