import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, DataError, Interrupted
from lingome.core.rundir import RunDir
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import train
from lingome.train.objectives import LossSum
from lingome.train.state import StateStore, copy_weights
from lingome.train.step import count_tokens


def settings(**changes):
    values = {"max_steps": 12, "lr": 0.02, "log_every": 4, "precision": "fp32", **changes}
    return TrainSettings(**values)


def losses(run, split):
    return [(row["step"], row["loss"]) for row in run.read_metrics() if row["split"] == split]


def full_loss(points):
    def evaluate(model):
        data = points()
        with torch.no_grad():
            return {"loss": float(((model(torch.from_numpy(data.x))[:, 0] - torch.from_numpy(data.y)) ** 2).mean())}

    return evaluate


@pytest.fixture
def new_run(tmp_path):
    def make(name="run"):
        (tmp_path / name / "tables").mkdir(parents=True)
        return RunDir(tmp_path / name)

    return make


def test_it_learns_a_plane(points, regression, squared_error):
    model, evaluate = regression(), full_loss(points)
    before = evaluate(model.eval())["loss"]
    result = train(model, squared_error(), points(), settings(max_steps=200), phase=Phase(seed=0), evaluate=evaluate)
    assert result.stopped_by == "steps"
    assert result.steps == 200
    assert result.best_metric == evaluate(model.eval())["loss"]
    assert result.best_metric < 0.1 * before


def test_accumulated_steps_equal_big_batches(points, regression):
    class InOrder(points):
        def batch(self, epoch, index):
            part = slice(index * self.size, (index + 1) * self.size)
            return {"x": self.x[part], "y": self.y[part]}

    class NothingRandom:
        def loss(self, model, batch, rng):
            model.eval()  # no dropout: it would fall differently on batches of another size
            x, y = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
            return LossSum(((model(x)[:, 0] - y) ** 2).sum(), len(y))

    ends = []
    for size, accumulate in ((40, 1), (8, 5)):
        model = regression()
        train(model, NothingRandom(), InOrder(size), settings(accumulate=accumulate, max_steps=5), phase=Phase(seed=0))
        ends.append(copy_weights(model))
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stop_at", [1, 5, 8, 11])
def test_resumed_runs_end_with_the_same_bits(points, regression, squared_error, new_run, stop_at):
    chosen = settings(eval_every=3, save_every=2)
    evaluate = full_loss(points)
    whole, model = new_run("whole"), regression()
    train(model, squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate, saving=Checkpointing(whole))

    class Dies(squared_error):
        def loss(self, model, batch, rng):
            if self.calls == stop_at:
                raise RuntimeError("killed")
            return super().loss(model, batch, rng)

    parted, other = new_run("parted"), regression()
    with pytest.raises(RuntimeError, match="killed"):
        train(other, Dies(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate, saving=Checkpointing(parted))
    other = regression()
    torch.manual_seed(stop_at)  # whatever state the process is in
    result = train(
        other, squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate,
        saving=Checkpointing(parted, resume=True),
    )
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert result.steps == 12
    for split in ("train", "valid"):
        assert losses(parted, split) == losses(whole, split)
    assert [step for step, _ in losses(parted, "valid")] == [3, 6, 9, 12]


def test_the_best_weights_of_before_a_kill_are_kept(points, regression, squared_error, new_run):
    """The lowest loss comes at step 2, the kill at step 7, and all that follows is worse."""
    chosen, run, seen = settings(eval_every=2, save_every=2), new_run(), []

    def evaluate(model):
        seen.append(copy_weights(model))
        return {"loss": float(len(seen))}

    class Dies(squared_error):
        def loss(self, model, batch, rng):
            if self.calls == 6:
                raise RuntimeError("killed")
            return super().loss(model, batch, rng)

    with pytest.raises(RuntimeError, match="killed"):
        train(regression(), Dies(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate, saving=Checkpointing(run))
    model, kept = regression(seed=9), []
    result = train(
        model, squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate,
        saving=Checkpointing(run, resume=True, publish=lambda trained: kept.append(copy_weights(trained))),
    )
    assert (result.steps, result.best_step) == (12, 2)
    assert len(kept) == 1
    for found in (copy_weights(model), kept[0]):
        assert all(torch.equal(value, seen[0][name]) for name, value in found.items())


def test_each_micro_batch_has_its_own_draws(points, regression, new_run):
    """The same points twice in a step: dropout and the objective's noise fall differently; again, the same."""
    class Same(points):
        def batch(self, epoch, index):
            return super().batch(0, 0)

    class Looks:
        def __init__(self):
            self.seen = []

        def loss(self, model, batch, rng):
            guess = model(torch.from_numpy(batch["x"]))[:, 0]
            self.seen.append((rng.random(), float(guess.detach().sum())))
            return LossSum((guess**2).sum(), len(guess))

    first, again = Looks(), Looks()
    for looks in (first, again):
        train(regression(), looks, Same(), settings(max_steps=1, accumulate=3), phase=Phase(seed=0))
    assert first.seen == again.seen
    assert len({draw for draw, _ in first.seen}) == len({total for _, total in first.seen}) == 3


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs but clean-up."""


@pytest.mark.parametrize("moment", range(1, 10))
def test_a_kill_at_any_move_of_a_file_loses_nothing(points, regression, squared_error, new_run, monkeypatch, moment):
    chosen, evaluate = settings(eval_every=2, save_every=2, max_steps=6), full_loss(points)
    model = regression()
    train(model, squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate)
    run, moves = new_run(), 0
    real = Path.replace

    def replace(self, target):
        nonlocal moves
        moves += 1
        if moves == moment:
            raise Killed
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            train(
                regression(), squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate,
                saving=Checkpointing(run),
            )
    other = regression()
    train(
        other, squared_error(), points(), chosen, phase=Phase(seed=3), evaluate=evaluate,
        saving=Checkpointing(run, resume=True),
    )
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert [step for step, _ in losses(run, "valid")] == [2, 4, 6]


def test_a_finished_run_resumes_to_itself(points, regression, squared_error, new_run):
    run, model = new_run(), regression()
    train(model, squared_error(), points(), settings(), phase=Phase(seed=0), saving=Checkpointing(run))
    other, objective = regression(seed=9), squared_error()
    result = train(other, objective, points(), settings(), phase=Phase(seed=0), saving=Checkpointing(run, resume=True))
    assert objective.calls == 0
    assert result.stopped_by == "steps"
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_resume_refuses_other_settings(points, regression, squared_error, new_run):
    run = new_run()
    train(regression(), squared_error(), points(), settings(), phase=Phase(seed=0), saving=Checkpointing(run))
    with pytest.raises(ConfigError, match="settings changed"):
        train(
            regression(), squared_error(), points(), settings(lr=0.5), phase=Phase(seed=0),
            saving=Checkpointing(run, resume=True),
        )
    with pytest.raises(ConfigError, match="seed changed"):
        train(
            regression(), squared_error(), points(), settings(), phase=Phase(seed=1),
            saving=Checkpointing(run, resume=True),
        )
    with pytest.raises(ConfigError, match="genome changed"):
        train(
            regression(), squared_error(), points(), settings(), phase=Phase(seed=0),
            saving=Checkpointing(run, resume=True, identity={"genome": "other"}),
        )


def test_resume_refuses_to_forget_a_fact(points, regression, squared_error, new_run):
    run = new_run()
    train(
        regression(), squared_error(), points(), settings(), phase=Phase(seed=0),
        saving=Checkpointing(run, identity={"repeats": "abc 0.1"}),
    )
    with pytest.raises(ConfigError, match="repeats changed"):
        train(
            regression(), squared_error(), points(), settings(), phase=Phase(seed=0),
            saving=Checkpointing(run, resume=True),
        )


def test_a_state_of_before_some_settings_existed_is_gone_on_with(points, regression, squared_error, new_run):
    run, newer = new_run(), {"compile", "parallel", "deterministic", "tensorboard", "decay_embeddings"}
    train(regression(), squared_error(), points(), settings(), phase=Phase(seed=0), saving=Checkpointing(run))
    index = run.path / "state" / "train" / "training.json"
    saved = json.loads(index.read_text())
    known = {name: value for name, value in json.loads(saved["identity"]["settings"]).items() if name not in newer}
    saved["identity"]["settings"] = json.dumps(known)
    del saved["parts"]
    index.write_text(json.dumps(saved))
    result = train(
        regression(), squared_error(), points(), settings(deterministic=False), phase=Phase(seed=0),
        saving=Checkpointing(run, resume=True),
    )
    assert result.steps == 12
    with pytest.raises(ConfigError, match="settings changed"):
        train(
            regression(), squared_error(), points(), settings(decay_embeddings=True), phase=Phase(seed=0),
            saving=Checkpointing(run, resume=True),
        )


def test_it_stops_when_the_loss_stops_falling_and_keeps_the_best(points, regression, squared_error, new_run):
    seen, kept = [], []

    def evaluate(model):
        seen.append(copy_weights(model))
        return {"loss": [5.0, 3.0, 4.0, 3.0, 1.0][len(seen) - 1]}

    model = regression()
    result = train(
        model, squared_error(), points(), settings(eval_every=2, patience=2), phase=Phase(seed=0), evaluate=evaluate,
        saving=Checkpointing(new_run(), publish=lambda m: kept.append(copy_weights(m))),
    )
    assert (result.stopped_by, result.steps, result.best_step, result.best_metric) == ("patience", 8, 4, 3.0)
    assert all(torch.equal(value, seen[1][name]) for name, value in copy_weights(model).items())
    assert torch.equal(kept[-1]["net.0.weight"], seen[1]["net.0.weight"])


@pytest.mark.parametrize("poison_from", [0, 5])
def test_a_loss_that_is_not_a_number_stops_the_run(points, regression, squared_error, new_run, poison_from):
    run, model = new_run(), regression()
    with pytest.raises(DataError, match=rf"nan\) at step {poison_from + 1}") as caught:
        train(
            model, squared_error(poison_from), points(), settings(save_every=2), phase=Phase(seed=0),
            saving=Checkpointing(run),
        )
    assert "lower train.lr" in str(caught.value)
    store = StateStore(run.path / "state" / "train")
    assert store.exists() == (poison_from > 0)
    if poison_from:
        assert store.read_step() == 4
        assert "is kept in" in str(caught.value)
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(points, regression, squared_error, new_run, number):
    class Signals(squared_error):
        def loss(self, model, batch, rng):
            if self.calls == 6:
                os.kill(os.getpid(), number)
            return super().loss(model, batch, rng)

    before = signal.getsignal(number)
    run = new_run()
    with pytest.raises(Interrupted, match="after step 7 is saved") as caught:
        train(
            regression(), Signals(), points(), settings(), phase=Phase(seed=0),
            saving=Checkpointing(run, resume_command="lingome pretrain -o run --resume"),
        )
    assert "lingome pretrain -o run --resume" in str(caught.value)
    assert signal.getsignal(number) is before
    other, whole = regression(), regression()
    train(other, squared_error(), points(), settings(), phase=Phase(seed=0), saving=Checkpointing(run, resume=True))
    train(whole, squared_error(), points(), settings(), phase=Phase(seed=0))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), other.parameters(), strict=True))


def test_a_second_signal_stops_at_once(points, regression, squared_error, new_run):
    class Hurry(squared_error):
        def loss(self, model, batch, rng):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            return super().loss(model, batch, rng)

    with pytest.raises(Interrupted, match="nothing was saved"):
        train(regression(), Hurry(), points(), settings(), phase=Phase(seed=0), saving=Checkpointing(new_run()))


def test_metrics_are_means_since_the_last_line(points, regression, squared_error, new_run):
    run = new_run()
    train(
        regression(), squared_error(), points(), settings(max_steps=6), phase=Phase("p", seed=0),
        saving=Checkpointing(run),
    )
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["split"], row["step"], row["tokens"]) for row in rows] == [
        ("p", "train", 4, 32), ("p", "train", 6, 48),
    ]
    assert {"loss", "lr", "tokens_per_s", "time_s"} <= rows[0].keys()


def test_short_trainings_can_leave_no_state(points, regression, squared_error, new_run):
    run = new_run()
    train(
        regression(), squared_error(), points(), settings(save_every=1), phase=Phase(seed=0),
        saving=Checkpointing(run, keep_state=False),
    )
    assert {path.name for path in run.path.iterdir()} == {"tables", "metrics.jsonl"}


def test_epochs_and_seconds_end_a_run(points, regression, squared_error):
    result = train(
        regression(), squared_error(), points(), TrainSettings(epochs=1.5, accumulate=2, precision="fp32"),
        phase=Phase(seed=0),
    )
    assert (result.steps, result.stopped_by) == (4, "steps")
    result = train(
        regression(), squared_error(), points(), TrainSettings(max_seconds=0.05, precision="fp32"),
        phase=Phase(seed=0),
    )
    assert result.stopped_by == "time"
    assert 0.05 <= result.seconds < 5


def test_only_chosen_parameters_move(points, regression, squared_error):
    model = regression()
    before = copy_weights(model)
    train(model, squared_error(), points(), settings(), phase=Phase(seed=0), parameters=[model.net[3].bias])
    moved = {name for name, value in copy_weights(model).items() if not torch.equal(value, before[name])}
    assert moved == {"net.3.bias"}


def test_the_time_spent_waiting_for_batches_is_told(points, regression, squared_error, new_run):
    class Slow(points):
        def batch(self, epoch, index):
            time.sleep(0.02)
            return super().batch(epoch, index)

    settings = TrainSettings(max_steps=10, save_every=5)
    run = new_run()
    waited = train(
        regression(), squared_error(), Slow(), settings, phase=Phase(seed=0), saving=Checkpointing(run),
    ).waiting_share
    assert 0.5 < waited < 1
    assert train(regression(), squared_error(), points(), settings, phase=Phase(seed=0)).waiting_share < 0.5 * waited
    # A run that is over tells the same when it is resumed.
    resumed = train(
        regression(), squared_error(), Slow(), settings, phase=Phase(seed=0), saving=Checkpointing(run, resume=True),
    )
    assert resumed.waiting_share == waited


def test_padding_is_not_counted():
    assert count_tokens({"attention_mask": torch.tensor([[1, 1, 0], [1, 0, 0]])}) == 3
    assert count_tokens({"input_ids": torch.zeros(2, 3)}) == 6
    assert count_tokens({"x": torch.zeros(4, 3)}) == 4
