"""Settings of a task: which labelled sequences, and how they are divided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings
from lingome.core.errors import ConfigError

KINDS = {
    "genome": (".fa", ".fasta", ".fna"),
    "motifs": (".jaspar",),
    "peaks": (".narrowpeak", ".broadpeak"),
    "bed": (".bed",),
    "genes": (".gff", ".gff3"),
    "table": (".csv", ".tsv", ".txt"),
}


class SplitSettings(Settings):
    """How examples are divided into training, validation and test."""

    by: Literal["auto", "column", "chromosomes", "blocks", "random"] = Field(
        default="auto",
        description="auto: chromosomes where they are named, else the table's own split column, else contiguous "
        "blocks of each chromosome, else (no coordinates) at random with copies kept together",
    )
    fractions: tuple[float, float, float] = Field(
        default=(0.7, 0.1, 0.2), description="shares of training, validation and test; blocks lie in this order"
    )
    boundaries: tuple[int, int] | None = Field(
        default=None,
        description="positions where validation and test begin, in place of fractions; with examples on one chromosome",
    )
    valid_chroms: tuple[str, ...] = Field(default=(), description="chromosomes for validation, as [chr8,chr9]")
    test_chroms: tuple[str, ...] = Field(default=(), description="chromosomes for test, as [chr8,chr9]")
    gap_bp: int | None = Field(
        default=None, ge=0, description="bases left out between blocks; by default the longest window"
    )

    @model_validator(mode="after")
    def _check(self) -> SplitSettings:
        if min(self.fractions) <= 0 or abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError("split.fractions must be three shares above 0 that add up to 1")
        if set(self.valid_chroms) & set(self.test_chroms):
            raise ValueError("split.valid_chroms and split.test_chroms share a chromosome")
        if bool(self.valid_chroms) != bool(self.test_chroms):
            raise ValueError("name both split.valid_chroms and split.test_chroms, or neither")
        if self.by == "chromosomes" and not self.test_chroms:
            raise ValueError("a split by chromosomes needs split.valid_chroms and split.test_chroms")
        return self


class TaskSettings(Settings):
    """Labelled sequences: a table, motif sites under peaks, or regions against background."""

    table: Path | None = Field(default=None, description="CSV or TSV with sequences and labels")
    sequence_column: str | None = Field(
        default=None, description="column of sequences, where it is not called sequence, seq or dna"
    )
    label_column: str | None = Field(
        default=None, description="column of labels, where it is not called label, target or class"
    )
    genome: Path | None = Field(default=None, description="FASTA, plain or compressed")
    motifs: Path | None = Field(default=None, description="motif matrices in JASPAR format")
    motif: str = Field(default="MA0139.1", description="identifier or name of the motif in that file")
    peaks: Path | None = Field(default=None, description="narrowPeak or BED: sites whose middle lies inside are bound")
    blacklist: Path | None = Field(default=None, description="BED of stretches to leave out")
    p_value: float = Field(
        default=1e-5, gt=0, lt=0.01, description="probability that random sequence reaches the score of a motif site"
    )
    flank_bp: int = Field(default=116, ge=0, description="bases on either side of a motif")
    positives: Path | None = Field(default=None, description="BED of regions (label 1), or GFF3 of genes: promoters")
    negatives: Path | None = Field(default=None, description="BED of background windows (label 0); drawn by default")
    width_bp: int | None = Field(
        default=None, gt=0, description="width of windows centred on the regions; by default as wide as they are"
    )
    match: Literal["gc", "none"] = Field(
        default="gc",
        description="what drawn background shares with its region besides chromosome, width and strand: GC content",
    )
    upstream_bp: int = Field(default=200, ge=0, description="bases of a promoter before the gene's first base")
    downstream_bp: int = Field(default=50, ge=0, description="bases of a promoter from the gene's first base on")
    split: SplitSettings = Field(default_factory=SplitSettings, description="division of the examples")

    @property
    def kind(self) -> Literal["table", "sites", "regions"]:
        """What sort of task the inputs make."""
        if self.table is not None:
            return "table"
        return "sites" if self.motifs is not None else "regions"

    @property
    def inputs(self) -> dict[str, Path]:
        """Every input file, by its role."""
        roles = ("table", "genome", "motifs", "peaks", "blacklist", "positives", "negatives")
        return {role: path for role in roles if (path := getattr(self, role)) is not None}

    def check(self) -> None:
        """Refuse inputs that make no task.

        Raises
        ------
        ConfigError
            Naming what is missing or too much.
        """
        hint = (
            "give a table of sequences and labels, or a genome with motifs and peaks, or a genome with a BED of regions"
        )
        if self.table is not None:
            extra = [role for role in self.inputs if role != "table"]
            if extra:
                raise ConfigError("a table of sequences needs no other input", got=", ".join(extra), hint=hint)
        elif self.genome is None:
            raise ConfigError("there is nothing to learn from", got=", ".join(self.inputs) or "no input", hint=hint)
        elif self.motifs is not None:
            if self.peaks is None:
                raise ConfigError("motif sites need peaks, which label them", hint="add peaks (narrowPeak or BED)")
            if self.positives is not None or self.negatives is not None:
                raise ConfigError("a task has either motif sites or regions", got="motifs and regions", hint=hint)
        elif self.positives is None:
            raise ConfigError("a genome alone is no task", hint=hint)


def sort_inputs(words: Sequence[str]) -> dict[str, Any]:
    """Tell from their names what the files on a command line are.

    A first BED is the peaks when there are motifs (unless a narrowPeak is), else the regions; a
    second BED is the blacklist or the background.

    Returns
    -------
    dict
        Fields of `TaskSettings`.

    Raises
    ------
    ConfigError
        If a name says nothing, or two files would play one part.

    >>> sort_inputs(["hg19.fa.gz", "ctcf.jaspar", "ctcf.narrowPeak", "blacklist.bed"])
    {'genome': 'hg19.fa.gz', 'motifs': 'ctcf.jaspar', 'peaks': 'ctcf.narrowPeak', 'blacklist': 'blacklist.bed'}
    >>> sort_inputs(["train.csv.gz"])
    {'table': 'train.csv.gz'}
    """
    kinds = [file_kind(word) for word in words]
    with_motifs = "motifs" in kinds
    roles: dict[str, Any] = {}
    for word, kind in zip(words, kinds, strict=True):
        places: tuple[str, ...] = (kind,)
        if kind == "bed":
            places = ("peaks", "blacklist") if with_motifs else ("positives", "negatives")
            if "peaks" in kinds and with_motifs:
                places = ("blacklist",)
        elif kind == "genes" or (kind == "peaks" and not with_motifs):
            places = ("positives", "negatives")
        free = next((place for place in places if place not in roles), None)
        if free is None:
            raise ConfigError(
                "two inputs play the same part", got=f"{roles[places[-1]]} and {word}",
                hint="name each one, as in task.peaks=FILE task.blacklist=FILE",
            )
        roles[free] = word
    return roles


def file_kind(word: str) -> str:
    """Tell what a file holds from its name: one of `KINDS`.

    Raises
    ------
    ConfigError
        If the name's ending is not known.
    """
    name = word.lower()
    for packed in (".gz", ".bgz"):
        name = name.removesuffix(packed)
    for kind, endings in KINDS.items():
        if name.endswith(endings):
            return kind
    raise ConfigError(
        "the ending of this name does not say what it holds", got=word,
        expected=", ".join(ending for endings in KINDS.values() for ending in endings),
        hint="or name its part, as in task.table=FILE",
    )
