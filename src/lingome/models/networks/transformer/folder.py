"""Names and settings of transformer encoders in Hugging Face's folders, both ways.

- ``bert``: learned positions, post-norm, GELU, biases; ``transformers.BertForMaskedLM``;
- ``modernbert``: rotary, pre-norm, gated GELU, no biases, every layer global or only each n-th;
  ``transformers.ModernBertForMaskedLM``;
- ``mosaicbert`` (DNABERT-2): ALiBi, post-norm, gated GELU with a bias on its last matrix alone. Published
  folders say ``bert`` and bring code of their own; what is written here says ``mosaicbert``, lest
  transformers take it for a BERT and fill what it does not find with random numbers;
- ``lingome``: every other mix, under our own names, read by lingome alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lingome.core.errors import CheckpointError
from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import Family, own_family, within
from lingome.models.networks.transformer.shape import TransformerConfig

_OUTPUT_BIAS = "cls.predictions.bias"
_DECODER_BIAS = "cls.predictions.decoder.bias"
_BERT_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "bert.embeddings.word_embeddings",
    "body.places": "bert.embeddings.position_embeddings",
    "body.segments": "bert.embeddings.token_type_embeddings",
    "body.embedding_norm": "bert.embeddings.LayerNorm",
    "head.dense": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "head.decoder.bias": _OUTPUT_BIAS,
    "head.decoder": "cls.predictions.decoder",
    **within("body.layers.#", "bert.encoder.layer.#", {
        "qkv": tuple(f"attention.self.{name}" for name in ("query", "key", "value")),
        "attention_out": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
        "ffn_in": "intermediate.dense", "ffn_out": "output.dense", "ffn_norm": "output.LayerNorm",
    }),
}
_BERT_SPARE = (
    "bert.pooler.", "cls.seq_relationship.", "bert.embeddings.position_ids", "bert.embeddings.token_type_ids",
    _DECODER_BIAS,
)
"""Parts of published BERT files that a masked language model does not use."""

_MODERNBERT_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "model.embeddings.tok_embeddings",
    "body.embedding_norm": "model.embeddings.norm",
    "body.final_norm": "model.final_norm",
    "head.dense": "head.dense",
    "head.norm": "head.norm",
    "head.decoder": "decoder",
    **within("body.layers.#", "model.layers.#", {
        "qkv": "attn.Wqkv", "attention_out": "attn.Wo", "attention_norm": "attn_norm", "ffn_in": "mlp.Wi",
        "ffn_out": "mlp.Wo", "ffn_norm": "mlp_norm",
    }),
}


_MOSAICBERT_PARTS: dict[str, str | tuple[str, ...]] = {
    **{ours: theirs for ours, theirs in _BERT_PARTS.items() if ours not in ("body.places", "head.decoder.bias")},
    **within("body.layers.#", "bert.encoder.layer.#", {
        "qkv": "attention.self.Wqkv", "ffn_in": "mlp.gated_layers", "ffn_out": "mlp.wo", "ffn_norm": "mlp.layernorm",
    }),
}


def is_mix(config: TransformerConfig, **values: object) -> bool:
    """Say whether a shape has these values, and the plain ones of all parts that are not named."""
    plain: dict[str, object] = {
        "n_kv_heads": 0, "norm_kind": "layer", "first_norm": "embedding", "ffn_bias": "all", "local_window": 0,
        "position_offset": 0, "token_dropout": 0.0,
    }
    return all(getattr(config, name) == value for name, value in (plain | values).items())


def _is_bert(config: TransformerConfig) -> bool:
    return is_mix(config, positions="learned", norm="post", ffn="gelu", bias=True) and config.n_segments > 0


def _is_modernbert(config: TransformerConfig) -> bool:
    return is_mix(config, positions="rotary", norm="pre", ffn="geglu", bias=False, local_window=config.local_window)


def _is_mosaicbert(config: TransformerConfig) -> bool:
    mix = is_mix(config, positions="alibi", norm="post", ffn="geglu", bias=True, ffn_bias="out")
    return mix and config.n_segments > 0 and config.tie_head


def rename_norms(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name scales and shifts of norms as PyTorch does: older files, and some writers still, say gamma and beta.

    Takes and gives tensors by name, each of any shape; (D,) are those that are renamed.
    """
    new = {"gamma": "weight", "beta": "bias"}
    renamed = {}
    for name, tensor in tensors.items():
        start, _, kind = name.rpartition(".")
        renamed[f"{start}.{new[kind]}" if start.endswith("LayerNorm") and kind in new else name] = tensor
    return renamed


def _pick_bias(tensors: dict[str, Tensor], config: TransformerConfig) -> tuple[dict[str, Tensor], list[str]]:
    """Take the output's bias where an untied model has it: transformers 5 adds the decoder's, 4 shares both."""
    tensors = rename_norms(tensors)
    if not config.tie_head and _DECODER_BIAS in tensors:
        tensors = {**tensors, _OUTPUT_BIAS: tensors[_DECODER_BIAS]}
    return tensors, []


def _name_bias(tensors: dict[str, Tensor], config: TransformerConfig) -> tuple[dict[str, Tensor], list[str]]:
    """Take the output's bias under BERT's name for it, too."""
    tensors = rename_norms(tensors)
    if _OUTPUT_BIAS in tensors:
        tensors.setdefault(_DECODER_BIAS, tensors.pop(_OUTPUT_BIAS))
    return tensors, []


def _repeat_bias(tensors: dict[str, Tensor], config: TransformerConfig) -> dict[str, Tensor]:
    """Write the output's bias of an untied model under both of its names."""
    if not config.tie_head and _OUTPUT_BIAS in tensors:
        tensors[_DECODER_BIAS] = tensors[_OUTPUT_BIAS]
    return tensors


def write_shared(config: TransformerConfig) -> dict[str, Any]:
    """Give the settings that all families of encoders write alike."""
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "intermediate_size": config.ffn_size,
        "max_position_embeddings": config.max_positions,
        "initializer_range": 0.02,
        "tie_word_embeddings": config.tie_head,
        "pad_token_id": config.pad_id,
        "cls_token_id": config.cls_id,
        "sep_token_id": config.sep_id,
        "bos_token_id": config.cls_id,
        "eos_token_id": config.sep_id,
    }


def _write_bert(config: TransformerConfig) -> dict[str, Any]:
    return write_shared(config) | {
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "layer_norm_eps": config.norm_eps,
        "type_vocab_size": config.n_segments,
        "position_embedding_type": "absolute",
    }


def _write_modernbert(config: TransformerConfig) -> dict[str, Any]:
    turns = {"full_attention": config.rope_theta, "sliding_attention": config.rope_theta}
    local: dict[str, Any] = {}
    if config.local_window:
        turns["sliding_attention"] = config.local_rope_theta
        local = {"local_attention": config.local_window, "local_rope_theta": config.local_rope_theta}
    kinds = ["sliding_attention" if config.is_local(layer) else "full_attention" for layer in range(config.n_layers)]
    return write_shared(config) | {
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "attention_dropout": config.dropout,
        "embedding_dropout": config.dropout,
        "mlp_dropout": config.dropout,
        "norm_eps": config.norm_eps,
        "norm_bias": False, "attention_bias": False, "mlp_bias": False, "classifier_bias": False,
        "decoder_bias": True,
        "layer_types": kinds,
        "rope_parameters": {kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in turns.items()},
        # The same for transformers 4, which reads these instead.
        "global_attn_every_n_layers": config.global_every if config.local_window else 1,
        "global_rope_theta": config.rope_theta,
        **local,
    }


def _write_mosaicbert(config: TransformerConfig) -> dict[str, Any]:
    return _write_bert(config) | {"alibi_starting_size": config.max_positions}


_KEYS = {
    "vocab_size": "vocab_size", "hidden_size": "hidden_size", "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads", "ffn_size": "intermediate_size", "max_positions": "max_position_embeddings",
}


def read_shared(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Read the settings that all families of encoders write alike, as fields of the shape."""
    values: dict[str, Any] = {ours: read_number(content, theirs, int, file) for ours, theirs in _KEYS.items()}
    values["tie_head"] = bool(content.get("tie_word_embeddings", True))
    for ours, theirs in (("pad_id", "pad_token_id"), ("cls_id", "cls_token_id"), ("sep_id", "sep_token_id")):
        token = content.get(theirs)  # often wrong in published files, and the tokenizer has the last word
        if isinstance(token, int) and 0 <= token < values["vocab_size"]:
            values[ours] = token
    return values


def _read_bert(content: Mapping[str, Any], file: Path) -> TransformerConfig:
    check_values(content, {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}, file)
    return TransformerConfig(**read_shared(content, file) | {
        "positions": "learned", "norm": "post", "ffn": "gelu", "bias": True,
        "dropout": read_number(content, "hidden_dropout_prob", float, file, 0.1),
        "norm_eps": read_number(content, "layer_norm_eps", float, file, 1e-12),
        "n_segments": read_number(content, "type_vocab_size", int, file, 2),
    })


def _read_modernbert(content: Mapping[str, Any], file: Path) -> TransformerConfig:
    bare = dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), False)
    usual = {"hidden_activation": "gelu", "classifier_activation": "gelu", "decoder_bias": True}
    check_values(content, usual | bare, file)
    values = read_shared(content, file)
    every = _read_pattern(content, values["n_layers"], file)
    if every > 1:
        values |= {
            "global_every": every,
            "local_window": read_number(content, "local_attention", int, file, 128) // 2 * 2,
            "local_rope_theta": _read_theta(content, "sliding_attention", "local_rope_theta", 10_000.0, file),
        }
    return TransformerConfig(**values | {
        "positions": "rotary", "norm": "pre", "ffn": "geglu", "bias": False,
        "dropout": read_number(content, "mlp_dropout", float, file, 0.0),
        "norm_eps": read_number(content, "norm_eps", float, file, 1e-5),
        "rope_theta": _read_theta(content, "full_attention", "global_rope_theta", 160_000.0, file),
    })


def _read_pattern(content: Mapping[str, Any], n_layers: int, file: Path) -> int:
    """Read n, where layers 0, n, 2n ... are global: 1 if all are."""
    every: int = read_number(content, "global_attn_every_n_layers", int, file, 3)
    kinds = content.get("layer_types")
    if kinds is None:
        return every
    if not isinstance(kinds, list) or len(kinds) != n_layers:
        raise CheckpointError("layer_types does not fit", where=file, got=repr(kinds)[:200],
                              expected=f"{n_layers} of full_attention or sliding_attention")
    whole = [kind == "full_attention" for kind in kinds]
    second = next((layer for layer in range(1, n_layers) if whole[layer]), n_layers)
    for n in (every, second):
        if n >= 1 and kinds == ["sliding_attention" if layer % n else "full_attention" for layer in range(n_layers)]:
            return n
    raise CheckpointError("such a mix of local and global layers cannot be read", where=file, got=", ".join(kinds),
                          expected="full_attention in layers 0, n, 2n ... and sliding_attention in the others")


def _read_theta(content: Mapping[str, Any], kind: str, old_name: str, usual: float, file: Path) -> float:
    """Read the base of the wavelengths of a kind of layer, as transformers 5 or 4 writes it."""
    rope = content.get("rope_parameters") or {}
    rope = rope.get(kind, rope) if isinstance(rope, dict) else None
    if not isinstance(rope, dict):
        raise CheckpointError("rope_parameters cannot be read", where=file, got=repr(content["rope_parameters"])[:200])
    check_values(rope, {"rope_type": "default"}, file)
    theta: float = read_number(rope, "rope_theta", float, file, read_number(content, old_name, float, file, usual))
    return theta


def _read_mosaicbert(content: Mapping[str, Any], file: Path) -> TransformerConfig:
    config = _read_bert(content, file)
    longest = read_number(content, "alibi_starting_size", int, file)
    return dataclasses.replace(
        config, positions="alibi", ffn="geglu", ffn_bias="out", max_positions=max(longest, config.max_positions)
    )


def _has_alibi(content: Mapping[str, Any]) -> bool:
    return "alibi_starting_size" in content


TIES = {"head.decoder.weight": "body.tokens.weight"}
FAMILIES = (
    Family(
        "mosaicbert", TransformerConfig, _read_mosaicbert, _write_mosaicbert, "masked_lm", "LingomeMaskedLM",
        fits=_is_mosaicbert, model_types=("bert",), recognises=_has_alibi, parts=_MOSAICBERT_PARTS, body="bert.",
        ties=TIES, spare=_BERT_SPARE[:-1], prepare=_name_bias,
    ),
    Family(
        "bert", TransformerConfig, _read_bert, _write_bert, "masked_lm", "BertForMaskedLM", "transformers",
        fits=_is_bert, parts=_BERT_PARTS, body="bert.", ties=TIES, spare=_BERT_SPARE, prepare=_pick_bias,
        finish=_repeat_bias,
    ),
    Family(
        "modernbert", TransformerConfig, _read_modernbert, _write_modernbert, "masked_lm", "ModernBertForMaskedLM",
        "transformers", fits=_is_modernbert, parts=_MODERNBERT_PARTS, body="model.", ties=TIES,
    ),
    own_family("lingome", TransformerConfig, "masked_lm", "LingomeMaskedLM", ties=TIES),
)
