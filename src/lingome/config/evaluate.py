"""Settings of ``lingome evaluate``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from lingome.config.schema.settings import RunSettings
from lingome.config.workflow import Inputs, Workflow
from lingome.core.errors import ConfigError


class EvaluateSettings(RunSettings):
    """What to measure.

    A table alone: every baseline and the leak check. A fine-tuned model: the same with the model on
    top; its run's own examples serve when no table is given. A language model and a genome:
    perplexity and bits per base.
    """

    model: Path | None = Field(default=None, description="run directory or checkpoint folder")
    table: Path | None = Field(default=None, description="labelled sequences: CSV, TSV, or a folder of splits")
    genome: Path | None = Field(default=None, description="FASTA, for a language model")
    sequence_column: str | None = Field(
        default=None, description="column of sequences, where it is not called sequence, seq or dna"
    )
    label_column: str | None = Field(
        default=None, description="column of labels, where it is not called label, target or class"
    )
    tokenizer: Path | None = Field(default=None, description="vocabulary folder for token baselines without a model")
    split: Literal["auto", "random"] = Field(
        default="auto",
        description="auto: the table's own, else blocks, else (no coordinates) at random; random: a new one",
    )
    valid_share: float = Field(default=0.1, gt=0, lt=0.5, description="share for validation in a new split")
    test_share: float = Field(default=0.2, gt=0, lt=0.5, description="share for test in a new split")
    too_long: Literal["error", "truncate"] = Field(
        default="error", description="sequences beyond the model's context: refuse, or cut at the end"
    )
    baselines: bool = Field(default=True, description="fit the baselines")
    seeds: int = Field(default=3, ge=1, description="fits per method that involves chance")
    n_trees: int = Field(default=100, ge=1, description="trees of a random forest")
    resamples: int = Field(default=1000, ge=100, description="bootstrap resamples for the intervals")
    n_windows: int = Field(default=400, ge=10, description="windows that a language model is measured on")
    window_bp: int = Field(default=480, ge=20, description="bases per window")
    mask_rate: float = Field(default=0.15, gt=0, lt=1, description="share of tokens that a masked model has to predict")
    out: Path = Field(default=Path("runs/evaluate"), description="run directory")
    force: bool = Field(default=False, description="replace what is there")

    @model_validator(mode="after")
    def _something_to_measure(self) -> Self:
        if self.model is None and self.table is None:
            raise ValueError("give a table of labelled sequences, a model, or both")
        if self.genome is not None and self.table is not None:
            raise ValueError("give a table (for a classifier) or a genome (for a language model), not both")
        return self


_GENOME = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz", ".fa.bgz", ".fasta.bgz", ".fna.bgz")
_TABLE = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def sort_evaluate_inputs(words: Sequence[str], given: Collection[str] = ()) -> dict[str, str]:
    """Tell the model from the data; a file that stands alone is a table.

    Raises
    ------
    ConfigError
        If there are more words than a model and one table or FASTA.

    >>> sort_evaluate_inputs(["runs/lm", "genome.fa"]), sort_evaluate_inputs(["labelled.csv"])
    ({'model': 'runs/lm', 'genome': 'genome.fa'}, {'table': 'labelled.csv'})
    """
    needs_model = "model" not in given
    needs_data = not {"table", "genome"} & set(given)
    if len(words) > needs_model + needs_data:
        raise ConfigError("evaluate takes a model and one table or FASTA", got=" ".join(words))
    roles: dict[str, str] = {}
    rest = list(words)
    alone = len(rest) == 1 and needs_data and (Path(rest[0]).is_file() or rest[0].lower().endswith(_TABLE))
    if rest and needs_model and not alone:
        roles["model"] = rest.pop(0)
    if rest:
        roles["genome" if rest[0].lower().endswith(_GENOME) else "table"] = rest[0]
    return roles


WORKFLOW = Workflow(
    name="evaluate",
    settings=EvaluateSettings,
    recipe="evaluate",
    inputs=Inputs(
        "[MODEL] [TABLE | GENOME]",
        "A model (a run or a checkpoint folder), a table of labelled sequences, or both; or a language model and "
        "a FASTA.",
        sort_evaluate_inputs,
    ),
    description="""A table of labelled sequences alone gives every baseline: what a model would have to beat. A
    fine-tuned model is measured on its own test examples, or on a table. A language model, masked or causal, and a
    FASTA give perplexity and bits per base.""",
    examples=(
        "lingome evaluate --table labelled.csv -o runs/baselines",
        "lingome evaluate runs/finetune -o runs/measured",
        "lingome evaluate runs/finetune new_sites.tsv -o runs/elsewhere",
        "lingome evaluate runs/pretrain genome.fa.gz -o runs/guesses",
    ),
)
