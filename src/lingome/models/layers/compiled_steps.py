"""Loops of a step of one token, compiled: attention to a cache, and a decoder's layer in one sequence.

With one row, a step is a reading of every matrix once. torch's product of one row with a matrix reads it at half the
speed of memory, and a small decoder spends more time between its operations than in them. Here a layer is one
compiled call, and each matrix is read once from its first to its last number, at 27 GB/s on a core where torch
reaches 14 as matrices lie and 18 transposed.

With more rows the matrices push the cache out of the processor's own memory, so each key and value comes from afar,
once: loops that read them in order wait less than torch's kernels, which are made for many queries. One core, float32,
12 heads of 64, milliseconds, with other memory read in between:

====  ===============  =====  ==========
rows  tokens in cache  torch  here
====  ===============  =====  ==========
5     85               0.44   0.31
5     300              0.87   0.60
16    85               1.45   0.90
16    300              2.88   1.81
====  ===============  =====  ==========

Sums are taken in another order than torch's: results differ by rounding. All loops stand in this file, because numba's
cache of compiled code looks for changes in the file of the outermost one alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

# Dimension legend: B rows, D hidden size, H heads of queries, G of keys and values, K their size, F feed-forward size,
# T tokens in the cache, O outputs of a matrix, N numbers

_SUMS_IN_ANY_ORDER = {"reassoc", "contract", "nsz", "arcp"}  # not a NaN, though, which must come through


def fits_compiled_step(q_BHK: Tensor, keys_BGTK: Tensor) -> bool:
    """Say whether `attend_step` can take these: float32 on a CPU, and nothing to be differentiated."""
    kinds = {(one.dtype, one.device.type) for one in (q_BHK, keys_BGTK)}
    return kinds == {(torch.float32, "cpu")} and keys_BGTK.is_contiguous() and not torch.is_grad_enabled()


def attend_step(q_BHK: Tensor, keys_BGTK: Tensor, values_BGTK: Tensor, first: int, end: int) -> Tensor:
    """Compute softmax(q k' / sqrt(K)) v for one new token of each row.

    Parameters
    ----------
    q_BHK : Tensor, (B, H, K) float32
        Queries.
    keys_BGTK, values_BGTK : Tensor, (B, G, T, K) float32
        The cache of a layer.
    first, end : int
        Tokens from `first` to before `end` are seen.

    Returns
    -------
    Tensor, (B, H, K) float32
    """
    out_BHK = np.empty(q_BHK.shape, np.float32)
    _attend_rows(q_BHK.contiguous().numpy(), keys_BGTK.numpy(), values_BGTK.numpy(), first, end, out_BHK)
    return torch.from_numpy(out_BHK)


@numba.njit(cache=True, nogil=True)
def _attend_rows(
    q_BHK: np.ndarray, keys_BGTK: np.ndarray, values_BGTK: np.ndarray, first: int, end: int, out_BHK: np.ndarray
) -> None:
    """Run `_attend_one` for every row."""
    scores_T = np.empty(end, np.float32)
    for b in range(q_BHK.shape[0]):
        _attend_one(q_BHK[b], keys_BGTK[b], values_BGTK[b], first, end, scores_T, out_BHK[b])


class LayerArrays(NamedTuple):
    """The weights of a layer; what it has not is empty."""

    attention_norm_D: np.ndarray
    attention_norm_bias_D: np.ndarray
    qkv_OD: np.ndarray
    qkv_bias_O: np.ndarray
    attention_out_DO: np.ndarray
    attention_out_bias_D: np.ndarray
    ffn_norm_D: np.ndarray
    ffn_norm_bias_D: np.ndarray
    ffn_in_OD: np.ndarray
    ffn_in_bias_O: np.ndarray
    ffn_out_DF: np.ndarray
    ffn_out_bias_D: np.ndarray


@numba.njit(cache=True, nogil=True, fastmath=_SUMS_IN_ANY_ORDER)
def multiply(weight_ON: np.ndarray, bias_O: np.ndarray, x_N: np.ndarray, y_O: np.ndarray) -> None:
    """Write ``weight x + bias`` to `y_O`."""
    for o in range(weight_ON.shape[0]):
        total = np.float32(0)
        for i in range(weight_ON.shape[1]):
            total += weight_ON[o, i] * x_N[i]
        y_O[o] = total + bias_O[o] if len(bias_O) else total


@numba.njit(cache=True, nogil=True, fastmath=_SUMS_IN_ANY_ORDER)
def normalise(
    x_D: np.ndarray, weight_D: np.ndarray, bias_D: np.ndarray, eps: float, rms: bool, y_D: np.ndarray
) -> None:
    """Write LayerNorm or RMSNorm of `x_D` to `y_D`."""
    mean = np.float32(0)
    square = np.float32(0)
    if not rms:
        for i in range(len(x_D)):
            mean += x_D[i]
        mean = np.float32(mean / len(x_D))
    for i in range(len(x_D)):
        square += (x_D[i] - mean) * (x_D[i] - mean)
    scale = np.float32(1 / np.sqrt(square / len(x_D) + eps))
    for i in range(len(x_D)):
        y_D[i] = (x_D[i] - mean) * scale * weight_D[i]
    for i in range(len(bias_D)):
        y_D[i] += bias_D[i]


@numba.njit(cache=True, nogil=True, fastmath=_SUMS_IN_ANY_ORDER)
def _rotate(x_NK: np.ndarray, cos_K: np.ndarray, sin_K: np.ndarray) -> None:
    """Turn each head's halves in place, as `lingome.models.layers.blocks.Rotation` does."""
    half = x_NK.shape[1] // 2
    for n in range(x_NK.shape[0]):
        for i in range(half):
            first = x_NK[n, i]
            second = x_NK[n, i + half]
            x_NK[n, i] = first * cos_K[i] + second * sin_K[i]
            x_NK[n, i + half] = second * cos_K[i + half] + first * sin_K[i + half]


@numba.njit(cache=True, nogil=True, fastmath=_SUMS_IN_ANY_ORDER)
def _attend_one(
    q_HK: np.ndarray, keys_GTK: np.ndarray, values_GTK: np.ndarray, first: int, end: int, scores_T: np.ndarray,
    out_HK: np.ndarray,
) -> None:
    """Write softmax(q k' / sqrt(K)) v over the tokens from `first` to before `end` to `out_HK`."""
    (H, K) = q_HK.shape
    G = keys_GTK.shape[0]
    scale = np.float32(1 / np.sqrt(K))
    for h in range(H):
        g = h // (H // G)
        highest = np.float32(-np.inf)
        for t in range(first, end):
            score = np.float32(0)
            for i in range(K):
                score += q_HK[h, i] * keys_GTK[g, t, i]
            scores_T[t] = score * scale
            highest = max(highest, scores_T[t])
        total = np.float32(0)
        for t in range(first, end):
            scores_T[t] = np.exp(scores_T[t] - highest)
            total += scores_T[t]
        out_HK[h] = 0
        for t in range(first, end):
            share = scores_T[t] / total
            for i in range(K):
                out_HK[h, i] += share * values_GTK[g, t, i]


@numba.njit(cache=True, nogil=True, fastmath=_SUMS_IN_ANY_ORDER)
def _activate(inner_O: np.ndarray, n: int, gated: bool) -> None:
    """Write SwiGLU of both halves, or GELU by its tanh formula, to the first `n` numbers."""
    for i in range(n):
        x = inner_O[i]
        if gated:
            inner_O[i] = x / (np.float32(1) + np.exp(-x)) * inner_O[i + n]
        else:
            bent = np.float32(0.7978845608028654) * (x + np.float32(0.044715) * x * x * x)
            inner_O[i] = np.float32(0.5) * x * (np.float32(1) + np.tanh(bent))


@numba.njit(cache=True, nogil=True)
def run_layer(
    x_D: np.ndarray, weights: LayerArrays, keys_GTK: np.ndarray, values_GTK: np.ndarray, place: int, first: int,
    cos_TK: np.ndarray, sin_TK: np.ndarray, eps: float, rms: bool, gated: bool,
) -> None:
    """Run a layer in place, and put the token's key and value into the cache; without rotation the tables are empty."""
    G, T, K = keys_GTK.shape
    D = len(x_D)
    F = weights.ffn_out_DF.shape[1]
    H = weights.attention_out_DO.shape[1] // K
    y_D = np.empty(D, np.float32)
    scores_T = np.empty(T, np.float32)
    qkv_O = np.empty((H + 2 * G) * K, np.float32)
    mixed_HK = np.empty((H, K), np.float32)
    inner_O = np.empty(weights.ffn_in_OD.shape[0], np.float32)
    normalise(x_D, weights.attention_norm_D, weights.attention_norm_bias_D, eps, rms, y_D)
    multiply(weights.qkv_OD, weights.qkv_bias_O, y_D, qkv_O)
    heads_NK = qkv_O.reshape(H + 2 * G, K)
    if len(cos_TK):
        _rotate(heads_NK[: H + G], cos_TK[place], sin_TK[place])
    for g in range(G):
        for i in range(K):
            keys_GTK[g, place, i] = heads_NK[H + g, i]
            values_GTK[g, place, i] = heads_NK[H + G + g, i]
    _attend_one(heads_NK[:H], keys_GTK, values_GTK, first, place + 1, scores_T, mixed_HK)
    multiply(weights.attention_out_DO, weights.attention_out_bias_D, mixed_HK.reshape(H * K), y_D)
    for i in range(D):
        x_D[i] += y_D[i]
    normalise(x_D, weights.ffn_norm_D, weights.ffn_norm_bias_D, eps, rms, y_D)
    multiply(weights.ffn_in_OD, weights.ffn_in_bias_O, y_D, inner_O)
    _activate(inner_O, F, gated)
    multiply(weights.ffn_out_DF, weights.ffn_out_bias_D, inner_O, y_D)
    for i in range(D):
        x_D[i] += y_D[i]
