"""The steps of a sampler, each a pure function of logits (B, V).

A token that may not be drawn has the logit -inf. `shape_logits` applies the steps in the order of
transformers: temperature, top-k, top-p, min-p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch import Tensor

from lingome.core.errors import ConfigError

# Dimension legend: B rows of a batch, V tokens in the vocabulary


def allow_only(logits_BV: Tensor, allowed_BV: Tensor) -> Tensor:
    """Forbid every token that is not allowed; `allowed_BV` is bool and may be (V,).

    >>> allow_only(torch.tensor([[1.0, 2.0]]), torch.tensor([True, False])).tolist()
    [[1.0, -inf]]
    """
    return logits_BV.masked_fill(~allowed_BV, -math.inf)


def scale_temperature(logits_BV: Tensor, temperature: float) -> Tensor:
    """Divide logits by a temperature; 0 is the limit, which keeps the likeliest token alone.

    Of equally likely tokens the one with the lowest id is kept, as `greedy_tokens` does.

    Returns
    -------
    Tensor, shape (B, V)
        Logits; at temperature 0, -inf but for one token of each row.
    """
    if temperature == 0:
        return keep_top_k(logits_BV, 1)
    if temperature == 1:
        return logits_BV
    scaled_BV = logits_BV / temperature
    if bool(scaled_BV.amax(dim=-1).isinf().any()):  # too small a temperature for these numbers
        return (logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / temperature
    return scaled_BV


def keep_top_k(logits_BV: Tensor, k: int) -> Tensor:
    """Keep the k likeliest tokens of each row; where the k-th is tied, those of lowest id.

    Fan et al. 2018, doi:10.18653/v1/P18-1082.

    Returns
    -------
    Tensor, shape (B, V)
        Logits; -inf where a token is not kept.

    >>> keep_top_k(torch.tensor([[1.0, 3.0, 3.0, 2.0]]), 1).tolist()
    [[-inf, 3.0, -inf, -inf]]
    """
    if k >= logits_BV.shape[-1]:
        return logits_BV
    least_B1 = logits_BV.topk(k, dim=-1).values[:, -1:]
    return _keep_largest(logits_BV, logits_BV, least_B1, torch.full_like(least_B1, k, dtype=torch.int64))


def _keep_largest(logits_BV: Tensor, ranks_BV: Tensor, least_B1: Tensor, n_B1: Tensor) -> Tensor:
    """Keep `n_B1` tokens of each row, of which the last has the rank `least_B1`; of tied ones those of lowest id."""
    kept_BV = ranks_BV >= least_B1
    if bool((kept_BV.sum(dim=-1, keepdim=True) > n_B1).any()):
        above_BV = ranks_BV > least_B1
        tied_BV = ranks_BV == least_B1
        room_B1 = n_B1 - above_BV.sum(dim=-1, keepdim=True)
        kept_BV = above_BV | (tied_BV & (tied_BV.cumsum(dim=-1) <= room_B1))
    return allow_only(logits_BV, kept_BV)


_BIN_BITS = 48
_N_BINS = (int(np.float64(1.0).view(np.int64)) >> _BIN_BITS) + 2  # a sum of 1 may be rounded up
"""Bins of `_find_nuclei`: numbers up to 1 with the same exponent and the same first four bits after it."""


def keep_top_p(logits_BV: Tensor, p: float) -> Tensor:
    """Keep the fewest likeliest tokens whose probabilities add up to at least p; never less than one.

    Nucleus sampling: Holtzman et al. 2020, arXiv:1904.09751.

    Returns
    -------
    Tensor, shape (B, V)
        Logits; -inf where a token is not kept.

    >>> keep_top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.6).exp().tolist()[0][2]
    0.0
    """
    if p >= 1:
        return logits_BV
    probs_BV = logits_BV.softmax(dim=-1, dtype=torch.float64)
    found = _find_nuclei(probs_BV.cpu().numpy(), p)
    least_B1, n_B1 = (torch.from_numpy(one)[:, None].to(probs_BV.device) for one in found)
    return _keep_largest(logits_BV, probs_BV, least_B1, n_B1)


@numba.njit(cache=True, nogil=True)
def _find_nuclei(probs_BV: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the least probability of each row's nucleus, and how many are in it, without sorting the row.

    The bits of positive numbers rise as the numbers do, so their first bits sort them into bins: whole bins are
    added from the likeliest on, and only the one where the sum reaches p is sorted.
    """
    least_B = np.empty(len(probs_BV))
    n_B = np.empty(len(probs_BV), np.int64)
    sums = np.empty(_N_BINS)
    counts = np.empty(_N_BINS, np.int64)
    for row in range(len(probs_BV)):
        probs_V = probs_BV[row]
        # Whatever is not a number gets the last bin, so that no index leaves the table.
        bins_V = np.minimum((probs_V.view(np.int64) >> _BIN_BITS) & 0x7FFF, _N_BINS - 1)
        sums[:] = 0
        counts[:] = 0
        for i in range(len(probs_V)):
            sums[bins_V[i]] += probs_V[i]
            counts[bins_V[i]] += 1
        lowest = bins_V.min()
        place = bins_V.max()
        total = 0.0
        n = 0
        while place > lowest and total + sums[place] < p:
            total, n, place = total + sums[place], n + counts[place], place - 1
        inside = np.sort(probs_V[bins_V == place])[::-1]
        for one in inside:
            if total >= p and n:
                break
            total += one
            n += 1
            least_B[row] = one
        n_B[row] = n
    return least_B, n_B


def keep_min_p(logits_BV: Tensor, p: float) -> Tensor:
    """Keep the tokens that are at least p times as likely as the likeliest one.

    Nguyen et al. 2024, arXiv:2407.01082.

    Returns
    -------
    Tensor, shape (B, V)
        Logits; -inf where a token is not kept.

    >>> keep_min_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.5).exp().tolist()[0][2]
    0.0
    """
    if p <= 0:
        return logits_BV
    return allow_only(logits_BV, logits_BV >= logits_BV.amax(dim=-1, keepdim=True) + math.log(p))


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn; the defaults draw from the model's own distribution.

    Parameters
    ----------
    temperature : float
        Above 1 flatter, below 1 sharper, 0 greedy.
    top_k : int, optional
        See `keep_top_k`.
    top_p, min_p : float, optional
        See `keep_top_p` and `keep_min_p`.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ConfigError("a temperature is 0 or more", where="temperature", got=self.temperature)
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError("top-k keeps at least one token", where="top_k", got=self.top_k, expected="1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError("top-p is a probability", where="top_p", got=self.top_p, expected="above 0, at most 1")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ConfigError("min-p is a share of the largest probability",
                              where="min_p", got=self.min_p, expected="0 to 1")


def shape_logits(logits_BV: Tensor, sampling: Sampling) -> Tensor:
    """Apply temperature, top-k, top-p and min-p, in this order; what was not asked for changes nothing.

    Returns
    -------
    Tensor, shape (B, V)
        Logits; -inf where a token is not kept.
    """
    logits_BV = scale_temperature(logits_BV, sampling.temperature)
    if sampling.top_k is not None:
        logits_BV = keep_top_k(logits_BV, sampling.top_k)
    if sampling.top_p is not None:
        logits_BV = keep_top_p(logits_BV, sampling.top_p)
    return keep_min_p(logits_BV, sampling.min_p) if sampling.min_p is not None else logits_BV


def greedy_tokens(logits_BV: Tensor) -> Tensor:
    """Give the likeliest token of each row, int64 (B,); of equal ones the lowest id."""
    return logits_BV.argmax(dim=-1)


def sample_tokens(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Draw a token of each row, int64 (B,), by inverting the distribution function at `uniform_B`.

    Parameters
    ----------
    logits_BV : Tensor, shape (B, V)
        At least one of each row above -inf.
    uniform_B : Tensor of float64, shape (B,)
        Uniform on [0, 1).

    Notes
    -----
    One number a draw, so that what is drawn in one row never depends on the other rows.

    >>> sample_tokens(torch.tensor([[0.25, 0.75]] * 2).log(), torch.tensor([0.2, 0.3]).double()).tolist()
    [0, 1]
    """
    sums_BV = logits_BV.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    # Scaled by the last sum, which rounding leaves near 1: the point always lies below it.
    point_B1 = uniform_B.to(sums_BV)[:, None] * sums_BV[:, -1:]
    return torch.searchsorted(sums_BV, point_B1, right=True)[:, 0].clamp(max=logits_BV.shape[-1] - 1)
