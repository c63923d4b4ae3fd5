"""Weights counted from the header of a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lingome.core.errors import CheckpointError
from lingome.models.counting.checkpoint import count_checkpoint
from lingome.models.counting.tensor_list import list_tensors, mark_copies, module_parts, weights_size


def zeros(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype=dtype)


TENSORS = {
    "model.embed.weight": zeros(7, 4), "lm_head.weight": zeros(7, 4), "model.norm.weight": zeros(4),
    "model.layers.0.up.weight": zeros(6, 4), "model.layers.0.up.bias": zeros(6),
    "model.layers.1.up.weight": zeros(6, 4), "model.layers.1.up.bias": zeros(6),
    "model.layers.2.up.weight": zeros(5, 4), "model.layers.2.up.bias": zeros(5),
    "model.layers.0.rotary.inv_freq": zeros(2), "position_ids": zeros(1, 9, dtype=np.int64),
}


def test_modules_are_summed_and_equal_layers_are_one_row(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    tensors = list_tensors(tmp_path)
    copies = mark_copies(tensors, tied=True)
    assert copies == {"lm_head.weight"}
    rows = {part.component: part for part in module_parts(tensors, copies) if part.formula != "5 x 4 + 5"}
    assert {name: part.parameters for name, part in rows.items()} == {
        "model.embed": 28, "model.layers.*.up": 60, "model.norm": 4, "lm_head (copy)": 0,
        "model.layers.*.rotary (buffer)": 0, "position_ids (buffer)": 0,
    }
    assert rows["model.layers.*.up"].formula == "2 x (6 x 4 + 6)"
    assert rows["model.layers.*.up"].shape == "6 x 4; 6"
    assert sum(part.parameters for part in module_parts(tensors, copies)) == 28 + 60 + 25 + 4
    assert sum(part.parameters for part in module_parts(tensors, mark_copies(tensors, tied=False))) == 117 + 28


def test_types_and_sizes(tmp_path: Path) -> None:
    save_file({"a": zeros(3, dtype=np.float16), "b": zeros(2)}, tmp_path / "model.safetensors")
    assert [(tensor.name, tensor.dtype, tensor.shape) for tensor in list_tensors(tmp_path)] == [
        ("a", "F16", (3,)), ("b", "F32", (2,))
    ]
    assert weights_size(tmp_path) == (tmp_path / "model.safetensors").stat().st_size


def write_shards(folder: Path, names: dict[str, str]) -> None:
    save_file({"a": zeros(3)}, folder / "one.safetensors")
    save_file({"b": zeros(5)}, folder / "two.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def test_shards_are_read_by_their_index(tmp_path: Path) -> None:
    write_shards(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"})
    assert {tensor.name: tensor.shape for tensor in list_tensors(tmp_path)} == {"a": (3,), "b": (5,)}


@pytest.mark.parametrize(("names", "complaint"), [
    ({"a": "one.safetensors", "b": "three.safetensors"}, "shards of the weights are missing"),
    ({"a": "../one.safetensors"}, "outside its folder"),
    (["a"], "index of the shards cannot be read"),
])
def test_a_bad_index_is_refused(tmp_path: Path, names: dict[str, str], complaint: str) -> None:
    write_shards(tmp_path, names)
    with pytest.raises(CheckpointError, match=complaint):
        list_tensors(tmp_path)


def test_damaged_missing_and_pickled_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the weights are missing"):
        list_tensors(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(CheckpointError, match="is a pickle, read on import alone"):
        list_tensors(tmp_path)
    file = tmp_path / "model.safetensors"
    save_file(TENSORS, file)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        list_tensors(tmp_path)
    file.write_bytes(b"")
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        list_tensors(tmp_path)


@pytest.mark.parametrize(("config", "complaint"), [
    ("{", "config.json cannot be read"), ("[]", "holds names and values"),
    ('{"model_type": "gpt2", "n_embd": "4"}', "needs a whole number for 'n_embd'"),
    ('{"model_type": "bert", "hidden_size": 0, "num_hidden_layers": 1, "intermediate_size": 1, "vocab_size": 9, '
     '"max_position_embeddings": 1}', "shape cannot be used"),
])
def test_a_bad_configuration_is_refused(tmp_path: Path, config: str, complaint: str) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match=complaint):
        count_checkpoint(tmp_path)


@pytest.mark.parametrize("model_type", ["convnext", None, ["bert"]])
def test_other_families_are_counted_without_a_formula(tmp_path: Path, model_type: object) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type, "tie_word_embeddings": True}))
    counted = count_checkpoint(tmp_path)
    assert (counted.total, counted.expected) == (117, None)


def test_a_mosaic_bert_file_by_its_tensors(tmp_path: Path) -> None:
    """Shapes of DNABERT-2's published code, small: fused projections, a gate without biases, ALiBi."""
    layer = {
        "attention.self.Wqkv.weight": (24, 8), "attention.self.Wqkv.bias": (24,),
        "attention.output.dense.weight": (8, 8), "attention.output.dense.bias": (8,),
        "attention.output.LayerNorm.weight": (8,), "attention.output.LayerNorm.bias": (8,),
        "mlp.gated_layers.weight": (32, 8), "mlp.wo.weight": (8, 16), "mlp.wo.bias": (8,),
        "mlp.layernorm.weight": (8,), "mlp.layernorm.bias": (8,),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (11, 8), "bert.embeddings.token_type_embeddings.weight": (2, 8),
        "bert.embeddings.LayerNorm.weight": (8,), "bert.embeddings.LayerNorm.bias": (8,),
        "bert.pooler.dense.weight": (8, 8), "bert.pooler.dense.bias": (8,),
        **{f"bert.encoder.layer.{index}.{name}": shape for index in range(3) for name, shape in layer.items()},
    }
    save_file({name: zeros(*shape) for name, shape in shapes.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({
        "model_type": "bert", "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 3, "intermediate_size": 16,
        "type_vocab_size": 2, "alibi_starting_size": 512,
    }))
    counted = count_checkpoint(tmp_path)
    assert counted.expected is not None
    assert counted.total == counted.expected.total == 88 + 16 + 16 + 72 + 3 * (216 + 72 + 16 + 256 + 136 + 16)
