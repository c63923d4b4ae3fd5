"""The one training loop: any model, objective and data, stopped and continued at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from lingome.config.train import TrainSettings
from lingome.core.errors import DataError, Interrupted
from lingome.core.progress import Task, say, track
from lingome.core.rundir import RunDir
from lingome.models.devices import autocast
from lingome.train.board import Board
from lingome.train.compiled import compiling
from lingome.train.determinism import reproducible
from lingome.train.identity import build_identity, check_identity, shared_facts
from lingome.train.interrupts import StopRequest, catch_stop
from lingome.train.metrics import drop_metrics_after, write_metric
from lingome.train.objectives.objectives import Objective
from lingome.train.optimizer import build_optimizer
from lingome.train.parallel.distributed import ALONE, World, check_agreement, choose_parallel, join, naming_the_lost
from lingome.train.parallel.sharded import Whole, fill, shard
from lingome.train.schedule import learning_rate, progress_share
from lingome.train.sources import BatchSource
from lingome.train.state import Progress, StateStore, Tensors, copy_weights, put_weights
from lingome.train.step import Signals, Stepper, StepResult

Evaluate = Callable[[nn.Module], Mapping[str, float]]


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
    seed: int,
    run: RunDir | None = None,
    evaluate: Evaluate | None = None,
    parameters: Iterable[nn.Parameter] | None = None,
    phase: str = "train",
    resume: bool = False,
    label: str = "training",
    publish: Callable[[nn.Module], None] | None = None,
    resume_command: str = "",
    identity: Mapping[str, str] | None = None,
    keep_state: bool = True,
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
    run : RunDir, optional
        Gets ``metrics.jsonl`` and the training state; without it nothing is written.
    evaluate : callable, optional
        Takes the model (in evaluation mode, no gradients) and gives numbers, ``loss`` among them.
        Called every ``settings.eval_every`` steps and at the end.
    parameters : iterable of Parameter, optional
        What to train; by default all that require a gradient.
    phase : str
        Name of this training in the run: key of metrics, random draws and the state's folder.
    resume : bool
        Continue from the state in `run`, if there is one.
    publish : callable, optional
        Writes the model to use (best so far, else last) as a checkpoint; called at every save.
    resume_command : str
        What a person types to go on after an interruption.
    identity : mapping, optional
        Facts that must be equal when resuming (digest of the data, tokenizer).
    keep_state : bool
        Save what resuming needs in `run`; false for trainings of seconds, which then only write metrics.

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
    with ExitStack() as stack, naming_the_lost():
        stack.enter_context(reproducible(next(model.parameters()).device, settings.deterministic))
        loop = _Loop(
            model, objective, source, settings, seed=seed, phase=phase, run=run, evaluate=evaluate, publish=publish,
            parameters=parameters, resume_command=resume_command, identity=dict(identity or {}),
            keep_state=keep_state, world=join() if run is not None and keep_state else ALONE,
        )
        stack.callback(loop.close)
        if settings.compile:
            stack.enter_context(compiling(loop.work))
        if resume:
            loop.resume()
        elif run is not None:
            drop_metrics_after(run, phase, 0)
        loop.open_board()
        stop = stack.enter_context(catch_stop())
        task = stack.enter_context(track(label, 1.0))
        try:
            return loop.go(stop, task)
        except KeyboardInterrupt:
            raise loop.interrupted() from None


@dataclass
class _Loop:
    model: nn.Module
    objective: Objective
    source: BatchSource
    settings: TrainSettings
    seed: int
    phase: str
    run: RunDir | None
    evaluate: Evaluate | None
    publish: Callable[[nn.Module], None] | None
    parameters: Iterable[nn.Parameter] | None
    resume_command: str
    identity: dict[str, str]
    keep_state: bool
    world: World
    progress: Progress = field(default_factory=Progress)
    best: Tensors | None = None

    def __post_init__(self) -> None:
        chosen = {id(p) for p in (self.model.parameters() if self.parameters is None else self.parameters)}
        names = [name for name, p in self.model.named_parameters() if id(p) in chosen and p.requires_grad]
        self.device = next(self.model.parameters()).device
        settings = self.settings
        totals = [settings.max_steps] if settings.max_steps is not None else []
        if settings.epochs is not None:
            totals.append(max(1, math.ceil(settings.epochs * self.source.batches_per_epoch / settings.accumulate)))
        self.total_steps = min(totals) if totals else None
        self.identity = build_identity(settings, self.seed, self.identity)
        self._share()
        by_name = dict(self.work.named_parameters())
        trained = [by_name[name] for name in names]
        self.optimizer = build_optimizer(self.work, settings, trained)
        self.stepper = Stepper(
            self.work, self.objective, self.source, settings, seed=self.seed, phase=self.phase,
            optimizer=self.optimizer, parameters=trained, world=self.world, whole=self.whole, last_save=self._go_on,
        )
        self.board: Board | None = None
        self.started = self.saved = self.logged = time.monotonic()
        self.logged_tokens = 0
        self.shown = ""
        self.published = -1

    def _share(self) -> None:
        """Agree with the other processes, and split or copy the model over them; `work` is what is trained."""
        world = self.world
        run = self.run
        folder = run.path / "state" / self.phase if run is not None and self.keep_state else None
        self.whole: Whole | None = None
        self.work = self.model
        self.shown_run = str(run.path) if run is not None else ""
        if world.size > 1:
            check_agreement(world, shared_facts(
                self.identity, self.settings, self.phase, self.model, self.source.batches_per_epoch
            ))
            folder = Path(world.gather(str(folder.absolute()))[0]) if folder else None
            self.shown_run = world.gather(str(self.shown_run))[0]
        parallel = choose_parallel(world, self.settings) if folder else "none"
        self.store = StateStore(folder, world) if folder else None
        world.spread(self.model)
        if parallel == "fsdp":
            self.whole = shard(self.model)
            self.work = self.whole.model

    def open_board(self) -> None:
        """Open TensorBoard's files, if they are wanted, after metrics of lost steps were dropped."""
        if self.run is not None and self.settings.tensorboard and self.world.is_first:
            self.board = Board(self.run, self.phase)

    def close(self) -> None:
        """Give the model back as it was given, apart from its weights."""
        if self.board is not None:
            self.board.close()
        self.model.to(self.device)

    def resume(self) -> None:
        """Continue from the saved state, if there is one; metrics of lost steps are dropped."""
        if self.run is None or self.store is None:
            return
        if self.store.exists():
            self.progress, self.best = self.store.load(self.work, self.optimizer)
            check_identity(self.progress.identity, self.identity, self.settings)
            self.stepper.parts = self.progress.parts
            self.world.wait()  # until all have read it, before the first one writes the next
            say(f"resuming after step {self.progress.step:,}")
        drop_metrics_after(self.run, self.phase, self.progress.step)
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
            put_weights(self.work, self.best)
        self._publish()
        if self.whole is not None:
            fill(self.model, self.work)
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

    def _go_on(self) -> str:
        """Say what to do after a loss that is not a number, and what is left to do it with."""
        group = self.settings.group
        advice = f"lower {group}.lr, lengthen the warm-up ({group}.warmup_share), or set {group}.precision=fp32"
        if self.store is None or not self.store.exists():
            return f"{advice}; nothing was saved yet, so begin anew"
        kept = f"the state after step {self.store.read_step()} is kept in {self.store.folder}"
        if self.publish is not None and self.run is not None:
            kept += f", and its model in {self.run.checkpoint_path}: train that further with --start-from"
        return f"{advice}; {kept}"

    def _log(self) -> None:
        progress = self.progress
        now = time.monotonic()
        loss = progress.logged_loss / max(progress.logged_items, 1e-9)
        rate = (progress.tokens - self.logged_tokens) / max(now - self.logged, 1e-9)
        self._write("train", loss=loss, lr=self.optimizer.param_groups[0]["lr"], tokens_per_s=round(rate, 1))
        self.shown = f"loss {loss:.3f}  {rate:,.0f} tokens/s"
        progress.logged_loss = progress.logged_items = 0.0
        self.logged = now
        self.logged_tokens = progress.tokens

    def _evaluate(self) -> None:
        if self.evaluate is None:
            return
        before = time.monotonic()
        self.work.eval()
        with torch.no_grad(), autocast(self.device, self.settings.precision):
            found = self.evaluate(self.work) if self.whole is None else self.whole(self.evaluate)
        values = {name: float(value) for name, value in found.items()}
        first = float(self.world.is_first)
        told = self.world.sum([first * value if first else 0.0 for value in values.values()])
        values = dict(zip(values, told, strict=True))
        progress = self.progress
        loss = values["loss"]
        if not math.isfinite(loss):
            raise DataError(
                f"the loss of validation is not a finite number ({loss}) after step {progress.step}",
                where=self.phase, hint=self._go_on(),
            )
        self._write("valid", **values)
        if self.store is not None:  # a long training; short fits are told by their callers
            say(f"step {progress.step:,}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss = loss
            progress.best_step = progress.step
            progress.stale_evaluations = 0
            self.best = copy_weights(self.work)
        else:
            progress.stale_evaluations += 1
            patience = self.settings.patience
            if patience is not None and progress.stale_evaluations >= patience:
                progress.stopped_by = progress.stopped_by or "patience"
        self.logged += time.monotonic() - before  # the rate of training leaves evaluation out

    def _write(self, split: str, **values: float) -> None:
        progress = self.progress
        values["time_s"] = round(progress.elapsed_s, 2)
        if self.run is not None:
            write_metric(
                self.run, phase=self.phase, split=split, step=progress.step, tokens=progress.tokens, **values
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
            self.store.save(self.work, self.optimizer, self.progress, self.best)
            self._publish()
        self.saved = time.monotonic()

    def _publish(self) -> None:
        """Write the best model so far, or the last one if none was evaluated."""
        chosen = self.progress.step if self.best is None else self.progress.best_step
        if self.publish is None or chosen == self.published:
            return
        current = copy_weights(self.work) if self.best is not None else None
        if self.best is not None:
            put_weights(self.work, self.best)
        if self.whole is not None:
            fill(self.model, self.work)
        if self.world.is_first:
            self.publish(self.model)
        if current is not None:
            put_weights(self.work, current)
        self.published = chosen if chosen is not None else -1

    def interrupted(self) -> Interrupted:
        """Say where the run stopped and how it goes on."""
        if self.store is None or not self.store.exists():
            return Interrupted(f"{self.phase} was interrupted after step {self.progress.step}; nothing was saved")
        return Interrupted(
            f"{self.phase} was interrupted; its state after step {self.store.read_step()} is saved",
            where=self.shown_run, hint=self.resume_command or "run it again with resume",
        )
