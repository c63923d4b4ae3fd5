"""The shape of an encoder-decoder, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.models.shape import require, require_tokens


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """Shape of an encoder-decoder, or of its encoder alone.

    Parameters
    ----------
    vocab_size : int
        Rows of the embedding: the tokenizer's vocabulary, and behind it what it has no names for (sentinels of span
        corruption, rows that round the size up).
    hidden_size, n_layers, n_heads, ffn_size : int
        D, layers of the encoder, H and F. A gated feed-forward has two matrices of D x F before the gate.
    n_decoder_layers : int
        Layers of the decoder; 0 for an encoder alone.
    head_size : int
        K, the size of one attention head; H * K need not be D.
    ffn : {"relu", "geglu_tanh"}
        ReLU, or GELU by its tanh formula as the gate of a second product.
    max_positions : int
        Longest sequence, source or target, that is read at once. Relative positions know no limit; this one keeps
        memory in bounds.
    n_buckets, max_distance : int
        Buckets of distances; from `max_distance` on all are in one.
    dropout : float
        Share of activations and attention weights set to zero in training.
    norm_eps : float
        Epsilon of RMSNorm.
    tie_head, scale_head : bool
        Whether the output matrix is the embedding matrix, and whether states are divided by sqrt(D) before it. Both
        in T5, neither in T5 1.1.
    pad_id, cls_id, sep_id, start_id : int
        Tokens of padding and around a sequence, and the one that the decoder reads first (T5: padding).
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier on the encoder.

    Raises
    ------
    ConfigError
        If a value is out of range or does not fit another.
    """

    vocab_size: int = 109
    hidden_size: int = 256
    n_layers: int = 4
    n_decoder_layers: int = 4
    n_heads: int = 4
    head_size: int = 64
    ffn_size: int = 512
    ffn: Literal["relu", "geglu_tanh"] = "geglu_tanh"
    max_positions: int = 512
    n_buckets: int = 32
    max_distance: int = 128
    dropout: float = 0.0
    norm_eps: float = 1e-6
    tie_head: bool = False
    scale_head: bool = False
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    start_id: int = 0
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_heads", "head_size", "ffn_size", "max_positions"):
            require(1 <= getattr(self, name) <= 2**20, name, getattr(self, name), f"1 to {2**20:,}")
        require(1 <= self.n_layers <= 1000, "n_layers", self.n_layers, "1 to 1,000")
        require(0 <= self.n_decoder_layers <= 1000, "n_decoder_layers", self.n_decoder_layers, "0 to 1,000")
        require(self.ffn in ("relu", "geglu_tanh"), "ffn", self.ffn, "relu or geglu_tanh")
        fits = 4 <= self.n_buckets <= 2**16 and self.n_buckets % 4 == 0
        require(fits, "n_buckets", self.n_buckets, "a multiple of 4, up to 65,536")
        fits = self.n_buckets // 2 < self.max_distance <= 2**20
        require(fits, "max_distance", self.max_distance, f"above {self.n_buckets // 2}, half the buckets")
        require_tokens(self, "start_id")
        for name in ("tie_head", "scale_head"):
            require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 0 for a model that is no classifier."""
        return len(self.label_names)
