"""Settings of ``lingome pretrain --ladder``."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings

SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")
"""Width times layers."""


class LadderSettings(Settings):
    """Sizes and lengths of a ladder of models, and what it is to answer."""

    enabled: bool = Field(
        default=False,
        description="train small models of several sizes and lengths (a ladder) in place of one model",
    )
    sizes: tuple[str, ...] = Field(
        default=("32x1", "64x2", "96x3", "128x4"), min_length=3,
        description="sizes as width times layers; 32x1, 64x2 and 256x4 are the presets nano, tiny and mini",
    )
    tokens: tuple[int, ...] = Field(
        default=(250_000, 500_000, 1_000_000, 2_000_000), min_length=3,
        description="numbers of tokens to train each size on, one run each",
    )
    seeds: int = Field(
        default=3, ge=1, le=20,
        description="runs of the middle size and length, which show how much seeds matter",
    )
    lr_power: float = Field(
        default=0.5, ge=0, le=2, description="a model of width W trains with the rate lr * (256 / W) ** lr_power"
    )
    budget_flops: float | None = Field(
        default=None, gt=0, description="floating-point operations to recommend a model for"
    )
    budget_hours: float | None = Field(
        default=None, gt=0,
        description="hours on this machine, in place of budget_flops; by default ten times the largest run",
    )
    bootstrap: int = Field(
        default=200, ge=20, le=10_000,
        description="fits to runs drawn with replacement, for the intervals",
    )
    measure_attention: bool = Field(
        default=False, description="also measure time and memory of one layer against the length"
    )
    attention_lengths: tuple[int, ...] = Field(
        default=(128, 256, 512, 1024, 2048, 4096), min_length=3, description="lengths to measure, in tokens"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for size in self.sizes:
            if not SIZE.fullmatch(size):
                raise ValueError(f"ladder.sizes are widths times layers, as 64x2; got {size}")
        for name in ("sizes", "tokens", "attention_lengths"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"ladder.{name} names a value twice")
        if min(*self.tokens, *self.attention_lengths) < 1:
            raise ValueError("ladder.tokens and ladder.attention_lengths are at least 1")
        if self.budget_flops is not None and self.budget_hours is not None:
            raise ValueError("one budget: ladder.budget_flops or ladder.budget_hours")
        return self
