"""The shape of a dilated convolution encoder, as checked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lingome.core.errors import ConfigError
from lingome.models.shape import require, require_tokens

MOST_POSITIONS = 2**16
"""Longest sequence in tokens that is read at once, unless a shape says otherwise."""


@dataclass(frozen=True)
class DilatedConfig:
    """Shape of a dilated convolution encoder.

    Parameters
    ----------
    vocab_size : int
        Tokens of the vocabulary, V.
    hidden_size, n_layers, ffn_size : int
        D, number of blocks and F; the ``convnet`` block has no wider feed-forward, so there F is D.
    first_kernel, kernel : int
        K of the first convolution and of the others, odd.
    dilation_cycle, dilation_max : int
        The taps of layer i are ``min(dilation_max, 2 ** (i % dilation_cycle))`` tokens apart.
    block : {"gpn", "convnet"}
        The order of norms, see the module's text.
    embedding : {"one_hot", "table"}
        A token enters as 1 in the channel of its id, as published, or as a learned vector.
    bias : bool
        Whether convolutions, linear layers and norms have biases; the ``convnet`` block always has.
    tie_head : bool
        Whether the output matrix is the table of tokens.
    dropout : float
        Share of what each half block adds that is set to zero in training.
    norm_eps : float
        Epsilon of LayerNorm.
    max_positions : int
        Longest sequence in tokens that is read at once. The convolutions know no limit: this one bounds memory.
    published : bool
        Whether a folder has the names of GPN's own releases, which its programs read, if the shape is one of theirs.
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
    hidden_size: int = 192
    n_layers: int = 8
    ffn_size: int = 384
    first_kernel: int = 9
    kernel: int = 5
    dilation_cycle: int = 8
    dilation_max: int = 128
    block: Literal["gpn", "convnet"] = "gpn"
    embedding: Literal["one_hot", "table"] = "one_hot"
    bias: bool = False
    tie_head: bool = False
    dropout: float = 0.0
    norm_eps: float = 1e-5
    max_positions: int = MOST_POSITIONS
    published: bool = False
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits = {"n_layers": 1000, "first_kernel": 255, "kernel": 255, "dilation_cycle": 20}
        sizes = ("vocab_size", "hidden_size", "ffn_size", "dilation_max", "max_positions")
        for name in (*sizes, *limits):
            most = limits.get(name, 2**20)  # a damaged file must not ask for the moon
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        for name in ("first_kernel", "kernel"):
            require(getattr(self, name) % 2 == 1, name, getattr(self, name), "an odd number of taps")
        for name, known in {"block": ("gpn", "convnet"), "embedding": ("one_hot", "table")}.items():
            require(getattr(self, name) in known, name, getattr(self, name), " or ".join(known))
        for name in ("bias", "tie_head", "published"):
            require(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        require_tokens(self)
        one_hot = self.embedding == "one_hot"
        if one_hot and self.vocab_size > self.hidden_size:
            raise ConfigError(
                "the model reads single letters, each in a channel of its own", where="hidden_size",
                got=f"{self.vocab_size} tokens", expected=f"at most {self.hidden_size}, the hidden size",
                hint="take a tokenizer of letters (lingome tokens train --kind characters -o letters), "
                "or in Python embedding='table'",
            )
        require(not (one_hot and self.tie_head), "tie_head", self.tie_head, "false without a table of tokens")
        if self.block == "convnet":
            require(self.bias, "bias", self.bias, "true in a convnet block")
            require(self.ffn_size == self.hidden_size, "ffn_size", self.ffn_size, f"{self.hidden_size}, as hidden_size")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")

    def taps(self, index: int) -> tuple[int, int]:
        """Give K and the dilation of a layer.

        >>> DilatedConfig().taps(0), DilatedConfig().taps(7), DilatedConfig(n_layers=9).taps(8)
        ((9, 1), (5, 128), (5, 1))
        """
        dilation = min(self.dilation_max, 2 ** (index % self.dilation_cycle))
        return (self.first_kernel if index == 0 else self.kernel), dilation

    @property
    def reach(self) -> int:
        """How many tokens to either side the state of a token depends on.

        >>> DilatedConfig().reach  # 4 * 1 + 2 * (2 + 4 + ... + 128)
        512
        """
        return sum(taps // 2 * apart for taps, apart in (self.taps(index) for index in range(self.n_layers)))
