"""``lingome report``."""

from __future__ import annotations

from collections.abc import Callable

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.report import ReportSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome report runs/demo

lingome report runs/demo -o demo.html --force"""


def command(
    words: Words = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Write the page of a run: one HTML file that needs nothing else.

    Give the run directory that another command wrote. The page goes into it as report.html, or to -o.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("report takes one run directory", got=" ".join(inputs))
    run_command(
        ReportSettings, _recipe, config=config, overrides=overrides, dry_run=dry_run,
        flags={
            "run": inputs[0] if inputs else None, "out": out, "force": force or None, "seed": seed, "device": device,
        },
    )


def _recipe() -> tuple[Callable[[ReportSettings], Plan], Callable[[ReportSettings], Outcome]]:
    from lingome.recipes.report import plan, run

    return plan, run
