"""``lingome finetune``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.finetune import FinetuneSettings
from lingome.config.task import sort_inputs
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome finetune train.csv -m random:tiny -o runs/mine method=features,full seeds=3

lingome finetune hg19.fa.gz jaspar.txt.jaspar ctcf.narrowPeak -m human-mini task.motif=MA0139.1

lingome finetune genome.fa promoters.bed method=last:2 task.width_bp=250 tune.epochs=5

lingome finetune --config configs/finetune/ctcf_sites.yaml --dry-run"""

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
    """Teach a model to tell labelled sequences apart, and measure it beside baselines.

    Inputs: a table of sequences and labels; or a genome with motifs and peaks (which motif sites
    are used?); or a genome with a BED of regions (against matched background, or a second BED).
    """
    inputs, overrides = split_words(words)
    flags = {f"task.{role}": word for role, word in sort_inputs(inputs).items()}
    flags |= {"model": model, "out": out, "force": force or None, "seed": seed, "device": device}
    run_command(FinetuneSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[FinetuneSettings], Plan], Callable[[FinetuneSettings], Outcome]]:
    from lingome.recipes.finetune import plan, run

    return plan, run
