"""Settings of ``lingome generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Workflow, inputs_in_order

Method = Literal["sample", "greedy", "beam"]


class GenerateSettings(RunSettings):
    """What to write, how each token is chosen, which sequences are let through, and what to compare with."""

    model: str = Field(description="causal model: checkpoint folder, or run with one")
    out: Path = Field(
        default=Path("generated.fa"),
        description="FASTA to write; a .json beside it says how it was made",
    )
    force: bool = Field(default=False, description="replace what is there")
    prompt: str = Field(default="", description="letters that every sequence begins with")
    n: int = Field(
        default=1, ge=1, le=1_000_000,
        description="sequences to write; greedy gives one, beam search up to `beams`",
    )
    length_bp: int = Field(default=500, ge=1, description="bases after the prompt; exact without min_length_bp")
    min_length_bp: int | None = Field(default=None, ge=0, description="the model may end a sequence from here on")
    letters: str | None = Field(default=None, description="letters to write with; by default all that the model knows")
    method: Method = Field(default="sample", description="draw tokens, take the most probable, or beam search")
    temperature: float | None = Field(
        default=None, ge=0,
        description="above 1 draws more evenly, below 1 less; by default 1",
    )
    top_k: int | None = Field(default=None, ge=1, description="draw from the k most probable tokens")
    top_p: float | None = Field(
        default=None, gt=0, le=1,
        description="draw from the most probable tokens that add up to p",
    )
    min_p: float | None = Field(
        default=None, ge=0, le=1,
        description="draw from tokens at least p times as probable as the most probable",
    )
    beams: int | None = Field(default=None, ge=1, description="beams of method=beam; by default 5")
    length_penalty: float | None = Field(
        default=None, ge=0, description="power of the number of tokens that method=beam divides by; by default 0"
    )
    max_repeated: float | None = Field(
        default=None, ge=0, le=1, description="largest share of 12-mers that occurred earlier in the sequence"
    )
    max_low_complexity: float | None = Field(
        default=None, ge=0, le=1, description="largest share of bases in windows of low complexity (DUST above 2)"
    )
    max_run: int | None = Field(default=None, ge=1, description="longest run of one letter that is accepted")
    attempts: int = Field(
        default=10, ge=1,
        description="draws per sequence, where one exceeds one of these three limits",
    )
    too_long: Literal["error", "slide"] = Field(
        default="error", description="beyond the context: refuse, or continue from the last half of it"
    )
    stream: bool = Field(default=False, description="show letters on standard output as they are made, one by one")
    batch_size: int = Field(
        default=16, ge=1,
        description="sequences written at a time; more are faster and take more memory",
    )
    training: Path | None = Field(
        default=None,
        description="FASTA that the model learnt from, for novelty and baselines",
    )
    kmer: int = Field(default=4, ge=1, le=8, description="length of k-mers whose spectrum is compared")

    @property
    def json_path(self) -> Path:
        """The file beside the FASTA that says how it was made."""
        return self.out.with_name(self.out.name + ".json")

    @model_validator(mode="after")
    def _options_belong_to_the_method(self) -> Self:
        given = {name for name in ("temperature", "top_k", "top_p", "min_p") if getattr(self, name) is not None}
        if given and self.method != "sample":
            raise ValueError(f"{', '.join(sorted(given))}: for method=sample only, not {self.method}")
        if self.method != "beam" and (self.beams is not None or self.length_penalty is not None):
            raise ValueError(f"beams and length_penalty are for method=beam, not {self.method}")
        most = {"sample": self.n, "greedy": 1, "beam": self.beams or 5}[self.method]
        if self.n > most:
            raise ValueError(f"{self.method} gives {most} at most, not n={self.n}; draw with method=sample for more")
        limits = [name for name in ("max_repeated", "max_low_complexity", "max_run") if getattr(self, name) is not None]
        if self.stream and (self.method == "beam" or limits):
            reason = "a beam search knows its letters at the end" if self.method == "beam" else (
                f"what {limits[0]} rejects was shown already"
            )
            raise ValueError(f"stream: {reason}; leave one of the two out")
        if self.min_length_bp is not None and self.min_length_bp > self.length_bp:
            raise ValueError("min_length_bp is above length_bp")
        return self


WORKFLOW = Workflow(
    name="generate",
    settings=GenerateSettings,
    recipe="generate",
    inputs=inputs_in_order(
        ("model",), usage="[MODEL]", meaning="The model, unless -m names it.",
        problem="this plays no part here", hint="the model goes behind -m",
    ),
    description="""A FASTA with the log-likelihood and bits per base of each sequence and, with --training, its longest
    exact match to the training data, and composition beside that of a Markov model. How it was made goes into a
    JSON beside it.""",
    examples=(
        "lingome generate -m runs/causal -o out.fa --n 20 --length 500 --seed 1",
        "lingome generate -m runs/causal --prompt TATAAA --temperature 0.8 --top-k 5 --training genome.fa.gz",
        "lingome generate -m runs/causal --method beam beams=8 --n 8 --length 60",
    ),
    options={"length_bp": "--length"},
)
