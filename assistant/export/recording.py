"""Records what is computed from one tensor as a graph of operations with fixed shapes.

Whatever does not depend on that tensor is computed once and kept as a constant. Code that would decide by a value
of it, and so go another way for another picture, is an error and never frozen into the graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


def record(
    compute: Callable[[Tensor], Sequence[Tensor]], example: Tensor
) -> tuple[fx.GraphModule, Sequence[Tensor]]:
    """What `compute` does with a tensor of the shape and type of `example`: a module that does the same.

    Also what it gives for the example.

    RuntimeError where it goes by a value of the tensor.
    """
    recorder = _Recorder(example)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), recorder:
        outputs = compute(example)
    return recorder.finish(outputs), outputs


class _Recorder(TorchDispatchMode):
    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.root = torch.nn.Module()
        self.graph = fx.Graph()
        # The tensors are held, or another could take the place, and so the name, of one that went.
        self.known = {id(example): (example, self.graph.placeholder("picture"))}
        self.constants: dict[int, tuple[Tensor, fx.Node]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if not any(id(one) in self.known for one in tree_leaves((args, kwargs))):
            return made
        if _goes_by_values(func, args):
            raise RuntimeError(f"the computation goes by a value of the picture, in {func}")
        if func._schema.is_mutable and id(args[0]) not in self.known:
            raise RuntimeError(f"the computation changes a tensor that is none of the picture's, in {func}")
        node = self.graph.call_function(func, *tree_map(self._node, (args, kwargs)))
        if isinstance(made, Tensor):
            self.known[id(made)] = made, node
        else:
            for i, one in enumerate(made):
                if isinstance(one, Tensor):
                    self.known[id(one)] = one, self.graph.call_function(operator.getitem, (node, i))
        return made

    def finish(self, outputs: Sequence[Tensor]) -> fx.GraphModule:
        """The module of all that was recorded."""
        self.graph.output(tuple(self._node(one) for one in outputs))
        self.graph.eliminate_dead_code()
        module = fx.GraphModule(self.root, self.graph)
        module.delete_all_unused_submodules()
        return module

    def _node(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.root.register_buffer(name, value.detach())
            self.constants[id(value)] = value, self.graph.get_attr(name)
        return self.constants[id(value)][1]


def _goes_by_values(func: Any, args: Any) -> bool:
    """Whether what an operation gives is no tensor, or one whose shape hangs on values."""
    if func is torch.ops.aten.index.Tensor:
        return any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in args[1])
    return torch.Tag.data_dependent_output in func.tags or torch.Tag.dynamic_output_shape in func.tags
