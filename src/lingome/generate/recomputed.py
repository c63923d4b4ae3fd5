"""A causal model without a cache as `NextTokens`: every token is computed from all before it, again each time."""

from __future__ import annotations

import torch
from torch import Tensor

from lingome.core.errors import DataError
from lingome.generate.cached import CachedDecoder
from lingome.generate.next_tokens import NextTokens
from lingome.models.architecture import CausalModel
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.networks.decoder.shape import DecoderConfig

# Dimension legend: B rows of a batch, L tokens so far, V tokens in the vocabulary


class Recomputed:
    """A model that reads the whole sequence anew for each token: exact, and slower the longer it is.

    A Hyena has no keys and values to keep: its convolutions reach back to the first token.

    Parameters
    ----------
    model : CausalModel
        In evaluation mode.
    max_tokens : int
        Tokens of a sequence at most, prompt included.
    slide : bool
        What happens when the model's positions are full: an error, or the model goes on from the last half of them.
    """

    def __init__(self, model: CausalModel, max_tokens: int, *, slide: bool = False) -> None:
        self.model = model
        self.max_tokens = min(max_tokens, model.config.max_positions)
        self.slide = slide
        self._ids_BL = torch.empty(0, 0, dtype=torch.int64)
        self._mask_BL: Tensor | None = None

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Read prompts, padded on the left where the mask is false, and give logits (B, V).

        Raises
        ------
        DataError
            If the prompt alone is longer than the model can read.
        """
        if input_ids_BL.shape[1] > self.max_tokens:
            raise DataError("the prompt is longer than the model can read", got=f"{input_ids_BL.shape[1]:,} tokens",
                            expected=f"at most {self.max_tokens:,}", hint="give a shorter prompt")
        self._ids_BL = input_ids_BL
        self._mask_BL = attention_mask_BL
        return self._read()

    def step(self, tokens_B: Tensor) -> Tensor:
        """Read one token more in each row, and give logits (B, V).

        Raises
        ------
        DataError
            If the model's positions are full and it does not slide.
        """
        self._ids_BL = torch.cat([self._ids_BL, tokens_B[:, None]], dim=1)
        if self._mask_BL is not None:
            self._mask_BL = torch.cat([self._mask_BL, torch.ones_like(self._mask_BL[:, :1])], dim=1)
        if self._ids_BL.shape[1] > self.max_tokens:
            if not self.slide:
                raise DataError("the sequence becomes longer than the model can read", expected=f"at most "
                                f"{self.max_tokens:,} tokens", hint="shorter sequences, or too_long=slide")
            half = max(1, self.max_tokens // 2)
            self._ids_BL = self._ids_BL[:, -half:]
            self._mask_BL = None if self._mask_BL is None else self._mask_BL[:, -half:]
        return self._read()

    def reorder(self, index_B: Tensor) -> None:
        """Let row `i` go on from row ``index_B[i]``; the batch takes the length of the index."""
        self._ids_BL = self._ids_BL[index_B]
        self._mask_BL = None if self._mask_BL is None else self._mask_BL[index_B]

    def _read(self) -> Tensor:
        with torch.no_grad():
            logits_BV = self.model.last_logits(self._ids_BL, self._mask_BL)
        return logits_BV[:, : self.model.config.vocab_size]  # the rows behind it stand for no token


def reader_of(model: CausalModel, max_tokens: int, *, slide: bool = False) -> NextTokens:
    """Give the fastest exact way to read with a model: a cache where it has one."""
    if isinstance(model, CausalLM):
        return CachedDecoder(model, max_tokens, slide=slide)
    return Recomputed(model, max_tokens, slide=slide)


def reading_cost(model: CausalModel, rows: int, n_tokens: int) -> tuple[float, float]:
    """Estimate what reading `rows` sequences of `n_tokens` costs: bytes, and times the time of a model with a cache."""
    config = model.config
    if isinstance(config, DecoderConfig):
        return 8.0 * rows * n_tokens * config.n_layers * config.n_kv_heads * config.head_size, 1.0
    return 60.0 * rows * n_tokens * config.hidden_size, 1 + n_tokens / 200
