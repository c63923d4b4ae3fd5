"""Attention of one new token a sequence to a cache of keys and values, in compiled loops.

The matrices of a step push the cache out of the processor's own memory, so each key and value comes from afar, once:
loops that read them in order wait less than torch's kernels, which are made for many queries. One core, float32, 12
heads of 64, milliseconds, with other memory read in between:

====  ===============  =====  ==========
rows  tokens in cache  torch  here
====  ===============  =====  ==========
5     85               0.44   0.31
5     300              0.87   0.60
16    85               1.45   0.90
16    300              2.88   1.81
====  ===============  =====  ==========

Sums are taken in another order than torch's: results differ by rounding.
"""

from __future__ import annotations

import numba
import numpy as np
import torch
from torch import Tensor

# Dimension legend: B rows, H heads of queries, G of keys and values, K their size, T tokens in the cache

SUMS_IN_ANY_ORDER = {"reassoc", "contract", "nsz", "arcp"}
"""What compiled sums may do; not more, so that what is not a number comes through."""


def fits_compiled_step(q_BHK: Tensor, keys_BGTK: Tensor) -> bool:
    """Say whether `attend_step` can take these: float32 on a CPU, and nothing to be differentiated."""
    kinds = {(one.dtype, one.device.type) for one in (q_BHK, keys_BGTK)}
    return kinds == {(torch.float32, "cpu")} and keys_BGTK.is_contiguous() and not torch.is_grad_enabled()


def attend_step(q_BHK: Tensor, keys_BGTK: Tensor, values_BGTK: Tensor, first: int, end: int) -> Tensor:
    """Give softmax(q k' / sqrt(K)) v over the tokens from `first` to before `end` of each row, (B, H, K)."""
    out_BHK = np.empty(q_BHK.shape, np.float32)
    _attend_rows(q_BHK.contiguous().numpy(), keys_BGTK.numpy(), values_BGTK.numpy(), first, end, out_BHK)
    return torch.from_numpy(out_BHK)


@numba.njit(cache=True, nogil=True, fastmath=SUMS_IN_ANY_ORDER)
def attend_one(
    q_HK: np.ndarray, keys_GTK: np.ndarray, values_GTK: np.ndarray, first: int, end: int, scores_T: np.ndarray,
    out_HK: np.ndarray,
) -> None:
    """Write softmax(q k' / sqrt(K)) v over the tokens from `first` to before `end` to `out_HK`."""
    (H, K), G = q_HK.shape, keys_GTK.shape[0]
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


@numba.njit(cache=True, nogil=True)
def _attend_rows(
    q_BHK: np.ndarray, keys_BGTK: np.ndarray, values_BGTK: np.ndarray, first: int, end: int, out_BHK: np.ndarray
) -> None:
    """Run `attend_one` for every row."""
    scores_T = np.empty(end, np.float32)
    for b in range(q_BHK.shape[0]):
        attend_one(q_BHK[b], keys_BGTK[b], values_BGTK[b], first, end, scores_T, out_BHK[b])
