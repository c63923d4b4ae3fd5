"""Beam search: the likeliest sequences, as far as a number of beams can see."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lingome.core.errors import ConfigError
from lingome.generate.next_tokens import NextTokens
from lingome.generate.rules import Rules
from lingome.generate.sampling import Generated, next_scores

# Dimension legend: B prompts, W beams of each, R = B * W rows, L tokens of a prompt, V tokens in the vocabulary


@dataclass(frozen=True)
class _Beam:
    """A sequence under way: its tokens, what each cost, and the bases written."""

    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    n_bases: int = 0
    score: float = 0.0


class _Search:
    """The beams of one prompt: those under way, and the best finished ones."""

    def __init__(self, rules: Rules, n_beams: int, length_penalty: float) -> None:
        self.rules = rules
        self.n_beams = n_beams
        self.length_penalty = length_penalty
        self.beams: list[_Beam] = [_Beam()]
        self.finished: list[tuple[float, Generated]] = []

    def take(self, log_probs_WV: Tensor, masked_WV: Tensor, bases_V: list[int]) -> list[int]:
        """Extend the beams by the best tokens, and give the beam that each of the new ones goes on from.

        Tokens that do not fit are -inf in `masked_WV`. Of equal scores the first beam's come first, then those of
        lowest id.
        """
        parent_beams = self.beams
        stuck_W = masked_WV.amax(dim=1) == -math.inf
        if bool((masked_WV.amin(dim=1) == -math.inf).any()):
            log_probs_WV = log_probs_WV.masked_fill(masked_WV == -math.inf, -math.inf)
        bases_W = torch.tensor([beam.n_bases for beam in parent_beams])
        scores_W = torch.tensor([beam.score for beam in parent_beams], dtype=torch.float64)
        ends_WV = self.rules.ending(bases_W, len(parent_beams[0].tokens))

        def best(log_probs_WV: Tensor) -> list[tuple[int, _Beam]]:
            # The best of all are among the best of each beam, and those tied with the last of them.
            least_W1 = log_probs_WV.topk(min(log_probs_WV.shape[1], self.n_beams)).values[:, -1:]
            row_C, token_C = ((log_probs_WV >= least_W1) & (log_probs_WV > -math.inf)).nonzero(as_tuple=True)
            paid_C = log_probs_WV[row_C, token_C]
            score_C, order_C = (scores_W[row_C] + paid_C).sort(descending=True, stable=True)
            order_C = order_C[: self.n_beams]
            columns = (row_C[order_C], token_C[order_C], paid_C[order_C], score_C)
            extended = []
            for row, token, paid, score in zip(*(one[: self.n_beams].tolist() for one in columns), strict=True):
                old = parent_beams[row]
                new = _Beam((*old.tokens, token), (*old.log_probs, paid), old.n_bases + bases_V[token], score)
                extended.append((row, new))
            return extended

        going_on = best(log_probs_WV)
        if bool(ends_WV.any()):
            for _, new in going_on:
                stop = self.rules.stop(new.tokens[-1], len(new.tokens), new.n_bases)
                if stop is not None:
                    self._finish(new, Generated(new.tokens, new.log_probs, stop))
            going_on = best(log_probs_WV.masked_fill(ends_WV, -math.inf))
        for beam, stuck in zip(parent_beams, stuck_W.tolist(), strict=True):
            if stuck and beam.tokens:
                self._finish(beam, Generated(beam.tokens, beam.log_probs, "no token fits"))
        self.beams = [beam for _, beam in going_on]
        return [row for row, _ in going_on]

    def _finish(self, beam: _Beam, done: Generated) -> None:
        self.finished.append((beam.score / len(beam.tokens) ** self.length_penalty, done))
        self.finished.sort(key=lambda item: -item[0])
        del self.finished[self.n_beams :]

    @property
    def over(self) -> bool:
        """Whether no beam under way can still become better than the finished ones."""
        if not self.beams:
            return True
        if len(self.finished) < self.n_beams:
            return False
        # A score is negative and falls with every token: divided by the longest length it is highest.
        longest = self.rules.max_tokens if self.length_penalty > 0 else len(self.beams[0].tokens)
        best: float = self.beams[0].score / longest**self.length_penalty
        return best <= self.finished[-1][0]


@torch.no_grad()
def beam_search(
    model: NextTokens,
    prompts_BL: Tensor,
    rules: Rules,
    *,
    n_beams: int,
    length_penalty: float = 0.0,
    attention_mask_BL: Tensor | None = None,
) -> list[list[Generated]]:
    """Search the likeliest continuations of each prompt.

    Each step extends every beam by every token, and the best `n_beams` that go on are kept. A sequence
    that ends is kept as a result if it is among the best `n_beams` of its step, as in transformers with
    ``early_stopping="never"``. With as many beams as there are sequences the search is exhaustive.

    Parameters
    ----------
    model : NextTokens
        The model; from the second token on it gets B x `n_beams` rows.
    prompts_BL : Tensor of int64, shape (B, L)
        Prompts, padded on the left.
    rules : Rules
        Which tokens may follow, and when to stop.
    n_beams : int
        W.
    length_penalty : float
        Results are ranked by log-likelihood / tokens ** length_penalty; 0 is the log-likelihood itself.
    attention_mask_BL : Tensor of bool, shape (B, L), optional
        False on padding.

    Returns
    -------
    list of list of Generated
        For each prompt at most `n_beams` results, best first.

    Raises
    ------
    ConfigError
        If `n_beams` is below 1 or `length_penalty` below 0.
    """
    if n_beams < 1:
        raise ConfigError("a search needs a beam", where="beams", got=n_beams, expected="1 or more")
    if length_penalty < 0:
        raise ConfigError("a length penalty is 0 or more", where="length_penalty", got=length_penalty)
    bases_V = rules.token_bases_V.tolist()
    searches = [_Search(rules, n_beams, length_penalty) for _ in prompts_BL]
    spread_R = torch.arange(len(prompts_BL), device=prompts_BL.device).repeat_interleave(n_beams)
    logits_RV = model.start(prompts_BL, attention_mask_BL)[spread_R]
    model.reorder(spread_R)
    while True:
        index = list(range(len(searches) * n_beams))
        tokens = [0] * len(index)
        for number, search in enumerate(searches):
            first = number * n_beams
            if search.over:
                continue
            rows = slice(first, first + len(search.beams))
            bases_W = torch.tensor([beam.n_bases for beam in search.beams])
            masked_WV, own_WV = next_scores(logits_RV[rows], rules, bases_W)
            parents = search.take(own_WV, masked_WV, bases_V)
            for place, (parent, beam) in enumerate(zip(parents, search.beams, strict=True)):
                index[first + place] = first + parent
                tokens[first + place] = beam.tokens[-1]
        if all(search.over for search in searches):
            break
        model.reorder(torch.tensor(index, device=prompts_BL.device))
        logits_RV = model.step(torch.tensor(tokens, device=prompts_BL.device))
    return [[done for _, done in search.finished] for search in searches]
