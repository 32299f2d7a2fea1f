"""The lookup is exact whichever way it is worked out, and quick enough for a full memory."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from assistant.adapters import similarity
from assistant.adapters.dictionary import Dictionary
from assistant.adapters.similarity import cosines, nearest
from assistant.eval.research.lookup_speed import time_lookups, unit_vectors


@pytest.fixture(params=[torch.bfloat16, torch.float32])
def product_type(request, monkeypatch):
    monkeypatch.setattr(similarity, "product_type", lambda device: request.param)
    return request.param


@pytest.mark.parametrize("count", [1, 63, 64, 65, 300])
def test_the_nearest_is_the_largest_of_all_products(product_type, count, monkeypatch):
    monkeypatch.setattr(similarity, "_ENTRIES", 64)
    queries, entries = unit_vectors(70, 24), unit_vectors(count, 24, seed=1).to(torch.bfloat16)
    found = nearest(queries, entries)
    assert found.dtype == product_type
    # blocks of another shape may add up in another order: the last digit of bfloat16
    torch.testing.assert_close(found, cosines(queries, entries).amax(dim=1), rtol=0.01, atol=1e-6)


@given(st.integers(0, 200), st.integers(2, 6), st.sampled_from([-1.0, 0.0, 1.0]))
def test_signs_do_not_matter(seed, size, lean):
    both = torch.randn(2, 40, size, generator=torch.Generator().manual_seed(seed))
    both[0, :, 0] += 5 * lean
    both[1, :, 0] -= 5 * lean
    queries, entries = normalize(both, dim=-1).to(torch.bfloat16)
    expected = (queries.float() @ entries.float().T).amax(dim=1)
    torch.testing.assert_close(nearest(queries, entries).float(), expected, rtol=0.01, atol=0.005)


def test_no_queries_and_no_entries(product_type):
    assert nearest(unit_vectors(0, 8), unit_vectors(5, 8)).shape == (0,)
    with pytest.raises(ValueError, match="no entry"):
        nearest(unit_vectors(5, 8), unit_vectors(0, 8))


def test_a_patch_in_memory_is_found_among_thousands():
    entries = unit_vectors(5000, 32)
    memory = Dictionary.build({0: entries})
    assert memory.lookup(entries[::100]).max() < 0.01
    assert memory.lookup(-entries[::100]).min() > 0.2


@pytest.mark.slow
def test_a_full_memory_answers_in_time():
    if similarity.product_type("cpu") != torch.bfloat16:
        pytest.skip("this processor has no bfloat16 instructions")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # the time of one core says the same on a busy machine
        spans = time_lookups(200, runs=5)
    finally:
        torch.set_num_threads(threads)
    least = {way: min(span.processor for span in row) for way, row in spans.items()}
    assert least["as used"] < 10 * 2 * 15  # the aim is 15 ms on two cores
    assert least["as used"] < least["all products, bfloat16"] < least["all products, float32"]
