"""Write sequences token by token: greedy, or drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lingome.core.errors import DataError
from lingome.generate.draws import Draws
from lingome.generate.logits import Sampling, allow_only, greedy_tokens, sample_tokens, shape_logits
from lingome.generate.next_tokens import NextTokens
from lingome.generate.rules import Rules, Stop

# Dimension legend: B rows of a batch, L tokens of a prompt, V tokens in the vocabulary

Stream = Callable[[int, int], None]
"""Called with (row, token) as soon as a token is chosen."""


@dataclass(frozen=True)
class Generated:
    """What was written after one prompt.

    Parameters
    ----------
    tokens : tuple of int
        New tokens, an end token among them.
    log_probs : tuple of float
        Natural log-probability of each under the model's own distribution: at temperature 1, over the whole
        vocabulary, whatever was masked or cut off when it was chosen.
    stop : {"end token", "bases", "tokens", "no token fits"}
        Why it ended.
    """

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    stop: Stop

    @property
    def log_likelihood(self) -> float:
        """Sum of `log_probs`, in nats: what follows the prompt, given the prompt."""
        return sum(self.log_probs)


@torch.no_grad()
def generate(
    model: NextTokens,
    prompts_BL: Tensor,
    rules: Rules,
    *,
    draws: Draws | None = None,
    sampling: Sampling | None = None,
    attention_mask_BL: Tensor | None = None,
    stream: Stream | None = None,
) -> list[Generated]:
    """Continue each prompt until a rule stops it.

    Parameters
    ----------
    model : NextTokens
        The model.
    prompts_BL : Tensor of int64, shape (B, L)
        Prompts with the token that begins a sequence; shorter ones padded on the left.
    rules : Rules
        Which tokens may follow, and when to stop.
    draws : Draws, optional
        Random numbers; None takes the likeliest token each time.
    sampling : Sampling, optional
        How tokens are drawn; from the model's own distribution by default.
    attention_mask_BL : Tensor of bool, shape (B, L), optional
        False on padding.
    stream : callable, optional
        Told of every token.

    Returns
    -------
    list of Generated
        One a prompt. A row does not depend on the others, but for rounding inside the model.

    Raises
    ------
    DataError
        If the model gives scores that are not numbers.
    """
    sampling, device = sampling or Sampling(), prompts_BL.device
    done = [_Row() for _ in prompts_BL]
    going = list(range(len(done)))  # row of the batch -> row of the prompts: rows that are finished leave the batch
    bases_B = torch.zeros(len(done), dtype=torch.int64)
    logits_BV = model.start(prompts_BL, attention_mask_BL)
    while True:
        masked_BV, own_BV = next_scores(logits_BV, rules, bases_B)
        stuck_B = ~masked_BV.isfinite().any(dim=-1)
        masked_BV = masked_BV.masked_fill(stuck_B[:, None], 0.0)  # nothing fits: the row ends, what is drawn is let go
        if draws is None:
            chosen_B = greedy_tokens(masked_BV)
        else:
            chosen_B = sample_tokens(shape_logits(masked_BV, sampling), draws.next()[going])
        paid_B = own_BV.gather(1, chosen_B[:, None])[:, 0]
        bases_B = bases_B + rules.token_bases_V[chosen_B]
        columns = (going, chosen_B.tolist(), paid_B.tolist(), bases_B.tolist(), stuck_B.tolist())
        for row, token, paid, n_bases, stuck in zip(*columns, strict=True):
            if stuck:
                done[row].stop = "no token fits"
                continue
            done[row].add(token, paid, rules, n_bases)
            if stream is not None:
                stream(row, token)
        kept = [place for place, row in enumerate(going) if done[row].stop is None]
        if not kept:
            break
        if len(kept) < len(going):
            model.reorder(torch.tensor(kept, device=device))
            chosen_B, bases_B, going = chosen_B[kept], bases_B[kept], [going[place] for place in kept]
        logits_BV = model.step(chosen_B.to(device))
    return [row.result() for row in done]


class _Row:
    """A sequence under way."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.log_probs: list[float] = []
        self.stop: Stop | None = None

    def add(self, token: int, log_prob: float, rules: Rules, n_bases: int) -> None:
        self.tokens.append(token)
        self.log_probs.append(log_prob)
        self.stop = rules.stop(token, len(self.tokens), n_bases)

    def result(self) -> Generated:
        assert self.stop is not None
        return Generated(tuple(self.tokens), tuple(self.log_probs), self.stop)


def next_scores(logits_BV: Tensor, rules: Rules, bases_B: Tensor) -> tuple[Tensor, Tensor]:
    """Give logits with the masks of the rules, and the model's own log-probabilities: float64 (B, V) both, on the CPU.

    Choices are made there, in double precision, so that every device makes the same ones of the same scores.

    Raises
    ------
    DataError
        If a logit is not a number.
    """
    logits_BV = logits_BV.cpu().double()
    if bool(logits_BV.isnan().any()):
        raise DataError("the model's scores are not numbers", got="NaN", hint="its weights are damaged or diverged")
    return allow_only(logits_BV, rules.fitting(bases_B)), logits_BV.log_softmax(dim=-1)
