"""A number of sequences after one prompt: in batches, filtered, drawn again where a filter objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from lingome.core.errors import ConfigError
from lingome.generate.beam import beam_search
from lingome.generate.draws import Draws
from lingome.generate.filters import Filters
from lingome.generate.logits import Sampling
from lingome.generate.next_tokens import NextTokens
from lingome.generate.rules import Rules
from lingome.generate.sampling import Generated, Tell, generate

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Kept:
    """A sequence that passed: which one it is, the draw it came from, its letters, how it was written."""

    index: int
    attempt: int
    sequence: str
    generated: Generated


@dataclass
class Collection:
    """What was asked for, as far as it passed the filters.

    Parameters
    ----------
    kept : list of Kept
        By index, which has gaps where no draw passed.
    rejected : Counter of str
        How often each filter objected.
    n_drawn, n_missing : int
        Sequences written in all; sequences asked for of which no draw passed.
    """

    kept: list[Kept] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    n_drawn: int = 0
    n_missing: int = 0

    @property
    def why_missing(self) -> str:
        """What kept sequences out, in words."""
        return "filters rejected all their draws" if self.rejected else "no more fit the rules"


def sample_many(
    model: NextTokens, prompt: Sequence[int], n: int, rules: Rules, decode: Decode, *, seed: int,
    sampling: Sampling | None = None, filters: Filters | None = None, attempts: int = 10, batch_size: int = 16,
    device: torch.device | None = None, tell: Tell | None = None,
) -> Collection:
    """Draw n sequences after a prompt.

    Parameters
    ----------
    model : NextTokens
        The model.
    prompt : sequence of int
        Tokens of the prompt, with the one that begins a sequence.
    n : int
        How many.
    rules : Rules
        Which tokens may follow, and when to stop.
    decode : callable
        Gives the letters of tokens, for the filters.
    seed : int
        Draw `a` of sequence `i` is a function of (seed, i, a): not of `n` or `batch_size`.
    sampling : Sampling, optional
        How tokens are drawn.
    filters : Filters, optional
        A sequence that breaks a limit is drawn again, `attempts` times in all, then left out and counted.
    attempts, batch_size : int
        Draws of a sequence at most; sequences written at a time.
    device : torch.device, optional
        Where the model is.
    tell : callable, optional
        Told of every token: (index of the sequence, token).

    Raises
    ------
    ConfigError
        If a number is below 1.
    """
    for name, value in (("n", n), ("attempts", attempts), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError("this number is 1 or more", where=name, got=value)
    filters, result = filters or Filters(), Collection()
    waiting = list(range(n))
    for attempt in range(attempts):
        again: list[int] = []
        for first in range(0, len(waiting), batch_size):
            rows = waiting[first : first + batch_size]
            ids = torch.tensor([list(prompt)] * len(rows), device=device)
            draws = Draws(seed, [(index, attempt) for index in rows])
            for index, one in zip(rows, generate(model, ids, rules, draws=draws, sampling=sampling,
                                                 tell=_renamed(tell, rows)), strict=True):
                complaint = _sort(result, Kept(index, attempt, decode(one.tokens), one), filters)
                if complaint:
                    again.append(index)
        waiting = again
        if not waiting:
            break
    result.kept.sort(key=lambda kept: kept.index)
    result.n_missing = len(waiting)
    return result


def search_many(
    model: NextTokens, prompt: Sequence[int], n: int, rules: Rules, decode: Decode, *, n_beams: int,
    length_penalty: float = 0.0, filters: Filters | None = None, device: torch.device | None = None,
) -> Collection:
    """Give the n best sequences that a beam search finds; `n_beams` of 1 is greedy.

    There is nothing to draw again: what breaks a limit of `filters` is left out and counted.

    Raises
    ------
    ConfigError
        If `n` exceeds `n_beams`, which find as many at most.
    """
    if not 1 <= n <= n_beams:
        raise ConfigError("a search finds as many sequences as it has beams", where="n", got=n,
                          expected=f"1 to {n_beams}", hint="more beams, or draw sequences")
    ids = torch.tensor([list(prompt)], device=device)
    found = beam_search(model, ids, rules, n_beams=n_beams, length_penalty=length_penalty)[0][:n]
    result = Collection()
    for index, one in enumerate(found):
        _sort(result, Kept(index, 0, decode(one.tokens), one), filters or Filters())
    result.n_missing = n - len(result.kept)
    return result


def _sort(result: Collection, one: Kept, filters: Filters) -> str | None:
    """Keep a sequence, or count it as rejected and say why."""
    result.n_drawn += 1
    complaint = filters.complaint(one.sequence)
    if complaint:
        result.rejected[complaint] += 1
    else:
        result.kept.append(one)
    return complaint


def _renamed(tell: Tell | None, rows: Sequence[int]) -> Tell | None:
    if tell is None:
        return None
    told = tell
    return lambda row, token: told(rows[row], token)
