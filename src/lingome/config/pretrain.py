"""Settings of ``lingome pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from lingome.config.settings import RunSettings
from lingome.config.train import TrainSettings


class PretrainTrainSettings(TrainSettings):
    """Training settings that end after one pass over the genome unless told otherwise."""

    eval_every: int | None = Field(default=200, ge=1, description="steps between evaluations; always one at the end")

    @model_validator(mode="before")
    @classmethod
    def _one_pass(cls, values: Any) -> Any:
        if isinstance(values, dict) and not {"max_steps", "max_seconds", "epochs"} & values.keys():
            return {**values, "epochs": 1}
        return values


class PretrainSettings(RunSettings):
    """What to pre-train on, what model, and how long."""

    genome: Path = Field(description="FASTA of DNA: plain, .gz or bgzip; or the folder of a token store")
    out: Path = Field(description="run directory to write")
    force: bool = Field(default=False, description="replace a run that is there")
    resume: bool = Field(default=False, description="go on with the run in `out`")
    tokenizer: Path | None = Field(default=None, description="folder of a tokenizer; by default one is trained")
    merges: int = Field(default=600, ge=1, le=16_000, description="byte-pair merges, where a tokenizer is trained")
    preset: str | None = Field(default=None, description="shape of a new model: mini, tiny ...; causal: gpt-mini")
    start_from: Path | None = Field(default=None, description="checkpoint, or run with one, to train further")
    objective: Literal["masked", "causal"] = Field(
        default="masked", description="guess hidden tokens from both sides, or each token from those before it"
    )
    mask_scheme: Literal["bert", "grover", "dnabert"] | None = Field(
        default=None, description="a published way to choose hidden tokens, in place of mask_rate and mask_span"
    )
    mask_rate: float | None = Field(default=None, gt=0, lt=1, description="share of tokens to predict; else 0.15")
    mask_span: int | None = Field(
        default=None, ge=1, le=64, description="tokens hidden together, else 1; k or more if k-mers overlap"
    )
    min_tokens: int = Field(default=20, ge=1, description="shortest window, in tokens")
    max_tokens: int = Field(default=510, ge=1, description="longest window, in tokens, without [CLS] and [SEP]")
    fixed_share: float = Field(default=0.5, ge=0, le=1, description="share of batches with the longest windows")
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="lower-case bases: as upper case, or as N")
    exclude: tuple[str, ...] = Field(default=(), description="chrom:start-end (0-based, half-open), never learnt from")
    validation_share: float = Field(default=0.02, ge=0, lt=0.5, description="share of bases, at the end, to measure on")
    gap_bp: int = Field(default=5000, ge=0, description="bases between training and validation")
    validation_windows: int = Field(default=64, ge=1, description="windows that measure progress")
    train: PretrainTrainSettings = Field(
        default_factory=PretrainTrainSettings, description="length, batches, rate; one pass by default"
    )

    @model_validator(mode="after")
    def _one_way_of_masking(self) -> Self:
        given = [name for name in ("mask_scheme", "mask_rate", "mask_span") if getattr(self, name) is not None]
        if self.objective == "causal" and given:
            raise ValueError(f"objective=causal hides nothing: leave out {', '.join(given)}")
        if self.mask_scheme is not None and len(given) > 1:
            beside = ", ".join(given[1:])
            raise ValueError(f"mask_scheme={self.mask_scheme} brings its rate and span: leave out {beside}")
        return self
