"""Settings of prediction."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lingome.config.finetune import TooLong
from lingome.config.settings import RunSettings


class PredictSettings(RunSettings):
    """Settings of ``lingome predict``.

    Inputs are sequences (a table or FASTA), or a genome with a BED, or a genome with motifs.
    """

    model: str = Field(description="fine-tuned model: a run or a checkpoint folder")
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(default=None, description="column of sequences in a table; guessed by default")
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    bed: Path | None = Field(default=None, description="BED of windows to score")
    motifs: Path | None = Field(default=None, description="motif matrices in JASPAR format: score their sites")
    motif: str | None = Field(default=None, description="motif in that file; as in training by default")
    p_value: float | None = Field(default=None, gt=0, lt=0.01, description="of a site; as in training by default")
    flank_bp: int | None = Field(default=None, ge=0, description="around a motif; as in training by default")
    width_bp: int | None = Field(default=None, gt=0, description="width of windows centred on BED lines; as they are")
    region: str | None = Field(default=None, description="chrom:start-end (0-based, half-open) to stay within")
    too_long: TooLong = Field(default="error", description="sequences beyond the context: refuse, or cut at the end")
    batch_tokens: int = Field(default=8192, ge=64, description="tokens of a batch, padding included")
    out: Path | None = Field(default=None, description=".bed or .tsv file; standard output by default")
    force: bool = Field(default=False, description="replace what is there")
