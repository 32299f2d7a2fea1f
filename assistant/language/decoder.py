"""Runs a causal language model one token at a time, with what it has read kept between calls.

`Decoder` is what the pocket explainer needs of a model; `TorchDecoder` is any model of transformers, and
`CompiledDecoder` a Llama with int8 weights in OpenVINO, several times faster on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.language.compiled_llama import Shape, causal_mask, compile_llama, rotations
from assistant.models.telemetry import import_openvino

Array = NDArray[np.float32]


class Reading(Protocol):
    """What a model has read so far, `length` tokens."""

    @property
    def length(self) -> int: ...

    def extend(self, embeddings: Array) -> Array:
        """Read on, [T, hidden]; the logits [vocabulary] of what may follow."""
        ...

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        ...


class Decoder(Protocol):
    """A causal language model."""

    def embed(self, ids: Sequence[int]) -> Array:
        """The model's own embeddings [T, hidden] of tokens."""
        ...

    def start(self) -> Reading:
        """A reading of nothing; several may go on at once."""
        ...


class TorchDecoder:
    """A causal model of transformers as it stands, on its device and in its type."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, ids: Sequence[int]) -> Array:
        """See `Decoder`."""
        table = self.model.get_input_embeddings()
        rows: Array = table(torch.tensor(list(ids), device=self.model.device)).float().cpu().numpy()
        return rows

    def start(self) -> Reading:
        """See `Decoder`."""
        return _TorchReading(self.model)


class _TorchReading:
    def __init__(self, model: Any) -> None:
        from transformers import DynamicCache

        self._model, self._cache = model, DynamicCache(config=model.config)

    @property
    def length(self) -> int:
        return int(self._cache.get_seq_length())

    @torch.inference_mode()
    def extend(self, embeddings: Array) -> Array:
        batch = torch.from_numpy(embeddings)[None].to(self._model.device, self._model.dtype)
        # The reading keeps the cache: the model fills it in place.
        out = self._model(inputs_embeds=batch, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        logits: Array = out.logits[0, -1].float().cpu().numpy()
        return logits

    def crop(self, length: int) -> None:
        if self.length > length:
            self._cache.crop(length - self.length)


class CompiledDecoder:
    """A Llama compiled from its transformers model, which is not needed afterwards. See `can_compile`."""

    def __init__(self, model: Any) -> None:
        weights = {name: t.detach().float().numpy() for name, t in model.state_dict().items()}
        if model.config.tie_word_embeddings:
            weights.pop("lm_head.weight", None)
        self._shape = Shape.of(model.config)
        self._table = weights["model.embed_tokens.weight"].astype(np.float16)
        self._model = compile_llama(weights, self._shape)

    def embed(self, ids: Sequence[int]) -> Array:
        """See `Decoder`."""
        rows: Array = self._table[list(ids)].astype(np.float32)
        return rows

    def start(self) -> Reading:
        """See `Decoder`."""
        return _CompiledReading(self._model.create_infer_request(), self._shape)


class _CompiledReading:
    def __init__(self, request: Any, shape: Shape) -> None:
        self._request, self._shape, self.length = request, shape, 0
        request.reset_state()

    def extend(self, embeddings: Array) -> Array:
        count = len(embeddings)
        cos, sin = rotations(self._shape, self.length, count)
        mask = causal_mask(self.length, count)
        self._request.infer([embeddings[None], cos, sin, mask, np.zeros(1, np.int32)])
        self.length += count
        logits: Array = self._request.get_output_tensor().data[0, -1].copy()
        return logits

    def crop(self, length: int) -> None:
        openvino = import_openvino()
        if length >= self.length:
            return
        for kept in self._request.query_state():
            if length:
                kept.state = openvino.Tensor(np.ascontiguousarray(kept.state.data[:, :, :length]))
            else:
                kept.reset()
        self.length = length


def can_compile(config: Any) -> bool:
    """Whether `CompiledDecoder` runs a model of this configuration: a Llama without biases or long ropes."""
    return bool(
        config.model_type == "llama"
        and not getattr(config, "attention_bias", False)
        and not getattr(config, "mlp_bias", False)
        and config.hidden_act == "silu"
        and (config.rope_parameters or {}).get("rope_type", "default") == "default"
    )
