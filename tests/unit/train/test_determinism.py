import os
import warnings

import pytest
import torch

from lingome.config.parts.train import TrainSettings
from lingome.core.progress import set_sink
from lingome.train.checkpointing import Phase
from lingome.train.determinism import reproducible
from lingome.train.loop import train

CPU = torch.device("cpu")


@pytest.mark.parametrize("wanted", [True, False])
def test_training_chooses_deterministic_algorithms_and_sets_them_back(points, regression, squared_error, wanted):
    seen = []

    class Looks(squared_error):
        def loss(self, model, batch, rng):
            seen.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))
            return super().loss(model, batch, rng)

    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    settings = TrainSettings(max_steps=2, deterministic=wanted, precision="fp32")
    train(regression(), Looks(), points(), settings, phase=Phase(seed=0))
    assert seen == [(wanted, False)] * 2
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(11)
    train(regression(seed=11), Looks(), points(), settings, phase=Phase(seed=0))
    torch.manual_seed(11)
    with reproducible(CPU, wanted):
        torch.rand(100)
    assert torch.equal(torch.rand(3), expected)  # the caller's random numbers go on as if nothing had been


def test_what_has_no_deterministic_algorithm_is_said_once():
    class Sink:
        said = ()

        def say(self, message):
            self.said = (*self.said, message)

    sink = Sink()
    set_sink(sink)
    try:
        with reproducible(CPU):
            for _ in range(2):
                warnings.warn("scatter_x does not have a deterministic implementation, but you set ...", stacklevel=1)
            with pytest.warns(DeprecationWarning, match="other"):
                warnings.warn("other", DeprecationWarning, stacklevel=1)
    finally:
        set_sink(None)
    assert sink.said == ("warning: scatter_x has no deterministic algorithm here: last bits may differ between runs",)
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ  # that is for GPUs
