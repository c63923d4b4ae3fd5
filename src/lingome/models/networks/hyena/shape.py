"""The shape of a Hyena, as checked values, and the published ones."""

from __future__ import annotations

from dataclasses import dataclass

from lingome.models.shape import require, require_tokens


@dataclass(frozen=True)
class HyenaConfig:
    """Shape of a HyenaDNA model; `RELEASED` holds the published ones.

    Parameters
    ----------
    vocab_size : int
        Tokens of the vocabulary.
    vocab_multiple : int
        The embedding and the logits have `n_rows` rows: `vocab_size` rounded up to a multiple of this.
    hidden_size, n_layers, ffn_size : int
        D, number of blocks and F.
    max_positions : int
        n, the longest sequence in tokens. The filter's features are fractions of it, so it is a part of
        the model: weights trained with one value mean another filter with another value.
    filter_size : int
        W, the width of the network that writes the filter.
    embedding_dropout, dropout : float
        Share set to zero in training: of the embeddings, and of what each half block adds.
    norm_eps : float
        Epsilon of LayerNorm.
    tie_head : bool
        Whether the output matrix is the embedding matrix. It was in the published training; the
        published folders store it twice.
    pad_id, cls_id, sep_id : int
        Tokens that a classifier leaves out of the mean.
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    vocab_size: int = 12
    vocab_multiple: int = 8
    hidden_size: int = 128
    n_layers: int = 2
    ffn_size: int = 512
    max_positions: int = 1026
    filter_size: int = 64
    embedding_dropout: float = 0.1
    dropout: float = 0.0
    norm_eps: float = 1e-5
    tie_head: bool = True
    pad_id: int = 4
    cls_id: int = 0
    sep_id: int = 1
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits = {"n_layers": 1000, "vocab_multiple": 1024}  # a damaged file must not ask for the moon
        for name in ("vocab_size", "vocab_multiple", "hidden_size", "n_layers", "ffn_size", "filter_size"):
            most = limits.get(name, 2**20)
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        require(2 <= self.max_positions <= 2**24, "max_positions", self.max_positions, f"2 to {2**24:,}")
        require_tokens(self)
        for name in ("embedding_dropout", "dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")

    @property
    def n_rows(self) -> int:
        """V, rows of the embedding and of the output matrix."""
        return -(-self.vocab_size // self.vocab_multiple) * self.vocab_multiple


def _wide(n_layers: int, max_positions: int) -> HyenaConfig:
    return HyenaConfig(hidden_size=256, n_layers=n_layers, ffn_size=1024, max_positions=max_positions)


RELEASED: dict[str, HyenaConfig] = {
    "hyenadna-tiny-1k": HyenaConfig(),
    "hyenadna-tiny-1k-d256": _wide(2, 1026),
    "hyenadna-tiny-16k": HyenaConfig(max_positions=16_386),
    "hyenadna-small-32k": _wide(4, 32_770),
    "hyenadna-medium-160k": _wide(8, 160_002),
    "hyenadna-medium-450k": _wide(8, 450_002),
    "hyenadna-large-1m": _wide(8, 1_000_002),
}
"""The published shapes: 436,096, 1,641,088, 3,277,568 and 6,550,528 parameters, at several lengths."""
