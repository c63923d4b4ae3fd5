"""Folders of T5 and T5 1.1 (Flan-T5, ProtT5, Ankh): whole models, and encoders alone.

transformers' ``T5ForConditionalGeneration`` and ``T5EncoderModel``, both with ReLU (T5) or gated GELU (1.1). An
encoder alone is written for a shape without decoder layers, and for a classifier. ``tie_word_embeddings`` says two
things there: whether the output matrix is the embedding, and whether states are scaled before it; transformers 5 says
the second apart, as ``scale_decoder_outputs``, and ties wherever the file has no output matrix of its own.

A published T5 was trained on rows of 512 tokens, which its ``n_positions`` names, and reads longer ones: relative
positions have no end. Such a folder is read with room for 4,096.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lingome.core.errors import CheckpointError
from lingome.models.mapping.config_json import check_values, read_number
from lingome.models.mapping.family import Family, within
from lingome.models.mapping.weight_files import tensor_names
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig

ROOM = 4096
"""Tokens that a published T5 is given room for, where it was trained on fewer."""

SPARE_ROWS = 256
"""Rows of the embedding without a token at most: sentinels of span corruption, and what rounds the size up."""

Ffn = Literal["relu", "geglu_tanh"]
_FFN: dict[str, Ffn] = {"relu": "relu", "gated-gelu": "geglu_tanh"}
_SIZES = {
    "vocab_size": "vocab_size", "hidden_size": "d_model", "head_size": "d_kv", "ffn_size": "d_ff",
    "n_layers": "num_layers", "n_heads": "num_heads",
}
_SPARE = (
    "encoder.embed_tokens.", "decoder.embed_tokens.",  # the shared matrix again
    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.",  # of the first releases, never used
)


def _layer(stack: str, ffn: str, last: int) -> dict[str, str | tuple[str, ...]]:
    """Name the parts of a layer; the feed-forward is its part number `last`."""
    inner = ("wi",) if ffn == "relu" else ("wi_0", "wi_1")
    parts: dict[str, str | tuple[str, ...]] = {
        "attention_norm": "layer.0.layer_norm",
        "qkv": tuple(f"layer.0.SelfAttention.{name}" for name in "qkv"),
        "attention_out": "layer.0.SelfAttention.o",
        "ffn_norm": f"layer.{last}.layer_norm",
        "ffn_in": tuple(f"layer.{last}.DenseReluDense.{name}" for name in inner),
        "ffn_out": f"layer.{last}.DenseReluDense.wo",
    }
    if stack == "decoder":
        parts |= {
            "cross_norm": "layer.1.layer_norm",
            "cross_query": "layer.1.EncDecAttention.q",
            "cross_keys": ("layer.1.EncDecAttention.k", "layer.1.EncDecAttention.v"),
            "cross_out": "layer.1.EncDecAttention.o",
        }
    return parts


def _parts(ffn: str) -> dict[str, str | tuple[str, ...]]:
    table = "block.0.layer.0.SelfAttention.relative_attention_bias"
    return {
        "body.tokens": "shared",
        "body.relative": f"encoder.{table}",
        "body.final_norm": "encoder.final_layer_norm",
        "decoder.relative": f"decoder.{table}",
        "decoder.final_norm": "decoder.final_layer_norm",
        "head": "lm_head",
        **within("body.layers.#", "encoder.block.#", _layer("encoder", ffn, 1)),
        **within("decoder.layers.#", "decoder.block.#", _layer("decoder", ffn, 2)),
    }


def _encoder_alone(content: Mapping[str, Any]) -> bool:
    own = content.get("lingome")
    return "T5EncoderModel" in str(content.get("architectures")) or content.get("num_decoder_layers") == 0 or (
        isinstance(own, dict) and own.get("kind") == "classifier"
    )


def _read(content: Mapping[str, Any], file: Path, ffn: Ffn, *, alone: bool) -> EncoderDecoderConfig:
    """Read the settings of a T5.

    Raises
    ------
    CheckpointError
        If a value is missing, or the model is a variant that cannot be read.
    """
    proj = next(theirs for theirs, ours in _FFN.items() if ours == ffn)
    check_values(content, {"is_decoder": False, "feed_forward_proj": proj}, file)
    values = {ours: read_number(content, theirs, int, file) for ours, theirs in _SIZES.items()}
    layers = content.get("num_decoder_layers")
    without = "T5EncoderModel" in str(content.get("architectures"))
    scaled = bool(content.get("scale_decoder_outputs", content.get("tie_word_embeddings", True)))
    tied = bool(content.get("tie_word_embeddings", True))
    trained = read_number(content, "n_positions", int, file, 512)
    pad_id = _token(content, "pad_token_id", 0, values["vocab_size"])
    sep_id = _token(content, "eos_token_id", min(1, values["vocab_size"] - 1), values["vocab_size"])
    return EncoderDecoderConfig(
        **values, ffn=ffn,
        n_decoder_layers=0 if without else values["n_layers"] if layers is None else
        read_number(content, "num_decoder_layers", int, file),
        max_positions=trained if "lingome" in content else max(trained, ROOM),
        n_buckets=read_number(content, "relative_attention_num_buckets", int, file, 32),
        max_distance=read_number(content, "relative_attention_max_distance", int, file, 128),
        dropout=read_number(content, "dropout_rate", float, file, 0.1),
        norm_eps=read_number(content, "layer_norm_epsilon", float, file, 1e-6),
        tie_head=tied and (scaled or alone or not _has_head(file.parent)), scale_head=scaled,
        pad_id=pad_id, sep_id=sep_id, cls_id=_token(content, "cls_token_id", sep_id, values["vocab_size"]),
        start_id=_token(content, "decoder_start_token_id", pad_id, values["vocab_size"]),
    )


def _token(content: Mapping[str, Any], name: str, default: int, vocab_size: int) -> int:
    """Read an id that fits the vocabulary; the tokenizer has the last word."""
    token = content.get(name)
    fits = isinstance(token, int) and not isinstance(token, bool) and 0 <= token < vocab_size
    return int(token) if isinstance(token, int) and fits else default


def _has_head(folder: Path) -> bool:
    """Say whether a file holds an output matrix: transformers 5 writes that it is tied, whatever is so."""
    try:
        return "lm_head.weight" in tensor_names(folder)
    except CheckpointError:
        return False  # the weights are read next, and say what is wrong with them


def _write(config: EncoderDecoderConfig) -> dict[str, Any]:
    alone = config.n_decoder_layers == 0 or bool(config.label_names)
    return {
        **{theirs: getattr(config, ours) for ours, theirs in _SIZES.items()},
        "num_decoder_layers": config.n_decoder_layers,
        "feed_forward_proj": next(theirs for theirs, ours in _FFN.items() if ours == config.ffn),
        "relative_attention_num_buckets": config.n_buckets, "relative_attention_max_distance": config.max_distance,
        "n_positions": config.max_positions, "dropout_rate": config.dropout, "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tie_head, "scale_decoder_outputs": config.scale_head,
        "is_encoder_decoder": not alone, "pad_token_id": config.pad_id, "eos_token_id": config.sep_id,
        "cls_token_id": config.cls_id, "decoder_start_token_id": config.start_id, "initializer_factor": 1.0,
    }


def _family(proj: str, *, alone: bool) -> Family:
    ffn = _FFN[proj]
    name = ("t5" if ffn == "relu" else "t5-gated") + ("-encoder" if alone else "")

    def fits(config: EncoderDecoderConfig) -> bool:
        without = config.n_decoder_layers == 0 or bool(config.label_names)
        return config.ffn == ffn and without == alone

    def recognises(content: Mapping[str, Any]) -> bool:
        said = content.get("feed_forward_proj", "relu")  # one that is not known is refused by the first family
        return (said if said in tuple(_FFN) else "relu") == proj and _encoder_alone(content) == alone

    return Family(
        name, EncoderDecoderConfig, partial(_read, ffn=ffn, alone=alone), _write, "encoder" if alone else "seq2seq_lm",
        "T5EncoderModel" if alone else "T5ForConditionalGeneration", "transformers", fits=fits, model_type="t5",
        recognises=recognises, parts=_parts(ffn), body="encoder.", ties={"head.weight": "body.tokens.weight"},
        spare=_SPARE, spare_rows=SPARE_ROWS,
    )


FAMILIES: tuple[Family, ...] = tuple(_family(proj, alone=alone) for alone in (False, True) for proj in _FFN)
"""Whole models with ReLU and with gated GELU, and encoders alone."""
