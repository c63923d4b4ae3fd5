"""Models small enough to enumerate, as `NextTokens`."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from lingome.generate.rules import Rules


class Toy:
    """The next token depends on the last two, by a table of logits (V, V, V); left padding is not read."""

    def __init__(self, n_vocab: int, seed: int = 0, scale: float = 1.5) -> None:
        self.table = scale * torch.randn(n_vocab, n_vocab, n_vocab, generator=torch.Generator().manual_seed(seed))
        self.state = torch.empty(0, 2, dtype=torch.int64)

    def start(self, input_ids_BL: Tensor, attention_mask_BL: Tensor | None = None) -> Tensor:
        ids = input_ids_BL if attention_mask_BL is None else input_ids_BL.masked_fill(~attention_mask_BL, 0)
        padded = torch.nn.functional.pad(ids, (2, 0))
        self.state = padded[:, -2:]
        return self.logits()

    def step(self, tokens_B: Tensor) -> Tensor:
        self.state = torch.stack([self.state[:, 1], tokens_B], dim=1)
        return self.logits()

    def reorder(self, index_B: Tensor) -> None:
        self.state = self.state[index_B]

    def logits(self) -> Tensor:
        return self.table[self.state[:, 0], self.state[:, 1]]


def enumerate_all(toy: Toy, prompt: list[int], rules: Rules) -> dict[tuple[int, ...], float]:
    """Give every sequence that the rules allow after a prompt, and its log-probability, from the table alone."""
    found: dict[tuple[int, ...], float] = {}

    def extend(tokens: tuple[int, ...], total: float) -> None:
        before = [0, 0, *prompt, *tokens][-2:]
        log_probs = toy.table[before[0], before[1]].double().log_softmax(dim=-1).tolist()
        n_bases = sum(int(rules.token_bases_V[token]) for token in tokens)
        for token, log_prob in enumerate(log_probs):
            n_more = n_bases + int(rules.token_bases_V[token])
            ending = token in rules.end_ids
            if not bool(rules.allowed_V[token]) or (ending and n_bases < rules.min_bases):
                continue
            if rules.max_bases is not None and n_more > rules.max_bases:
                continue
            new = (*tokens, token)
            full = rules.max_bases is not None and n_more == rules.max_bases
            if ending or full or len(new) == rules.max_tokens:
                found[new] = total + log_prob
            else:
                extend(new, total + log_prob)

    extend((), 0.0)
    return found


def plain_rules(n_vocab: int, max_tokens: int, **limits: object) -> Rules:
    """Allow every token, one base each."""
    return Rules(torch.ones(n_vocab, dtype=torch.int64), torch.ones(n_vocab, dtype=torch.bool), max_tokens, **limits)


def all_words(n_vocab: int, length: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(n_vocab), repeat=length))
