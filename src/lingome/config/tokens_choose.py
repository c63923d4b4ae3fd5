"""Settings of ``lingome tokens choose``: which vocabulary, by next-k-mer prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from lingome.config.settings import RunSettings, Settings


class NextKmerSettings(Settings):
    """How each candidate is trained and tested; the defaults are the quick version (seconds each).

    All candidates see the same bases: steps and windows are counted in bases, not in tokens.
    """

    preset: str = Field(default="tiny", description="shape of the model trained for each candidate")
    ks: tuple[int, ...] = Field(default=(2, 3, 4, 5, 6), description="lengths of the k-mers to predict")
    context_bp: int = Field(default=50, ge=8, le=500, description="bases before the k-mer that the model reads")
    pretrain_steps: int = Field(default=40, ge=1, description="steps of masked pre-training")
    window_bp: int = Field(default=250, ge=16, le=500, description="bases of a pre-training window")
    windows_per_step: int = Field(default=32, ge=1, description="windows of a pre-training step")
    finetune_steps: int = Field(default=160, ge=1, description="steps of next-k-mer training")
    finetune_batch: int = Field(default=256, ge=1, description="positions of a next-k-mer step")
    n_train: int = Field(default=40_960, ge=1, description="positions to learn next-k-mers from")
    n_test: int = Field(default=3000, ge=10, description="positions to test on, in other blocks of the genome")
    pretrain_lr: float = Field(default=3e-3, gt=0, description="peak learning rate of pre-training")
    finetune_lr: float = Field(default=5e-3, gt=0, description="peak learning rate of next-k-mer training")
    markov_bp: int = Field(default=5_000_000, ge=1000, description="bases that the Markov baseline counts, at most")

    @model_validator(mode="after")
    def _ks_fit(self) -> Self:
        if not self.ks or list(self.ks) != sorted(set(self.ks)) or not 1 <= self.ks[0] <= self.ks[-1] <= 8:
            raise ValueError("ks are different lengths from 1 to 8, ascending")
        return self


class ChooseSettings(RunSettings):
    """Which vocabularies are compared, and on which genome."""

    genome: Path = Field(description="FASTA, plain or gzip")
    out: Path = Field(default=Path("runs/choose"), description="run directory")
    force: bool = Field(default=False, description="replace an earlier run")
    merges: tuple[int, ...] = Field(
        default=(0, 100, 300, 600), description="byte-pair merge counts to compare; 0 is single letters"
    )
    kmers: tuple[int, ...] = Field(default=(), description="fixed, non-overlapping k-mers to compare too")
    both_strands: bool = Field(default=False, description="count byte pairs on both strands")
    seeds: int = Field(default=1, ge=1, description="repeats with other weights and batches")
    test_share: float = Field(default=0.1, gt=0, lt=0.5, description="share of each sequence, at its end, to test on")
    next: NextKmerSettings = Field(default=NextKmerSettings(), description="training and test of each candidate")

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        if len(set(self.merges)) + len(set(self.kmers)) < 2:
            raise ValueError("give at least two candidates in merges and kmers")
        if any(merge < 0 for merge in self.merges) or any(not 1 <= k <= 7 for k in self.kmers):
            raise ValueError("merges are 0 or more, kmers 1 to 7")
        return self
