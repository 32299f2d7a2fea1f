"""A person signs a part off on the page: the decision stands beside the verdict, and what is open is found."""

from types import SimpleNamespace

import pytest

pytest.importorskip("gradio")

from assistant.face import batch_place
from assistant.face.batch_steps import BatchRuns
from assistant.face.history_place import HistoryHandlers
from assistant.face.history_steps import ANY
from assistant.face.kept import KeptHandlers
from assistant.face.shared import ACTOR, Resources
from assistant.face.sign_off import SignOffHandlers, offer_sign_off
from assistant.inspection import Evidence, Inspection
from assistant.records.history import History

ALL = (ANY, [], None, None, ANY, "")


def judged(path, verdict, score):
    return Inspection(
        path=path,
        mode="few-shot",
        score=score,
        p_value=0.2,
        threshold=0.7,
        review_threshold=0.6,
        verdict=verdict,
        width=64,
        height=48,
        evidence=Evidence("conformal", "set by counting", 20, 0.05, 1 / 21),
        created="2026-03-10T12:00:00+00:00",
    )


@pytest.fixture
def history(tmp_path):
    opened = History(tmp_path / "h.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def shared(inspector, history, tmp_path):
    return Resources(inspector, str(tmp_path), history)


@pytest.fixture
def run(history):
    """A finished run of two parts in review, a good one and a defect."""
    parts = [
        ("r1.png", "review", 0.65),
        ("r2.png", "review", 0.66),
        ("g.png", "good", 0.1),
        ("d.png", "defect", 0.9),
    ]
    started = history.runs.start([name for name, *_ in parts], {"basis": "x"})
    for place, part in enumerate(parts):
        history.add(judged(*part), run=started.id, place=place)
    return history.runs.finish(started.id).id


def opened(shared, history, id):
    return KeptHandlers(shared, history).open(str(id))[0]


def test_a_part_is_signed_off_and_that_is_withdrawn(shared, history, run):
    handlers = SignOffHandlers(shared, history)
    shown = opened(shared, history, 1)
    form, given, _, withdraw = offer_sign_off(history, shown)
    assert form.visible and "Nobody" in given and not withdraw.visible
    form, given, reason, withdraw = handlers.sign("defect", shown, "a <deep> crack", "Ann")
    assert "<b>Signed off as defect by Ann" in given and "a &lt;deep&gt; crack" in given and "<deep>" not in given
    assert reason == "" and withdraw.visible
    handlers.sign("good", shown, "looked again", "Bo")
    given = handlers.withdraw(shown, "", "Cy")[1]
    assert given.index("withdrawn by Cy") < given.index("<b>Signed off as defect by Ann"), "which counts again"
    (first, second) = history.sign_offs.of(1)
    assert (first.actor, second.actor) == (ACTOR, ACTOR) and second.withdrawn
    actions = [(entry.action, entry.actor) for entry in shared.inspector.store.log.entries()]
    assert actions == [("sign off", ACTOR), ("sign off", ACTOR), ("withdraw sign-off", ACTOR)]
    assert history.get(1).inspection.verdict == "review", "nothing of the inspection changes"


def test_without_a_reason_or_a_name_nothing_is_signed(shared, history, run):
    handlers, shown = SignOffHandlers(shared, history), opened(shared, history, 1)
    for reason, name in (("", "Ann"), ("crack", " ")):
        with pytest.warns(UserWarning, match="in 1 to"):
            handlers.sign("good", shown, reason, name)
    assert history.sign_offs.of(1) == ()
    assert not offer_sign_off(history, None)[0].visible


def test_what_waits_for_a_person_is_found_and_counted(shared, history, run):
    place = HistoryHandlers(shared, history)
    SignOffHandlers(shared, history).sign("good", opened(shared, history, 1), "dust", "Ann")
    counts, listing = place.search(None, *ALL, True)[1:3]
    assert "r2.png" in listing and "r1.png" not in listing and "g.png" not in listing
    assert "2 in review, 1 signed off: 1 good." in counts
    listing = place.search(None, *ALL, False)[2]
    assert listing.count("<td>open</td>") == 1 and listing.count("<td>signed off as good</td>") == 1


def test_a_batch_shows_decisions_and_what_is_open(shared, history, run):
    handlers = batch_place.BatchHandlers(BatchRuns.of(shared, history))
    SignOffHandlers(shared, history).sign("good", opened(shared, history, 1), "dust", "Ann")
    values = dict(
        zip(
            "run ids standing cancel proceed body chart gallery".split(),
            handlers.refresh(run, "all"),
            strict=False,
        )
    )
    assert "2 in review, 1 signed off: 1 good." in values["standing"]
    assert "<small>signed off as good</small>" in values["gallery"] and "<small>open</small>" in values["gallery"]
    still = handlers.refresh(run, "open")
    assert still[1] == (2,) and "r2.png" in still[7] and "r1.png" not in still[7]
    again = handlers.open_picture(SimpleNamespace(_data={"id": "1"}))
    assert any("Signed off as good by Ann" in str(value) for value in again)
