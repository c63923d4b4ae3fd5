"""An `EncoderDecoderLM` as `NextTokens`: the source is read once, and only the last target token is computed."""

from __future__ import annotations

import torch
from torch import Tensor

from lingome.core.errors import DataError
from lingome.models.networks.encoder_decoder.model import DecoderCache, EncoderDecoderLM, Source

# Dimension legend: B rows of a batch, L tokens of a source, Q of a target's beginning, V in the vocabulary


class SourceReader:
    """A decoder that has read its sources and remembers what it has written.

    The prompts of `lingome.generate.sampling.generate` are beginnings of targets here: ``model.config.start_id``, and
    after it what is to be written first, if anything.

    Parameters
    ----------
    model : EncoderDecoderLM
        In evaluation mode.
    input_ids_BL : Tensor, (B, L) int
        Sources, one per prompt; a single one is the source of all prompts.
    attention_mask_BL : Tensor, (B, L) bool, optional
        False at padding.
    max_tokens : int
        Tokens of a target at most, its beginning included; the memory for them is taken at once.
    """

    def __init__(
        self, model: EncoderDecoderLM, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, *, max_tokens: int
    ) -> None:
        self.model = model
        self.max_tokens = min(max_tokens, model.config.max_positions)
        with torch.no_grad():
            self._source = model.encode(input_ids_BL, attention_mask_BL)
        self._cache: DecoderCache | None = None

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Forget what was written, read beginnings of targets, padded on the left, and give logits (B, V).

        Raises
        ------
        DataError
            If there are neither as many beginnings as sources nor one source, or one is longer than the model writes.
        """
        states_BLD, real_BL = self._source
        n_prompts = len(input_ids_BL)
        n_sources = len(states_BLD)
        if n_sources not in (1, n_prompts):
            raise DataError("each target needs its source", got=f"{n_prompts} targets, {n_sources} sources",
                            expected="as many sources as targets, or one")
        if input_ids_BL.shape[1] > self.max_tokens:
            raise DataError("the prompt is longer than the model can read", got=f"{input_ids_BL.shape[1]:,} tokens",
                            expected=f"at most {self.max_tokens:,}", hint="give a shorter prompt")
        if n_sources < n_prompts:
            states_BLD = states_BLD.expand(n_prompts, -1, -1)
            real_BL = None if real_BL is None else real_BL.expand(n_prompts, -1)
        self._cache = DecoderCache(self.model.decoder, Source(states_BLD, real_BL), self.max_tokens)
        return self._read(input_ids_BL, attention_mask_BL)

    def step(self, tokens_B: Tensor) -> Tensor:
        """Read one target token more in each row, and give logits (B, V).

        Raises
        ------
        DataError
            If the target becomes longer than `max_tokens`.
        """
        return self._read(tokens_B[:, None], None)

    def reorder(self, index_B: Tensor) -> None:
        """Let row `i` go on from row ``index_B[i]``, its source included; the batch takes the length of the index."""
        assert self._cache is not None, "start comes first"
        self._cache.reorder(index_B)

    def _read(self, ids_BQ: Tensor, mask_BQ: Tensor | None) -> Tensor:
        assert self._cache is not None, "start comes first"
        with torch.no_grad():
            return self.model.score(ids_BQ, self._source, mask_BQ, self._cache)[:, -1]
