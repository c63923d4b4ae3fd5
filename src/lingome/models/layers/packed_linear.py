"""Linear layers with a copy of their matrix in the order that oneDNN reads fastest, for models that only read."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def can_pack(dtype: torch.dtype) -> bool:
    """Say whether this build of torch, on this processor, has oneDNN's packed matrices of a type."""
    if not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class PackedLinear(nn.Linear):
    """A linear layer with a packed copy of its matrix; the parameters are shared.

    The copy serves products without gradients in its own type: that of autocast, if it is on, else of the input. Any
    other is computed by torch from the parameters.

    Parameters
    ----------
    layer : Linear
        On the CPU; its parameters must not change afterwards.
    dtype : dtype
        float32 or bfloat16.
    n_rows : int
        Rows of a product, for which the order is chosen; others work too.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype, n_rows: int) -> None:
        super().__init__(1, 1, bias=False, device="meta")
        self.in_features = layer.in_features
        self.out_features = layer.out_features
        self.dtype = dtype
        self.weight = layer.weight
        self.bias = layer.bias
        self.n_rows = n_rows
        self._pack()

    def _pack(self) -> None:
        matrix = self.weight.detach().to(self.dtype).contiguous()
        self.packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(matrix, self.n_rows)
        self.added = None if self.bias is None else self.bias.detach().to(self.dtype)

    def _load_from_state_dict(self, *given: Any) -> None:
        super()._load_from_state_dict(*given)
        self._pack()

    def __deepcopy__(self, memo: dict[int, Any]) -> PackedLinear:
        layer = nn.Linear(1, 1, bias=False, device="meta")
        layer.in_features = self.in_features
        layer.out_features = self.out_features
        layer.weight, layer.bias = copy.deepcopy((self.weight, self.bias), memo)
        return PackedLinear(layer, self.dtype, self.n_rows)

    def forward(self, input: Tensor) -> Tensor:
        """Map `input`, (B, L, in) or (T, in), to outputs, (B, L, out) or (T, out)."""
        wanted = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        if torch.is_grad_enabled() or wanted != self.dtype:
            return F.linear(input, self.weight, self.bias)
        x = input.to(self.dtype)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, self.added, "none", [], "")
        return out
