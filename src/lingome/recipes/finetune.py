"""Teach a model to tell labelled sequences apart, and measure it beside everything simpler."""

from __future__ import annotations

from functools import partial

from lingome.api.finetune import fit_task
from lingome.api.model import Model
from lingome.api.task import Task
from lingome.config.finetune import FinetuneSettings
from lingome.core.clock import Clock
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan
from lingome.core.rundir import RunDir
from lingome.data.examples import SPLITS
from lingome.evaluate.classification import score_view
from lingome.evaluate.methods import estimate_methods, list_fits
from lingome.genome.task import build_examples
from lingome.models.architecture import Body
from lingome.models.devices import pick_device
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
        model = Model(_open_start(settings), device=settings.device)
        task = Task.from_settings(settings.task, seed=settings.seed)
        clock.lap("examples", f"{len(task):,}")
        publish = partial(save_checkpoint, run_dir.checkpoint_path)
        tuned = fit_task(run_dir, model, task, settings, lineage, clock, publish=publish)
    message = f"{tuned.answer}\nrun: {settings.out}  (page: lingome report {settings.out})"
    return Outcome(message, tables=[score_view(tuned.scores)], path=settings.out)


def _open_start(settings: FinetuneSettings) -> Opened[Body]:
    """Look at everything that is quick to look at, before the genome is read; give the model."""
    settings.task.check()
    pick_device(settings.device)
    return load_model(settings.model, "body", tokenizer=settings.tokenizer, seed=settings.seed)
