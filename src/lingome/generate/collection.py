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
from lingome.generate.sampling import Generated, OnToken, generate

Decode = Callable[[Sequence[int]], str]
"""Gives the letters of tokens."""


@dataclass(frozen=True)
class Request:
    """What is to be written.

    Parameters
    ----------
    prompt : sequence of int
        Tokens of the prompt, with the one that begins a sequence.
    n : int
        How many sequences.
    rules : Rules
        Which tokens may follow, and when to stop.
    decode : callable
        Gives the letters of tokens, for the filters.
    filters : Filters
        Limits that a sequence has to keep; none by default.
    """

    prompt: Sequence[int]
    n: int
    rules: Rules
    decode: Decode
    filters: Filters = field(default_factory=Filters)

    def prompts(self, n_rows: int, device: torch.device | None) -> torch.Tensor:
        """Give the prompt so many times: int64, shape (n_rows, L)."""
        return torch.tensor([list(self.prompt)] * n_rows, device=device)


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
    model: NextTokens, request: Request, *, seed: int, sampling: Sampling | None = None, attempts: int = 10,
    batch_size: int = 16, device: torch.device | None = None, on_token: OnToken | None = None,
) -> Collection:
    """Draw sequences after a prompt.

    Parameters
    ----------
    model : NextTokens
        The model.
    request : Request
        Prompt, number, rules and filters. A sequence that breaks a limit of a filter is drawn again.
    seed : int
        Draw `a` of sequence `i` is a function of (seed, i, a): not of the number of sequences or `batch_size`.
    sampling : Sampling, optional
        How tokens are drawn.
    attempts : int
        Draws of a sequence at most; then it is left out and counted.
    batch_size : int
        Sequences written at a time.
    device : torch.device, optional
        Where the model is.
    on_token : callable, optional
        Called with every token: (index of the sequence, token).

    Raises
    ------
    ConfigError
        If a number is below 1.
    """
    for name, value in (("n", request.n), ("attempts", attempts), ("batch_size", batch_size)):
        if value < 1:
            raise ConfigError("this number is 1 or more", where=name, got=value)
    result = Collection()
    waiting = list(range(request.n))
    for attempt in range(attempts):
        again: list[int] = []
        for first in range(0, len(waiting), batch_size):
            rows = waiting[first : first + batch_size]
            written = generate(
                model, request.prompts(len(rows), device), request.rules, sampling=sampling,
                draws=Draws(seed, [(index, attempt) for index in rows]), on_token=_renamed(on_token, rows),
            )
            for index, one in zip(rows, written, strict=True):
                complaint = _sort(result, Kept(index, attempt, request.decode(one.tokens), one), request.filters)
                if complaint:
                    again.append(index)
        waiting = again
        if not waiting:
            break
    result.kept.sort(key=lambda kept: kept.index)
    result.n_missing = len(waiting)
    return result


def search_many(
    model: NextTokens, request: Request, *, n_beams: int, length_penalty: float = 0.0,
    device: torch.device | None = None,
) -> Collection:
    """Give the best sequences that a beam search finds; `n_beams` of 1 is greedy.

    There is nothing to draw again: what breaks a limit of the filters is left out and counted.

    Parameters
    ----------
    model : NextTokens
        The model.
    request : Request
        Prompt, number, rules and filters.
    n_beams : int
        Beams of the search.
    length_penalty : float
        As in `beam_search`.
    device : torch.device, optional
        Where the model is.

    Raises
    ------
    ConfigError
        If more sequences are asked for than there are beams, which find as many at most.
    """
    if not 1 <= request.n <= n_beams:
        raise ConfigError("a search finds as many sequences as it has beams", where="n", got=request.n,
                          expected=f"1 to {n_beams}", hint="more beams, or draw sequences")
    found = beam_search(
        model, request.prompts(1, device), request.rules, n_beams=n_beams, length_penalty=length_penalty
    )[0][:request.n]
    result = Collection()
    for index, one in enumerate(found):
        _sort(result, Kept(index, 0, request.decode(one.tokens), one), request.filters)
    result.n_missing = request.n - len(result.kept)
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


def _renamed(on_token: OnToken | None, rows: Sequence[int]) -> OnToken | None:
    if on_token is None:
        return None
    told = on_token
    return lambda row, token: told(rows[row], token)
