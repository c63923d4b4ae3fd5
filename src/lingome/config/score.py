"""Settings of ``lingome score``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.embed import LongPolicy
from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Inputs, Workflow
from lingome.core.errors import ConfigError

Convention = Literal[
    "log_likelihood", "pll", "wt_marginal", "wt_fill", "mut_fill", "mask_fill", "match_fill"
]


class ScoreSettings(RunSettings):
    """What is scored: sequences; mutations of sequences; variants of a genome; or a whole region of it."""

    model: str = Field(
        default="human-mini", description="packaged model, checkpoint, run, hub:OWNER/NAME, or random:PRESET"
    )
    sequences: Path | None = Field(default=None, description="CSV, TSV or FASTA of sequences")
    sequence_column: str | None = Field(
        default=None, description="column of sequences in a table, where it is not called sequence, seq or dna"
    )
    genome: Path | None = Field(default=None, description="FASTA that variants or the region lie on")
    variants: Path | None = Field(
        default=None, description="VCF or table chrom, pos, ref, alt of the genome; or mutations (A23G) of sequences"
    )
    region: str | None = Field(default=None, description="chrom:start-end (0-based, half-open): all its substitutions")
    convention: Convention | None = Field(
        default=None,
        description="by default log_likelihood for a causal model; for a masked one mask_fill of changes, pll of "
        "sequences",
    )
    indels: Literal["score", "leave_out"] = Field(
        default="score",
        description="insertions and deletions, which only log_likelihood and pll can score; leave_out says how many",
    )
    strands: Literal["forward", "both"] = Field(default="forward", description="both: mean with the reverse complement")
    window_bp: int = Field(
        default=500, ge=3,
        description="letters per window of the genome; with too_long=window, of a sequence around its mutation",
    )
    step_bp: int = Field(
        default=1, ge=1,
        description="places of one step share a window; 1 centres every variant, more makes wt_marginal, pll and "
        "log_likelihood cheap",
    )
    first_position: int = Field(
        default=1, ge=0,
        description="number that mutations give the first letter of a sequence",
    )
    measured: str | None = Field(
        default=None,
        description="numeric column of the variants' table: Spearman's correlation with it goes into the summary",
    )
    too_long: LongPolicy = Field(
        default="error",
        description="beyond the context: refuse, cut at the end, or add up almost equal windows; of mutations, read "
        "window_bp letters around them",
    )
    precision: Literal["fp32", "bf16", "auto"] = Field(
        default="fp32", description="precision of matrix products; auto: bf16 where the device is fast in it"
    )
    batch_tokens: int | None = Field(
        default=None, ge=64, description="tokens per batch, padding included; by default what suits the device"
    )
    baseline_items: int = Field(
        default=200, ge=1, description="items, spread evenly, that the model with random weights also scores"
    )
    out: Path = Field(default=Path("scores.tsv"), description="table to write; a .json beside it says how it was made")
    force: bool = Field(default=False, description="replace what is there")

    @property
    def task(self) -> Literal["sequences", "mutants", "variants", "region"]:
        """What is scored."""
        if self.region is not None:
            return "region"
        return "sequences" if self.variants is None else "mutants" if self.sequences is not None else "variants"

    @model_validator(mode="after")
    def _inputs_make_a_task(self) -> Self:
        if self.genome is not None and self.sequences is not None:
            raise ValueError("give sequences or a genome, not both")
        if self.genome is None and self.sequences is None:
            raise ValueError("there is nothing to score: give sequences, or a genome with variants or a region")
        if self.genome is not None and (self.variants is None) == (self.region is None):
            raise ValueError("a genome needs variants=FILE or region=chrom:start-end, one of the two")
        if self.region is not None and self.genome is None:
            raise ValueError("a region is one of a genome: genome=FASTA")
        if self.too_long == "truncate" and self.variants is not None:
            raise ValueError("too_long=truncate is for whole sequences; with mutations use too_long=window")
        if self.too_long == "truncate" and self.strands == "both":
            raise ValueError("too_long=truncate cuts another end off the other strand; with strands=both use window")
        if self.measured is not None and self.variants is None:
            raise ValueError("measured is a column of a table of variants")
        if 2 * self.step_bp > self.window_bp:
            raise ValueError("step_bp is at most half of window_bp, so that every variant has letters on both sides")
        return self


def sort_score_inputs(words: Sequence[str], given: Collection[str] = ()) -> dict[str, str]:
    """Take the first word for the model, unless it is given, and the next for sequences; a VCF holds variants.

    Raises
    ------
    ConfigError
        If there are more.

    >>> sort_score_inputs(["human-mini", "reads.fa"])
    {'model': 'human-mini', 'sequences': 'reads.fa'}
    """
    free = [name for name in ("model", "sequences") if name not in given]
    if len(words) > len(free):
        raise ConfigError("one input too many", got=words[len(free)], expected="a model, and sequences or a VCF",
                          hint="name the others: variants=FILE genome=FILE")
    roles = dict(zip(free, words, strict=False))
    if roles.get("sequences", "").lower().removesuffix(".gz").removesuffix(".bgz").endswith(".vcf"):
        roles["variants"] = roles.pop("sequences")
    return roles


WORKFLOW = Workflow(
    name="score",
    settings=ScoreSettings,
    recipe="score",
    inputs=Inputs(
        "[MODEL] [SEQUENCES | VCF]",
        "First the model, unless -m names it; then a table or FASTA of sequences, or a VCF.",
        sort_score_inputs,
    ),
    description="""Sequences are scored whole; with variants=TABLE, mutations of them. For variants of a genome:
    genome=FASTA variants=VCF-or-table, or region=chrom:start-end for all substitutions. The output is a table; how
    it was made, and baselines, go beside it as .json.""",
    examples=(
        "lingome score human-mini sequences.fa -o scores.tsv",
        "lingome score human-mini genome=hg19.fa.gz variants=calls.vcf.gz strands=both -o scores.tsv",
        "lingome score runs/esm protein.fa variants=mutations.tsv convention=wt_marginal measured=fitness",
    ),
)
