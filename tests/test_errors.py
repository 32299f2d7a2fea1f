"""A name that is not there is answered with the one that was meant, everywhere in the same words."""

import pytest

from assistant.errors import ProductError, WeightsError, unknown_name
from assistant.models.card import load_card
from assistant.products.live_store import LiveProducts, MissingProduct
from assistant.products.store import ProductStore


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("flnage", ["flange", "gasket"], "There is no part 'flnage'. Did you mean 'flange'?"),
        ("FLANGE", ["flange", "gasket"], "There is no part 'FLANGE'. Did you mean 'flange'?"),
        ("seal-B", ["seal-a", "seal-c", "rotor"], "Did you mean 'seal-c' or 'seal-a'?"),
        ("straße", ["Strasse"], "Did you mean 'Strasse'?"),
        ("zzz", ["b", "c"], "There is no part 'zzz'; the parts are: b, c."),
        ("zzz", [], "There is no part 'zzz'; the parts are: none yet."),
        ("zzz", [f"p{i}" for i in range(40)], "p10, p11 and 28 more."),
    ],
)
def test_the_nearest_names_are_offered_or_a_few_are_listed(name, known, sentence):
    assert unknown_name("part", name, known).endswith(sentence)


def test_a_long_name_is_cut_and_never_compared_at_length():
    said = unknown_name("part", "x" * 1_000_000, ["y" * 60] * 5)
    assert len(said) < 500


def test_products_and_bundles_are_offered_to_shell_python_and_service(tmp_path):
    (tmp_path / "impeller.product.safetensors").touch()
    store = ProductStore(tmp_path)
    for ask, kind in (
        (store.load, ProductError),
        (store.delete, ProductError),
        (LiveProducts(store, store.load).get, MissingProduct),
    ):
        with pytest.raises(kind, match="no product 'impelller'. Did you mean 'impeller'"):
            ask("impelller")
    with pytest.raises(WeightsError, match="no bundle 'Pocket'. Did you mean 'pocket'"):
        load_card("Pocket")
