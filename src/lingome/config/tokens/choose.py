"""Settings of ``lingome tokens choose``: which vocabulary, by next-k-mer prediction and cheap signals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lingome.config.schema.settings import RunSettings, Settings
from lingome.config.workflow import Workflow, inputs_in_order

MOST_CANDIDATES = 200


class NextKmerSettings(Settings):
    """How each candidate is trained and tested; the defaults are the quick version (seconds each).

    All candidates see the same bases: steps and windows are counted in bases, not in tokens.
    """

    preset: str = Field(default="tiny", description="shape of the model trained for each candidate")
    ks: tuple[int, ...] = Field(default=(2, 3, 4, 5, 6), description="lengths of the k-mers to predict")
    context_bp: int = Field(default=50, ge=8, le=500, description="bases before the k-mer that the model reads")
    pretrain_steps: int = Field(
        default=40, ge=0,
        description="steps of masked pre-training; with 0 the weights stay random",
    )
    window_bp: int = Field(default=250, ge=16, le=500, description="bases per pre-training window")
    windows_per_step: int = Field(default=32, ge=1, description="windows per pre-training step")
    finetune_steps: int = Field(default=100, ge=1, description="steps of next-k-mer training")
    finetune_batch: int = Field(default=256, ge=1, description="positions per step of next-k-mer training")
    n_train: int = Field(default=25_600, ge=1, description="positions to learn next-k-mers from")
    n_test: int = Field(default=3000, ge=10, description="positions to test on, in other blocks of the genome")
    pretrain_lr: float = Field(default=3e-3, gt=0, description="peak learning rate of pre-training")
    finetune_lr: float = Field(default=3e-3, gt=0, description="peak learning rate of next-k-mer training")
    markov_bp: int = Field(default=5_000_000, ge=1000, description="bases that the Markov baseline counts, at most")

    @model_validator(mode="after")
    def _ks_fit(self) -> Self:
        if not self.ks or list(self.ks) != sorted(set(self.ks)) or not 1 <= self.ks[0] <= self.ks[-1] <= 8:
            raise ValueError("ks are different lengths from 1 to 8, ascending")
        return self


class SignalSettings(Settings):
    """How many bases the cheap signals read."""

    count_bp: int = Field(default=2_000_000, ge=1000, description="bases counted, evenly spaced, at most")
    test_bp: int = Field(default=1_000_000, ge=1000, description="bases tested on, evenly spaced, at most")


class ChooseSettings(RunSettings):
    """Which vocabularies are compared, and on which genome."""

    genome: Path = Field(description="FASTA, plain or gzip")
    out: Path = Field(default=Path("runs/choose"), description="run directory")
    force: bool = Field(default=False, description="replace an earlier run")
    merges: tuple[int, ...] = Field(
        default=(0, 100, 300, 600),
        description="byte-pair merge counts: a list, 0,50,...,1000 or 0:1000:50; 0 is characters, always compared",
    )
    kmers: tuple[int, ...] = Field(default=(3, 4, 5, 6), description="fixed, non-overlapping k-mers to compare too")
    purpose: Literal["masked", "causal"] = Field(
        default="masked", description="what the model will be trained for; causal models do better without byte pairs"
    )
    both_strands: bool = Field(default=False, description="count byte pairs on both strands")
    seeds: int = Field(default=1, ge=1, description="repeats with other weights and batches")
    control: bool = Field(default=True, description="train the recommended and the best again from random weights")
    test_share: float = Field(default=0.1, gt=0, lt=0.5, description="share of each sequence, at its end, to test on")
    next: NextKmerSettings = Field(default=NextKmerSettings(), description="training and test of each candidate")
    signals: SignalSettings = Field(default=SignalSettings(), description="bases that the cheap signals read")

    @field_validator("merges", "kmers", mode="before")
    @classmethod
    def _read_counts(cls, value: Any) -> Any:
        if isinstance(value, str):
            return parse_counts(value)
        return (int(value),) if isinstance(value, int | float) and float(value).is_integer() else value

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        if any(merge < 0 for merge in self.merges) or any(not 1 <= k <= 7 for k in self.kmers):
            raise ValueError("merges are 0 or more, kmers 1 to 7")
        n = len({0, *self.merges}) + len(set(self.kmers) - {1})
        if n < 2:
            raise ValueError("give at least one candidate beside characters, in merges or kmers")
        if n > MOST_CANDIDATES:
            raise ValueError(f"these are {n:,} candidates, each trained; give at most {MOST_CANDIDATES}")
        return self


def parse_counts(text: str) -> tuple[int, ...]:
    """Read a list of numbers with commas; ``...`` goes on by the last step, and ``first:last:step`` is a range.

    Both ends of a range belong to it.

    Raises
    ------
    ValueError
        If it cannot be read, or the last number is not one of the steps.

    >>> parse_counts("0,50,100,...,300,1000"), parse_counts("0:600:200,1000")
    ((0, 50, 100, 150, 200, 250, 300, 1000), (0, 200, 400, 600, 1000))
    >>> parse_counts("")
    ()
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    found: list[int] = []
    going_on = False
    for part in parts:
        if part in ("...", "\u2026"):
            if going_on or len(found) < 2:
                raise ValueError("'...' stands between numbers, two of them before it: 0,50,...,1000")
            going_on = True
        elif going_on:
            found += _steps(found[-1], _whole(part), found[-1] - found[-2])[1:]
            going_on = False
        elif ":" in part:
            ends = part.split(":")
            if len(ends) != 3:
                raise ValueError(f"{part!r} is no range: write first:last:step, as in 0:1000:50")
            found += _steps(*(_whole(one) for one in ends))
        else:
            found.append(_whole(part))
    if going_on:
        raise ValueError("'...' has no last number after it: 0,50,...,1000")
    return tuple(found)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d[\d_]*", text.strip()):
        raise ValueError(f"{text!r} is no whole number; expected 0,100,300 or 0,50,...,1000 or 0:1000:50")
    return int(text)


def _steps(first: int, last: int, step: int) -> list[int]:
    if step <= 0 or last <= first:
        raise ValueError(f"numbers go up: from {first} by {step} to {last} they do not")
    if (last - first) % step:
        below = last - (last - first) % step
        raise ValueError(f"steps of {step} from {first} do not end at {last}, but at {below} or {below + step}")
    if (last - first) // step >= MOST_CANDIDATES:
        raise ValueError(f"{first} to {last} by {step} are too many; give at most {MOST_CANDIDATES}")
    return list(range(first, last + 1, step))


WORKFLOW = Workflow(
    name="tokens choose",
    settings=ChooseSettings,
    recipe="tokens/choose",
    inputs=inputs_in_order(
        ("genome",), usage="GENOME", meaning="A FASTA, plain or compressed.", problem="one FASTA at a time"
    ),
    description="""Candidates are compared by next-k-mer prediction and by cheap signals: a small model for each, the
    same test for all. Characters always take part. The run directory holds the tables, the recommended tokenizer
    and the page, report.html.""",
    examples=(
        "lingome tokens choose genome.fa.gz --merges 0,50,100,...,1000 -o runs/choose",
        "lingome tokens choose genome.fa.gz --config configs/tokens/choose/standard.yaml -o runs/choose",
        "lingome tokens choose genome.fa.gz --merges 0:600:100 --kmers 4,6 --dry-run",
        "lingome tokens choose genome.fa.gz --for causal -o runs/choose",
    ),
    options={"purpose": "--for"},
)
