"""``lingome tokens inspect``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.tokens_inspect import InspectSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome tokens inspect runs/bpe600 --genome genome.fa.gz -o runs/inspect

lingome tokens inspect runs/bpe600 --genome genome.fa.gz --annotation repeats=repeats.bed --annotation cpg=islands.bed

lingome tokens inspect runs/bpe600 --genome genome.fa.gz --model runs/pretrain -o runs/inspect

lingome report runs/inspect"""


def command(
    words: Words = None,
    genome: Annotated[Path | None, typer.Option("--genome", help="FASTA to count on.", show_default=False)] = None,
    annotation: Annotated[
        list[str] | None,
        typer.Option("--annotation", help="name=FILE.bed; once for each annotation.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A model of this vocabulary.", show_default=False)
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Describe every token: use, letters, strands, annotation, descent; with a model, its vectors too.

    Give the folder of a tokenizer and a FASTA. The run directory holds the tables; `lingome report` makes their page.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one tokenizer at a time", got=" ".join(inputs), hint="name the FASTA with --genome")
    flags = {
        "tokenizer": inputs[0] if inputs else None, "genome": genome, "model": model, "out": out,
        "force": force or None, "seed": seed, "device": device, **_named(annotation or []),
    }
    run_command(InspectSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _named(annotation: list[str]) -> dict[str, str]:
    """Turn ``repeats=FILE`` into the setting ``annotation.repeats``."""
    flags = {}
    for one in annotation:
        name, separator, path = one.partition("=")
        if not (name and separator and path):
            raise ConfigError(
                "an annotation has a name and a file", where="--annotation", got=one, expected="name=FILE.bed",
                hint=f"--annotation repeats={one.strip('=')}",
            )
        if "." in name or f"annotation.{name}" in flags:
            raise ConfigError(
                "every annotation has its own name, of letters and digits", where="--annotation", got=one,
                hint="give it another name, or join the files",
            )
        flags[f"annotation.{name}"] = path
    return flags


def _recipe() -> tuple[Callable[[InspectSettings], Plan], Callable[[InspectSettings], Outcome]]:
    from lingome.recipes.tokens_inspect import plan, run

    return plan, run
