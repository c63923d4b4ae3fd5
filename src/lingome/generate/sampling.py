"""Write sequences token by token: greedy, or drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lingome.core.errors import DataError
from lingome.generate.draws import Draws
from lingome.generate.logits import Sampling, allow_only, greedy_tokens, sample_tokens, shape_logits
from lingome.generate.next_tokens import NextTokens
from lingome.generate.rules import Rules, Stop

# Dimension legend: B rows of a batch, L tokens of a prompt, V tokens in the vocabulary

OnToken = Callable[[int, int], None]
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


class Written(NamedTuple):
    """One token, as soon as it is chosen.

    Parameters
    ----------
    row : int
        The prompt it belongs to.
    token : int, optional
        None where no token fits any more; the row ends without one.
    log_prob : float
        As in `Generated`; 0 without a token.
    stop : {"end token", "bases", "tokens", "no token fits"}, optional
        Why the row ends with it; None where it goes on.
    """

    row: int
    token: int | None
    log_prob: float
    stop: Stop | None


@torch.no_grad()
def stream(
    model: NextTokens,
    prompts_BL: Tensor,
    rules: Rules,
    *,
    draws: Draws | None = None,
    sampling: Sampling | None = None,
    attention_mask_BL: Tensor | None = None,
) -> Iterator[Written]:
    """Continue each prompt until a rule stops it, and give every token when it is made.

    Rows take turns: one token of each that goes on, then the next.

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

    Yields
    ------
    Written
        One token.

    Raises
    ------
    DataError
        If the model gives scores that are not numbers.
    """
    sampling = sampling or Sampling()
    device = prompts_BL.device
    n_tokens = 0
    going = list(range(len(prompts_BL)))  # row of the batch -> row of the prompts: finished rows leave the batch
    bases_B = torch.zeros(len(going), dtype=torch.int64)
    logits_BV = model.start(prompts_BL, attention_mask_BL)
    while True:
        n_tokens += 1
        masked_BV, own_BV = next_scores(logits_BV, rules, bases_B)
        stuck_B = masked_BV.amax(dim=-1) == -math.inf
        if bool(stuck_B.any()):  # nothing fits: the row ends, what is drawn is let go
            masked_BV = masked_BV.masked_fill(stuck_B[:, None], 0.0)
        if draws is None or sampling.temperature == 0:
            chosen_B = greedy_tokens(masked_BV)
        else:
            chosen_B = sample_tokens(shape_logits(masked_BV, sampling), draws.next()[going])
        paid_B = own_BV.gather(1, chosen_B[:, None])[:, 0]
        bases_B = bases_B + rules.token_bases_V[chosen_B]
        columns = (going, chosen_B.tolist(), paid_B.tolist(), bases_B.tolist(), stuck_B.tolist())
        kept = []
        for place, (row, token, paid, n_bases, stuck) in enumerate(zip(*columns, strict=True)):
            if stuck:
                yield Written(row, None, 0.0, "no token fits")
                continue
            stop = rules.stop(token, n_tokens, n_bases)
            if stop is None:
                kept.append(place)
            yield Written(row, token, paid, stop)
        if not kept:
            return
        if len(kept) < len(going):
            model.reorder(torch.tensor(kept, device=device))
            chosen_B = chosen_B[kept]
            bases_B = bases_B[kept]
            going = [going[place] for place in kept]
        logits_BV = model.step(chosen_B.to(device))


def generate(
    model: NextTokens,
    prompts_BL: Tensor,
    rules: Rules,
    *,
    draws: Draws | None = None,
    sampling: Sampling | None = None,
    attention_mask_BL: Tensor | None = None,
    on_token: OnToken | None = None,
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
    on_token : callable, optional
        Called with every token; `stream` gives them instead.

    Returns
    -------
    list of Generated
        One per prompt. A row does not depend on the others, but for rounding inside the model.

    Raises
    ------
    DataError
        If the model gives scores that are not numbers.
    """
    rows: list[list[Written]] = [[] for _ in prompts_BL]
    made = stream(model, prompts_BL, rules, draws=draws, sampling=sampling, attention_mask_BL=attention_mask_BL)
    for one in made:
        rows[one.row].append(one)
        if on_token is not None and one.token is not None:
            on_token(one.row, one.token)
    return [_collected(row) for row in rows]


def _collected(row: list[Written]) -> Generated:
    """Put the tokens of one row together."""
    stop = row[-1].stop
    assert stop is not None, "a row ends with a reason"
    some = [(one.token, one.log_prob) for one in row if one.token is not None]
    return Generated(tuple(token for token, _ in some), tuple(paid for _, paid in some), stop)


def next_scores(logits_BV: Tensor, rules: Rules, bases_B: Tensor) -> tuple[Tensor, Tensor]:
    """Give logits with the masks of the rules, and the model's own log-probabilities: float64 (B, V) both, on the CPU.

    Choices are made there, in double precision, so that every device makes the same ones of the same scores.

    Raises
    ------
    DataError
        If a logit is not a number.
    """
    logits_BV = logits_BV.cpu().double()
    own_BV = logits_BV.log_softmax(dim=-1)
    if bool(own_BV[:, 0].isnan().any()):  # one that is not a number makes its whole row so
        raise DataError("the model's scores are not numbers", got="NaN", hint="its weights are damaged or diverged")
    fits_BV = rules.fitting(bases_B)
    return (logits_BV if bool(fits_BV.all()) else allow_only(logits_BV, fits_BV)), own_BV
