"""``lingome score``."""

from __future__ import annotations

from collections.abc import Callable

from lingome.cli.command import Config, Device, DryRun, Force, Model, Out, Seed, Words, run_command, split_words
from lingome.config.score import ScoreSettings, sort_score_inputs
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome score human-mini sequences.fa -o scores.tsv

lingome score human-mini genome=hg19.fa.gz variants=calls.vcf.gz strands=both -o scores.tsv

lingome score runs/esm protein.fa variants=mutations.tsv convention=wt_marginal measured=fitness"""


def command(
    words: Words = None,
    model: Model = None,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Say how likely a language model finds sequences, variants of a genome, or mutations.

    First the model (packaged, a checkpoint, a run, or random:PRESET), then a table or FASTA of sequences; with
    variants=TABLE, mutations of those. For variants: genome=FASTA variants=VCF-or-table, or region=chrom:start-end
    for all substitutions. The output is a table; how it was made, and baselines, go beside it as .json.
    """
    inputs, overrides = split_words(words)
    inputs = [*([model] if model else []), *inputs]
    flags = {**sort_score_inputs(inputs), "out": out, "force": force or None, "seed": seed, "device": device}
    run_command(ScoreSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[ScoreSettings], Plan], Callable[[ScoreSettings], Outcome]]:
    from lingome.recipes.score import plan, run

    return plan, run
