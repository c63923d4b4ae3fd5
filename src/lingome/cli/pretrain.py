"""``lingome pretrain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome pretrain genome.fa.gz -o runs/mini --preset mini

lingome pretrain genome.fa.gz -o runs/short --preset tiny train.max_steps=200 train.lr=2e-3

lingome pretrain runs/genome-tokens -o runs/mini

lingome pretrain genome.fa.gz -o runs/causal --tokenizer runs/six objective=causal

lingome pretrain genome.fa.gz -o runs/ladder --ladder ladder.budget_hours=10

lingome pretrain -o runs/mini --resume"""


def command(
    words: Words = None,
    config: Config = None,
    out: Out = None,
    preset: Annotated[
        str | None, typer.Option(help="Shape of a new model.", show_default="mini; causal gpt-mini, span t5-mini")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="Folder of a tokenizer.", show_default=False)] = None,
    merges: Annotated[int | None, typer.Option(help="Merges, if a tokenizer is trained.", show_default="600")] = None,
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint to train further.", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in -o.")] = False,
    ladder: Annotated[bool, typer.Option("--ladder", help="Many small models: scaling laws.")] = False,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Pre-train a model on a genome: masked, or with objective=causal, objective=span or objective=contrastive.

    Give a FASTA, or the folder of a token store, whose tokens are read from disk and which brings its tokenizer.
    Without --tokenizer, byte pairs are trained on the same sequence first. Progress is measured on
    the end of the genome, which is not learnt from. Ctrl-C saves, and --resume goes on exactly.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one genome at a time", got=" ".join(inputs))
    if resume and config is None and out is not None:
        config = out / "config.yaml"
        if not config.is_file():
            raise DataError("there is no run to resume", where=out, hint="leave out --resume to start one")
    run_command(
        PretrainSettings, _recipe, config=config, overrides=overrides,
        flags={
            "genome": inputs[0] if inputs else None, "out": out, "preset": preset, "tokenizer": tokenizer,
            "merges": merges, "start_from": start_from, "resume": resume or None, "force": force or None,
            "ladder.enabled": ladder or None, "seed": seed, "device": device,
        },
        dry_run=dry_run,
    )


def _recipe() -> tuple[Callable[[PretrainSettings], Plan], Callable[[PretrainSettings], Outcome]]:
    from lingome.recipes.pretrain import plan, run

    return plan, run
