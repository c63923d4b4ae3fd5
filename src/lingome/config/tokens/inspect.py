"""Settings of ``lingome tokens inspect``: which vocabulary, on which sequence, through which model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Workflow, inputs_in_order


class InspectSettings(RunSettings):
    """What is counted, and what is asked of a model."""

    tokenizer: Path = Field(description="folder of a tokenizer or a checkpoint, or the name of a packaged model")
    genome: Path = Field(description="FASTA to count on: plain, .gz or bgzip")
    out: Path = Field(default=Path("runs/inspect"), description="run directory")
    force: bool = Field(default=False, description="replace an earlier run")
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="read lower case as upper case, or as N")
    annotation: dict[str, Path] = Field(default={}, description="BED files by name: annotation.repeats=repeats.bed.gz")
    model: str | None = Field(
        default=None, description="a model of this vocabulary: checkpoint, run, or packaged; needed for what follows"
    )
    vectors: Literal["input", "contextual"] = Field(
        default="input", description="token vectors of the map: the embedding table, or means over contexts"
    )
    layer: int = Field(default=-1, description="layer of contextual vectors: 0 is the embedding table, -1 the last")
    n_components: int = Field(
        default=6, ge=2, le=50,
        description="principal components that are compared with properties of tokens",
    )
    n_windows: int = Field(default=256, ge=2, description="windows of the genome that the model reads")
    window_tokens: int = Field(default=510, ge=20, description="tokens per window, at most the model's context less 2")
    n_occurrences: int = Field(default=5000, ge=2, description="contexts to use per token, at most")
    min_occurrences: int = Field(default=10, ge=2, description="contexts that a token needs to get a self-similarity")
    random_control: bool = Field(default=True, description="read the same windows with random weights too")
    batch_tokens: int | None = Field(
        default=None, ge=1, description="tokens per batch, padding included; by default what suits the device"
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        for name in self.annotation:
            if not name.replace("_", "").isalnum() or not name.isascii() or not name[0].isalpha():
                raise ValueError(f"annotations have short names of letters and digits, and {name!r} is none")
        if self.model is None and (self.vectors != "input" or self.layer != -1):
            raise ValueError("vectors and layer are asked of a model: name one with --model")
        return self


WORKFLOW = Workflow(
    name="tokens inspect",
    settings=InspectSettings,
    recipe="tokens/inspect",
    inputs=inputs_in_order(
        ("tokenizer",), usage="TOKENIZER",
        meaning="The folder of a tokenizer or of a checkpoint; the FASTA goes behind --genome.",
        problem="one tokenizer at a time", hint="name the FASTA with --genome",
    ),
    description="""With a model, its vectors are described too. The run directory holds the tables; lingome report
    makes their page.""",
    examples=(
        "lingome tokens inspect runs/bpe600 --genome genome.fa.gz -o runs/inspect",
        "lingome tokens inspect runs/bpe600 --genome genome.fa.gz --annotation repeats=repeats.bed",
        "lingome tokens inspect runs/bpe600 --genome genome.fa.gz -m runs/pretrain -o runs/inspect",
        "lingome report runs/inspect",
    ),
)
