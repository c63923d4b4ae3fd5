"""The one training loop: any model, objective and data, stopped and continued at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import DataError, Interrupted
from lingome.core.progress import Task, say, track
from lingome.models.devices import autocast
from lingome.train.board import Board
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.compiled import compiling
from lingome.train.determinism import reproducible
from lingome.train.identity import build_identity, check_identity, shared_facts
from lingome.train.interrupts import StopRequest, catch_stop
from lingome.train.metrics import drop_metrics_after, write_metric
from lingome.train.objectives import Objective
from lingome.train.optimizer import build_optimizer
from lingome.train.parallel.distributed import ALONE, check_agreement, choose_parallel, explain_lost_process, join
from lingome.train.parallel.placement import place
from lingome.train.schedule import learning_rate, progress_share
from lingome.train.sources import BatchSource
from lingome.train.state import Progress, StateStore, Tensors, copy_weights, put_weights
from lingome.train.step import Signals, Stepper, StepResult

Evaluate = Callable[[nn.Module], Mapping[str, float]]
"""Measures a model; ``loss`` is among the numbers."""


@dataclass(frozen=True)
class TrainResult:
    """What a training run came to.

    Parameters
    ----------
    steps, tokens : int
        Optimizer steps done, and tokens they saw (padding not counted).
    seconds : float
        Time in the loop, over all parts of a resumed run, evaluation included.
    best_metric, best_step : float and int, optional
        Lowest evaluated loss, and the steps done when it was seen; None without an evaluation.
    stopped_by : {"steps", "time", "patience"}
        What ended the run.
    waiting_share : float
        Share of the time of the steps (evaluation and saving left out) in which the loop waited for a
        batch from its source, 0..1.
    """

    steps: int
    tokens: int
    seconds: float
    best_metric: float | None
    best_step: int | None
    stopped_by: str
    waiting_share: float


def train(
    model: nn.Module,
    objective: Objective,
    source: BatchSource,
    settings: TrainSettings,
    *,
    phase: Phase | None = None,
    evaluate: Evaluate | None = None,
    parameters: Iterable[nn.Parameter] | None = None,
    saving: Checkpointing | None = None,
) -> TrainResult:
    """Train a model in place; with `evaluate`, it ends with the weights of its lowest loss.

    Step `s` reads the micro-batches ``s * accumulate`` and on; every draw (order, masks, dropout) is
    a function of (seed, phase, step). On the CPU with one number of threads, a run without a time
    box therefore ends with the same bits, however often it was killed and resumed.

    Under ``torchrun``, a training that keeps its state in a run is shared: every process calls this with the
    same arguments, takes each so-many-th micro-batch of a step, and has the same model at the end. Every
    process evaluates, and the first one's numbers count; it alone writes metrics and publishes. Trainings
    without a state are of seconds: each process then does the whole.

    Parameters
    ----------
    model : Module
        On the device to train on.
    objective : Objective
        Gives the loss of a batch.
    source : BatchSource
        Gives the batches.
    settings : TrainSettings
        Length, batches, rate.
    phase : Phase, optional
        Name and seed of this training, which decide every draw, and what its progress bar says.
    evaluate : callable, optional
        Takes the model (in evaluation mode, no gradients) and gives numbers, ``loss`` among them.
        Called every ``settings.eval_every`` steps and at the end.
    parameters : iterable of Parameter, optional
        What to train; by default all that require a gradient.
    saving : Checkpointing, optional
        What is written, and what is gone on from; by default nothing.

    Raises
    ------
    DataError
        If the loss stops being a finite number; the last saved state stays.
    ConfigError
        If a state is resumed under other settings, or processes that train together disagree.
    Interrupted
        If the user or the system asked to stop (SIGINT, SIGTERM), after the state was saved; or if another
        process is gone.
    """
    phase = phase or Phase()
    saving = saving or Checkpointing()
    with ExitStack() as stack, explain_lost_process():
        stack.enter_context(reproducible(next(model.parameters()).device, settings.deterministic))
        loop = _Loop(
            model, objective, source, settings, phase=phase, evaluate=evaluate, parameters=parameters, saving=saving,
        )
        stack.callback(loop.close)
        if settings.compile:
            stack.enter_context(compiling(loop.placement.work))
        loop.begin()
        stop = stack.enter_context(catch_stop())
        task = stack.enter_context(track(phase.label, 1.0))
        try:
            return loop.go(stop, task)
        except KeyboardInterrupt:
            raise loop.interrupted() from None


class _Loop:
    """One training: its model, its counters, and where both are kept."""

    def __init__(
        self, model: nn.Module, objective: Objective, source: BatchSource, settings: TrainSettings, *, phase: Phase,
        evaluate: Evaluate | None, parameters: Iterable[nn.Parameter] | None, saving: Checkpointing,
    ) -> None:
        self.model = model
        self.settings = settings
        self.phase = phase
        self.evaluate = evaluate
        self.saving = saving
        self.device = next(model.parameters()).device
        self.total_steps = _total_steps(settings, source)
        self.identity = build_identity(settings, phase.seed, saving.identity)
        chosen = {id(p) for p in (model.parameters() if parameters is None else parameters)}
        names = [name for name, p in model.named_parameters() if id(p) in chosen and p.requires_grad]
        self._share(source.batches_per_epoch)
        by_name = dict(self.placement.work.named_parameters())
        trained = [by_name[name] for name in names]
        self.optimizer = build_optimizer(self.placement.work, settings, trained)
        self.stepper = Stepper(
            self.placement, objective, source, settings, phase=phase, optimizer=self.optimizer, parameters=trained,
            last_save=self._advice_to_go_on,
        )
        self.progress = Progress()
        self.best: Tensors | None = None
        self.board: Board | None = None
        self.started = time.monotonic()
        self.saved = self.started
        self.logged = self.started
        self.logged_tokens = 0
        self.shown = ""
        self.published = -1

    def _share(self, batches_per_epoch: int) -> None:
        """Meet the other processes and agree with them, and split or copy the model over them."""
        saving = self.saving
        run = saving.run
        self.world = join() if saving.keeps_state else ALONE
        folder = run.path / "state" / self.phase.name if run is not None and saving.keep_state else None
        self.shown_run = "" if run is None else str(run.path)
        if self.world.size > 1:
            facts = shared_facts(self.identity, self.settings, self.phase.name, self.model, batches_per_epoch)
            check_agreement(self.world, facts)
            folder = Path(self.world.gather(str(folder.absolute()))[0]) if folder else None
            self.shown_run = self.world.gather(self.shown_run)[0]
        parallel = choose_parallel(self.world, self.settings) if folder else "none"
        self.store = StateStore(folder, self.world) if folder else None
        self.placement = place(self.model, self.world, parallel)

    def begin(self) -> None:
        """Continue from the saved state, if that is wanted; drop metrics of lost steps, and open TensorBoard's files.

        Raises
        ------
        ConfigError
            If the state is of another training.
        """
        run = self.saving.run
        if self.saving.resume:
            self._resume()
        elif run is not None:
            drop_metrics_after(run, self.phase.name, 0)
        if run is not None and self.settings.tensorboard and self.world.is_first:
            self.board = Board(run, self.phase.name)

    def close(self) -> None:
        """Give the model back as it was given, apart from its weights."""
        if self.board is not None:
            self.board.close()
        self.model.to(self.device)

    def _resume(self) -> None:
        """Continue from the saved state, if there is one; metrics of lost steps are dropped."""
        run = self.saving.run
        if run is None or self.store is None:
            return
        if self.store.exists():
            self.progress, self.best = self.store.load(self.placement.work, self.optimizer)
            check_identity(self.progress.identity, self.identity, self.settings)
            self.stepper.parts = self.progress.parts
            self.world.wait()  # until all have read it, before the first one writes the next
            say(f"resuming after step {self.progress.step:,}")
        drop_metrics_after(run, self.phase.name, self.progress.step)
        self.started -= self.progress.elapsed_s
        self.logged_tokens = self.progress.tokens

    def go(self, stop: StopRequest, task: Task) -> TrainResult:
        """Run to the end, or to the first step after a request to stop."""
        progress = self.progress
        shown = 0.0
        alone = self.world.size == 1

        def signals() -> tuple[float, float, float]:
            first = float(self.world.is_first)
            return float(stop.requested), first * self._is_late(), first * (time.monotonic() - self.started)

        while not progress.stopped_by:
            before = time.monotonic()
            done = self._step(signals)
            progress.step += 1
            progress.elapsed_s = time.monotonic() - self.started if alone else done.elapsed_s
            progress.stepping_s += time.monotonic() - before
            progress.stopped_by = self._reached_end()
            ends = bool(progress.stopped_by)
            if ends or self._is_due(self.settings.log_every):
                self._log()
            if ends or self._is_due(self.settings.eval_every):
                self._evaluate()
            share = progress_share(self.settings, progress.step, self.total_steps, progress.elapsed_s)
            task.advance(share - shown, self._note(share))
            shown = share
            late = self._is_late() if alone else done.late > 0
            asked = stop.requested if alone else done.stop > 0  # the same in all processes
            if progress.stopped_by or asked or late or self._is_due(self.settings.save_every):
                self._save()
            if asked:
                raise self.interrupted()
        if self.best is not None:
            put_weights(self.placement.work, self.best)
        self._publish()
        self.placement.copy_back(self.model)
        return TrainResult(
            progress.step, progress.tokens, progress.elapsed_s, progress.best_loss, progress.best_step,
            progress.stopped_by, progress.waited_s / max(progress.stepping_s, 1e-9),
        )

    def _is_due(self, every: int | None) -> bool:
        return every is not None and self.progress.step % every == 0

    def _reached_end(self) -> str:
        if self.total_steps is not None and self.progress.step >= self.total_steps:
            return "steps"
        limit = self.settings.max_seconds
        return "time" if limit is not None and self.progress.elapsed_s >= limit else ""

    def _is_late(self) -> bool:
        return time.monotonic() - self.saved > self.settings.save_seconds

    def _step(self, signals: Signals) -> StepResult:
        """Do one step of the optimizer over `accumulate` micro-batches."""
        progress = self.progress
        rate = learning_rate(self.settings, progress.step, self.total_steps, progress.elapsed_s)
        done = self.stepper.step(progress.step, rate, signals)
        progress.waited_s += done.waited_s
        progress.tokens += done.tokens
        progress.logged_loss += done.loss
        progress.logged_items += done.items
        progress.parts = self.stepper.parts
        return done

    def _advice_to_go_on(self) -> str:
        """Say what to do after a loss that is not a number, and what is left to do it with."""
        group = self.settings.group
        advice = f"lower {group}.lr, lengthen the warm-up ({group}.warmup_share), or set {group}.precision=fp32"
        if self.store is None or not self.store.exists():
            return f"{advice}; nothing was saved yet, so begin anew"
        kept = f"the state after step {self.store.read_step()} is kept in {self.store.folder}"
        if self.saving.publish is not None and self.saving.run is not None:
            kept += f", and its model in {self.saving.run.checkpoint_path}: train that further with --start-from"
        return f"{advice}; {kept}"

    def _log(self) -> None:
        progress = self.progress
        now = time.monotonic()
        loss = progress.logged_loss / max(progress.logged_items, 1e-9)
        rate = (progress.tokens - self.logged_tokens) / max(now - self.logged, 1e-9)
        self._write("train", loss=loss, lr=self.optimizer.param_groups[0]["lr"], tokens_per_s=round(rate, 1))
        self.shown = f"loss {loss:.3f}  {rate:,.0f} tokens/s"
        progress.logged_loss = 0.0
        progress.logged_items = 0.0
        self.logged = now
        self.logged_tokens = progress.tokens

    def _evaluate(self) -> None:
        if self.evaluate is None:
            return
        before = time.monotonic()
        self.placement.work.eval()
        with torch.no_grad(), autocast(self.device, self.settings.precision):
            found = self.placement.apply(self.evaluate)
        values = {name: float(value) for name, value in found.items()}
        first = float(self.world.is_first)
        of_first = self.world.sum([first * value if first else 0.0 for value in values.values()])
        values = dict(zip(values, of_first, strict=True))
        progress = self.progress
        loss = values["loss"]
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of validation is not a finite number ({loss}) after step {progress.step}",
                where=self.phase.name, hint=self._advice_to_go_on(),
            )
        self._write("valid", **values)
        if self.store is not None:  # a long training; short fits are told by their callers
            say(f"step {progress.step:,}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss = loss
            progress.best_step = progress.step
            progress.stale_evaluations = 0
            self.best = copy_weights(self.placement.work)
        else:
            progress.stale_evaluations += 1
            patience = self.settings.patience
            if patience is not None and progress.stale_evaluations >= patience:
                progress.stopped_by = progress.stopped_by or "patience"
        self.logged += time.monotonic() - before  # the rate of training leaves evaluation out

    def _write(self, split: str, **values: float) -> None:
        progress = self.progress
        values["time_s"] = round(progress.elapsed_s, 2)
        run = self.saving.run
        if run is not None:
            write_metric(
                run, phase=self.phase.name, split=split, step=progress.step, tokens=progress.tokens, **values
            )
        if self.board is not None:
            self.board.write({"split": split, "step": progress.step, "tokens": progress.tokens, **values})

    def _note(self, share: float) -> str:
        left_s = self.progress.elapsed_s * (1 - share) / max(share, 1e-9)
        return f"{self.shown}  {int(left_s) // 60}:{int(left_s) % 60:02d} left"

    def _save(self) -> None:
        """Save the state, then the model to use."""
        if self.store is not None:
            self.progress.identity = self.identity
            self.store.save(self.placement.work, self.optimizer, self.progress, self.best)
            self._publish()
        self.saved = time.monotonic()

    def _publish(self) -> None:
        """Write the best model so far, or the last one if none was evaluated."""
        chosen = self.progress.step if self.best is None else self.progress.best_step
        publish = self.saving.publish
        if publish is None or chosen == self.published:
            return
        work = self.placement.work
        current = copy_weights(work) if self.best is not None else None
        if self.best is not None:
            put_weights(work, self.best)
        self.placement.copy_back(self.model)
        if self.world.is_first:
            publish(self.model)
        if current is not None:
            put_weights(work, current)
        self.published = chosen if chosen is not None else -1

    def interrupted(self) -> Interrupted:
        """Say where the run stopped and how it goes on."""
        if self.store is None or not self.store.exists():
            return Interrupted(f"{self.phase.name} was interrupted after step {self.progress.step}; nothing was saved")
        return Interrupted(
            f"{self.phase.name} was interrupted; its state after step {self.store.read_step()} is saved",
            where=self.shown_run, hint=self.saving.resume_command or "run it again with resume",
        )


def _total_steps(settings: TrainSettings, source: BatchSource) -> int | None:
    """Give the steps after which a training ends, if steps or passes end it."""
    totals = [settings.max_steps] if settings.max_steps is not None else []
    if settings.epochs is not None:
        totals.append(max(1, math.ceil(settings.epochs * source.batches_per_epoch / settings.accumulate)))
    return min(totals) if totals else None
