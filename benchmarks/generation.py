"""Rows of generation beside transformers' `generate`, on the same random weights in float32; `engine.py` runs them.

Prompts of 64 tokens. lingome takes the way of ``lingome generate``: matrices laid out for the rows of a step, a cache,
the loop with its masks and log-probabilities, which `generate` does not compute.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
import transformers
from pairs import Options, row, take_turns, twin_of

from lingome.generate.beam import beam_search
from lingome.generate.cached import CachedDecoder
from lingome.generate.draws import Draws
from lingome.generate.logits import Sampling
from lingome.generate.rules import Rules
from lingome.generate.sampling import generate
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.networks.decoder.step_layout import lay_out_for_steps
from lingome.models.presets import build_causal_lm

PROMPT = 64
Tokens = list[list[int]]
GPT2_VOCAB, DNA_VOCAB = 50_257, 609


class Setting:
    """A model, its twin, and prompts: what every way of writing `n_new` tokens a row needs."""

    def __init__(self, preset: str, vocab: int, batch: int, n_new: int) -> None:
        model = build_causal_lm(preset, vocab, 0).eval()
        assert isinstance(model, CausalLM)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3 if parameter.dim() > 1 else 1)  # far enough from flat that tokens differ
        self.model, self.batch, self.n_new = model, batch, n_new
        self.peer = twin_of(model, transformers.AutoModelForCausalLM).eval()
        self.prompts = torch.randint(5, vocab, (batch, PROMPT), generator=torch.Generator().manual_seed(0))
        self.rules = Rules(torch.ones(vocab, dtype=torch.int64), torch.ones(vocab, dtype=torch.bool), n_new)

    @property
    def n_tokens(self) -> int:
        return self.batch * self.n_new

    def ours(self, *, sampling: Sampling | None = None) -> Callable[[], Tokens]:
        """Greedy, or drawn."""
        reader = self._reader(self.batch)

        def work() -> Tokens:
            draws = None if sampling is None else Draws(0, [(row,) for row in range(self.batch)])
            made = generate(reader, self.prompts, self.rules, draws=draws, sampling=sampling)
            return [list(one.tokens) for one in made]

        return work

    def our_beams(self, n_beams: int) -> Callable[[], Tokens]:
        reader = self._reader(self.batch * n_beams)
        return lambda: [list(found[0].tokens)
                        for found in beam_search(reader, self.prompts, self.rules, n_beams=n_beams)]

    def theirs(self, **options: object) -> Callable[[], Tokens]:
        """transformers' `generate`; greedy without options."""
        settings = {"do_sample": False, **options}

        def work() -> Tokens:
            with torch.inference_mode():
                written = self.peer.generate(
                    self.prompts, attention_mask=torch.ones_like(self.prompts), max_new_tokens=self.n_new,
                    eos_token_id=None, pad_token_id=0, **settings)
            return written[:, PROMPT:].tolist()

        return work

    def _reader(self, n_rows: int) -> CachedDecoder:
        model = lay_out_for_steps(copy.deepcopy(self.model), n_rows)
        return CachedDecoder(model, PROMPT + self.n_new)


def same(first: Tokens, second: Tokens) -> str:
    """Say how many tokens agree, and how many different ones there are."""
    pairs = [pair for a, b in zip(first, second, strict=True) for pair in zip(a, b, strict=True)]
    n_equal = sum(a == b for a, b in pairs)
    return f"{n_equal:,} of {len(pairs):,} tokens equal ({len({a for a, _ in pairs})} kinds)"


def one_rows(options: Options) -> Iterator[list[str]]:
    """GPT-2-small's shape, one sequence: greedy, sampling and beams."""
    setting = Setting("gpt2", GPT2_VOCAB, 1, 32 if options.quick else 128)
    yield from _greedy_and_sampling(setting, "GPT-2, batch 1", ">= 1.4x", options)
    made: dict[str, Tokens] = {}
    beams = setting.our_beams(5), setting.theirs(num_beams=5, early_stopping="never", length_penalty=0.0)
    turns = take_turns({"greedy": setting.ours(), "ours": _keeping(made, "ours", beams[0]),
                        "theirs": _keeping(made, "theirs", beams[1])}, options.rounds)
    check, n = same(made["ours"], made["theirs"]), setting.n_tokens
    yield row("GPT-2, beam 5", n, turns["ours"], turns["theirs"], "", check)
    yield row("GPT-2, beam 5 over own greedy", n, turns["ours"], turns["greedy"], "<= 1.5x", check, longer=True)


def batch_rows(options: Options) -> Iterator[list[str]]:
    """GPT-2-small's shape, 16 sequences."""
    setting = Setting("gpt2", GPT2_VOCAB, 16, 8 if options.quick else 32)
    yield from _greedy_and_sampling(setting, "GPT-2, batch 16", ">= 1.5x", options)


def decoder_rows(options: Options) -> Iterator[list[str]]:
    """A DNA decoder of 4 layers of 256, beside transformers' Llama."""
    setting = Setting("gpt-mini", DNA_VOCAB, 1, 64 if options.quick else 256)
    yield from _greedy_and_sampling(setting, "4 x 256, batch 1", ">= 3x", options)


def _greedy_and_sampling(setting: Setting, label: str, goal: str, options: Options) -> Iterator[list[str]]:
    nucleus, first = Sampling(top_p=0.9), Sampling(top_k=1)
    made: dict[str, Tokens] = {}
    turns = take_turns({
        "greedy": _keeping(made, "greedy", setting.ours()), "sampling": setting.ours(sampling=nucleus),
        "their greedy": _keeping(made, "their greedy", setting.theirs()),
        "their sampling": setting.theirs(do_sample=True, top_p=0.9, top_k=0),
    }, options.rounds)
    n, alike = setting.n_tokens, f"top-k 1: {same(setting.ours(sampling=first)(), made['greedy'])}"
    yield row(f"{label}, greedy", n, turns["greedy"], turns["their greedy"], goal,
              same(made["greedy"], made["their greedy"]))
    yield row(f"{label}, top-p 0.9", n, turns["sampling"], turns["their sampling"], "", alike)
    yield row(f"{label}, top-p 0.9 over own greedy", n, turns["sampling"], turns["greedy"],
              "<= 1.05x" if label.startswith("GPT-2") else "", alike, longer=True)


def _keeping(made: dict[str, Tokens], name: str, work: Callable[[], Tokens]) -> Callable[[], None]:
    """Keep what a contender wrote last."""
    def turn() -> None:
        made[name] = work()

    return turn
