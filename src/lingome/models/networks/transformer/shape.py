"""The shape of a transformer encoder, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.models.shape import require, require_tokens


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
    positions : {"learned", "rotary", "alibi", "relative"}
        A learned vector per position, rotation of queries and keys (Su et al. 2021, arXiv:2104.09864), a slope per head
        (Press et al. 2022, arXiv:2108.12409), or a learned number per head and bucket of distances, shared by the
        layers (Raffel et al. 2020, arXiv:1910.10683).
    norm : {"post", "pre"}
        Norm after the sum (BERT), or before each block and once at the end.
    ffn : {"gelu", "geglu", "swiglu"}
        GELU with the error function, or gated by it or by SiLU (Shazeer 2020, arXiv:2002.05202).
    bias : bool
        Whether linear layers and norms inside the encoder have biases.
    dropout : float
        Share of activations and attention weights set to zero in training.
    norm_eps, rope_theta : float
        Epsilon of LayerNorm; base of the rotary wavelengths.
    tie_head : bool
        Whether the output matrix is the embedding matrix.
    n_segments : int
        Rows of BERT's segment table, learned and ALiBi positions only; row 0 is added to every token. 0: none.
    pad_id, cls_id, sep_id : int
        Tokens that a classifier leaves out of the mean.
    label_names : tuple of str
        Names of the classes; empty unless the model is a classifier.
    n_kv_heads : int
        Heads of keys and values, G; each serves H / G heads of queries (Ainslie et al. 2023, arXiv:2305.13245).
        0: H of them.
    norm_kind : {"layer", "rms"}
        LayerNorm, or RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), which has no biases.
    first_norm : {"embedding", "layer", "both"}
        What is normalised before the first attention: the embeddings (the only choice of post-norm; with
        pre-norm, ModernBERT), the first layer's input as in all layers (ESM-2), or both (ESM-1b).
    ffn_bias : {"all", "out", "none"}
        Matrices of the FFN with biases, where `bias` is true: MosaicBERT has one in the last alone, the second
        Nucleotide Transformer none.
    local_window : int
        Tokens that a local layer's token sees: half of them on each side, and itself. 0: every layer is global.
    global_every : int
        Of the layers, 0, n, 2n ... are global; the others are local if there is a window (ModernBERT: 3).
    local_rope_theta : float
        Base of the rotary wavelengths in local layers.
    position_offset : int
        Rows of the table of learned positions before that of the first token. ESM counts from the padding id on.
    token_dropout : float
        Share of tokens that training hid as ``[MASK]`` (ESM: 0.12). Those embeddings are zeroed, and the others
        scaled as dropout does: by (1 - share) / (1 - share seen in the sequence). 0: off.
    mask_id : int
        The ``[MASK]`` token, for `token_dropout`.

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
    positions: Literal["learned", "rotary", "alibi", "relative"] = "rotary"
    norm: Literal["post", "pre"] = "pre"
    ffn: Literal["gelu", "geglu", "swiglu"] = "geglu"
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
    n_kv_heads: int = 0
    norm_kind: Literal["layer", "rms"] = "layer"
    first_norm: Literal["embedding", "layer", "both"] = "embedding"
    ffn_bias: Literal["all", "out", "none"] = "all"
    local_window: int = 0
    global_every: int = 3
    local_rope_theta: float = 10_000.0
    position_offset: int = 0
    token_dropout: float = 0.0
    mask_id: int = 4

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "n_layers", "n_heads", "ffn_size", "max_positions", "global_every"):
            most = 1000 if name == "n_layers" else 2**20  # a damaged file must not ask for the moon
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        for name in ("n_segments", "n_kv_heads", "local_window", "position_offset"):
            require(0 <= getattr(self, name) <= 2**20, name, getattr(self, name), f"0 to {2**20:,}")
        choices = {
            "positions": ("learned", "rotary", "alibi", "relative"), "norm": ("post", "pre"),
            "ffn": ("gelu", "geglu", "swiglu"), "norm_kind": ("layer", "rms"),
            "first_norm": ("embedding", "layer", "both"), "ffn_bias": ("all", "out", "none"),
        }
        for name, known in choices.items():
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))
        require_tokens(self)
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0 and self.rope_theta > 1, "norm_eps, rope_theta", self.norm_eps, "above 0 and 1")
        require(self.hidden_size % self.n_heads == 0, "hidden_size", self.hidden_size, f"a multiple of {self.n_heads}")
        even = self.positions != "rotary" or self.head_size % 2 == 0
        require(even, "hidden_size / n_heads", self.head_size, "an even head size for rotary positions")
        self._check_parts()

    def _check_parts(self) -> None:
        """Refuse parts that do not go together, which would otherwise be ignored in silence."""
        shared = self.n_heads % self.kv_heads == 0
        require(shared, "n_kv_heads", self.n_kv_heads, f"0, or a divisor of the {self.n_heads} heads")
        pre = self.norm == "pre" or self.first_norm == "embedding"
        require(pre, "first_norm", self.first_norm, "embedding, where norms come after the sum")
        require(self.bias or self.ffn_bias == "all", "ffn_bias", self.ffn_bias, "all, where bias is false")
        require(self.local_window % 2 == 0, "local_window", self.local_window, "an even number, half for each side")
        learned = self.positions == "learned" or self.position_offset == 0
        require(learned, "position_offset", self.position_offset, "0, as positions are not learned")
        require(0 <= self.token_dropout < 1, "token_dropout", self.token_dropout, "at least 0 and below 1")
        known = self.token_dropout == 0 or 0 <= self.mask_id < self.vocab_size
        require(known, "mask_id", self.mask_id, f"an id below the vocabulary's {self.vocab_size}")
        require(self.local_rope_theta > 1, "local_rope_theta", self.local_rope_theta, "above 1")

    @property
    def head_size(self) -> int:
        """K, the size of one attention head."""
        return self.hidden_size // self.n_heads

    @property
    def kv_heads(self) -> int:
        """G, the number of heads of keys and values."""
        return self.n_kv_heads or self.n_heads

    @property
    def segment_rows(self) -> int:
        """Rows of the segment table; 0 if there is none."""
        return self.n_segments if self.positions in ("learned", "alibi") else 0

    def is_local(self, layer: int) -> bool:
        """Say whether a layer, counted from 0, sees a window only."""
        return self.local_window > 0 and layer % self.global_every > 0

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 0 for a model that is no classifier."""
        return len(self.label_names)
