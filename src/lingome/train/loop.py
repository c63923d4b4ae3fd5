"""The one training loop: any model, objective and data, stopped and continued at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from lingome.config.train import TrainSettings
from lingome.core.errors import ConfigError, DataError, Interrupted
from lingome.core.progress import Task, say, track
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed, generator
from lingome.models.devices import autocast
from lingome.train.interrupts import StopRequest, catch_stop
from lingome.train.metrics import drop_metrics_after, write_metric
from lingome.train.objectives import Objective
from lingome.train.optimizer import build_optimizer, scale_and_clip
from lingome.train.schedule import learning_rate, progress_share
from lingome.train.sources import BatchSource
from lingome.train.state import Progress, StateStore, Tensors, copy_weights, put_weights

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
        If a state is resumed under other settings.
    Interrupted
        If the user or the system asked to stop (SIGINT, SIGTERM), after the state was saved.
    """
    loop = _Loop(
        model, objective, source, settings, seed=seed, phase=phase, run=run, evaluate=evaluate, publish=publish,
        parameters=parameters, resume_command=resume_command, identity=dict(identity or {}),
        keep_state=keep_state,
    )
    if resume:
        loop.resume()
    elif run is not None:
        drop_metrics_after(run, phase, 0)
    with torch.random.fork_rng(devices=[]), catch_stop() as stop, track(label, 1.0) as task:
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
    progress: Progress = field(default_factory=Progress)
    best: Tensors | None = None

    def __post_init__(self) -> None:
        self.parameters = [
            p for p in (self.model.parameters() if self.parameters is None else self.parameters) if p.requires_grad
        ]
        self.optimizer = build_optimizer(self.model, self.settings, self.parameters)
        self.device = next(self.model.parameters()).device
        settings = self.settings
        totals = [settings.max_steps] if settings.max_steps is not None else []
        if settings.epochs is not None:
            totals.append(max(1, math.ceil(settings.epochs * self.source.batches_per_epoch / settings.accumulate)))
        self.total_steps = min(totals) if totals else None
        self.identity = {
            "settings": settings.model_dump_json(exclude={"save_every", "save_seconds"}),
            "seed": str(self.seed), "threads": str(torch.get_num_threads()), **self.identity,
        }
        self.store = StateStore(self.run.path / "state" / self.phase) if self.run and self.keep_state else None
        self.started = self.saved = self.logged = time.monotonic()
        self.logged_tokens, self.shown, self.published = 0, "", -1

    def resume(self) -> None:
        """Continue from the saved state, if there is one; metrics of lost steps are dropped."""
        if self.run is None or self.store is None:
            return
        if self.store.exists():
            self.progress, self.best = self.store.load(self.model, self.optimizer)
            self._check_identity(self.progress.identity)
            say(f"resuming after step {self.progress.step:,}")
        drop_metrics_after(self.run, self.phase, self.progress.step)
        self.started -= self.progress.elapsed_s
        self.logged_tokens = self.progress.tokens

    def _check_identity(self, saved: dict[str, str]) -> None:
        for name, value in self.identity.items():
            if name == "threads" and saved.get(name) != value:
                say(f"warning: resumed with {value} threads instead of {saved.get(name)}; last bits may differ")
            elif saved.get(name) != value:
                raise ConfigError(
                    f"the run cannot be resumed, because its {name} changed", got=value, expected=saved.get(name),
                    hint="resume with the settings and data that the run began with, or start anew with --force",
                )

    def go(self, stop: StopRequest, task: Task) -> TrainResult:
        """Run to the end, or to the first step after a request to stop."""
        progress, shown = self.progress, 0.0
        while not progress.stopped_by:
            before = time.monotonic()
            self._step()
            progress.step += 1
            progress.elapsed_s = time.monotonic() - self.started
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
            late = time.monotonic() - self.saved > self.settings.save_seconds
            if progress.stopped_by or stop.requested or late or self._is_due(self.settings.save_every):
                self._save()
            if stop.requested:
                raise self.interrupted()
        if self.best is not None:
            put_weights(self.model, self.best)
        self._publish()
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

    def _step(self) -> None:
        """Do one step of the optimizer over `accumulate` micro-batches."""
        step, progress, settings = self.progress.step, self.progress, self.settings
        torch.manual_seed(derive_seed(self.seed, self.phase, "dropout", step))
        self.model.train()
        total, items = 0.0, 0.0
        for micro in range(settings.accumulate):
            epoch, index = divmod(step * settings.accumulate + micro, self.source.batches_per_epoch)
            before = time.monotonic()
            batch = self.source.batch(epoch, index)
            progress.waited_s += time.monotonic() - before
            rng = generator(self.seed, self.phase, "objective", step, micro)
            with autocast(self.device, settings.precision):
                result = self.objective.loss(self.model, batch, rng)
            self._check_finite(float(result.total.detach()), step)
            torch.autograd.backward(result.total)
            total += float(result.total.detach())
            items += result.items
            progress.tokens += count_tokens(batch)
        if items <= 0:
            raise DataError("a training step has nothing to learn from", where=f"step {step + 1}")
        rate = learning_rate(settings, step, self.total_steps, progress.elapsed_s)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        assert self.parameters is not None, "set in __post_init__"
        self._check_finite(scale_and_clip(self.parameters, items, settings.clip), step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        progress.logged_loss += total
        progress.logged_items += items

    def _check_finite(self, value: float, step: int) -> None:
        if not math.isfinite(value):
            kept = ""
            if self.store is not None and self.store.exists():
                kept = f"; the state of the last save is kept in {self.store.folder}"
            raise DataError(
                f"the loss or its gradient is not a finite number ({value}) at step {step + 1}{kept}",
                hint="lower lr, lengthen the warm-up (warmup_steps), or set precision=fp32",
            )

    def _log(self) -> None:
        progress, now = self.progress, time.monotonic()
        loss = progress.logged_loss / max(progress.logged_items, 1e-9)
        rate = (progress.tokens - self.logged_tokens) / max(now - self.logged, 1e-9)
        self._write("train", loss=loss, lr=self.optimizer.param_groups[0]["lr"], tokens_per_s=round(rate, 1))
        self.shown = f"loss {loss:.3f}  {rate:,.0f} tokens/s"
        progress.logged_loss = progress.logged_items = 0.0
        self.logged, self.logged_tokens = now, progress.tokens

    def _evaluate(self) -> None:
        if self.evaluate is None:
            return
        before = time.monotonic()
        self.model.eval()
        with torch.no_grad(), autocast(self.device, self.settings.precision):
            values = {name: float(value) for name, value in self.evaluate(self.model).items()}
        progress, loss = self.progress, values["loss"]
        self._check_finite(loss, progress.step - 1)
        self._write("valid", **values)
        if self.store is not None:  # a long training; short fits are told by their callers
            say(f"step {progress.step:,}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
        if progress.best_loss is None or loss < progress.best_loss:
            progress.best_loss, progress.best_step, progress.stale_evaluations = loss, progress.step, 0
            self.best = copy_weights(self.model)
        else:
            progress.stale_evaluations += 1
            patience = self.settings.patience
            if patience is not None and progress.stale_evaluations >= patience:
                progress.stopped_by = progress.stopped_by or "patience"
        self.logged += time.monotonic() - before  # the rate of training leaves evaluation out

    def _write(self, split: str, **values: float) -> None:
        progress = self.progress
        if self.run is not None:
            write_metric(
                self.run, phase=self.phase, split=split, step=progress.step, tokens=progress.tokens, **values,
                time_s=round(progress.elapsed_s, 2),
            )

    def _note(self, share: float) -> str:
        left_s = self.progress.elapsed_s * (1 - share) / max(share, 1e-9)
        return f"{self.shown}  {int(left_s) // 60}:{int(left_s) % 60:02d} left"

    def _save(self) -> None:
        """Save the state, then the model to use."""
        if self.store is not None:
            self.progress.identity = self.identity
            self.store.save(self.model, self.optimizer, self.progress, self.best)
            self._publish()
        self.saved = time.monotonic()

    def _publish(self) -> None:
        """Write the best model so far, or the last one if none was evaluated."""
        chosen = self.progress.step if self.best is None else self.progress.best_step
        if self.publish is None or chosen == self.published:
            return
        current = copy_weights(self.model) if self.best is not None else None
        if self.best is not None:
            put_weights(self.model, self.best)
        self.publish(self.model)
        if current is not None:
            put_weights(self.model, current)
        self.published = chosen if chosen is not None else -1

    def interrupted(self) -> Interrupted:
        """Say where the run stopped and how it goes on."""
        if self.store is None or not self.store.exists():
            return Interrupted(f"{self.phase} was interrupted after step {self.progress.step}; nothing was saved")
        return Interrupted(
            f"{self.phase} was interrupted; its state after step {self.store.read_step()} is saved",
            where=self.run.path if self.run else None, hint=self.resume_command or "run it again with resume",
        )


def count_tokens(batch: Mapping[str, Any]) -> int:
    """Count the tokens of a batch that are not padding; of a batch without tokens, its items."""
    mask = batch.get("attention_mask")
    if mask is not None:
        return int(mask.sum())
    ids = batch.get("input_ids")
    return int(np.prod(ids.shape)) if ids is not None else len(next(iter(batch.values())))
