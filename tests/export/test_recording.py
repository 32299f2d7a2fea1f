"""What is recorded does the same for other pictures, and never freezes a decision."""

import pytest
import torch

from assistant.export.recording import record

EXAMPLE = torch.arange(12.0).view(3, 4)


def test_the_module_does_the_same_for_another_tensor():
    weights = torch.randn(4, 2)

    def compute(given):
        product = given @ weights
        product.add_(1)  # changes in place are recorded too
        largest = product.topk(2, dim=0)
        return product.softmax(dim=1), largest.values, given[torch.tensor([2, 0])]

    module, found = record(compute, EXAMPLE)
    for given in (EXAMPLE, -3 * EXAMPLE + 1):
        for one, other in zip(module(given.clone()), compute(given), strict=True):
            assert torch.equal(one, other)
    assert torch.equal(found[1], compute(EXAMPLE)[1])


def test_what_does_not_depend_on_the_tensor_is_a_constant():
    def compute(given):
        mask = torch.ones(4).cumsum(dim=0) > 2
        if bool(mask.any()):  # of a constant anything may be asked
            return (given * mask,)
        return (given,)

    module, _ = record(compute, EXAMPLE)
    assert [node.target for node in module.graph.nodes if node.op == "call_function"] == [
        torch.ops.aten.mul.Tensor
    ]
    assert torch.equal(module(EXAMPLE + 1)[0], (EXAMPLE + 1) * torch.tensor([0.0, 0, 1, 1]))


@pytest.mark.parametrize(
    "compute",
    [
        lambda given: (given * 2,) if bool(given.sum() > 3) else (given,),
        lambda given: (given * float(given.max()),),
        lambda given: (given[given > 3],),
        lambda given: (given.nonzero(),),
    ],
)
def test_going_by_a_value_is_an_error(compute):
    with pytest.raises(RuntimeError, match="goes by a value"):
        record(compute, EXAMPLE)


def test_changing_a_constant_by_the_tensor_is_an_error():
    kept = torch.zeros(3, 4)
    with pytest.raises(RuntimeError, match="none of the picture's"):
        record(lambda given: (kept.add_(given),), EXAMPLE)
