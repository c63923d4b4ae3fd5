"""Settings of embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.settings import RunSettings

Pooling = Literal["mean", "max", "cls"]
LongPolicy = Literal["error", "truncate", "window"]
Per = Literal["sequence", "token", "base"]
EmbedPrecision = Literal["fp32", "bf16", "int8", "auto"]


class EmbedSettings(RunSettings):
    """Settings of ``lingome embed``: sequences (a table or FASTA), or a genome with a BED."""

    model: str = Field(default="human-mini", description="packaged model, checkpoint, run, or random:PRESET")
    tokenizer: Path | None = Field(default=None, description="vocabulary folder, for random:PRESET; letters by default")
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(default=None, description="column of sequences in a table; guessed by default")
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    bed: Path | None = Field(default=None, description="BED of windows to embed")
    width_bp: int | None = Field(default=None, gt=0, description="width of windows centred on BED lines; as they are")
    layer: int | Literal["all"] = Field(
        default=-1, description="0 is the embedding table, 1 the first layer, -1 the last; all: side by side"
    )
    per: Per = Field(default="sequence", description="one vector a sequence, a token or a base (that of its token)")
    pooling: Pooling = Field(default="mean", description="mean or max over the sequence's tokens, or [CLS]")
    too_long: LongPolicy = Field(
        default="error", description="sequences beyond the context: refuse, cut at the end, or average over windows"
    )
    precision: EmbedPrecision = Field(
        default="fp32", description="bf16 and int8 are faster and rounded; auto is bf16 where the device is fast in it"
    )
    batch_tokens: int | None = Field(
        default=None, ge=64, description="tokens of a batch, padding included; by default what suits the device"
    )
    out: Path = Field(
        default=Path("embeddings.npz"), description="archive (.npz), or matrix (.npy) with a table beside it (.tsv)"
    )
    force: bool = Field(default=False, description="replace what is there")
