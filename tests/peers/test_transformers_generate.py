"""Greedy and beam search give transformers' tokens, on small GPT-2s with random weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lingome.generate.beam import beam_search
from lingome.generate.draws import Draws
from lingome.generate.logits import Sampling, keep_min_p, keep_top_k, keep_top_p, shape_logits
from lingome.generate.rules import Rules
from lingome.generate.sampling import generate

transformers = pytest.importorskip("transformers")

VOCAB, END = 12, 0


class Gpt2:
    """transformers' model as `NextTokens`, without a cache: everything is read again at every step."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        self.ids = input_ids_BL
        self.mask = torch.ones_like(input_ids_BL) if attention_mask_BL is None else attention_mask_BL.long()
        return self.logits()

    def step(self, tokens_B: Tensor) -> Tensor:
        self.ids = torch.cat([self.ids, tokens_B[:, None]], dim=1)
        self.mask = torch.cat([self.mask, torch.ones_like(tokens_B)[:, None]], dim=1)
        return self.logits()

    def reorder(self, index_B: Tensor) -> None:
        self.ids, self.mask = self.ids[index_B], self.mask[index_B]

    def logits(self) -> Tensor:
        places = (self.mask.cumsum(dim=1) - 1).clamp(min=0)
        return self.model(self.ids, attention_mask=self.mask, position_ids=places).logits[:, -1]


def small_gpt2(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=END, eos_token_id=END,
        initializer_range=0.4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    )
    return transformers.GPT2LMHeadModel(config).eval()


def rules(end: bool, n_tokens: int = 20) -> Rules:
    return Rules(torch.ones(VOCAB, dtype=torch.int64), torch.ones(VOCAB, dtype=torch.bool), n_tokens,
                 end_ids=(END,) if end else ())


def theirs(model: torch.nn.Module, ids: Tensor, end: bool, mask: Tensor | None = None, **more: object) -> list:
    mask = torch.ones_like(ids) if mask is None else mask.long()
    out = model.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False, pad_token_id=END,
                         eos_token_id=END if end else None, use_cache=True, **more)
    new = out[:, ids.shape[1] :].tolist()
    cut = [row[: row.index(END) + 1] if end and END in row else row for row in new]
    return [tuple(row) for row in cut]


PROMPTS = torch.randint(1, VOCAB, (4, 5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_greedy(seed: int, end: bool):
    model = small_gpt2(seed)
    model.generation_config.eos_token_id = END if end else None
    ours = generate(Gpt2(model), PROMPTS, rules(end))
    assert [one.tokens for one in ours] == theirs(model, PROMPTS, end)


def test_greedy_with_left_padding():
    model = small_gpt2(1)
    model.generation_config.eos_token_id = None
    mask = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    ours = generate(Gpt2(model), PROMPTS, rules(False), attention_mask_BL=mask)
    assert [one.tokens for one in ours] == theirs(model, PROMPTS, False, mask)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_beam_search_all_its_results(seed: int, end: bool, length_penalty: float):
    """Under what transformers calls the canonical settings: ``early_stopping="never"``."""
    model = small_gpt2(seed)
    model.generation_config.eos_token_id = END if end else None
    ours = beam_search(Gpt2(model), PROMPTS, rules(end), n_beams=5, length_penalty=length_penalty)
    expected = theirs(model, PROMPTS, end, num_beams=5, num_return_sequences=5, early_stopping="never",
                      length_penalty=length_penalty)
    assert [one.tokens for row in ours for one in row] == expected


def test_each_cut_of_logits_is_theirs():
    """On random logits without ties; temperature, top-k, top-p and min-p alone and one after the other."""
    logits = 3 * torch.randn(50, 40, generator=torch.Generator().manual_seed(1))
    hf = transformers.generation.logits_process
    pairs = [
        (keep_top_k(logits, 7), hf.TopKLogitsWarper(7)), (keep_top_p(logits, 0.8), hf.TopPLogitsWarper(0.8)),
        (keep_min_p(logits, 0.1), hf.MinPLogitsWarper(0.1)),
    ]
    for ours, warper in pairs:
        assert torch.equal(ours, warper(None, logits.clone()))
    chain = logits.clone()
    for warper in (hf.TemperatureLogitsWarper(0.7), *(warper for _, warper in pairs)):
        chain = warper(None, chain)
    assert torch.equal(shape_logits(logits, Sampling(0.7, 7, 0.8, 0.1)), chain)


def test_log_likelihood_is_the_score_of_a_whole_reading():
    model = small_gpt2(2)
    ours = generate(Gpt2(model), PROMPTS, rules(False), draws=Draws(0, [(i,) for i in range(4)]))
    for prompt, one in zip(PROMPTS, ours, strict=True):
        whole = torch.cat([prompt, torch.tensor(one.tokens)])
        scores = model(whole[None]).logits[0].log_softmax(dim=-1)
        expected = scores[len(prompt) - 1 : -1].gather(1, whole[len(prompt) :, None]).sum()
        assert one.log_likelihood == pytest.approx(expected.item(), abs=1e-3)
