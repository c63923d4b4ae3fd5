"""The shapes of models, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.core.errors import ConfigError


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of an encoder; `lingome.models.presets.PRESETS` holds named ones.

    Parameters
    ----------
    vocab_size : int
        Tokens in the vocabulary. 9 is the smallest for DNA: five special tokens and four letters.
    hidden_size, n_layers, n_heads, ffn_size : int
        D, number of layers, H and F. A gated FFN has two matrices of D x F before the gate.
    max_positions : int
        Longest sequence in tokens, special ones included.
    positions : {"learned", "rotary"}
        A learned vector a position, or rotation of queries and keys (Su et al. 2021, arXiv:2104.09864).
    norm : {"post", "pre"}
        LayerNorm after the sum (BERT), or before each block and once at the end. Pre-norm has
        none before the first attention: the embeddings are normalised already.
    ffn : {"gelu", "geglu"}
        GELU with the error function, or gated by it (Shazeer 2020, arXiv:2002.05202).
    bias : bool
        Whether linear layers and norms inside the encoder have biases.
    dropout : float
        Share of activations and attention weights set to zero in training.
    norm_eps, rope_theta : float
        Epsilon of LayerNorm; base of the rotary wavelengths.
    tie_head : bool
        Whether the output matrix is the embedding matrix.
    n_segments : int
        Rows of BERT's segment table, learned positions only; row 0 is added to every token.
    pad_id, cls_id, sep_id : int
        Tokens that a classifier leaves out of the mean.
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier.

    Raises
    ------
    ConfigError
        If a value is out of range or does not fit another.
    """

    vocab_size: int = 9
    hidden_size: int = 256
    n_layers: int = 4
    n_heads: int = 4
    ffn_size: int = 512
    max_positions: int = 512
    positions: Literal["learned", "rotary"] = "rotary"
    norm: Literal["post", "pre"] = "pre"
    ffn: Literal["gelu", "geglu"] = "geglu"
    bias: bool = False
    dropout: float = 0.0
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    tie_head: bool = True
    n_segments: int = 2
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_layers", "n_heads", "ffn_size", "max_positions", "n_segments"):
            most = 1000 if name == "n_layers" else 2**20  # a damaged file must not ask for the moon
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        choices = {"positions": ("learned", "rotary"), "norm": ("post", "pre"), "ffn": ("gelu", "geglu")}
        for name, known in choices.items():
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))
        for name in ("pad_id", "cls_id", "sep_id"):
            got = getattr(self, name)
            require(0 <= got < self.vocab_size, name, got, f"an id below the vocabulary's {self.vocab_size}")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0 and self.rope_theta > 1, "norm_eps, rope_theta", self.norm_eps, "above 0 and 1")
        require(self.hidden_size % self.n_heads == 0, "hidden_size", self.hidden_size, f"a multiple of {self.n_heads}")
        even = self.positions == "learned" or self.head_size % 2 == 0
        require(even, "hidden_size / n_heads", self.head_size, "an even head size for rotary positions")
        require(len(set(self.label_names)) == len(self.label_names), "label_names", self.label_names, "no name twice")

    @property
    def head_size(self) -> int:
        """K, the size of one attention head."""
        return self.hidden_size // self.n_heads

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 0 for a model that is no classifier."""
        return len(self.label_names)


@dataclass(frozen=True)
class StaticConfig:
    """Shape of a table of static vectors: one a token, whatever stands around it.

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
    algorithm: Literal["cbow", "skipgram"] = "cbow"
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "max_positions"):
            require(1 <= getattr(self, name) <= 2**20, name, getattr(self, name), f"1 to {2**20:,}")
        require(self.algorithm in ("cbow", "skipgram"), "algorithm", self.algorithm, "cbow or skipgram")
        for name in ("pad_id", "cls_id", "sep_id"):
            got = getattr(self, name)
            require(0 <= got < self.vocab_size, name, got, f"an id below the vocabulary's {self.vocab_size}")
        require(len(set(self.label_names)) == len(self.label_names), "label_names", self.label_names, "no name twice")

    @property
    def n_layers(self) -> int:
        """Layers behind the table: none."""
        return 0

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 0 for a model that is no classifier."""
        return len(self.label_names)


@dataclass(frozen=True)
class DecoderConfig:
    """Shape of a decoder; `lingome.models.presets.CAUSAL_PRESETS` holds named ones.

    Parameters
    ----------
    vocab_size : int
        Tokens in the vocabulary.
    hidden_size, n_layers, n_heads, ffn_size : int
        D, number of layers, H and F.
    n_kv_heads : int
        Heads of keys and values, G; each serves H / G heads of queries (Ainslie et al. 2023, arXiv:2305.13245).
    max_positions : int
        Longest sequence in tokens, special ones included.
    positions : {"learned", "rotary"}
        A learned vector a position, or rotation of queries and keys (Su et al. 2021, arXiv:2104.09864).
    norm : {"layer", "rms"}
        LayerNorm, or RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), before each block and at the end.
    ffn : {"gelu_tanh", "swiglu"}
        GELU by its tanh formula (GPT-2), or gated by SiLU (Shazeer 2020, arXiv:2002.05202).
    bias : bool
        Whether linear layers and LayerNorm have biases; RMSNorm and the head never have.
    dropout : float
        Share of activations and attention weights set to zero in training.
    norm_eps, rope_theta : float
        Epsilon of the norms; base of the rotary wavelengths.
    tie_head : bool
        Whether the output matrix is the embedding matrix.
    bos_id, eos_id, pad_id : int
        Tokens of the beginning, the end and padding; a tokenizer's ``[CLS]``, ``[SEP]`` and ``[PAD]``.

    Raises
    ------
    ConfigError
        If a value is out of range or does not fit another.
    """

    vocab_size: int = 9
    hidden_size: int = 256
    n_layers: int = 4
    n_heads: int = 4
    n_kv_heads: int = 4
    ffn_size: int = 768
    max_positions: int = 1024
    positions: Literal["learned", "rotary"] = "rotary"
    norm: Literal["layer", "rms"] = "rms"
    ffn: Literal["gelu_tanh", "swiglu"] = "swiglu"
    bias: bool = False
    dropout: float = 0.0
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    tie_head: bool = True
    bos_id: int = 2
    eos_id: int = 3
    pad_id: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_layers", "n_heads", "n_kv_heads", "ffn_size", "max_positions"):
            most = 1000 if name == "n_layers" else 2**20
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        choices = {"positions": ("learned", "rotary"), "norm": ("layer", "rms"), "ffn": ("gelu_tanh", "swiglu")}
        for name, known in choices.items():
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))
        for name in ("bos_id", "eos_id", "pad_id"):
            got = getattr(self, name)
            require(0 <= got < self.vocab_size, name, got, f"an id below the vocabulary's {self.vocab_size}")
        for name in ("bias", "tie_head"):
            require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")
        require(self.rope_theta > 1, "rope_theta", self.rope_theta, "above 1")
        require(self.hidden_size % self.n_heads == 0, "hidden_size", self.hidden_size, f"a multiple of {self.n_heads}")
        require(self.n_heads % self.n_kv_heads == 0, "n_kv_heads", self.n_kv_heads, f"a divisor of {self.n_heads}")
        even = self.positions == "learned" or self.head_size % 2 == 0
        require(even, "hidden_size / n_heads", self.head_size, "an even head size for rotary positions")

    @property
    def head_size(self) -> int:
        """K, the size of one attention head."""
        return self.hidden_size // self.n_heads


Shape = TransformerConfig | StaticConfig
"""What a body under a classifier can be built from."""

SavedShape = Shape | DecoderConfig
"""What a ``config.json`` can describe."""


def require(fits: bool, name: str, got: object, expected: str) -> None:
    """Raise a `ConfigError` about a field of the model's shape unless it fits."""
    if not fits:
        raise ConfigError(f"the model's {name} does not fit", where=name, got=got, expected=expected)
