"""Presets have the sizes they claim."""

import pytest
import torch

from lingome.core.errors import ConfigError
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.presets import (
    CAUSAL_PRESETS,
    PRESETS,
    SEQ2SEQ_PRESETS,
    build_causal_lm,
    build_classifier,
    build_masked_lm,
    count_parameters,
    find_causal_config,
    find_config,
)


def test_grover_has_the_published_size() -> None:
    """GROVER: BERT-base, 609 tokens, 512 positions, tied head, no pooler: 86,511,201 parameters."""
    with torch.device("meta"):
        model = MaskedLM(find_config("grover", 609))
    assert count_parameters(model) == 86_511_201


def test_mini_by_hand() -> None:
    """4 layers of 256 with a gated FFN of 512: matrices 4 D^2 + 3 D F a layer, norms without biases."""
    layer = 4 * 256**2 + 3 * 256 * 512
    norms = 256 * (1 + 3 + 4 + 1 + 1)
    expected = 609 * 256 + 4 * layer + norms + 256**2 + 609
    assert count_parameters(build_masked_lm("mini", 609)) == expected == 2_846_049


def test_unknown_preset_says_which_are_near() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mini'"):
        build_masked_lm("mini2", 9)


def test_classifier_on_a_trained_body_copies_it() -> None:
    pretrained = build_masked_lm("nano", 20, seed=1)
    model = build_classifier("nano", 20, ("a", "b", "c"), seed=2, body=pretrained.body)
    assert model.head.weight.shape == (3, 32)
    assert torch.equal(model.body.tokens.weight, pretrained.body.tokens.weight)
    with torch.no_grad():
        model.body.tokens.weight.zero_()
    assert pretrained.body.tokens.weight.abs().max() > 0


def test_classifier_refuses_a_body_of_another_shape() -> None:
    with pytest.raises(ConfigError, match="another shape"):
        build_classifier("nano", 20, body=build_masked_lm("nano", 21).body)


def test_trainable_parameters_only() -> None:
    model = build_masked_lm("nano", 20)
    model.body.requires_grad_(False)
    assert count_parameters(model, trainable=True) == 32**2 + 32 + 20


def test_gpt2_has_the_published_size() -> None:
    """The small GPT-2, 50,257 tokens, tied head: 124,439,808 parameters."""
    with torch.device("meta"):
        model = CausalLM(find_causal_config("gpt2", 50_257))
    assert count_parameters(model) == 124_439_808


def test_gpt_mini_by_hand() -> None:
    """A layer: queries D^2, two heads of 64 keys and values D x 256, out D^2, three matrices D x F, two norms."""
    layer = 2 * 256**2 + 256 * 256 + 3 * 256 * 768 + 2 * 256
    assert count_parameters(build_causal_lm("gpt-mini", 609)) == 609 * 256 + 4 * layer + 256 == 3_303_936


def test_unknown_decoder_says_which_are_near() -> None:
    with pytest.raises(ConfigError, match="did you mean 'gpt-mini'"):
        build_causal_lm("gpt-min", 9)
    with pytest.raises(ConfigError, match=r"(?s)gpt2, gpt-mini.*of another kind"):
        build_causal_lm("mini", 9)
    with pytest.raises(ConfigError, match="of another kind"):
        build_masked_lm("gpt2", 9)


def test_presets_are_all_distinct() -> None:
    presets = [*PRESETS.values(), *CAUSAL_PRESETS.values(), *SEQ2SEQ_PRESETS.values()]
    assert len(set(presets)) == len(presets) == len({*PRESETS, *CAUSAL_PRESETS, *SEQ2SEQ_PRESETS})
    assert len(presets) > 15
