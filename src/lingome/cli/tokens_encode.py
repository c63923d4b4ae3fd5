"""``lingome tokens encode``."""

from __future__ import annotations

from collections.abc import Callable

from lingome.cli.command import Config, DryRun, Force, Out, Words, run_command, split_words
from lingome.config.tokens_encode import EncodeSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome tokens encode runs/bpe600 genome.fa.gz -o runs/genome-tokens

lingome tokens encode runs/bpe600 sequences.fa -o ids.npz

lingome tokens encode runs/bpe600 table.csv | head"""


def command(
    words: Words = None,
    out: Out = None,
    force: Force = False,
    config: Config = None,
    dry_run: DryRun = False,
) -> None:
    """Turn sequences into tokens: give a tokenizer's folder (or a checkpoint's) and a FASTA or table.

    With -o FOLDER: a token store of a genome, which `lingome pretrain` reads from disk. With -o FILE.npz: ids,
    the first base of each token, and where each sequence begins. Without -o: one line a sequence on standard
    output, its name and its tokens.
    """
    inputs, overrides = split_words(words)
    if len(inputs) > 2:
        raise ConfigError("one tokenizer and one input at a time", got=" ".join(inputs))
    flags = {**dict(zip(("tokenizer", "input"), inputs, strict=False)), "out": out, "force": force or None}
    run_command(EncodeSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[EncodeSettings], Plan], Callable[[EncodeSettings], Outcome]]:
    from lingome.recipes.tokens_encode import plan, run

    return plan, run
