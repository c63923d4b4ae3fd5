"""Names and settings of the published HyenaDNA folders (``model_type`` ``hyenadna``), both ways.

Published files hold, beside the weights, three tables a block that are computed from the shape: the
features of positions, the positions, and the rates of decay. They are checked when read and written
anew. One vector of frequencies serves three places of a filter; safetensors files keep one of them,
older files all three. Files of the training code begin names with ``model.`` and may have ``.layer``
behind ``mixer`` and ``mlp``; both are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lingome.core.errors import CheckpointError
from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import Family, within
from lingome.models.networks.hyena.model import N_BANDS, SHORT_TAPS, decay_rates, position_features
from lingome.models.networks.hyena.shape import HyenaConfig

_FREQUENCIES = tuple(f"mixer.filter_fn.implicit_filter.{index}.freq" for index in (1, 3, 5))
_FEATURES, _PLACES, _RATES = (
    f"mixer.filter_fn.{name}" for name in ("pos_emb.z", "pos_emb.t", "modulation.deltas")
)
_LAYER = "hyena.backbone.layers.#"
_EMBEDDINGS = "hyena.backbone.embeddings.word_embeddings.weight"
_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens.weight": _EMBEDDINGS,
    "body.final_norm": "hyena.backbone.ln_f",
    "head": "lm_head",
    **within("body.layers.#", _LAYER, {
        "mixer_norm": "norm1", "mixer_in": "mixer.in_proj", "short": "mixer.short_filter",
        "mixer_out": "mixer.out_proj", "ffn_norm": "norm2", "ffn_in": "mlp.fc1", "ffn_out": "mlp.fc2",
        "filter.frequency": _FREQUENCIES[0], "filter.skip": "mixer.filter_fn.bias",
        **{f"filter.layers.{i}": f"mixer.filter_fn.implicit_filter.{2 * i}" for i in range(3)},
        "filter.out": "mixer.filter_fn.implicit_filter.6",
    }),
}


def published_tables(config: HyenaConfig, layer: int) -> dict[str, tuple[int, ...]]:
    """Name the three computed tables of a block, and their shapes in the file."""
    n = config.max_positions
    prefix = _LAYER.replace("#", str(layer)) + "."
    return {
        prefix + _FEATURES: (1, n, 1 + 2 * N_BANDS),
        prefix + _PLACES: (1, n, 1),
        prefix + _RATES: (1, 1, config.hidden_size),
    }


def _add_tables(tensors: dict[str, Tensor], config: HyenaConfig) -> dict[str, Tensor]:
    """Add what a published folder has beside the weights: computed tables, and the tied head's matrix again."""
    for name in [name for name in tensors if name.endswith(_FREQUENCIES[0])]:
        tensors[name] = tensors[name][None]
    if config.tie_head and not config.label_names:
        tensors["lm_head.weight"] = tensors[_EMBEDDINGS]
    features_LP = position_features(config.max_positions, config).float()
    for layer in range(config.n_layers):
        features, places, rates = published_tables(config, layer)
        tensors[features] = features_LP[None]
        tensors[places] = features_LP[None, :, :1]
        tensors[rates] = -decay_rates(config).float()[None, None]
    return tensors


def _prepare(given: dict[str, Tensor], config: HyenaConfig) -> tuple[dict[str, Tensor], list[str]]:
    """Bring every kind of published file to one set of names without tables; name what does not fit the shape."""
    tensors, problems = _one_frequency({_plain(name): tensor for name, tensor in given.items()}, config)
    tables: dict[str, tuple[int, ...]] = {}
    for layer in range(config.n_layers):
        tables |= published_tables(config, layer)
    problems += _wrong_tables(tensors, tables, config)
    head = tensors.get("lm_head.weight")
    embeddings = tensors.get(_EMBEDDINGS)
    if config.tie_head and head is not None and embeddings is not None and not torch.equal(head, embeddings):
        problems.append("lm_head.weight differs from the embeddings, though config.json ties them")
    return {name: tensor for name, tensor in tensors.items() if name not in tables}, problems


def _plain(name: str) -> str:
    """Bring the names of every published kind of file to those of the folders for transformers."""
    name = name.replace(".mixer.layer.", ".mixer.").replace(".mlp.layer.", ".mlp.").removeprefix("model.")
    return f"hyena.{name}" if name.startswith("backbone.") else name


def _one_frequency(tensors: dict[str, Tensor], config: HyenaConfig) -> tuple[dict[str, Tensor], list[str]]:
    """Leave one copy of each filter's frequencies; name those whose copies differ."""
    problems = []
    for layer in range(config.n_layers):
        names = [f"hyena.backbone.layers.{layer}.{place}" for place in _FREQUENCIES]
        copies = [tensors.pop(name) for name in names if name in tensors]
        if any(copy.shape != copies[0].shape or not torch.equal(copy, copies[0]) for copy in copies):
            problems.append(f"the copies of {names[0]} differ")
        if copies:
            tensors[names[0]] = copies[0][0] if copies[0].shape[:-1] == (1,) else copies[0]
    return tensors, problems


def _wrong_tables(
    tensors: Mapping[str, Tensor], tables: Mapping[str, tuple[int, ...]], config: HyenaConfig
) -> list[str]:
    """Name computed tables whose shape or values are not those of `config`; a file may leave them out."""
    features_LP = position_features(config.max_positions, config).float()
    expected = {_FEATURES: features_LP, _PLACES: features_LP[:, :1], _RATES: -decay_rates(config).float()[None]}
    problems = []
    for name, shape in tables.items():
        if name not in tensors:
            continue
        got = tensors[name]
        right = next(table for end, table in expected.items() if name.endswith(end))
        if tuple(got.shape) != shape or not got.is_floating_point():
            problems.append(f"{name} is {got.dtype} {list(got.shape)}, config.json asks for {list(shape)}")
            continue
        rounding = max(1e-5, torch.finfo(got.dtype).eps) * (1 + float(right.abs().max()))
        furthest = float((got[0].float() - right).abs().max())
        if not furthest <= rounding:
            problems.append(f"{name} was changed by training (by up to {furthest:.2g}), and is computed here")
    return problems


_FIXED = {
    "activation_freq": 10, "emb_dim": 1 + 2 * N_BANDS, "hyena_order": 2, "num_inner_mlps": 2,
    "short_filter_order": SHORT_TAPS, "train_freq": True, "use_bias": True, "hyena_dropout": 0.0,
    "hyena_filter_dropout": 0.0,
}
"""Settings of the published code that this architecture has one value for."""
_KEYS: dict[str, tuple[str, type, float | None]] = {
    "vocab_size": ("vocab_size", int, None), "vocab_multiple": ("pad_vocab_size_multiple", int, 8),
    "hidden_size": ("d_model", int, None), "n_layers": ("n_layer", int, None), "ffn_size": ("d_inner", int, None),
    "max_positions": ("max_seq_len", int, None), "filter_size": ("filter_order", int, 64),
    "embedding_dropout": ("embed_dropout", float, 0.1), "dropout": ("resid_dropout", float, 0.0),
    "norm_eps": ("layer_norm_epsilon", float, 1e-5), "pad_id": ("pad_token_id", int, 4),
    "cls_id": ("cls_token_id", int, 0), "sep_id": ("sep_token_id", int, 1),
}


def _read(content: Mapping[str, Any], file: Path) -> HyenaConfig:
    """Read the shape from ``config.json``; refuse variants that are not built here."""
    check_values(content, _FIXED, file)
    values: dict[str, Any] = {"tie_head": content.get("tie_word_embeddings", False)}
    said = {name: value for name, value in content.items() if value is not None}
    for ours, (theirs, kind, default) in _KEYS.items():
        values[ours] = read_number(said, theirs, kind, file, default)
    if not isinstance(values["tie_head"], bool):
        raise CheckpointError("config.json needs true or false for 'tie_word_embeddings'", where=file,
                              got=repr(values["tie_head"]))
    return HyenaConfig(**values)


def _write(config: HyenaConfig) -> dict[str, Any]:
    """Give the settings as the published folders have them."""
    return {
        "vocab_size": config.vocab_size, "pad_vocab_size_multiple": config.vocab_multiple,
        "d_model": config.hidden_size, "n_layer": config.n_layers, "d_inner": config.ffn_size,
        "max_seq_len": config.max_positions, "filter_order": config.filter_size,
        "embed_dropout": config.embedding_dropout, "resid_dropout": config.dropout,
        "layer_norm_epsilon": config.norm_eps, "tie_word_embeddings": config.tie_head,
        "pad_token_id": config.pad_id, "cls_token_id": config.cls_id, "sep_token_id": config.sep_id, **_FIXED,
    }


FAMILIES = (
    Family(
        "hyenadna", HyenaConfig, _read, _write, "causal_lm", "HyenaDNAForCausalLM", parts=_PARTS,
        body="hyena.backbone.", ties={"head.weight": "body.tokens.weight"}, prepare=_prepare, finish=_add_tables,
    ),
)
