"""What the page says of a change: its effect on recent inspections, and a question before a defect is good."""

import pytest
from PIL import Image

from assistant.detection.calibration import Calibration
from assistant.face.effect import ask_doubt, say_effect, show_what_if
from assistant.face.shared import Resources
from assistant.face.teach_steps import ProductEditor, SeenProduct
from assistant.products.teaching import DoubtfulTeaching
from assistant.progress import say_nothing
from assistant.records.history import History
from assistant.records.what_if import Limits


@pytest.fixture
def shared(inspector, good, planted, tmp_path):
    """A page with a kept product "cloth" and four of its inspections, the last of them a defect."""
    history = History(tmp_path / "history.sqlite")
    product = inspector.learn("cloth", [good(i) for i in range(3)])
    inspector.save(product)
    pictures = [*(good(20 + i) for i in range(3)), planted(good(30), 0.4, 0.6)[0]]
    Image.fromarray(pictures[-1]).save(tmp_path / "bad.png")
    for row in inspector.inspect(pictures, product):
        history.add(row)
    yield Resources(inspector, str(tmp_path), history)
    history.close()


def test_a_change_and_limits_that_nobody_set_say_what_they_would_do(shared, tmp_path):
    product = shared.products.get("cloth")
    assert isinstance(product.calibration, Calibration)
    moved = product.with_target(0.2)
    assert "of the last 4 inspections" in say_effect(shared, product, moved)
    loose = show_what_if(shared, product, Limits(9, 8))
    assert "1 would change: 1 from defect to good" in loose and "<th>defect</th><td>1</td>" in loose
    assert "<table>" not in show_what_if(shared, product, product.calibration)
    for history in (None, History(tmp_path / "empty.sqlite")):
        apart = Resources(shared.inspector, shared.uploads, history)
        assert "no recent inspection" in say_effect(apart, product, moved)


def test_doubtful_pictures_are_taught_once_that_is_confirmed(shared, tmp_path):
    editor = ProductEditor(shared.inspector, shared.products)
    seen, bad = SeenProduct.of(shared.products.get("cloth")), [str(tmp_path / "bad.png")]
    with pytest.raises(DoubtfulTeaching, match="far above the limit") as asked:
        editor.teach_good(seen, bad, say_nothing)
    assert shared.products.get("cloth").history == ()
    said = ask_doubt(shared, asked.value)
    assert "of the last 4 inspections" in said and "Nothing has changed yet" in said
    with pytest.raises(DoubtfulTeaching):
        editor.teach_good(seen, bad, say_nothing)
    assert len(editor.teach_good(seen, bad, say_nothing, confirm=True).references) == 4
