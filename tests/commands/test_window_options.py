"""--bit-depth and --window: what they mean, and where they are refused in one sentence."""

import pytest

from assistant.commands.options import read_window
from assistant.commands.references import find_product
from assistant.errors import LooktwiceError
from assistant.images.window import Window
from assistant.products.config import LearnConfig
from assistant.records.batches import asked_window, plan_batch
from assistant.records.history import History


def test_the_options_name_a_window():
    assert read_window(None, None) is None
    assert read_window(10, None) == Window(bit_depth=10)
    assert read_window(None, (-3.5, 900.0)) == Window(-3.5, 900.0)


@pytest.mark.parametrize(("bits", "levels"), [(12, (0.0, 9.0)), (None, (9.0, 9.0)), (None, (0.0, float("nan")))])
def test_a_window_that_makes_no_sense_is_one_sentence(bits, levels):
    with pytest.raises(LooktwiceError, match=r"^No picture can be read through that: .*\.$"):
        read_window(bits, levels)


def test_a_kept_product_has_a_window_of_its_own(inspector):
    with pytest.raises(LooktwiceError, match="belong to --references"):
        find_product(inspector, None, "cloth", LearnConfig(window=Window(bit_depth=12)))


def test_a_run_goes_on_with_the_window_that_it_began_with(inspector, tmp_path, good):
    from PIL import Image

    Image.fromarray(good(1)).save(tmp_path / "a.png")
    history = History(tmp_path / "h.sqlite")
    run = plan_batch(inspector, history, [tmp_path / "a.png"], window=Window(5, 900))
    assert asked_window(history.runs.get(run.id).settings) == Window(5, 900)
    plain = plan_batch(inspector, history, [tmp_path / "a.png"])
    assert asked_window(plain.settings) is None and "window" not in plain.settings
