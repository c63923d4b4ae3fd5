"""Our encoder against transformers' BERT and ModernBERT, on random weights."""

import dataclasses
from pathlib import Path

import pytest
import safetensors.torch
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
)
from transformers.models.t5.modeling_t5 import T5Attention

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.layers.attention import relative_buckets
from lingome.models.presets import PRESETS, build_classifier, build_masked_lm
from lingome.tokens.kmers import KmerTokenizer

TOKENIZER = KmerTokenizer(3, True)
V = TOKENIZER.vocab_size
SHAPE = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40}
SPECIAL = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, V, (3, 50), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(50) < torch.tensor([50, 9, 31])[:, None]
    return ids.masked_fill(~mask, 0), mask


@torch.no_grad()
def shake(model: torch.nn.Module) -> None:
    """Move every weight, so that no bias is 0 and no scale is 1."""
    draw = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))


@torch.no_grad()
def largest_difference(ours: torch.nn.Module, theirs: torch.nn.Module) -> float:
    """Largest difference of logits, on input without and with padding."""
    ids, mask = batch()
    ours.eval(), theirs.eval()
    whole = ours(ids) - theirs(input_ids=ids).logits
    padded = (ours(ids, mask) - theirs(input_ids=ids, attention_mask=mask.long()).logits)[mask]
    return max(whole.abs().max().item(), padded.abs().max().item())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["bert-mini", "mini"])
def test_our_folder_in_transformers(tmp_path: Path, name: str, tied: bool) -> None:
    config = dataclasses.replace(PRESETS[name], tie_head=tied, rope_theta=500.0)
    model = build_masked_lm(config, V, seed=1)
    shake(model.head)
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    theirs, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert isinstance(theirs, BertForMaskedLM if name == "bert-mini" else ModernBertForMaskedLM)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert largest_difference(model, theirs) < 1e-5


def test_grover_shape_has_their_parameter_count() -> None:
    with torch.device("meta"):
        theirs = BertForMaskedLM(BertConfig(vocab_size=609))
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 86_511_201


@pytest.mark.parametrize("tied", [True, False])
def test_their_bert_in_ours(tmp_path: Path, tied: bool) -> None:
    theirs = BertForMaskedLM(BertConfig(**SHAPE, max_position_embeddings=60, tie_word_embeddings=tied))
    shake(theirs)
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "masked_lm")
    assert ours.config.dropout == 0.1
    assert largest_difference(ours, theirs) < 1e-5


def test_their_modernbert_in_ours(tmp_path: Path) -> None:
    config = ModernBertConfig(**SHAPE, **SPECIAL, layer_types=["full_attention"] * 3)
    theirs = ModernBertForMaskedLM(config)
    shake(theirs)
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "masked_lm")
    assert ours.config.rope_theta == 160_000
    assert largest_difference(ours, theirs) < 1e-5


def test_special_ids_of_the_tokenizer_win(tmp_path: Path) -> None:
    """A config.json with ids far outside its vocabulary, as ModernBertConfig's defaults are, still loads."""
    config = ModernBertConfig(**SHAPE, pad_token_id=0, layer_types=["full_attention"] * 3)
    assert config.cls_token_id == 50281
    ModernBertForMaskedLM(config).save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    assert load_checkpoint(tmp_path, "masked_lm")[0].config.cls_id == TOKENIZER.cls_id == 2


@pytest.mark.parametrize(("every", "n_layers"), [(3, 5), (2, 3), (4, 2)])
def test_their_modernbert_with_local_attention(tmp_path: Path, every: int, n_layers: int) -> None:
    """A window of 6 tokens to each side of 50, with wavelengths of its own; and our folder of it in theirs again."""
    shape = SHAPE | {"num_hidden_layers": n_layers}
    theirs = ModernBertForMaskedLM(
        ModernBertConfig(**shape, **SPECIAL, local_attention=12, global_attn_every_n_layers=every)
    )
    shake(theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    TOKENIZER.save(tmp_path / "theirs")
    ours, _ = load_checkpoint(tmp_path / "theirs", "masked_lm")
    assert (ours.config.local_window, ours.config.global_every) == (12, every)
    assert (ours.config.rope_theta, ours.config.local_rope_theta) == (160_000, 10_000)
    assert largest_difference(ours, theirs) < 1e-5
    long = torch.randint(5, V, (1, 300), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert (ours(long) - theirs(input_ids=long).logits).abs().max() < 1e-5
    save_checkpoint(tmp_path / "ours", ours, TOKENIZER)
    again, info = AutoModelForMaskedLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"]
    assert largest_difference(ours, again) < 1e-5


def test_their_modernbert_with_an_odd_pattern_is_refused(tmp_path: Path) -> None:
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    ModernBertForMaskedLM(ModernBertConfig(**SHAPE, **SPECIAL, layer_types=kinds)).save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    with pytest.raises(CheckpointError, match="mix of local and global layers"):
        load_checkpoint(tmp_path, "masked_lm")


def test_parts_of_a_published_bert_that_are_not_needed(tmp_path: Path) -> None:
    """Pooler and next-sentence head, which older BERT files hold, are left unread."""
    theirs = BertForPreTraining(BertConfig(**SHAPE))
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ours, _ = load_checkpoint(tmp_path, "masked_lm")
    ids, _ = batch()
    with torch.no_grad():
        assert (ours(ids) - theirs.eval()(input_ids=ids).prediction_logits).abs().max() < 1e-5


def test_a_bare_bert_as_a_body(tmp_path: Path) -> None:
    theirs = BertModel(BertConfig(**SHAPE)).eval()
    theirs.save_pretrained(tmp_path)
    TOKENIZER.save(tmp_path)
    ids, mask = batch()
    body, _ = load_checkpoint(tmp_path, "body")
    with torch.no_grad():
        difference = body(ids, mask) - theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert difference[mask].abs().max() < 1e-5


@pytest.mark.parametrize("name", ["bert-mini", "mini"])
def test_body_of_our_classifier_in_transformers(tmp_path: Path, name: str) -> None:
    model = build_classifier(PRESETS[name], V, ("no", "yes"), seed=2).eval()
    save_checkpoint(tmp_path / "model", model, TOKENIZER)
    theirs, info = AutoModel.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert sorted(info["unexpected_keys"]) == ["mean_pool_classifier.bias", "mean_pool_classifier.weight"]
    assert {key.split(".")[0] for key in info["missing_keys"]} <= {"pooler"}
    ids, mask = batch()
    with torch.no_grad():
        hidden = theirs.eval()(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert (hidden - model.body(ids, mask))[mask].abs().max() < 1e-5
    assert load_checkpoint(tmp_path / "model", "classifier")[0].config.label_names == ("no", "yes")


def test_same_gradients_as_bert(tmp_path: Path) -> None:
    """One step's loss and gradients equal transformers', through the shortcut at masked positions."""
    config = BertConfig(**SHAPE, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    theirs = BertForMaskedLM(config)
    shake(theirs)
    theirs.save_pretrained(tmp_path / "before")
    TOKENIZER.save(tmp_path / "before")
    ours, _ = load_checkpoint(tmp_path / "before", "masked_lm")
    ids, mask = batch()
    masked = mask & (torch.arange(50) % 4 == 1)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), labels=ids.masked_fill(~masked, -100)).loss
    loss = torch.nn.functional.cross_entropy(ours(ids, mask, masked), ids[masked])
    torch.testing.assert_close(loss, expected)
    loss.backward(), expected.backward()
    with torch.no_grad():
        for model in (ours, theirs):
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad)
    theirs.save_pretrained(tmp_path / "after")
    save_checkpoint(tmp_path / "ours", ours, TOKENIZER)
    stepped = safetensors.torch.load_file(tmp_path / "after/model.safetensors")
    mine = safetensors.torch.load_file(tmp_path / "ours/model.safetensors")
    checked = [name for name in mine if name in stepped and "word_embeddings" not in name]
    assert len(checked) >= 50
    for name in checked:
        torch.testing.assert_close(mine[name], stepped[name], atol=2e-5, rtol=1e-4, msg=name)
    rows = torch.arange(V) != 0  # theirs never moves the padding token's vector
    word = "bert.embeddings.word_embeddings.weight"
    torch.testing.assert_close(mine[word][rows], stepped[word][rows], atol=2e-5, rtol=1e-4)


def test_relative_buckets_are_those_of_t5() -> None:
    distance = torch.arange(-400, 401)
    theirs = T5Attention._relative_position_bucket(distance, bidirectional=True, num_buckets=32, max_distance=128)
    assert torch.equal(relative_buckets(distance), theirs)
