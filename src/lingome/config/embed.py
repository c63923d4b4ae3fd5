"""Settings of embedding."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lingome.config.settings import RunSettings

Pooling = Literal["mean", "max", "cls"]
LongPolicy = Literal["error", "truncate", "window"]


class EmbedSettings(RunSettings):
    """Settings of ``lingome embed``: sequences (a table or FASTA), or a genome with a BED."""

    model: str = Field(default="human-mini", description="packaged model, checkpoint, run, or random:PRESET")
    tokenizer: Path | None = Field(default=None, description="vocabulary folder, for random:PRESET; letters by default")
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(default=None, description="column of sequences in a table; guessed by default")
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    bed: Path | None = Field(default=None, description="BED of windows to embed")
    width_bp: int | None = Field(default=None, gt=0, description="width of windows centred on BED lines; as they are")
    layer: int = Field(default=-1, description="0 is the embedding table, 1 the first layer, -1 the last")
    pooling: Pooling = Field(default="mean", description="mean or max over the sequence's tokens, or [CLS]")
    too_long: LongPolicy = Field(
        default="error", description="sequences beyond the context: refuse, cut at the end, or average over windows"
    )
    batch_tokens: int = Field(default=8192, ge=64, description="tokens of a batch, padding included")
    out: Path = Field(default=Path("embeddings.npz"), description="NumPy archive: ids and a float32 matrix")
    force: bool = Field(default=False, description="replace what is there")
