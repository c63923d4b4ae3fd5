"""The learning rate as a function of step and time."""

from __future__ import annotations

import math

from lingome.config.parts.train import TrainSettings


def progress_share(settings: TrainSettings, step: int, total_steps: int | None, elapsed_s: float) -> float:
    """Say how much of a run is over, 0 to 1: the larger of its share of steps and of time.

    Parameters
    ----------
    settings : TrainSettings
        Time box.
    step : int
        Steps done.
    total_steps : int, optional
        Steps in all; None when only time ends the run.
    elapsed_s : float
        Seconds of training so far, over all parts of a resumed run.
    """
    by_steps = step / total_steps if total_steps else 0.0
    by_time = elapsed_s / settings.max_seconds if settings.max_seconds else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate(settings: TrainSettings, step: int, total_steps: int | None, elapsed_s: float = 0.0) -> float:
    """Compute the rate of the next step: a linear warm-up times a cosine over the whole run.

    With progress p and floor m, the cosine is ``m + (1 - m) (1 + cos(pi p)) / 2`` (Loshchilov
    and Hutter 2017, arXiv:1608.03983, without restarts). The warm-up is ``(step + 1) / W``,
    where W is `warmup_steps`, or `warmup_share` of the steps; under a time box alone it is
    ``p / warmup_share``.

    Parameters
    ----------
    settings : TrainSettings
        Rate, warm-up, floor, time box.
    step : int
        Steps done.
    total_steps : int, optional
        Steps in all; None when only time ends the run.
    elapsed_s : float
        Seconds of training so far.

    >>> settings = TrainSettings(max_steps=100, lr=1.0, min_lr_ratio=0.0, warmup_steps=10)
    >>> learning_rate(settings, 50, 100)
    0.5
    """
    progress = progress_share(settings, step, total_steps, elapsed_s)
    floor = settings.min_lr_ratio
    cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
    ramp = 1.0
    if settings.warmup_steps is not None:
        ramp = (step + 1) / settings.warmup_steps if settings.warmup_steps else 1.0
    elif settings.warmup_share > 0:
        by_steps = (step + 1) / max(1.0, settings.warmup_share * total_steps) if total_steps else 0.0
        ramp = max(by_steps, progress / settings.warmup_share)
    return settings.lr * min(1.0, ramp) * cosine
