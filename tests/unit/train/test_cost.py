"""What a training is said to take, against what it takes."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.train import cost
from lingome.train.cost import START_S, Cost, Load, _forward, duration, estimate_training
from lingome.train.objectives import LossSum, MaskedObjective

BRIEF = TrainSettings(max_steps=1, batch_tokens=256, precision="fp32")


class Squares(nn.Module):
    """Keeps one float32 matrix of (B, L) for the backward pass, and a scale."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, ids_BL):
        return (self.scale * ids_BL.float()).sum()


class SquaresObjective:
    tokenizer = CharacterTokenizer()

    def loss(self, model, batch, rng):
        ids = torch.from_numpy(batch["input_ids"])
        return LossSum(model(ids), ids.numel())


def test_what_autograd_keeps_by_hand():
    # d(scale * x)/d scale is x: B * L float32 are kept; the weight itself is not counted.
    for rows in (2, 5):
        assert _forward(Squares(), SquaresObjective(), BRIEF)(rows, 30)[0] == rows * 30 * 4


def test_time_is_steps_and_measures():
    cost = Cost(memory_bytes=1e9, step_s=2.0, valid_s=5.0)
    assert cost.seconds(100, 20) == START_S + 100 * 2 + (2 + 5) * 5
    assert cost.seconds(100, None) == START_S + 100 * 2 + 3 * 5
    assert duration(119) == "119 s"


RUN = """
import resource, torch, numpy as np
from lingome.config.parts.train import TrainSettings
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
import lingome.train.cost as cost
from lingome.train.objectives import MaskedObjective
tokenizer = CharacterTokenizer()
settings = TrainSettings(max_steps=1, batch_tokens=16384, precision="fp32")
model, objective = build_masked_lm("tiny", 9), MaskedObjective(tokenizer)
cost.PROBE_S = 0.1
said = cost.estimate_training(model, objective, settings, cost.Load(longest=256, mean=32))
ids = np.random.default_rng(0).integers(5, 9, (64, 256))
objective.loss(model, {"input_ids": ids}, np.random.default_rng(0)).total.backward()
print(said.memory_bytes, cost.peak_bytes(torch.device("cpu")))
"""


def test_memory_of_a_step_that_the_probe_did_not_do():
    """The probe sees rows of 32 tokens, the step has 64 of 256; in a process of its own, for its peak."""
    printed = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True).stdout.split()
    said, peak = map(float, printed)
    assert said == pytest.approx(peak, rel=0.25)


def test_more_tokens_cost_more():
    objective = MaskedObjective(CharacterTokenizer())
    small = estimate_training(build_masked_lm("nano", 9), objective, BRIEF, Load(64, 64))
    large = TrainSettings(max_steps=1, batch_tokens=256 * 64, precision="fp32")
    assert estimate_training(build_masked_lm("nano", 9), objective, large, Load(64, 64, 1000)).step_s > 4 * small.step_s


def test_a_row_longer_than_a_batch_is_a_batch(monkeypatch: pytest.MonkeyPatch):
    """Every call takes 10 ms here, so that the two differ in what is computed alone."""

    def ten_milliseconds(work: Callable[[], object], device: torch.device) -> float:
        work()
        return 0.01

    monkeypatch.setattr(cost, "time_call", ten_milliseconds)
    objective, load = MaskedObjective(CharacterTokenizer()), Load(480, 480)
    part, whole = (
        estimate_training(build_masked_lm("tiny", 9), objective, settings, load).step_s
        for settings in (TrainSettings(max_steps=1, batch_tokens=n, precision="fp32") for n in (4, 480))
    )
    assert part == pytest.approx(whole, rel=1e-9)
    assert part == pytest.approx(0.02, rel=1e-9)  # one row, and the optimizer
