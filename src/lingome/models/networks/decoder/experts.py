"""A mixture of experts: several feed-forward networks, of which each token goes through a few.

Shapes are in the names: ``x_TD`` has axes T, D.

====  ==========================================================
T     tokens of the whole batch, padding included
D, F  hidden size; feed-forward size of one expert
E, S  experts; those chosen for a token (``n_experts_per_token``)
R     tokens that chose one expert
====  ==========================================================

A linear router scores the experts for each token; softmax over all E, the S highest are kept and their shares scaled
to sum to 1, and the token's output is the sum of what those experts make of it, weighted so (Shazeer et al. 2017,
arXiv:1701.06538; in the form of Mixtral, Jiang et al. 2024, arXiv:2401.04088).

=========================  ==================================  =================================
tensor                     value                               source
=========================  ==================================  =================================
router, matrices           as `lingome.models.networks.decoder.model`         Jiang et al. 2024, released code
=========================  ==================================  =================================
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.networks.decoder.shape import DecoderConfig


def activate(inner: Tensor, ffn: str) -> Tensor:
    """Apply a feed-forward's activation: GELU by its tanh formula, or SiLU of the first half times the second.

    Parameters
    ----------
    inner : Tensor, shape (..., F); (..., 2 F) for ``swiglu``
        What the first matrix gives.
    ffn : {"gelu_tanh", "swiglu"}
        Which of them.

    Returns
    -------
    Tensor, shape (..., F)
    """
    if ffn == "swiglu":
        gate, value = inner.chunk(2, dim=-1)
        return F.silu(gate) * value
    return F.gelu(inner, approximate="tanh")


class Expert(nn.Module):
    """One feed-forward network."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.ffn = config.ffn
        width = config.ffn_size * (2 if config.ffn == "swiglu" else 1)
        self.ffn_in = nn.Linear(config.hidden_size, width, bias=config.bias)
        self.ffn_out = nn.Linear(config.ffn_size, config.hidden_size, bias=config.bias)

    def forward(self, x_RD: Tensor) -> Tensor:
        """Map (R, D) to (R, D)."""
        out: Tensor = self.ffn_out(activate(self.ffn_in(x_RD), self.ffn))
        return out


class Mixture(nn.Module):
    """A router and its experts, in the place of one feed-forward network."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.n_chosen = config.n_experts_per_token
        self.router = nn.Linear(config.hidden_size, config.n_experts, bias=False)
        self.experts = nn.ModuleList(Expert(config) for _ in range(config.n_experts))

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Give (B, L, D). Tokens are grouped by expert, so that each expert runs once."""
        x_TD = x_BLD.reshape(-1, x_BLD.shape[-1])
        shares_TS, chosen_TS = self.route(x_TD)
        out_TD = torch.zeros_like(x_TD)
        for index, expert in enumerate(self.experts):
            tokens_R, place_R = (chosen_TS == index).nonzero(as_tuple=True)
            # In training the idle ones run on no token: every parameter has a gradient, if of zeros.
            if len(tokens_R) or self.training:
                made_RD = expert(x_TD[tokens_R]) * shares_TS[tokens_R, place_R, None]
                out_TD = out_TD.index_add(0, tokens_R, made_RD.to(out_TD.dtype))
        return out_TD.view_as(x_BLD)

    def route(self, x_TD: Tensor) -> tuple[Tensor, Tensor]:
        """Choose the experts of each token: their shares, (T, S), which sum to 1, and numbers, (T, S) int64."""
        probs_TE = self.router(x_TD).float().softmax(dim=-1)
        best_TS, chosen_TS = probs_TE.topk(self.n_chosen, dim=-1)
        return (best_TS / best_TS.sum(dim=-1, keepdim=True)).to(x_TD.dtype), chosen_TS
