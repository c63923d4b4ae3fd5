"""Settings of prediction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import Field

from lingome.config.finetune import TooLong
from lingome.config.parts.task import file_kind
from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Inputs, Workflow
from lingome.core.errors import ConfigError


class PredictSettings(RunSettings):
    """Settings of ``lingome predict``.

    Inputs are sequences (a table or FASTA), or a genome with a BED, or a genome with motifs.
    """

    model: str = Field(description="fine-tuned model: a run or a checkpoint folder")
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(
        default=None, description="column of sequences in a table, where it is not called sequence, seq or dna"
    )
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    bed: Path | None = Field(default=None, description="BED of windows to score")
    motifs: Path | None = Field(default=None, description="motif matrices in JASPAR format: score their sites")
    motif: str | None = Field(default=None, description="motif in that file; by default as in training")
    p_value: float | None = Field(
        default=None, gt=0, lt=0.01,
        description="probability that random sequence reaches the score of a site; by default as in training",
    )
    flank_bp: int | None = Field(
        default=None, ge=0, description="bases on either side of a motif; by default as in training"
    )
    width_bp: int | None = Field(
        default=None, gt=0, description="width of windows centred on the lines of the BED; by default as they are"
    )
    region: str | None = Field(
        default=None, description="chrom:start-end (0-based, half-open); sites lie wholly inside"
    )
    too_long: TooLong = Field(default="error", description="sequences beyond the context: refuse, or cut at the end")
    batch_tokens: int | None = Field(
        default=None, ge=64, description="tokens per batch, padding included; by default what suits the device"
    )
    out: Path | None = Field(default=None, description=".bed or .tsv file; standard output by default")
    force: bool = Field(default=False, description="replace what is there")


def sort_sequence_inputs(words: Sequence[str], given: Collection[str] = ()) -> dict[str, str]:
    """Tell from their names what the inputs are: sequences; a genome and a BED; a genome and motifs.

    A FASTA that stands alone holds sequences; beside a BED or motifs it is the genome.

    Raises
    ------
    ConfigError
        If a name says nothing, or two files would play one part.

    >>> sort_sequence_inputs(["reads.fa"]), sort_sequence_inputs(["hg19.fa", "windows.bed"])
    ({'sequences': 'reads.fa'}, {'genome': 'hg19.fa', 'bed': 'windows.bed'})
    """
    kinds = [file_kind(word) for word in words]
    roles: dict[str, str] = {}
    for word, kind in zip(words, kinds, strict=True):
        fasta = "sequences" if len(words) == 1 and not {"bed", "motifs"} & set(given) else "genome"
        role = {"table": "sequences", "peaks": "bed", "genome": fasta}.get(kind, kind)
        if role in roles or role == "genes":
            raise ConfigError(
                "this input plays no part here, or the same as another", got=word,
                expected="sequences; a genome and a BED; or a genome and motifs",
            )
        roles[role] = word
    return roles


def sort_predict_inputs(words: Sequence[str], given: Collection[str] = ()) -> dict[str, str]:
    """Take the first word for the model unless it is given, and tell the others as `sort_sequence_inputs` does.

    >>> sort_predict_inputs(["runs/demo", "reads.fa"])
    {'model': 'runs/demo', 'sequences': 'reads.fa'}
    """
    if "model" in given or not words:
        return sort_sequence_inputs(words, given)
    return {"model": words[0], **sort_sequence_inputs(words[1:], given)}


WORKFLOW = Workflow(
    name="predict",
    settings=PredictSettings,
    recipe="predict",
    inputs=Inputs(
        "MODEL SEQUENCES | MODEL GENOME BED | MODEL GENOME MOTIFS",
        "First the model (a run or a checkpoint folder), unless -m names it; then a table or FASTA of sequences, or "
        "a genome and a BED, or a genome and motifs.",
        sort_predict_inputs,
    ),
    description="Without -o, results go to standard output.",
    examples=(
        "lingome predict runs/finetune sequences.fa -o scores.tsv",
        "lingome predict runs/demo hg19.fa.gz jaspar.jaspar region=chr20:61000000-63025520 -o sites.bed",
        "lingome predict runs/mine/checkpoint genome.fa windows.bed width_bp=251",
    ),
)
