"""What networks share: rotary positions, attention, norms, dropout, and how padding is seen.

Axes are in the names: B sequences, L or T key positions, Q query positions, H heads of K numbers, N = B * H,
D hidden size.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import DataError

HIDDEN_SCORE = -1e30
"""Added to the scores of what may not be seen: far below any real score, yet finite in bfloat16."""


class Rotation(NamedTuple):
    """Cosines and signed sines of rotary positions, each (B or 1, L, 1, K)."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, length: int, head_size: int, theta: float, device: torch.device) -> Rotation:
        """Compute the table for positions 0 to `length` - 1, in float32.

        Parameters
        ----------
        length : int
            L, positions.
        head_size : int
            K, even.
        theta : float
            Base of the wavelengths.
        device : device
            Where the table is kept.
        """
        steps = torch.arange(0, head_size, 2, device=device, dtype=torch.float32) / head_size
        angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), 1.0 / theta**steps)
        cos = angles.cos()
        sin = angles.sin()
        return cls(torch.cat([cos, cos], 1)[None, :, None], torch.cat([-sin, sin], 1)[None, :, None])

    def turn(self, x_BLHK: Tensor) -> Tensor:
        """Rotate each pair of halves by its angle: (B, L, H, K)."""
        halves = torch.roll(x_BLHK, x_BLHK.shape[-1] // 2, dims=-1)
        return torch.addcmul(x_BLHK * self.cos.to(x_BLHK.dtype), halves, self.sin.to(x_BLHK.dtype))

    def at(self, places_BQ: Tensor | slice) -> Rotation:
        """Give the table of chosen positions, (B, Q) or one per row, (T,); a slice is the same for every sequence."""
        if isinstance(places_BQ, slice):
            return Rotation(self.cos[:, places_BQ], self.sin[:, places_BQ])
        return Rotation(self.cos[0, places_BQ], self.sin[0, places_BQ])


def attend(
    q_BHQK: Tensor, k_BHLK: Tensor, v_BHLK: Tensor, bias: Tensor | None, dropout: float, *, causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute softmax(q k' / sqrt(K) + bias) v.

    On CPUs in bfloat16 two matrix products and a softmax take 0.3 to 0.8 of the fused kernel's time up to about a
    thousand tokens; in float32 and elsewhere the fused kernel wins.

    Parameters
    ----------
    q_BHQK, k_BHLK, v_BHLK : Tensor, (B, H, Q, K) and (B, H, L, K) float
        Queries, keys and values.
    bias : Tensor, (B, Q, L) or (B, H, Q, L) float, optional
        Added to the scores, the same for all heads or by head; B, H and Q may be 1 instead.
    dropout : float
        Share of the weights set to zero.
    causal : bool
        Whether a query sees the keys up to its own place alone; with as many queries as keys, and no bias.
    scale : float, optional
        In place of 1 / sqrt(K).

    Returns
    -------
    Tensor, (B, H, Q, K) float
    """
    B, H, Q, K = q_BHQK.shape
    if bias is not None:
        bias = (bias if bias.dim() == 4 else bias[:, None]).to(q_BHQK.dtype)
    if q_BHQK.device.type != "cpu" or q_BHQK.dtype != torch.bfloat16 or k_BHLK.shape[2] > 1024:
        return F.scaled_dot_product_attention(
            q_BHQK, k_BHLK, v_BHLK, attn_mask=bias, dropout_p=dropout, is_causal=causal, scale=scale
        )
    if causal:
        bias = hide(torch.ones(Q, Q, dtype=torch.bool, device=q_BHQK.device).tril())[None, None].to(q_BHQK.dtype)
    q_NQK, k_NLK, v_NLK = (x.reshape(B * H, -1, K).contiguous() for x in (q_BHQK, k_BHLK, v_BHLK))
    used = 0
    bias_NQL = q_NQK.new_zeros(1)
    if bias is not None:
        used = 1
        bias_NQL = bias[0] if bias.shape[:2] == (1, 1) else bias.expand(B, H, -1, -1).flatten(0, 1)
    scores_NQL = torch.baddbmm(bias_NQL, q_NQK, k_NLK.transpose(1, 2), beta=used, alpha=scale or 1 / math.sqrt(K))
    weights_NQL = F.dropout(scores_NQL.softmax(dim=-1), dropout, training=dropout > 0)
    return torch.bmm(weights_NQL, v_NLK).view(B, H, Q, K)


def is_padded(attention_mask_BL: Tensor | None) -> TypeGuard[Tensor]:
    """Say whether a batch with this mask, (B, L), has padding.

    While a model is exported it always may: a graph cannot ask its input.
    """
    if attention_mask_BL is None:
        return False
    return torch.compiler.is_exporting() or not bool(attention_mask_BL.all())


def check_length(n_tokens: int, most: int) -> None:
    """Refuse a sequence of more tokens than a model reads.

    Raises
    ------
    DataError
        Says both numbers.
    """
    if n_tokens > most:
        raise DataError("a sequence is longer than the model can read", got=f"{n_tokens} tokens",
                        expected=f"at most {most}", hint="cut the sequences into windows, or truncate them")


def hide(visible: Tensor) -> Tensor:
    """Give the scores to add: 0 where True, `HIDDEN_SCORE` where False.

    Parameters
    ----------
    visible : Tensor of bool, of any shape
        What may be seen.

    Returns
    -------
    Tensor of float32, of the shape of `visible`
    """
    return torch.where(visible, 0.0, HIDDEN_SCORE)


def drop(x: Tensor, share: float, training: bool) -> Tensor:
    """Set a share of activations to zero in training, and scale the others up.

    Parameters
    ----------
    x : Tensor of float, of any shape
        Activations.
    share : float
        0 leaves them as they are, and draws nothing.
    training : bool
        Whether the module trains.

    Returns
    -------
    Tensor of float, of the shape of `x`
    """
    return F.dropout(x, share, training) if share else x


def build_norm(kind: Literal["layer", "rms"], size: int, eps: float, *, bias: bool) -> nn.LayerNorm | nn.RMSNorm:
    """Make a norm over the last axis.

    Parameters
    ----------
    kind : {"layer", "rms"}
        LayerNorm, or RMSNorm, which has no bias.
    size : int
        D.
    eps : float
        Added to the variance.
    bias : bool
        Whether a LayerNorm has one.
    """
    return nn.RMSNorm(size, eps=eps) if kind == "rms" else nn.LayerNorm(size, eps=eps, bias=bias)


def last_real(hidden_BLD: Tensor, attention_mask_BL: Tensor | None) -> Tensor:
    """Give the state of the last real token of each sequence, (B, D): the last of all where there is no mask."""
    if attention_mask_BL is None:
        return hidden_BLD[:, -1]
    count_L = torch.arange(1, hidden_BLD.shape[1] + 1, device=hidden_BLD.device)
    last_B = (attention_mask_BL.bool() * count_L).argmax(dim=1)
    return hidden_BLD[torch.arange(len(last_B), device=last_B.device), last_B]
