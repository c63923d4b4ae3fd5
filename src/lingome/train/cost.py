"""What training will take: time and memory, measured on a few steps of the very model, and extended to all.

Time: a step is computed on as many rows as fit a second, forward and backward, and the optimizer's part on its own;
the first grows with the tokens of a step, the second does not. Validation costs a third of a training token.

Memory: the peak of these few steps is read off, weights, gradients and AdamW's two averages (16 bytes per parameter,
Kingma and Ba 2015, arXiv:1412.6980) among it. What a whole batch needs beyond their rows is added: autograd's tensors
for the backward pass are counted for two rows and for three, and the difference is a row's::

    memory = peak of the timed steps + (rows - timed rows) * row * SLACK + data
    + 4 bytes per parameter for the best weights so far, where progress is measured
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lingome.config.parts.train import TrainSettings
from lingome.models.devices import autocast, pick_precision
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives import Batch, LossSum
from lingome.train.optimizer import build_optimizer

SLACK = 1.15
"""The backward pass holds gradients of what it is at, beside what was kept (measured)."""

SHAPES_BYTES = 100e6
"""What oneDNN comes to hold in bf16 on a CPU as lengths vary, with the bound in `lingome.models.devices` (measured)."""

START_S = 1.8
"""What training takes beside its steps and measures: modules that load late, first and last saves (measured)."""

PROBE_S = 1.0
"""Seconds that one timed step may take, about."""


class Probed(Protocol):
    """An objective whose loss can be computed on random rows of its tokenizer's vocabulary."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The vocabulary."""
        ...

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Sum the loss over a batch of ``input_ids``."""
        ...


@dataclass(frozen=True)
class Cost:
    """Estimate of a training run.

    Parameters
    ----------
    memory_bytes : float
        Largest size: of the process on a CPU; on a GPU, of what torch holds there.
    step_s : float
        Seconds per step, of all its micro-batches.
    valid_s : float
        Seconds of one measure of the validation windows.
    """

    memory_bytes: float
    step_s: float
    valid_s: float

    def seconds(self, steps: float, eval_every: int | None) -> float:
        """Give the time of so many steps: measured before, every `eval_every` steps and at the last, and once after."""
        return START_S + steps * self.step_s + self.valid_s * (2 + (math.ceil(steps / eval_every) if eval_every else 1))


def duration(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration(42.3), duration(900)
    ('42 s', '15.0 minutes')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} minutes"


@dataclass(frozen=True)
class Load:
    """How large the steps are.

    Parameters
    ----------
    longest : int
        Tokens of the longest row, both ends included; memory must suffice for it.
    mean : int
        Tokens of a row on the average of batches; attention's cost is linear in it for a number of tokens.
    valid_tokens : int
        Tokens of all validation windows; 0 for no validation.
    data_bytes : float
        Size of the data held in memory, where it is not loaded yet.
    """

    longest: int
    mean: int
    valid_tokens: int = 0
    data_bytes: float = 0.0


def estimate_training(model: nn.Module, objective: Probed, settings: TrainSettings, load: Load) -> Cost:
    """Estimate the cost of training a model on the device it is on; takes a few seconds.

    The model is trained by the few steps that are timed: take one that is not needed any more.

    Parameters
    ----------
    model : Module
        With its true vocabulary.
    objective : LanguageObjective, or any other with a tokenizer
        Its tokenizer may know fewer tokens than the model.
    settings : TrainSettings
        Batches, precision.
    load : Load
        How large the steps are.
    """
    model.train()
    device = next(model.parameters()).device
    fewest = getattr(objective, "fewest_rows", 1)
    forward = _forward(model, objective, settings)
    rows = max(fewest, settings.batch_tokens // load.longest)
    few, _ = forward(fewest, load.longest)
    more, forward_s = forward(fewest + 1, load.longest)
    row_bytes = max(0.0, more - few)
    per_row_s = 3 * forward_s / (fewest + 1) * load.mean / load.longest
    timed_rows = int(min(max(fewest, settings.batch_tokens // load.mean), max(fewest, PROBE_S / per_row_s)))
    timed_s = _timed(lambda: forward(timed_rows, load.mean, backward=True), device, 2 * PROBE_S)
    token_s = timed_s / (timed_rows * load.mean)
    optimizer = build_optimizer(model, settings)
    optimizer_s = _timed(optimizer.step, device, PROBE_S)
    timed_share = timed_rows * load.mean / load.longest
    memory = peak_bytes(device) + max(0.0, rows - timed_share) * row_bytes * SLACK
    if load.valid_tokens:
        memory += 4 * sum(parameter.numel() for parameter in model.parameters())
    if device.type == "cpu":
        memory += load.data_bytes + (SHAPES_BYTES if pick_precision(device, settings.precision) == "bf16" else 0)
    step_s = settings.accumulate * max(settings.batch_tokens, load.mean) * token_s + optimizer_s  # a row is not cut
    return Cost(memory, step_s, load.valid_tokens * token_s / 3)


Forward = Callable[..., tuple[float, float]]


def _forward(model: nn.Module, objective: Probed, settings: TrainSettings) -> Forward:
    """Give a function that computes a step's loss on random rows: (bytes kept for the backward pass, seconds)."""
    device = next(model.parameters()).device
    rng = np.random.default_rng(0)
    tokenizer = objective.tokenizer
    ordinary = np.setdiff1d(np.arange(tokenizer.vocab_size), tokenizer.special_ids)
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def forward(rows: int, length: int, backward: bool = False) -> tuple[float, float]:
        ids = rng.choice(ordinary, (rows, length))
        ids[:, 0] = tokenizer.cls_id
        ids[:, -1] = tokenizer.sep_id
        batch: Batch = {"input_ids": ids}
        kept: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        start = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(count, _same), autocast(device, settings.precision):
            total = objective.loss(model, batch, np.random.default_rng(1)).total
        if backward:
            torch.autograd.backward(total)
        float(total.detach())  # waits for the device
        return float(sum(kept.values())), time.perf_counter() - start

    return forward


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _timed(work: Callable[[], object], device: torch.device, budget_s: float) -> float:
    """Give the median time (s) of up to four calls, after one that is not counted."""
    times: list[float] = []
    while len(times) < 2 or (len(times) < 5 and sum(times) < budget_s):
        times.append(time_call(work, device))
    return float(np.median(times[1:]))


def time_call(work: Callable[[], object], device: torch.device) -> float:
    """Give the time (s) of one call, until the device has done what it was asked."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def peak_bytes(device: torch.device) -> float:
    """Give the most memory held so far: by torch on a GPU, by the whole process on a CPU."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most if sys.platform == "darwin" else most * 1024  # Linux counts kibibytes
