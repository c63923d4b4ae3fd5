"""Count a checkpoint's parameters from the header of its weights, and by the formula of its family."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError
from lingome.models.counting.formulas import (
    count_decoder,
    count_encoder,
    count_encoder_decoder,
    count_esm,
    count_gpt,
    count_hyena,
    count_llama,
    count_mosaic_bert,
    count_table,
)
from lingome.models.counting.rows import Count, Part
from lingome.models.counting.sizes import Sizes
from lingome.models.counting.tensor_list import Tensor, list_tensors, mark_copies, module_parts
from lingome.models.folders.checkpoint import read_config
from lingome.models.folders.families import from_config_json
from lingome.models.networks.transformer.shape import TransformerConfig

_SIZES = {
    "type": ("model_type",), "architecture": ("architectures",),
    "layers": ("num_hidden_layers", "n_layers", "n_layer", "num_layers"), "decoder layers": ("num_decoder_layers",),
    "hidden size": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_heads", "n_head", "num_heads"), "head size": ("d_kv",),
    "heads of keys and values": ("num_key_value_heads", "n_kv_heads"), "experts": ("num_local_experts",),
    "feed-forward size": ("intermediate_size", "ffn_size", "n_inner", "d_inner", "d_ff"), "vocabulary": ("vocab_size",),
    "positions": ("max_position_embeddings", "max_positions", "n_positions"),
}
TIED_BY_DEFAULT = ("bert", "modernbert", "mosaicbert", "lingome", "lingome-decoder", "gpt2", "esm", "hyenadna", "t5")
"""Types whose output matrix is the embedding unless ``tie_word_embeddings`` says otherwise."""


@dataclass(frozen=True)
class CheckpointCount:
    """What a checkpoint holds.

    Parameters
    ----------
    config : mapping
        Content of ``config.json``.
    tensors : sequence of Tensor
        Names, types and shapes of what is in the file.
    parts : sequence of Part
        Parameters by module.
    expected : Count, optional
        What the formula of its family says; None for families without one.
    """

    config: Mapping[str, Any]
    tensors: Sequence[Tensor]
    parts: Sequence[Part]
    expected: Count | None

    @property
    def total(self) -> int:
        """Parameters in the file; buffers and copies are not counted."""
        return sum(part.parameters for part in self.parts)


def count_checkpoint(folder: Path) -> CheckpointCount:
    """Count the parameters of a model folder; no tensor is read.

    Raises
    ------
    CheckpointError
        If ``config.json`` or the weights are missing or damaged.
    """
    content = read_config(folder)
    tensors = list_tensors(folder)
    parts = module_parts(tensors, mark_copies(tensors, tied=is_tied(content)))
    return CheckpointCount(content, tensors, parts, expected_count(content, tensors, folder / "config.json"))


def read_sizes(content: Mapping[str, Any]) -> dict[str, object]:
    """Read what a ``config.json`` says of type and shape, under names that are the same for every family.

    >>> read_sizes({"model_type": "gpt2", "n_embd": 768, "n_layer": 12})
    {'type': 'gpt2', 'layers': 12, 'hidden size': 768}
    """
    said = {name: next((content[key] for key in keys if content.get(key) is not None), None)
            for name, keys in _SIZES.items()}
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in said.items() if value is not None
    }


def is_tied(content: Mapping[str, Any]) -> bool:
    """Say whether a model's output matrix is its embedding, by its ``config.json``."""
    own = content.get("tie_head")
    default = own if isinstance(own, bool) else content.get("model_type") in TIED_BY_DEFAULT
    return bool(content.get("tie_word_embeddings", default))


def expected_count(content: Mapping[str, Any], tensors: Sequence[Tensor], file: Path) -> Count | None:
    """Count by formula what a folder should hold; None for families that have no formula here.

    Which heads there are is read from the tensors' names, and all sizes from the configuration.

    Parameters
    ----------
    content : mapping
        Content of ``config.json``.
    tensors : sequence of Tensor
        The tensors of the file: names, types and shapes.
    file : Path
        Named in errors.

    Raises
    ------
    CheckpointError
        If the configuration lacks a size, or one is no whole number.
    """
    counters: dict[object, Callable[[_Reader], Count | None]] = {
        "bert": _bert, "modernbert": _modernbert, "lingome": _own_encoder,
        "mosaicbert": _own_encoder, "nucleotide-transformer-v2": _own_encoder, "word2vec": _word2vec, "gpt2": _gpt2,
        "lingome-decoder": _lingome_decoder, "llama": _llama, "mistral": _llama, "mixtral": _llama, "esm": _esm,
        "hyenadna": _hyenadna, "t5": _t5,
    }
    family = content.get("model_type")
    counter = counters.get(family) if isinstance(family, str) else None
    if counter is None:
        return None
    try:
        return counter(_Reader(content, tensors, file))
    except ConfigError as error:
        raise CheckpointError("the model's shape cannot be used", where=file, got=error) from error


class _Reader:
    """Sizes of a configuration, and questions about a file's tensors."""

    def __init__(self, content: Mapping[str, Any], tensors: Sequence[Tensor], file: Path) -> None:
        self.content = content
        self.tensors = tensors
        self.file = file
        self.tied = is_tied(content)

    def size(self, name: str, default: int | None = None) -> int:
        """Read a size; None in the file counts as absent."""
        value = self.content.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2**40:
            raise CheckpointError(f"config.json needs a whole number for {name!r}", where=self.file, got=repr(value))
        return value

    def has(self, *parts: str) -> bool:
        """Say whether a tensor's name holds one of these."""
        return any(part in tensor.name for tensor in self.tensors for part in parts)

    def classes(self, *names: str) -> int:
        """Give the rows of the first matrix called so; 0 if there is none."""
        rows = (tensor.shape[0] for tensor in self.tensors if tensor.name in names and len(tensor.shape) == 2)
        return next(rows, 0)


_CLASSIFIERS = ("mean_pool_classifier.weight", "classifier.weight")


def _shape(reader: _Reader, **values: Any) -> TransformerConfig:
    classes = tuple(str(index) for index in range(reader.classes(*_CLASSIFIERS)))
    return TransformerConfig(
        vocab_size=reader.size("vocab_size"), label_names=classes, pad_id=0, cls_id=0, sep_id=0, **values
    )


def _bert(reader: _Reader) -> Count | None:
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("hidden_size"), reader.size("num_hidden_layers"),
        ffn_size=reader.size("intermediate_size"), n_classes=reader.classes(*_CLASSIFIERS),
    )
    n_segments = reader.size("type_vocab_size", 2)
    masked = reader.has("cls.predictions.")
    pooler = reader.has("pooler.")
    if "alibi_starting_size" in reader.content:
        return count_mosaic_bert(sizes, n_segments=n_segments, masked_head=masked, pooler=pooler)
    shape = _shape(
        reader, hidden_size=sizes.hidden_size, n_layers=sizes.n_layers, ffn_size=sizes.ffn_size, n_heads=1,
        n_segments=n_segments, max_positions=reader.size("max_position_embeddings"), positions="learned",
        norm="post", ffn="gelu", bias=True, tie_head=reader.tied,
    )
    return count_encoder(shape, masked_head=masked, pooler=pooler, next_sentence=reader.has("cls.seq_relationship."))


def _modernbert(reader: _Reader) -> Count | None:
    if any(reader.content.get(name) for name in ("norm_bias", "attention_bias", "mlp_bias", "classifier_bias")):
        return None
    shape = _shape(
        reader, hidden_size=reader.size("hidden_size"), n_layers=reader.size("num_hidden_layers"), n_heads=1,
        ffn_size=reader.size("intermediate_size"), positions="rotary", norm="pre", ffn="geglu", bias=False,
        tie_head=reader.tied,
    )
    return count_encoder(shape, masked_head=reader.has("head.dense."))


def _own_encoder(reader: _Reader) -> Count | None:
    """Count an encoder of a kind of folder that only lingome writes."""
    config = from_config_json(reader.content, reader.file)
    if not isinstance(config, TransformerConfig):
        return None
    masked = reader.has("head.dense.", "cls.predictions.")
    classes = tuple(str(index) for index in range(reader.classes(*_CLASSIFIERS)))
    return count_encoder(
        dataclasses.replace(config, label_names=classes, tie_head=reader.tied), masked_head=masked
    )


def _word2vec(reader: _Reader) -> Count:
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("hidden_size"), 0, n_classes=reader.classes(*_CLASSIFIERS)
    )
    return count_table(sizes)


def _gpt2(reader: _Reader) -> Count | None:
    if reader.content.get("add_cross_attention"):
        return None
    width = reader.size("n_embd")
    sizes = Sizes(
        reader.size("vocab_size"), width, reader.size("n_layer"), ffn_size=reader.size("n_inner", 4 * width),
        max_positions=reader.size("n_positions"), n_classes=reader.classes("score.weight"),
    )
    return count_gpt(sizes, tied=reader.tied or not reader.has("lm_head."))


def _lingome_decoder(reader: _Reader) -> Count:
    learned = reader.content.get("positions") == "learned"
    bias = bool(reader.content.get("bias"))
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("hidden_size"), reader.size("n_layers"), reader.size("n_heads"),
        reader.size("ffn_size"), n_kv_heads=reader.size("n_kv_heads"), head_size=reader.size("head_dim", 0),
        max_positions=reader.size("max_positions") if learned else 0,
    )
    return count_decoder(
        sizes, bias=bias, norm_bias=bias and reader.content.get("norm") == "layer",
        gated=reader.content.get("ffn") == "swiglu", n_experts=reader.size("n_experts", 0), tied=reader.tied,
    )


def _llama(reader: _Reader) -> Count | None:
    if reader.content.get("attention_bias") or reader.content.get("mlp_bias"):
        return None
    heads = reader.size("num_attention_heads")
    experts = reader.size("num_local_experts", 0)
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("hidden_size"), reader.size("num_hidden_layers"), heads,
        reader.size("intermediate_size"), n_kv_heads=reader.size("num_key_value_heads", heads),
        head_size=reader.size("head_dim", 0), n_classes=reader.classes("score.weight"),
    )
    return count_llama(
        sizes, n_experts=experts if reader.content.get("model_type") == "mixtral" else 0,
        tied=reader.tied or not reader.has("lm_head."),
    )


def _esm(reader: _Reader) -> Count | None:
    # Other models of this type (the Nucleotide Transformer's second version) have gated layers without biases.
    gated = "add_bias_fnn" in reader.content or reader.content.get("is_folding_model")
    if gated or reader.content.get("emb_layer_norm_before"):
        return None
    stored = reader.has("position_embeddings.weight")
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("hidden_size"), reader.size("num_hidden_layers"),
        reader.size("num_attention_heads"), reader.size("intermediate_size"),
        max_positions=reader.size("max_position_embeddings") if stored else 0,
        n_classes=reader.classes("classifier.out_proj.weight"),
    )
    return count_esm(
        sizes, masked_head=reader.has("lm_head.dense."), contact_head=reader.has("contact_head."),
        pooler=reader.has("pooler."), tied=reader.tied,
    )


def _t5(reader: _Reader) -> Count | None:
    said = reader.content.get("feed_forward_proj", "relu")
    if said not in ("relu", "gated-gelu"):
        return None
    layers = reader.size("num_layers")
    sizes = Sizes(
        reader.size("vocab_size"), reader.size("d_model"), layers, reader.size("num_heads"), reader.size("d_ff"),
        head_size=reader.size("d_kv"), n_classes=reader.classes(*_CLASSIFIERS),
    )
    return count_encoder_decoder(
        sizes, n_decoder_layers=reader.size("num_decoder_layers", layers) if reader.has("EncDecAttention") else 0,
        n_buckets=reader.size("relative_attention_num_buckets", 32), gated=said != "relu",
        tied=reader.tied or not reader.has("lm_head."),
    )


def _hyenadna(reader: _Reader) -> Count:
    # Files repeat the embedding as the output matrix, and hold tables that are computed: neither is counted.
    multiple = max(1, reader.size("pad_vocab_size_multiple", 8))
    width = reader.size("d_model")
    vocab_size = -(-reader.size("vocab_size") // multiple) * multiple
    sizes = Sizes(vocab_size, width, reader.size("n_layer"), ffn_size=reader.size("d_inner", 4 * width))
    return count_hyena(sizes, filter_size=reader.size("filter_order", 64), tied=reader.tied)
