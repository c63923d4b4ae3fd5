"""Models of the field that are read here: where they are, what may be done with them, how each was checked.

A row holds what its authors publish, and where that was read: the ``config.json`` of the folder, from which the shape
and every number of parameters is computed, the licence as the hub or the authors' repository states it, and what was
learnt from. Nothing here needs the network; `lingome.models.hub` downloads what is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lingome.models.folders.checkpoint import find_builder
from lingome.models.folders.families import from_config_json, read_family
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.registry import build_body
from lingome.models.shape import Shape

PROCESS_BYTES = 0.5e9
"""What Python and torch take before a model is read."""
EMBED_BYTES_PER_PARAMETER = 8
"""Weights in float32, and the copy that only reads."""
EMBED_BYTES_PER_TOKEN = 1e4
TUNE_BYTES_PER_PARAMETER = 20
"""Weights, gradients and AdamW's two averages (16), and the best weights so far (4)."""
TUNE_SLACK = 1.15
"""As in `lingome.train.cost`: the backward pass holds gradients beside what was kept."""
BATCH_TOKENS = 2048
ROW_TOKENS = 512

REAL = "real weights: logits equal those of transformers on classifiers made from it"
RANDOM = "random weights of the published shape: logits equal those of transformers"
SMALLER = "random weights of a smaller shape: logits equal those of transformers"
REFERENCE = "random tensors of the published names: logits equal a reference written from the paper"
NAMES = "tensor names, shapes and counts as published"
NOT_SAID = "not stated on the hub"


@dataclass(frozen=True)
class HubModel:
    """A published model.

    Parameters
    ----------
    name : str
        What `lingome model count` calls it, where it knows it.
    hub : str
        ``OWNER/NAME`` on the Hugging Face hub.
    licence : str
        As the hub or, where that says nothing, the authors' repository states it.
    alphabet : str
        What it reads, and in which pieces.
    learnt_from : str
        Sequence that it was trained on.
    context : str
        The longest input, in tokens and in letters.
    checked : str
        How reading it was checked here.
    source : str
        Where shape, licence and data were read.
    config : mapping
        Content of its ``config.json`` that gives the shape.
    """

    name: str
    hub: str
    licence: str
    alphabet: str
    learnt_from: str
    context: str
    checked: str
    source: str
    config: Mapping[str, Any] = field(repr=False)

    @property
    def shape(self) -> Shape:
        """The shape that is read from its ``config.json``."""
        return from_config_json(self.config, Path(self.hub) / "config.json")

    def count_parameters(self) -> int:
        """Count the weights that are read, by building the model without any."""
        family = read_family(self.config, Path(self.hub) / "config.json")
        with torch.device("meta"):
            build = build_body if family.kind == "encoder" else find_builder(self.shape, family)
            model = build(self.shape)
        return sum(parameter.numel() for parameter in model.parameters())


class Memory(NamedTuple):
    """What working with a model takes, in bytes, beside the data."""

    embed: float
    tune: float


def estimate_memory(model: HubModel) -> Memory:
    """Estimate the memory to embed with a model and to fine-tune all of it, in float32 on one device.

    The estimate is that of ``--dry-run``, for batches of `BATCH_TOKENS` tokens in rows of `ROW_TOKENS`, or of the
    context where that is shorter.
    """
    n_parameters = model.count_parameters()
    embed = PROCESS_BYTES + EMBED_BYTES_PER_PARAMETER * n_parameters + EMBED_BYTES_PER_TOKEN * BATCH_TOKENS
    length = min(ROW_TOKENS, model.shape.max_positions)
    kept = count_kept_bytes(model.shape, length) * max(1, BATCH_TOKENS // length)
    return Memory(embed, PROCESS_BYTES + TUNE_BYTES_PER_PARAMETER * n_parameters + TUNE_SLACK * kept)


def count_kept_bytes(shape: Shape, length: int) -> float:
    """Count what training a classifier of a shape keeps of a row for the backward pass.

    Layers keep the same, so a model of one layer and one of two are run; large ones without weights, on sizes alone.

    Parameters
    ----------
    shape : shape
        Of any architecture with a body.
    length : int
        Tokens of the row.
    """
    config: Any = _plain(shape)
    kept = []
    for n_layers in (1, 2):
        classifier = dataclasses.replace(config, n_layers=n_layers, label_names=("no", "yes"))
        # Fourier transforms are not computed on sizes alone; models that need them are small.
        device = torch.device("cpu" if isinstance(shape, HyenaConfig) else "meta")
        with device:
            model = SequenceClassifier(classifier)
        kept.append(_kept(model.train(), torch.full((1, length), 1, device=device)))
    return float(kept[0] + (shape.n_layers - 1) * (kept[1] - kept[0]))


def _plain(shape: Shape) -> Shape:
    """Give the shape without what depends on the tokens, which cannot be computed without any; it keeps the same."""
    if isinstance(shape, TransformerConfig):
        return dataclasses.replace(shape, token_dropout=0.0, position_offset=0)
    if isinstance(shape, DecoderConfig) and shape.n_experts:
        return dataclasses.replace(shape, n_experts=0, ffn_size=shape.ffn_size * shape.n_experts_per_token)
    return shape


def _kept(model: nn.Module, ids_BL: Tensor) -> int:
    """Sum the sizes of what autograd keeps of a batch, without the weights."""
    own = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(ids_BL, None)
    return sum(storage.nbytes() for storage in kept.values())


def _bert(vocab_size: int, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "bert", "vocab_size": vocab_size, "hidden_size": 768, "num_hidden_layers": 12,
        "num_attention_heads": 12, "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "pad_token_id": 0, **more,
    }


def _esm(vocab_size: int, n_layers: int, hidden_size: int, n_heads: int, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "esm", "vocab_size": vocab_size, "hidden_size": hidden_size, "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads, "intermediate_size": 4 * hidden_size, "emb_layer_norm_before": False,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 1, **more,
    }


def _grover() -> HubModel:
    return HubModel(
        "grover", "PoetschLab/GROVER", f"{NOT_SAID}; its release on Zenodo: CC-BY-4.0", "DNA, 600 byte-pair merges",
        "the human genome (hg19)", "512 tokens, about 2 kb", f"{RANDOM}; {NAMES}",
        "doi:10.1038/s42256-024-00872-0; doi:10.5281/zenodo.8373117", _bert(609),
    )


def _dnabert(k: int) -> HubModel:
    return HubModel(
        f"dnabert-{k}", f"zhihan1996/DNA_bert_{k}", "apache-2.0 (jerryji1993/DNABERT)", f"DNA, overlapping {k}-mers",
        "the human genome (GRCh38)", f"512 tokens, {509 + k} bases", f"{RANDOM}; the vocabulary as published",
        "doi:10.1093/bioinformatics/btab083; github.com/jerryji1993/DNABERT", _bert(4**k + 5),
    )


def _dnabert_2() -> HubModel:
    return HubModel(
        "dnabert-2", "zhihan1996/DNABERT-2-117M", "apache-2.0 (MAGICS-LAB/DNABERT_2)", "DNA, byte pairs, 4,096 tokens",
        "genomes of 135 species", "512 tokens, about 2.5 kb", REFERENCE,
        "arXiv:2306.15006; github.com/MAGICS-LAB/DNABERT_2", _bert(4096, alibi_starting_size=512),
    )


def _nucleotide_1(size: str, data: str, learnt_from: str, n_layers: int, hidden_size: int) -> HubModel:
    config = _esm(4105, n_layers, hidden_size, 20, max_position_embeddings=1002, position_embedding_type="absolute",
                  token_dropout=True, mask_token_id=2, layer_norm_eps=1e-12, tie_word_embeddings=False)
    return HubModel(
        f"nucleotide-transformer-{size}-{data}", f"InstaDeepAI/nucleotide-transformer-{size}-{data}",
        "cc-by-nc-sa-4.0", "DNA, 6-mers side by side", learnt_from, "1,000 tokens, 5,994 bases", RANDOM,
        "doi:10.1038/s41592-024-02523-z; hub page and config.json", config,
    )


def _nucleotide_2(size: str, n_layers: int, hidden_size: int) -> HubModel:
    config = _esm(4107, n_layers, hidden_size, 16, max_position_embeddings=2050, position_embedding_type="rotary",
                  token_dropout=False, mask_token_id=2, layer_norm_eps=1e-12, tie_word_embeddings=False,
                  add_bias_fnn=False)
    return HubModel(
        f"nucleotide-transformer-v2-{size}", f"InstaDeepAI/nucleotide-transformer-v2-{size}-multi-species",
        "cc-by-nc-sa-4.0", "DNA, 6-mers side by side", "genomes of 850 species", "2,048 tokens, 12,282 bases",
        REFERENCE, "doi:10.1038/s41592-024-02523-z; hub page and config.json", config,
    )


def _hyena(name: str, hub: str) -> HubModel:
    shape = RELEASED[name]
    config = {
        "model_type": "hyenadna", "vocab_size": 12, "d_model": shape.hidden_size, "n_layer": shape.n_layers,
        "d_inner": shape.ffn_size, "max_seq_len": shape.max_positions, "emb_dim": 5, "filter_order": 64,
        "pad_vocab_size_multiple": 8, "hyena_order": 2, "layer_norm_epsilon": 1e-5, "embed_dropout": 0.1,
    }
    return HubModel(
        name, f"LongSafari/{hub}", "bsd-3-clause", "DNA, single bases", "the human genome (hg38)",
        f"{shape.max_positions - 2:,} bases", f"{REFERENCE}; {NAMES}", "arXiv:2306.15794; hub page", config,
    )


def _gpn() -> HubModel:
    config = {
        "model_type": "ConvNet", "vocab_size": 7, "hidden_size": 512, "n_layers": 25, "kernel_size": 9,
        "dilation_cycle": 6, "dilation_double_every": 1, "dilation_max": 32,
    }
    return HubModel(
        "gpn", "songlab/gpn-brassicales", "mit", "DNA, single bases", "genomes of Brassicales",
        "512 bases in training; any length is read", f"{REFERENCE}; its vocabulary was not at hand",
        "doi:10.1073/pnas.2311219120; hub page and config.json", config,
    )


def _esm_2(name: str, hub: str, n_layers: int, hidden_size: int, n_heads: int) -> HubModel:
    config = _esm(33, n_layers, hidden_size, n_heads, max_position_embeddings=1026, position_embedding_type="rotary",
                  token_dropout=True, mask_token_id=32, layer_norm_eps=1e-5)
    return HubModel(
        name, f"facebook/{hub}", "mit", "protein, single residues", "UniRef50 (UR50/D)", "1,024 residues", RANDOM,
        "doi:10.1126/science.ade2574; hub page", config,
    )


def _prot_t5() -> HubModel:
    config = {
        "model_type": "t5", "architectures": ["T5EncoderModel"], "vocab_size": 128, "d_model": 1024, "d_kv": 128,
        "d_ff": 16_384, "num_layers": 24, "num_decoder_layers": 24, "num_heads": 32, "feed_forward_proj": "relu",
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6,
        "n_positions": 512, "dropout_rate": 0.1, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
    }
    return HubModel(
        "prot-t5-xl", "Rostlab/prot_t5_xl_half_uniref50-enc", NOT_SAID, "protein, single residues",
        "UniRef50", "512 residues in training", RANDOM, "doi:10.1109/TPAMI.2021.3095381; hub page", config,
    )


def _mistral_dna(size: str, licence: str, checked: str, **shape: int) -> HubModel:
    config = {
        "model_type": "mixtral", "vocab_size": 4096, "num_attention_heads": 8, "num_key_value_heads": 8,
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 1_000_000.0, "sliding_window": None,
        "tie_word_embeddings": False, "pad_token_id": 3, "bos_token_id": 1, "eos_token_id": 2, **shape,
    }
    return HubModel(
        f"mistral-dna-{size.lower()}", f"RaphaelMourad/Mistral-DNA-v1-{size}-hg38", licence,
        "DNA, byte pairs, 4,096 tokens", "the human genome (hg38)", f"{shape['max_position_embeddings']} tokens",
        checked, "hub page and config.json", config,
    )


HUB_MODELS: tuple[HubModel, ...] = (
    _grover(),
    *(_dnabert(k) for k in (3, 4, 5, 6)),
    _dnabert_2(),
    _nucleotide_1("500m", "human-ref", "the human genome", 24, 1280),
    _nucleotide_1("500m", "1000g", "3,202 human genomes", 24, 1280),
    _nucleotide_1("2.5b", "multi-species", "genomes of 850 species", 32, 2560),
    _nucleotide_2("50m", 12, 512),
    _nucleotide_2("100m", 22, 512),
    _nucleotide_2("250m", 24, 768),
    _nucleotide_2("500m", 29, 1024),
    _hyena("hyenadna-tiny-1k", "hyenadna-tiny-1k-seqlen-hf"),
    _hyena("hyenadna-tiny-1k-d256", "hyenadna-tiny-1k-seqlen-d256-hf"),
    _hyena("hyenadna-tiny-16k", "hyenadna-tiny-16k-seqlen-d128-hf"),
    _hyena("hyenadna-small-32k", "hyenadna-small-32k-seqlen-hf"),
    _hyena("hyenadna-medium-160k", "hyenadna-medium-160k-seqlen-hf"),
    _hyena("hyenadna-medium-450k", "hyenadna-medium-450k-seqlen-hf"),
    _hyena("hyenadna-large-1m", "hyenadna-large-1m-seqlen-hf"),
    _gpn(),
    _mistral_dna("1M", NOT_SAID, REAL, hidden_size=64, intermediate_size=64, num_hidden_layers=4, head_dim=8,
                 num_local_experts=8, num_experts_per_tok=1, max_position_embeddings=256),
    _mistral_dna("1.6B", "apache-2.0", SMALLER, hidden_size=768, intermediate_size=2688, num_hidden_layers=8,
                 num_local_experts=32, num_experts_per_tok=2, max_position_embeddings=512),
    _esm_2("esm2-8m", "esm2_t6_8M_UR50D", 6, 320, 20),
    _esm_2("esm2-35m", "esm2_t12_35M_UR50D", 12, 480, 20),
    _esm_2("esm2-150m", "esm2_t30_150M_UR50D", 30, 640, 20),
    _esm_2("esm2-650m", "esm2_t33_650M_UR50D", 33, 1280, 20),
    _esm_2("esm2-3b", "esm2_t36_3B_UR50D", 36, 2560, 40),
    _esm_2("esm2-15b", "esm2_t48_15B_UR50D", 48, 5120, 40),
    _prot_t5(),
)
"""Published models whose folders are read, DNA before protein."""
