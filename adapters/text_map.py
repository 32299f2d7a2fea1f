"""Zero-shot evidence from text: which patches look more like "damaged" than like "flawless".

Works only for towers that align patches with text (CLIP).
"""

from __future__ import annotations

from torch import Tensor

TEMPERATURE = 0.01
"""CLIP's own: cosines are multiplied by 100 before the softmax."""


def text_map(patches: Tensor, states: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """The probability of "abnormal" at each patch: [B, h, w, D] and [2, D] (normal, abnormal) -> [B, h, w].

    Whole pictures [B, D] are told apart in the same way. Both of unit length; values in [0, 1]. (WinCLIP, Jeong et
    al. 2023, on single patches.)
    """
    logits = patches.float() @ states.float().T / temperature
    return logits.softmax(dim=-1)[..., 1]
