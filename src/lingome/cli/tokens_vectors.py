"""``lingome tokens vectors``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.tokens_vectors import VectorsSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome tokens vectors runs/bpe600 --genome genome.fa.gz -o runs/vectors

lingome tokens vectors runs/bpe600 --genome genome.fa.gz --algorithm skipgram dims=50 epochs=2

lingome embed sequences.fa -m runs/vectors -o vectors.npz"""


def command(
    words: Words = None,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="FASTA to learn from.", show_default=False)
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option("--algorithm", help="cbow or skipgram.", show_default="cbow")
    ] = None,
    dims: Annotated[int | None, typer.Option("--dims", help="Numbers of a vector.", show_default="100")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Passes over the genome.", show_default="5")] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    dry_run: DryRun = False,
) -> None:
    """Learn one vector a token (Word2Vec) from a genome: give a tokenizer's folder and a FASTA.

    The run holds a model folder that `lingome embed`, `lingome finetune method=features` and `lingome predict`
    take like any other, the nearest neighbours of each token, and what the vectors vary along.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one tokenizer at a time", got=" ".join(inputs), hint="name the FASTA with --genome")
    flags = {
        "tokenizer": inputs[0] if inputs else None, "genome": genome, "algorithm": algorithm, "dims": dims,
        "epochs": epochs, "out": out, "force": force or None, "seed": seed,
    }
    run_command(VectorsSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[VectorsSettings], Plan], Callable[[VectorsSettings], Outcome]]:
    from lingome.recipes.tokens_vectors import plan, run

    return plan, run
