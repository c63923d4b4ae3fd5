"""Part of the outputs of a linear layer, for chosen rows; whatever module stands in its place is never bypassed.

Axes: T rows, M chosen rows, D inputs, N outputs.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def project_chosen(layer: nn.Module, x_TD: Tensor, rows_M: Tensor, n_first: int) -> tuple[Tensor, Tensor]:
    """Compute a layer's first outputs of chosen rows, as queries, and its other outputs of every row, as keys.

    A plain linear layer multiplies by the parts of its matrix alone. Any other module in its place (an adapter around
    it, a packed or a parametrised one, a layer with hooks) is called as it is, once for all rows, and cut afterwards:
    what it adds is in both results.

    Parameters
    ----------
    layer : Module
        From (T, D) to (T, N).
    x_TD : Tensor, (T, D) float
        Its input.
    rows_M : Tensor, (M,) int64
        The rows of which the first outputs are wanted.
    n_first : int
        How many outputs are the first.

    Returns
    -------
    first : Tensor, (M, n_first) float
    others : Tensor, (T, N - n_first) float
    """
    if type(layer) is not nn.Linear or layer._forward_hooks or layer._forward_pre_hooks:
        whole_TN = layer(x_TD)
        return whole_TN[rows_M, :n_first], whole_TN[:, n_first:]
    first_bias, other_bias = (None, None) if layer.bias is None else (layer.bias[:n_first], layer.bias[n_first:])
    first = F.linear(x_TD[rows_M], layer.weight[:n_first], first_bias)
    return first, F.linear(x_TD, layer.weight[n_first:], other_bias)
