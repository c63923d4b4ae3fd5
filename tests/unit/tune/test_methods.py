"""Which weights each method trains."""

from __future__ import annotations

import pytest
import torch

from lingome.core.errors import ConfigError
from lingome.models.presets import build_classifier, count_parameters
from lingome.tune.methods import method_group, method_title, trainable_parameters


def test_each_method_trains_what_it_names():
    model = build_classifier("tiny", 9)
    total = count_parameters(model)
    head = 2 * 64 + 2
    # One layer of "tiny", by hand: qkv, out, ffn in (gated, two halves) and out; norms of 64 without bias.
    layer = 3 * 64 * 64 + 64 * 64 + 2 * 128 * 64 + 128 * 64 + 64 + 64
    final_norm = 64
    expected = {"features": head, "last:1": layer + final_norm + head, "full": total}
    for method, count in expected.items():
        trained = trainable_parameters(model, method)
        assert sum(parameter.numel() for parameter in trained) == count, method
        assert count_parameters(model, trainable=True) == count, method


def test_frozen_layers_are_run_without_a_graph():
    model = build_classifier("tiny", 9)
    trainable_parameters(model, "last:1")
    seen = {}
    for index, layer in enumerate(model.body.layers):
        layer.register_forward_hook(lambda _m, _i, out, index=index: seen.__setitem__(index, out.requires_grad))
    model(torch.randint(5, 9, (2, 12))).sum().backward()
    assert seen == {0: False, 1: True}
    assert model.body.tokens.weight.grad is None


@pytest.mark.parametrize("method", ["last:0", "last:3", "last:x", "lora", "last"])
def test_methods_that_do_not_exist_are_refused(method: str):
    with pytest.raises(ConfigError):
        trainable_parameters(build_classifier("tiny", 9), method)


def test_titles_and_groups():
    assert [method_title(m) for m in ("features", "last:1", "full")] == ["frozen features", "last layer", "all layers"]
    assert [method_group(m) for m in ("features", "last:1", "full")] == ["frozen", "last layers", "all layers"]
