"""``lingome evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Model, Out, Seed, Words, run_command, split_words
from lingome.config.evaluate import EvaluateSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome evaluate --table labelled.csv -o runs/baselines

lingome evaluate runs/finetune -o runs/measured

lingome evaluate runs/finetune new_sites.tsv -o runs/elsewhere

lingome evaluate runs/pretrain genome.fa.gz -o runs/guesses"""

_GENOME = (".fa", ".fasta", ".fna", ".fa.gz", ".fasta.gz", ".fna.gz", ".fa.bgz", ".fasta.bgz", ".fna.bgz")
_TABLE = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def command(
    words: Words = None,
    model: Model = None,
    table: Annotated[
        Path | None, typer.Option("--table", help="Labelled sequences: CSV or TSV.", show_default=False)
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Measure a model beside its baselines, with intervals and a leak check.

    A table of labelled sequences alone gives every baseline: what a model would have to beat. A
    fine-tuned model is measured on its own test examples, or on a table. A language model, masked or
    causal, and a FASTA give perplexity and bits per base.
    """
    inputs, overrides = split_words(words)
    model, second = _sort_inputs([*([model] if model else []), *inputs], table is not None)
    flags = {"model": model, "table": table, "out": out, "force": force or None, "seed": seed, "device": device}
    if second is not None:
        flags["genome" if second.lower().endswith(_GENOME) else "table"] = second
    run_command(EvaluateSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _sort_inputs(inputs: Sequence[str], has_table: bool) -> tuple[str | None, str | None]:
    """Tell the model from the data; a file given alone is a table."""
    if len(inputs) > (1 if has_table else 2):
        raise ConfigError("evaluate takes a model and one table or FASTA", got=" ".join(inputs))
    if len(inputs) == 1 and not has_table and (Path(inputs[0]).is_file() or inputs[0].lower().endswith(_TABLE)):
        return None, inputs[0]
    return (inputs[0] if inputs else None), (inputs[1] if len(inputs) > 1 else None)


def _recipe() -> tuple[Callable[[EvaluateSettings], Plan], Callable[[EvaluateSettings], Outcome]]:
    from lingome.recipes.evaluate import plan, run

    return plan, run
