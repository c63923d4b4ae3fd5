"""Names and settings of decoders in Hugging Face's folders, both ways.

Five families, chosen by the shape; the first that fits is written:

- ``gpt2``: learned positions, LayerNorm, GELU (tanh), biases, a head of keys a head of queries;
  ``transformers.GPT2LMHeadModel``. Its matrices are kept transposed, (in, out);
- ``mixtral``: rotary, RMSNorm, SwiGLU experts, no biases; ``transformers.MixtralForCausalLM``;
- ``mistral``: the same with one feed-forward and a sliding window; ``transformers.MistralForCausalLM``;
- ``llama``: no window, biases or none; ``transformers.LlamaForCausalLM``;
- ``lingome-decoder``: every other mix, under our own names, read by lingome alone.

A classifier of theirs (``...ForSequenceClassification``) reads the last real token: `pooling` is then ``last``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError
from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import CLASSIFIER, Family, own_family, read_fields, within
from lingome.models.networks.decoder.shape import DecoderConfig

_GPT2_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "transformer.wte",
    "body.places": "transformer.wpe",
    "body.final_norm": "transformer.ln_f",
    "head": "lm_head",
    **within("body.layers.#", "transformer.h.#", {
        "attention_norm": "ln_1", "qkv": "attn.c_attn", "attention_out": "attn.c_proj",
        "ffn_norm": "ln_2", "ffn_in": "mlp.c_fc", "ffn_out": "mlp.c_proj",
    }),
}
_LLAMA_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "model.embed_tokens",
    "body.final_norm": "model.norm",
    "head": "lm_head",
    **within("body.layers.#", "model.layers.#", {
        "attention_norm": "input_layernorm",
        "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "attention_out": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_in": ("mlp.gate_proj", "mlp.up_proj"),
        "ffn_out": "mlp.down_proj",
    }),
}
_MIXTRAL_PARTS: dict[str, str | tuple[str, ...]] = {
    **_LLAMA_PARTS,
    **within("body.layers.#.mixture", "model.layers.#.block_sparse_moe", {
        "router": "gate", "experts.#.ffn_in": ("experts.#.w1", "experts.#.w3"), "experts.#.ffn_out": "experts.#.w2",
    }),
}


def _is_gpt2(config: DecoderConfig) -> bool:
    mix = (config.positions, config.norm, config.ffn) == ("learned", "layer", "gelu_tanh")
    plain = config.n_kv_heads == config.n_heads and not (config.head_dim or config.window or config.n_experts)
    return mix and plain and config.bias


def _is_llama(config: DecoderConfig) -> bool:
    return (config.positions, config.norm, config.ffn) == ("rotary", "rms", "swiglu") and not (
        config.window or config.n_experts
    )


def _is_mistral(config: DecoderConfig) -> bool:
    """Say whether only window and experts keep a shape from being a Llama without biases."""
    return not config.bias and _is_llama(dataclasses.replace(config, window=0, n_experts=0))


def _rows(name: str, rows: int, n_names: int, config: DecoderConfig) -> list[int]:
    """Give the rows of each part of one of our tensors, which may be stacked from several.

    >>> _rows("body.layers.0.qkv.weight", 96, 3, DecoderConfig(hidden_size=64, n_kv_heads=1))
    [64, 16, 16]
    """
    if n_names == 3:
        return [config.n_heads * config.head_size, *[config.n_kv_heads * config.head_size] * 2]
    return [rows // n_names] * n_names


def _shared_settings(config: DecoderConfig) -> dict[str, Any]:
    tokens = {"bos_token_id": config.bos_id, "eos_token_id": config.eos_id, "pad_token_id": config.pad_id}
    return {
        **tokens, "vocab_size": config.vocab_size, "initializer_range": 0.02, "tie_word_embeddings": config.tie_head,
    }


def _write_gpt2(config: DecoderConfig) -> dict[str, Any]:
    return _shared_settings(config) | {
        "n_embd": config.hidden_size, "n_layer": config.n_layers, "n_head": config.n_heads,
        "n_inner": config.ffn_size, "n_positions": config.max_positions, "activation_function": "gelu_new",
        "attn_pdrop": config.dropout, "embd_pdrop": config.dropout, "resid_pdrop": config.dropout,
        "layer_norm_epsilon": config.norm_eps,
    }


def _write_llama(config: DecoderConfig) -> dict[str, Any]:
    content = _shared_settings(config) | {
        "hidden_size": config.hidden_size, "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads, "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_size, "intermediate_size": config.ffn_size,
        "max_position_embeddings": config.max_positions, "hidden_act": "silu", "rms_norm_eps": config.norm_eps,
        "attention_dropout": config.dropout,
        "rope_theta": config.rope_theta,  # for transformers 4; 5 reads the next
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }
    if config.n_experts or config.window:
        content["sliding_window"] = config.window or None
    else:
        content |= {"attention_bias": config.bias, "mlp_bias": config.bias}
    if config.n_experts:
        content |= {"num_local_experts": config.n_experts, "num_experts_per_tok": config.n_experts_per_token}
    return content


def _read_gpt2(content: Mapping[str, Any], file: Path) -> DecoderConfig:
    """Read the settings of a GPT-2.

    Raises
    ------
    CheckpointError
        If a value is missing, or the model is a variant that cannot be read.
    """
    usual = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}
    check_values(content, usual, file)
    if content.get("activation_function") != "gelu_pytorch_tanh":  # another name of the same formula
        check_values(content, {"activation_function": "gelu_new"}, file)
    values = _numbers(content, file, {
        "vocab_size": "vocab_size", "hidden_size": "n_embd", "n_layers": "n_layer", "n_heads": "n_head",
        "max_positions": "n_positions",
    })
    ffn_size = 4 * values["hidden_size"]
    if content.get("n_inner") is not None:
        ffn_size = read_number(content, "n_inner", int, file)
    return DecoderConfig(**values, **_read_shared(content, values["vocab_size"], tied=True), **{
        "positions": "learned", "norm": "layer", "ffn": "gelu_tanh", "bias": True,
        "n_kv_heads": values["n_heads"], "ffn_size": ffn_size,
        "dropout": read_number(content, "resid_pdrop", float, file, 0.1),
        "norm_eps": read_number(content, "layer_norm_epsilon", float, file, 1e-5),
    })


def _read_llama(content: Mapping[str, Any], file: Path) -> DecoderConfig:
    """Read the settings of a Llama, a Mistral or a Mixtral; raise as `_read_gpt2` does."""
    check_values(content, {"hidden_act": "silu"}, file)
    values = _numbers(content, file, {
        "vocab_size": "vocab_size", "hidden_size": "hidden_size", "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads", "ffn_size": "intermediate_size", "max_positions": "max_position_embeddings",
    })
    kind = content.get("model_type")
    kv_heads = content.get("num_key_value_heads", values["n_heads"] if kind == "llama" else 8)
    bias = kind == "llama" and bool(content.get("attention_bias", False))
    check_values(content, {"mlp_bias": bias, "attention_bias": bias}, file)
    rope = content.get("rope_parameters") or content.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise CheckpointError("rope_parameters cannot be read", where=file, got=repr(rope)[:200])
    check_values(rope, {"rope_type": "default", "type": "default"}, file)
    theta = read_number(content, "rope_theta", float, file, 1_000_000.0 if kind == "mixtral" else 10_000.0)
    if content.get("head_dim") is not None:
        head_dim = read_number(content, "head_dim", int, file)
        values["head_dim"] = 0 if head_dim * values["n_heads"] == values["hidden_size"] else head_dim
    if kind != "llama":
        values |= _read_window(content, file, values["max_positions"])
    if kind == "mixtral":
        values["n_experts"] = read_number(content, "num_local_experts", int, file, 8)
        values["n_experts_per_token"] = read_number(content, "num_experts_per_tok", int, file, 2)
    return DecoderConfig(**values, **_read_shared(content, values["vocab_size"], tied=False), **{
        "positions": "rotary", "norm": "rms", "ffn": "swiglu", "bias": bias,
        "n_kv_heads": values["n_heads"] if kv_heads is None else read_number({"kv": kv_heads}, "kv", int, file),
        "dropout": read_number(content, "attention_dropout", float, file, 0.0),
        "norm_eps": read_number(content, "rms_norm_eps", float, file, 1e-5 if kind == "mixtral" else 1e-6),
        "rope_theta": read_number(rope, "rope_theta", float, file, theta),
    })


def _read_window(content: Mapping[str, Any], file: Path, max_positions: int) -> dict[str, int]:
    """Read a sliding window; one that no sequence outgrows is none."""
    window = content.get("sliding_window", 4096 if content.get("model_type") == "mistral" else None)
    if window is None:
        return {}
    window = read_number({"sliding_window": window}, "sliding_window", int, file)
    return {"window": window if window < max_positions else 0}


def _read_own(content: Mapping[str, Any], file: Path) -> DecoderConfig:
    """Read a folder under our own names; those of earlier versions lack the later fields."""
    later = ("head_dim", "window", "n_experts", "n_experts_per_token")
    known = {name: DecoderConfig.__dataclass_fields__[name].default for name in later}
    known |= {"cls_id": content.get("bos_id"), "sep_id": content.get("eos_id")}
    config: DecoderConfig = read_fields({**known, **content}, file, DecoderConfig)
    return config


def _numbers(content: Mapping[str, Any], file: Path, names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: read_number(content, theirs, int, file) for ours, theirs in names.items()}


def _read_shared(content: Mapping[str, Any], vocab_size: int, *, tied: bool) -> dict[str, Any]:
    """Read what all have: ids that fit the vocabulary (the tokenizer has the last word), ties, a classifier's pooling.

    transformers leaves the names of the classes out of the file where there are two without names.
    """
    found: dict[str, Any] = {"tie_head": bool(content.get("tie_word_embeddings", tied))}
    for ours, theirs in (("pad_id", "pad_token_id"), ("cls_id", "bos_token_id"), ("sep_id", "eos_token_id")):
        token = content.get(theirs)
        if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < vocab_size:
            found[ours] = token
    architectures = content.get("architectures")
    if isinstance(architectures, list) and str(*architectures[:1]).endswith("ForSequenceClassification"):
        names = content.get("id2label")
        if not isinstance(names, dict) or not names:
            names = {"0": "0", "1": "1"}
        found |= {"pooling": "last", "label_names": tuple(str(names[key]) for key in sorted(names, key=int))}
    return found


def _name_classifier(config: DecoderConfig) -> tuple[str, str]:
    """Name the head's tensors and the class: transformers' own where it reads the last token as theirs does."""
    if config.pooling == "mean":
        return CLASSIFIER, "LingomeSequenceClassifier"
    theirs = next(one for one in FAMILIES if one.fits(config)).architecture
    return "score", theirs.replace("LMHeadModel", "ForSequenceClassification").replace(
        "ForCausalLM", "ForSequenceClassification"
    )


_TIES = {"head.weight": "body.tokens.weight"}
_SPARE = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")  # causal masks and rotary tables: no weights

FAMILIES: tuple[Family, ...] = (
    Family(
        "gpt2", DecoderConfig, _read_gpt2, _write_gpt2, "causal_lm", "GPT2LMHeadModel", "transformers", _is_gpt2,
        parts=_GPT2_PARTS, body="transformer.", ties=_TIES, spare_ends=_SPARE, rows=_rows,
        classifier=_name_classifier, spare=("transformer.lm_head.",),
        transposed=("qkv.weight", "attention_out.weight", "ffn_in.weight", "ffn_out.weight"),
    ),
    *(
        Family(
            name, DecoderConfig, _read_llama, _write_llama, "causal_lm", architecture, "transformers", fits,
            parts=parts, body="model.", ties=_TIES, spare_ends=_SPARE, rows=_rows,
            classifier=_name_classifier,
        )
        for name, architecture, fits, parts in (
            ("mixtral", "MixtralForCausalLM", lambda c: c.n_experts > 0 and _is_mistral(c), _MIXTRAL_PARTS),
            ("mistral", "MistralForCausalLM", lambda c: c.window > 0 and not c.n_experts and _is_mistral(c),
             _LLAMA_PARTS),
            ("llama", "LlamaForCausalLM", _is_llama, _LLAMA_PARTS),
        )
    ),
    dataclasses.replace(
        own_family("lingome-decoder", DecoderConfig, "causal_lm", "LingomeCausalLM", ties=_TIES),
        read_config=_read_own, classifier=_name_classifier,
    ),
)
"""The first that fits a shape is written."""
