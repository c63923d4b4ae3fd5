"""Folders of convolutional models: our own, and both releases of GPN.

Benegas, Batra and Song 2023, doi:10.1073/pnas.2311219120. The first release says ``ConvNet`` in ``config.json``,
the present one ``GPN``; both are read as one architecture (`lingome.models.networks.dilated.model`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import Family, own_family, within
from lingome.models.networks.dilated.shape import MOST_POSITIONS, DilatedConfig

_HEAD = {"head.dense": "cls.transform.0", "head.norm": "cls.transform.2", "head.decoder": "cls.decoder"}
_GPN_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "model.embeddings.word_embeddings",
    "body.final_norm": "model.ln_f",
    **_HEAD,
    **within("body.layers.#", "model.encoder.layer.#", {
        "conv_norm": "conv.0", "conv": "conv.2", "conv_out": "conv.5", "ffn_norm": "ffn.0", "ffn_in": "ffn.1",
        "ffn_out": "ffn.3",
    }),
}
_CONVNET_PARTS: dict[str, str | tuple[str, ...]] = {
    "head.dense": "cls.decoder.0", "head.norm": "cls.decoder.2", "head.decoder": "cls.decoder.3",
    **within("body.layers.#", "model.encoder.#", {
        "conv": "conv.1", "conv_norm": "conv.4", "ffn_in": "ffn.0", "ffn_norm": "ffn.2",
    }),
}
_ROLES: dict[str, Any] = {"pad_id": 0, "cls_id": 0, "sep_id": 0}
"""GPN's tokens are [PAD], [MASK], [UNK] and the letters: nothing stands around a sequence."""
_SAME: dict[str, object] = {"n_aux_features": 0, "dilation_double_every": 1, "dilation_base": 2}
"""What both releases can vary and this architecture does not."""


def _read_gpn(content: Mapping[str, Any], file: Path) -> DilatedConfig:
    check_values(content, {**_SAME, "encoder": "convnet", "depthwise": False, "mlm_head_transform": True}, file)
    embedding = content.get("embedding", "one_hot")
    return DilatedConfig(
        vocab_size=read_number(content, "vocab_size", int, file), n_layers=_number(content, "num_hidden_layers", 25),
        hidden_size=_number(content, "hidden_size", 512), ffn_size=_number(content, "intermediate_size", 2048),
        first_kernel=_number(content, "first_kernel_size", 9), kernel=_number(content, "rest_kernel_size", 5),
        dilation_cycle=_number(content, "dilation_cycle", 8), dilation_max=_number(content, "dilation_max", 9999),
        embedding="table" if embedding == "embedding" else embedding, bias=bool(content.get("bias", False)),
        tie_head=bool(content.get("tie_word_embeddings", False)) and embedding == "embedding",
        dropout=float(content.get("hidden_dropout_prob", 0.0)), published=True, **_ROLES,
    )


def _write_gpn(config: DilatedConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size, "num_hidden_layers": config.n_layers,
        "intermediate_size": config.ffn_size, "first_kernel_size": config.first_kernel,
        "rest_kernel_size": config.kernel, "dilation_cycle": config.dilation_cycle,
        "dilation_max": config.dilation_max, **_SAME, "encoder": "convnet",
        "embedding": "embedding" if config.embedding == "table" else "one_hot", "bias": config.bias,
        "tie_word_embeddings": config.tie_head, "hidden_dropout_prob": config.dropout,
        "depthwise": False, "mlm_head_transform": True, "pad_token_id": config.pad_id,
    }


def _fits_gpn(config: DilatedConfig) -> bool:
    return _is_published(config) and config.block == "gpn"


def _read_convnet(content: Mapping[str, Any], file: Path) -> DilatedConfig:
    check_values(content, _SAME, file)
    size = _number(content, "hidden_size", 512)
    taps = _number(content, "kernel_size", 9)
    return DilatedConfig(
        vocab_size=read_number(content, "vocab_size", int, file), hidden_size=size, ffn_size=size,
        n_layers=_number(content, "n_layers", 25), first_kernel=taps, kernel=taps,
        dilation_cycle=_number(content, "dilation_cycle", 6), dilation_max=_number(content, "dilation_max", 32),
        block="convnet", bias=True, published=True, **_ROLES,
    )


def _write_convnet(config: DilatedConfig) -> dict[str, Any]:
    return {
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size, "n_layers": config.n_layers,
        "kernel_size": config.kernel, "dilation_cycle": config.dilation_cycle, "dilation_max": config.dilation_max,
        **_SAME, "initializer_range": 0.02, "pad_token_id": config.pad_id,
    }


def _fits_convnet(config: DilatedConfig) -> bool:
    same = config.first_kernel == config.kernel and config.embedding == "one_hot"
    return _is_published(config) and config.block == "convnet" and same and config.dropout == 0


def _is_published(config: DilatedConfig) -> bool:
    return config.published and config.norm_eps == 1e-5 and config.max_positions == MOST_POSITIONS


def _number(content: Mapping[str, Any], name: str, default: int) -> int:
    """Read a setting that published files leave out where it has its default."""
    return int(content.get(name, default))


FAMILIES: tuple[Family, ...] = (
    Family("gpn", DilatedConfig, _read_gpn, _write_gpn, "masked_lm", "GPNForMaskedLM", fits=_fits_gpn,
           model_type="GPN", parts=_GPN_PARTS, body="model.",
           ties={"head.decoder.weight": "body.tokens.weight"}),
    Family("gpn-convnet", DilatedConfig, _read_convnet, _write_convnet, "masked_lm", "ConvNetForMaskedLM",
           fits=_fits_convnet, model_type="ConvNet", parts=_CONVNET_PARTS, body="model."),
    own_family("lingome-dilated", DilatedConfig, "masked_lm", "LingomeMaskedLM",
               ties={"head.decoder.weight": "body.tokens.weight"}),
)
