"""Prompt ensembles: many sentences read by a text tower and averaged into one unit vector.

The tower is any function from sentences to vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .defects import DEFECTS, Defect
from .states import compose

EncodeText = Callable[[list[str]], Tensor]

DEFECT_TEMPLATES = ("{}", "photo of {}", "close view of {}", "surface with {}", "product that shows {}")


def state_vectors(encode_text: EncodeText, product: str | None = None) -> Tensor:
    """The directions of "normal" and "abnormal" for a product, or for any object where none is named.

    Each sentence's vector is L2-normalised, the vectors of a state are averaged, and the mean is normalised
    again, as in WinCLIP (Jeong et al., CVPR 2023). `encode_text` maps N sentences to [N, D].

    Returns [2, D] float32, row 0 normal and row 1 abnormal, on the encoder's device. ValueError where the
    encoder returns another shape or a number that is not finite.
    """
    prompts = compose(product)
    return _average(encode_text, (prompts.normal, prompts.abnormal))


def defect_vectors(encode_text: EncodeText, defects: Sequence[Defect] = DEFECTS) -> Tensor:
    """One direction per defect type, in the order of `defects`, made like `state_vectors`.

    Returns [T, D] float32 of unit length. Same errors as `state_vectors`.
    """
    return _average(encode_text, [defect_prompts(defect) for defect in defects])


def defect_prompts(defect: Defect) -> tuple[str, ...]:
    """The sentences that stand for a defect type: its description, name and synonyms in each template."""
    phrases = (defect.description, defect.name, *defect.words)
    return tuple(template.replace("{}", phrase) for phrase in phrases for template in DEFECT_TEMPLATES)


def _average(encode_text: EncodeText, groups: Sequence[Sequence[str]]) -> Tensor:
    # One call for all groups: a tower is quicker with few large batches.
    sentences = [sentence for group in groups for sentence in group]
    vectors = encode_text(sentences)
    if vectors.ndim != 2 or vectors.shape[0] != len(sentences):
        raise ValueError(f"the text encoder gave {tuple(vectors.shape)} for {len(sentences)} sentences")
    if not torch.isfinite(vectors).all():
        raise ValueError("the text encoder gave a number that is not finite")
    units = normalize(vectors.float(), dim=-1)
    bounds = accumulate((len(group) for group in groups), initial=0)
    means = [units[start:end].mean(dim=0) for start, end in pairwise(bounds)]
    return normalize(torch.stack(means), dim=-1)
