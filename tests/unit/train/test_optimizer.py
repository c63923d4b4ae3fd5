import copy

import pytest
import torch
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.train.optimizer import build_optimizer, scale_and_clip


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.line = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(3)


@pytest.mark.parametrize("decay_embeddings", [False, True])
def test_norms_biases_and_tables_do_not_decay(decay_embeddings):
    net = Net()
    optimizer = build_optimizer(net, TrainSettings(max_steps=1, weight_decay=0.3, decay_embeddings=decay_embeddings))
    decayed = {id(p) for g in optimizer.param_groups if g["weight_decay"] == 0.3 for p in g["params"]}
    assert decayed == {id(net.line.weight)} | ({id(net.table.weight)} if decay_embeddings else set())
    assert sum(len(g["params"]) for g in optimizer.param_groups) == 5


def test_frozen_weights_are_left_out():
    net = Net()
    net.table.weight.requires_grad_(False)
    optimizer = build_optimizer(net, TrainSettings(max_steps=1))
    assert id(net.table.weight) not in {id(p) for g in optimizer.param_groups for p in g["params"]}


def test_one_step_by_hand():
    # AdamW, first step: w - lr * wd * w - lr * g / (|g| + eps), because both averages are debiased.
    line = nn.Linear(1, 1, bias=False)
    line.weight.data.fill_(2.0)
    optimizer = build_optimizer(line, TrainSettings(max_steps=1, lr=0.1, weight_decay=0.5))
    line.weight.grad = torch.full((1, 1), -3.0)
    optimizer.step()
    assert line.weight.item() == pytest.approx(2.0 - 0.1 * 0.5 * 2.0 + 0.1, abs=1e-6)


def test_gradients_become_means_and_are_clipped():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([30.0]), torch.tensor([40.0])
    assert scale_and_clip([a, b], 10, clip=1.0) == pytest.approx(5.0)
    assert [a.grad.item(), b.grad.item()] == pytest.approx([0.6, 0.8])
    a.grad, b.grad = torch.tensor([30.0]), torch.tensor([40.0])
    assert scale_and_clip([a, b], 100, clip=1.0) == pytest.approx(0.5)
    assert [a.grad.item(), b.grad.item()] == pytest.approx([0.3, 0.4])


def test_clipping_equals_torch():
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.zeros(7, 3)), nn.Parameter(torch.zeros(5))]
    for p in ours:
        p.grad = torch.randn_like(p)
    theirs = copy.deepcopy(ours)
    for p, q in zip(ours, theirs, strict=True):
        q.grad = p.grad / 2
    scale_and_clip(ours, 2, clip=0.7)
    torch.nn.utils.clip_grad_norm_(theirs, 0.7)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p.grad, q.grad)
