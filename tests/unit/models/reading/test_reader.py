"""Linear layers laid out for reading, and batches without padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lingome.core.errors import ConfigError
from lingome.models.layers.packed_linear import PackedLinear, can_pack
from lingome.models.open import random_body
from lingome.models.presets import find_config
from lingome.models.reading.reader import Int8Linear, Reader, pad_states, read_states
from lingome.tokens.characters import CharacterTokenizer

CPU = torch.device("cpu")
TOKENIZER = CharacterTokenizer()


@torch.no_grad()
def test_int8_by_hand():
    layer = nn.Linear(2, 2)
    layer.weight.copy_(torch.tensor([[1.27, 0.50], [-2.54, 0.03]]))
    layer.bias.copy_(torch.tensor([0.5, 0.0]))
    # Scales of outputs: 0.01 and 0.02, so rows (127, 50) and (-127, 1.5 -> 2); of inputs: 1 and 0.1.
    inputs = torch.tensor([[127.0, -3.4], [12.7, 0.96], [0.0, 0.0]])
    rounded = torch.tensor([[127.0, -3.0], [127.0, 10.0], [0.0, 0.0]])
    expected = rounded @ torch.tensor([[127.0, 50.0], [-127.0, 2.0]]).T * torch.tensor([[1.0], [0.1], [1.0]])
    expected = expected * torch.tensor([0.01, 0.02]) + torch.tensor([0.5, 0.0])
    assert torch.allclose(Int8Linear(layer, torch.float32)(inputs), expected, rtol=1e-5)
    assert Int8Linear(layer, torch.bfloat16)(inputs[:, None]).shape == (3, 1, 2)


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_laid_out_layers_give_the_same(dtype: torch.dtype, most: float):
    if not can_pack(dtype):
        pytest.skip("oneDNN packs no matrices of this type, in this build of torch or on this processor")
    torch.manual_seed(0)
    layer, inputs = nn.Linear(48, 80), torch.randn(3, 7, 48)
    packed = PackedLinear(layer, dtype, 64)
    out = packed(inputs.to(dtype))
    assert out.dtype == dtype
    assert (out.float() - layer(inputs)).abs().max() < most
    with torch.autocast("cpu", torch.bfloat16):
        assert packed(inputs).dtype == torch.bfloat16
    assert (packed(inputs) - layer(inputs)).abs().max() < 1e-5  # bfloat16's copy is not for these


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_reader_leaves_the_body_as_it_was(precision: str):
    body = random_body(find_config("tiny", 9), seed=3)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    reader = Reader.of(body, CPU, precision)
    kinds = {type(module) for module in reader.body.modules()}
    assert (Int8Linear in kinds) == (precision == "int8")
    assert not {type(module) for module in body.modules()} & {Int8Linear, PackedLinear}
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    ids = [np.array(one) for one in ([5, 6, 7], [8], [5] * 40, [7, 8, 5])]
    with torch.no_grad():
        exact = [body(torch.tensor([[2, *one.tolist(), 3]]))[0] for one in ids]
    found: list[torch.Tensor | None] = [None] * len(ids)
    for chosen, states in read_states(reader, TOKENIZER, ids, batch_tokens=12):
        for i, state in zip(chosen.tolist(), states, strict=True):
            found[i] = state
    for one, expected in zip(found, exact, strict=True):
        assert one is not None
        assert one.shape == expected.shape
        cosine = torch.cosine_similarity(one.float(), expected, dim=1).min()
        assert cosine > (1 - 1e-6 if precision == "fp32" else 0.999)


def test_precisions_that_are_not():
    body = random_body(find_config("nano", 9), seed=0)
    with pytest.raises(ConfigError, match="no such precision"):
        Reader.of(body, CPU, "fp16")
    with pytest.raises(ConfigError, match="int8 is for CPUs"):
        Reader.of(body, torch.device("meta"), "int8")


def test_states_side_by_side():
    padded = pad_states([torch.ones(1, 2), 2 * torch.ones(3, 2)])
    assert padded[:, :, 0].tolist() == [[1, 0, 0], [2, 2, 2]]


def test_without_the_instructions_bfloat16_is_read_as_it_lies(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not can_pack(torch.bfloat16)
    reader = Reader.of(random_body(find_config("nano", 9), seed=3), CPU, "bf16")
    assert PackedLinear not in {type(module) for module in reader.body.modules()}
