"""What encoder and decoder share: rotary positions, attention, and the draw of first weights.

Axes are named as in `lingome.models.networks.transformer.model`: B sequences, L or T key positions, Q query
positions, H heads of K numbers, N = B * H.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import DataError
from lingome.core.seeds import derive_seed
from lingome.models.shape import DecoderConfig, TransformerConfig

HIDDEN_SCORE = -1e30
"""Added to the scores of what may not be seen: far below any real score, yet finite in bfloat16."""


class Rotation(NamedTuple):
    """Cosines and signed sines of rotary positions, each (B or 1, L, 1, K)."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(
        cls, length: int, config: TransformerConfig | DecoderConfig, device: torch.device, theta: float | None = None
    ) -> Rotation:
        """Compute the table for positions 0 to `length` - 1, in float32; `theta` stands for the shape's own base."""
        base = config.rope_theta if theta is None else theta
        steps = torch.arange(0, config.head_size, 2, device=device, dtype=torch.float32) / config.head_size
        angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), 1.0 / base**steps)
        cos = angles.cos()
        sin = angles.sin()
        return cls(torch.cat([cos, cos], 1)[None, :, None], torch.cat([-sin, sin], 1)[None, :, None])

    def turn(self, x_BLHK: Tensor) -> Tensor:
        """Rotate each pair of halves by its angle."""
        halves = torch.roll(x_BLHK, x_BLHK.shape[-1] // 2, dims=-1)
        return torch.addcmul(x_BLHK * self.cos.to(x_BLHK.dtype), halves, self.sin.to(x_BLHK.dtype))

    def at(self, places_BQ: Tensor | slice) -> Rotation:
        """Give the table of chosen positions, (B, Q) or one a row, (T,); a slice is the same for every sequence."""
        if isinstance(places_BQ, slice):
            return Rotation(self.cos[:, places_BQ], self.sin[:, places_BQ])
        return Rotation(self.cos[0, places_BQ], self.sin[0, places_BQ])


def attend(
    q_BHQK: Tensor, k_BHLK: Tensor, v_BHLK: Tensor, bias: Tensor | None, dropout: float, *, causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute softmax(q k' / sqrt(K) + bias) v: (B, H, Q, K); `scale` stands for 1 / sqrt(K), if given.

    The bias is (B, Q, L), the same for all heads, or (B, H, Q, L); B, H and Q may be 1 instead. With `causal` (as
    many queries as keys, and no bias) a query sees the keys up to its own place. On CPUs in bfloat16 two
    matrix products and a softmax take 0.3 to 0.8 of the fused kernel's time up to about a thousand
    tokens; in float32 and elsewhere the fused kernel wins.
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
    """Say whether a batch has padding. While a model is exported it always may: a graph cannot ask its input."""
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
    """Give the scores to add: 0 where True, `HIDDEN_SCORE` where False."""
    return torch.where(visible, 0.0, HIDDEN_SCORE)


@torch.no_grad()
def draw_weights(model: nn.Module, seed: int, residual_layers: int | None) -> None:
    """Set every weight: normal(0, 0.02) cut at 2 sd, biases 0, scales 1.

    Parameters
    ----------
    model : Module
        On the CPU or elsewhere; the draws are the same.
    seed : int
        Each tensor's draw depends on it and on the tensor's name alone.
    residual_layers : int, optional
        n: matrices out of attention and feed-forward are divided by sqrt(2 n). None: they are not.
    """
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
        elif parameter.dim() == 1:
            parameter.fill_(1.0)
        else:
            out = name.endswith(("attention_out.weight", "ffn_out.weight"))
            std = 0.02 / math.sqrt(2 * residual_layers) if out and residual_layers is not None else 0.02
            draw = torch.Generator().manual_seed(derive_seed(seed, "weights", name))
            values = torch.empty(parameter.shape, dtype=torch.float32)
            nn.init.trunc_normal_(values, 0.0, std, -2 * std, 2 * std, generator=draw)
            parameter.copy_(values)
