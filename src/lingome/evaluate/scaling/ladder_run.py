"""Pre-train a ladder of small models, fit scaling laws to their losses, and recommend a model for a budget.

This is what ``lingome pretrain --ladder`` does. A ladder is a run directory of run directories.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.processes import count_processes
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.data.areas import Areas
from lingome.data.genome import Genome
from lingome.evaluate.scaling.attention_cost import fit_growth, measure_attention
from lingome.evaluate.scaling.ladder import ladder_baselines, study_ladder
from lingome.evaluate.scaling.laws import FLOPS_A_PARAMETER_AND_TOKEN
from lingome.models.devices import pick_device
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import find_config
from lingome.tokens.bpe import BpeTokenizer, vocabulary_size
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.cost import duration
from lingome.train.identity import MAY_DIFFER
from lingome.train.pretraining.corpus import Corpus, read_tokens
from lingome.train.pretraining.cost import estimate_pretraining
from lingome.train.pretraining.inputs import open_genome, open_repeats
from lingome.train.pretraining.kinds import build_objective
from lingome.train.pretraining.ladder import count_without_embeddings, list_runs, run_settings, train_run
from lingome.train.pretraining.record import add_origins, add_seen, on_strands
from lingome.train.pretraining.start import given_tokenizer, save_tokenizer, start_model, train_tokenizer

RUN_COLUMNS = ("size", "seed", "parameters_without_embeddings", "tokens", "loss", "fitted", "bits_per_base")
BUDGET_COLUMNS = ("law", "counted", "flops", "hours", "parameters", "tokens", "loss", "loss_low", "loss_high")


def plan_ladder(settings: PretrainSettings) -> Plan:
    """Check the inputs, and say how many runs a ladder has, of what sizes, and what they would take.

    Raises
    ------
    ConfigError
        If the settings, or a run that is to be resumed, do not allow a ladder.
    DataError
        If an input cannot be read.
    """
    _check(settings)
    genome, areas = open_genome(settings, verify=False)
    open_repeats(settings, genome)
    given = given_tokenizer(genome, settings)
    pick_device(settings.device)
    tokenizer = BpeTokenizer([]) if given is None else given[0]
    vocab_size = vocabulary_size(settings.merges) if given is None else tokenizer.vocab_size
    seconds = 0.0
    memory = 0.0
    flops = 0.0
    sizes = list[str]()
    runs = [run for run in list_runs(settings.ladder, settings.seed) if not run.is_done(settings.out)]
    for size in dict.fromkeys(run.size for run in runs):
        same = [run_settings(settings, run, Path(), settings.out) for run in runs if run.size == size]
        model = start_model(same[0], None, vocab_size)
        n = count_without_embeddings(model)
        cost = estimate_pretraining(same[0], model, build_objective(same[0], tokenizer), genome, areas)
        seconds += sum(cost.seconds(own.train.max_steps or 0, None) for own in same)
        memory = max(memory, cost.memory_bytes)
        flops += FLOPS_A_PARAMETER_AND_TOKEN * n * sum(run.tokens for run in runs if run.size == size)
        sizes.append(f"{size} ({n:,} parameters without embeddings)")
    return Plan("pre-train a ladder", [
        ("genome", f"{settings.genome}: {len(genome.lengths)} sequences, {sum(genome.lengths.values()):,} bases"),
        ("learnt from", f"{sum(part.length_bp for part in areas.train):,} bases" + on_strands(settings)),
        ("runs", f"{len(runs)} to do: sizes times lengths, and the middle ones with {settings.ladder.seeds} seeds"),
        ("sizes", ", ".join(sizes)), ("lengths", ", ".join(f"{n:,}" for n in settings.ladder.tokens) + " tokens"),
        ("tokens", f"{sum(run.tokens for run in runs):,} in all, {flops:.3g} operations"),
        ("memory", f"about {memory / 1e9:.2f} GB"), ("time", f"about {duration(seconds)}, without reading and fits"),
        ("output", str(settings.out)),
    ])


def run_ladder(settings: PretrainSettings) -> Outcome:
    """Train each run that is not done, fit both laws, and write the ladder: a run directory of run directories.

    Raises
    ------
    ConfigError
        If the settings, or a run that is to be resumed, do not allow a ladder.
    DataError
        If an input cannot be read.
    """
    _check(settings)
    lineage = Lineage("pretrain", settings.seed)
    device = pick_device(settings.device)
    with RunDir.create(settings.out, force=settings.force, resume=settings.resume) as run_dir:
        genome, areas = open_genome(settings)
        run_dir.write_config(settings.as_dict())
        add_origins(lineage, settings, genome, settings.tokenizer)
        repeats = open_repeats(settings, genome)
        corpus = Corpus(
            genome, _tokenizer(settings, genome, areas), areas, repeats, settings.repeat_weight,
            trained_tokenizer=settings.tokenizer is None and isinstance(genome, Genome),
            read=functools.cache(read_tokens),
        )
        records = _train_runs(settings, corpus)
        add_seen(lineage, corpus)
        ladder = settings.ladder
        study = study_ladder(
            [record["row"] for record in records], seed=settings.seed, repeats=ladder.bootstrap,
            budget_flops=ladder.budget_flops, budget_hours=ladder.budget_hours,
            baselines=max((record["baselines"] for record in records), key=len),
            pass_tokens=records[0]["train_tokens"],
        )
        for name, rows in study.tables.items():
            run_dir.write_table(name, rows)
        run_dir.write_warnings(study.warnings)
        if ladder.measure_attention:
            widest = find_config(max(ladder.sizes, key=lambda size: int(size.split("x")[0])))
            assert isinstance(widest, TransformerConfig), "sizes are those of transformers"
            costs = measure_attention(widest, ladder.attention_lengths, device)
            run_dir.write_table("attention_cost", costs)
            run_dir.write_table("attention_growth", [one._asdict() for one in fit_growth(costs)])
        run_dir.write_lineage(lineage.as_dict(
            title="Scaling ladder", answer=study.answer,
            question="How does the loss fall with size and training, and which model should a budget buy?",
        ))
    said = [f"{one.level}: {one.text}" for one in study.warnings]
    return Outcome("\n".join([study.answer, *said]), path=settings.out, tables=[
        _table("runs, on the same validation windows", study.tables["ladder"], RUN_COLUMNS),
        _table("recommended", study.tables["ladder_budget"], BUDGET_COLUMNS),
    ])


def _train_runs(settings: PretrainSettings, corpus: Corpus) -> list[dict[str, Any]]:
    """Make each run of the ladder that is not done, and give what all of them came to."""
    runs = list_runs(settings.ladder, settings.seed)
    records = list[dict[str, Any]]()
    for index, run in enumerate(runs, start=1):
        say(f"run {index} of {len(runs)}: {run.size}, {run.tokens:,} tokens, seed {run.seed}")
        records.append(train_run(settings, run, corpus, ladder_baselines))
    return records


def _check(settings: PretrainSettings) -> None:
    if count_processes() > 1:
        raise ConfigError("a ladder is trained by one process", where="torchrun", hint="start it without torchrun")
    for size in settings.ladder.sizes:
        find_config(size)  # a width without heads is refused now rather than in the third run
    if settings.resume:
        may_differ = {*MAY_DIFFER, *(f"ladder.{name}" for name in type(settings.ladder).model_fields)}
        again = f"lingome pretrain -o {settings.out} --resume"
        RunDir(settings.out).check_resumable(
            settings.as_dict(), may_differ=may_differ, command=again, defaults=settings.defaults()
        )
    else:
        check_absent(settings.out, settings.force)


def _tokenizer(settings: PretrainSettings, genome: Genome | TokenStore, areas: Areas) -> Tokenizer:
    """Give the vocabulary of all runs, and keep it in the ladder's folder."""
    kept = settings.out / "tokenizer"
    if not kept.exists():
        given = given_tokenizer(genome, settings)
        if given is None:
            train_tokenizer(settings, genome, areas, kept)
        else:
            save_tokenizer(given[0], kept)
    return load_tokenizer(kept)


def _table(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Table:
    return Table(title, columns, [[row[column] for column in columns] for row in rows])
