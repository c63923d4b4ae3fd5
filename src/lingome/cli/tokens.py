"""``lingome tokens``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli import tokens_choose, tokens_encode, tokens_inspect, tokens_vectors
from lingome.cli.command import Config, DryRun, Force, Out, Words, run_command, split_words
from lingome.config.settings import load_settings
from lingome.config.tokens import ShowSettings, TokensSettings
from lingome.core.outcome import Outcome, Plan

app = typer.Typer(no_args_is_help=True, epilog="Example:  lingome tokens train genome.fa.gz -o runs/bpe600")

TRAIN_EXAMPLES = """Examples:

lingome tokens train genome.fa.gz --merges 600 -o runs/bpe600

lingome tokens train --kind kmers --k 6 -o runs/6mers

lingome tokens train genome.fa.gz --merges 300 both_strands=true --dry-run

lingome tokens train proteome.fa alphabet=protein --merges 1000 -o runs/protein

lingome tokens train genome.fa.gz -o runs/bpe600 --resume"""
SHOW_EXAMPLES = """Examples:

lingome tokens show runs/bpe600

lingome tokens show runs/bpe600 --rows 20"""

Kind = Annotated[str | None, typer.Option("--kind", help="bpe, characters or kmers.", show_default="bpe")]
Merges = Annotated[int | None, typer.Option("--merges", help="Byte-pair merges.", show_default="600")]
Length = Annotated[int | None, typer.Option("--k", help="Bases of a word (kmers).", show_default="6")]
Overlap = Annotated[
    bool | None,
    typer.Option("--overlap/--side-by-side", help="A word at every base, or a grid (kmers).", show_default="--overlap"),
]


@app.command("train", epilog=TRAIN_EXAMPLES)
def train_command(
    words: Words = None,
    kind: Kind = None,
    merges: Merges = None,
    k: Length = None,
    overlap: Overlap = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Cores to use.", show_default="all")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was interrupted.")] = False,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Learn a byte-pair vocabulary from whole, uncut sequence, exactly; or write one of k-mers or bases.

    The folder written is a Hugging Face tokenizer (tokenizer.json) with the merges, the use of
    each token and the lineage beside it. Nothing in it is random: the same input gives the same ids,
    on any number of cores. A training that is interrupted goes on with --resume.
    """
    inputs, overrides = split_words(words)
    flags = {
        "genomes": inputs or None, "kind": kind, "merges": merges, "k": k, "overlap": overlap,
        "threads": threads, "resume": resume or None, "out": out, "force": force or None,
    }
    run_command(TokensSettings, _train_recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _train_recipe() -> tuple[Callable[[TokensSettings], Plan], Callable[[TokensSettings], Outcome]]:
    from lingome.recipes.tokens import plan_train, run_train

    return plan_train, run_train


@app.command("show", epilog=SHOW_EXAMPLES)
def show_command(
    tokenizer: Annotated[Path, typer.Argument(help="Folder of a tokenizer or a checkpoint.", show_default=False)],
    rows: Annotated[
        int | None, typer.Option("--rows", help="Only the first so many tokens.", show_default=False)
    ] = None,
) -> None:
    """Print the table of a vocabulary: length, GC, use, and the merge that made each token."""
    from lingome.cli.console import show_outcome
    from lingome.recipes.tokens import show

    show_outcome(show(load_settings(ShowSettings, flags={"tokenizer": tokenizer, "rows": rows})))


app.command("choose", epilog=tokens_choose.EXAMPLES)(tokens_choose.command)

app.command("encode", epilog=tokens_encode.EXAMPLES)(tokens_encode.command)

app.command("inspect", epilog=tokens_inspect.EXAMPLES)(tokens_inspect.command)

app.command("vectors", epilog=tokens_vectors.EXAMPLES)(tokens_vectors.command)
