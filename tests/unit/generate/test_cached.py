"""A decoder with its cache against reading everything again."""

from __future__ import annotations

import pytest
import torch

from lingome.core.errors import DataError
from lingome.generate.beam import beam_search
from lingome.generate.cached import CachedDecoder
from lingome.generate.collection import Request, sample_many
from lingome.generate.rules import rules_for
from lingome.generate.sampling import generate
from lingome.models.networks.decoder.model import CausalLM, initialise_causal
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.tokens.characters import CharacterTokenizer

TOKENIZER = CharacterTokenizer()
SHAPES = {
    "gpt": DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=4, ffn_size=64, max_positions=40,
                         positions="learned", norm="layer", ffn="gelu_tanh", bias=True),
    "llama": DecoderConfig(hidden_size=32, n_layers=2, n_heads=4, n_kv_heads=2, ffn_size=64, max_positions=40),
}


class Rereads:
    """The same model, without a cache."""

    def __init__(self, model: CausalLM) -> None:
        self.model = model

    def start(self, input_ids_BL, attention_mask_BL=None):
        self.ids = input_ids_BL
        self.mask = torch.ones_like(input_ids_BL).bool() if attention_mask_BL is None else attention_mask_BL
        return self.model(self.ids, self.mask)[:, -1]

    def step(self, tokens_B):
        self.ids = torch.cat([self.ids, tokens_B[:, None]], dim=1)
        self.mask = torch.cat([self.mask, torch.ones_like(tokens_B)[:, None].bool()], dim=1)
        return self.model(self.ids, self.mask)[:, -1]

    def reorder(self, index_B):
        self.ids, self.mask = self.ids[index_B], self.mask[index_B]


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest) -> CausalLM:
    model = CausalLM(SHAPES[request.param])
    initialise_causal(model, 0)
    for parameter in model.parameters():
        parameter.data *= 6  # far enough from flat that tokens matter
    return model.eval()


PROMPTS = torch.tensor([[2, 5, 6, 7], [2, 8, 8, 5], [2, 6, 6, 6]])


def test_the_cache_changes_nothing(model: CausalLM):
    rules = rules_for(TOKENIZER, max_bases=30, min_bases=3)
    for mask in (None, torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]]).bool()):
        ours = generate(CachedDecoder(model, 40), PROMPTS, rules, attention_mask_BL=mask)
        again = generate(Rereads(model), PROMPTS, rules, attention_mask_BL=mask)
        assert [one.tokens for one in ours] == [one.tokens for one in again]
        for one, other in zip(ours, again, strict=True):
            assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
    beams = beam_search(CachedDecoder(model, 40), PROMPTS, rules, n_beams=4)
    again = beam_search(Rereads(model), PROMPTS, rules, n_beams=4)
    assert [[one.tokens for one in row] for row in beams] == [[one.tokens for one in row] for row in again]


def test_batches_of_a_real_model_draw_the_same(model: CausalLM):
    rules = rules_for(TOKENIZER, max_bases=30, min_bases=0)
    sets = [
        sample_many(CachedDecoder(model, 40), Request([2, 5], 9, rules, TOKENIZER.decode), seed=3, batch_size=size).kept
        for size in (1, 4, 9)
    ]
    assert [one.sequence for one in sets[0]] == [one.sequence for one in sets[1]] == [one.sequence for one in sets[2]]
    for one, other in zip(sets[0], sets[2], strict=True):
        assert one.generated.log_likelihood == pytest.approx(other.generated.log_likelihood, abs=1e-3)


def test_beyond_the_context_it_refuses_or_goes_on_from_the_last_half(model: CausalLM):
    rules = rules_for(TOKENIZER, max_bases=70)
    with pytest.raises(DataError, match="too_long=slide"):
        generate(CachedDecoder(model, 80), PROMPTS, rules)
    with pytest.raises(DataError, match="shorter prompt"):
        generate(CachedDecoder(model, 3), PROMPTS, rules)
    long = generate(CachedDecoder(model, 80, slide=True), PROMPTS, rules)
    assert [len(one.tokens) for one in long] == [70, 70, 70]
    # 40 positions: 4 of the prompt and 36 new ones; then the last 20 of the 41 known are read again.
    for prompt, one in zip(PROMPTS.tolist(), long, strict=True):
        known = torch.tensor([*prompt, *one.tokens])
        for start, end in ((0, 40), (21, 41), (21, 45)):
            own = model(known[None, start:end])[0, -1].double().log_softmax(dim=-1)
            assert one.log_probs[end - 4] == pytest.approx(own[known[end]].item(), abs=1e-4)
    with pytest.raises(DataError, match="padded"):
        generate(CachedDecoder(model, 80, slide=True), PROMPTS, rules, attention_mask_BL=PROMPTS != 5)
