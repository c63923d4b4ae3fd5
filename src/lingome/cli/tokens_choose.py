"""``lingome tokens choose``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.tokens_choose import ChooseSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome tokens choose genome.fa.gz --merges 0,50,100,...,1000 -o runs/choose

lingome tokens choose genome.fa.gz --config configs/tokens_choose/standard.yaml -o runs/choose

lingome tokens choose genome.fa.gz --merges 0:600:100 --kmers 4,6 --dry-run

lingome tokens choose genome.fa.gz --for causal -o runs/choose"""


def command(
    words: Words = None,
    merges: Annotated[
        str | None,
        typer.Option("--merges", help="Merge counts: 0,100,300 or 0,50,...,1000 or 0:1000:50.",
                     show_default="0,100,300,600"),
    ] = None,
    kmers: Annotated[
        str | None,
        typer.Option("--kmers", help="Lengths of fixed k-mers to compare too; '' for none.", show_default="3,4,5,6"),
    ] = None,
    purpose: Annotated[
        str | None,
        typer.Option("--for", help="masked or causal: what the model will be trained for.", show_default="masked"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Trainings of each candidate.", show_default="1")
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Compare vocabularies by next-k-mer prediction and by cheap signals, and recommend one.

    A small model for each, the same test for all. Characters always take part. The run directory holds
    the tables, the recommended tokenizer and the page, report.html.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one FASTA at a time", got=" ".join(inputs))
    flags = {
        "genome": inputs[0] if inputs else None, "merges": merges, "kmers": kmers, "purpose": purpose,
        "seeds": seeds, "out": out, "force": force or None, "seed": seed, "device": device,
    }
    run_command(ChooseSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[ChooseSettings], Plan], Callable[[ChooseSettings], Outcome]]:
    from lingome.recipes.tokens_choose import plan, run

    return plan, run
