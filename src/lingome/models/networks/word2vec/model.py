"""Static vectors of tokens: a table of one vector per token, as a body.

Word2Vec (Mikolov et al. 2013, arXiv:1301.3781) makes such a table; `lingome.train.word2vec` trains it. Shapes are in
the names: B sequences in a batch, L tokens in a sequence, padding included, D dimensions, V tokens of the vocabulary,
M chosen positions in the whole batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lingome.models.architecture import Body
from lingome.models.layers.first_weights import draw_weights
from lingome.models.networks.word2vec.shape import Algorithm, StaticConfig
from lingome.tokens.tokenizer import Tokenizer


class StaticEmbeddings(Body):
    """A table of one vector per token, with the methods of every body.

    Tokens that were not in the training text, special tokens among them, have zeros.
    """

    config: StaticConfig
    tokens: nn.Embedding

    def __init__(self, config: StaticConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.hidden_size)

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Look the vectors up: (B, L, D) float, or (M, D) at the positions where `masked_BL` is true.

        The mask changes nothing: no token sees another.
        """
        x: Tensor = self.tokens(input_ids_BL if masked_BL is None else input_ids_BL[masked_BL])
        return x

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Give the states as a body does: one of (B, L, D), the table's."""
        return [self(input_ids_BL, attention_mask_BL)]


def build_static(table: np.ndarray, algorithm: Algorithm, tokenizer: Tokenizer) -> StaticEmbeddings:
    """Make a body of a tokenizer's trained vectors, in evaluation mode.

    Parameters
    ----------
    table : ndarray of float32, shape (V, D)
        One row per id.
    algorithm : {"cbow", "skipgram"}
        How it was trained.
    tokenizer : Tokenizer
        Whose ids the rows are.
    """
    vocab_size, hidden_size = table.shape
    config = StaticConfig(
        vocab_size, hidden_size, algorithm=algorithm, pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id,
        sep_id=tokenizer.sep_id,
    )
    body = StaticEmbeddings(config)
    with torch.no_grad():
        body.tokens.weight.copy_(torch.from_numpy(table))
    return body.eval()


def initialise_static(model: nn.Module, seed: int) -> None:
    """Set every weight: normal(0, 0.02) cut at 2 sd; each tensor's draw depends on `seed` and its name alone."""
    draw_weights(model, seed, None)
