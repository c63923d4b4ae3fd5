"""``lingome predict``."""

from __future__ import annotations

from collections.abc import Callable

from lingome.cli.command import Config, Device, DryRun, Force, Model, Out, Seed, Words, run_command, split_words
from lingome.config.predict import PredictSettings, sort_predict_inputs
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome predict runs/finetune sequences.fa -o scores.tsv

lingome predict runs/demo hg19.fa.gz jaspar.jaspar region=chr20:61000000-63025520 -o sites.bed

lingome predict runs/mine/checkpoint genome.fa windows.bed width_bp=251"""


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
    """Score sequences, windows or motif sites with a fine-tuned model.

    First the model (a run or a checkpoint folder), then a table or FASTA of sequences; or a
    genome and a BED; or a genome and motifs. Without -o, results go to standard output.
    """
    inputs, overrides = split_words(words)
    inputs = [*([model] if model else []), *inputs]
    flags = {**sort_predict_inputs(inputs), "out": out, "force": force or None, "seed": seed, "device": device}
    run_command(PredictSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[PredictSettings], Plan], Callable[[PredictSettings], Outcome]]:
    from lingome.recipes.predict import plan, run

    return plan, run
