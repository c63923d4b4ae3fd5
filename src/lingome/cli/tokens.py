"""``lingome tokens``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli import tokens_inspect, tokens_vectors
from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.settings import load_settings
from lingome.config.tokens import EncodeSettings, ShowSettings, TokensSettings
from lingome.config.tokens_choose import ChooseSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

app = typer.Typer(no_args_is_help=True, epilog="Example:  lingome tokens train genome.fa.gz -o runs/bpe600")

TRAIN_EXAMPLES = """Examples:

lingome tokens train genome.fa.gz --merges 600 -o runs/bpe600

lingome tokens train --kind kmers --k 6 -o runs/6mers

lingome tokens train genome.fa.gz --merges 300 both_strands=true --dry-run

lingome tokens train proteome.fa alphabet=protein --merges 1000 -o runs/protein

lingome tokens train genome.fa.gz -o runs/bpe600 --resume"""
CHOOSE_EXAMPLES = """Examples:

lingome tokens choose genome.fa.gz --merges 0,100,300,600 -o runs/choose

lingome tokens choose genome.fa.gz --merges 0,300 --dry-run"""
ENCODE_EXAMPLES = """Examples:

lingome tokens encode runs/bpe600 sequences.fa -o ids.npz

lingome tokens encode runs/bpe600 table.csv | head"""
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


@app.command("choose", epilog=CHOOSE_EXAMPLES)
def choose_command(
    words: Words = None,
    merges: Annotated[
        str | None, typer.Option("--merges", help="Merge counts to compare, with commas.", show_default="0,100,300,600")
    ] = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Compare vocabularies by next-k-mer prediction: a small model for each, the same test for all."""
    inputs, overrides = split_words(words)
    flags = {
        "genome": _one(inputs, "FASTA"), "merges": _numbers(merges), "out": out, "force": force or None,
        "seed": seed, "device": device,
    }
    run_command(ChooseSettings, _choose_recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _choose_recipe() -> tuple[Callable[[ChooseSettings], Plan], Callable[[ChooseSettings], Outcome]]:
    from lingome.recipes.tokens_choose import plan, run

    return plan, run


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError("numbers with commas are expected", where="--merges", got=text) from error


def _one(inputs: list[str], what: str) -> str | None:
    if len(inputs) > 1:
        raise ConfigError(f"one {what} at a time", got=" ".join(inputs))
    return inputs[0] if inputs else None


@app.command("encode", epilog=ENCODE_EXAMPLES)
def encode_command(
    words: Words = None,
    out: Out = None,
    force: Force = False,
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Turn sequences into tokens: give a tokenizer's folder (or a checkpoint's) and a FASTA or table.

    With -o FILE.npz: ids, the first base of each token, and where each sequence begins.
    Without: one line a sequence on standard output, its name and its tokens.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 2:
        raise ConfigError("one tokenizer and one input at a time", got=" ".join(inputs))
    flags = {**dict(zip(("tokenizer", "input"), inputs, strict=False)), "out": out, "force": force or None}
    run_command(EncodeSettings, _encode_recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _encode_recipe() -> tuple[Callable[[EncodeSettings], Plan], Callable[[EncodeSettings], Outcome]]:
    from lingome.recipes.tokens import plan_encode, run_encode

    return plan_encode, run_encode


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


app.command("inspect", epilog=tokens_inspect.EXAMPLES)(tokens_inspect.command)

app.command("vectors", epilog=tokens_vectors.EXAMPLES)(tokens_vectors.command)
