"""Word2Vec: static vectors of tokens, trained by gensim.

Mikolov et al. 2013, arXiv:1301.3781 (CBOW, skip-gram) and arXiv:1310.4546 (negative sampling);
gensim: Rehurek and Sojka 2010, LREC workshop on new challenges for NLP frameworks. The trained table is a body,
`lingome.models.networks.word2vec.model.build_static`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lingome.core.errors import ConfigError, DataError
from lingome.core.extras import require
from lingome.core.progress import track
from lingome.core.seeds import derive_seed, generator
from lingome.models.networks.word2vec.shape import Algorithm

SENTENCE_TOKENS = 1000
"""Tokens that gensim gets as one sentence. A window ends where a sentence ends."""
SLICE_TOKENS = 1_000_000
"""Tokens of one call of gensim's ``train``. It sums losses in float32, whose steps reach 2 after 16.8 million."""
LOWEST_RATE = 1e-4


class Vectors(NamedTuple):
    """Trained vectors.

    Parameters
    ----------
    table : ndarray of float32, shape (V, D)
        One row per id; zeros for tokens that were left out.
    counts : ndarray of int64, shape (V,)
        Occurrences in the training text.
    curve : list of (int, float, float)
        Tokens read so far, mean loss since the point before (nats per token: the sum of -ln of the
        probabilities that true words are true and drawn ones are not), and seconds since the start.
    """

    table: np.ndarray
    counts: np.ndarray
    curve: list[tuple[int, float, float]]


@dataclass(frozen=True)
class Word2VecSettings:
    """How Word2Vec is trained.

    Parameters
    ----------
    algorithm : {"cbow", "skipgram"}
        Guess a token from the mean of those around it, or those around it from the token.
    dims : int
        D.
    window : int
        Tokens on either side, at most: the number is drawn from 1 to `window` at each place.
    negatives : int
        Random tokens that are told from each true one, drawn by count to the power 0.75.
    epochs : int
        Passes over the text.
    min_count : int
        Occurrences below which a token gets no vector.
    lr : float
        Learning rate at the start; it falls in a line to 1e-4.
    subsample : float
        Tokens more frequent than about this share are skipped at random; 0 keeps all. A byte-pair
        vocabulary has no stop words, and all its tokens are frequent by the measure of text.
    workers : int
        Threads. More than one are faster, but race for the table: no two runs are equal.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    algorithm: Algorithm = "cbow"
    dims: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    min_count: int = 1
    lr: float = 0.025
    subsample: float = 0.0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.algorithm not in ("cbow", "skipgram"):
            raise ConfigError("there is no such algorithm", where="algorithm", got=self.algorithm,
                              expected="cbow or skipgram")
        for name in ("dims", "window", "negatives", "epochs", "min_count", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError("this setting is a positive number", where=name, got=getattr(self, name),
                                  expected="1 or more")
        if not 0 < self.lr < 1:
            raise ConfigError("the learning rate lies between 0 and 1", where="lr", got=self.lr, expected="0.025, say")
        if not 0 <= self.subsample < 1:
            raise ConfigError("a share lies between 0 and 1", where="subsample", got=self.subsample,
                              expected="0, or 1e-3")


def train_word2vec(
    ids: np.ndarray, segments: np.ndarray, vocab_size: int, settings: Word2VecSettings | None = None, *, seed: int = 0
) -> Vectors:
    """Train Word2Vec on token ids, with gensim.

    The ids stay where they are (in memory or mapped from a file): sentences of a thousand tokens
    are turned into lists one by one, in an order drawn anew for each epoch. With one worker the
    result is a function of ids and seed alone; ``PYTHONHASHSEED`` has no part in it.

    Parameters
    ----------
    ids : ndarray of int, shape (n,)
        Tokens of all segments, as in `lingome.tokens.windows.EncodedGenome`.
    segments : ndarray of int64, shape (S, 2)
        Stretches of `ids` that no window crosses.
    vocab_size : int
        Number of ids, V.
    settings : Word2VecSettings, optional
        How it is trained; None: the defaults.
    seed : int
        Of the order of the sentences, of the first vectors and of the drawn tokens.

    Raises
    ------
    DataError
        If there are no tokens, or none as frequent as `min_count`; or if training diverged.
    MissingExtraError
        If gensim is not installed.
    """
    settings = Word2VecSettings() if settings is None else settings
    gensim = require("gensim.models", "vectors")
    counts = count_within(ids, segments, vocab_size)
    # Ids as text: gensim takes whole numbers for row numbers of its own, and would draw negatives wrongly.
    words = {str(i): int(counts[i]) for i in np.flatnonzero(counts >= settings.min_count).tolist()}
    if not words:
        commonest = int(counts.max(initial=0))
        raise DataError("there are no tokens to learn from",
                        got=f"{int(counts.sum()):,} tokens, the commonest {commonest:,} times",
                        expected=f"at least one that occurs {settings.min_count} times")
    model = gensim.Word2Vec(
        vector_size=settings.dims, window=settings.window, negative=settings.negatives,
        sg=int(settings.algorithm == "skipgram"), min_count=settings.min_count, alpha=settings.lr,
        min_alpha=min(LOWEST_RATE, settings.lr), sample=settings.subsample, workers=settings.workers,
        seed=derive_seed(seed, "word2vec") % 2**32, hashfxn=_stable_hash,
    )
    model.build_vocab_from_freq(words)
    names = np.array([str(i) for i in range(vocab_size)], dtype=object)
    curve = _run(model, _Sentences(ids, cut_sentences(segments), names), settings.epochs, settings.lr, seed)
    table = np.zeros((vocab_size, settings.dims), dtype=np.float32)
    table[[int(word) for word in model.wv.index_to_key]] = model.wv.vectors
    if not np.isfinite(table).all():
        raise DataError("training diverged: vectors are not finite", got=f"lr {settings.lr}", hint="use a lower lr")
    return Vectors(table, counts, curve)


def thin_curve(curve: Sequence[tuple[int, float, float]], most: int = 200) -> list[tuple[int, float, float]]:
    """Join points of a loss curve until at most `most` are left: the mean loss, by tokens, over those joined.

    >>> thin_curve([(10, 4.0, 1.0), (30, 1.0, 2.0), (40, 3.0, 3.0)], 2)
    [(30, 2.0, 2.0), (40, 3.0, 3.0)]
    """
    thinned = []
    before = 0
    for group in np.array_split(np.arange(len(curve)), min(most, len(curve))) if curve else []:
        points = [curve[i] for i in group]
        sizes = np.diff([before, *(tokens for tokens, _, _ in points)])
        before, _, seconds = points[-1]
        thinned.append((before, float(np.average([loss for _, loss, _ in points], weights=sizes)), seconds))
    return thinned


def count_within(ids: np.ndarray, segments: np.ndarray, vocab_size: int) -> np.ndarray:
    """Count `ids`, shape (n,), inside segments, shape (S, 2): int64, shape (V,), a stretch at a time."""
    counts = np.zeros(vocab_size, dtype=np.int64)
    for start, end in segments.tolist():
        for first in range(start, end, 1 << 22):
            counts += np.bincount(ids[first : min(first + (1 << 22), end)], minlength=vocab_size)
    return counts


def cut_sentences(segments: np.ndarray) -> np.ndarray:
    """Cut segments, shape (S, 2), into sentences: int64, shape (n, 2), each a start and an end; the last are shorter.

    >>> cut_sentences(np.array([[0, 1500], [1500, 1600]])).tolist()
    [[0, 1000], [1000, 1500], [1500, 1600]]
    """
    parts = [np.empty((0, 2), dtype=np.int64)]
    for start, end in segments.tolist():
        starts = np.arange(start, end, SENTENCE_TOKENS)
        parts.append(np.stack([starts, np.minimum(starts + SENTENCE_TOKENS, end)], axis=1))
    return np.concatenate(parts)


class _Sentences:
    """Sentences as lists of words, made when asked for."""

    def __init__(self, ids: np.ndarray, spans: np.ndarray, names: np.ndarray) -> None:
        self.ids = ids
        self.spans = spans
        self.names = names

    def __iter__(self) -> Iterator[list[str]]:
        for start, end in self.spans:
            yield self.names[self.ids[start:end]].tolist()


def _run(model: Any, sentences: _Sentences, epochs: int, lr: float, seed: int) -> list[tuple[int, float, float]]:
    """Train slice by slice; the learning rate falls as in one long call."""
    spans = sentences.spans
    total = int((spans[:, 1] - spans[:, 0]).sum()) * epochs
    wanted = min(SLICE_TOKENS, max(20_000, total // 100))
    low = model.min_alpha
    done = 0
    began = time.monotonic()
    curve: list[tuple[int, float, float]] = []
    with track("word vectors", total, "tokens") as task:
        for epoch in range(epochs):
            order = generator(seed, "sentences", epoch).permutation(len(spans))
            ends = np.cumsum((spans[:, 1] - spans[:, 0])[order])
            cuts = np.flatnonzero(np.diff(ends // wanted, append=-1))
            for first, last in zip(np.r_[0, cuts[:-1] + 1], cuts + 1, strict=True):
                piece = spans[order[first:last]]
                tokens = int((piece[:, 1] - piece[:, 0]).sum())
                rates = [lr - (lr - low) * share / total for share in (done, done + tokens)]
                model.train(
                    _Sentences(sentences.ids, piece, sentences.names), total_words=tokens, total_examples=len(piece),
                    epochs=1, start_alpha=rates[0], end_alpha=rates[1], compute_loss=True,
                )
                done += tokens
                loss = float(model.get_latest_training_loss()) / tokens
                curve.append((done, loss, time.monotonic() - began))
                task.advance(tokens, f"loss {loss:.3f}")
    return curve


def _stable_hash(word: object) -> int:
    """Hash without Python's salt. gensim 4 draws start vectors by row, but still asks for a hash."""
    return zlib.crc32(str(word).encode())
