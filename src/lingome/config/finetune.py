"""Settings of fine-tuning."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from lingome.config.parts.task import TaskSettings, sort_inputs
from lingome.config.schema.settings import RunSettings, Settings
from lingome.config.workflow import Inputs, Workflow

TooLong = Literal["error", "truncate"]


class TuneSettings(Settings):
    """How a model is adapted to labelled sequences."""

    epochs: float = Field(default=3.0, gt=0, description="passes over the training examples at most")
    lr: float = Field(default=3e-4, gt=0, description="peak learning rate of what is trained")
    warmup_share: float = Field(default=0.1, ge=0, lt=1, description="share of the steps that warms up")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW decay")
    batch_tokens: int = Field(
        default=2048, ge=64, description="tokens per step of training, padding included; changes the result"
    )
    evaluations: int = Field(default=2, ge=1, description="measurements of the validation loss per epoch")
    patience: int = Field(default=4, ge=1, description="measurements without a better loss before stopping")
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="balanced: rare classes weigh more; probabilities are then too high for them"
    )
    warm_head: bool = Field(
        default=True,
        description="start the head of last:N and full from the logistic regression on frozen features, not at random",
    )
    too_long: TooLong = Field(
        default="error", description="sequences beyond the model's context: refuse, or cut at the end"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the processor is fast in it, else fp32"
    )


class FinetuneSettings(RunSettings):
    """Settings of ``lingome finetune``."""

    task: TaskSettings = Field(default_factory=TaskSettings, description="labelled sequences")
    model: str = Field(
        default="human-mini", description="packaged model, checkpoint, run, hub:OWNER/NAME, or random:PRESET"
    )
    tokenizer: Path | None = Field(default=None, description="vocabulary folder, for random:PRESET; letters by default")
    method: tuple[str, ...] = Field(default=("full",), min_length=1, description="features, last:N, full; or several")
    seeds: int = Field(default=3, ge=1, description="fits per method")
    random_control: bool = Field(default=True, description="fit the same network from random weights too")
    baselines: bool = Field(default=True, description="fit the baselines")
    resamples: int = Field(default=1000, ge=100, description="bootstrap resamples for the intervals")
    tune: TuneSettings = Field(default_factory=TuneSettings, description="how the model is adapted")
    out: Path = Field(default=Path("runs/finetune"), description="run directory")
    force: bool = Field(default=False, description="replace what is there")

    @field_validator("method", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("method")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for method in value:
            if not re.fullmatch(r"features|full|last:[1-9]\d*", method):
                raise ValueError(f"no way to adapt a model is called {method!r}: features, last:N (N layers) or full")
        if len(set(value)) < len(value):
            raise ValueError("a method is named twice")
        return value


def sort_finetune_inputs(words: Sequence[str], given: Collection[str] = ()) -> dict[str, Any]:
    """Tell from their names what the inputs of a task are, as `sort_inputs` does.

    >>> sort_finetune_inputs(["train.csv"])
    {'task.table': 'train.csv'}
    """
    return {f"task.{role}": word for role, word in sort_inputs(words).items()}


WORKFLOW = Workflow(
    name="finetune",
    settings=FinetuneSettings,
    recipe="finetune",
    inputs=Inputs(
        "TABLE | GENOME MOTIFS PEAKS | GENOME BED",
        "A table of sequences and labels; or a genome with motifs and peaks (which motif sites are used?); or a "
        "genome with a BED of regions (against matched background, or a second BED).",
        sort_finetune_inputs,
    ),
    description="""The test examples are set apart first, and every method, the same network from random weights and
    simple baselines are measured on them, with intervals and a leak check.""",
    examples=(
        "lingome finetune train.csv -m random:tiny -o runs/mine method=features,full seeds=3",
        "lingome finetune hg19.fa.gz jaspar.txt.jaspar ctcf.narrowPeak -m human-mini task.motif=MA0139.1",
        "lingome finetune genome.fa promoters.bed method=last:2 task.width_bp=250 tune.epochs=5",
        "lingome finetune --config configs/finetune/ctcf_sites.yaml --dry-run",
    ),
)
