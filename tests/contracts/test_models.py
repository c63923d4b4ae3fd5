"""Every model that is small enough goes through one checker; a new preset is checked by being listed."""

import dataclasses
from pathlib import Path

import pytest
import torch

from lingome.models.checkpoint import load_classifier, load_masked_lm, save_checkpoint
from lingome.models.presets import PRESETS, build_classifier, build_masked_lm, count_parameters
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
CASES = {
    name: dataclasses.replace(config, vocab_size=TOKENIZER.vocab_size) for name, config in {**SMALL, **MIXES}.items()
}


def test_what_is_checked() -> None:
    assert len(SMALL) == 4
    assert len(CASES) == 12


@pytest.fixture(params=CASES)
def config(request: pytest.FixtureRequest) -> TransformerConfig:
    return CASES[request.param]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 9, (3, 40), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(40) < torch.tensor([40, 11, 26])[:, None]
    return ids.masked_fill(~mask, 0), mask


def both(config: TransformerConfig, seed: int = 0) -> list[MaskedLM | SequenceClassifier]:
    return [build_masked_lm(config, seed=seed), build_classifier(config, label_names=("a", "b", "c"), seed=seed)]


def test_shapes(config: TransformerConfig) -> None:
    ids, mask = batch()
    language, classifier = both(config)
    assert language(ids, mask).shape == (3, 40, 9)
    assert language(ids, mask, mask).shape == (77, 9)
    assert language.body(ids).shape == (3, 40, config.hidden_size)
    assert classifier(ids, mask).shape == (3, 3)


def test_a_sequence_does_not_feel_its_batch(config: TransformerConfig) -> None:
    """Hidden states alone equal those in a padded batch, and those beside another neighbour."""
    ids, mask = batch()
    for model in both(config):
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


def test_saved_and_loaded(config: TransformerConfig, tmp_path: Path) -> None:
    ids, mask = batch()
    for model, load in zip(both(config), (load_masked_lm, load_classifier), strict=True):
        folder = tmp_path / load.__name__
        save_checkpoint(folder, model.eval(), TOKENIZER)
        loaded, _ = load(folder)
        assert torch.equal(loaded(ids, mask), model(ids, mask))
        assert loaded.config == model.config
        assert count_parameters(loaded) == count_parameters(model)


def test_every_parameter_learns(config: TransformerConfig) -> None:
    ids, mask = batch()
    language, classifier = both(config)
    torch.nn.functional.cross_entropy(language(ids, mask, mask), ids[mask]).backward()
    torch.nn.functional.cross_entropy(classifier(ids, mask), torch.tensor([0, 1, 2])).backward()
    for model in (language, classifier):
        still = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert still == []


def test_weights_are_a_function_of_the_seed(config: TransformerConfig) -> None:
    for first, second, other in zip(both(config), both(config), both(config, seed=1), strict=True):
        torch.manual_seed(5)
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
        assert not torch.equal(first.body.tokens.weight, other.body.tokens.weight)


def test_bfloat16_runs_and_stays_near(config: TransformerConfig) -> None:
    ids, mask = batch()
    model = build_masked_lm(config).eval()
    exact = model(ids, mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(ids, mask).float()
    rounded.sum().backward()
    assert (rounded - exact).abs().max() < 0.05
