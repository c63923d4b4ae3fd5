"""Enformer, whole and at any size: convolutions and attention from sequence to tracks of binned signal.

Avsec et al. 2021, doi:10.1038/s41592-021-01252-x, after the authors' released code (deepmind-research/enformer).
Shapes are in the names: ``x_BCL`` has axes B, C, L.

====  =========================================================
B     sequences in a batch
L     positions: bases, and half of them after each pooling
C     channels of a convolution
N, n  bins of the longest input, and of this one: L / bin_bp
D     hidden size of the transformer
H     attention heads
K, V  size of a head's queries and keys, and of its values
P     basis functions of a distance
T     tracks
====  =========================================================

::

    stem        conv 15 taps, 4 -> D/2;  x + block(x, 1 tap);  pool 2
    tower       block(x, 5 taps), D/2 -> ... -> D;  x + block(x, 1 tap);  pool 2      until a position is a bin
    transformer x + attention(norm(x));  x + W2 relu(W1 norm(x)), 2 D inside          n_layers times
    crop        crop_bins off each end: they see too little to one side
    pointwise   block(x, 1 tap), D -> 2 D;  gelu
    head        softplus(W x), 2 D -> T

``block`` is batch norm, gelu, convolution; gelu is ``x sigmoid(1.702 x)``. Pooling weighs two neighbours by a softmax
over ``W x``, channel by channel. Attention adds to the scores of content those of distance (Dai et al. 2019,
arXiv:1901.02860), for query i and key j of head h::

    score[i, j] = (q_i / sqrt(K) + u_h) . k_j + (q_i / sqrt(K) + v_h) . W_h f(j - i)

with P basis functions f: exponential decays, central masks and gamma densities of the distance |j - i|, as many of
each (`distance_features`), and, unless `symmetric_positions`, all of them again times the sign of j - i.
They are those of the longest input, so that a distance means the same in a shorter one.

A, C, G and T enter as 1 in a channel each; any other letter is zero in all four. There is no padding and
nothing stands around a sequence: every input is whole bins.

Initialisation (`initialise_tracks`), from the released code, normal ones cut at 2 sd, n inputs of a product:

==========================  ======================================  ================================
tensor                      value                                   source
==========================  ======================================  ================================
convolutions, matrices      normal(0, 1 / sqrt(n))                  Sonnet's rule, released code
queries, keys, values,      normal(0, sqrt(2 / n) / 0.88), which    He et al. 2015,
distances; u and v (n = H)  has sd sqrt(2 / n) once it is cut       arXiv:1502.01852
attention's output          0                                       released code
pooling's W                 2 I: nearly a maximum                   Avsec et al. 2021, methods
biases, norms               0; scale 1; running mean 0, variance 1  Ioffe, Szegedy 2015,
                                                                    arXiv:1502.03167
==========================  ======================================  ================================
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lingome.core.errors import DataError
from lingome.models.layers.blocks import drop
from lingome.models.layers.first_weights import constant, draw_cut_normal, fill_weights
from lingome.models.networks.tracks.shape import TracksConfig, tower_channels


def distance_features(config: TracksConfig, n_bins: int, device: torch.device | None = None) -> Tensor:
    """Compute the basis functions f of the distances -(n - 1) to n - 1, in bins.

    With N bins in the longest input and F functions of each kind, for F = P / 6 (or P / 3), i = 0 .. F - 1 and a
    distance d::

        exponential   2 ** (-|d| / h),  h = 2 ** linspace(3, log2 N)[i]                     half-life h
        central mask  1 where |d| < 2 ** (i + 1) - 1, else 0
        gamma         the density at |d| with mean linspace(N / F, N)[i] and sd N / (2 F), plus 1e-8,
                      divided by the largest value of all F

    Parameters
    ----------
    config : TracksConfig
        Says N, P and whether distances have a direction.
    n_bins : int
        n, at most N.

    Returns
    -------
    Tensor, (2 n - 1, P) float32
        Symmetric ones first; then, if there is a direction, the same times the sign of the distance.
    """
    most = config.n_bins
    count = config.n_distance_features // (3 if config.symmetric_positions else 6)
    distance = torch.arange(1 - most, most, dtype=torch.float64, device=device)
    far = distance.abs()[:, None]
    half_life = 2 ** torch.linspace(3.0, math.log2(most), count, dtype=torch.float64, device=device)
    decays = torch.exp2(-far / half_life)
    widths = 2.0 ** torch.arange(1, count + 1, dtype=torch.float64, device=device) - 1
    masks = (far < widths).double()
    mean = torch.linspace(most / count, most, count, dtype=torch.float64, device=device)
    spread = most / (2 * count)
    shape = (mean / spread) ** 2
    rate = mean / spread**2
    log_density = torch.xlogy(shape - 1, far) - rate * far - torch.lgamma(shape) + shape * rate.log()
    density = log_density.exp() + 1e-8
    features = torch.cat([decays, masks, density / density.max()], dim=1)
    if not config.symmetric_positions:
        features = torch.cat([features, distance.sign()[:, None] * features], dim=1)
    return features[most - n_bins : most + n_bins - 1].float()


def shift_rows(scores: Tensor) -> Tensor:
    """Turn scores by distance into scores by key: row i, column j takes the distance j - i.

    Parameters
    ----------
    scores : Tensor, shape (..., n, 2 n - 1)
        Of the distances -(n - 1) to n - 1, a row per query.

    Returns
    -------
    Tensor, shape (..., n, n)

    Examples
    --------
    >>> shift_rows(torch.tensor([[-1, 0, 1], [-1, 0, 1]])).tolist()
    [[0, 1], [-1, 0]]
    """
    n = scores.shape[-2]
    if n == 1:
        return scores
    # Entry (i, n - 1 + j - i) of the flat matrix is n - 1 + i (2 n - 2) + j: rows of 2 n - 2 from n - 1 on.
    rows = scores.flatten(-2)[..., n - 1 : n - 1 + n * (2 * n - 2)]
    return rows.reshape(*scores.shape[:-1], 2 * n - 2)[..., :n]


def _gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


class BatchNorm(nn.Module):
    """Batch normalisation of channels, (B, C, L), with a running mean over ten batches or so."""

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running mean and variance otherwise: (B, C, L)."""
        return F.batch_norm(x_BCL, self.running_mean, self.running_variance, self.weight, self.bias, self.training,
                            momentum=0.1, eps=self.eps)


class ConvBlock(nn.Module):
    """Batch norm, gelu, convolution."""

    def __init__(self, inputs: int, outputs: int, taps: int, eps: float) -> None:
        super().__init__()
        self.norm = BatchNorm(inputs, eps)
        self.conv = nn.Conv1d(inputs, outputs, taps, padding=taps // 2)

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Give (B, C, L)."""
        out: Tensor = self.conv(_gelu(self.norm(x_BCL)))
        return out


class SoftmaxPool(nn.Module):
    """Attention pooling: of two neighbours, the mean weighted by a softmax over ``W x``, channel by channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Give (B, C, L / 2)."""
        scores = F.conv1d(x_BCL, self.weight[:, :, None])
        pairs = (*x_BCL.shape[:2], -1, 2)
        weights = scores.reshape(pairs).float().softmax(dim=-1).to(x_BCL.dtype)
        return (x_BCL.reshape(pairs) * weights).sum(dim=-1)


class PoolBlock(nn.Module):
    """A convolution, a convolution of one tap added to it, and pooling: half as many positions."""

    def __init__(self, first: nn.Module, channels: int, eps: float) -> None:
        super().__init__()
        self.first = first
        self.pointwise = ConvBlock(channels, channels, 1, eps)
        self.pool = SoftmaxPool(channels)

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Give (B, C, L / 2)."""
        x_BCL = self.first(x_BCL)
        out: Tensor = self.pool(x_BCL + self.pointwise(x_BCL))
        return out


class RelativeAttention(nn.Module):
    """Attention of every bin to every bin, by content and by distance."""

    def __init__(self, config: TracksConfig) -> None:
        super().__init__()
        self.config = config
        D = config.hidden_size
        H = config.n_heads
        K = config.key_size
        self.query = nn.Linear(D, H * K, bias=False)
        self.key = nn.Linear(D, H * K, bias=False)
        self.value = nn.Linear(D, D, bias=False)
        self.distance = nn.Linear(config.n_distance_features, H * K, bias=False)
        self.content_bias = nn.Parameter(torch.empty(H, 1, K))
        self.distance_bias = nn.Parameter(torch.empty(H, 1, K))
        self.out = nn.Linear(D, D)

    def forward(self, x_BnD: Tensor, features_dP: Tensor) -> Tensor:
        """Mix the states of all bins.

        Parameters
        ----------
        x_BnD : Tensor, shape (B, n, D)
            States of the bins.
        features_dP : Tensor, shape (2 n - 1, P)
            Basis functions of the distances (`distance_features`).

        Returns
        -------
        Tensor, shape (B, n, D)
        """
        config = self.config
        q, k, v = (layer(x_BnD).unflatten(-1, (config.n_heads, -1)).transpose(1, 2)  # each (B, H, n, K or V)
                   for layer in (self.query, self.key, self.value))
        q = q / math.sqrt(config.key_size)
        near = F.dropout(features_dP, config.position_dropout, self.training).to(x_BnD.dtype)
        far_HKd = self.distance(near).unflatten(-1, (config.n_heads, -1)).permute(1, 2, 0)
        scores = (q + self.content_bias) @ k.transpose(-1, -2)
        scores = scores + shift_rows((q + self.distance_bias) @ far_HKd)
        weights = F.dropout(scores.float().softmax(dim=-1), config.attention_dropout, self.training)
        out: Tensor = self.out((weights.to(v.dtype) @ v).transpose(1, 2).flatten(2))
        return out


class TrackLayer(nn.Module):
    """One block of the transformer: attention, then feed-forward, each added to what came in."""

    def __init__(self, config: TracksConfig) -> None:
        super().__init__()
        D = config.hidden_size
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(D, eps=config.norm_eps)
        self.attention = RelativeAttention(config)
        self.ffn_norm = nn.LayerNorm(D, eps=config.norm_eps)
        self.ffn_in = nn.Linear(D, 2 * D)
        self.ffn_out = nn.Linear(2 * D, D)

    def forward(self, x_BnD: Tensor, features_dP: Tensor) -> Tensor:
        """Compute the block, shape (B, n, D), from states `x_BnD` of this shape.

        `features_dP`, shape (2 n - 1, P), are the basis functions of the distances.
        """
        x_BnD = x_BnD + drop(self.attention(self.attention_norm(x_BnD), features_dP), self.dropout, self.training)
        inner = F.relu(drop(self.ffn_in(self.ffn_norm(x_BnD)), self.dropout, self.training))
        out: Tensor = x_BnD + drop(self.ffn_out(inner), self.dropout, self.training)
        return out



class TracksBody(nn.Module):
    """The body: bases in, one vector per bin out."""

    def __init__(self, config: TracksConfig) -> None:
        super().__init__()
        self.config = config
        sizes = tower_channels(config)
        taps = config.tower_taps
        eps = config.norm_eps
        self.stem = PoolBlock(nn.Conv1d(4, sizes[0], config.stem_taps, padding=config.stem_taps // 2), sizes[0], eps)
        self.tower = nn.ModuleList(
            PoolBlock(ConvBlock(inputs, outputs, taps, eps), outputs, eps)
            for inputs, outputs in pairwise(sizes)
        )
        self.layers = nn.ModuleList(TrackLayer(config) for _ in range(config.n_layers))
        self.pointwise = ConvBlock(config.hidden_size, 2 * config.hidden_size, 1, eps)

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Compute the vectors of the bins that are kept.

        Parameters
        ----------
        input_ids_BL : Tensor, (B, L) int
            One token per base, nothing around them, L a multiple of the bin.
        attention_mask_BL : Tensor, (B, L) bool or 0/1, optional
            All true, or None: there is no padding.

        Returns
        -------
        Tensor, (B, n - 2 crop_bins, 2 D) float

        Raises
        ------
        DataError
            If the input is too long or too short, is not whole bins, or has padding.
        """
        x_BnD = self.hidden_states(input_ids_BL, attention_mask_BL)[-1]
        crop = self.config.crop_bins
        x_BCn = self.pointwise(x_BnD[:, crop : x_BnD.shape[1] - crop].transpose(1, 2))
        return _gelu(F.dropout(x_BCn, self.config.dropout / 8, self.training)).transpose(1, 2)

    def hidden_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> list[Tensor]:
        """Compute the states of all bins after the tower and after each layer: n_layers + 1 of (B, n, D)."""
        self._check(input_ids_BL, attention_mask_BL)
        ids = torch.tensor(self.config.base_ids, device=input_ids_BL.device)
        x_BCL = (input_ids_BL[:, None] == ids[:, None]).to(next(self.parameters()).dtype)
        for block in (self.stem, *self.tower):
            x_BCL = block(x_BCL)
        states = [x_BCL.transpose(1, 2)]
        features_dP = distance_features(self.config, states[0].shape[1], x_BCL.device)
        for layer in self.layers:
            states.append(layer(states[-1], features_dP))
        return states

    def _check(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None) -> None:
        config = self.config
        length = input_ids_BL.shape[1]
        least = config.bin_bp * (2 * config.crop_bins + 1)
        if length % config.bin_bp or not least <= length <= config.max_positions:
            raise DataError(
                "the input does not fit the bins", got=f"{length} bases",
                expected=f"{least} to {config.max_positions}, a multiple of {config.bin_bp}",
                hint="take windows of one length, with N beyond the ends of a chromosome",
            )
        if attention_mask_BL is not None and not bool(attention_mask_BL.all()):
            raise DataError("an input of tracks has no padding", got="an attention mask that hides tokens",
                            hint="take windows of one length, with N beyond the ends of a chromosome")


class Tracks(nn.Module):
    """A body and a linear head with softplus: the expected signal of each bin and track."""

    def __init__(self, config: TracksConfig) -> None:
        super().__init__()
        self.config = config
        self.body = TracksBody(config)
        self.head = nn.Linear(2 * config.hidden_size, config.n_tracks)

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        """Give the expected signal, at least 0: (B, n - 2 crop_bins, T) float32."""
        scores_BnT: Tensor = self.head(self.body(input_ids_BL, attention_mask_BL))
        return F.softplus(scores_BnT.float())


def build_tracks(config: TracksConfig, seed: int = 0) -> Tracks:
    """Build a track model with random weights, the same for the same seed."""
    model = Tracks(config)
    initialise_tracks(model, seed)
    return model


_CUT = 0.87962566103423978
"""Standard deviation of a standard normal that is cut at 2 sd."""


def initialise_tracks(model: nn.Module, seed: int) -> None:
    """Set every weight by the module's table; each tensor's draw depends on `seed` and its name alone."""

    def rule(name: str, values: Tensor, draw: torch.Generator) -> None:
        if name.endswith("pool.weight"):
            values.fill_diagonal_(2.0)
        elif name.endswith(("content_bias", "distance_bias")):
            draw_cut_normal(values, math.sqrt(2 / values.shape[0]) / _CUT, draw)
        elif values.dim() == 1:
            values.fill_(constant(name))
        elif name.endswith(("query.weight", "key.weight", "value.weight", "distance.weight")):
            draw_cut_normal(values, math.sqrt(2 / values.shape[1]) / _CUT, draw)
        elif not name.endswith("attention.out.weight"):
            draw_cut_normal(values, 1 / math.sqrt(values[0].numel()), draw)

    fill_weights(model, seed, rule)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.running_mean.zero_()
            module.running_variance.fill_(1.0)
