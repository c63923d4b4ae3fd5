"""``lingome generate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from lingome.cli.command import Config, Device, DryRun, Force, Out, Seed, Words, run_command, split_words
from lingome.config.generate import GenerateSettings
from lingome.core.errors import ConfigError
from lingome.core.outcome import Outcome, Plan

EXAMPLES = """Examples:

lingome generate -m runs/causal -o out.fa --n 20 --length 500 --seed 1

lingome generate -m runs/causal --prompt TATAAA --temperature 0.8 --top-k 5 --training genome.fa.gz

lingome generate -m runs/causal --method beam beams=8 --n 8 --length 60"""

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Causal model: checkpoint, run, or random:PRESET.", show_default=False),
]


def _number(name: str, words: str, shown: str | bool = False) -> object:
    return typer.Option(name, help=words, show_default=shown)


def command(
    words: Words = None,
    model: Model = None,
    n: Annotated[int | None, _number("--n", "Sequences.", "1")] = None,
    length: Annotated[int | None, _number("--length", "Bases of each, after the prompt.", "500")] = None,
    prompt: Annotated[str | None, _number("--prompt", "Letters that every sequence begins with.")] = None,
    method: Annotated[str | None, _number("--method", "sample, greedy or beam.", "sample")] = None,
    temperature: Annotated[float | None, _number("--temperature", "Above 1 flatter, below sharper.", "1")] = None,
    top_k: Annotated[int | None, _number("--top-k", "Draw from the k likeliest tokens.")] = None,
    top_p: Annotated[float | None, _number("--top-p", "Draw from the likeliest that add up to p.")] = None,
    min_p: Annotated[float | None, _number("--min-p", "Draw from those at least p times as likely.")] = None,
    training: Annotated[Path | None, _number("--training", "FASTA the model learnt from: novelty, baselines.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Show letters on standard output as they are made.", show_default=False)
    ] = False,
    config: Config = None,
    out: Out = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
) -> None:
    """Write sequence with a causal language model.

    A FASTA with the log-likelihood and bits per base of each sequence and, with --training, its longest exact match to
    the training data, and composition beside that of a Markov model. How it was made goes into a JSON beside it.
    """
    inputs, overrides = split_words(words)
    if inputs:
        raise ConfigError("this plays no part here", got=" ".join(inputs), hint="the model goes behind -m")
    flags = {
        "model": model, "n": n, "length_bp": length, "prompt": prompt, "method": method, "temperature": temperature,
        "top_k": top_k, "top_p": top_p, "min_p": min_p, "training": training, "out": out, "force": force or None,
        "seed": seed, "device": device, "stream": stream or None,
    }
    run_command(GenerateSettings, _recipe, config=config, overrides=overrides, flags=flags, dry_run=dry_run)


def _recipe() -> tuple[Callable[[GenerateSettings], Plan], Callable[[GenerateSettings], Outcome]]:
    from lingome.recipes.generate import plan, run

    return plan, run
