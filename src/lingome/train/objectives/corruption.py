"""Span corruption: a model reads a sequence with spans hidden, and writes what stood there (T5's objective).

Raffel et al. 2020, arXiv:1910.10683, 3.1.4: of a row, 15% of the tokens are hidden in spans of 3 on average. Each span
is replaced by one sentinel in the source, and the target is each sentinel with the tokens that it stands for::

    row      [CLS] A C G T A C G T A C [SEP]
    source   [CLS] A <0> T A <1> T A C [SEP]
    target   <0> C G <1> C G [SEP]

Sentinels have ids behind the tokenizer's vocabulary, the first one the last id, as in T5: with V tokens, ``<i>`` is
V + 99 - i, and the model's embedding has V + 100 rows. The tokenizer stays as it is, so that stored tokens, its
digest, and how a sequence is cut do not change; no text is ever cut into a sentinel.

Two things differ from T5's released program: there every row begins with visible tokens and ends with hidden ones, and
here both ends are like any other place; and rows keep the ``[CLS]`` and ``[SEP]`` that stand around a sequence
wherever a lingome model reads one.

Shapes: B rows of a batch, L source tokens, T target tokens, V vocabulary of the tokenizer, M hidden tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.seeds import generator
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.presets import build_seq2seq_lm
from lingome.tokens.overlap import words_over_a_base
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.objective import IGNORED, Batch, LossSum
from lingome.train.objectives.validation import summary
from lingome.train.sources import add_ends

SENTINELS = 100
"""Sentinels of a model, as many as T5 has: rows of the embedding behind the tokenizer's vocabulary."""


class SpanCounts(NamedTuple):
    """Hidden tokens of a row, and the spans they are in."""

    hidden: int
    spans: int


def count_spans(n_tokens: int, rate: float, mean_span: float) -> SpanCounts:
    """Say how many tokens of a row are hidden, in how many spans; the same for every row of this length.

    At least one token is hidden, and one stays visible where there are two. Spans do not touch.

    >>> count_spans(510, 0.15, 3)  # .15 x 510 = 76.5, rounded to even; 76 / 3 = 25.3
    SpanCounts(hidden=76, spans=25)
    """
    hidden = min(max(round(n_tokens * rate), 1), max(1, n_tokens - 1))
    return SpanCounts(hidden, min(max(round(hidden / mean_span), 1), n_tokens - hidden + 1))


class Corrupted(NamedTuple):
    """A row with spans hidden, int64 (L,), and what stood there, int64 (T,); no special tokens but sentinels."""

    source: np.ndarray
    target: np.ndarray


def corrupt_row(
    ids: np.ndarray, rng: np.random.Generator, *, rate: float, mean_span: float, sentinel_ids: np.ndarray
) -> Corrupted:
    """Hide spans of a row: every way to cut it into so many spans and gaps is as likely as any other.

    Parameters
    ----------
    ids : ndarray of int, shape (n,)
        Ordinary tokens, one or more.
    rng : Generator
        Draws the spans.
    rate : float
        Share of the tokens to hide, 0..1.
    mean_span : float
        Mean tokens of a span, 1 or more.
    sentinel_ids : ndarray of int, shape (S,)
        Ids that stand for the first span, the second, and so on.

    Raises
    ------
    ConfigError
        If there are more spans than sentinels.
    """
    counts = count_spans(len(ids), rate, mean_span)
    if counts.spans > len(sentinel_ids):
        raise ConfigError("a row has more spans than there are sentinels", where="mask_rate, mask_span, max_tokens",
                          got=f"{counts.spans} spans in {len(ids)} tokens", expected=f"at most {len(sentinel_ids)}",
                          hint="hide less, in longer spans, or use shorter windows")
    spans = _cut(counts.hidden, counts.spans, rng)
    gaps = _cut(len(ids) - counts.hidden + 2, counts.spans + 1, rng)
    gaps[[0, -1]] -= 1  # only gaps between spans must hold a token; the two outer ones may be empty
    runs = np.empty(2 * counts.spans + 1, dtype=np.int64)
    runs[::2] = gaps
    runs[1::2] = spans
    hidden = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    begins = np.cumsum(runs)[:-1:2]
    used = sentinel_ids[: counts.spans]
    source = ids.astype(np.int64)
    kept = ~hidden
    source[begins] = used
    kept[begins] = True
    target = np.insert(ids[hidden].astype(np.int64), np.cumsum(spans) - spans, used)
    return Corrupted(source[kept], target)


def _cut(total: int, n_parts: int, rng: np.random.Generator) -> np.ndarray:
    """Cut a length into parts of 1 or more, each way equally likely: int64, shape (n_parts,)."""
    cuts = np.sort(rng.choice(total - 1, n_parts - 1, replace=False)) + 1 if n_parts > 1 else np.empty(0, np.int64)
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(np.int64)


class CorruptedBatch(NamedTuple):
    """A corrupted batch, padded on the right where rows differ in length.

    `input_ids` (B, L) and `targets` (B, T) are int64; the masks are true at real tokens. A row of `targets` holds
    sentinels, hidden tokens and ``[SEP]``; the token that the decoder reads first is not among them.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    targets: np.ndarray
    target_mask: np.ndarray


@dataclass(frozen=True)
class SpanCorruption:
    """Span corruption of an encoder-decoder.

    Parameters
    ----------
    tokenizer : Tokenizer
        Its vocabulary; sentinels stand behind it.
    rate : float
        Share of tokens to hide.
    mean_span : float
        Mean tokens of a span.

    Raises
    ------
    ConfigError
        If a share or a length makes no sense.
    """

    tokenizer: Tokenizer
    rate: float = 0.15
    mean_span: float = 3.0
    guesses: ClassVar[str] = "hidden spans"
    question: ClassVar[str] = "How well can hidden spans be written from what stands around them?"

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ConfigError("a share lies between 0 and 1", where="mask_rate", got=self.rate)
        if self.mean_span < 1:
            raise ConfigError("a span holds a token or more", where="mask_span", got=self.mean_span)

    @property
    def sentinel_ids(self) -> np.ndarray:
        """Ids of the sentinels, first span first: int64, shape (SENTINELS,)."""
        return self.tokenizer.vocab_size + np.arange(SENTINELS)[::-1]

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        return {"objective": f"span corruption, {self.rate} in spans of {self.mean_span:g}"}

    @property
    def settings(self) -> dict[str, object]:
        """What a model card says of it."""
        return {"objective": "span corruption (T5)", "mask_rate": self.rate, "mean span": f"{self.mean_span:g}"}

    @property
    def advice(self) -> str | None:
        """Say how little is hidden where words overlap; None where they do not."""
        k = words_over_a_base(self.tokenizer)
        if self.mean_span >= 2 * k or k == 1:
            return None
        return (
            f"words of {k} bases overlap, and of a span of n words only n - {k - 1} bases are in no visible word: "
            f"spans of {self.mean_span:g} hide next to nothing; set mask_span={2 * k} or more, or use words side by "
            f"side"
        )

    def check(self, n_tokens: int) -> None:
        """Refuse rows with more spans than sentinels.

        Raises
        ------
        ConfigError
            Says how many there are.
        """
        corrupt_row(np.zeros(n_tokens, dtype=np.int64), np.random.default_rng(0), rate=self.rate,
                    mean_span=self.mean_span, sentinel_ids=self.sentinel_ids)

    def corrupt(self, input_ids: np.ndarray, rng: np.random.Generator, attention_mask: Any = None) -> CorruptedBatch:
        """Corrupt a batch of rows.

        Parameters
        ----------
        input_ids : ndarray of int, shape (B, n)
            Each row is ``[CLS] tokens [SEP]``, with padding where the mask is false.
        rng : Generator
            Draws the spans.
        attention_mask : ndarray of bool, shape (B, n), optional
            False on padding.

        Raises
        ------
        ConfigError
            If a row has more spans than there are sentinels.
        """
        real = np.ones(input_ids.shape, dtype=bool) if attention_mask is None else np.asarray(attention_mask, bool)
        rows = [
            corrupt_row(row[known][1:-1], rng, rate=self.rate, mean_span=self.mean_span, sentinel_ids=self.sentinel_ids)
            for row, known in zip(input_ids, real, strict=True)
        ]
        begin = [self.tokenizer.cls_id]
        end = [self.tokenizer.sep_id]
        pad_id = self.tokenizer.pad_id
        source = _stack([np.concatenate([begin, row.source, end]) for row in rows], pad_id)
        return CorruptedBatch(*source, *_stack([np.concatenate([row.target, end]) for row in rows], pad_id))

    def draw(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Corrupt a batch before it is cut into pieces: sources for its ids, and ``targets`` with their mask."""
        corrupted = self.corrupt(np.asarray(batch["input_ids"]), rng, batch.get("attention_mask"))
        return {**batch, **corrupted._asdict()}

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Corrupt the batch, unless `draw` has, and sum the cross-entropy (nats) over its targets.

        They are sentinels, hidden tokens and the end. `batch` has ``input_ids`` (B, n), each row ``[CLS] tokens
        [SEP]``, and where there is padding an ``attention_mask`` (B, n) that is false there.
        """
        drawn = batch if "targets" in batch else self.draw(batch, rng)
        corrupted = CorruptedBatch(*(np.asarray(drawn[name]) for name in CorruptedBatch._fields))
        return LossSum(target_losses(model, corrupted).sum(), int(corrupted.target_mask.sum()))

    def validation(self, windows: np.ndarray, seed: int) -> SpanValidation:
        """Give the measure on fixed windows, under fixed spans.

        Parameters
        ----------
        windows : ndarray of int, shape (windows, length)
            Tokens without special ones.
        seed : int
            Decides the spans.
        """
        return SpanValidation(windows, self, seed=seed)


def _stack(rows: Sequence[np.ndarray], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Put rows of several lengths below each other: ids int64 and True at real tokens, (B, longest) both."""
    lengths = np.array([len(row) for row in rows])
    real = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(real.shape, pad_id, dtype=np.int64)
    ids[real] = np.concatenate(rows)
    return ids, real


def target_losses(model: nn.Module, corrupted: CorruptedBatch) -> torch.Tensor:
    """Compute the cross-entropy (nats) of each target token, 0 at padding: (B, T), float32.

    The decoder reads its start token, and then the true target tokens up to the one that is guessed.
    """
    assert isinstance(model, EncoderDecoderLM), "spans are written by a decoder that reads an encoder"
    device = next(model.parameters()).device
    ids, mask, targets, counted = (torch.from_numpy(part).to(device) for part in corrupted)
    read = functional.pad(targets[:, :-1], (1, 0), value=model.config.start_id)
    logits_BTV = model(ids, read, mask)  # padded targets are on the right, where no real one sees them
    labels = targets.masked_fill(~counted, IGNORED)
    losses = functional.cross_entropy(
        logits_BTV.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view(labels.shape)


def span_objective(
    tokenizer: Tokenizer, rate: float | None, mean_span: float | None, max_tokens: int
) -> SpanCorruption:
    """Give the objective for windows of up to `max_tokens`; 15% in spans of 3 on average, unless told otherwise.

    Parameters
    ----------
    tokenizer : Tokenizer
        The vocabulary.
    rate, mean_span : float, optional
        Share of tokens to hide, and mean tokens of a span.
    max_tokens : int
        Tokens of the longest window, special ones not counted.

    Raises
    ------
    ConfigError
        If such windows have more spans than there are sentinels.
    """
    objective = SpanCorruption(tokenizer, 0.15 if rate is None else rate, 3.0 if mean_span is None else mean_span)
    objective.check(max_tokens)
    return objective


def build_span_model(preset: str, vocab_size: int, seed: int = 0) -> EncoderDecoderLM:
    """Build an encoder-decoder with random weights, with rows for the sentinels behind a tokenizer's vocabulary."""
    return build_seq2seq_lm(preset, vocab_size + SENTINELS, seed)


def check_sentinels(model: EncoderDecoderLM, tokenizer: Tokenizer, folder: Path | None) -> None:
    """Refuse a model whose embedding has no rows for the sentinels behind the tokenizer's vocabulary.

    Raises
    ------
    CheckpointError
        Names the folder that it was loaded from.
    """
    if (spare := model.config.vocab_size - tokenizer.vocab_size) < SENTINELS:
        raise CheckpointError(
            "this model has too few rows for sentinels", where=folder, got=f"{spare} behind its tokenizer's vocabulary",
            expected=f"{SENTINELS} or more", hint="start from a model that was pre-trained with objective=span",
        )


class SpanValidation:
    """Measure an encoder-decoder on fixed windows with fixed spans hidden, over the hidden tokens.

    Each is guessed from the source and the hidden tokens before it. Sentinels and the end are not counted: they say
    where spans are, not what stood there. What a model spends on expecting a span to end is.

    Parameters
    ----------
    windows : ndarray of int, shape (windows, length)
        Tokens without special ones.
    objective : SpanCorruption
        Says what is hidden.
    seed : int
        Decides the spans, the same at every call.
    batch_tokens : int
        Tokens of a batch.
    """

    def __init__(
        self, windows: np.ndarray, objective: SpanCorruption, *, seed: int, batch_tokens: int = 8192
    ) -> None:
        rows = max(1, batch_tokens // (windows.shape[1] + 2))
        tokenizer = objective.tokenizer
        self.batches = [
            objective.corrupt(add_ends(windows[i : i + rows], tokenizer), generator(seed, "validation", i))
            for i in range(0, len(windows), rows)
        ]
        ordinary = np.append(tokenizer.token_lengths > 0, np.zeros(SENTINELS, dtype=bool))
        self.counted = [ordinary[corrupted.targets] for corrupted in self.batches]
        pairs = zip(self.batches, self.counted, strict=True)
        self.targets = [corrupted.targets[counted] for corrupted, counted in pairs]
        self.tokens = sum(len(targets) for targets in self.targets)
        self.bases = sum(int(tokenizer.token_lengths[targets].sum()) for targets in self.targets)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model that is in evaluation mode."""
        nats = 0.0
        with torch.no_grad():
            for corrupted, counted in zip(self.batches, self.counted, strict=True):
                losses = target_losses(model, corrupted).double()
                nats += float(losses[torch.from_numpy(counted).to(losses.device)].sum())
        return summary(nats, self.tokens, self.bases)

    def unigram(self, counts: np.ndarray) -> dict[str, float]:
        """Measure what knowing only how common each token is would give.

        Parameters
        ----------
        counts : ndarray of int, shape (V,)
            Occurrences of each token in the training area; one is added to each.
        """
        log_share = np.log((counts + 1) / (counts + 1).sum())
        return summary(-sum(float(log_share[targets].sum()) for targets in self.targets), self.tokens, self.bases)
