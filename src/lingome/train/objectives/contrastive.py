"""Contrastive pre-training: two views of a window have to find each other among those of other windows.

The loss is InfoNCE (van den Oord et al. 2018, arXiv:1807.03748) over cosines at a temperature, in both directions,
with the other windows of the batch as negatives (Gao et al. 2021, SimCSE, doi:10.18653/v1/2021.emnlp-main.552)::

    loss(i) = -ln exp(cos(a_i, b_i) / t) / sum_j exp(cos(a_i, b_j) / t)      and the same from b to a

======================  ==========================================  ===========================================
views                   what the two are                            source
======================  ==========================================  ===========================================
``crops``               two stretches of the window that overlap    Giorgi et al. 2021, DeCLUTR, arXiv:2006.03659
``reverse_complement``  the window, and the other strand            Zhou et al. 2022, arXiv:2204.08663
``dropout``             the window twice, dropout drawn anew        Gao et al. 2021
======================  ==========================================  ===========================================

A sequence's vector is the mean of its tokens' final states, without special tokens. The head of the model is not
used and stays as it was. Each batch of B windows gives 2 B rows to read and 2 B losses, each out of B candidates:
a larger batch is a harder question, so losses of different batch sizes cannot be compared.

Shapes: B windows of a batch, L tokens of each view, D hidden size, N windows of validation.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lingome.core.errors import ConfigError
from lingome.core.seeds import generator
from lingome.data.sequence import as_bases, reverse_complement
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.layers.pooling import find_tokens, pool_mean
from lingome.models.reading.batching import collate
from lingome.models.registry import initialise
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.objectives.objective import Batch, LossSum

Views = Literal["crops", "reverse_complement", "dropout"]
PROFILE_K = 4


class Pair(NamedTuple):
    """Both views of each window, the first ones above the second: (2 B, L), and which tokens are real."""

    input_ids: Tensor
    attention_mask: Tensor


def info_nce(first_BD: Tensor, second_BD: Tensor, temperature: float) -> Tensor:
    """Compute the loss (nats) of each query: those of `first_BD` over `second_BD`, then the reverse; (2 B,), float32.

    Examples
    --------
    >>> same = torch.eye(2)  # cosines 1 and 0: -ln(e^2 / (e^2 + e^0)) at temperature 0.5
    >>> [round(float(x), 4) for x in info_nce(same, same, 0.5)]
    [0.1269, 0.1269, 0.1269, 0.1269]
    """
    with torch.autocast(first_BD.device.type, enabled=False):  # a cosine in bf16 is off by more than it matters
        score_BB = functional.normalize(first_BD.float()) @ functional.normalize(second_BD.float()).T / temperature
        label_B = torch.arange(len(score_BB), device=score_BB.device)
        return torch.cat([
            functional.cross_entropy(scores, label_B, reduction="none") for scores in (score_BB, score_BB.T)
        ])


@dataclass(frozen=True)
class ContrastiveObjective:
    """Tell two views of a window from those of others.

    Parameters
    ----------
    tokenizer : Tokenizer
        Cuts the other strand, and says which tokens are no sequence.
    views : {"crops", "reverse_complement", "dropout"}
        What the two views are.
    temperature : float
        Divides the cosines, above 0; SimCSE's 0.05 by default.
    crop_share : float
        Share of a window in each of two crops, above 0.5 so that they overlap, below 1.

    Raises
    ------
    ConfigError
        If the other strand is asked of a vocabulary that is not of DNA.
    """

    tokenizer: Tokenizer
    views: Views = "crops"
    temperature: float = 0.05
    crop_share: float = 0.55
    guesses: ClassVar[str] = "partners of views"
    fewest_rows: ClassVar[int] = 2
    question: ClassVar[str] = "How well does a view of a sequence find its other view among those of other sequences?"

    def __post_init__(self) -> None:
        if self.views == "reverse_complement" and self.tokenizer.alphabet is not DNA:
            raise ConfigError(
                "only DNA has another strand", where="views", got=f"the alphabet {self.tokenizer.alphabet.name!r}",
                expected="a tokenizer of DNA", hint="use views=crops or views=dropout",
            )

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        return {"objective": f"contrastive {self.views} {self.temperature} {self.crop_share}"}

    @property
    def settings(self) -> dict[str, object]:
        """What a model card says of it."""
        named: dict[str, object] = {"views": self.views, "temperature": self.temperature}
        share = {"crop_share": self.crop_share} if self.views == "crops" else {}
        return {"objective": "contrastive", **named, **share}

    @property
    def advice(self) -> str | None:
        """Nothing: views suit any vocabulary."""
        return None

    def pair(self, windows: np.ndarray, rng: np.random.Generator, max_tokens: int) -> Pair:
        """Make both views of windows.

        Parameters
        ----------
        windows : ndarray of int, shape (B, n)
            Tokens without special ones.
        max_tokens : int
            Longest row that the model takes. Another strand can have more tokens than its window: what is beyond
            is left out.

        Returns
        -------
        Pair
            Rows of 2 B views, with [CLS] and [SEP].
        """
        if self.views == "crops":
            rows = [row for view in self._crops(windows, rng) for row in view]
        elif self.views == "dropout":
            rows = [*windows, *windows]
        else:
            other = self.tokenizer.encode_batch([
                reverse_complement(as_bases(self.tokenizer.decode(row))) for row in windows
            ])
            rows = [*windows, *(encoding.input_ids for encoding in other)]
        return Pair(*collate(rows, self.tokenizer, max_tokens=max_tokens, too_long="truncate"))

    def _crops(self, windows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Give two crops of each window, (B, n) both; they begin at different places where there are two."""
        n = math.ceil(self.crop_share * windows.shape[1])
        places = windows.shape[1] - n + 1
        first = rng.integers(0, places, len(windows))
        second = (first + rng.integers(1, max(2, places), len(windows))) % places
        columns = np.arange(n)
        return (
            np.take_along_axis(windows, first[:, None] + columns, 1),
            np.take_along_axis(windows, second[:, None] + columns, 1),
        )

    def loss(self, model: nn.Module, batch: Batch, rng: np.random.Generator) -> LossSum:
        """Sum the losses (nats) of all views of a batch, ``input_ids`` (B, L) with both ends.

        Raises
        ------
        ConfigError
            If views differ by dropout alone, and the model has none, or there is only one window.
        """
        assert isinstance(model, MaskedLM), "contrastive training is one of encoders"
        windows = np.asarray(batch["input_ids"])[:, 1:-1]
        self.check(model, len(windows))
        first_BD, second_BD = embed_pair(model, self.pair(windows, rng, model.config.max_positions)).chunk(2)
        losses = info_nce(first_BD, second_BD, self.temperature)
        return LossSum(losses.sum(), len(losses))

    def draw(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Refuse to be computed in pieces: each would have fewer candidates, and so another loss.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(
            "memory ran out, and a contrastive batch cannot be cut: its windows are each other's candidates",
            where="train.batch_tokens", hint="lower train.batch_tokens or max_tokens, or set train.precision=bf16",
        )

    def check(self, model: MaskedLM, n_windows: int) -> None:
        """Refuse a model without dropout where views need it, and a batch without negatives.

        Raises
        ------
        ConfigError
            Says which.
        """
        if self.views == "dropout" and not getattr(model.config, "dropout", 0.0):
            raise ConfigError(
                "two views by dropout need a model with dropout", where="views", got="dropout 0",
                hint="set dropout=0.1, or use views=crops or views=reverse_complement",
            )
        if n_windows < 2:
            raise ConfigError(
                "a batch of one window has nothing to tell it from", where="train.batch_tokens", got=n_windows,
                expected="at least 2 windows", hint="raise train.batch_tokens, or lower max_tokens",
            )

    def validation(self, windows: np.ndarray, seed: int) -> ContrastiveValidation:
        """Give the measure on fixed windows, (N, length), tokens without special ones."""
        return ContrastiveValidation(windows, self, seed=seed)


def embed_pair(model: MaskedLM, pair: Pair) -> Tensor:
    """Give the mean of the states of real tokens, [CLS] and [SEP] left out, in float32: (2 B, D)."""
    device = next(model.parameters()).device
    config = model.config
    ids_BL = pair.input_ids.long().to(device)
    mask_BL = pair.attention_mask.bool().to(device)
    special_ids = (config.pad_id, config.cls_id, config.sep_id)
    return pool_mean(model.body(ids_BL, mask_BL), find_tokens(ids_BL, special_ids, mask_BL))


class ContrastiveValidation:
    """Measure how often a view finds its partner among those of all validation windows.

    ``accuracy`` is the share of the 2 N views whose nearest of N candidates (cosine) is its partner; ``loss`` is
    that of the objective over the same N. In evaluation there is no dropout and two views by dropout would be one,
    so there crops are measured.

    Parameters
    ----------
    windows : ndarray of int, shape (N, length)
        Tokens without special ones.
    objective : ContrastiveObjective
        Says what a view is.
    seed : int
        Decides the views, the same at every call.
    batch_tokens : int
        Tokens of a batch.
    """

    def __init__(
        self, windows: np.ndarray, objective: ContrastiveObjective, *, seed: int, batch_tokens: int = 8192
    ) -> None:
        if objective.views == "dropout":
            objective = ContrastiveObjective(objective.tokenizer, "crops", objective.temperature)
        self.windows = windows
        self.objective = objective
        self.seed = seed
        self.rows = max(1, batch_tokens // (2 * (windows.shape[1] + 2)))

    def pairs(self, max_tokens: int) -> list[Pair]:
        """Give the fixed views, a batch at a time."""
        return [
            self.objective.pair(self.windows[i : i + self.rows], generator(self.seed, "validation", i), max_tokens)
            for i in range(0, len(self.windows), self.rows)
        ]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure a model that is in evaluation mode."""
        assert isinstance(model, MaskedLM), "contrastive training is one of encoders"
        with torch.no_grad():
            halves = [embed_pair(model, pair).chunk(2) for pair in self.pairs(model.config.max_positions)]
        return self.measure(torch.cat([half[0] for half in halves]), torch.cat([half[1] for half in halves]))

    def measure(self, first_ND: Tensor, second_ND: Tensor) -> dict[str, float]:
        """Measure vectors of both views, (N, D) each."""
        loss = float(info_nce(first_ND, second_ND, self.objective.temperature).mean())
        score_NN = functional.normalize(first_ND.float()) @ functional.normalize(second_ND.float()).T
        partner = torch.arange(len(score_NN), device=score_NN.device)
        found = torch.cat([scores.argmax(dim=1) == partner for scores in (score_NN, score_NN.T)])
        return {"loss": loss, "accuracy": float(found.float().mean())}

    def unigram(self, counts: np.ndarray) -> dict[str, float]:
        """Give what guessing gives: one in N; token frequencies are the same for every candidate.

        Parameters
        ----------
        counts : ndarray of int, shape (V,)
            Occurrences of each token; they change nothing.
        """
        return {"loss": math.log(len(self.windows)), "accuracy": 1 / len(self.windows)}

    def baselines(self, model: nn.Module) -> list[tuple[str, dict[str, float]]]:
        """Measure the same model with random weights, and words of four bases on one strand and on both.

        Counted on both strands, words are the same for a sequence and its other strand: they always find it, and
        the question is only one for models that read a strand.
        """
        assert isinstance(model, MaskedLM), "contrastive training is one of encoders"
        random = copy.deepcopy(model)
        initialise(random, self.seed)
        rows = [("random weights", self(random.eval()))]
        pairs = self.pairs(model.config.max_positions)
        for both in (False, True):
            halves = [np.split(np.stack([self._profile(row, both) for row in pair.input_ids.numpy()]), 2)
                      for pair in pairs]
            first, second = (torch.from_numpy(np.concatenate([half[i] for half in halves])) for i in (0, 1))
            strands = "both strands" if both else "one strand"
            rows.append((f"{PROFILE_K}-mer frequencies, {strands}", self.measure(first, second)))
        return rows

    def _profile(self, ids: np.ndarray, both: bool) -> np.ndarray:
        """Count the words of `PROFILE_K` bases in a row of tokens, float32, (4 ** k,)."""
        tokenizer = self.objective.tokenizer
        letters = tokenizer.decode(ids)
        return word_counts([letters, reverse_complement(as_bases(letters)).tobytes().decode()] if both else [letters])


def word_counts(sequences: Sequence[str], k: int = PROFILE_K) -> np.ndarray:
    """Count all words of k bases, float32, (4 ** k,); words with other letters are left out.

    >>> counts = word_counts(["AACN", "AA"], k=2)
    >>> counts[[0, 1]].tolist(), float(counts.sum())  # AA twice, AC once
    ([2.0, 1.0], 3.0)
    """
    code = np.full(256, -1, dtype=np.int64)
    code[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
    counts = np.zeros(4**k, dtype=np.float32)
    for sequence in sequences:
        digits = code[np.frombuffer(sequence.encode(), dtype=np.uint8)]
        if len(digits) >= k:
            words = np.lib.stride_tricks.sliding_window_view(digits, k)
            words = words[(words >= 0).all(axis=1)]
            counts += np.bincount(words @ 4 ** np.arange(k - 1, -1, -1), minlength=4**k)
    return counts
