"""GPN, whole: dilated convolutions in place of attention, one token a base, seen from both sides.

Benegas, Batra and Song 2023, doi:10.1073/pnas.2311219120; dilation is that of Yu and Koltun 2016,
arXiv:1511.07122. Shapes are in the names: ``x_BLD`` has axes B, L, D.

====  =========================================================
B     sequences in a batch
L     tokens in a sequence, padding included
D     hidden size
F     feed-forward size
K     taps of a convolution
M     chosen positions in the whole batch
V     vocabulary
====  =========================================================

Two blocks are published, and both are exact here (`DilatedConfig.block`)::

    gpn        x = x + W gelu(conv(norm(x)));   x = x + W2 gelu(W1 norm(x))      one norm more at the end
    convnet    x = x + norm(gelu(conv(x)));     x = x + norm(gelu(W1 x))

``convnet`` is the block of the first release, ``gpn`` that of the present one. The convolution of layer i mixes
all channels over K taps that lie 2^(i mod 8) tokens apart, so eight layers of five taps see 510 tokens to
either side, and nine in the first layer 512 (`DilatedConfig.reach`).

Padding is set to zero before each convolution, and beyond its ends a sequence is zero too: a sequence has
the same states alone and padded on either side. It knows no absolute positions.

On a CPU one row of a two-dimensional convolution, channels last, is the fastest of the ways to compute this one (in
bfloat16 0.75 of the one-dimensional call, 0.8 of one matrix product over copied taps, at D = 192 and 512
tokens), and in the last layer the taps of the masked positions alone are gathered: the rest is never computed.

Initialisation (`initialise_dilated`), from the released code, normal ones uncut:

=======================  =======================================  =================================
tensor                   value                                    source
=======================  =======================================  =================================
table of tokens          normal(0, 0.02)                          Devlin et al. 2019 (BERT)
matrices                 normal(0, 0.02)                          released code
convolutions             uniform(+-1/sqrt(K D)), also biases      PyTorch's Conv1d, released code
other biases, norms      0; scale 1                               released code
=======================  =======================================  =================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import ConfigError
from lingome.core.seeds import derive_seed
from lingome.models.layers.blocks import check_length, is_padded
from lingome.models.shape import require, require_tokens

__all__ = ["Dilated", "DilatedConfig", "DilatedHead", "DilatedLayer", "initialise_dilated"]


MOST_POSITIONS = 2**16


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

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 0 for a model that is no classifier."""
        return len(self.label_names)

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


class DilatedLayer(nn.Module):
    """One block: a dilated convolution, then a feed-forward at each position, each added to what came in."""

    def __init__(self, config: DilatedConfig, index: int) -> None:
        super().__init__()
        D = config.hidden_size
        bias = config.bias
        self.config = config
        taps, self.dilation = config.taps(index)
        self.conv_norm = nn.LayerNorm(D, eps=config.norm_eps, bias=bias)
        self.conv = nn.Conv1d(D, D, taps, padding="same", dilation=self.dilation, bias=bias)
        self.ffn_norm = nn.LayerNorm(D, eps=config.norm_eps, bias=bias)
        self.ffn_in = nn.Linear(D, config.ffn_size, bias=bias)
        if config.block == "gpn":
            self.conv_out = nn.Linear(D, D, bias=bias)
            self.ffn_out = nn.Linear(config.ffn_size, D, bias=bias)

    def forward(self, x_BLD: Tensor, shown_BL1: Tensor | None, masked_BL: Tensor | None = None) -> Tensor:
        """Give (B, L, D), or (M, D) at the positions where `masked_BL` is true: the rest is never computed.

        `shown_BL1` is False at padding, None if there is none.
        """
        gpn = self.config.block == "gpn"
        seen_BLD = self.conv_norm(x_BLD) if gpn else x_BLD
        if shown_BL1 is not None:
            seen_BLD = seen_BLD * shown_BL1
        x = x_BLD if masked_BL is None else x_BLD[masked_BL]
        mixed = F.gelu(self._convolve(seen_BLD) if masked_BL is None else self._convolve_at(seen_BLD, masked_BL))
        x = x + self._drop(self.conv_out(mixed) if gpn else self.conv_norm(mixed))
        inner = F.gelu(self.ffn_in(self.ffn_norm(x) if gpn else x))
        out: Tensor = x + self._drop(self.ffn_out(inner) if gpn else self.ffn_norm(inner))
        return out

    def _convolve(self, x_BLD: Tensor) -> Tensor:
        """Convolve everywhere: (B, L, D); zero beyond the ends."""
        weight = self.conv.weight[:, :, None].contiguous(memory_format=torch.channels_last)
        side = self.conv.weight.shape[2] // 2 * self.dilation
        out = F.conv2d(x_BLD.transpose(1, 2)[:, :, None], weight, self.conv.bias, 1, (0, side), (1, self.dilation))
        return out[:, :, 0].transpose(1, 2)

    def _convolve_at(self, x_BLD: Tensor, masked_BL: Tensor) -> Tensor:
        """Convolve at chosen positions alone, by gathering their taps: (M, D)."""
        taps = self.conv.weight.shape[2]
        side = taps // 2 * self.dilation
        rows_M, places_M = masked_BL.nonzero(as_tuple=True)
        steps_K = torch.arange(taps, device=x_BLD.device) * self.dilation
        wide_BLD = F.pad(x_BLD, (0, 0, side, side))
        taps_MKD = wide_BLD[rows_M[:, None], places_M[:, None] + steps_K]
        weight = self.conv.weight.transpose(1, 2).flatten(1)
        return F.linear(taps_MKD.flatten(1), weight, self.conv.bias)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training) if self.config.dropout else x


class OneHot(nn.Module):
    """A table of tokens that is not learnt: 1 in the channel of the token's id."""

    def __init__(self, vocab_size: int, hidden_size: int) -> None:
        super().__init__()
        self.shape = vocab_size, hidden_size

    @property
    def weight(self) -> Tensor:
        """The table, (V, D) float32."""
        return torch.eye(*self.shape)

    def forward(self, input_ids_BL: Tensor) -> Tensor:
        """Give (B, L, D) of 0 and 1."""
        return F.one_hot(input_ids_BL.long(), self.shape[1])


class Dilated(nn.Module):
    """The body: token ids in, one vector a token out, which depends on `DilatedConfig.reach` tokens to either side."""

    def __init__(self, config: DilatedConfig) -> None:
        super().__init__()
        self.config = config
        one_hot = config.embedding == "one_hot"
        self.tokens = (OneHot if one_hot else nn.Embedding)(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DilatedLayer(config, index) for index in range(config.n_layers))
        gpn = config.block == "gpn"
        self.final_norm = nn.LayerNorm(config.hidden_size, config.norm_eps, bias=config.bias) if gpn else nn.Identity()

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            Token ids.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            True at real tokens, False at padding on either side. None: no padding.
        masked_BL : Tensor, (B, L) bool, optional
            Positions whose states are wanted.

        Returns
        -------
        Tensor, (B, L, D) float, or (M, D) in the order of ``hidden[masked_BL]`` when `masked_BL` is given.

        Raises
        ------
        DataError
            If a sequence is longer than the model reads at once.
        """
        return self._run(input_ids_BL, attention_mask_BL, masked_BL)[-1]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each layer: n_layers + 1 of (B, L, D), the last is final."""
        return self._run(input_ids_BL, attention_mask_BL, None)

    def _run(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None, masked_BL: Tensor | None) -> list[Tensor]:
        config = self.config
        check_length(input_ids_BL.shape[1], config.max_positions)
        x_BLD = self.tokens(input_ids_BL).to(next(self.parameters()).dtype)
        shown_BL1 = None
        if is_padded(attention_mask_BL):
            shown_BL1 = attention_mask_BL.bool()[:, :, None]
        states = [x_BLD]
        for index, layer in enumerate(self.layers, start=1):
            states.append(layer(states[-1], shown_BL1, masked_BL if index == config.n_layers else None))
        states[-1] = self.final_norm(states[-1])
        return states


class DilatedHead(nn.Module):
    """Dense, GELU, norm, then scores of every token by a matrix of its own."""

    def __init__(self, config: DilatedConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=config.bias)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.bias)
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size, bias=config.bias)

    def forward(self, x_D: Tensor) -> Tensor:
        """Map (..., D) to logits (..., V)."""
        logits: Tensor = self.decoder(self.norm(F.gelu(self.dense(x_D))))
        return logits


@torch.no_grad()
def initialise_dilated(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv1d)}
    for name, parameter in model.named_parameters():
        values = torch.empty(parameter.shape, dtype=torch.float32)
        draw = torch.Generator().manual_seed(derive_seed(seed, "weights", name))
        convolution = convolutions.get(name.rsplit(".", 1)[0])
        if convolution is not None:
            width = 1 / math.sqrt(convolution.in_channels * convolution.kernel_size[0])
            values.uniform_(-width, width, generator=draw)
        elif parameter.dim() == 1:
            values.fill_(0.0 if name.endswith("bias") else 1.0)
        else:
            values.normal_(0.0, 0.02, generator=draw)
        parameter.copy_(values)
