"""Names and settings of decoders in Hugging Face's folders, both ways.

Three families, chosen by the shape (`find_decoder_family`):

- ``gpt2``: learned positions, LayerNorm, GELU (tanh), biases, a head of keys a head of queries;
  ``transformers.GPT2LMHeadModel``. Its matrices are kept transposed, (in, out);
- ``llama``: rotary, RMSNorm, SwiGLU; ``transformers.LlamaForCausalLM``. ``mistral`` is read too, and is
  the same model up to the width of its sliding window, which becomes the longest sequence;
- ``lingome-decoder``: every other mix, under our own names, read by lingome alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError
from lingome.models.config_json import check_values, read_number
from lingome.models.shapes import DecoderConfig

DECODER_BODY = {"gpt2": "transformer.", "llama": "model.", "lingome-decoder": "body."}
"""Prefix of the body's tensors."""

ARCHITECTURES = {
    "gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "lingome-decoder": "LingomeCausalLM",
}

DECODER_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "gpt2": {
        "body.tokens": ("transformer.wte",),
        "body.places": ("transformer.wpe",),
        "body.final_norm": ("transformer.ln_f",),
        "head": ("lm_head",),
        "attention_norm": ("transformer.h.#.ln_1",),
        "qkv": ("transformer.h.#.attn.c_attn",),
        "attention_out": ("transformer.h.#.attn.c_proj",),
        "ffn_norm": ("transformer.h.#.ln_2",),
        "ffn_in": ("transformer.h.#.mlp.c_fc",),
        "ffn_out": ("transformer.h.#.mlp.c_proj",),
    },
    "llama": {
        "body.tokens": ("model.embed_tokens",),
        "body.final_norm": ("model.norm",),
        "head": ("lm_head",),
        "attention_norm": ("model.layers.#.input_layernorm",),
        "qkv": tuple(f"model.layers.#.self_attn.{name}_proj" for name in "qkv"),
        "attention_out": ("model.layers.#.self_attn.o_proj",),
        "ffn_norm": ("model.layers.#.post_attention_layernorm",),
        "ffn_in": ("model.layers.#.mlp.gate_proj", "model.layers.#.mlp.up_proj"),
        "ffn_out": ("model.layers.#.mlp.down_proj",),
    },
}

DECODER_SPARE = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")
"""Ends of names in published files that are no weights: causal masks and rotary tables."""

_TRANSPOSED = ("qkv.weight", "attention_out.weight", "ffn_in.weight", "ffn_out.weight")


def find_decoder_family(config: DecoderConfig) -> str:
    """Say under which ``model_type`` a decoder is saved."""
    mix = (config.positions, config.norm, config.ffn)
    if mix == ("learned", "layer", "gelu_tanh") and config.bias and config.n_kv_heads == config.n_heads:
        return "gpt2"
    return "llama" if mix == ("rotary", "rms", "swiglu") else "lingome-decoder"


def is_transposed(name: str, family: str) -> bool:
    """Say whether the file keeps one of our tensors as (in, out), as GPT-2's matrices are."""
    return family == "gpt2" and name.endswith(_TRANSPOSED)


def stacked_rows(name: str, rows: int, n_names: int, config: DecoderConfig) -> list[int]:
    """Give the rows of each part of one of our tensors, which may be stacked from several.

    >>> stacked_rows("body.layers.0.qkv.weight", 96, 3, DecoderConfig(hidden_size=64, n_kv_heads=1))
    [64, 16, 16]
    """
    if n_names == 3:
        return [config.hidden_size, *[config.n_kv_heads * config.head_size] * 2]
    return [rows // n_names] * n_names


def to_decoder_json(config: DecoderConfig) -> dict[str, Any]:
    """Give the settings of a ``gpt2`` or ``llama`` shape, under transformers' names."""
    tokens = {"bos_token_id": config.bos_id, "eos_token_id": config.eos_id, "pad_token_id": config.pad_id}
    shared = {
        **tokens, "vocab_size": config.vocab_size, "initializer_range": 0.02, "tie_word_embeddings": config.tie_head,
    }
    if find_decoder_family(config) == "gpt2":
        return shared | {
            "n_embd": config.hidden_size, "n_layer": config.n_layers, "n_head": config.n_heads,
            "n_inner": config.ffn_size, "n_positions": config.max_positions, "activation_function": "gelu_new",
            "attn_pdrop": config.dropout, "embd_pdrop": config.dropout, "resid_pdrop": config.dropout,
            "layer_norm_epsilon": config.norm_eps,
        }
    return shared | {
        "hidden_size": config.hidden_size, "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads, "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_size, "intermediate_size": config.ffn_size,
        "max_position_embeddings": config.max_positions, "hidden_act": "silu", "rms_norm_eps": config.norm_eps,
        "attention_bias": config.bias, "mlp_bias": config.bias, "attention_dropout": config.dropout,
        "rope_theta": config.rope_theta,  # for transformers 4; 5 reads the next
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
    }


def read_gpt2(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
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
    values = {
        ours: read_number(content, theirs, int, file)
        for ours, theirs in (
            ("vocab_size", "vocab_size"), ("hidden_size", "n_embd"), ("n_layers", "n_layer"), ("n_heads", "n_head"),
            ("max_positions", "n_positions"),
        )
    }
    ffn_size = 4 * values["hidden_size"]
    if content.get("n_inner") is not None:
        ffn_size = read_number(content, "n_inner", int, file)
    return values | _tokens(content, values["vocab_size"]) | {
        "positions": "learned", "norm": "layer", "ffn": "gelu_tanh", "bias": True,
        "n_kv_heads": values["n_heads"], "ffn_size": ffn_size,
        "dropout": read_number(content, "resid_pdrop", float, file, 0.1),
        "norm_eps": read_number(content, "layer_norm_epsilon", float, file, 1e-5),
        "tie_head": bool(content.get("tie_word_embeddings", True)),
    }


def read_llama(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Read the settings of a Llama or a Mistral; raise as `read_gpt2` does."""
    check_values(content, {"hidden_act": "silu"}, file)
    values = {
        ours: read_number(content, theirs, int, file)
        for ours, theirs in (
            ("vocab_size", "vocab_size"), ("hidden_size", "hidden_size"), ("n_layers", "num_hidden_layers"),
            ("n_heads", "num_attention_heads"), ("ffn_size", "intermediate_size"),
            ("max_positions", "max_position_embeddings"),
        )
    }
    if content.get("head_dim") is not None and values["n_heads"]:
        check_values(content, {"head_dim": values["hidden_size"] // values["n_heads"]}, file)
    kv_heads = content.get("num_key_value_heads")
    mistral = content.get("model_type") == "mistral"
    if mistral and content.get("sliding_window", 4096) is not None:
        # Up to this length the window hides nothing; beyond it the model would be another one.
        window = read_number(content, "sliding_window", int, file, 4096)
        values["max_positions"] = min(values["max_positions"], window)
    bias = bool(content.get("attention_bias", False))
    check_values(content, {"mlp_bias": bias}, file)
    rope = content.get("rope_parameters") or content.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise CheckpointError("rope_parameters cannot be read", where=file, got=repr(rope)[:200])
    check_values(rope, {"rope_type": "default", "type": "default"}, file)
    theta = read_number(content, "rope_theta", float, file, 10_000.0)
    return values | _tokens(content, values["vocab_size"]) | {
        "positions": "rotary", "norm": "rms", "ffn": "swiglu", "bias": bias,
        "n_kv_heads": read_number(content, "num_key_value_heads", int, file) if kv_heads is not None else
        (8 if mistral and "num_key_value_heads" not in content else values["n_heads"]),
        "dropout": read_number(content, "attention_dropout", float, file, 0.0),
        "norm_eps": read_number(content, "rms_norm_eps", float, file, 1e-6),
        "rope_theta": read_number(rope, "rope_theta", float, file, theta),
        "tie_head": bool(content.get("tie_word_embeddings", False)),
    }


def _tokens(content: Mapping[str, Any], vocab_size: int) -> dict[str, int]:
    """Read ids that fit the vocabulary; the tokenizer has the last word."""
    found = {}
    for ours, theirs in (("pad_id", "pad_token_id"), ("bos_id", "bos_token_id"), ("eos_id", "eos_token_id")):
        token = content.get(theirs)
        if isinstance(token, int) and not isinstance(token, bool) and 0 <= token < vocab_size:
            found[ours] = token
    return found
