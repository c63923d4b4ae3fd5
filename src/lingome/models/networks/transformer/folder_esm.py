"""Names and settings of ESM's transformer encoders in Hugging Face's folders, both ways.

- ``esm``: ESM-2 (rotary; Lin et al. 2023, doi:10.1126/science.ade2574), ESM-1b (learned positions, norm of the
  embeddings; Rives et al. 2021, doi:10.1073/pnas.2016239118) and the first Nucleotide Transformer (learned positions;
  Dalla-Torre et al. 2025, doi:10.1038/s41592-024-02523-z); ``transformers.EsmForMaskedLM``;
- ``nucleotide-transformer-v2``: rotary, SwiGLU without biases. Published folders say ``esm`` and bring code of their
  own; what is written here says its own name, which transformers does not know.

Not held: the contact head, a regression on attention maps; a folder written here has none, and transformers fills it
with random numbers. ESM counts learned positions from the padding id on; those rows are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import Family, within
from lingome.models.networks.transformer.folder import TIES, is_mix, read_shared, rename_norms, write_shared
from lingome.models.networks.transformer.shape import TransformerConfig

HIDDEN_SHARE = 0.15 * 0.8
"""Share of tokens that ESM's training hid as ``<mask>``."""
_PARTS: dict[str, str | tuple[str, ...]] = {
    "body.tokens": "esm.embeddings.word_embeddings",
    "body.places": "esm.embeddings.position_embeddings",
    "body.embedding_norm": "esm.embeddings.layer_norm",
    "body.final_norm": "esm.encoder.emb_layer_norm_after",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.layer_norm",
    "head.decoder.bias": "lm_head.bias",
    "head.decoder": "lm_head.decoder",
    **within("body.layers.#", "esm.encoder.layer.#", {
        "attention_norm": "attention.LayerNorm",
        "qkv": tuple(f"attention.self.{name}" for name in ("query", "key", "value")),
        "attention_out": "attention.output.dense", "ffn_norm": "LayerNorm", "ffn_in": "intermediate.dense",
        "ffn_out": "output.dense",
    }),
}
_SPARE = ("esm.contact_head.", "esm.pooler.", "esm.embeddings.position_ids", "esm.embeddings.position_embeddings")
"""Parts of published files that a masked language model does not use; the last where positions are rotary."""
_SPEEDS = "rotary_embeddings.inv_freq"


def _is_esm(config: TransformerConfig) -> bool:
    learned = config.positions == "learned"
    return is_mix(
        config, positions="learned" if learned else "rotary", norm="pre", ffn="gelu", bias=True,
        first_norm="layer" if config.first_norm == "layer" else "both",
        position_offset=config.pad_id + 1 if learned else 0,
        token_dropout=HIDDEN_SHARE if config.token_dropout else 0.0,
    ) and not config.segment_rows


def _is_second_nucleotide(config: TransformerConfig) -> bool:
    return is_mix(
        config, positions="rotary", norm="pre", ffn="swiglu", bias=True, ffn_bias="none",
        first_norm="layer" if config.first_norm == "layer" else "both",
        token_dropout=HIDDEN_SHARE if config.token_dropout else 0.0,
    )


def _read(content: Mapping[str, Any], file: Path) -> TransformerConfig:
    usual = {
        "hidden_act": "gelu", "is_decoder": False, "add_cross_attention": False, "is_folding_model": False,
        "add_bias_fnn": False,
    }
    check_values(content, usual, file)
    values = read_shared(content, file)
    kind = content.get("position_embedding_type", "absolute")
    if kind != "absolute":
        check_values(content, {"position_embedding_type": "rotary"}, file)
    if kind == "absolute":
        offset = read_number(content, "pad_token_id", int, file) + 1
        values |= {"position_offset": offset, "max_positions": values["max_positions"] - offset, "n_segments": 0}
    if content.get("token_dropout"):
        values |= {"token_dropout": HIDDEN_SHARE, "mask_id": read_number(content, "mask_token_id", int, file)}
    if "add_bias_fnn" in content:
        values |= {"ffn": "swiglu", "ffn_bias": "none"}
    return TransformerConfig(**{"ffn": "gelu"} | values | {
        "positions": "learned" if kind == "absolute" else "rotary", "norm": "pre", "bias": True,
        "first_norm": "both" if content.get("emb_layer_norm_before") else "layer",
        "dropout": read_number(content, "hidden_dropout_prob", float, file, 0.1),
        "norm_eps": read_number(content, "layer_norm_eps", float, file, 1e-12),
        "rope_theta": read_number(content, "rope_theta", float, file, 10_000.0),
    })


def _write(config: TransformerConfig) -> dict[str, Any]:
    learned = config.positions == "learned"
    content = write_shared(config) | {
        "max_position_embeddings": config.max_positions + config.position_offset,
        "position_embedding_type": "absolute" if learned else "rotary",
        "emb_layer_norm_before": config.first_norm == "both",
        "token_dropout": config.token_dropout > 0,
        "mask_token_id": config.mask_id,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "layer_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "is_folding_model": False,
    }
    return content | ({} if config.ffn == "gelu" else {"add_bias_fnn": False})


def _speeds(config: TransformerConfig) -> Tensor:
    return 1.0 / config.rope_theta ** (torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size)


def _add_speeds(tensors: dict[str, Tensor], config: TransformerConfig) -> dict[str, Tensor]:
    """Store the speeds of rotation in each layer, where every version of transformers looks for them."""
    if config.positions == "rotary":
        for layer in range(config.n_layers):
            tensors[f"esm.encoder.layer.{layer}.attention.self.{_SPEEDS}"] = _speeds(config)
    return tensors


def _check_speeds(tensors: dict[str, Tensor], config: TransformerConfig) -> tuple[dict[str, Tensor], list[str]]:
    """Compare the stored speeds of rotation, which may be rounded to half precision, with those of the shape."""
    expected = _speeds(config)
    kept = {}
    problems = []
    for name, tensor in rename_norms(tensors).items():
        if not name.endswith(_SPEEDS):
            kept[name] = tensor
        elif config.positions == "rotary" and (
            tensor.shape != expected.shape or not torch.allclose(tensor.float(), expected, rtol=1e-2, atol=1e-6)
        ):
            problems.append(f"{name} holds other speeds than rope_theta {config.rope_theta:g} gives")
    return kept, problems


FAMILIES = (
    Family(
        "nucleotide-transformer-v2", TransformerConfig, _read, _write, "masked_lm", "LingomeMaskedLM",
        fits=_is_second_nucleotide, model_types=("esm",), recognises=lambda content: "add_bias_fnn" in content,
        parts=_PARTS, body="esm.", ties=TIES, spare=_SPARE, prepare=_check_speeds,
    ),
    Family(
        "esm", TransformerConfig, _read, _write, "masked_lm", "EsmForMaskedLM", "transformers", fits=_is_esm,
        parts=_PARTS, body="esm.", ties=TIES, spare=_SPARE, prepare=_check_speeds, finish=_add_speeds,
    ),
)
