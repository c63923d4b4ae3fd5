"""A `CausalLM` as `NextTokens`: keys and values of what was read are kept, and only the last token is computed."""

from __future__ import annotations

import torch
from torch import Tensor

from lingome.core.errors import DataError
from lingome.models.networks.decoder.model import CausalLM, KvCache
from lingome.models.networks.decoder.one_row import OneRow

# Dimension legend: B rows of a batch, L tokens of a prompt, V tokens in the vocabulary


class CachedDecoder:
    """A decoder that remembers what it has read.

    Parameters
    ----------
    model : CausalLM
        In evaluation mode.
    max_tokens : int
        Tokens of a sequence at most, prompt included; the memory for them, or for the model's positions if
        those are fewer, is taken at once.
    slide : bool
        What happens when the model's positions are full: an error, or the model reads the last half of them
        again and goes on from there. It then knows only that half.
    """

    def __init__(self, model: CausalLM, max_tokens: int, *, slide: bool = False) -> None:
        self.model = model
        self.max_tokens = min(max_tokens, model.config.max_positions)
        self.slide = slide
        self._weight = model.head.weight
        self._history_BT = torch.empty(0, 0, dtype=torch.int64)
        self._cache: KvCache | None = None
        self._one_row: OneRow | None = None

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Read prompts, padded on the left where the mask is false, and give logits (B, V).

        Raises
        ------
        DataError
            If the prompt alone is longer than the model can read, or prompts are padded where the model slides.
        """
        if input_ids_BL.shape[1] > self.max_tokens:
            raise DataError("the prompt is longer than the model can read", got=f"{input_ids_BL.shape[1]:,} tokens",
                            expected=f"at most {self.max_tokens:,}", hint="give a shorter prompt")
        if self.slide and attention_mask_BL is not None and not bool(attention_mask_BL.all()):
            raise DataError("padded prompts cannot slide", got="prompts of several lengths", expected="one length",
                            hint="one prompt at a time, or too_long=error")
        self._history_BT = input_ids_BL
        return self._read(input_ids_BL, attention_mask_BL)

    def step(self, tokens_B: Tensor) -> Tensor:
        """Read one token more in each row, and give logits (B, V).

        Raises
        ------
        DataError
            If the model's positions are full and it does not slide.
        """
        assert self._cache is not None, "start comes first"
        if self.slide:
            self._history_BT = torch.cat([self._history_BT, tokens_B[:, None]], dim=1)
        if self._cache.length == self.max_tokens:
            if not self.slide:
                raise DataError("the sequence becomes longer than the model can read", expected=f"at most "
                                f"{self.max_tokens:,} tokens", hint="shorter sequences, or too_long=slide")
            return self._read(self._history_BT[:, -max(1, self.max_tokens // 2) :], None)
        if self._one_row is not None and not torch.is_autocast_enabled("cpu"):
            return self._one_row.step(int(tokens_B[0]))
        with torch.no_grad():
            return self.model.last_logits(tokens_B[:, None], None, self._cache)

    def reorder(self, index_B: Tensor) -> None:
        """Let row `i` go on from row ``index_B[i]``; the batch takes the length of the index."""
        assert self._cache is not None, "start comes first"
        n_before = self._cache.batch_size
        self._cache.reorder(index_B)
        if len(index_B) != n_before:
            self._one_row = OneRow(self.model, self._cache) if OneRow.fits(self.model, self._cache) else None
        if self.slide:
            self._history_BT = self._history_BT[index_B]

    def _read(self, ids_BL: Tensor, mask_BL: Tensor | None) -> Tensor:
        """Fill a new cache."""
        self._cache = KvCache(self.model.config, len(ids_BL), self.max_tokens, ids_BL.device, self._weight.dtype)
        with torch.no_grad():
            logits_BV = self.model.last_logits(ids_BL, mask_BL, self._cache)
        self._one_row = OneRow(self.model, self._cache) if OneRow.fits(self.model, self._cache) else None
        return logits_BV
