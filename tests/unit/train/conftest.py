from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from lingome.train.objectives import LossSum


class Regression(nn.Module):
    """A small network with dropout, so that resuming has random draws to get right."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))

    def forward(self, x):
        return self.net(x)


@dataclass
class SquaredError:
    """Sum of squared errors with noise drawn by the objective; optionally broken at a step."""

    poison_from: int | None = None
    calls: int = 0

    def loss(self, model, batch, rng):
        self.calls += 1
        x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
        noise = torch.from_numpy(rng.normal(0, 0.01, len(y)).astype(np.float32))
        total = ((model(x)[:, 0] - y - noise) ** 2).sum()
        if self.poison_from is not None and self.calls > self.poison_from:
            total = total * float("nan")
        return LossSum(total, len(y))


class Points:
    """Forty points on a plane, in batches of a given size, in a new order every epoch."""

    def __init__(self, size=8, seed=0):
        rng = np.random.default_rng(seed)
        self.x = rng.normal(size=(40, 3)).astype(np.float32)
        self.y = (self.x @ np.array([1.0, -2.0, 0.5], dtype=np.float32)).astype(np.float32)
        self.size = size

    @property
    def batches_per_epoch(self):
        return 40 // self.size

    def batch(self, epoch, index):
        order = np.random.default_rng(epoch).permutation(40)[index * self.size : (index + 1) * self.size]
        return {"x": self.x[order], "y": self.y[order]}


@pytest.fixture
def points():
    return Points


@pytest.fixture
def regression():
    return Regression


@pytest.fixture
def squared_error():
    return SquaredError
