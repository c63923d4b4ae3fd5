"""``lingome doctor``."""

from __future__ import annotations

from collections.abc import Callable

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.doctor import DoctorSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome doctor

lingome doctor -o doctor.tsv"""


def command(
    words: Words = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Say what this machine has, and whether lingome works on it.

    Checks versions, the device, bf16, where data would come from, and runs a small model.
    """
    inputs, overrides = split_words(words)
    if inputs:
        raise ConfigError("doctor takes no inputs", got=" ".join(inputs))
    run_command(
        DoctorSettings, _recipe, config=config, overrides=overrides,
        flags={"out": out, "force": force or None, "seed": seed, "device": device}, dry_run=dry_run,
    )


def _recipe() -> tuple[Callable[[DoctorSettings], Plan], Callable[[DoctorSettings], Outcome]]:
    from lingome.recipes.doctor import plan, run

    return plan, run
