"""Every architecture goes through one public checker, in small: presets that are, and each part of the large ones."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError
from lingome.models.contract import build_models, check_model
from lingome.models.folders.checkpoint import with_roles
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.tracks.model import Tracks
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.presets import CAUSAL_PRESETS, PRESETS, SEQ2SEQ_PRESETS, build_classifier, build_masked_lm
from lingome.models.registry import ARCHITECTURES, initialise
from lingome.models.shape import Shape
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
ALL_PRESETS: dict[str, Shape] = {**PRESETS, **CAUSAL_PRESETS, **SEQ2SEQ_PRESETS}
SMALL = {name: config for name, config in ALL_PRESETS.items() if config.hidden_size * config.n_layers <= 520}
DEFAULTS: dict[str, Shape] = {
    architecture.name: shape(**{field.name: 1 for field in dataclasses.fields(shape) if field.name == "n_layers"})
    for shape, architecture in ARCHITECTURES.items()
}
NANO, NANO_DECODER = PRESETS["nano"], DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48)
MIXES: dict[str, Shape] = {
    f"{positions}-{norm}-{ffn}": dataclasses.replace(NANO, positions=positions, norm=norm, ffn=ffn, bias=bias)
    for positions in ("learned", "rotary", "alibi", "relative")
    for norm, bias in (("post", True), ("pre", False))
    for ffn in ("gelu", "geglu", "swiglu")
}
DECODER_MIXES: dict[str, Shape] = {
    f"decoder-{positions}-{norm}-{ffn}-{bias}": dataclasses.replace(
        NANO_DECODER, positions=positions, norm=norm, ffn=ffn, bias=bias, n_kv_heads=kv_heads, tie_head=bias
    )
    for positions in ("learned", "rotary")
    for norm in ("layer", "rms")
    for ffn in ("gelu_tanh", "swiglu")
    for bias, kv_heads in ((True, 4), (False, 2))
}
DECODER_MIXES["decoder-window"] = dataclasses.replace(NANO_DECODER, window=5)
DECODER_MIXES["decoder-experts"] = dataclasses.replace(NANO_DECODER, n_experts=3, n_experts_per_token=2)
PARTS: dict[str, Shape] = {
    "grouped-rms": dataclasses.replace(NANO, n_heads=4, n_kv_heads=2, norm_kind="rms"),
    "local": dataclasses.replace(NANO, n_layers=3, local_window=6, global_every=2, local_rope_theta=100.0),
    "esm": dataclasses.replace(NANO, positions="learned", n_segments=0, bias=True, first_norm="both", ffn_bias="out",
                               position_offset=1, token_dropout=0.12),
    "convnet": dataclasses.replace(PRESETS["dilated-tiny"], block="convnet", ffn_size=32, bias=True),
    "first t5": dataclasses.replace(SEQ2SEQ_PRESETS["t5-nano"], ffn="relu", tie_head=True, scale_head=True),
}
"""Parts that no mix has."""
CASES = {
    name: with_roles(dataclasses.replace(config, vocab_size=TOKENIZER.vocab_size), TOKENIZER)
    for name, config in {**DEFAULTS, **SMALL, **MIXES, **DECODER_MIXES, **PARTS}.items()
}


def test_what_is_checked() -> None:
    assert len(DEFAULTS) == len(ARCHITECTURES) >= 7
    assert len(MIXES) == 24
    assert len(DECODER_MIXES) == 18
    assert len(SMALL) >= 7
    assert len(CASES) == len(DEFAULTS) + len(SMALL) + len(MIXES) + len(DECODER_MIXES) + len(PARTS)


@pytest.mark.parametrize("name", CASES)
def test_a_model_keeps_its_promises(name: str) -> None:
    models = build_models(CASES[name], seed=1)
    assert models
    for model in models:
        checked = check_model(model, TOKENIZER)
        assert len(checked) == (6 if isinstance(model, Tracks) else 8)


@pytest.mark.parametrize("name", [*DEFAULTS, "nano", "hyena-mini", "t5-nano", "dilated-tiny"])
def test_weights_are_a_function_of_the_seed(name: str) -> None:
    trio = zip(build_models(CASES[name]), build_models(CASES[name]), build_models(CASES[name], seed=1), strict=True)
    for first, second, other in trio:
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


class Broken(MaskedLM):
    """A model that breaks one promise."""

    def __init__(self, config: TransformerConfig, how: str) -> None:
        super().__init__(config)
        self.how = how

    def forward(
        self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None, masked_BL: Tensor | None = None
    ) -> Tensor:
        """Give logits that are wrong in one way."""
        if self.how == "sees padding":
            attention_mask_BL = None
        logits = super().forward(input_ids_BL, attention_mask_BL, masked_BL)
        if self.how == "random":
            return logits + 1e-3 * torch.rand(1)
        if self.how == "sees its neighbours":
            return logits + 1e-3 * input_ids_BL.float().mean()
        if self.how == "is not what is written":
            return logits * (2 if self.training else 1)
        if self.how == "frozen":
            return logits.detach() + 0 * logits
        return logits


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("random", "two calls"), ("sees its neighbours", "alone"), ("sees padding", "alone|padding"),
        ("frozen", "every parameter learns"), ("is not what is written", "training goes on"),
    ],
)
def test_a_broken_promise_is_named(how: str, said: str) -> None:
    config: Any = CASES["nano"]
    whole = build_masked_lm(config)
    broken = Broken(config, how)
    broken.load_state_dict(whole.state_dict())
    with pytest.raises(ConfigError, match=f"breaks the contract: .*({said})"):
        check_model(broken, TOKENIZER)
    assert len(check_model(whole, TOKENIZER)) == 8


def test_a_body_alone_is_checked_too() -> None:
    model: nn.Module = build_masked_lm(CASES["nano"]).body
    assert "states" in check_model(model, TOKENIZER)


@pytest.mark.parametrize("mix", ["decoder-learned-layer-gelu_tanh-True", "decoder-rotary-rms-swiglu-False"])
def test_a_classifier_by_the_last_token_keeps_its_promises(mix: str) -> None:
    model = SequenceClassifier(dataclasses.replace(CASES[mix], pooling="last", label_names=("a", "b")))
    initialise(model, 0)
    assert len(check_model(model, TOKENIZER)) == 8
    assert model.head.bias is None


def test_shapes_of_outputs() -> None:
    ids = torch.randint(5, 9, (3, 40), generator=torch.Generator().manual_seed(0))
    model = build_masked_lm(NANO, 9)
    assert model(ids).shape == (3, 40, 9)
    assert model(ids, None, ids == 5).shape == (int((ids == 5).sum()), 9)
    classifier = build_classifier("hyena-mini", 9, ("a", "b"))
    assert isinstance(classifier, SequenceClassifier)
    assert classifier(ids).shape == (3, 2)
