"""A decoder's step of one token in one sequence, in compiled loops over the model's own arrays.

With one row a step is a reading of every matrix once. torch's product of one row with a matrix reads it at half the
speed of memory, and a small decoder spends more time between its operations than in them. Here a layer is one
compiled call, and each matrix is read once from its first to its last number, at 27 GB/s on a core where torch
reaches 14 as matrices lie and 18 transposed. Nothing is copied. Sums are taken in another order than torch's:
results differ by rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor, nn

from lingome.models.decoder import CausalLM, DecoderLayer, KvCache
from lingome.models.packed_linear import PackedLinear
from lingome.models.step_attention import SUMS_IN_ANY_ORDER, attend_one

# Dimension legend: D hidden size, H heads of queries, G of keys and values, K their size, F feed-forward size,
# T tokens in the cache, V vocabulary, O outputs of a matrix, N numbers



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


@numba.njit(cache=True, nogil=True, fastmath=SUMS_IN_ANY_ORDER)
def _multiply(weight_ON: np.ndarray, bias_O: np.ndarray, x_N: np.ndarray, y_O: np.ndarray) -> None:
    """Write ``weight x + bias`` to `y_O`."""
    for o in range(weight_ON.shape[0]):
        total = np.float32(0)
        for i in range(weight_ON.shape[1]):
            total += weight_ON[o, i] * x_N[i]
        y_O[o] = total + bias_O[o] if len(bias_O) else total


@numba.njit(cache=True, nogil=True, fastmath=SUMS_IN_ANY_ORDER)
def _normalise(
    x_D: np.ndarray, weight_D: np.ndarray, bias_D: np.ndarray, eps: float, rms: bool, y_D: np.ndarray
) -> None:
    """Write LayerNorm or RMSNorm of `x_D` to `y_D`."""
    mean, square = np.float32(0), np.float32(0)
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


@numba.njit(cache=True, nogil=True, fastmath=SUMS_IN_ANY_ORDER)
def _rotate(x_NK: np.ndarray, cos_K: np.ndarray, sin_K: np.ndarray) -> None:
    """Turn each head's halves in place, as `lingome.models.blocks.Rotation` does."""
    half = x_NK.shape[1] // 2
    for n in range(x_NK.shape[0]):
        for i in range(half):
            first, second = x_NK[n, i], x_NK[n, i + half]
            x_NK[n, i] = first * cos_K[i] + second * sin_K[i]
            x_NK[n, i + half] = second * cos_K[i + half] + first * sin_K[i + half]


@numba.njit(cache=True, nogil=True, fastmath=SUMS_IN_ANY_ORDER)
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
def _run_layer(
    x_D: np.ndarray, weights: LayerArrays, keys_GTK: np.ndarray, values_GTK: np.ndarray, place: int, first: int,
    cos_TK: np.ndarray, sin_TK: np.ndarray, eps: float, rms: bool, gated: bool,
) -> None:
    """Run a layer in place, and put the token's key and value into the cache; without rotation the tables are empty."""
    G, T, K = keys_GTK.shape
    D, F = len(x_D), weights.ffn_out_DF.shape[1]
    H = weights.attention_out_DO.shape[1] // K
    y_D, scores_T = np.empty(D, np.float32), np.empty(T, np.float32)
    qkv_O, mixed_HK = np.empty((H + 2 * G) * K, np.float32), np.empty((H, K), np.float32)
    inner_O = np.empty(weights.ffn_in_OD.shape[0], np.float32)
    _normalise(x_D, weights.attention_norm_D, weights.attention_norm_bias_D, eps, rms, y_D)
    _multiply(weights.qkv_OD, weights.qkv_bias_O, y_D, qkv_O)
    heads_NK = qkv_O.reshape(H + 2 * G, K)
    if len(cos_TK):
        _rotate(heads_NK[: H + G], cos_TK[place], sin_TK[place])
    for g in range(G):
        for i in range(K):
            keys_GTK[g, place, i] = heads_NK[H + g, i]
            values_GTK[g, place, i] = heads_NK[H + G + g, i]
    attend_one(heads_NK[:H], keys_GTK, values_GTK, first, place + 1, scores_T, mixed_HK)
    _multiply(weights.attention_out_DO, weights.attention_out_bias_D, mixed_HK.reshape(H * K), y_D)
    for i in range(D):
        x_D[i] += y_D[i]
    _normalise(x_D, weights.ffn_norm_D, weights.ffn_norm_bias_D, eps, rms, y_D)
    _multiply(weights.ffn_in_OD, weights.ffn_in_bias_O, y_D, inner_O)
    _activate(inner_O, F, gated)
    _multiply(weights.ffn_out_DF, weights.ffn_out_bias_D, inner_O, y_D)
    for i in range(D):
        x_D[i] += y_D[i]


_NONE = np.empty(0, np.float32)


def _array(values: Tensor | None) -> np.ndarray:
    """Give the memory of a tensor."""
    array: np.ndarray = _NONE if values is None else values.detach().numpy()
    return array


def _both(layer: nn.Linear | nn.LayerNorm | nn.RMSNorm) -> tuple[np.ndarray, np.ndarray]:
    return _array(layer.weight), _array(getattr(layer, "bias", None))


class OneRow:
    """Steps of one sequence with a model and a cache that `fits` allows; both are used as they are, not copied.

    Parameters
    ----------
    model : CausalLM
        Its weights may change in place, but not move.
    cache : KvCache
        Of one sequence, with its prompt.
    """

    def __init__(self, model: CausalLM, cache: KvCache) -> None:
        self.config, self.cache = model.config, cache
        self._tokens_VD = _array(model.body.tokens.weight)
        self._places_TD = _array(model.body.places.weight) if self.config.positions == "learned" else None
        self._layers = [_layer_arrays(layer) for layer in model.body.layers if isinstance(layer, DecoderLayer)]
        self._final, self._head = _both(model.body.final_norm), _both(model.head)
        self._stores = [
            (_array(keys[0]), _array(values[0]))
            for keys, values in zip(cache.keys_BGTK, cache.values_BGTK, strict=True)
        ]
        self._cos_TK = self._sin_TK = np.empty((0, 0), np.float32)
        if cache.rotation is not None:
            self._cos_TK, self._sin_TK = (_array(table[0, :, 0]) for table in cache.rotation)

    @staticmethod
    def fits(model: CausalLM, cache: KvCache) -> bool:
        """Say whether the loops can take this model and cache: one row, float32 on a CPU, nothing hidden, no experts.

        Matrices must lie row by row (`lingome.models.decoder.store_for_steps` lays them out otherwise).
        """
        if cache.batch_size != 1 or cache.padded or model.config.n_experts:
            return False
        layers = [module for module in model.modules() if not list(module.children())]
        known = (nn.Linear, PackedLinear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)
        tensors = [*model.parameters(), *cache.keys_BGTK, *cache.values_BGTK]
        return all(type(layer) in known for layer in layers) and all(
            one.device.type == "cpu" and one.dtype == torch.float32 and one.is_contiguous() for one in tensors
        )

    def step(self, token: int) -> Tensor:
        """Read one token more, and give logits (1, V); the cache grows by it."""
        config, place = self.config, self.cache.length
        first = max(0, place + 1 - config.window) if config.window else 0
        x_D = self._tokens_VD[token].copy()
        if self._places_TD is not None:
            x_D += self._places_TD[place]
        rms, gated, eps = config.norm == "rms", config.ffn == "swiglu", config.norm_eps
        for weights, (keys, values) in zip(self._layers, self._stores, strict=True):
            _run_layer(x_D, weights, keys, values, place, first, self._cos_TK, self._sin_TK, eps, rms, gated)
        self.cache.length += 1
        logits_V = np.empty(len(self._head[0]), np.float32)
        _normalise(x_D, *self._final, eps, rms, x_D)
        _multiply(*self._head, x_D, logits_V)
        return torch.from_numpy(logits_V)[None]


def _layer_arrays(layer: DecoderLayer) -> LayerArrays:
    return LayerArrays(
        *_both(layer.attention_norm), *_both(layer.qkv), *_both(layer.attention_out), *_both(layer.ffn_norm),
        *_both(layer.ffn_in), *_both(layer.ffn_out),
    )
