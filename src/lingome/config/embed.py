"""Settings of embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.predict import sort_sequence_inputs
from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Inputs, Workflow

Pooling = Literal["mean", "max", "cls"]
LongPolicy = Literal["error", "truncate", "window"]
Per = Literal["sequence", "token", "base"]
EmbedPrecision = Literal["fp32", "bf16", "int8", "auto"]


class EmbedSettings(RunSettings):
    """Settings of ``lingome embed``: sequences (a table or FASTA), or a genome with a BED."""

    model: str = Field(
        default="human-mini", description="packaged model, checkpoint, run, hub:OWNER/NAME, or random:PRESET"
    )
    tokenizer: Path | None = Field(default=None, description="vocabulary folder, for random:PRESET; letters by default")
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(
        default=None, description="column of sequences in a table, where it is not called sequence, seq or dna"
    )
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    bed: Path | None = Field(default=None, description="BED of windows to embed")
    width_bp: int | None = Field(
        default=None, gt=0, description="width of windows centred on the lines of the BED; by default as they are"
    )
    layer: int | Literal["all"] = Field(
        default=-1, description="0 is the embedding table, 1 the first layer, -1 the last; all: side by side"
    )
    per: Per = Field(
        default="sequence", description="one vector per sequence, per token, or per base (that of its token)"
    )
    pooling: Pooling = Field(
        default="mean", description="mean or max over the sequence's tokens, without [CLS] and [SEP]; or that of [CLS]"
    )
    too_long: LongPolicy = Field(
        default="error",
        description="beyond the context: refuse, cut at the end, or average almost equal windows by their tokens",
    )
    precision: EmbedPrecision = Field(
        default="fp32", description="bf16 and int8 are faster and rounded; auto is bf16 where the device is fast in it"
    )
    batch_tokens: int | None = Field(
        default=None, ge=64, description="tokens per batch, padding included; by default what suits the device"
    )
    out: Path = Field(
        default=Path("embeddings.npz"), description="archive (.npz), or matrix (.npy) with a table beside it (.tsv)"
    )
    force: bool = Field(default=False, description="replace what is there")


WORKFLOW = Workflow(
    name="embed",
    settings=EmbedSettings,
    recipe="embed",
    inputs=Inputs(
        "SEQUENCES | GENOME BED", "A table or FASTA of sequences, or a genome and a BED.", sort_sequence_inputs
    ),
    description="""The output is a NumPy archive with ids, a float32 matrix, and how it was made; or, for X.npy, the
    matrix and a table beside it.""",
    examples=(
        "lingome embed sequences.fa -m human-mini -o vectors.npz",
        "lingome embed table.csv -m runs/pretrain layer=2 pooling=max -o vectors.npz",
        "lingome embed genome.fa windows.bed -m human-mini too_long=window",
        "lingome embed sequences.fa per=base precision=auto -o bases.npy",
    ),
)
