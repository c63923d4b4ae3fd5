"""Teach a model to tell labelled sequences apart, and measure it beside everything simpler."""

from __future__ import annotations

from lingome.config.finetune import FinetuneSettings
from lingome.core.clock import Clock
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.data.examples import SPLITS
from lingome.data.genome import Genome
from lingome.evaluate.baselines.classifiers import fit_baselines
from lingome.evaluate.classification import answer, score_view, write_examples_tables, write_scores
from lingome.evaluate.leaks.seen import note_seen
from lingome.evaluate.methods import estimate_methods, evaluate_methods, list_fits
from lingome.explain.embeddings import write_map
from lingome.genome.sites import base_shares
from lingome.genome.task import build_examples
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
from lingome.models.folders.card import ModelCard
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.open import Opened, load_model
from lingome.models.presets import count_parameters
from lingome.train.cost import duration


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
        write_map(run_dir, examples.split("test"), result.best.model, start.tokenizer)
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
