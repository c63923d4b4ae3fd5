"""Models that can be counted by name, published ones and presets: what they are for, and where their sizes are from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from lingome.models.counting.formulas import (
    count_decoder,
    count_encoder,
    count_encoder_decoder,
    count_esm,
    count_gpt,
    count_hyena,
    count_llama,
    count_matrices,
    count_mosaic_bert,
)
from lingome.models.counting.rows import Count
from lingome.models.counting.sizes import Sizes
from lingome.models.counting.tensor_list import Tensor, module_parts
from lingome.models.folders.families import find_family
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.dilated.shape import DilatedConfig
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import CAUSAL_PRESETS, PRESETS, SEQ2SEQ_PRESETS, find_shape
from lingome.models.registry import find_architecture
from lingome.models.shape import Shape
from lingome.tokens.bpe import vocabulary_size

PRESET_VOCABULARY = vocabulary_size(600)
"""Four letters, 600 merges and five special tokens."""
PRESET_LETTERS = vocabulary_size(0)
"""Four letters and five special tokens."""
_PRESET_PURPOSES = {
    "bert-mini": "DNA, to compare with BERT", "mini": "DNA, to train on a laptop", "tiny": "DNA, to try things out",
    "nano": "DNA, to test", "gpt-mini": "DNA, to generate",
    "t5-mini": "DNA, to write hidden spans", "t5-nano": "DNA, to test",
    "hyena-mini": "DNA, by bases, to try things out",
}


@dataclass(frozen=True)
class PublishedModel:
    """A model by name.

    Parameters
    ----------
    name : str
        What it is called here.
    purpose : str
        What it models.
    layers, hidden_size : int
        Its shape in two numbers.
    vocab_size : int
        Tokens in its vocabulary.
    source : str
        Where the sizes are published.
    counters : tuple of callable
        From a vocabulary size to a count; the first follows the convention that the name is known by.
    """

    name: str
    purpose: str
    layers: int
    hidden_size: int
    vocab_size: int
    source: str
    counters: tuple[Callable[[int], Count], ...] = field(repr=False)

    def counts(self, vocab_size: int | None = None) -> tuple[Count, ...]:
        """Count the parameters under each convention, for its own vocabulary or one of another size."""
        return tuple(counter(vocab_size or self.vocab_size) for counter in self.counters)


def _describe(
    name: str, purpose: str, source: str, sizes: Sizes, *counters: Callable[[Sizes], Count]
) -> PublishedModel:
    """Describe a model whose counts are functions of its sizes."""

    def of_vocabulary(counter: Callable[[Sizes], Count]) -> Callable[[int], Count]:
        return lambda vocab_size: counter(dataclasses.replace(sizes, vocab_size=vocab_size))

    return PublishedModel(
        name, purpose, sizes.n_layers, sizes.hidden_size, sizes.vocab_size, source, tuple(map(of_vocabulary, counters))
    )


def _bert(name: str, purpose: str, source: str, sizes: Sizes, *, pooler_first: bool = False) -> PublishedModel:
    def shape(sizes: Sizes) -> TransformerConfig:
        return TransformerConfig(
            sizes.vocab_size, sizes.hidden_size, sizes.n_layers, sizes.n_heads, sizes.symbols("F")["F"],
            sizes.max_positions, positions="learned", norm="post", ffn="gelu", bias=True, pad_id=0, cls_id=0, sep_id=0,
        )

    def masked(sizes: Sizes) -> Count:
        return count_encoder(shape(sizes))

    def encoder(sizes: Sizes) -> Count:
        return count_encoder(shape(sizes), masked_head=False, pooler=True, convention="encoder with pooler")

    counters = (encoder, masked) if pooler_first else (masked, encoder)
    return _describe(name, purpose, source, sizes, *counters)


def _dnabert_2() -> PublishedModel:
    def masked(sizes: Sizes) -> Count:
        return count_mosaic_bert(sizes, masked_head=True, pooler=False, convention="masked language model")

    purpose = "genomes of 135 species, byte pairs"
    return _describe("dnabert-2", purpose, "arXiv:2306.15006", Sizes(4096, 768, 12, 12), count_mosaic_bert, masked)


def _hyena(name: str, shape: HyenaConfig) -> PublishedModel:
    def stored(sizes: Sizes) -> Count:
        return count_hyena(
            sizes, filter_positions=shape.max_positions, tied=False, convention="as stored, with buffers"
        )

    purpose = f"the human genome, bases, up to {shape.max_positions - 2:,}"  # beside the first token and the last
    sizes = Sizes(shape.n_rows, shape.hidden_size, shape.n_layers)
    return _describe(name, purpose, "arXiv:2306.15794", sizes, count_hyena, stored)


def _esm(name: str, n_layers: int, hidden_size: int, n_heads: int) -> PublishedModel:
    def stored(sizes: Sizes) -> Count:
        return count_esm(dataclasses.replace(sizes, max_positions=1026), convention="with unused positions")

    sizes = Sizes(33, hidden_size, n_layers, n_heads)
    return _describe(name, "proteins", "doi:10.1126/science.ade2574", sizes, count_esm, stored)


def _gpt2(name: str, n_layers: int, hidden_size: int) -> PublishedModel:
    sizes = Sizes(50_257, hidden_size, n_layers, max_positions=1024)
    return _describe(name, "English", "Radford et al. 2019", sizes, count_gpt)


def _gpt3() -> PublishedModel:
    def real(sizes: Sizes) -> Count:
        return count_gpt(dataclasses.replace(sizes, n_heads=1), convention="real model: tied, with the rest")

    sizes = Sizes(50_257, 12_288, 96, 96, max_positions=2048)
    return _describe("gpt3", "English", "arXiv:2005.14165, table 2.1", sizes, count_matrices, real)


def _llama(name: str, source: str, sizes: Sizes) -> PublishedModel:
    return _describe(name, "text", source, sizes, count_llama)


def _t5(
    name: str, purpose: str, source: str, sizes: Sizes, *, gated: bool = False, tied: bool = True,
    encoder_first: bool = False,
) -> PublishedModel:
    def whole(sizes: Sizes) -> Count:
        return count_encoder_decoder(sizes, gated=gated, tied=tied)

    def encoder(sizes: Sizes) -> Count:
        return count_encoder_decoder(sizes, gated=gated, n_decoder_layers=0, convention="encoder alone")

    counters = (encoder, whole) if encoder_first else (whole, encoder)
    return _describe(name, purpose, source, sizes, *counters)


_T5 = "arXiv:1910.10683"
_BERT = "arXiv:1810.04805"
_GROVER = "doi:10.1038/s42256-024-00872-0"
_DNABERT = "doi:10.1093/bioinformatics/btab083"
_GENEFORMER = "doi:10.1038/s41586-023-06139-9"

PUBLISHED: dict[str, PublishedModel] = {
    model.name: model
    for model in (
        _bert("grover", "the human genome, 600 byte-pair merges", _GROVER,
              Sizes(609, 768, 12, 12, max_positions=512)),
        *(
            _bert(f"dnabert-{k}", f"the human genome, overlapping {k}-mers", _DNABERT,
                  Sizes(4**k + 5, 768, 12, 12, max_positions=512), pooler_first=True)
            for k in (3, 4, 5, 6)
        ),
        _dnabert_2(),
        *(_hyena(name, shape) for name, shape in RELEASED.items()),
        _bert("geneformer-v1-10m", "single cells, ranked genes", _GENEFORMER,
              Sizes(25_426, 256, 6, 4, ffn_size=512, max_positions=2048)),
        _bert("geneformer-v2-104m", "single cells, ranked genes", _GENEFORMER,
              Sizes(20_275, 768, 12, 12, max_positions=4096)),
        _bert("geneformer-v2-316m", "single cells, ranked genes", _GENEFORMER,
              Sizes(20_275, 1152, 18, 18, max_positions=4096)),
        _esm("esm2-8m", 6, 320, 20),
        _esm("esm2-35m", 12, 480, 20),
        _esm("esm2-150m", 30, 640, 20),
        _esm("esm2-650m", 33, 1280, 20),
        _esm("esm2-3b", 36, 2560, 40),
        _esm("esm2-15b", 48, 5120, 40),
        _bert("bert-base", "English", _BERT, Sizes(30_522, 768, 12, 12, max_positions=512), pooler_first=True),
        _bert("bert-large", "English", _BERT, Sizes(30_522, 1024, 24, 16, max_positions=512), pooler_first=True),
        _gpt2("gpt2", 12, 768),
        _gpt2("gpt2-medium", 24, 1024),
        _gpt2("gpt2-large", 36, 1280),
        _gpt2("gpt2-xl", 48, 1600),
        _gpt3(),
        _t5("t5-small", "English", _T5, Sizes(32_128, 512, 6, 8)),
        _t5("t5-base", "English", _T5, Sizes(32_128, 768, 12, 12)),
        _t5("t5-large", "English", _T5, Sizes(32_128, 1024, 24, 16)),
        _t5("flan-t5-base", "English", "arXiv:2210.11416", Sizes(32_128, 768, 12, 12, ffn_size=2048), gated=True,
            tied=False),
        _t5("prot-t5-xl", "proteins", "doi:10.1109/TPAMI.2021.3095381",
            Sizes(128, 1024, 24, 32, ffn_size=16_384, head_size=128), encoder_first=True),
        _llama("llama2-7b", "arXiv:2307.09288", Sizes(32_000, 4096, 32, 32, ffn_size=11_008)),
        _llama("llama3-8b", "arXiv:2407.21783", Sizes(128_256, 4096, 32, 32, ffn_size=14_336, n_kv_heads=8)),
        _llama("mistral-7b", "arXiv:2310.06825", Sizes(32_000, 4096, 32, 32, ffn_size=14_336, n_kv_heads=8)),
    )
}
"""Models by name."""


def preset_names() -> list[str]:
    """List the shapes that can be trained here: encoders, models that guess the next token, encoder-decoders."""
    return [*PRESETS, *CAUSAL_PRESETS, *SEQ2SEQ_PRESETS]


def preset_model(name: str) -> PublishedModel:
    """Describe a preset as models with a name are described; with the vocabulary of 600 merges, or single bases."""
    shape = find_shape(name)
    letters = isinstance(shape, HyenaConfig | DilatedConfig)

    def count(tokens: int) -> Count:
        config = dataclasses.replace(shape, vocab_size=tokens, pad_id=0, cls_id=0, sep_id=0)
        if isinstance(config, TransformerConfig):
            return count_encoder(config)
        if isinstance(config, HyenaConfig):
            sizes = Sizes(config.n_rows, config.hidden_size, config.n_layers, ffn_size=config.ffn_size)
            return count_hyena(sizes, filter_size=config.filter_size, tied=config.tie_head)
        if isinstance(config, DecoderConfig):
            sizes = Sizes(
                tokens, config.hidden_size, config.n_layers, config.n_heads, config.ffn_size, config.n_kv_heads,
                max_positions=config.max_positions if config.positions == "learned" else 0,
            )
            return count_decoder(
                sizes, bias=config.bias, norm_bias=config.bias and config.norm == "layer", gated=config.ffn == "swiglu",
                tied=config.tie_head,
            )
        if isinstance(config, EncoderDecoderConfig):
            sizes = Sizes(
                tokens, config.hidden_size, config.n_layers, config.n_heads, config.ffn_size,
                head_size=config.head_size,
            )
            return count_encoder_decoder(
                sizes, n_decoder_layers=config.n_decoder_layers, n_buckets=config.n_buckets,
                gated=config.ffn != "relu", tied=config.tie_head,
            )
        return count_built(config)

    purpose = _PRESET_PURPOSES.get(name, "DNA, by bases" if letters else "DNA")
    vocab_size = PRESET_LETTERS if letters else PRESET_VOCABULARY
    return PublishedModel(name, purpose, shape.n_layers, shape.hidden_size, vocab_size, "lingome", (count,))


def count_built(config: Shape) -> Count:
    """Count a model by building it without weights: a row a module, layers of one shape together."""
    kind = find_family(config).kind
    with torch.device("meta"):
        model = MaskedLM(config) if kind == "masked_lm" else find_architecture(config).models[kind](config)
    tensors = [Tensor(name, "F32", tuple(parameter.shape)) for name, parameter in model.named_parameters()]
    sizes = {"V": config.vocab_size, "D": config.hidden_size, "L": config.n_layers}
    return Count("all weights", tuple(module_parts(tensors, set())), sizes)
