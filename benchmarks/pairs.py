"""Let lingome and a peer take turns at the same work in one process, and make the peer from lingome's own weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import transformers
from measuring import rate, times

from lingome.models.folders.families import find_family, to_config_json


@dataclass(frozen=True)
class Options:
    """What the command line asks of every section."""

    rounds: int = 5
    cores: int = 2
    quick: bool = False


class Turn(NamedTuple):
    """What one turn took: by the clock, and on all cores together."""

    wall_s: float
    cpu_s: float


COLUMNS = [
    "", "lingome, tokens/s", "peer, tokens/s", "tokens/CPU-s", "peer", "ratio, wall", "ratio, CPU", "goal", "check",
]


def take_turns(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Turn]]:
    """Let each work once to warm up, then `rounds` times in turn."""
    turns: dict[str, list[Turn]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            turn = Turn(time.perf_counter() - wall, time.process_time() - cpu)
            if number:
                turns[name].append(turn)
    return turns


def median_ratio(slow: Sequence[Turn], fast: Sequence[Turn]) -> tuple[float, float]:
    """Give the medians over the rounds of slow / fast, by the clock and in CPU time."""
    pairs = list(zip(slow, fast, strict=True))
    return (statistics.median(a.wall_s / b.wall_s for a, b in pairs),
            statistics.median(a.cpu_s / b.cpu_s for a, b in pairs))


def row(name: str, n_tokens: int, ours: Sequence[Turn], theirs: Sequence[Turn], goal: str, check: str, *,
        longer: bool = False) -> list[str]:
    """Write a row of `COLUMNS`: how many times the peer's time; with `longer`, how many times as long as the peer."""
    speeds = [rate(n_tokens / statistics.median(getattr(turn, clock) for turn in turns))
              for clock in ("wall_s", "cpu_s") for turns in (ours, theirs)]
    ratios = median_ratio(ours, theirs) if longer else median_ratio(theirs, ours)
    return [name, *speeds, *(f"{one:.2f}x" if one < 10 else times(one) for one in ratios), goal, check]


def twin_of(model: torch.nn.Module, kind: Any, **changes: Any) -> torch.nn.Module:
    """Build transformers' model of the same shape and weights; `changes` are values of its config."""
    shape: Any = model.config
    content = {**to_config_json(shape), **changes}
    config = transformers.AutoConfig.for_model(**content)
    peer: torch.nn.Module = kind.from_config(config, attn_implementation="sdpa")
    weights = find_family(shape).to_file(model.state_dict(), shape)
    unknown = peer.load_state_dict(weights, strict=False).unexpected_keys
    assert not unknown, unknown
    peer.tie_weights()
    return peer
