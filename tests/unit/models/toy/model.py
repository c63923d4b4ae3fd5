"""A toy network, whole. Shapes: B sequences, L tokens, D hidden size, M chosen positions, V tokens of the vocabulary.

A layer is ``x + W2 gelu(W1 norm(x) + mean over real tokens of W1 norm(x))``. First weights are those of every encoder
(`lingome.models.layers.first_weights.draw_weights`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.architecture import Body
from lingome.models.layers.blocks import check_length
from lingome.models.layers.first_weights import draw_weights
from lingome.models.networks.toy.shape import ToyConfig


class ToyLayer(nn.Module):
    """One layer."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.ffn_in = nn.Linear(config.hidden_size, config.hidden_size)
        self.ffn_out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x_BLD: Tensor, real_BL1: Tensor) -> Tensor:
        """Give (B, L, D); `real_BL1`, (B, L, 1), is 0 at padding."""
        inner_BLD = self.ffn_in(self.norm(x_BLD))
        mean_B1D = (inner_BLD * real_BL1).sum(dim=1, keepdim=True) / real_BL1.sum(dim=1, keepdim=True).clamp(min=1)
        out: Tensor = x_BLD + self.ffn_out(F.gelu(inner_BLD + mean_B1D))
        return out


class Toy(Body):
    """The body."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(ToyLayer(config) for _ in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.hidden_size)

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Give (B, L, D), or (M, D) at the positions where `masked_BL` is true."""
        hidden_BLD = self.hidden_states(input_ids_BL, attention_mask_BL)[-1]
        return hidden_BLD if masked_BL is None else hidden_BLD[masked_BL]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Give n_layers + 1 states, (B, L, D); the last is final."""
        check_length(input_ids_BL.shape[1], self.config.max_positions)
        real_BL = torch.ones_like(input_ids_BL) if attention_mask_BL is None else attention_mask_BL
        states = [self.tokens(input_ids_BL)]
        for layer in self.layers:
            states.append(layer(states[-1], real_BL[:, :, None].to(states[-1].dtype)))
        return [*states[:-1], self.final_norm(states[-1])]


class ToyHead(nn.Module):
    """Scores of every token by the embedding matrix."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size)

    def forward(self, x_D: Tensor) -> Tensor:
        """Map (..., D) to logits (..., V)."""
        logits: Tensor = self.decoder(x_D)
        return logits


def initialise_toy(model: nn.Module, seed: int) -> None:
    """Set every weight; each tensor's draw depends on `seed` and its name alone."""
    draw_weights(model, seed, None)
