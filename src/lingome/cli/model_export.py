"""``lingome model export``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lingome.cli.command import Config, DryRun, Force, Out, Words, run_command, split_words
from lingome.config.model_export import ExportSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome model export human-mini -o out/human-mini --format transformers

lingome model export runs/mine -o out/mine --format onnx

lingome model export runs/mine -o out/mine dtype=bfloat16"""


def command(
    words: Words = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="transformers, onnx or safetensors.", show_default="safetensors")
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Write a model for others: a folder that transformers loads, a checked ONNX graph, or the weights.

    Give a model by its name, its folder or its run.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 1:
        raise ConfigError("one model at a time", got=" ".join(inputs))
    flags = {"model": inputs[0] if inputs else None, "format": format_, "out": out, "force": force or None}
    run_command(ExportSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[ExportSettings], Plan], Callable[[ExportSettings], Outcome]]:
    from lingome.recipes.model_export import plan, run

    return plan, run
