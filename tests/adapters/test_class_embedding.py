"""A posterior spoken in text vectors: the closed form, by hand."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.class_embedding import ClassEmbedding


def embedding(names, probabilities, most):
    """One whose classifier says the given probabilities, whatever it sees."""
    made = ClassEmbedding(4, names, most)
    with torch.no_grad():
        made.classifier.weight.zero_()
        made.classifier.bias.copy_(torch.tensor(probabilities).log())
    return made


@pytest.mark.parametrize(
    ("most", "weights"),
    [(10, [0.5, 0.2, 0.3]), (3, [0.5, 0.2, 0.3]), (2, [0.625, 0.0, 0.375]), (1, [1.0, 0.0, 0.0])],
)
def test_the_vector_is_the_weighted_mean_of_the_likeliest_names(most, weights):
    names = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 4.0]])
    made = embedding(names, [0.5, 0.2, 0.3], most)
    expected = normalize(torch.tensor(weights) @ normalize(names, dim=-1), dim=0)
    found = made(torch.randn(5, 4))
    assert found.shape == (5, 3)
    assert torch.allclose(found, expected.expand(5, 3), atol=1e-6)


def test_every_picture_gets_its_own_posterior():
    names = torch.eye(4)
    made = ClassEmbedding(4, names, most=2)
    with torch.no_grad():
        made.classifier.weight.copy_(torch.eye(4))
        made.classifier.bias.zero_()
    pooled = 5 * torch.eye(4)[[2, 0]] + torch.eye(4)[[3, 1]]
    chances = pooled.softmax(dim=-1)
    expected = torch.zeros(2, 4)
    for row, kept in enumerate([(2, 3), (0, 1)]):
        expected[row, list(kept)] = chances[row, list(kept)]
    assert torch.allclose(made(pooled), normalize(expected, dim=-1), atol=1e-6)


def test_the_names_travel_with_the_weights():
    assert set(ClassEmbedding(4, torch.eye(4)).state_dict()) == {"classifier.weight", "classifier.bias", "names"}
