"""How well a language model guesses sequence: perplexity and bits per base.

Of a masked model, 15 % of the tokens are hidden, all of them behind [MASK] (none kept, none random, unlike in
training), and the model guesses each from both sides. A causal model guesses every known token, from those before it.

- loss: mean of -ln p(true token) over the tokens guessed, in nats.
- perplexity: exp(loss). A uniform guess has the size of the vocabulary, so perplexities of
  different vocabularies cannot be compared.
- bits per base: mean of -log2 p(true token), divided by the mean number of bases of such a
  token. This can be compared between vocabularies; a uniform guess of letters has 2.

Beside the model, on the same tokens: their frequency (unigram), and a Markov model of bases,
which reads from the left only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.core.seeds import generator
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import MarkovModel, WordCounts
from lingome.models.architecture import CausalModel
from lingome.models.heads.language_model import LanguageModel
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.reading.batching import collate, length_batches, pick_batch_tokens
from lingome.models.scoring.scores import score_tokens
from lingome.tokens.tokenizer import Encoding, Tokenizer


class LanguageScore(NamedTuple):
    """One method on the tokens guessed.

    Parameters
    ----------
    name : str
    loss : float, optional
        Nats a token; None where a method knows no tokens.
    perplexity : float, optional
        exp(loss).
    bits_per_base : float
    n_tokens, n_bases : int
        Tokens guessed, and the bases they stand for.
    """

    name: str
    loss: float | None
    perplexity: float | None
    bits_per_base: float
    n_tokens: int
    n_bases: int


class Hidden(NamedTuple):
    """Windows cut into tokens, which tokens are guessed in each (bool, one per token), and whether all known are."""

    encodings: Sequence[Encoding]
    hidden: list[np.ndarray]
    whole: bool = False

    @property
    def targets(self) -> np.ndarray:
        """Ids of all tokens guessed, window by window: int64, shape (n_tokens,)."""
        parts = [e.input_ids[h].astype(np.int64) for e, h in zip(self.encodings, self.hidden, strict=True)]
        return np.concatenate(parts)

    def count_bases(self, tokenizer: Tokenizer) -> int:
        """Count the bases that the tokens guessed stand for; where whole windows are, each base of theirs once."""
        if self.whole:
            return sum(int(np.diff(e.offsets)[h].sum()) for e, h in zip(self.encodings, self.hidden, strict=True))
        return int(tokenizer.token_lengths[self.targets].sum())


def hide_tokens(
    tokenizer: Tokenizer, windows: Sequence[np.ndarray | str], *, rate: float = 0.15, seed: int = 0
) -> Hidden:
    """Cut windows into tokens and choose which to hide; unknown letters never are.

    Parameters
    ----------
    tokenizer : Tokenizer
        Cuts them.
    windows : sequence of str, or of ndarray of uint8, shape (length,)
        Text or ASCII codes.
    rate : float
        Share of tokens to hide, 0..1.
    seed : int
        Decides which.

    Raises
    ------
    DataError
        If no token can be hidden.
    """
    encodings = tokenizer.encode_batch(list(windows))
    hidden = []
    for index, encoding in enumerate(encodings):
        rng = generator(seed, "hidden tokens", index)
        hidden.append((rng.random(len(encoding.input_ids)) < rate) & (encoding.input_ids != tokenizer.unk_id))
    if not any(each.any() for each in hidden):
        raise DataError("there is no token to hide", got=f"{len(encodings)} windows", hint="use more or longer windows")
    return Hidden(encodings, hidden, rate == 1)


def masked_perplexity(
    model: MaskedLM,
    tokenizer: Tokenizer,
    windows: Sequence[np.ndarray | str],
    seed: int = 0,
    *,
    rate: float = 0.15,
    batch_tokens: int | None = None,
    name: str = "model",
) -> LanguageScore:
    """Measure a masked language model on windows of sequence; see the module for definitions.

    Parameters
    ----------
    model : MaskedLM
        Measured in evaluation mode.
    tokenizer : Tokenizer
        Its own.
    windows : sequence of str, or of ndarray of uint8, shape (length,)
        Each fits the model's context once cut into tokens.
    seed : int
        Decides which tokens are hidden.
    rate : float
        Share of tokens to hide, 0..1.
    batch_tokens : int
        Tokens of a batch, padding included.
    name : str
        What the row is called.

    Raises
    ------
    DataError
        If a window is too long for the model, or no token can be hidden.
    """
    shown = hide_tokens(tokenizer, windows, rate=rate, seed=seed)
    device = next(model.parameters()).device
    rows = [np.where(h, tokenizer.mask_id, e.input_ids) for e, h in zip(shown.encodings, shown.hidden, strict=True)]
    total = 0.0
    model.eval()
    with torch.no_grad(), track("guessing hidden tokens", total=len(rows), unit="windows") as task:
        for chosen in length_batches([len(row) + 2 for row in rows], pick_batch_tokens(batch_tokens, device)):
            chosen = chosen[[bool(shown.hidden[i].any()) for i in chosen]]
            if not len(chosen):
                continue
            input_ids, mask = collate([rows[i] for i in chosen], tokenizer, max_tokens=model.config.max_positions)
            where = input_ids == tokenizer.mask_id
            targets = np.concatenate([shown.encodings[i].input_ids[shown.hidden[i]] for i in chosen]).astype(np.int64)
            logits = model(input_ids.to(device), mask.to(device), where.to(device)).float().cpu()
            total += float(functional.cross_entropy(logits, torch.from_numpy(targets), reduction="sum"))
            task.advance(len(chosen))
    return _score(name, total, shown, tokenizer)


def causal_perplexity(
    model: CausalModel, tokenizer: Tokenizer, windows: Sequence[np.ndarray | str], *, name: str = "model"
) -> LanguageScore:
    """Measure a causal language model on every known token of windows, each guessed from those before it.

    Parameters
    ----------
    model : CausalModel
        The model.
    tokenizer : Tokenizer
        Its own.
    windows : sequence of str, or of ndarray of uint8, shape (length,)
        Each fits the model's context once cut into tokens.
    name : str
        What the row is called.

    Raises
    ------
    DataError
        If a window is too long for the model, or no token is known.
    """
    shown = hide_tokens(tokenizer, windows, rate=1.0)
    found = score_tokens(model, tokenizer, [one.input_ids for one in shown.encodings], "log_likelihood")
    return _score(name, -sum(one.score for one in found), shown, tokenizer)


def unigram_score(
    tokenizer: Tokenizer, train_windows: Sequence[np.ndarray | str], shown: Hidden
) -> LanguageScore:
    """Guess every hidden token by its frequency in training windows (one added to each count).

    Parameters
    ----------
    tokenizer : Tokenizer
        Cuts both.
    train_windows : sequence of str, or of ndarray of uint8, shape (length,)
        Text or ASCII codes to count tokens in.
    shown : Hidden
        What is guessed.
    """
    counts = np.ones(tokenizer.vocab_size)
    counts[np.asarray(tokenizer.special_ids)] = 0
    for encoding in tokenizer.encode_batch(list(train_windows)):
        ids = encoding.input_ids[encoding.input_ids != tokenizer.unk_id]
        counts += np.bincount(ids, minlength=tokenizer.vocab_size)
    return _score("token frequency", float(-np.log(counts[shown.targets] / counts.sum()).sum()), shown, tokenizer)


def markov_score(
    train_windows: Sequence[np.ndarray | str], windows: Sequence[np.ndarray | str], shown: Hidden
) -> LanguageScore:
    """Guess the bases of hidden tokens from the bases to their left; a tenth of training chooses the order.

    Parameters
    ----------
    train_windows : sequence of str, or of ndarray of uint8, shape (length,)
        Text or ASCII codes to count bases in.
    windows : sequence of str, or of ndarray of uint8, shape (length,)
        What `shown` was cut from.
    shown : Hidden
        What is guessed.
    """
    codes = [base_codes(window) for window in train_windows]
    cut = max(1, int(len(codes) * 0.9))
    longest = 10
    model = MarkovModel(WordCounts(codes[:cut], longest), WordCounts(codes[cut:] or codes, longest), longest - 1)
    bits = 0.0
    n_bases = 0
    for window, encoding, hidden in zip(windows, shown.encodings, shown.hidden, strict=True):
        covered = np.repeat(hidden, np.diff(encoding.offsets))
        bits += float(model.bits(base_codes(window))[covered].sum())
        n_bases += int(covered.sum())
    name = f"Markov model, order {model.order}"
    return LanguageScore(name, None, None, bits / n_bases, len(shown.targets), n_bases)


def compare_language(
    model: LanguageModel,
    tokenizer: Tokenizer,
    train_windows: Sequence[np.ndarray | str],
    windows: Sequence[np.ndarray | str],
    *,
    rate: float = 0.15,
    seed: int = 0,
    name: str = "model",
) -> list[LanguageScore]:
    """Measure the model, then the baselines fitted on `train_windows`, on the same tokens.

    Parameters
    ----------
    model : MaskedLM or CausalModel
        A causal one guesses every known token, and `rate` plays no part.
    tokenizer : Tokenizer
        Its own.
    train_windows : sequence of str, or of ndarray of uint8, shape (length,)
        Text or ASCII codes that baselines are counted in.
    windows : sequence of str, or of ndarray of uint8, shape (length,)
        What is guessed; each fits the model's context once cut into tokens.
    rate : float
        Share of tokens to hide, 0..1.
    seed : int
        Decides which.
    name : str
        What the model's row is called.

    Raises
    ------
    DataError
        If a window is too long for the model, or there is no token to guess.
    """
    causal = isinstance(model, CausalModel)
    shown = hide_tokens(tokenizer, windows, rate=1.0 if causal else rate, seed=seed)
    longest = max(len(one.input_ids) for one in shown.encodings)
    room = model.config.max_positions - 2
    if longest > room:
        raise DataError("the windows are longer than the model can read", where="window_bp", got=f"{longest} tokens",
                        expected=f"at most {room} beside [CLS] and [SEP]", hint="a smaller window_bp")
    return [
        causal_perplexity(model, tokenizer, windows, name=name) if isinstance(model, CausalModel) else
        masked_perplexity(model, tokenizer, windows, seed, rate=rate, name=name),
        unigram_score(tokenizer, train_windows, shown),
        markov_score(train_windows, windows, shown),
    ]


def _score(name: str, total_nats: float, shown: Hidden, tokenizer: Tokenizer) -> LanguageScore:
    n_tokens = len(shown.targets)
    n_bases = shown.count_bases(tokenizer)
    loss = total_nats / n_tokens
    return LanguageScore(name, loss, float(np.exp(loss)), total_nats / np.log(2) / n_bases, n_tokens, n_bases)
