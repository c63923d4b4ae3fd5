"""The shape of a table of static vectors, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.models.shape import require, require_tokens

Algorithm = Literal["cbow", "skipgram"]
"""Guess a token from the mean of those around it, or those around it from the token."""


@dataclass(frozen=True)
class StaticConfig:
    """Shape of a table of static vectors: one per token, whatever stands around it.

    Parameters
    ----------
    vocab_size, hidden_size : int
        V rows of D numbers.
    max_positions : int
        Longest sequence in tokens that is read at once. The table knows no limit: this one keeps batches small.
    algorithm : {"cbow", "skipgram"}
        How it was trained.
    pad_id, cls_id, sep_id : int
        Tokens that a classifier leaves out of the mean.
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    vocab_size: int = 9
    hidden_size: int = 100
    max_positions: int = 2**20
    algorithm: Algorithm = "cbow"
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "max_positions"):
            require(1 <= getattr(self, name) <= 2**20, name, getattr(self, name), f"1 to {2**20:,}")
        require(self.algorithm in ("cbow", "skipgram"), "algorithm", self.algorithm, "cbow or skipgram")
        require_tokens(self)

    @property
    def n_layers(self) -> int:
        """Layers behind the table: none."""
        return 0
