"""Our encoder against transformers' EsmForMaskedLM, on random weights: ESM-2, ESM-1b, Nucleotide Transformer."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import AutoModelForMaskedLM, EsmConfig, EsmForMaskedLM, EsmModel

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.networks.transformer.model import Transformer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

PROTEIN = CharacterTokenizer(layout="esm")
DNA = KmerTokenizer(6, False, "nucleotide-transformer")
ESM = {
    "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-5,
}
KINDS: dict[str, tuple[Tokenizer, dict[str, Any]]] = {
    "esm2": (PROTEIN, {"position_embedding_type": "rotary", "emb_layer_norm_before": False, "token_dropout": True}),
    "esm1b": (PROTEIN, {"position_embedding_type": "absolute", "emb_layer_norm_before": True, "token_dropout": True}),
    "nt-v1": (DNA, {
        "position_embedding_type": "absolute", "emb_layer_norm_before": False, "token_dropout": True,
        "tie_word_embeddings": False,
    }),
    "plain": (PROTEIN, {"position_embedding_type": "rotary", "emb_layer_norm_before": True, "token_dropout": False}),
}


def build(kind: str) -> tuple[EsmForMaskedLM, Tokenizer]:
    """Build their model with every weight moved, so that no bias is 0 and no scale is 1."""
    tokenizer, settings = KINDS[kind]
    model = EsmForMaskedLM(EsmConfig(
        vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id, mask_token_id=tokenizer.mask_id,
        max_position_embeddings=62, **ESM, **settings,
    ))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
    return model.eval(), tokenizer


def batch(tokenizer: Tokenizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Three sequences, two of them padded, each with another share of masks."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(4, tokenizer.vocab_size - 2, (3, 50), generator=draw)
    lengths = torch.tensor([50, 9, 31])
    ids[torch.rand(3, 50, generator=draw) < torch.tensor([0.1, 0.3, 0.0])[:, None]] = tokenizer.mask_id
    mask = torch.arange(50) < lengths[:, None]
    return ids.masked_fill(~mask, tokenizer.pad_id), mask


@torch.no_grad()
def largest_difference(ours: torch.nn.Module, theirs: torch.nn.Module, tokenizer: Tokenizer) -> float:
    """Largest difference of logits, on input without and with padding, and of packed states."""
    ids, mask = batch(tokenizer)
    whole = ours(ids[:1]) - theirs(input_ids=ids[:1]).logits
    expected = theirs(input_ids=ids, attention_mask=mask.long()).logits[mask]
    packed = ours.head(ours.body.forward_packed(ids[mask], [50, 9, 31])) - expected
    return max(x.abs().max().item() for x in (whole, ours(ids, mask)[mask] - expected, packed))


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways(tmp_path: Path, kind: str) -> None:
    theirs, tokenizer = build(kind)
    theirs.save_pretrained(tmp_path / "theirs")
    tokenizer.save(tmp_path / "theirs")
    ours, _ = load_checkpoint(tmp_path / "theirs", "masked_lm")
    assert largest_difference(ours, theirs, tokenizer) < 1e-5
    save_checkpoint(tmp_path / "ours", ours, tokenizer)
    again, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert isinstance(again, EsmForMaskedLM)
    assert {name for name in info["missing_keys"] if "contact_head" not in name} == set()
    assert not info["unexpected_keys"]
    assert largest_difference(ours, again.eval(), tokenizer) < 1e-5
    assert load_checkpoint(tmp_path / "ours", "masked_lm")[0].config == ours.config


def test_the_longest_sequence_fits(tmp_path: Path) -> None:
    """Of 62 rows of positions, those up to the padding id's are never a token's: 60 tokens fit."""
    theirs, tokenizer = build("esm1b")
    theirs.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "masked_lm")
    assert ours.config.max_positions == 60
    ids = torch.randint(4, 24, (1, 60), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert (ours(ids) - theirs(input_ids=ids).logits).abs().max() < 1e-5


def test_a_bare_esm_as_a_body(tmp_path: Path) -> None:
    theirs, tokenizer = build("esm2")
    bare = EsmModel(theirs.config).eval()
    bare.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    body, _ = load_checkpoint(tmp_path, "body")
    assert isinstance(body, Transformer)
    ids, mask = batch(tokenizer)
    with torch.no_grad():
        difference = body(ids, mask) - bare(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert difference[mask].abs().max() < 1e-5


def test_what_older_files_hold(tmp_path: Path) -> None:
    """Unused positions beside rotary ones, and speeds of each layer, are left unread; other speeds are refused."""
    theirs, tokenizer = build("esm2")
    theirs.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    speeds = 1 / 10_000 ** (torch.arange(0, 10, 2) / 10)
    tensors["esm.embeddings.position_embeddings.weight"] = torch.zeros(62, 40)
    for layer in range(3):
        tensors[f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"] = speeds.half()
    safetensors.torch.save_file(tensors, file)
    assert largest_difference(load_checkpoint(tmp_path, "masked_lm")[0], theirs, tokenizer) < 1e-5
    tensors["esm.encoder.layer.1.attention.self.rotary_embeddings.inv_freq"] = 2 * speeds
    safetensors.torch.save_file(tensors, file)
    with pytest.raises(CheckpointError, match="other speeds"):
        load_checkpoint(tmp_path, "masked_lm")


def test_a_folding_model_is_refused(tmp_path: Path) -> None:
    theirs, tokenizer = build("esm2")
    theirs.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"is_folding_model": True}))
    with pytest.raises(CheckpointError, match="is_folding_model"):
        load_checkpoint(tmp_path, "masked_lm")
