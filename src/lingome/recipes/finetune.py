"""Teach a model to tell labelled sequences apart, and measure it beside everything simpler."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from lingome.config.finetune import FinetuneSettings
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.data.examples import SPLITS, Examples
from lingome.data.genome import Genome
from lingome.evaluate.baselines.classifiers import fit_baselines
from lingome.evaluate.leaks.leakage import LeakRow, check_leaks, leak_warnings, pretraining_overlap
from lingome.evaluate.measures.scores import Scored, score_table, verdict
from lingome.evaluate.methods import estimate_methods, evaluate_methods, list_fits
from lingome.explain.embeddings import axis_rows, map_rows, principal_components
from lingome.genome.sites import base_shares
from lingome.genome.task import build_examples, example_rows, seen_before, split_rows
from lingome.models.devices import pick_device
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.models.reading.pieces import cut_to_fit
from lingome.models.registry import Body
from lingome.train.cost import duration
from lingome.tune.classifier import Fitted
from lingome.tune.predict import run_batches, softmax

Row = dict[str, Any]


def plan(settings: FinetuneSettings) -> Plan:
    """Build the examples and load the model, time one step, and say what a run would cost."""
    check_absent(settings.out, settings.force)
    start = _open_start(settings)
    examples = build_examples(settings.task, seed=settings.seed)
    fits = list_fits(settings.method, start, settings.seeds, random_control=settings.random_control)
    cost = estimate_methods(examples, start, fits, settings.tune, settings.device)
    return Plan("fine-tune", [
        ("examples", ", ".join(f"{int((examples.splits == name).sum()):,} {name}" for name in SPLITS)),
        ("classes", ", ".join(examples.label_names)),
        ("model", f"{start.name}: {count_parameters(start.model):,} parameters, {start.tokenizer.kind} tokens"),
        ("methods", ", ".join(f"{fit.name} ({fit.n_fits})" for fit in fits)),
        ("tokens", f"{cost.n_tokens:,} in one pass over the training examples"),
        ("memory", f"about {cost.memory_bytes / 1e9:.2f} GB"),
        ("time", f"at most about {duration(cost.seconds)}" + (", and the baselines" if settings.baselines else "")),
        ("output", str(settings.out)),
    ])


def run(settings: FinetuneSettings) -> Outcome:
    """Build the task, fit each method and the controls, measure all, and write the run."""
    clock = Clock()
    lineage = Lineage("finetune", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        start = _open_start(settings)
        for role, path in settings.task.inputs.items():
            if path.is_file():
                lineage.add_input(role, path)
        genome = Genome.open(settings.task.genome) if settings.task.genome is not None else None
        examples = build_examples(settings.task, seed=settings.seed, genome=genome)
        clock.lap("examples", f"{len(examples):,}")
        seeds = [derive_seed(settings.seed, "fit", index) for index in range(settings.seeds)]
        result = evaluate_methods(
            examples, start, settings.method, seeds, settings.tune, random_control=settings.random_control,
            run=run_dir, device=settings.device,
        )
        clock.lap("fine-tuning", f"{len(result.scored)} methods")
        baselines = fit_baselines(examples, start.tokenizer, seeds) if settings.baselines else []
        clock.lap("baselines", f"{len(baselines)}")
        scored = [*result.scored, *baselines]
        scores = write_scores(run_dir, scored, settings.resamples, settings.seed)
        found = answer(scores, scored, result.best_name, settings.resamples, settings.seed)
        clock.lap("intervals", f"{settings.resamples:,} resamples")
        warnings = [*result.warnings, *note_seen(examples, genome, start, lineage)]
        write_examples_tables(run_dir, examples, warnings)
        write_map(run_dir, examples, result.best, start)
        card = ModelCard(
            f"{' or '.join(examples.label_names)}", f"Tells sequences apart: {', '.join(examples.label_names)}.",
            data=[str(path.name) for path in settings.task.inputs.values()],
            training={"from": start.name, "method": result.best_name, **settings.tune.as_dict()},
        )
        save_checkpoint(run_dir.checkpoint_path, result.best.model, start.tokenizer, card)
        clock.lap("writing", "")
        run_dir.write_table("steps", clock.rows)
        run_dir.write_lineage(lineage.as_dict(
            title="Fine-tuning", question=f"Can sequence tell {' from '.join(reversed(examples.label_names))}?",
            answer=found, model=start.name, best=result.best_name,
            background=base_shares(genome).tolist() if genome is not None else None,
        ))
    message = f"{found}\nrun: {settings.out}  (page: lingome report {settings.out})"
    return Outcome(message, tables=[score_view(scores)], path=settings.out)


def _open_start(settings: FinetuneSettings) -> Opened[Body]:
    """Look at everything that is quick to look at, before the genome is read; give the model."""
    settings.task.check()
    pick_device(settings.device)
    return load_model(settings.model, "body", tokenizer=settings.tokenizer, seed=settings.seed)


class Clock:
    """Rows of the table ``steps``: how long each stage took."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._since = time.monotonic()

    def lap(self, step: str, note: str) -> None:
        """End a stage."""
        now = time.monotonic()
        self.rows.append({"step": step, "time_s": round(now - self._since, 2), "note": note})
        self._since = now


def write_scores(run: RunDir, scored: Sequence[Scored], resamples: int, seed: int) -> list[Row]:
    """Write the tables ``scores``, ``curves`` and ``calibration``; gives the scores, models first."""
    tables = score_table(scored, n_resamples=resamples, seed=seed)
    for name in ("scores", "curves", "calibration"):
        run.write_table(name, getattr(tables, name))
    return tables.scores


def write_examples_tables(run: RunDir, examples: Examples, warnings: Sequence[Row]) -> None:
    """Write the tables ``examples``, ``splits``, ``leaks`` and ``warnings``."""
    leaks = check_leaks(examples)
    run.write_table("examples", example_rows(examples))
    run.write_table("splits", split_rows(examples))
    run.write_table("leaks", [leak._asdict() for leak in leaks], columns=LeakRow._fields)
    all_warnings = [*leak_warnings(leaks), *warnings]
    run.write_table("warnings", all_warnings, columns=("level", "topic", "text"))
    for row in all_warnings:
        say(f"{row['level']}: {row['topic']}: {row['text']}")


def write_map(run: RunDir, examples: Examples, best: Fitted, start: Opened[Body]) -> None:
    """Write ``embedding_map`` and ``embedding_axes`` of the test examples, as the best model sees them."""
    test = examples.split("test")
    ids = cut_to_fit(start.tokenizer, test.sequences, best.model.config.max_positions, "truncate").ids
    pooled = run_batches(best.model, start.tokenizer, ids, output="features")
    chances = softmax(run_batches(best.model, start.tokenizer, ids))
    if len(test) < 2:
        return
    components = principal_components(pooled, 2)
    two = chances.shape[1] == 2
    run.write_table("embedding_map", map_rows(test, components.positions, chances[:, 1] if two else None))
    run.write_table("embedding_axes", axis_rows(test, components))


def note_seen(examples: Examples, genome: Genome | None, start: Opened[Body], lineage: Lineage) -> list[Row]:
    """Record what model and run learnt from, and warn of test sequence that pre-training has read."""
    lineage.add_parent({"model": start.name, "weights_sha256": start.digest, **start.lineage})
    test = examples.split("test").intervals or ()
    training = examples.split("train").intervals or ()
    if genome is None:  # a table: chromosome names are all there is to go by
        return pretraining_overlap(start.lineage.get("data_seen", []), test)
    seen = seen_before(test, genome.digest, start.lineage.get("data_seen", []))
    lineage.add_seen("finetune", genome.digest, [(one.chrom, one.start, one.end) for one in training])
    if not seen.any():
        return []
    text = f"{int(seen.sum()):,} of {len(test):,} test sequences were read in pre-training, without their labels"
    return [{"level": "warn", "topic": "test data seen before", "text": text}]


def answer(scores: Sequence[Row], scored: Sequence[Scored], chosen: str, resamples: int, seed: int) -> str:
    """Say how good the model is that validation chose, and whether it beats the strongest baseline."""
    row = next(row for row in scores if row["name"] == chosen)
    found = verdict(scored, chosen=chosen, n_resamples=resamples, seed=seed)
    measured = f"AUROC {_span(row, 'auroc')}, MCC {_span(row, 'mcc')}"
    return f"The model chosen on validation ({chosen}) has {measured}. {found}"


def score_view(scores: Sequence[Row]) -> Table:
    """Show scores as a table for people: value and 95% interval."""
    rows = []
    for row in scores:
        spans = [_span(row, metric) for metric in ("mcc", "auroc", "auprc")]
        rows.append((row["name"], row["seeds"], *spans, row["brier"], row["ece"]))
    title = f"{scores[0]['n_test']:,} test examples; value (95% interval over examples and seeds)"
    return Table(title, ("method", "fits", "MCC", "AUROC", "AUPRC", "Brier", "ECE"), rows)


def _span(row: Row, metric: str) -> str:
    if row[metric] is None:
        return ""
    return f"{row[metric]:.3f} ({row[f'{metric}_low']:.3f} to {row[f'{metric}_high']:.3f})"
