"""The frame of every command: settings in, plan or outcome out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from lingome.config.settings import Settings, load_settings
from lingome.core.outcome import Outcome, Plan
from lingome.core.processes import is_first_process

Config = Annotated[Path | None, typer.Option("--config", help="YAML file with settings.", show_default=False)]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, print the plan, write nothing.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of every random choice.", show_default="0")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps.", show_default="auto")]
Model = Annotated[
    str | None, typer.Option("--model", "-m", help="The model, in place of the first input.", show_default=False)
]
Words = Annotated[
    list[str] | None, typer.Argument(help="Inputs, and settings as key=value.", show_default=False)
]

_OVERRIDE = re.compile(r"^[A-Za-z_][\w.]*=")
T = TypeVar("T", bound=Settings)


def split_words(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Tell inputs from ``key=value`` overrides; a word that names an existing file is an input.

    >>> split_words(["genome.fa", "lr=1e-3"])
    (['genome.fa'], ['lr=1e-3'])
    """
    inputs: list[str] = []
    overrides: list[str] = []
    for word in words or []:
        (overrides if _OVERRIDE.match(word) and not _is_there(word) else inputs).append(word)
    return inputs, overrides


def _is_there(word: str) -> bool:
    try:
        return Path(word).exists()
    except OSError:  # a long value is no file's name
        return False


def run_command(
    settings_class: type[T],
    recipe: Callable[[], tuple[Callable[[T], Plan], Callable[[T], Outcome]]],
    *,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> None:
    """Read settings, then plan (``--dry-run``) or run, and print what comes back.

    Parameters
    ----------
    settings_class : type
        The workflow's settings.
    recipe : callable
        Imports the recipe and gives its ``plan`` and ``run``; called only after the settings
        were read, so that help and mistakes in settings cost no import of torch.
    """
    from lingome.cli.console import show_outcome, show_plan

    settings = load_settings(settings_class, config, overrides, flags)
    plan, run = recipe()
    if dry_run:
        if is_first_process():
            show_plan(plan(settings))
        return
    outcome = run(settings)
    if is_first_process():
        show_outcome(outcome)
