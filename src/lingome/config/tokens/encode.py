"""Settings of ``lingome tokens encode``: which tokenizer, on what, written how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, inputs_in_order

FILES = {".txt", ".tsv", ".csv", ".json", ".npy", ".gz", ".fa", ".fasta", ".safetensors", ".parquet", ".h5"}
"""Ends of names that are meant for a file, not for the folder of a store."""


class EncodeSettings(Settings):
    """Which tokenizer, on what, and what is written."""

    tokenizer: Path = Field(description="folder of a tokenizer, or of a checkpoint")
    input: Path = Field(description="FASTA, or CSV/TSV with a column of sequences")
    sequence_column: str | None = Field(default=None, description="column of sequences, when it has an unusual name")
    out: Path | None = Field(
        default=None, description="a file .npz, or the folder of a token store; without it, text to standard output"
    )
    chroms: tuple[str, ...] = Field(default=(), description="only these sequences (a store); all when empty")
    soft_masked: Literal["upper", "n"] = Field(
        default="upper", description="lower-case bases (a store): as upper case, or as N"
    )
    force: bool = Field(default=False, description="replace what is there")

    @property
    def is_store(self) -> bool:
        """Whether a folder is written rather than a file or text."""
        return self.out is not None and self.out.suffix.lower() != ".npz"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.out is not None and self.out.suffix.lower() in FILES:
            raise ValueError("encoded sequences are written as .npz, or as a store, whose name is that of a folder")
        if not self.is_store and (self.chroms or self.soft_masked != "upper"):
            raise ValueError("chroms and soft_masked are for a store: give a folder with -o")
        if self.is_store and self.sequence_column is not None:
            raise ValueError("a store is written of a FASTA, which has no columns: for a table give -o FILE.npz")
        return self


WORKFLOW = Workflow(
    name="tokens encode",
    settings=EncodeSettings,
    recipe="tokens/encode",
    inputs=inputs_in_order(
        ("tokenizer", "input"), usage="TOKENIZER INPUT",
        meaning="The folder of a tokenizer (or of a checkpoint), and a FASTA or a table of sequences.",
        problem="one tokenizer and one input at a time",
    ),
    description="""With -o FOLDER: a token store of a genome, which lingome pretrain reads from disk. With -o FILE.npz:
    ids, the first base of each token, and where each sequence begins. Without -o: one line per sequence on standard
    output, its name and its tokens.""",
    examples=(
        "lingome tokens encode runs/bpe600 genome.fa.gz -o runs/genome-tokens",
        "lingome tokens encode runs/bpe600 sequences.fa -o ids.npz",
        "lingome tokens encode runs/bpe600 table.csv | head",
    ),
)
