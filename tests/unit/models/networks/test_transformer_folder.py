"""Folders as DNABERT-2 and the Nucleotide Transformer are published, against references written from the papers."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.folders.families import from_config_json, to_config_json
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.presets import count_parameters
from lingome.models.registry import initialise
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

_spec = importlib.util.spec_from_file_location("reference_encoders", Path(__file__).parent / "reference_encoders.py")
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

DNABERT_2 = {
    "alibi_starting_size": 512, "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.0,
    "auto_map": {"AutoModelForMaskedLM": "bert_layers.BertForMaskedLM"}, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "num_attention_heads": 12,
    "num_hidden_layers": 12, "position_embedding_type": "absolute", "type_vocab_size": 2, "vocab_size": 4096,
}
NUCLEOTIDE_V2 = {
    "add_bias_fnn": False, "architectures": ["EsmForMaskedLM"], "attention_probs_dropout_prob": 0.0,
    "emb_layer_norm_before": False, "hidden_dropout_prob": 0.0, "hidden_size": 512, "intermediate_size": 2048,
    "is_folding_model": False, "layer_norm_eps": 1e-12, "mask_token_id": 2, "max_position_embeddings": 2050,
    "model_type": "esm", "num_attention_heads": 16, "num_hidden_layers": 12, "pad_token_id": 1,
    "position_embedding_type": "rotary", "tie_word_embeddings": False, "token_dropout": False, "vocab_size": 4107,
}
ESM_2 = {
    "emb_layer_norm_before": False, "hidden_dropout_prob": 0.0, "is_folding_model": False, "layer_norm_eps": 1e-5,
    "mask_token_id": 32, "max_position_embeddings": 1026, "model_type": "esm", "pad_token_id": 1,
    "position_embedding_type": "rotary", "token_dropout": True, "vocab_size": 33,
}


def random_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=draw) * (0.3 if len(shape) == 1 else 0.12)
            for name, shape in shapes.items()}


def mosaicbert_shapes(V: int, D: int, F: int, n_layers: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published MosaicBERT, its pooler among them."""
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (V, D), "bert.embeddings.token_type_embeddings.weight": (2, D),
        "bert.pooler.dense.weight": (D, D), "bert.pooler.dense.bias": (D,),
        "cls.predictions.transform.dense.weight": (D, D), "cls.predictions.transform.dense.bias": (D,),
        "cls.predictions.decoder.bias": (V,),
    }
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for layer in range(n_layers):
        here = f"bert.encoder.layer.{layer}"
        norms += [f"{here}.attention.output.LayerNorm", f"{here}.mlp.layernorm"]
        shapes |= {
            f"{here}.attention.self.Wqkv.weight": (3 * D, D), f"{here}.attention.self.Wqkv.bias": (3 * D,),
            f"{here}.attention.output.dense.weight": (D, D), f"{here}.attention.output.dense.bias": (D,),
            f"{here}.mlp.gated_layers.weight": (2 * F, D), f"{here}.mlp.wo.weight": (D, F), f"{here}.mlp.wo.bias": (D,),
        }
    return shapes | {f"{name}.{kind}": (D,) for name in norms for kind in ("weight", "bias")}


def nucleotide_shapes(V: int, D: int, F: int, n_layers: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published second Nucleotide Transformer, with its contact head."""
    shapes: dict[str, tuple[int, ...]] = {
        "esm.embeddings.word_embeddings.weight": (V, D), "lm_head.decoder.weight": (V, D), "lm_head.bias": (V,),
        "lm_head.dense.weight": (D, D), "lm_head.dense.bias": (D,),
        "esm.contact_head.regression.weight": (1, 8), "esm.contact_head.regression.bias": (1,),
    }
    norms = ["esm.encoder.emb_layer_norm_after", "lm_head.layer_norm"]
    for layer in range(n_layers):
        here = f"esm.encoder.layer.{layer}"
        norms += [f"{here}.attention.LayerNorm", f"{here}.LayerNorm"]
        shapes |= {f"{here}.intermediate.dense.weight": (2 * F, D), f"{here}.output.dense.weight": (D, F)}
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= {f"{here}.attention.{name}.weight": (D, D), f"{here}.attention.{name}.bias": (D,)}
    return shapes | {f"{name}.{kind}": (D,) for name in norms for kind in ("weight", "bias")}


def write(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor], tokenizer: Tokenizer) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    tokenizer.save(folder)


Reference = Callable[[dict, list[int], int, int], np.ndarray]
CASES: dict[str, tuple[Tokenizer, dict[str, Any], Callable[..., Any], Reference, int]] = {
    "mosaicbert": (CharacterTokenizer(), DNABERT_2, mosaicbert_shapes, reference.mosaicbert_logits, 12),
    "nucleotide": (
        KmerTokenizer(3, False, "nucleotide-transformer-v2"), NUCLEOTIDE_V2, nucleotide_shapes,
        reference.nucleotide_logits, 4,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_against_the_reference(tmp_path: Path, case: str) -> None:
    """Alone, padded, packed, and saved again."""
    tokenizer, published, shapes, logits_of, n_heads = CASES[case]
    small = {"vocab_size": tokenizer.vocab_size, "hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 40,
             "num_attention_heads": n_heads}
    tensors = random_weights(shapes(tokenizer.vocab_size, 48, 40, 2))
    write(tmp_path, published | small, tensors, tokenizer)
    model, _ = load_checkpoint(tmp_path, "masked_lm")
    lengths = [14, 5, 9]
    ids = torch.randint(5, tokenizer.vocab_size, (3, 14), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(14) < torch.tensor(lengths)[:, None]
    rows = [logits_of(tensors, ids[row, :length].tolist(), 2, n_heads) for row, length in enumerate(lengths)]
    expected = torch.from_numpy(np.concatenate(rows)).float()
    with torch.no_grad():
        assert (model(ids[:1])[0] - expected[:14]).abs().max() < 1e-5
        assert (model(ids, mask)[mask] - expected).abs().max() < 1e-5
        packed = model(ids[mask], lengths_B=torch.tensor(lengths))
        assert (packed - expected).abs().max() < 1e-5
        save_checkpoint(tmp_path / "again", model, tokenizer)
        assert torch.equal(load_checkpoint(tmp_path / "again", "masked_lm")[0](ids, mask), model(ids, mask))


def test_a_dnabert_2_is_no_bert_to_others(tmp_path: Path) -> None:
    """A folder of ours says another model_type, so that nobody fills missing tensors with random numbers."""
    config = from_config_json(DNABERT_2 | {"num_hidden_layers": 1}, tmp_path)
    assert (config.max_positions, config.n_layers) == (512, 1)
    written = to_config_json(config)
    assert written["model_type"] == "mosaicbert"
    assert from_config_json(written, tmp_path) == config


def test_a_bare_dnabert_2(tmp_path: Path) -> None:
    """Written by the bare encoder's class, without ``bert.`` and without a head."""
    tokenizer = CharacterTokenizer()
    small = {"vocab_size": 9, "hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 40}
    tensors = random_weights(mosaicbert_shapes(9, 48, 40, 2))
    write(tmp_path / "whole", DNABERT_2 | small, tensors, tokenizer)
    bare = {name.removeprefix("bert."): part for name, part in tensors.items() if name.startswith("bert.")}
    write(tmp_path / "bare", DNABERT_2 | small, bare, tokenizer)
    ids = torch.randint(5, 9, (2, 12), generator=torch.Generator().manual_seed(2))
    alone, whole = (load_checkpoint(tmp_path / name, "body").model for name in ("bare", "whole"))
    assert torch.equal(alone(ids), whole(ids))


@pytest.mark.parametrize(("config", "match"), [
    (NUCLEOTIDE_V2 | {"add_bias_fnn": True}, "add_bias_fnn"),
    (ESM_2 | NUCLEOTIDE_V2 | {"position_embedding_type": "sinusoidal"}, "position_embedding_type"),
    (DNABERT_2 | {"alibi_starting_size": "many"}, "alibi_starting_size"),
])
def test_what_cannot_be_read_is_named(tmp_path: Path, config: dict[str, Any], match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        from_config_json(config, tmp_path / "config.json")


def count(content: dict[str, Any]) -> int:
    """Build the model of a published config.json without memory, and count."""
    with torch.device("meta"):
        return count_parameters(MaskedLM(from_config_json(content, Path("config.json"))))


def test_dnabert_2_has_its_parameters() -> None:
    """117,074,176 with the head of hidden tokens; 117,068,544 with a pooler instead: facts of its card."""
    total = count(DNABERT_2)
    head = 768 * 768 + 768 + 2 * 768 + 4096
    assert total == 117_074_176
    assert total - head + 768 * 768 + 768 == 117_068_544


@pytest.mark.parametrize(("n_layers", "size", "heads", "expected"), [
    (6, 320, 20, 7_512_474), (12, 480, 20, 33_501_394), (30, 640, 20, 148_140_154), (33, 1280, 20, 651_043_254),
    (36, 2560, 40, 2_839_005_634), (48, 5120, 40, 15_129_100_194),
])
def test_esm_2_has_its_parameters(n_layers: int, size: int, heads: int, expected: int) -> None:
    """The published number counts the contact head, a weight a head of each layer and a bias, which is not held."""
    shape = {"num_hidden_layers": n_layers, "hidden_size": size, "num_attention_heads": heads}
    assert count(ESM_2 | shape | {"intermediate_size": 4 * size}) == expected - (n_layers * heads + 1)


def test_weights_of_every_part_are_drawn() -> None:
    """No tensor of a shape with all parts is left as it was in memory."""
    config = from_config_json(ESM_2 | {
        "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48,
        "position_embedding_type": "absolute", "emb_layer_norm_before": True,
    }, Path("config.json"))
    models = [MaskedLM(config), MaskedLM(config)]
    for model in models:
        torch.nn.init.constant_(model.head.get_submodule("dense").weight, float("nan"))
        initialise(model, 7)
    assert all(torch.equal(a, b) for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True))
