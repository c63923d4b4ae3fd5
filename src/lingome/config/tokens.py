"""Settings of ``lingome tokens``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.settings import Settings

OF_KIND = {"bpe": ("merges", "both_strands"), "kmers": ("k", "overlap", "layout")}
"""Settings that mean something for one kind of vocabulary only."""


class TokensSettings(Settings):
    """Settings of ``lingome tokens train``: which vocabulary, learnt from what."""

    genomes: tuple[Path, ...] = Field(
        default=(), description="FASTA files to learn from; characters and kmers need none, and count tokens if given"
    )
    chroms: tuple[str, ...] = Field(default=(), description="only these sequences; all when empty")
    soft_masked: Literal["upper", "n"] = Field(default="upper", description="read lower case as upper case, or as N")
    kind: Literal["bpe", "characters", "kmers"] = Field(default="bpe", description="kind of vocabulary")
    merges: int = Field(default=600, ge=1, le=16_000, description="byte-pair merges (bpe)")
    both_strands: bool = Field(default=False, description="count the reverse complement as well (bpe)")
    k: int = Field(default=6, ge=1, le=8, description="bases of a word (kmers)")
    overlap: bool = Field(default=True, description="a word at every base, or words side by side (kmers)")
    alphabet: Literal["dna", "protein"] = Field(default="dna", description="letters of the sequences")
    threads: int | None = Field(default=None, ge=1, description="cores (bpe); all by default, with the same result")
    layout: Literal["dnabert", "nucleotide-transformer", "nucleotide-transformer-v2"] = Field(
        default="dnabert", description="order of ids (kmers); all but the first only side by side"
    )
    out: Path = Field(default=Path("runs/tokens"), description="folder of the tokenizer")
    force: bool = Field(default=False, description="replace an earlier one")
    resume: bool = Field(default=False, description="go on with a training that was interrupted (bpe)")

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
