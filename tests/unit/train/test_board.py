import json
import sys

import pytest

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import MissingExtraError
from lingome.core.rundir import RunDir
from lingome.train import board
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import train


class Recorder:
    """Stands in for TensorBoard's writer."""

    made = ()

    def __init__(self, folder):
        self.folder, self.scalars, self.closed = folder, {}, False
        Recorder.made = (*Recorder.made, self)

    def add_scalar(self, name, value, step):
        assert (name, step) not in self.scalars
        self.scalars[name, step] = value

    def close(self):
        self.closed = True


def settings(**changes):
    return TrainSettings(**{"max_steps": 6, "log_every": 2, "eval_every": 3, "precision": "fp32", **changes})


def run_at(path):
    (path / "tables").mkdir(parents=True)
    return RunDir(path)


def test_the_board_shows_what_metrics_say_also_after_resuming(tmp_path, monkeypatch, points, regression, squared_error):
    monkeypatch.setattr(board, "open_writer", Recorder)
    monkeypatch.setattr(Recorder, "made", ())
    run = run_at(tmp_path / "run")

    class Dies(squared_error):
        def loss(self, model, batch, rng):
            if self.calls == 4:
                raise RuntimeError("killed")
            return super().loss(model, batch, rng)

    chosen, evaluate = settings(tensorboard=True, save_every=3), lambda model: {"loss": 1.0}
    with pytest.raises(RuntimeError, match="killed"):
        train(regression(), Dies(), points(), chosen, phase=Phase(seed=0), evaluate=evaluate, saving=Checkpointing(run))
    train(
        regression(), squared_error(), points(), chosen, phase=Phase(seed=0), evaluate=evaluate,
        saving=Checkpointing(run, resume=True),
    )
    first, second = Recorder.made
    assert first.closed
    assert second.closed
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    expected = {
        (f"{row['split']}/{name}", row["step"]): value
        for row in rows for name, value in row.items() if name not in ("phase", "split", "step")
    }
    assert {key: pytest.approx(value, rel=1e-6) for key, value in expected.items()} == second.scalars
    assert ("train/loss", 2) in second.scalars
    assert ("valid/loss", 6) in second.scalars


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch, points, regression, squared_error):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match="tensorboard") as caught:
        train(
            regression(), squared_error(), points(), settings(tensorboard=True), phase=Phase(seed=0),
            saving=Checkpointing(run_at(tmp_path / "r")),
        )
    assert caught.value.exit_code == 4
    assert 'pip install "lingome[tensorboard]"' in str(caught.value)


def test_the_real_writer_writes_event_files(tmp_path):
    pytest.importorskip("tensorboard")
    run = run_at(tmp_path / "run")
    run.append_metric(phase="p", split="train", step=1, tokens=10, loss=2.5)
    made = board.Board(run, "p")
    made.write({"split": "valid", "step": 2, "tokens": 20, "loss": 1.5})
    made.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard" / "p")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 2.5)]
    assert [(event.step, event.value) for event in events.Scalars("valid/loss")] == [(2, 1.5)]
