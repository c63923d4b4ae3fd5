"""``lingome model``."""

from __future__ import annotations

from typing import Annotated

import typer

from lingome.cli import model_export, model_import
from lingome.cli.command import Config, split_words
from lingome.config.model import ListSettings, ModelSettings, ShowSettings
from lingome.config.settings import load_settings
from lingome.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, epilog="Example:  lingome model count gpt3")

COUNT_EXAMPLES = """Examples:

lingome model count gpt3

lingome model count grover --vocab-size 1009

lingome model count human-mini

lingome model count runs/mine"""
LIST_EXAMPLES = """Examples:

lingome model list

lingome model list --published"""
SHOW_EXAMPLES = """Examples:

lingome model show human-mini

lingome model show runs/mine"""


@app.command("count", epilog=COUNT_EXAMPLES)
def count_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="One model: a name or a folder; and settings as key=value.", show_default=False),
    ] = None,
    vocab_size: Annotated[
        int | None, typer.Option("--vocab-size", help="Tokens in the vocabulary.", show_default="the model's own")
    ] = None,
    config: Config = None,
) -> None:
    """Count a model's parameters, row by row: by formula for a name, from the file for a checkpoint.

    Of a checkpoint only the header of the weights is read, and the formula of its family is compared with it.
    """
    from lingome.cli.console import show_outcome
    from lingome.recipes.model import count

    names, overrides = split_words(words)
    if len(names) > 1:
        raise ConfigError("one model is counted at a time", got=" ".join(names))
    flags = {"model": names[0] if names else None, "vocab_size": vocab_size}
    show_outcome(count(load_settings(ModelSettings, config, overrides, flags)))


@app.command("list", epilog=LIST_EXAMPLES)
def list_command(
    published: Annotated[
        bool, typer.Option("--published", help="Models of the field that are read here.")
    ] = False,
) -> None:
    """List the models that lingome knows: with weights, as shapes to train, or to count only."""
    from lingome.cli.console import show_outcome
    from lingome.recipes.model import list_models

    show_outcome(list_models(load_settings(ListSettings, flags={"published": published})))


@app.command("show", epilog=SHOW_EXAMPLES)
def show_command(
    model: Annotated[str, typer.Argument(help="A name, or the folder of a checkpoint or a run.", show_default=False)],
) -> None:
    """Say what a model is: shape, tokenizer, files, what it has seen, and how its card begins."""
    from lingome.cli.console import show_outcome
    from lingome.recipes.model import show

    show_outcome(show(load_settings(ShowSettings, flags={"model": model})))


app.command("import", epilog=model_import.EXAMPLES)(model_import.command)

app.command("export", epilog=model_export.EXAMPLES)(model_export.command)
