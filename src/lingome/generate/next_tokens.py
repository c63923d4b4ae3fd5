"""All that decoding asks of a model: the scores of the next token."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

# Dimension legend: B rows of a batch, L tokens of a prompt, V tokens in the vocabulary


class NextTokens(Protocol):
    """A causal language model that remembers what it has read; one batch at a time."""

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Forget everything, read prompts, and give the logits (B, V) of what follows.

        Parameters
        ----------
        input_ids_BL : Tensor of int64, shape (B, L)
            Prompts; shorter ones are padded on the left.
        attention_mask_BL : Tensor of bool, shape (B, L), optional
            False on padding; None where there is none.
        """
        ...

    def step(self, tokens_B: Tensor) -> Tensor:
        """Read one token more in each row, int64 (B,), and give the logits (B, V) of what follows."""
        ...

    def reorder(self, index_B: Tensor) -> None:
        """Let row `i` go on from what row ``index_B[i]`` has read; the batch takes the length of the index."""
        ...
