"""Formulas give the published counts, and those of torch modules of the same shape."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lingome.core.errors import ConfigError
from lingome.models.counting.checkpoint import count_checkpoint
from lingome.models.counting.formulas import count_decoder, count_encoder
from lingome.models.counting.published import PUBLISHED, preset_model, preset_names
from lingome.models.counting.rows import Count, Part, Rows, merge_counts
from lingome.models.counting.sizes import Sizes
from lingome.models.folders.families import find_family, to_config_json
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.hyena.model import HyenaLM
from lingome.models.networks.hyena.shape import RELEASED, HyenaConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import PRESETS, count_parameters, find_shape
from lingome.models.registry import find_architecture

GPT3_ROWS = {  # the rows that lectures on GPT-3 add up
    "token embedding": 617_558_016, "query": 14_495_514_624, "key": 14_495_514_624, "value": 14_495_514_624,
    "attention output": 14_495_514_624, "up-projection": 57_982_058_496, "down-projection": 57_982_058_496,
    "unembedding": 617_558_016,
}
COUNTS = {
    # rows of the released embedding: 609; BertForMaskedLM of PoetschLab/GROVER
    "grover": (86_511_201, None),
    # the card of multimolecule says 89.19 M for 6-mers, 86.10 M for 3-mers with a slightly larger vocabulary
    "dnabert-3": (86_094_336, None), "dnabert-6": (89_190_912, 89_196_549),
    # the card of multimolecule: 117.07 M
    "dnabert-2": (117_068_544, 117_074_176),
    # Nguyen et al. 2023: 436k, 1.6 M, 3.3 M, 6.6 M; the second as lists of hub models give them, buffers included
    "hyenadna-tiny-1k": (436_096, 450_712), "hyenadna-tiny-1k-d256": (1_641_088, 1_658_008),
    "hyenadna-tiny-16k": (436_096, 635_032), "hyenadna-small-32k": (3_277_568, 4_069_168),
    "hyenadna-medium-160k": (6_550_528, 14_236_768), "hyenadna-medium-450k": (6_550_528, 28_156_768),
    "hyenadna-large-1m": (6_550_528, 54_556_768),
    # config.json of ctheodoris/Geneformer; 104M x 4 bytes is its file less the header
    "geneformer-v1-10m": (10_288_722, None), "geneformer-v2-104m": (104_386_867, None),
    "geneformer-v2-316m": (316_354_867, None),
    # fair-esm 2.0.0, contact head included; the second with transformers' unused position table
    "esm2-8m": (7_512_474, 7_840_794), "esm2-35m": (33_501_394, None), "esm2-150m": (148_140_154, None),
    "esm2-650m": (651_043_254, None), "esm2-3b": (2_839_005_634, None), "esm2-15b": (15_129_100_194, None),
    # Radford et al. 2019, files of openai-community
    "gpt2": (124_439_808, None), "gpt2-medium": (354_823_168, None), "gpt2-large": (774_030_080, None),
    "gpt2-xl": (1_557_611_200, None),
    # the lecture's table, and the tied model with positions, biases and norms
    "gpt3": (175_181_291_520, 174_604_259_328),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(name: str) -> None:
    first, second = COUNTS[name]
    totals = [count.total for count in PUBLISHED[name].counts()]
    assert totals[0] == first
    if second is not None:
        assert second in totals[1:]


def test_gpt3_is_the_table_of_the_lecture_row_by_row() -> None:
    lecture, real = PUBLISHED["gpt3"].counts()
    assert {part.component: part.parameters for part in lecture.parts} == GPT3_ROWS
    assert sum(GPT3_ROWS.values()) == 175_181_291_520 == 96 * 12 * 12_288**2 + 2 * 50_257 * 12_288
    assert real.total - 12 * 96 * 12_288**2 == 50_257 * 12_288 + 2048 * 12_288 + 96 * 13 * 12_288 + 2 * 12_288
    rows = merge_counts([lecture, real])
    assert [row[3][0] for row in rows if row[0] == "position embedding"] == [0]
    assert [row[3] for row in rows if row[0] == "unembedding"] == [[617_558_016, 0]]
    assert [sum(row[3][column] for row in rows) for column in (0, 1)] == [lecture.total, real.total]


def test_hyena_layer_by_the_polynomial() -> None:
    for name, (d, layers) in {"hyenadna-tiny-1k": (128, 2), "hyenadna-large-1m": (256, 8)}.items():
        filters = d + 5 * 64 + 64 + 64 + 2 * (64**2 + 64) + 64 * d
        layer = 3 * d**2 + 3 * d + d**2 + d + 9 * d + 3 * d + filters + 8 * d**2 + 5 * d + 4 * d
        assert PUBLISHED[name].counts()[0].total == layers * layer + 2 * d + 16 * d


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_counted_as_torch_counts_them(name: str) -> None:
    tokens = preset_model(name).vocab_size
    with torch.device("meta"):
        config = dataclasses.replace(find_shape(name), vocab_size=tokens, pad_id=0, cls_id=0, sep_id=0)
        models = find_architecture(config).models
        built = count_parameters(MaskedLM(config) if name in PRESETS else next(iter(models.values()))(config))
    assert preset_model(name).counts()[0].total == built


@pytest.mark.parametrize("mix", [
    {"positions": "relative", "norm_kind": "rms", "first_norm": "layer", "ffn": "gelu"},
    {"positions": "alibi", "norm": "post", "bias": True, "ffn_bias": "out", "n_segments": 3},
    {"positions": "learned", "position_offset": 2, "n_segments": 0, "first_norm": "both", "bias": True, "ffn": "gelu"},
    {"n_kv_heads": 2, "ffn": "swiglu", "ffn_bias": "none", "bias": True},
    {"n_kv_heads": 1, "norm_kind": "rms", "bias": True, "local_window": 8, "tie_head": False},
])
def test_encoders_with_newer_parts_are_counted_as_torch_counts_them(mix: dict[str, Any]) -> None:
    config = TransformerConfig(31, 24, 3, 4, 40, 50, **mix)
    with torch.device("meta"):
        assert count_encoder(config).total == count_parameters(MaskedLM(config))


@pytest.mark.parametrize(
    "mix",
    list(itertools.product(("learned", "rotary"), ("pre", "post"), ("gelu", "geglu"), (True, False), (True, False))),
)
def test_any_encoder_is_counted_as_torch_counts_it(mix: tuple) -> None:
    positions, norm, ffn, bias, tied = mix
    config = TransformerConfig(
        31, 24, 3, 2, 40, 50, positions=positions, norm=norm, ffn=ffn, bias=bias, tie_head=tied, n_segments=3
    )
    classifier = dataclasses.replace(config, label_names=("a", "b", "c"))
    with torch.device("meta"):
        assert count_encoder(config).total == count_parameters(MaskedLM(config))
        built = count_parameters(SequenceClassifier(classifier))
    assert count_encoder(classifier, masked_head=False).total == built


@pytest.mark.parametrize(
    "mix",
    list(itertools.product(("learned", "rotary"), ("layer", "rms"), ("gelu_tanh", "swiglu"), (True, False),
                           (True, False), (4, 2, 1))),
)
def test_any_decoder_is_counted_as_torch_counts_it(mix: tuple) -> None:
    positions, norm, ffn, bias, tied, groups = mix
    config = DecoderConfig(
        31, 24, 3, 4, groups, ffn_size=40, max_positions=50, positions=positions, norm=norm, ffn=ffn, bias=bias,
        tie_head=tied,
    )
    with torch.device("meta"):
        built = count_parameters(CausalLM(config))
    sizes = Sizes(31, 24, 3, 4, ffn_size=40, n_kv_heads=groups, max_positions=50 if positions == "learned" else 0)
    counted = count_decoder(
        sizes, bias=bias, norm_bias=bias and norm == "layer", gated=ffn == "swiglu", tied=tied
    )
    assert counted.total == built


@pytest.mark.parametrize("name", RELEASED)
def test_hyena_is_counted_as_torch_counts_it(name: str) -> None:
    with torch.device("meta"):
        assert PUBLISHED[name].counts()[0].total == count_parameters(HyenaLM(RELEASED[name]))


def test_a_published_file_of_hyena_holds_what_the_formula_says(tmp_path: Path) -> None:
    config = HyenaConfig(hidden_size=12, n_layers=2, ffn_size=20, max_positions=30, filter_size=7)
    model = HyenaLM(config)
    published = find_family(config).to_file(model.state_dict(), config)
    tensors = {name: tensor.clone() for name, tensor in published.items()}
    prefix = "hyena.backbone.layers.1.mixer.filter_fn.implicit_filter."
    tensors |= {f"{prefix}{index}.freq": tensors[f"{prefix}1.freq"].clone() for index in (3, 5)}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(to_config_json(config)))
    counted = count_checkpoint(tmp_path)
    assert counted.expected is not None
    assert counted.total == counted.expected.total == count_parameters(model)


def test_a_row_says_its_shape_and_its_factors() -> None:
    rows = Rows(D=3, L=5, V=1000)
    rows.add("table", "V D")
    rows.add("norms", "D", "2 L-1")
    rows.add("gates", "D 2D", "L")
    rows.add("nothing", "D", "0")
    assert rows.parts == [
        Part("table", "1,000 x 3", "V x D", 3000), Part("norms", "3", "2 x D x L-1", 24),
        Part("gates", "3 x 6", "D x 2D x L", 90),
    ]


def test_merging_keeps_the_order_of_both() -> None:
    def count(*names: str) -> Count:
        return Count("x", tuple(Part(name, "1", "1", 1) for name in names), {})

    merged = merge_counts([count("a", "c", "e"), count("a", "b", "c", "d")])
    assert [(row[0], row[3]) for row in merged] == [
        ("a", [1, 1]), ("b", [0, 1]), ("c", [1, 1]), ("d", [0, 1]), ("e", [1, 0])
    ]


def test_another_vocabulary_changes_the_embedding_alone() -> None:
    small, large = (PUBLISHED["gpt2"].counts(size)[0].total for size in (1000, 1001))
    assert large - small == 768
    with pytest.raises(ConfigError):
        preset_model("mini").counts(2**21)
