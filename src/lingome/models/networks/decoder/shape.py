"""The shape of a transformer decoder, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.models.shape import require, require_tokens


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
    head_dim : int
        K, the size of one head; 0 for D / H.
    window : int
        A token sees so many, itself and those right before it (Jiang et al. 2023, arXiv:2310.06825); 0 for all.
    n_experts, n_experts_per_token : int
        Experts of every feed-forward, and how many of them each token goes through (Jiang et al. 2024,
        arXiv:2401.04088); 0 experts for one plain feed-forward.
    max_positions : int
        Longest sequence in tokens, special ones included.
    positions : {"learned", "rotary"}
        A learned vector per position, or rotation of queries and keys (Su et al. 2021, arXiv:2104.09864).
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
    pad_id, cls_id, sep_id : int
        Tokens of padding, the beginning and the end; the last two are `bos_id` and `eos_id` as well.
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier.
    pooling : {"mean", "last"}
        What a classifier reads: the mean over tokens that are not special, or the last token that is not padding,
        with no bias after it, as transformers' classifiers of this family do.

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
    head_dim: int = 0
    window: int = 0
    n_experts: int = 0
    n_experts_per_token: int = 2
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
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()
    pooling: Literal["mean", "last"] = "mean"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_layers", "n_heads", "n_kv_heads", "ffn_size", "max_positions"):
            most = 1000 if name == "n_layers" else 2**20
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        for name, least, most in (("head_dim", 0, 2**16), ("window", 0, 2**20), ("n_experts", 0, 1000)):
            require(least <= getattr(self, name) <= most, name, getattr(self, name), f"{least} to {most:,}")
        routed = self.n_experts == 0 or 1 <= self.n_experts_per_token <= self.n_experts
        require(routed, "n_experts_per_token", self.n_experts_per_token, f"1 to {self.n_experts}")
        choices = {
            "positions": ("learned", "rotary"), "norm": ("layer", "rms"), "ffn": ("gelu_tanh", "swiglu"),
            "pooling": ("mean", "last"),
        }
        for name, known in choices.items():
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))
        require_tokens(self)
        for name in ("bias", "tie_head"):
            require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")
        require(self.rope_theta > 1, "rope_theta", self.rope_theta, "above 1")
        divides = bool(self.head_dim) or self.hidden_size % self.n_heads == 0
        require(divides, "hidden_size", self.hidden_size, f"a multiple of {self.n_heads}, or a head_dim")
        require(self.n_heads % self.n_kv_heads == 0, "n_kv_heads", self.n_kv_heads, f"a divisor of {self.n_heads}")
        even = self.positions == "learned" or self.head_size % 2 == 0
        require(even, "hidden_size / n_heads", self.head_size, "an even head size for rotary positions")

    @property
    def head_size(self) -> int:
        """K, the size of one attention head."""
        return self.head_dim or self.hidden_size // self.n_heads

    @property
    def bos_id(self) -> int:
        """The token that begins a sequence."""
        return self.cls_id

    @property
    def eos_id(self) -> int:
        """The token that ends a sequence."""
        return self.sep_id
