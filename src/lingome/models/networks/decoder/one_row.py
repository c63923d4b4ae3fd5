"""A decoder's step of one token in one sequence, in compiled loops over the model's own arrays; nothing is copied.

The loops, and why, are in `lingome.models.layers.compiled_steps`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lingome.models.layers.compiled_steps import LayerArrays, multiply, normalise, run_layer
from lingome.models.layers.packed_linear import PackedLinear
from lingome.models.networks.decoder.model import CausalLM, DecoderLayer, KvCache

# Dimension legend: D hidden size, T tokens in the cache, V vocabulary

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
        self.config = model.config
        self.cache = cache
        self._tokens_VD = _array(model.body.tokens.weight)
        self._places_TD = _array(model.body.places.weight) if self.config.positions == "learned" else None
        self._layers = [_layer_arrays(layer) for layer in model.body.layers if isinstance(layer, DecoderLayer)]
        self._final = _both(model.body.final_norm)
        self._head = _both(model.head)
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

        Matrices must lie row by row (`lingome.models.networks.decoder.model.store_for_steps` lays them out otherwise).
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
        config = self.config
        place = self.cache.length
        first = max(0, place + 1 - config.window) if config.window else 0
        x_D = self._tokens_VD[token].copy()
        if self._places_TD is not None:
            x_D += self._places_TD[place]
        rms = config.norm == "rms"
        gated = config.ffn == "swiglu"
        eps = config.norm_eps
        for weights, (keys, values) in zip(self._layers, self._stores, strict=True):
            run_layer(x_D, weights, keys, values, place, first, self._cos_TK, self._sin_TK, eps, rms, gated)
        self.cache.length += 1
        logits_V = np.empty(len(self._head[0]), np.float32)
        normalise(x_D, *self._final, eps, rms, x_D)
        multiply(*self._head, x_D, logits_V)
        return torch.from_numpy(logits_V)[None]


def _layer_arrays(layer: DecoderLayer) -> LayerArrays:
    return LayerArrays(
        *_both(layer.attention_norm), *_both(layer.qkv), *_both(layer.attention_out), *_both(layer.ffn_norm),
        *_both(layer.ffn_in), *_both(layer.ffn_out),
    )
