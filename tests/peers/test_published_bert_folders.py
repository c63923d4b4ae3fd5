"""Folders laid out as GROVER's and DNABERT's are published, with random weights, against BertForMaskedLM."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

from lingome.core.errors import CheckpointError
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.presets import build_classifier
from lingome.tokens.bpe import train_bpe
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import as_codes

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
GROVER_JSON = {
    "_name_or_path": "GROVER", "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1,
    "classifier_dropout": None, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "model_type": "bert", "pad_token_id": 0,
    "position_embedding_type": "absolute", "torch_dtype": "float32", "transformers_version": "4.28.1",
    "type_vocab_size": 2, "use_cache": True, "vocab_size": 609, **SMALL,
}
DNABERT_JSON = {
    "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "do_sample": False,
    "eos_token_ids": 0, "finetuning_task": None, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "id2label":
    {"0": "LABEL_0", "1": "LABEL_1"}, "is_decoder": False, "layer_norm_eps": 1e-12, "length_penalty": 1.0,
    "max_position_embeddings": 512, "model_type": "bert", "num_labels": 2, "num_rnn_layer": 1, "output_past": True,
    "pad_token_id": 0, "pruned_heads": {}, "rnn": "lstm", "split": 10, "type_vocab_size": 2, "use_bfloat16": False,
    "vocab_size": 69, **SMALL,
}


def theirs_of(content: dict[str, Any]) -> tuple[BertForPreTraining, dict[str, torch.Tensor]]:
    """Build their model with every weight moved, and the tensors that the published files hold: a pooler too."""
    model = BertForPreTraining(BertConfig(**{**SMALL, "vocab_size": content["vocab_size"]})).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items() if "seq_relationship" not in name}
    assert sum(name.startswith("bert.pooler.") for name in tensors) == 2
    return model, tensors


def write(folder: Path, content: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    (folder / "config.json").write_text(json.dumps(content))
    safetensors.torch.save_file(tensors, folder / "model.safetensors")


def check_equal(folder: Path, theirs: BertForPreTraining, sequence: str) -> None:
    model, tokenizer = load_checkpoint(folder, "masked_lm")
    codes = tokenizer.encode(sequence).input_ids.tolist()
    ids = torch.tensor([[tokenizer.cls_id, *codes, tokenizer.sep_id]])
    assert len(set(codes)) > 5
    with torch.no_grad():
        assert (model(ids) - theirs(input_ids=ids).prediction_logits).abs().max() < 1e-5
    save_checkpoint(folder / "again", model, tokenizer)
    again, info = BertForMaskedLM.from_pretrained(folder / "again", output_loading_info=True)
    assert not info["missing_keys"]
    with torch.no_grad():
        assert (again.eval()(input_ids=ids).logits - model(ids)).abs().max() < 1e-5


@pytest.fixture(scope="module")
def grover_vocabulary() -> dict[str, Any]:
    """Make a tokenizer.json of 610 entries, the last one empty, over four merges with a space, as published."""
    random = np.random.default_rng(0)
    own = train_bpe([as_codes("".join(random.choice(list("ACGT"), 60_000, p=[0.3, 0.2, 0.2, 0.3])))], 600).tokenizer
    merges = ["A ", "C ", "G ", "T ", *(f"{own.vocab[left]} {own.vocab[right]}" for left, right in own.merges)]
    vocab = {token: index for index, token in enumerate([*SPECIAL, *own.vocab[5:], ""])}
    assert len(vocab) == 610
    added = [{"id": vocab[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for token in SPECIAL]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": "[UNK]", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "vocab": vocab, "merges": merges},
    }


def test_grover(tmp_path: Path, grover_vocabulary: dict[str, Any]) -> None:
    """A vocabulary of 610 entries over 609 rows, a pooler that nobody uses, and padding that is token 3, not 0."""
    theirs, tensors = theirs_of(GROVER_JSON)
    write(tmp_path, GROVER_JSON, tensors)
    (tmp_path / "tokenizer.json").write_text(json.dumps(grover_vocabulary))
    check_equal(tmp_path, theirs, "GATTACACCCGTTTAGGAAACCTTTGCA" * 8)
    config = load_checkpoint(tmp_path, "masked_lm")[0].config
    assert (config.pad_id, config.cls_id, config.sep_id, config.vocab_size) == (3, 1, 2, 609)


def test_dnabert(tmp_path: Path) -> None:
    """Its vocab.txt ends without a line break; its config.json holds words that no other model knows."""
    theirs, tensors = theirs_of(DNABERT_JSON)
    write(tmp_path, DNABERT_JSON, tensors)
    (tmp_path / "vocab.txt").write_text("\n".join(KmerTokenizer(3, True).vocab))
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false, "max_len": 512}')
    (tmp_path / "special_tokens_map.json").write_text('{"unk_token": "[UNK]", "mask_token": "[MASK]"}')
    check_equal(tmp_path, theirs, "TAGCGTATGGCATTACG")


def test_an_old_bert_with_gamma_and_beta(tmp_path: Path) -> None:
    """BERT's first files name the scale and shift of a LayerNorm so."""
    theirs, tensors = theirs_of(DNABERT_JSON)
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
           for name, tensor in tensors.items()}
    assert sum(name.endswith("gamma") for name in old) == 6
    write(tmp_path, DNABERT_JSON, old)
    KmerTokenizer(3, True).save(tmp_path)
    check_equal(tmp_path, theirs, "TAGCGTATGGCATTACG")


def test_a_published_classifier_is_none_of_ours(tmp_path: Path) -> None:
    """DNABERT's labels are a habit of its writer: the folder is no classifier, one made of it is."""
    _, tensors = theirs_of(DNABERT_JSON)
    write(tmp_path, DNABERT_JSON, tensors)
    KmerTokenizer(3, True).save(tmp_path)
    with pytest.raises(CheckpointError, match="not a lingome classifier"):
        load_checkpoint(tmp_path, "classifier")
    model, tokenizer = load_checkpoint(tmp_path, "masked_lm")
    classifier = build_classifier(model.config, label_names=("no", "yes"), body=model.body)
    save_checkpoint(tmp_path / "tuned", classifier, tokenizer)
    assert load_checkpoint(tmp_path / "tuned", "classifier")[0].config.label_names == ("no", "yes")
