"""Settings of ``lingome tokens vectors``: static vectors of a vocabulary's tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Workflow, inputs_in_order


class VectorsSettings(RunSettings):
    """Which tokens, which sequence, and how Word2Vec is trained."""

    tokenizer: Path = Field(description="folder of a tokenizer, or of a checkpoint with one")
    genome: Path = Field(description="FASTA of DNA: plain, .gz or bgzip")
    out: Path = Field(default=Path("runs/vectors"), description="run directory to write")
    force: bool = Field(default=False, description="replace a run that is there")
    chroms: tuple[str, ...] = Field(default=(), description="sequences to learn from; all by default")
    exclude: tuple[str, ...] = Field(default=(), description="chrom:start-end (0-based, half-open), never learnt from")
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="lower-case bases: as upper case, or as N")
    algorithm: Literal["cbow", "skipgram"] = Field(
        default="cbow",
        description="a token from the mean of those around it, or those around it from the token (3 to 4 times slower)",
    )
    dims: int = Field(default=100, ge=2, le=4096, description="numbers per vector")
    window: int = Field(default=5, ge=1, description="tokens on either side, at most")
    negatives: int = Field(default=5, ge=1, description="random tokens that each true token is distinguished from")
    epochs: int = Field(default=5, ge=1, description="passes over the sequence")
    min_count: int = Field(default=1, ge=1, description="occurrences below which a token gets no vector")
    lr: float = Field(default=0.025, gt=0, lt=1, description="learning rate at the start; it falls to 1e-4")
    subsample: float = Field(
        default=0.0, ge=0, lt=1, description="skip tokens more frequent than about this share; 0: none"
    )
    workers: int = Field(default=1, ge=1, description="threads; with more than one, no two runs are equal")
    neighbours: int = Field(default=10, ge=1, le=100, description="nearest neighbours to write for each token")
    control: Literal["random", "shuffled"] = Field(
        default="random", description="vectors to compare with: random numbers, or trained on the same tokens shuffled"
    )


WORKFLOW = Workflow(
    name="tokens vectors",
    settings=VectorsSettings,
    recipe="tokens/vectors",
    inputs=inputs_in_order(
        ("tokenizer",), usage="TOKENIZER",
        meaning="The folder of a tokenizer or of a checkpoint; the FASTA goes behind --genome.",
        problem="one tokenizer at a time", hint="name the FASTA with --genome",
    ),
    description="""The run holds a model folder that lingome embed, lingome finetune method=features and lingome
    predict take like any other, the nearest neighbours of each token, and what the vectors vary along.""",
    examples=(
        "lingome tokens vectors runs/bpe600 --genome genome.fa.gz -o runs/vectors",
        "lingome tokens vectors runs/bpe600 --genome genome.fa.gz --algorithm skipgram dims=50 epochs=2",
        "lingome embed sequences.fa -m runs/vectors -o vectors.npz",
    ),
)
