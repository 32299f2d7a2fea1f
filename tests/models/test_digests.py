"""Digests: the same content has the same one, and whatever is changed has another."""

import hashlib

import pytest
import torch

from assistant.models.digests import digest_state, hash_file, octets


def test_a_file_has_the_digest_that_other_tools_say(tmp_path):
    (tmp_path / "a").write_bytes(b"looktwice" * 100_000)
    assert hash_file(tmp_path / "a") == hashlib.sha256(b"looktwice" * 100_000).hexdigest()


@pytest.mark.parametrize("change", [{"m": torch.ones(2)}, {"n": torch.zeros(2)}, {"m": torch.zeros(2).bfloat16()}])
def test_a_digest_sees_names_kinds_and_values(change):
    assert digest_state("", {"m": torch.zeros(2)}) != digest_state("", change)
    assert digest_state("", {"m": torch.zeros(2)}) != digest_state("x", {"m": torch.zeros(2)})
    assert digest_state("", {"m": torch.zeros(2)}) != digest_state("", {"m": torch.zeros(2, 1)})


def test_a_digest_minds_neither_the_order_of_names_nor_how_a_tensor_lies_in_memory():
    wide = torch.randn(3, 4)
    one, other = {"a": wide.T, "b": wide}, {"b": wide.clone(), "a": wide.T.contiguous()}
    assert digest_state("s", one) == digest_state("s", other)


@pytest.mark.parametrize("tensor", [torch.tensor(7), torch.zeros(0, 3), torch.arange(6).reshape(2, 3).T])
def test_a_tensor_of_any_shape_has_its_bytes(tensor):
    assert octets(tensor).numpy().tobytes() == tensor.contiguous().numpy().tobytes()
