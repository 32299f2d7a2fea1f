"""A Llama with int8 weights, compiled for the CPU by OpenVINO: four times less to read for each token.

The graph is built here from the weights, operation by operation, with keys and values as its state; nothing is
traced or written to disk. `assistant.language.decoder.CompiledDecoder` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.models.telemetry import import_openvino

if TYPE_CHECKING:
    from openvino import CompiledModel

Array = NDArray[np.float32]

HINTS = {"PERFORMANCE_HINT": "LATENCY", "KV_CACHE_PRECISION": "f16"}


@dataclass(frozen=True)
class Shape:
    """What of a Llama's configuration the graph depends on."""

    hidden: int
    layers: int
    heads: int
    shared: int
    width: int
    base: float
    epsilon: float

    @classmethod
    def of(cls, config: Any) -> Shape:
        """From a transformers `LlamaConfig`."""
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return cls(
            config.hidden_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.num_key_value_heads,
            width,
            float(config.rope_parameters["rope_theta"]),
            config.rms_norm_eps,
        )


def compile_llama(weights: Mapping[str, Array], shape: Shape) -> CompiledModel:
    """A compiled model with a state of keys and values: the logits [1, 1, vocabulary] after the last of T tokens.

    In: embeddings [1, T, hidden], cos and sin [1, 1, T, width] (see `rotations`), mask [1, 1, T, S] (see
    `causal_mask`), and a zero [1] int32. `weights` by transformers' names, linear layers [out, in].
    """
    core = import_openvino().Core()
    compiled: CompiledModel = core.compile_model(_Graph(weights, shape).model(), "CPU", HINTS)
    return compiled


def rotations(shape: Shape, start: int, count: int) -> tuple[Array, Array]:
    """Cosines and sines [1, 1, count, width] that turn queries and keys at places from `start` on (RoPE)."""
    powers = shape.base ** (-np.arange(0, shape.width, 2) / shape.width)
    angles = np.outer(np.arange(start, start + count), powers)
    both = np.concatenate([angles, angles], axis=1)[None, None]
    return np.cos(both).astype(np.float32), np.sin(both).astype(np.float32)


def causal_mask(start: int, count: int) -> Array:
    """What is added to attention scores [1, 1, count, start + count]: each place sees itself and those before."""
    seen = np.arange(start + count)[None] <= np.arange(start, start + count)[:, None]
    return np.where(seen, 0, -65000).astype(np.float32)[None, None]


class _Graph:
    """Builds the graph of one Llama."""

    def __init__(self, weights: Mapping[str, Array], shape: Shape) -> None:
        self.ov, self.weights, self.shape = import_openvino(), weights, shape
        from openvino import opset13

        self.op = opset13
        whole = {"x": [1, -1, shape.hidden], "cos": [1, 1, -1, shape.width], "sin": [1, 1, -1, shape.width]}
        whole["mask"] = [1, 1, -1, -1]
        self.inputs = {name: opset13.parameter(size, np.float32, name) for name, size in whole.items()}
        self.inputs["beam"] = opset13.parameter([1], np.int32, "beam")
        self.kept: list[Any] = []

    def model(self) -> Any:
        """The whole graph."""
        op, x = self.op, self.inputs["x"]
        for layer in range(self.shape.layers):
            name = f"model.layers.{layer}"
            x = op.add(x, self._attend(self._norm(x, f"{name}.input_layernorm.weight"), name, layer))
            x = op.add(x, self._think(self._norm(x, f"{name}.post_attention_layernorm.weight"), name))
        last = op.gather(x, self._ints([-1]), self._ints(1))
        head = "lm_head" if "lm_head.weight" in self.weights else "model.embed_tokens"
        logits = self._linear(self._norm(last, "model.norm.weight"), head)
        return self.ov.Model([op.result(logits)], self.kept, list(self.inputs.values()), "llama")

    def _attend(self, x: Any, name: str, layer: int) -> Any:
        op, s = self.op, self.shape
        query = self._turn(self._heads(self._linear(x, f"{name}.self_attn.q_proj"), s.heads))
        key = self._turn(self._heads(self._linear(x, f"{name}.self_attn.k_proj"), s.shared))
        value = self._heads(self._linear(x, f"{name}.self_attn.v_proj"), s.shared)
        keys, values = (self._keep(t, f"{what}.{layer}") for t, what in ((key, "key"), (value, "value")))
        attended = op.scaled_dot_product_attention(
            query, self._repeat(keys), self._repeat(values), self.inputs["mask"]
        )
        joined = op.reshape(op.transpose(attended, self._ints([0, 2, 1, 3])), self._ints([0, 0, -1]), True)
        return self._linear(joined, f"{name}.self_attn.o_proj")

    def _think(self, x: Any, name: str) -> Any:
        gate = self.op.swish(self._linear(x, f"{name}.mlp.gate_proj"))
        return self._linear(
            self.op.multiply(gate, self._linear(x, f"{name}.mlp.up_proj")), f"{name}.mlp.down_proj"
        )

    def _keep(self, new: Any, name: str) -> Any:
        """What was kept before and the new, which together are kept."""
        op, size = self.op, [1, self.shape.shared, -1, self.shape.width]
        empty = op.constant(np.zeros([1, self.shape.shared, 0, self.shape.width], np.float32))
        before = op.read_value(empty, name, np.float32, size)
        picked = op.gather(before, self.inputs["beam"], self._ints(0))
        both = op.concat([picked, new], 2)
        self.kept.append(op.assign(both, name))
        return both

    def _repeat(self, kept: Any) -> Any:
        """[1, shared, S, width] -> [1, heads, S, width]: several queries share a key."""
        op, s = self.op, self.shape
        if s.heads == s.shared:
            return kept
        apart = op.unsqueeze(kept, self._ints(2))
        wide = op.broadcast(
            apart, self._ints([1, s.shared, s.heads // s.shared, 1, 1]), broadcast_spec="BIDIRECTIONAL"
        )
        return op.reshape(wide, self._ints([0, s.heads, -1, s.width]), True)

    def _heads(self, x: Any, count: int) -> Any:
        apart = self.op.reshape(x, self._ints([0, 0, count, self.shape.width]), True)
        return self.op.transpose(apart, self._ints([0, 2, 1, 3]))

    def _turn(self, x: Any) -> Any:
        op, half = self.op, self.shape.width // 2
        one, other = op.variadic_split(x, self._ints(3), self._ints([half, half])).outputs()
        turned = op.concat([op.negative(other), one], 3)
        return op.add(op.multiply(x, self.inputs["cos"]), op.multiply(turned, self.inputs["sin"]))

    def _norm(self, x: Any, name: str) -> Any:
        op = self.op
        mean = op.reduce_mean(op.power(x, op.constant(np.float32(2))), self._ints([-1]), True)
        scale = op.divide(
            op.constant(np.float32(1)), op.sqrt(op.add(mean, op.constant(np.float32(self.shape.epsilon))))
        )
        return op.multiply(op.multiply(x, scale), op.constant(self.weights[name].astype(np.float32)))

    def _linear(self, x: Any, name: str) -> Any:
        op, weight = self.op, self.weights[f"{name}.weight"]
        scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-8) / 127
        small = op.constant(np.round(weight / scale).astype(np.int8))
        whole = op.multiply(op.convert(small, "f32"), op.constant(scale.astype(np.float32)))
        return op.matmul(x, whole, False, True)

    def _ints(self, values: Any) -> Any:
        return self.op.constant(np.array(values, np.int64))
