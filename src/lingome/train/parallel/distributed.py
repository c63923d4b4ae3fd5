"""Several processes that train one model: who is here, what all agree on, and sums over all.

Every process runs the whole workflow on the same data; only the micro-batches of a step are dealt
out. So there is no second program for many devices: what a process does not share (reading,
validation) it does again, to the same result, and the first one alone writes.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, Interrupted
from lingome.core.processes import count_processes, local_rank, process_rank

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others before it gives up."""

BUCKET = 8_000_000
"""Numbers of the gradients that are sent together: large messages are fast, and several overlap."""

_LOST = ("connection closed", "connection reset", "broken pipe", "timed out", "timeout", "nccl", "connection refused")


@dataclass(frozen=True)
class World:
    """The processes that train together; alone by default, when every method does nothing.

    Parameters
    ----------
    rank, size : int
        Number of this process, from 0, and how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add numbers up over all processes, each by its place, in double precision."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        with explain_lost_process():
            dist.all_reduce(numbers)
        return [float(number) for number in numbers]

    def gather(self, text: str) -> list[str]:
        """Give the text of every process, in the order of their numbers, to all."""
        if self.size == 1:
            return [text]
        mine = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
        lengths = [int(length) for length in self.sum(
            [float(len(mine)) if rank == self.rank else 0.0 for rank in range(self.size)]
        )]
        padded = torch.zeros(max(lengths), dtype=torch.uint8)
        padded[: len(mine)] = mine
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        with explain_lost_process():
            dist.all_gather(parts, padded)
        return [bytes(part[:n].tolist()).decode().strip() for part, n in zip(parts, lengths, strict=True)]

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.sum([0.0])

    def broadcast(self, model: nn.Module) -> None:
        """Give all processes the first one's weights."""
        if self.size > 1:
            with explain_lost_process(), torch.no_grad():
                for tensor in model.state_dict().values():
                    dist.broadcast(tensor, src=0)

    def sum_gradients(self, parameters: Sequence[nn.Parameter], present: Sequence[float]) -> None:
        """Add gradients up over all processes, in place.

        Parameters
        ----------
        present : sequence of float
            By parameter, how many processes have a gradient; one that has none counts as zero there.
        """
        if self.size == 1:
            return
        gradients = []
        for parameter, count in zip(parameters, present, strict=True):
            if count > 0:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        buckets = _buckets(gradients)
        with explain_lost_process():
            flat = [torch.cat([gradient.reshape(-1) for gradient in bucket]) for bucket in buckets]
            for work in [dist.all_reduce(one, async_op=True) for one in flat]:
                if work is not None:
                    work.wait()
        for bucket, one in zip(buckets, flat, strict=True):
            for gradient, part in zip(bucket, torch.split(one, [g.numel() for g in bucket]), strict=True):
                gradient.copy_(part.view_as(gradient))


ALONE = World()


def _buckets(gradients: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    buckets: list[list[torch.Tensor]] = []
    held = 0
    for gradient in gradients:
        if not buckets or held + gradient.numel() > BUCKET or buckets[-1][0].dtype != gradient.dtype:
            buckets.append([])
            held = 0
        buckets[-1].append(gradient)
        held += gradient.numel()
    return buckets


def join() -> World:
    """Meet the other processes; alone if ``torchrun`` did not start this one."""
    size = count_processes()
    if size == 1:
        return ALONE
    if not dist.is_initialized():
        backend = "gloo"
        if torch.cuda.is_available():
            backend = "cpu:gloo,cuda:nccl"
            torch.cuda.set_device(local_rank())  # collectives of bytes use the device that is set
        with explain_lost_process():
            dist.init_process_group(backend, timeout=TIMEOUT)
        atexit.register(_leave)
    return World(process_rank(), size)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def explain_lost_process() -> Iterator[None]:
    """Turn the error of a broken or silent connection into one that says what happened.

    Raises
    ------
    Interrupted
        If another process is gone, or did not come within `TIMEOUT`.
    """
    try:
        yield
    except RuntimeError as error:
        if count_processes() == 1 or not any(sign in str(error).lower() for sign in _LOST):
            raise
        raise Interrupted(
            f"process {process_rank()} lost another process of the {count_processes()} that train together",
            got=str(error).strip().splitlines()[0][:200],
            hint="read what the other process said; then go on from the last save with --resume",
        ) from error


def check_agreement(world: World, facts: Mapping[str, str]) -> None:
    """Refuse to start processes that would not train the same model on the same data.

    Raises
    ------
    ConfigError
        In every process, if one of them differs from the first: who, in what, and both values.
    """
    first, *others = [json.loads(text) for text in world.gather(json.dumps(dict(facts)))]
    for rank, other in enumerate(others, start=1):
        for name in sorted(first.keys() | other.keys()):
            mine = first.get(name)
            theirs = other.get(name)
            if mine != theirs:
                place, mine, theirs = _first_difference(name, mine, theirs)
                raise ConfigError(
                    "the processes that were started together disagree", where=place,
                    got=f"process {rank}: {theirs}", expected=f"process 0: {mine}",
                    hint="start all of them with the same command, on the same files",
                )


def _first_difference(name: str, mine: str | None, theirs: str | None) -> tuple[str, object, object]:
    """Name the setting itself where two texts are settings written as JSON."""
    try:
        ours = json.loads(mine or "")
        others = json.loads(theirs or "")
        key = next(key for key in sorted(ours.keys() | others.keys()) if ours.get(key) != others.get(key))
    except (ValueError, AttributeError, StopIteration):
        return name, mine, theirs
    return f"{name}: {key}", ours.get(key), others.get(key)


def choose_parallel(world: World, settings: TrainSettings) -> str:
    """Resolve ``parallel``: ``none`` for one process, else ``ddp`` or ``fsdp``.

    Raises
    ------
    ConfigError
        If several processes have nothing to share, or the micro-batches of a step cannot be dealt evenly.
    """
    if world.size == 1:
        if settings.parallel == "fsdp":
            raise ConfigError(
                "one process has nobody to share the weights with", where="train.parallel", got="fsdp",
                expected="auto, none or ddp", hint="start several: torchrun --nproc-per-node 2 -m lingome pretrain ...",
            )
        return "none"
    if settings.parallel == "none":
        raise ConfigError(
            f"{world.size} processes were started, and each would train the whole model alone",
            where="train.parallel", got="none", expected="auto, ddp or fsdp", hint="leave parallel out, or torchrun",
        )
    if settings.accumulate % world.size:
        fitting = world.size * max(1, round(settings.accumulate / world.size))
        raise ConfigError(
            f"the micro-batches of a step cannot be dealt evenly to {world.size} processes", where="train.accumulate",
            got=settings.accumulate, expected=f"a multiple of {world.size}",
            hint=f"train.accumulate={fitting} train.batch_tokens="
            f"{max(2, settings.batch_tokens * settings.accumulate // fitting)} keeps the tokens of a step",
        )
    return "ddp" if settings.parallel == "auto" else settings.parallel
