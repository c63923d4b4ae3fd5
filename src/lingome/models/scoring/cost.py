"""What scoring will take: the rows that a convention asks for are counted, and one batch of them is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.progress import silence
from lingome.models.devices import Precision
from lingome.models.heads.language_model import LanguageModel
from lingome.models.scoring.questions import Questions, is_causal
from lingome.tokens.tokenizer import Tokenizer


class Asked(NamedTuple):
    """Tokens that a model is asked to read, special ones and padding included, and the rows that they are in."""

    n_tokens: int
    n_rows: int


class _CountingModel(nn.Module):
    """Stands for a model, and counts the tokens that it is given; what it says is the same for all."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.config = model.config
        self.causal = is_causal(model)
        self.flat = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.n_tokens = 0
        self.n_rows = 0

    def forward(self, ids_BL: Tensor, mask_BL: Tensor | None = None, asked_BL: Tensor | None = None) -> Tensor:
        """Count the batch, and give logits (B, L, V), or (M, V) at the places asked about."""
        self.n_tokens += ids_BL.numel()
        self.n_rows += len(ids_BL)
        shape = ids_BL.shape if asked_BL is None else (int(asked_BL.sum()),)
        return self.flat.expand(*shape, self.config.vocab_size)


def count_asked(score: Callable[[LanguageModel], object], model: LanguageModel) -> Asked:
    """Count what a model would read, without reading it.

    Parameters
    ----------
    score : callable
        Scores some items with the model that it is given.
    model : LanguageModel
        The model that will score them; it is not run.
    """
    counting = _CountingModel(model)
    with silence():
        score(cast(Any, counting))
    return Asked(counting.n_tokens, counting.n_rows)


def read_rows(
    model: LanguageModel, tokenizer: Tokenizer, rows: list[np.ndarray], *, batch_tokens: int | None = None,
    precision: Precision = "fp32",
) -> None:
    """Read rows as scoring does, with a question about the first token of each.

    Parameters
    ----------
    model : LanguageModel
        On any device.
    tokenizer : Tokenizer
        The model's own.
    rows : list of ndarray of int, shape (n,) each
        Tokens without special ones.
    batch_tokens, precision
        As in `Questions.answer`.
    """
    asked = Questions(tokenizer, is_causal(model), model.config.max_positions)
    for ids in rows:
        asked.ask(0, ids, [0], ids[:1])
    asked.answer(model, 1, batch_tokens=batch_tokens, precision=precision)
