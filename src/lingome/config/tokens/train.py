"""Settings of ``lingome tokens``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Workflow, any_number_of, inputs_in_order

OF_KIND = {"bpe": ("merges", "both_strands"), "kmers": ("k", "overlap", "layout")}
"""Settings that mean something for one kind of vocabulary only."""


class TokensSettings(Settings):
    """Settings of ``lingome tokens train``: which vocabulary, learnt from what."""

    genomes: tuple[Path, ...] = Field(
        default=(), description="FASTA files to learn from; characters and kmers need none, and count tokens if given"
    )
    chroms: tuple[str, ...] = Field(default=(), description="only these sequences, as [chr20,chr21]; all when empty")
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="read lower case as upper case, or as N")
    kind: Literal["bpe", "characters", "kmers"] = Field(default="bpe", description="kind of vocabulary")
    merges: int = Field(
        default=600, ge=1, le=16_000,
        description="byte-pair merges (bpe); a vocabulary of DNA has 9 tokens more: 5 special ones and 4 letters",
    )
    both_strands: bool = Field(default=False, description="count the reverse complement as well (bpe)")
    k: int = Field(default=6, ge=1, le=8, description="bases per k-mer (kmers)")
    overlap: bool = Field(default=True, description="k-mers at every base, or side by side (kmers)")
    alphabet: Literal["dna", "protein"] = Field(default="dna", description="letters of the sequences")
    threads: int | None = Field(default=None, ge=1, description="cores (bpe); all by default, with the same result")
    layout: Literal["dnabert", "nucleotide-transformer", "nucleotide-transformer-v2"] = Field(
        default="dnabert", description="order of ids (kmers); all but the first only side by side"
    )
    out: Path = Field(default=Path("runs/tokens"), description="folder of the tokenizer")
    force: bool = Field(default=False, description="replace an earlier one")
    resume: bool = Field(default=False, description="continue a training that was interrupted (bpe)")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.alphabet != "dna" and self.kind == "kmers":
            raise ValueError("kmers are words of DNA: choose bpe or characters for protein")
        if self.alphabet != "dna" and (self.both_strands or self.soft_masked != "upper"):
            raise ValueError("both_strands and soft_masked are for DNA")
        if self.resume and self.kind != "bpe":
            raise ValueError("only byte pairs are trained: there is nothing to resume")
        for kind, names in OF_KIND.items():
            for name in names:
                if kind != self.kind and getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is for kind={kind}, and this is kind={self.kind}")
        if self.kind == "bpe" and not self.genomes:
            raise ValueError("byte pairs are learnt from data: give at least one FASTA")
        if self.kind == "kmers" and self.overlap and self.layout != "dnabert":
            raise ValueError("the nucleotide-transformer layout is for words side by side: add overlap=false")
        if len(set(self.genomes)) < len(self.genomes):
            raise ValueError("a FASTA is given twice: each would be counted as often")
        if self.chroms and not self.genomes:
            raise ValueError("chroms chooses sequences of a FASTA: give one")
        return self


class ShowSettings(Settings):
    """Settings of ``lingome tokens show``: which tokenizer."""

    tokenizer: Path = Field(description="folder of a tokenizer, or of a checkpoint")
    rows: int | None = Field(default=None, ge=1, description="show only the first so many tokens")


TRAIN = Workflow(
    name="tokens train",
    settings=TokensSettings,
    recipe="tokens/train",
    inputs=any_number_of(
        "genomes", usage="[GENOME...]", meaning="FASTA files to learn from; k-mers and letters need none."
    ),
    description="""Byte pairs are learnt from whole, uncut sequence, exactly. The folder written is a Hugging Face
    tokenizer (tokenizer.json) with the merges, the use of each token and the lineage beside it. Nothing in it is
    random: the same input gives the same ids, on any number of cores. An interrupted training continues with
    --resume.""",
    examples=(
        "lingome tokens train genome.fa.gz --merges 600 -o runs/bpe600",
        "lingome tokens train --kind kmers --k 6 -o runs/6mers",
        "lingome tokens train genome.fa.gz --merges 300 both_strands=true --dry-run",
        "lingome tokens train proteome.fa alphabet=protein --merges 1000 -o runs/protein",
        "lingome tokens train genome.fa.gz -o runs/bpe600 --resume",
    ),
    plan="plan_train",
    run="run_train",
    options={"genomes": "--genome", "overlap": " /--side-by-side"},
)
SHOW = Workflow(
    name="tokens show",
    settings=ShowSettings,
    recipe="tokens/train",
    inputs=inputs_in_order(
        ("tokenizer",), usage="TOKENIZER", meaning="The folder of a tokenizer or of a checkpoint.",
        problem="one tokenizer is shown at a time",
    ),
    description="Tokens stand in the order of their ids; special tokens have no length.",
    examples=("lingome tokens show runs/bpe600", "lingome tokens show runs/bpe600 --rows 20"),
    plan=None,
    run="show",
    ships_configs=False,
)
