"""``lingome demo``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.demo import DemoSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome demo

lingome demo --organism yeast -o runs/yeast

lingome demo --dry-run"""

Organism = Annotated[str | None, typer.Option("--organism", help="human or yeast.", show_default="human")]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network.")]


def command(
    words: Words = None,
    organism: Organism = None,
    offline: Offline = False,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Go from a genome to an answered question: which CTCF motif sites are used?

    Vocabulary, pre-training, fine-tuning, baselines, prediction and a page, on human
    chromosome 20 (or, with --organism yeast, promoters of yeast) in a few minutes on a laptop.
    """
    inputs, overrides = split_words(words)
    if inputs:
        raise ConfigError(
            "the demo brings its own data", got=" ".join(inputs),
            hint="for your own genome: lingome finetune --help",
        )
    flags = {
        "organism": organism, "offline": offline or None, "out": out, "force": force or None,
        "seed": seed, "device": device,
    }
    run_command(DemoSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[DemoSettings], Plan], Callable[[DemoSettings], Outcome]]:
    from lingome.recipes.demo import plan, run

    return plan, run
