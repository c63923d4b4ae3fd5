import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import set_sink
from lingome.core.rundir import RunDir
from lingome.models.presets import build_masked_lm, find_config
from lingome.tokens.characters import CharacterTokenizer
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import train
from lingome.train.memory import cut_rows, is_out_of_memory, too_large
from lingome.train.objectives import LossSum, MaskedObjective
from lingome.train.state import StateStore, copy_weights

TOKENIZER = CharacterTokenizer()
CONFIG = replace(find_config("nano", TOKENIZER.vocab_size), dropout=0.0)


class Letters:
    batches_per_epoch = 10

    def batch(self, epoch, index):
        rng = np.random.default_rng((epoch, index))
        return {"input_ids": rng.integers(5, 9, (5, 14))}


@dataclass(frozen=True)
class Small(MaskedObjective):
    """Has memory for so many ids at once."""

    most: int = 10**9
    error: BaseException = None
    seen: list = None

    def loss(self, model, batch, rng):
        if self.seen is not None:
            self.seen.append(batch["input_ids"].shape[0])
        if batch["input_ids"].size > self.most:
            raise self.error
        return super().loss(model, batch, rng)


class Messages:
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)

    def bar(self, description, total, unit):
        class Bar:
            def advance(self, amount, note):
                pass

            def close(self):
                pass

        return Bar()


@pytest.fixture
def said():
    sink = Messages()
    set_sink(sink)
    yield sink.said
    set_sink(None)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "tables").mkdir(parents=True)
    return RunDir(tmp_path / "run")


def settings(**changes):
    values = {"max_steps": 4, "lr": 0.01, "accumulate": 2, "log_every": 1, "save_every": 1, "precision": "fp32"}
    return TrainSettings(**{**values, **changes})


def weights_after(objective, run=None, **changes):
    model = build_masked_lm(CONFIG, seed=1)
    train(model, objective, Letters(), settings(**changes), phase=Phase(seed=2), saving=Checkpointing(run))
    return copy_weights(model)


@pytest.mark.parametrize("error", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
                 "tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)"),
    MemoryError(),
], ids=["gpu", "cpu", "python"])
def test_when_memory_runs_out_the_same_steps_are_done_in_pieces(run, said, error):
    whole = weights_after(Small(TOKENIZER))
    seen = []
    pieces = weights_after(Small(TOKENIZER, most=14, error=error, seen=seen), run)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-5, atol=1e-6)
    # Five rows; the first of 3 + 2; the first of 2 + 1 + 1 + 1; then one by one, which fits.
    assert seen == [5, 3, 2] + [1] * 40
    told = [text for text in said if "memory ran out" in text]
    assert [text.split("in ")[-1].split()[0] for text in told] == ["2", "4", "8"]
    assert StateStore(run.path / "state" / "train")._read_index()["parts"] == 8


def test_a_resumed_run_keeps_to_the_small_pieces(run, said):
    class Stops(Exception):
        pass

    @dataclass(frozen=True)
    class Stopping(Small):
        def loss(self, model, batch, rng):
            if len(self.seen) > 12:
                raise Stops
            return super().loss(model, batch, rng)

    with pytest.raises(Stops):
        weights_after(Stopping(TOKENIZER, most=42, error=MemoryError(), seen=[]), run)
    seen, model = [], build_masked_lm(CONFIG, seed=1)
    train(
        model, Small(TOKENIZER, most=42, error=MemoryError(), seen=seen), Letters(), settings(), phase=Phase(seed=2),
        saving=Checkpointing(run, resume=True),
    )
    assert max(seen) == 3
    assert sum("memory ran out" in text for text in said) == 1


def test_one_sequence_that_does_not_fit_is_said(run):
    with pytest.raises(ConfigError, match="one sequence at a time") as caught:
        weights_after(Small(TOKENIZER, most=13, error=MemoryError()), run)
    assert "max_tokens" in str(caught.value)
    assert "tune.precision=bf16" in str(too_large(MemoryError(), "tune", alone=True))


def test_other_errors_are_not_taken_for_memory():
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
    with pytest.raises(RuntimeError, match="multiplied"):
        weights_after(Small(TOKENIZER, most=1, error=RuntimeError("shapes cannot be multiplied")))


def test_pieces_are_whole_rows_and_what_has_none_is_in_each():
    batch = {"input_ids": np.arange(10).reshape(5, 2), "labels": np.arange(5), "name": "x", "scale": np.float32(2)}
    pieces = cut_rows(batch, 3)
    assert [piece["labels"].tolist() for piece in pieces] == [[0, 1], [2, 3], [4]]
    assert [piece["input_ids"].tolist() for piece in pieces] == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9]]]
    assert {piece["name"] for piece in pieces} == {"x"}
    assert len(cut_rows(batch, 64)) == 5
    assert len(cut_rows({"input_ids": np.arange(9)}, 4)) == 1  # one packed row is not cut


def test_a_loss_that_is_no_number_names_its_batch(run):
    calls = []

    @dataclass(frozen=True)
    class Broken(MaskedObjective):
        def loss(self, model, batch, rng):
            calls.append(1)
            total, items = super().loss(model, batch, rng)
            return LossSum(total * float("inf") if len(calls) == 6 else total, items)

    published = []
    with pytest.raises(DataError) as caught:
        train(
            build_masked_lm(CONFIG, seed=1), Broken(TOKENIZER), Letters(), settings(), phase=Phase(seed=2),
            saving=Checkpointing(run, publish=lambda model: published.append(copy_weights(model))),
        )
    text, ids = str(caught.value), Letters().batch(0, 5)["input_ids"]
    assert caught.value.exit_code == 3
    assert "(inf) at step 3, micro-batch 2 of 2; learning rate 0.00" in text
    assert " in the step before" in text
    assert f"batch 5 of pass 0 (input_ids 5 x 14, sha256 {hashlib.sha256(ids.tobytes()).hexdigest()[:12]})" in text
    assert f"the state after step 2 is kept in {run.path / 'state' / 'train'}" in text
    assert "--start-from" in text
    assert len(published) == 2
    assert all(torch.isfinite(value).all() for value in published[-1].values())


def test_a_gradient_that_is_no_number_stops_before_the_weights_change(run):
    @dataclass(frozen=True)
    class Steep(MaskedObjective):
        def loss(self, model, batch, rng):
            total, items = super().loss(model, batch, rng)
            zero = next(model.parameters()).sum() * 0
            return LossSum(total + torch.sqrt(zero.abs()), items)  # 0, with a slope of 0 / 0

    model = build_masked_lm(CONFIG, seed=1)
    before = copy_weights(model)
    with pytest.raises(DataError, match=r"the gradient is not a finite number \(nan\) at step 1;") as caught:
        train(model, Steep(TOKENIZER), Letters(), settings(), phase=Phase(seed=2), saving=Checkpointing(run))
    assert "batch 0 of pass 0" in str(caught.value)
    assert "batch 1 of pass 0" in str(caught.value)
    assert "nothing was saved yet" in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in copy_weights(model).items())
