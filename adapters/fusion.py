"""How two opinions of one place become one number."""

from __future__ import annotations

from torch import Tensor

_LEAST = 1e-12


def harmonic(one: Tensor, other: Tensor, share: float = 0.5) -> Tensor:
    """The weighted harmonic mean of numbers >= 0, `other` counting by `share` in [0, 1].

    1 / ((1 - share) / one + share / other): high only where both are, and next to 0 where one of them that counts
    is 0. Shapes broadcast. (AdaptCLIP, Gao et al. 2025, joins its maps so, and WinCLIP, Jeong et al. 2023, its
    windows.)
    """
    return 1 / ((1 - share) / one.clamp_min(_LEAST) + share / other.clamp_min(_LEAST))
