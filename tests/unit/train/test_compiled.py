import numpy as np
import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.models.presets import build_masked_lm
from lingome.tokens.characters import CharacterTokenizer
from lingome.train import compiled
from lingome.train.checkpointing import Checkpointing, Phase
from lingome.train.loop import train
from lingome.train.objectives import MaskedObjective
from lingome.train.parallel.shards import StoredTensors
from lingome.train.state import copy_weights

TOKENIZER = CharacterTokenizer()


class Letters:
    batches_per_epoch = 4

    def batch(self, epoch, index):
        return {"input_ids": np.random.default_rng((epoch, index)).integers(5, 9, (4, 12 + index))}


def fit(compile, **named):
    model = build_masked_lm("nano", TOKENIZER.vocab_size, seed=1)
    train(
        model, MaskedObjective(TOKENIZER), Letters(),
        TrainSettings(max_steps=3, lr=0.01, precision="fp32", compile=compile), phase=Phase(seed=2), **named,
    )
    return model


@pytest.mark.slow
def test_compiled_layers_learn_the_same_under_the_same_names(monkeypatch, tmp_path):
    # The front of the compiler alone, which reads the code; its back writes C++ for half a minute.
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    called = []
    real = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: (called.append(self), real(self, **how)))
    plain = copy_weights(fit(False))
    (tmp_path / "tables").mkdir()
    model = fit(True, saving=Checkpointing(RunDir(tmp_path)))
    assert called == list(model.body.layers)
    found = copy_weights(model)
    assert list(found) == list(plain)
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    stored = StoredTensors(tmp_path / "state" / "train" / "step-00000003", "weights")
    assert set(stored.shapes) == set(plain)
    assert all(layer._compiled_call_impl is None for layer in model.body.layers)


def test_without_a_compiler_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("CXX", "icpx")
    with pytest.raises(ConfigError, match=r"C\+\+ compiler") as caught:
        fit(True)
    assert "no icpx, no g++" in str(caught.value)
    assert "leave compile out" in str(caught.value)


def test_a_model_without_layers_is_not_compiled():
    with pytest.raises(ConfigError, match="no layers to compile"), compiled.compiling(torch.nn.Linear(2, 2)):
        pass
