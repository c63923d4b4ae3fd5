"""Settings of the one training loop."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings


class TrainSettings(Settings):
    """How long to train, with what batches, rate, precision and stops.

    At least one of `max_steps`, `epochs` and `max_seconds` is set; the first that is reached ends
    the run. A run without `max_seconds` gives the same weights every time on the same processor,
    and after any interruption; a time box makes the number of steps depend on the machine.
    """

    group: ClassVar[str] = "train"
    """What these settings stand under for who gives them, for messages."""

    max_steps: int | None = Field(default=None, ge=1, description="steps of the optimizer at most")
    epochs: float | None = Field(default=None, gt=0, description="passes over the training data at most")
    max_seconds: float | None = Field(default=None, gt=0, description="longest time in seconds, evaluation included")
    batch_tokens: int = Field(
        default=4096, ge=2, description="tokens per micro-batch, padding included; changes the result"
    )
    accumulate: int = Field(
        default=1, ge=1, description="micro-batches per step, over all processes; a multiple of the number of processes"
    )
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate")
    min_lr_ratio: float = Field(
        default=0.05, ge=0, le=1,
        description="share of the learning rate that is left at the end of the cosine",
    )
    warmup_steps: int | None = Field(
        default=None, ge=0,
        description="steps of warm-up; by default warmup_share of the run",
    )
    warmup_share: float = Field(default=0.03, ge=0, lt=1, description="share of the run that warms up")
    weight_decay: float = Field(
        default=0.01, ge=0, description="AdamW's decay of matrices; biases and norms never decay"
    )
    decay_embeddings: bool = Field(default=False, description="decay embedding tables too")
    betas: tuple[float, float] = Field(default=(0.9, 0.98), description="decay rates of AdamW's two averages")
    clip: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient; null for no limit")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the processor is fast in it, else fp32"
    )
    log_every: int = Field(default=10, ge=1, description="steps between training lines in metrics.jsonl")
    eval_every: int | None = Field(default=None, ge=1, description="steps between evaluations; always one at the end")
    patience: int | None = Field(default=None, ge=1, description="evaluations without a better loss before stopping")
    save_every: int | None = Field(default=None, ge=1, description="steps between saves of the training state")
    save_seconds: float = Field(default=120.0, gt=0, description="seconds between saves, whatever save_every says")
    parallel: Literal["auto", "none", "ddp", "fsdp"] = Field(
        default="auto",
        description="how the processes of torchrun share a step: each holds the model (ddp), or weights, gradients and "
        "averages are split (fsdp); auto: ddp if there are several",
    )
    compile: bool = Field(default=False, description="compile the layers first (torch.compile; needs a C++ compiler)")
    deterministic: bool = Field(default=True, description="the same bits every time; false may be faster on a GPU")
    tensorboard: bool = Field(default=False, description="write metrics for TensorBoard too")

    @model_validator(mode="after")
    def _ends_and_makes_sense(self) -> Self:
        if self.max_steps is None and self.max_seconds is None and self.epochs is None:
            raise ValueError("training needs an end: set max_steps, epochs or max_seconds")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas lie in [0, 1)")
        if self.patience is not None and self.eval_every is None:
            raise ValueError("patience counts evaluations: set eval_every too")
        return self
