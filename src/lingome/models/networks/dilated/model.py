"""GPN, whole: dilated convolutions in place of attention, one token per base, seen from both sides.

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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.architecture import Body
from lingome.models.layers.blocks import check_length, drop, is_padded
from lingome.models.layers.first_weights import constant, fill_weights
from lingome.models.networks.dilated.shape import DilatedConfig


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

        `shown_BL1`, (B, L, 1), is False at padding, None if there is none.
        """
        gpn = self.config.block == "gpn"
        seen_BLD = self.conv_norm(x_BLD) if gpn else x_BLD
        if shown_BL1 is not None:
            seen_BLD = seen_BLD * shown_BL1
        x = x_BLD if masked_BL is None else x_BLD[masked_BL]
        mixed = F.gelu(self._convolve(seen_BLD) if masked_BL is None else self._convolve_at(seen_BLD, masked_BL))
        x = x + drop(self.conv_out(mixed) if gpn else self.conv_norm(mixed), self.config.dropout, self.training)
        inner = F.gelu(self.ffn_in(self.ffn_norm(x) if gpn else x))
        out: Tensor = x + drop(self.ffn_out(inner) if gpn else self.ffn_norm(inner), self.config.dropout, self.training)
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


class Dilated(Body):
    """The body: token ids in, one vector per token out; it knows `DilatedConfig.reach` tokens to either side."""

    config: DilatedConfig

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
        """Compute final hidden states, (B, L, D) or (M, D): parameters and errors are those of `Body.forward`."""
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
        """Map (..., D) to logits, (B, L, V) or (M, V)."""
        logits: Tensor = self.decoder(self.norm(F.gelu(self.dense(x_D))))
        return logits


def initialise_dilated(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    convolutions = {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv1d)}

    def rule(name: str, values: Tensor, draw: torch.Generator) -> None:
        convolution = convolutions.get(name.rsplit(".", 1)[0])
        if convolution is not None:
            width = 1 / math.sqrt(convolution.in_channels * convolution.kernel_size[0])
            values.uniform_(-width, width, generator=draw)
        elif values.dim() == 1:
            values.fill_(constant(name))
        else:
            values.normal_(0.0, 0.02, generator=draw)

    fill_weights(model, seed, rule)
