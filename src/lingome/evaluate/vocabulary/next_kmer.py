"""Which vocabulary reads DNA best: next-k-mer prediction.

The protocol of GROVER (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0): 50 bases, cut into
tokens by the candidate vocabulary, go into a pre-trained model that is fine-tuned to name the next
k bases as one of 4^k classes. The task is the same for every vocabulary, so they can be ranked
without a biological label. Where this differs from GROVER:

- the heads for all k sit on one body and are trained together on the sum of their losses: one
  fine-tuning instead of five;
- the head reads the states that stand for the last bases, and a k-mer's score builds on that of
  its beginning (`NextKmerModel`); with the state of one token and 4^k separate classes, the same
  short training stays near the most frequent k-mer;
- every candidate is pre-trained on the same number of bases, on a small model, and tested on a
  block of the genome that neither training saw.

Candidates are compared position by position (`lingome.evaluate.measures.paired`).

Shapes: S seeds, N test positions, K lengths of k-mers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lingome.config.tokens.choose import NextKmerSettings
from lingome.core.errors import DataError
from lingome.core.progress import say
from lingome.core.seeds import generator
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.baselines.markov import LONGEST, WordCounts, next_kmer_table
from lingome.evaluate.measures.paired import Draws, behind_best, resampled_mean
from lingome.evaluate.vocabulary.next_kmer_model import Guesses, Positions, fit_next_kmer, guess, kmer_targets
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.tokens.tokenizer import Tokenizer

BLOCK_BP = 2000
"""Test positions of the same so many bases are drawn together by the bootstrap."""


class Baseline(NamedTuple):
    """Accuracy on the test positions of the Markov model and of the most frequent k-mer."""

    markov: float
    order: int
    most_frequent: float


class NextKmerTest:
    """One test for all candidates: positions, their blocks, and the baselines on them.

    Raises
    ------
    DataError
        If there is too little known sequence.
    """

    def __init__(
        self, learn: Stretches, test: Stretches, settings: NextKmerSettings, seeds: Sequence[int], device: str = "cpu"
    ) -> None:
        self.learn = learn
        self.settings = settings
        self.seeds = tuple(seeds)
        self.device = device
        length = settings.context_bp + settings.ks[-1]
        starts = test.draw_starts(settings.n_test, length, generator(seeds[0], "next k-mer test"))
        self.windows = test.windows(starts, length)
        self.block_N = starts // BLOCK_BP
        self.baselines = _baselines(learn, self.windows, settings)

    def run(self, name: str, tokenizer: Tokenizer, *, pretrained: bool = True) -> Guesses:
        """Train a candidate once per seed, and guess all positions: hits and bits of shape (S, N, K)."""
        settings = self.settings if pretrained else self.settings.replace(pretrain_steps=0)
        fits = []
        for seed in self.seeds:
            model = fit_next_kmer(self.learn, tokenizer, settings, seed, self.device, name)
            fits.append(guess(model, Positions(self.windows, tokenizer, settings, 512, seed)))
        found = Guesses(np.stack([one.hits for one in fits]), np.stack([one.bits for one in fits]))
        shares = found.hits.mean(axis=(0, 1))
        say(f"{name}: " + ", ".join(
            f"next {k}-mer {share:.2%}" for k, share in zip(settings.ks, shares, strict=True)
        ))
        return found

    def rows(self, guesses: Mapping[str, Guesses], tokenizers: Mapping[str, Tokenizer]) -> list[dict[str, Any]]:
        """Give the rows of the table ``next_kmer``; see `next_kmer`."""
        means = {name: resampled_mean(one.hits.mean(axis=2), self.block_N) for name, one in guesses.items()}
        bits = {name: resampled_mean(-one.bits[:, :, -1] / self.settings.ks[-1], self.block_N)
                for name, one in guesses.items()}
        behind = behind_best(means)[1]
        costs = behind_best(bits)[1]
        rows = []
        for name, one in guesses.items():
            overall = {
                **_spread("mean", means[name].estimate, "_accuracy"), **_spread("behind", behind[name]),
                "bits_per_base": -bits[name].value, **_spread("bits_behind", costs[name]),
            }
            rows += [
                {**self._row(name, tokenizers[name], index, resampled_mean(one.hits[:, :, index], self.block_N)),
                 **overall}
                for index in range(len(self.settings.ks))
            ]
        return rows

    def _row(self, name: str, tokenizer: Tokenizer, index: int, accuracy: Draws) -> dict[str, Any]:
        k = self.settings.ks[index]
        found = accuracy.estimate
        baseline = self.baselines[k]
        return {
            "vocabulary": name, "merges": merges_of(tokenizer), "k": k, "accuracy": found.value, "low": found.low,
            "high": found.high, "chance": 4.0**-k, "baseline": baseline.markov, "n": len(self.block_N),
            "seeds": len(self.seeds), "baseline_order": baseline.order, "most_frequent": baseline.most_frequent,
            "vocab_size": tokenizer.vocab_size,
        }

    def control_rows(
        self, names: Iterable[str], guesses: Mapping[str, Guesses], tokenizers: Mapping[str, Tokenizer]
    ) -> list[dict[str, Any]]:
        """Train again from random weights: the rows of the table ``next_kmer_controls``.

        Columns: vocabulary, accuracy (mean over k), random_weights (the same without pre-training), gain (with
        gain_low, gain_high: what pre-training adds, paired).
        """
        rows = []
        for name in dict.fromkeys(names):
            bare = self.run(f"{name}, random weights", tokenizers[name], pretrained=False)
            with_it, without = (
                resampled_mean(one.hits.mean(axis=2), self.block_N) for one in (guesses[name], bare)
            )
            rows.append({
                "vocabulary": name, "accuracy": with_it.value, "random_weights": without.value,
                **_spread("gain", with_it.less(without).estimate),
            })
        return rows


def _spread(name: str, found: tuple[float, float, float], ending: str = "") -> dict[str, float]:
    return {f"{name}{ending}": found[0], f"{name}_low": found[1], f"{name}_high": found[2]}


def next_kmer(
    genome: Genome,
    tokenizers: Mapping[str, Tokenizer],
    *,
    train_intervals: Sequence[Interval],
    test_intervals: Sequence[Interval],
    settings: NextKmerSettings,
    seeds: Sequence[int] = (0,),
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """Train and test every candidate, and give the rows of the table ``next_kmer``.

    Parameters
    ----------
    genome : Genome
    tokenizers : mapping of str to Tokenizer
        Candidates by the name to show.
    train_intervals, test_intervals : sequence of Interval
        Where to learn and where to test; they must not overlap.
    settings : NextKmerSettings
    seeds : sequence of int
        One training of every candidate per seed; positions are the same for all.
    device : str
        A torch device.

    Returns
    -------
    list of dict
        For each candidate and k: vocabulary, merges, k, accuracy, low, high (95 % over blocks of test
        positions and seeds), chance (4^-k), baseline (a Markov model whose order was chosen on
        validation bases), n, seeds; further baseline_order, most_frequent (accuracy of always
        naming the most frequent k-mer), vocab_size. For each candidate, the same in all its rows:
        mean_accuracy, mean_low, mean_high over k; behind, behind_low, behind_high: how far that lies behind the
        best candidate on the same positions and seeds; bits_per_base (-log2 p of the longest k-mer, a
        base) with bits_behind, bits_behind_low, bits_behind_high.

    Raises
    ------
    DataError
        If train and test overlap, or hold too little known sequence.
    """
    test = open_test(genome, train_intervals, test_intervals, settings, seeds, device)
    return test.rows({name: test.run(name, tokenizer) for name, tokenizer in tokenizers.items()}, tokenizers)


def open_test(
    genome: Genome, train_intervals: Sequence[Interval], test_intervals: Sequence[Interval],
    settings: NextKmerSettings, seeds: Sequence[int], device: str = "cpu",
) -> NextKmerTest:
    """Read both parts of a genome and draw the test positions; see `next_kmer`.

    Parameters
    ----------
    genome : Genome
        The sequence.
    train_intervals, test_intervals : sequence of Interval
        What is learnt from, and what is guessed; they never overlap.
    settings : NextKmerSettings
        How models are trained and tested.
    seeds : sequence of int
        One fit of each candidate per seed.
    device : str
        Where to train.

    Raises
    ------
    DataError
        If train and test overlap, or hold too little known sequence.
    """
    for one in test_intervals:
        if any(one.overlaps(other) for other in train_intervals):
            raise DataError("test positions overlap training positions", got=str(one))
    learn = Stretches(genome, train_intervals, "training")
    return NextKmerTest(learn, Stretches(genome, test_intervals, "test"), settings, seeds, device)


def _baselines(learn: Stretches, shown: np.ndarray, settings: NextKmerSettings) -> dict[int, Baseline]:
    """Count words in training bases (the last tenth chooses the order), and predict the test positions."""
    codes = learn.codes[: settings.markov_bp]
    cut = int(len(codes) * 0.9)
    # Words longer than the logarithm of the bases are nearly all unseen, and cost memory.
    longest = min(LONGEST, max(settings.ks[-1] + 1, math.ceil(math.log(len(codes), 4)) + 1))
    counted = WordCounts([codes[:cut]], longest)
    checked = WordCounts([codes[cut:]], longest)
    targets = kmer_targets(shown[:, settings.context_bp :], settings.ks)
    contexts = base_codes(shown[:, : settings.context_bp])
    found = {}
    for index, k in enumerate(settings.ks):
        table = next_kmer_table(counted, checked, k)
        right = float((table.predict(contexts) == targets[:, index]).mean())
        most = float((targets[:, index] == counted.of(k).argmax()).mean())
        found[k] = Baseline(right, table.order, most)
    return found


def merges_of(tokenizer: Tokenizer) -> int | None:
    """Give the merges of a byte-pair vocabulary; 0 for single letters, None for other kinds."""
    if tokenizer.kind == "characters":
        return 0
    merges = getattr(tokenizer, "merges", None)
    return None if merges is None else len(merges)
