"""A model as one process holds it: whole, or some rows of each of its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from lingome.train.parallel.distributed import World
from lingome.train.parallel.sharded import Whole, fill, shard

T = TypeVar("T")


@dataclass(frozen=True)
class Placement:
    """The processes that train a model, and the model as this one holds it.

    Parameters
    ----------
    world : World
        The processes.
    work : Module
        What is trained here: the model itself, or a copy whose weights are split over the processes.
    whole : Whole, optional
        Gathers the weights of `work` for the time of a function; only where they are split.
    """

    world: World
    work: nn.Module
    whole: Whole | None = None

    def apply(self, act: Callable[[nn.Module], T]) -> T:
        """Give ``act(work)``, with the weights gathered where they are split; to be called in every process."""
        if self.whole is None:
            return act(self.work)
        result: T = self.whole(act)
        return result

    def copy_back(self, model: nn.Module) -> None:
        """Put the weights of a split copy into the model that it was made of; nothing to do for any other."""
        if self.whole is not None:
            fill(model, self.work)


def place(model: nn.Module, world: World, parallel: str) -> Placement:
    """Give all processes the first one's weights, and split them where `parallel` is ``fsdp``."""
    world.broadcast(model)
    if parallel != "fsdp":
        return Placement(world, model)
    whole = shard(model)
    return Placement(world, whole.model, whole)
