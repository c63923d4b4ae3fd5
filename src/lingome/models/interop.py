"""Names and settings of a model in Hugging Face's folders, both ways.

Encoders and tables are here, decoders in `lingome.models.interop_decoder`; whole folders of either go
through the functions here. Four families beside the decoders', chosen by the shape (`find_family`):

- ``bert``: learned positions, post-norm, GELU, biases; ``transformers.BertForMaskedLM``;
- ``modernbert``: rotary, pre-norm, gated GELU, no biases, with global attention in every layer;
  ``transformers.ModernBertForMaskedLM``;
- ``lingome``: every other mix, under our own names, read by lingome alone;
- ``word2vec``: a table of static vectors, under our own names too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lingome import __version__
from lingome.core.errors import CheckpointError, ConfigError
from lingome.models.config_json import check_values, read_number
from lingome.models.interop_decoder import (
    ARCHITECTURES,
    DECODER_BODY,
    DECODER_PARTS,
    DECODER_SPARE,
    find_decoder_family,
    is_transposed,
    read_gpt2,
    read_llama,
    stacked_rows,
    to_decoder_json,
)
from lingome.models.shapes import DecoderConfig, SavedShape, StaticConfig, TransformerConfig

CLASSIFIER = "mean_pool_classifier"
"""Tensors of our classifier. No name of transformers' own classifiers, whose heads pool otherwise
and would take these weights without a word."""

_BODY = {"bert": "bert.", "modernbert": "model.", "lingome": "body.", "word2vec": "body.", **DECODER_BODY}
_OWN_NAMES = ("lingome", "word2vec", "lingome-decoder")
_PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "bert": {
        "body.tokens": ("bert.embeddings.word_embeddings",),
        "body.places": ("bert.embeddings.position_embeddings",),
        "body.segments": ("bert.embeddings.token_type_embeddings",),
        "body.embedding_norm": ("bert.embeddings.LayerNorm",),
        "head.dense": ("cls.predictions.transform.dense",),
        "head.norm": ("cls.predictions.transform.LayerNorm",),
        "head.decoder": ("cls.predictions.decoder",),
        "qkv": tuple(f"bert.encoder.layer.#.attention.self.{name}" for name in ("query", "key", "value")),
        "attention_out": ("bert.encoder.layer.#.attention.output.dense",),
        "attention_norm": ("bert.encoder.layer.#.attention.output.LayerNorm",),
        "ffn_in": ("bert.encoder.layer.#.intermediate.dense",),
        "ffn_out": ("bert.encoder.layer.#.output.dense",),
        "ffn_norm": ("bert.encoder.layer.#.output.LayerNorm",),
    },
    "modernbert": {
        "body.tokens": ("model.embeddings.tok_embeddings",),
        "body.embedding_norm": ("model.embeddings.norm",),
        "body.final_norm": ("model.final_norm",),
        "head.dense": ("head.dense",),
        "head.norm": ("head.norm",),
        "head.decoder": ("decoder",),
        "qkv": ("model.layers.#.attn.Wqkv",),
        "attention_out": ("model.layers.#.attn.Wo",),
        "attention_norm": ("model.layers.#.attn_norm",),
        "ffn_in": ("model.layers.#.mlp.Wi",),
        "ffn_out": ("model.layers.#.mlp.Wo",),
        "ffn_norm": ("model.layers.#.mlp_norm",),
    },
    **DECODER_PARTS,
}
_SPARE = ("bert.pooler.", "cls.seq_relationship.", "bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
"""Parts of published BERT files that a masked language model does not use."""


def find_family(config: SavedShape) -> str:
    """Say under which ``model_type`` a shape is saved."""
    if isinstance(config, StaticConfig):
        return "word2vec"
    if isinstance(config, DecoderConfig):
        return find_decoder_family(config)
    mix = (config.positions, config.norm, config.ffn, config.bias)
    return {
        ("learned", "post", "gelu", True): "bert",
        ("rotary", "pre", "geglu", False): "modernbert",
    }.get(mix, "lingome")


def file_names(name: str, family: str) -> tuple[str, ...]:
    """Give the name in the file of one of our tensors; three names where ours is three stacked.

    >>> file_names("body.layers.0.qkv.weight", "modernbert")
    ('model.layers.0.attn.Wqkv.weight',)
    """
    part, kind = name.rsplit(".", 1)
    if part == "head" and family not in DECODER_BODY:
        return (f"{CLASSIFIER}.{kind}",)
    if family in _OWN_NAMES:
        return (name,)
    if name == "head.decoder.bias" and family == "bert":
        return ("cls.predictions.bias",)
    if part.startswith("body.layers."):
        index, part = part.removeprefix("body.layers.").split(".", 1)
        return tuple(f"{place.replace('#', index)}.{kind}" for place in _PARTS[family][part])
    return tuple(f"{place}.{kind}" for place in _PARTS[family][part])


def to_file(state: Mapping[str, Tensor], config: SavedShape) -> dict[str, Tensor]:
    """Turn our tensors into those of the file; a tied output matrix is left out."""
    family = find_family(config)
    tensors: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name == _tied_name(config):
            continue
        names = file_names(name, family)
        parts = torch.split(tensor, _rows(name, tensor.shape[0], len(names), config), dim=0)
        tensors.update(zip(names, (part.t() if is_transposed(name, family) else part for part in parts), strict=True))
    if _has_two_biases(config) and "cls.predictions.bias" in tensors:
        tensors[_DECODER_BIAS] = tensors["cls.predictions.bias"]
    return tensors


_DECODER_BIAS = "cls.predictions.decoder.bias"


def _tied_name(config: SavedShape) -> str | None:
    """Name our tensor that is the embedding matrix again."""
    if isinstance(config, StaticConfig) or not config.tie_head:
        return None
    return "head.weight" if isinstance(config, DecoderConfig) else "head.decoder.weight"


def _rows(name: str, rows: int, n_names: int, config: SavedShape) -> list[int]:
    """Give the rows of each tensor of the file that one of ours is stacked from."""
    if isinstance(config, DecoderConfig):
        return stacked_rows(name, rows, n_names, config)
    return [rows // n_names] * n_names


def _has_two_biases(config: SavedShape) -> bool:
    """Say whether transformers keeps BERT's output bias under two names: 5 adds this one, 4 shares both."""
    return find_family(config) == "bert" and _tied_name(config) is None


def from_file(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], config: SavedShape, file: Path,
    *, body_only: bool = False,
) -> dict[str, Tensor]:
    """Turn the file's tensors into ours, in float32.

    Parameters
    ----------
    tensors : mapping
        Content of the file.
    shapes : mapping
        Our names and the shape that each must have.
    config : TransformerConfig, StaticConfig or DecoderConfig
        The model's shape.
    file : Path
        Named in errors.
    body_only : bool
        Whether tensors outside the body are left unread.

    Raises
    ------
    CheckpointError
        If tensors are missing, unexpected or of another shape; the message names them.
    """
    family = find_family(config)
    prefix = _BODY[family]
    if (body_only or family == "gpt2") and not any(name.startswith(prefix) for name in tensors):
        # Saved by BertModel, ModernBertModel, GPT2Model; the published GPT-2 are such files.
        tensors = {name if name.startswith("lm_head.") else prefix + name: part for name, part in tensors.items()}
    if _has_two_biases(config) and _DECODER_BIAS in tensors:
        tensors = {**tensors, "cls.predictions.bias": tensors[_DECODER_BIAS]}
    wanted: dict[str, tuple[str, ...]] = {name: file_names(name, family) for name in shapes}
    wanted.pop(_tied_name(config) or "", None)
    known = {name for names in wanted.values() for name in names}
    missing = sorted(known - tensors.keys())
    spare = (*_SPARE, *_tied(family, config))
    extra = [] if body_only else sorted(
        name for name in tensors.keys() - known
        if not name.startswith(spare) and not (family in DECODER_BODY and name.endswith(DECODER_SPARE))
    )
    problems = [f"missing {name}" for name in missing] + [f"unexpected {name}" for name in extra]
    found: dict[str, Tensor] = {}
    for name, names in wanted.items():
        if any(part in missing for part in names):
            continue
        turned = is_transposed(name, family)
        for part, rows in zip(names, _rows(name, shapes[name][0], len(names), config), strict=True):
            shape = [rows, *shapes[name][1:]]
            shape = shape[::-1] if turned else shape
            if list(tensors[part].shape) != shape:
                problems.append(f"{part} is {list(tensors[part].shape)}, config.json asks for {shape}")
            elif not tensors[part].is_floating_point():
                problems.append(f"{part} holds {tensors[part].dtype}, not floating-point numbers")
        if not problems:
            whole = torch.cat([tensors[part].float() for part in names])
            found[name] = whole.t().contiguous() if turned else whole
    if problems:
        shown = "; ".join(problems[:6]) + (f"; and {len(problems) - 6} more" if len(problems) > 6 else "")
        raise CheckpointError(
            "the weights do not fit the model that config.json describes", where=file, got=shown,
            expected=f"{len(known)} tensors of a {family} model, {config.n_layers} layers of {config.hidden_size}",
        )
    tied = _tied_name(config)
    if tied in shapes:
        found[str(tied)] = found["body.tokens.weight"]
    return found


def _tied(family: str, config: SavedShape) -> tuple[str, ...]:
    """Name tensors that some writers repeat though they are shared."""
    if family == "bert":
        return (_DECODER_BIAS, *(("cls.predictions.decoder.weight",) if _tied_name(config) else ()))
    repeated = {"modernbert": "decoder.weight", "gpt2": "lm_head.weight", "llama": "lm_head.weight"}
    return (repeated[family],) if family in repeated and _tied_name(config) else ()


def to_config_json(config: SavedShape, dtype: str = "float32") -> dict[str, Any]:
    """Give the content of ``config.json``."""
    family = find_family(config)
    if isinstance(config, DecoderConfig):
        head = _heading(family, ARCHITECTURES[family], "causal_lm", dtype)
        return head | (dataclasses.asdict(config) if family in _OWN_NAMES else to_decoder_json(config))
    classifier = bool(config.label_names)
    architecture = {
        "bert": "BertForMaskedLM", "modernbert": "ModernBertForMaskedLM", "lingome": "LingomeMaskedLM",
        "word2vec": "LingomeStaticEmbeddings",
    }
    kind = "classifier" if classifier else "static" if family == "word2vec" else "masked_lm"
    content = _heading(family, "LingomeSequenceClassifier" if classifier else architecture[family], kind, dtype)
    if isinstance(config, StaticConfig) or family == "lingome":
        return {**content, **dataclasses.asdict(config)}
    content |= {
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
    if classifier:
        content["id2label"] = {str(index): name for index, name in enumerate(config.label_names)}
        content["label2id"] = {name: index for index, name in enumerate(config.label_names)}
    if family == "bert":
        return content | {
            "hidden_act": "gelu",
            "hidden_dropout_prob": config.dropout,
            "attention_probs_dropout_prob": config.dropout,
            "layer_norm_eps": config.norm_eps,
            "type_vocab_size": config.n_segments,
            "position_embedding_type": "absolute",
        }
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    return content | {
        "hidden_activation": "gelu",
        "classifier_activation": "gelu",
        "attention_dropout": config.dropout,
        "embedding_dropout": config.dropout,
        "mlp_dropout": config.dropout,
        "norm_eps": config.norm_eps,
        "norm_bias": False, "attention_bias": False, "mlp_bias": False, "classifier_bias": False,
        "decoder_bias": True,
        "layer_types": ["full_attention"] * config.n_layers,
        "rope_parameters": {"full_attention": rope, "sliding_attention": rope},
        # The same for transformers 4, which reads these two instead.
        "global_attn_every_n_layers": 1,
        "global_rope_theta": config.rope_theta,
    }


def _heading(family: str, architecture: str, kind: str, dtype: str) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "model_type": family,
        "dtype": dtype,
        "torch_dtype": dtype,
        "lingome": {"version": __version__, "kind": kind},
    }


def from_config_json(content: Mapping[str, Any], file: Path) -> SavedShape:
    """Read a shape from the content of ``config.json``.

    Raises
    ------
    CheckpointError
        If the model is of a kind that cannot be read here, or a value is missing or does not fit.
    """
    readers: dict[object, Callable[[Mapping[str, Any], Path], dict[str, Any]]] = {
        "bert": _read_bert, "modernbert": _read_modernbert, "lingome": _read_own,
        "word2vec": partial(_read_own, kind=StaticConfig),
        "gpt2": read_gpt2, "llama": read_llama, "mistral": read_llama,
        "lingome-decoder": partial(_read_own, kind=DecoderConfig),
    }
    model_type = content.get("model_type")
    if model_type not in tuple(readers):
        raise CheckpointError(
            "models of this type cannot be read", where=file, got=f"model_type {model_type!r}",
            expected=", ".join(map(str, readers)),
        )
    values = readers[model_type](content, file)
    decoder = model_type in DECODER_BODY or model_type == "mistral"
    own = content.get("lingome")
    if isinstance(own, dict) and own.get("kind") == "classifier" and model_type not in _OWN_NAMES and not decoder:
        names = content.get("id2label")
        if not isinstance(names, dict) or sorted(names) != sorted(str(i) for i in range(len(names))):
            raise CheckpointError("a classifier needs the names of its classes", where=file, got=f"id2label {names!r}",
                                  expected='id2label {"0": ..., "1": ...}')
        values["label_names"] = tuple(str(names[str(index)]) for index in range(len(names)))
    try:
        if decoder:
            return DecoderConfig(**values)
        return StaticConfig(**values) if model_type == "word2vec" else TransformerConfig(**values)
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError("the model's shape cannot be used", where=file, got=error) from error


_KEYS = {
    "vocab_size": "vocab_size", "hidden_size": "hidden_size", "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads", "ffn_size": "intermediate_size", "max_positions": "max_position_embeddings",
}


def _read_shared(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    values: dict[str, Any] = {ours: read_number(content, theirs, int, file) for ours, theirs in _KEYS.items()}
    values["tie_head"] = bool(content.get("tie_word_embeddings", True))
    for ours, theirs in (("pad_id", "pad_token_id"), ("cls_id", "cls_token_id"), ("sep_id", "sep_token_id")):
        token = content.get(theirs)  # often wrong in published files, and the tokenizer has the last word
        if isinstance(token, int) and 0 <= token < values["vocab_size"]:
            values[ours] = token
    return values


def _read_bert(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    check_values(content, {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}, file)
    return _read_shared(content, file) | {
        "positions": "learned", "norm": "post", "ffn": "gelu", "bias": True,
        "dropout": read_number(content, "hidden_dropout_prob", float, file, 0.1),
        "norm_eps": read_number(content, "layer_norm_eps", float, file, 1e-12),
        "n_segments": read_number(content, "type_vocab_size", int, file, 2),
    }


def _read_modernbert(content: Mapping[str, Any], file: Path) -> dict[str, Any]:
    bare = dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), False)
    usual = {"hidden_activation": "gelu", "classifier_activation": "gelu", "decoder_bias": True}
    check_values(content, usual | bare, file)
    values = _read_shared(content, file)
    kinds = content.get("layer_types")
    if kinds is None:
        kinds = ["full_attention" if content.get("global_attn_every_n_layers", 3) == 1 else "sliding_attention"]
    if not isinstance(kinds, list) or any(kind != "full_attention" for kind in kinds):
        raise CheckpointError("a ModernBERT with local attention cannot be read", where=file,
                              got=f"layer_types {kinds}", expected="full_attention in every layer")
    rope = content.get("rope_parameters") or {}
    rope = rope.get("full_attention", rope) if isinstance(rope, dict) else None
    if not isinstance(rope, dict):
        raise CheckpointError("rope_parameters cannot be read", where=file, got=repr(content["rope_parameters"])[:200])
    check_values(rope, {"rope_type": "default"}, file)
    theta = read_number(content, "global_rope_theta", float, file, 160_000.0)
    return values | {
        "positions": "rotary", "norm": "pre", "ffn": "geglu", "bias": False,
        "dropout": read_number(content, "mlp_dropout", float, file, 0.0),
        "norm_eps": read_number(content, "norm_eps", float, file, 1e-5),
        "rope_theta": read_number(rope, "rope_theta", float, file, theta),
    }


def _read_own(content: Mapping[str, Any], file: Path, kind: type[SavedShape] = TransformerConfig) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name == "label_names":
            values[field.name] = tuple(str(name) for name in content.get("label_names", ()))
        elif isinstance(field.default, bool | str):
            values[field.name] = content.get(field.name, field.default)
        else:
            values[field.name] = read_number(content, field.name, type(field.default), file)
    return values
