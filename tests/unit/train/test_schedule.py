import math

import pytest
from pydantic import ValidationError

from lingome.config.parts.train import TrainSettings
from lingome.train.schedule import learning_rate, progress_share


def test_rate_at_hand_computed_steps():
    settings = TrainSettings(max_steps=100, lr=2.0, min_lr_ratio=0.1, warmup_steps=4)
    assert learning_rate(settings, 0, 100) == pytest.approx(2.0 * 0.25)
    assert learning_rate(settings, 25, 100) == pytest.approx(2.0 * (0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2))
    assert learning_rate(settings, 50, 100) == pytest.approx(2.0 * 0.55)
    assert learning_rate(settings, 100, 100) == pytest.approx(0.2)


def test_warm_up_by_share_counts_steps():
    settings = TrainSettings(max_steps=100, lr=1.0, min_lr_ratio=1.0, warmup_share=0.1)
    rates = [learning_rate(settings, step, 100) for step in range(12)]
    assert rates == pytest.approx([0.1 * (step + 1) for step in range(10)] + [1.0, 1.0])


def test_time_box_alone_moves_the_cosine_by_time():
    settings = TrainSettings(max_seconds=60, lr=1.0, min_lr_ratio=0.0, warmup_share=0.1)
    assert learning_rate(settings, 7, None, 3.0) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.05)) / 2)
    assert learning_rate(settings, 7, None, 30.0) == pytest.approx(0.5)
    assert learning_rate(settings, 7, None, 61.0) == pytest.approx(0.0)


def test_progress_is_the_larger_share():
    settings = TrainSettings(max_steps=100, max_seconds=10)
    assert progress_share(settings, 20, 100, 1.0) == pytest.approx(0.2)
    assert progress_share(settings, 20, 100, 9.0) == pytest.approx(0.9)
    assert progress_share(settings, 200, 100, 0.0) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs an end"), ({"max_steps": 1, "betas": (0.9, 1.0)}, "betas"),
        ({"epochs": 1, "patience": 2}, "eval_every"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        TrainSettings(**values)
