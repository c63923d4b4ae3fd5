"""``lingome model import``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, DryRun, Force, Out, Words, run_command, split_words
from lingome.config.model_import import ImportSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome model import downloads/grover -o models/grover

lingome model import downloads/hyenadna/weights.ckpt -o models/hyenadna

lingome model import downloads/dnabert --tokenizer downloads/vocab.txt -o models/dnabert"""


def command(
    words: Words = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", help="The vocabulary, if elsewhere.", show_default=False)
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Turn a model that others published into a lingome folder: weights checked, pickles converted, vocabulary read.

    Give its folder (config.json, weights, vocabulary) or its file of weights. Nothing is downloaded, and nothing that
    the folder holds is run.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one model at a time", got=" ".join(inputs))
    flags = {"path": inputs[0] if inputs else None, "tokenizer": tokenizer, "out": out, "force": force or None}
    run_command(ImportSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[ImportSettings], Plan], Callable[[ImportSettings], Outcome]]:
    from lingome.recipes.model_import import plan, run

    return plan, run
