"""HyenaDNA, whole: long convolutions in place of attention, one token per base, causal.

Nguyen et al. 2023, arXiv:2306.15794; the operator is that of Poli et al. 2023, arXiv:2302.10866.
Shapes are in the names: ``x_BLD`` has axes B, L, D.

====  =========================================================
B     sequences in a batch
L     tokens in a sequence, padding included
D     hidden size
F     feed-forward size
W     width of the small network that writes the filter
P     features of a position that this network reads, 5
V     rows of the embedding: the vocabulary, rounded up
M     chosen positions in the whole batch
====  =========================================================

One block is ``x + mix(norm(x))``, then ``x + ffn(norm(x))`` with GELU (tanh). The mixing, for input u::

    gate, key, value = split(short(u W_in + b_in))           short: causal, 3 taps, each channel alone
    out = (gate * (h conv (key * value) + skip * key * value)) W_out + b_out

That is the released order 2: two gates and one long convolution. (Definition 3.1 of Poli et al.
written for N = 2 would convolve twice.) The filter h is not stored but computed, one value per
position and channel, from t = l / (n - 1) for l = 0 .. n - 1 and n = `max_positions`::

    p(l) = [t, cos(w f), -sin(w f)],  w = 2 pi l / n,  f = (0.0001, 1)
    h(l) = out(sin(a * ...sin(a * (p(l) W_0 + b_0))...)) * (exp(-t |delta|) + 0.05)

so a model can be read up to n tokens, and the cost of a sequence grows with L log L. The filter and
the Fourier transforms are computed in float32 (float64 for a float64 model) whatever the model's own type.

Padding: no token sees a later one, so padding on the right changes nothing before it. Padding on the left
does, as in the published code, unless `attention_mask_BL` is given: with it, hidden tokens add nothing
to either convolution, and as neither knows absolute positions, a sequence has the same states alone
and padded on either side.

Initialisation (`initialise_hyena`), from the released code, all normal ones uncut:

============================  ===========================================  ==========================
tensor                        value                                        source
============================  ===========================================  ==========================
embeddings, matrices, the     normal(0, 0.02)                              Radford et al. 2019 (GPT-2);
filter's matrices included                                                 released code
`mixer_out`, `ffn_out`        the same, divided by sqrt(2 * n_layers)      Radford et al. 2019
short convolution             uniform(+-1/sqrt(3)), weights and biases     PyTorch's Conv1d, 3 inputs
`frequency` (a above)         10                                           Nguyen et al. 2023 (sine
                                                                           networks: arXiv:2006.09661)
`skip`                        normal(0, 1)                                 released code
other biases, norms           0; scale 1                                   released code
============================  ===========================================  ==========================
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.models.architecture import Body, CausalModel
from lingome.models.layers.blocks import check_length, drop, is_padded, last_real
from lingome.models.layers.first_weights import constant, fill_weights
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig
from lingome.models.shape import require

N_BANDS = 2
"""Waves among the features of a position: P = 1 + 2 * N_BANDS."""
SHORT_TAPS = 3
FREQUENCY = 10.0
FASTEST = 0.3
SLOWEST = 1.5
FLOOR = 0.01
SHIFT = 0.05
"""The filter's window falls to `FLOOR` at 0.3 of `max_positions` in the first channel to fade, at 1.5 in the last;
`SHIFT` is added."""


def position_features(length: int, config: HyenaConfig, device: torch.device | None = None) -> Tensor:
    """Compute p(l), the features of the first `length` positions: (L, P) in float64, see the module's text."""
    place_L1 = torch.arange(length, dtype=torch.float64, device=device)[:, None]
    bands = torch.linspace(1e-4, N_BANDS - 1, N_BANDS, dtype=torch.float64, device=device)
    angle = 2 * math.pi * place_L1 / config.max_positions * bands
    return torch.cat([place_L1 / (config.max_positions - 1), angle.cos(), -angle.sin()], dim=1)


def decay_rates(config: HyenaConfig, device: torch.device | None = None) -> Tensor:
    """Compute |delta|, the rate at which each channel's filter fades, per `max_positions`: (D,) in float64."""
    ends = -math.log(FLOOR) / SLOWEST, -math.log(FLOOR) / FASTEST
    return torch.linspace(*ends, config.hidden_size, dtype=torch.float64, device=device)


def convolve(x_BDL: Tensor, filter_DL: Tensor) -> Tensor:
    """Convolve each channel causally: ``out[l] = sum over j <= l of filter[j] * x[l - j]``.

    By Fourier transforms of at least 2 L - 1 points, so that the end does not wrap round to the start; in
    float32, or in float64 if `x_BDL` is.

    Parameters
    ----------
    x_BDL : Tensor, (B, D, L) float
        The signal.
    filter_DL : Tensor, (D, L) float
        The filter, of the signal's length.

    Returns
    -------
    Tensor, (B, D, L) of float32 or float64
    """
    length = x_BDL.shape[-1]
    exact = torch.promote_types(x_BDL.dtype, torch.float32)
    size = 1 << (2 * length - 2).bit_length()
    if 3 * size // 4 >= 2 * length - 1:
        size = 3 * size // 4  # between two powers of two there is one more fast size
    product = torch.fft.rfft(x_BDL.to(exact), n=size) * torch.fft.rfft(filter_DL.to(exact), n=size)
    out_BDL: Tensor = torch.fft.irfft(product, n=size)[..., :length]
    return out_BDL


class LongFilter(nn.Module):
    """The small network with sine activations that writes one long filter per channel."""

    def __init__(self, config: HyenaConfig) -> None:
        super().__init__()
        W = config.filter_size
        self.layers = nn.ModuleList(nn.Linear(size, W) for size in (1 + 2 * N_BANDS, W, W))
        self.frequency = nn.Parameter(torch.empty(W))
        self.out = nn.Linear(W, config.hidden_size, bias=False)
        self.skip = nn.Parameter(torch.empty(config.hidden_size))

    def forward(self, features_LP: Tensor, window_LD: Tensor) -> Tensor:
        """Give the filter of each channel: (D, L), in the type of `features_LP`, outside of autocast."""
        with torch.autocast(features_LP.device.type, enabled=False):
            x_LW = features_LP
            dtype = features_LP.dtype
            for layer in self.layers:
                weight, bias = (parameter.to(dtype) for parameter in layer.parameters())
                x_LW = torch.sin(self.frequency.to(dtype) * F.linear(x_LW, weight, bias))
            return (F.linear(x_LW, self.out.weight.to(dtype)) * window_LD).T


class HyenaBlock(nn.Module):
    """One block: long convolution with gates, then feed-forward, each added to what came in."""

    def __init__(self, config: HyenaConfig) -> None:
        super().__init__()
        D = config.hidden_size
        self.dropout = config.dropout
        self.mixer_norm = nn.LayerNorm(D, eps=config.norm_eps)
        self.mixer_in = nn.Linear(D, 3 * D)
        self.short = nn.Conv1d(3 * D, 3 * D, SHORT_TAPS, padding=SHORT_TAPS - 1, groups=3 * D)
        self.filter = LongFilter(config)
        self.mixer_out = nn.Linear(D, D)
        self.ffn_norm = nn.LayerNorm(D, eps=config.norm_eps)
        self.ffn_in = nn.Linear(D, config.ffn_size)
        self.ffn_out = nn.Linear(config.ffn_size, D)

    def forward(self, x_BLD: Tensor, features_LP: Tensor, window_LD: Tensor, shown_B1L: Tensor | None) -> Tensor:
        """Compute the block.

        Parameters
        ----------
        x_BLD : Tensor, (B, L, D) float
            States of the tokens.
        features_LP : Tensor, (L, P) float
            Features of the positions (`position_features`).
        window_LD : Tensor, (L, D) float
            The filter's window: how it fades in each channel.
        shown_B1L : Tensor, (B, 1, L) bool, optional
            False at padding; None: there is none.

        Returns
        -------
        Tensor, (B, L, D) float
        """
        mixed_BLD = self._mix(self.mixer_norm(x_BLD), features_LP, window_LD, shown_B1L)
        x_BLD = x_BLD + drop(mixed_BLD, self.dropout, self.training)
        inner = F.gelu(self.ffn_in(self.ffn_norm(x_BLD)), approximate="tanh")
        out: Tensor = x_BLD + drop(self.ffn_out(inner), self.dropout, self.training)
        return out

    def _mix(self, x_BLD: Tensor, features_LP: Tensor, window_LD: Tensor, shown_B1L: Tensor | None) -> Tensor:
        u = self.mixer_in(x_BLD).transpose(1, 2)
        if shown_B1L is not None:
            u = u * shown_B1L  # as if nothing stood there: the short convolution pads with zeros too
        gate, key, value = self.short(u)[..., : x_BLD.shape[1]].chunk(3, dim=1)
        signal = key * value
        if shown_B1L is not None:
            signal = signal * shown_B1L  # the short convolution's bias fills hidden places again
        long = convolve(signal, self.filter(features_LP, window_LD))
        mixed = gate * (long + self.filter.skip[:, None] * signal).to(gate.dtype)
        out: Tensor = self.mixer_out(mixed.transpose(1, 2))
        return out



class Hyena(Body):
    """The body: token ids in, one vector per token out; no vector depends on later tokens."""

    causal = True
    config: HyenaConfig
    tokens: nn.Embedding

    def __init__(self, config: HyenaConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.n_rows, config.hidden_size)
        self.layers = nn.ModuleList(HyenaBlock(config) for _ in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Compute final hidden states, (B, L, D) or (M, D): parameters and errors are those of `Body.forward`."""
        hidden_BLD = self.hidden_states(input_ids_BL, attention_mask_BL)[-1]
        return hidden_BLD if masked_BL is None else hidden_BLD[masked_BL]

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states after the embedding and after each block: n_layers + 1 of (B, L, D), the last is final."""
        config = self.config
        length = input_ids_BL.shape[1]
        check_length(length, config.max_positions)
        x_BLD = self.tokens(input_ids_BL)
        x_BLD = drop(x_BLD, config.embedding_dropout, self.training)
        exact = torch.promote_types(x_BLD.dtype, torch.float32)
        features_LP = position_features(length, config, x_BLD.device).to(exact)
        window_LD = torch.exp(-features_LP[:, :1] * decay_rates(config, x_BLD.device).to(exact)) + SHIFT
        shown_B1L = None
        if is_padded(attention_mask_BL):
            shown_B1L = attention_mask_BL.bool()[:, None]
        states = [x_BLD]
        for layer in self.layers:
            states.append(layer(states[-1], features_LP, window_LD, shown_B1L))
        states[-1] = self.final_norm(states[-1])
        return states


class HyenaLM(CausalModel):
    """A body and a linear head without bias that scores the token after each position.

    Trained by any other objective it is still causal: what it says of a position knows only that
    position and those before it.
    """

    config: HyenaConfig
    body: Hyena

    def __init__(self, config: HyenaConfig) -> None:
        super().__init__()
        self.config = config
        self.body = Hyena(config)
        self.head = nn.Linear(config.hidden_size, config.n_rows, bias=False)
        self.tie()

    def tie(self) -> None:
        """Share the embedding matrix with the head, if the shape says so; again after weights were assigned."""
        if self.config.tie_head:
            self.head.weight = self.body.tokens.weight

    def last_logits(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give logits (B, V) after the last real token of each sequence; the head is computed there alone."""
        hidden_BLD = self.body(input_ids_BL, attention_mask_BL)
        logits: Tensor = self.head(last_real(hidden_BLD, attention_mask_BL))
        return logits

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Give logits (B, L, V); (M, V) at the positions where `masked_BL` is true, if it is given."""
        logits: Tensor = self.head(self.body(input_ids_BL, attention_mask_BL, masked_BL))
        return logits


def build_hyena_lm(shape: str | HyenaConfig, seed: int = 0) -> HyenaLM:
    """Build a language model with random weights, the same for the same seed.

    Parameters
    ----------
    shape : str or HyenaConfig
        A name in `RELEASED`, or a configuration.
    seed : int
        Seed of the weights.

    Raises
    ------
    ConfigError
        If there is no such name.
    """
    if isinstance(shape, str):
        require(shape in RELEASED, "name", shape, ", ".join(RELEASED))
        shape = RELEASED[shape]
    model = HyenaLM(shape)
    initialise_hyena(model, seed)
    return model


def initialise_hyena(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""
    config: Any = model.config

    def rule(name: str, values: Tensor, draw: torch.Generator) -> None:
        if ".short." in name:
            values.uniform_(-1 / math.sqrt(SHORT_TAPS), 1 / math.sqrt(SHORT_TAPS), generator=draw)
        elif name.endswith("frequency"):
            values.fill_(FREQUENCY)
        elif name.endswith("skip"):
            values.normal_(0.0, 1.0, generator=draw)
        elif values.dim() == 1:
            values.fill_(constant(name))
        else:
            out = name.endswith(("mixer_out.weight", "ffn_out.weight"))
            values.normal_(0.0, 0.02 / math.sqrt(2 * config.n_layers) if out else 0.02, generator=draw)

    fill_weights(model, seed, rule)
