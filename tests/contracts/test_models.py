"""Every model that is small enough goes through one checker; a new preset is checked by being listed."""

import dataclasses
from pathlib import Path

import pytest
import torch

from lingome.models.checkpoint import load_causal_lm, load_classifier, load_masked_lm, save_checkpoint
from lingome.models.decoder import CausalLM, DecoderConfig
from lingome.models.presets import (
    CAUSAL_PRESETS,
    PRESETS,
    build_causal_lm,
    build_classifier,
    build_masked_lm,
    count_parameters,
)
from lingome.models.transformer import MaskedLM, SequenceClassifier, TransformerConfig
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
SMALL = {name: config for name, config in PRESETS.items() if config.hidden_size * config.n_layers <= 2048}
MIXES = {
    f"{positions}-{norm}-{ffn}": dataclasses.replace(
        PRESETS["nano"], positions=positions, norm=norm, ffn=ffn, bias=bias
    )
    for positions in ("learned", "rotary")
    for norm, bias in (("post", True), ("pre", False))
    for ffn in ("gelu", "geglu")
}
NANO_DECODER = DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=48)
SMALL_DECODERS = {
    name: config for name, config in CAUSAL_PRESETS.items() if config.hidden_size * config.n_layers <= 2048
}
DECODER_MIXES = {
    f"decoder-{positions}-{norm}-{ffn}-{bias}": dataclasses.replace(
        NANO_DECODER, positions=positions, norm=norm, ffn=ffn, bias=bias, n_kv_heads=kv_heads, tie_head=bias
    )
    for positions in ("learned", "rotary")
    for norm in ("layer", "rms")
    for ffn in ("gelu_tanh", "swiglu")
    for bias, kv_heads in ((True, 4), (False, 2))
}
CASES: dict[str, TransformerConfig | DecoderConfig] = {
    name: dataclasses.replace(config, vocab_size=TOKENIZER.vocab_size)
    for name, config in {**SMALL, **MIXES, **SMALL_DECODERS, **DECODER_MIXES}.items()
}
Model = MaskedLM | SequenceClassifier | CausalLM


def test_what_is_checked() -> None:
    assert len(SMALL) == 4
    assert len(SMALL_DECODERS) == 1
    assert len(CASES) == 12 + 17


@pytest.fixture(params=CASES)
def config(request: pytest.FixtureRequest) -> TransformerConfig | DecoderConfig:
    return CASES[request.param]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 9, (3, 40), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(40) < torch.tensor([40, 11, 26])[:, None]
    return ids.masked_fill(~mask, 0), mask


def models(config: TransformerConfig | DecoderConfig, seed: int = 0) -> list[Model]:
    """Every model that the shape makes."""
    if isinstance(config, DecoderConfig):
        return [build_causal_lm(config, seed=seed)]
    return [build_masked_lm(config, seed=seed), build_classifier(config, label_names=("a", "b", "c"), seed=seed)]


def loss_of(model: Model, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The loss that such a model is trained on."""
    if isinstance(model, SequenceClassifier):
        return torch.nn.functional.cross_entropy(model(ids, mask), torch.tensor([0, 1, 2]))
    if isinstance(model, CausalLM):
        known = mask[:, 1:]
        return torch.nn.functional.cross_entropy(model(ids, mask)[:, :-1][known], ids[:, 1:][known])
    return torch.nn.functional.cross_entropy(model(ids, mask, mask), ids[mask])


def test_shapes(config: TransformerConfig | DecoderConfig) -> None:
    ids, mask = batch()
    for model in models(config):
        assert model.body(ids).shape == (3, 40, config.hidden_size)
        assert model(ids, mask).shape == ((3, 3) if isinstance(model, SequenceClassifier) else (3, 40, 9))
        if isinstance(model, MaskedLM):
            assert model(ids, mask, mask).shape == (77, 9)
        if isinstance(model, CausalLM):
            assert model.last_logits(ids, mask).shape == (3, 9)


def test_a_sequence_does_not_feel_its_batch(config: TransformerConfig | DecoderConfig) -> None:
    """Hidden states alone equal those in a padded batch, and those beside another neighbour."""
    ids, mask = batch()
    for model in models(config):
        body = model.eval().body
        with torch.no_grad():
            together = body(ids, mask)
            for row, length in enumerate(mask.sum(dim=1).tolist()):
                alone = body(ids[row : row + 1, :length])
                assert (together[row, :length] - alone[0]).abs().max() < 1e-5
            other = ids.clone()
            other[0] = ids[0].flip(0)
            other[1, 11:] = 7  # what stands under padding is never seen
            assert (body(other, mask)[1, :11] - together[1, :11]).abs().max() < 1e-5


def test_saved_and_loaded(config: TransformerConfig | DecoderConfig, tmp_path: Path) -> None:
    ids, mask = batch()
    loaders = {MaskedLM: load_masked_lm, SequenceClassifier: load_classifier, CausalLM: load_causal_lm}
    for model in models(config):
        load = loaders[type(model)]
        folder = tmp_path / load.__name__
        save_checkpoint(folder, model.eval(), TOKENIZER)
        loaded, _ = load(folder)
        assert torch.equal(loaded(ids, mask), model(ids, mask))
        assert loaded.config == model.config
        assert count_parameters(loaded) == count_parameters(model)


def test_every_parameter_learns(config: TransformerConfig | DecoderConfig) -> None:
    ids, mask = batch()
    for model in models(config):
        loss_of(model, ids, mask).backward()
        still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert still == []


def test_weights_are_a_function_of_the_seed(config: TransformerConfig | DecoderConfig) -> None:
    for first, second, other in zip(models(config), models(config), models(config, seed=1), strict=True):
        torch.manual_seed(5)
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
        assert not torch.equal(first.body.tokens.weight, other.body.tokens.weight)


def test_bfloat16_runs_and_stays_near(config: TransformerConfig | DecoderConfig) -> None:
    ids, mask = batch()
    model = models(config)[0].eval()
    exact = model(ids, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(ids, mask).float()
    rounded.sum().backward()
    assert (rounded - exact)[mask].abs().max() < 0.05
