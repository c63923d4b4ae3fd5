"""One vector per sequence, from the states of its tokens.

Shapes: B sequences of a batch, L tokens of the longest, D numbers of a state.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def find_tokens(input_ids_BL: Tensor, special_ids: Sequence[int], attention_mask_BL: Tensor | None = None) -> Tensor:
    """Say where tokens of the sequence stand: bool, (B, L).

    Parameters
    ----------
    input_ids_BL : Tensor, (B, L) int64
        Ids with special tokens and padding.
    special_ids : sequence of int
        Ids that are none of the sequence: those of ``[PAD]``, ``[CLS]`` and ``[SEP]``.
    attention_mask_BL : Tensor, (B, L), optional
        False or 0 at padding; what stands there does not count, whatever its id.
    """
    if attention_mask_BL is None:
        found_BL = torch.ones_like(input_ids_BL, dtype=torch.bool)
    else:
        found_BL = attention_mask_BL.bool()
    for special in special_ids:
        found_BL = found_BL & (input_ids_BL != special)
    return found_BL


def pool_mean(hidden_BLD: Tensor, counted_BL: Tensor) -> Tensor:
    """Take the mean state of the tokens that count, in float32: (B, D); zeros where none does."""
    weight_BL1 = counted_BL[:, :, None].float()
    return (hidden_BLD.float() * weight_BL1).sum(dim=1) / weight_BL1.sum(dim=1).clamp(min=1)
