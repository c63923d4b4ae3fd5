"""Weights split over processes: FSDP2 around a copy of a model, and whole weights back out of it.

Each layer of the body is one group of weights, and what is outside of the layers another (Zhao et al.
2023, arXiv:2304.11277). A group is whole only while it computes; gradients and AdamW's averages exist
as shares only. A process holds rows ``[start, stop)`` of every tensor, cut along its first axis.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeGuard, TypeVar

import torch
import torch.distributed as dist
from torch import nn

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

T = TypeVar("T")


class Whole(nn.Module):
    """A model whose weights are gathered for the time of any function of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, act: Callable[[nn.Module], T]) -> T:
        """Give ``act(model)``."""
        return act(self.model)


def find_layers(model: nn.Module) -> list[nn.Module]:
    """Give the layers of a model's body, or of both of its bodies: what its outermost lists hold, if it has any."""
    lists = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    inner = {id(module) for group in lists for layer in group for module in layer.modules()}
    return [layer for group in lists if id(group) not in inner for layer in group if list(layer.parameters())]


def shard(model: nn.Module) -> Whole:
    """Split a copy of the model over all processes; the model itself stays whole, in main memory.

    To be called in every process, with equal weights.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    device = next(model.parameters()).device
    work = copy.deepcopy(model)
    model.to("cpu")
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in find_layers(work):
        fully_shard(layer, mesh=mesh)
    whole = Whole(work)
    fully_shard(whole, mesh=mesh)
    return whole


def is_rows(tensor: object) -> TypeGuard[DTensor]:
    """Say whether a tensor is split, and this process holds some rows of it."""
    module = sys.modules.get("torch.distributed.tensor")  # its import takes a second, and only `shard` needs it
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Give this process's rows of a split tensor, sharing its memory; another tensor as it is.

    Parameters
    ----------
    tensor : Tensor, shape (N, ...)
        Split by its rows, or whole.

    Returns
    -------
    Tensor, shape (n, ...)
        Rows of this process.
    """
    return tensor.to_local() if is_rows(tensor) else tensor


def is_split(model: nn.Module) -> bool:
    """Say whether `shard` made this model."""
    return any(is_rows(parameter) for parameter in model.parameters())


def rows_of(n_rows: int, rank: int, size: int) -> tuple[int, int]:
    """Give the first and one past the last row that a process holds; FSDP cuts as ``torch.chunk`` does.

    >>> [rows_of(5, rank, 4) for rank in range(4)]
    [(0, 2), (2, 4), (4, 5), (5, 5)]
    """
    each = -(-n_rows // size)
    return min(rank * each, n_rows), min((rank + 1) * each, n_rows)


def split_like(whole_rows: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Make a split tensor of this process's rows, cut and shaped as a parameter.

    Parameters
    ----------
    whole_rows : Tensor, shape (n, ...)
        Rows of this process.
    parameter : Tensor, shape (N, ...)
        Split, or whole.

    Returns
    -------
    Tensor, shape (N, ...)
        Split as `parameter` is.
    """
    if not is_rows(parameter):
        return whole_rows
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(
        whole_rows, parameter.device_mesh, parameter.placements, run_check=False, shape=parameter.shape,
        stride=parameter.stride(),
    )


def gather_whole(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Give each of a split model's tensors whole, one after the other, to every process that asks with all.

    Yields
    ------
    (str, Tensor)
        Name and tensor, in the shape that it has in the whole model.
    """
    for name, tensor in model.state_dict().items():
        yield name, tensor.full_tensor() if is_rows(tensor) else tensor


def fill(model: nn.Module, work: nn.Module) -> None:
    """Put the weights of a split copy into the model that it was made of."""
    own = model.state_dict()
    with torch.no_grad():
        for name, tensor in gather_whole(work):
            own[name].copy_(tensor)
