"""``lingome embed``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.embed import EmbedSettings
from lingome.config.predict import sort_sequence_inputs
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome embed sequences.fa -m human-mini -o vectors.npz

lingome embed table.csv -m runs/pretrain layer=2 pooling=max -o vectors.npz

lingome embed genome.fa windows.bed -m human-mini too_long=window

lingome embed sequences.fa per=base precision=auto -o bases.npy"""

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Packaged model, checkpoint, run, or random:PRESET.", show_default="human-mini"),
]


def command(
    words: Words = None,
    model: Model = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Turn sequences into vectors.

    Inputs: a table or FASTA of sequences, or a genome and a BED. The output is a NumPy archive with
    ids, a float32 matrix, and how it was made; or, for X.npy, the matrix and a table beside it.
    """
    inputs, overrides = split_words(words)
    flags = {
        **sort_sequence_inputs(inputs), "model": model, "out": out, "force": force or None, "seed": seed,
        "device": device,
    }
    run_command(EmbedSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[EmbedSettings], Plan], Callable[[EmbedSettings], Outcome]]:
    from lingome.recipes.embed import plan, run

    return plan, run
