"""One step of the optimizer: its micro-batches, dealt to the processes, and what can go wrong in them."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.core.seeds import derive_seed, generator
from lingome.models.devices import autocast
from lingome.train.checkpointing import Phase
from lingome.train.memory import Draws, count_rows, cut_rows, is_out_of_memory, too_large
from lingome.train.objectives import LossSum, Objective
from lingome.train.optimizer import scale_and_clip
from lingome.train.parallel.placement import Placement
from lingome.train.sources import BatchSource

Signals = Callable[[], tuple[float, float, float]]
"""Gives what this process has to say to the others: asked to stop, late to save, seconds since the start."""


class StepResult(NamedTuple):
    """What a step came to, over all processes.

    Parameters
    ----------
    loss, items : float
        Summed loss (nats), and the items it was summed over.
    tokens : int
        Tokens seen, padding not counted.
    waited_s : float
        Time this process waited for batches.
    stop, late, elapsed_s : float
        Sums of what the processes signalled.
    """

    loss: float
    items: float
    tokens: int
    waited_s: float
    stop: float
    late: float
    elapsed_s: float


class Stepper:
    """Does steps; holds what they share.

    Parameters
    ----------
    placement : Placement
        The model as this process holds it, and the processes that share the micro-batches of a step.
    objective, source : Objective and BatchSource
        What is learnt, and from what.
    settings : TrainSettings
        Micro-batches of a step, clipping, precision.
    phase : Phase
        Name and seed of the training, which decide its draws.
    optimizer : Optimizer
        Changes `parameters`.
    parameters : list of Parameter
        What is trained, in the order of the model.
    last_save : callable
        Says what is kept, and how to go on, for the message of a loss that is no number.

    Attributes
    ----------
    parts : int
        Pieces of each micro-batch; grows when memory runs out.
    """

    def __init__(
        self, placement: Placement, objective: Objective, source: BatchSource, settings: TrainSettings, *,
        phase: Phase, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], last_save: Callable[[], str],
    ) -> None:
        self.placement = placement
        self.world = placement.world
        self.objective = objective
        self.source = source
        self.settings = settings
        self.phase = phase
        self.optimizer = optimizer
        self.parameters = parameters
        self.last_save = last_save
        self.device = next(placement.work.parameters()).device
        self.parts = 1
        self.norm = math.nan

    def step(self, step: int, rate: float, signals: Signals) -> StepResult:
        """Do step `step`, counted from 0, at a learning rate.

        Raises
        ------
        DataError
            If the loss or its gradient is not finite, in every process and before any weight changes; or there
            is nothing to learn from.
        ConfigError
            If memory does not even suffice for one sequence.
        """
        self.placement.work.train()
        while (done := self._accumulate(step, signals)) is None:
            self.optimizer.zero_grad(set_to_none=True)
        result, totals, present = done
        self._check_totals(totals, step, rate)
        if result.items <= 0:
            raise DataError("a training step has nothing to learn from", where=f"step {step + 1}")
        items = result.items
        if self.placement.whole is None:
            self.world.sum_gradients(self.parameters, present)
        else:
            items /= self.world.size  # FSDP leaves the mean over processes
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        norm = scale_and_clip(self.parameters, items, self.settings.clip)
        if not math.isfinite(norm):
            self._refuse(f"the gradient is not a finite number ({norm})", step, None, rate)
        self.norm = norm
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return result

    def _accumulate(self, step: int, signals: Signals) -> tuple[StepResult, list[float], list[float]] | None:
        """Sum gradients over this process's micro-batches, and numbers over all; None if it must be done again."""
        mine = range(self.world.rank, self.settings.accumulate, self.world.size)
        totals: dict[int, torch.Tensor] = {}
        items = 0.0
        tokens = 0
        waited = 0.0
        failed = None
        for micro in mine:
            before = time.monotonic()
            batch = self.source.batch(*self._place(step, micro))
            waited += time.monotonic() - before
            try:
                totals[micro], count = self._backward(batch, step, micro)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                failed = error.with_traceback(None)
                rows = count_rows(batch)
                break
            items += count
            tokens += count_tokens(batch)
        if failed is not None:
            self._release(failed, rows)
        values = [0.0] * self.settings.accumulate
        if failed is None:
            # One look at a GPU's results a step, not one a micro-batch: it has to finish its work first.
            read = torch.stack(list(totals.values())).tolist() if len(totals) > 1 else [float(*totals.values())]
            for micro, value in zip(totals, read, strict=True):
                values[micro] = value
        present = [float(p.grad is not None) for p in self.parameters] if self.world.size > 1 else []
        shared = self.world.sum([*values, items, float(tokens), float(failed is not None), *signals(), *present])
        rest = shared[len(values) :]
        values = shared[: len(values)]
        if rest[2]:
            self.parts *= 2
            say(
                f"memory ran out at step {step + 1}: micro-batches are now computed in {self.parts} pieces; "
                "the sum, and so the step, stays the same"
            )
            return None
        return StepResult(sum(values), rest[0], int(rest[1]), waited, *rest[3:6]), values, rest[6:]

    def _place(self, step: int, micro: int) -> tuple[int, int]:
        """Give the epoch and the number in it of a step's micro-batch."""
        return divmod(step * self.settings.accumulate + micro, self.source.batches_per_epoch)

    def _backward(self, batch: Mapping[str, Any], step: int, micro: int) -> tuple[torch.Tensor, float]:
        """Add a micro-batch's gradients up; give its summed loss (no gradient) and items."""
        phase = self.phase
        # The first micro-batch draws as it did when a step had one seed: states saved then go on as they were.
        torch.manual_seed(derive_seed(phase.seed, phase.name, "dropout", step, *([micro] if micro else [])))
        rng = generator(phase.seed, phase.name, "objective", step, micro)
        pieces: list[Mapping[str, Any]] = [batch]
        if self.parts > 1:
            drawn = self.objective.draw(batch, rng) if isinstance(self.objective, Draws) else batch
            pieces = list(cut_rows(drawn, self.parts))
        losses = []
        items = 0.0
        for piece in pieces:
            with autocast(self.device, self.settings.precision):
                result = self._loss(piece, rng)
            torch.autograd.backward(result.total)
            losses.append(result.total.detach())
            items += result.items
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum(), items

    def _loss(self, batch: Mapping[str, Any], rng: np.random.Generator) -> LossSum:
        return self.placement.apply(lambda model: self.objective.loss(model, batch, rng))

    def _release(self, error: BaseException, rows: int) -> None:
        """Give memory back after it ran out; raise if smaller pieces would not help."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.placement.whole is not None:  # the others wait in the middle of a layer: nothing can be agreed on
            raise too_large(error, self.settings.group, alone=False) from error
        if self.parts >= rows:
            raise too_large(error, self.settings.group, alone=True) from error

    def _check_totals(self, totals: list[float], step: int, rate: float) -> None:
        for micro, value in enumerate(totals):
            if not math.isfinite(value):
                self._refuse(f"the loss is not a finite number ({value})", step, micro, rate)

    def _refuse(self, what: str, step: int, micro: int | None, rate: float) -> NoReturn:
        """Say which batch it was, and how to go on."""
        every = range(self.settings.accumulate) if micro is None else [micro]
        batches = [describe_batch(self.source, *self._place(step, one)) for one in every[:4]]
        number = "" if micro is None else f", micro-batch {micro + 1} of {self.settings.accumulate}"
        norm = "none before" if math.isnan(self.norm) else f"{self.norm:.4g} in the step before"
        raise DataError(
            f"{what} at step {step + 1}{number}; learning rate {rate:.4g}, gradient norm {norm}",
            where=self.phase.name, got="; ".join(batches), hint=self.last_save(),
        )


def describe_batch(source: BatchSource, epoch: int, index: int) -> str:
    """Say which micro-batch this is: where it comes in the data's order, its shape and a digest of its ids."""
    batch = source.batch(epoch, index)
    name = "input_ids" if "input_ids" in batch else next(iter(batch))
    ids = np.ascontiguousarray(np.asarray(batch[name]))
    digest = hashlib.sha256(ids.tobytes()).hexdigest()[:12]
    shape = " x ".join(str(n) for n in ids.shape)
    return f"batch {index} of pass {epoch} ({name} {shape}, sha256 {digest})"


def count_tokens(batch: Mapping[str, Any]) -> int:
    """Count the tokens of a batch that are not padding; of a batch without tokens, its items."""
    mask = batch.get("attention_mask")
    if mask is not None:
        return int(mask.sum())
    ids = batch.get("input_ids")
    return int(np.prod(ids.shape)) if ids is not None else len(next(iter(batch.values())))
