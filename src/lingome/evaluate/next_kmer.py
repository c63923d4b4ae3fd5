"""Which vocabulary reads DNA best: next-k-mer prediction.

The protocol of GROVER (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0): 50 bases, cut into
tokens by the candidate vocabulary, go into a pre-trained model that is fine-tuned to name the next
k bases as one of 4^k classes. The task is the same for every vocabulary, so they can be ranked
without a biological label. Where this differs from GROVER:

- the heads for all k sit on one body and are trained together on the sum of their losses: one
  fine-tuning instead of five;
- the head reads the final state at [SEP], which stands right before the k-mer;
- every candidate is pre-trained on the same number of bases, on a small model, and tested on a
  block of the genome that neither training saw.

Shapes: B sequences, L tokens, D hidden size, S seeds, N test positions, K lengths of k-mers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lingome.config.tokens_choose import NextKmerSettings
from lingome.config.train import TrainSettings
from lingome.core.errors import DataError
from lingome.core.progress import say, track
from lingome.core.seeds import derive_seed, generator
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.features import base_codes
from lingome.evaluate.intervals import bootstrap_mean
from lingome.evaluate.markov import LONGEST, WordCounts, next_kmer_table
from lingome.models.batching import collate
from lingome.models.presets import build_masked_lm, find_config
from lingome.models.transformer import Transformer
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.loop import train
from lingome.train.objectives import LossSum, MaskedObjective


class Stretches:
    """Parts of a genome laid end to end, to draw windows without unknown letters from.

    Raises
    ------
    DataError
        If the intervals are empty or hold no window of known letters.
    """

    def __init__(self, genome: Genome, intervals: Sequence[Interval], what: str) -> None:
        self.what = what
        gap = np.frombuffer(b"N", dtype=np.uint8)
        parts = [part for i in intervals for part in (genome.sequence(i.chrom, i.start, i.end), gap)]
        self.letters = np.concatenate(parts) if parts else gap
        self.codes = base_codes(self.letters)

    def draw(self, n: int, length_bp: int, rng: np.random.Generator) -> np.ndarray:
        """Draw windows evenly from all that hold only A, C, G and T: ASCII codes (n, length_bp)."""
        found: list[np.ndarray] = []
        missing, last = n, len(self.letters) - length_bp
        steps = np.arange(length_bp)
        for _ in range(1000):
            if missing <= 0 or last < 0:
                break
            starts = rng.integers(last + 1, size=missing + 8)
            good = starts[(self.codes[starts[:, None] + steps] < 4).all(axis=1)][:missing]
            found.append(good)
            missing -= len(good)
        if missing > 0:
            raise DataError(
                f"the {self.what} part of the genome has too few stretches of {length_bp} known letters",
                got=f"{len(self.letters):,} letters", hint="use a longer sequence",
            )
        return self.letters[np.concatenate(found)[:, None] + steps]


def _targets(kmers_NK: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Number the first k letters of each row for each k: (N, len(ks)) int64."""
    codes = base_codes(kmers_NK).astype(np.int64)
    columns = []
    for k in ks:
        number = np.zeros(len(codes), dtype=np.int64)
        for letter in codes[:, :k].T:
            number = (number << 2) | letter
        columns.append(number)
    return np.stack(columns, axis=1)


class WindowDraws:
    """Pre-training batches: new windows of a fixed number of bases in every step."""

    def __init__(self, stretches: Stretches, tokenizer: Tokenizer, settings: NextKmerSettings, seed: int) -> None:
        self.stretches, self.tokenizer, self.settings, self.seed = stretches, tokenizer, settings, seed

    @property
    def batches_per_epoch(self) -> int:
        """Batches of a pass."""
        return self.settings.pretrain_steps

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Draw the windows of one batch and cut them into tokens."""
        rng = generator(self.seed, "next k-mer windows", epoch, index)
        windows = self.stretches.draw(self.settings.windows_per_step, self.settings.window_bp, rng)
        ids = [encoding.input_ids for encoding in self.tokenizer.encode_batch(list(windows))]
        return _collated(ids, self.tokenizer)


class Positions:
    """Contexts with the k-mers that follow them, encoded once, in batches of similar length."""

    def __init__(
        self, windows: np.ndarray, tokenizer: Tokenizer, settings: NextKmerSettings, batch_size: int, seed: int
    ) -> None:
        contexts = windows[:, : settings.context_bp]
        self.ids = [encoding.input_ids for encoding in tokenizer.encode_batch(list(np.ascontiguousarray(contexts)))]
        self.targets = _targets(windows[:, settings.context_bp :], settings.ks)
        self.tokenizer, self.batch_size, self.seed = tokenizer, batch_size, seed

    @property
    def batches_per_epoch(self) -> int:
        """Batches of a pass; the last incomplete one is left out of training."""
        return max(1, len(self.ids) // self.batch_size)

    def batch(self, epoch: int, index: int) -> dict[str, Any]:
        """Give batch `index` of a pass in an order of its own."""
        order = generator(self.seed, "next k-mer order", epoch).permutation(len(self.ids))
        return self.at(order[index * self.batch_size : (index + 1) * self.batch_size])

    def at(self, chosen: np.ndarray) -> dict[str, Any]:
        """Give a batch of chosen positions, with ``targets`` (B, K)."""
        return {**_collated([self.ids[i] for i in chosen], self.tokenizer), "targets": self.targets[chosen]}


def _collated(ids: Sequence[np.ndarray], tokenizer: Tokenizer) -> dict[str, Any]:
    input_ids, attention_mask = collate(
        ids, pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id, sep_id=tokenizer.sep_id,
        max_tokens=max(len(each) for each in ids) + 2,
    )
    return {"input_ids": input_ids, "attention_mask": attention_mask}


class NextKmerModel(nn.Module):
    """A body, and a linear softmax head of 4^k classes for each k, on the state at [SEP]."""

    def __init__(self, body: Transformer, ks: Sequence[int], seed: int) -> None:
        super().__init__()
        self.body = body
        self.heads = nn.ModuleList(nn.Linear(body.config.hidden_size, 4**k) for k in ks)
        draw = torch.Generator().manual_seed(derive_seed(seed, "next k-mer heads"))
        with torch.no_grad():
            for head in self.heads:
                assert isinstance(head, nn.Linear)
                head.weight.normal_(0.0, 0.02, generator=draw)
                head.bias.zero_()

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor) -> list[Tensor]:
        """Give logits (B, 4^k), one tensor a k."""
        last_B = attention_mask_BL.long().sum(dim=1) - 1
        at_sep_BL = functional.one_hot(last_B, input_ids_BL.shape[1]).bool()
        state_BD = self.body(input_ids_BL, attention_mask_BL, at_sep_BL)
        return [head(state_BD) for head in self.heads]


class NextKmerObjective:
    """The sum over k of the cross-entropies of the next k-mer."""

    def loss(self, model: nn.Module, batch: Mapping[str, Any], rng: np.random.Generator) -> LossSum:
        """Sum the loss (nats) over the batch's positions; nothing is random."""
        device = next(model.parameters()).device
        targets_BK = torch.from_numpy(batch["targets"]).to(device)
        logits = model(_ids(batch["input_ids"], device), _ids(batch["attention_mask"], device))
        losses = [
            functional.cross_entropy(part.float(), targets_BK[:, index], reduction="sum")
            for index, part in enumerate(logits)
        ]
        return LossSum(torch.stack(losses).sum(), float(len(targets_BK)))


def _ids(values: Any, device: torch.device) -> Tensor:
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
    return tensor.to(device).long()


class NextKmerResult(NamedTuple):
    """Rows of the table ``next_kmer``, and the hits of each vocabulary, bool (S, N, K)."""

    rows: list[dict[str, Any]]
    hits: dict[str, np.ndarray]


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
        One training of every candidate a seed; positions are the same for all.
    device : str
        A torch device.

    Returns
    -------
    list of dict
        For each candidate and k: vocabulary, merges, k, accuracy, low, high (95 % over test
        positions and seeds), chance (4^-k), baseline (a Markov model whose order was chosen on
        validation bases), n, seeds; further baseline_order, most_frequent (accuracy of always
        naming the most frequent k-mer), vocab_size, and mean_accuracy, mean_low, mean_high over k.

    Raises
    ------
    DataError
        If train and test overlap, or hold too little known sequence.
    """
    for one in test_intervals:
        if any(one.overlaps(other) for other in train_intervals):
            raise DataError("test positions overlap training positions", got=str(one))
    learn = Stretches(genome, train_intervals, "training")
    test = Stretches(genome, test_intervals, "test")
    return compare(learn, test, tokenizers, settings, seeds, device).rows


def compare(
    learn: Stretches,
    test: Stretches,
    tokenizers: Mapping[str, Tokenizer],
    settings: NextKmerSettings,
    seeds: Sequence[int],
    device: str = "cpu",
) -> NextKmerResult:
    """Do what `next_kmer` does, on stretches already read; also gives every hit."""
    length = settings.context_bp + settings.ks[-1]
    shown = test.draw(settings.n_test, length, generator(seeds[0], "next k-mer test"))
    baseline = _baseline(learn, shown, settings)
    hits: dict[str, np.ndarray] = {}
    for name, tokenizer in tokenizers.items():
        fits = []
        for seed in seeds:
            model = _fit(learn, tokenizer, settings, seed, device, name)
            fits.append(_hits(model, Positions(shown, tokenizer, settings, 512, seed)))
        hits[name] = np.stack(fits)
        say(f"{name}: " + ", ".join(
            f"next {k}-mer {share:.2%}" for k, share in zip(settings.ks, hits[name].mean(axis=(0, 1)), strict=True)
        ))
    rows = [
        row for name, tokenizer in tokenizers.items()
        for row in _rows(name, tokenizer, hits[name], settings, baseline)
    ]
    return NextKmerResult(rows, hits)


def _fit(
    learn: Stretches, tokenizer: Tokenizer, settings: NextKmerSettings, seed: int, device: str, name: str
) -> NextKmerModel:
    """Pre-train a masked model on the candidate's tokens, then train it to name the next k-mers."""
    language_model = build_masked_lm(find_config(settings.preset), tokenizer.vocab_size, seed).to(device)
    train(
        language_model, MaskedObjective(tokenizer), WindowDraws(learn, tokenizer, settings, seed),
        TrainSettings(max_steps=settings.pretrain_steps, lr=settings.pretrain_lr, warmup_share=0.1),
        seed=seed, phase="next k-mer pretrain", label=f"{name}: pre-training",
    )
    length = settings.context_bp + settings.ks[-1]
    windows = learn.draw(settings.n_train, length, generator(seed, "next k-mer train"))
    model = NextKmerModel(language_model.body, settings.ks, seed).to(device)
    train(
        model, NextKmerObjective(), Positions(windows, tokenizer, settings, settings.finetune_batch, seed),
        TrainSettings(max_steps=settings.finetune_steps, lr=settings.finetune_lr, warmup_share=0.1),
        seed=seed, phase="next k-mer finetune", label=f"{name}: next k-mers",
    )
    return model


@torch.no_grad()
def _hits(model: NextKmerModel, positions: Positions) -> np.ndarray:
    """Say for each position and k whether the likeliest k-mer is the true one: bool (N, K)."""
    model.eval()
    device = next(model.parameters()).device
    order = np.argsort([len(ids) for ids in positions.ids], kind="stable")
    hits = np.zeros(positions.targets.shape, dtype=bool)
    with track("testing", total=len(order), unit="positions") as task:
        for start in range(0, len(order), positions.batch_size):
            chosen = order[start : start + positions.batch_size]
            batch = positions.at(chosen)
            logits = model(_ids(batch["input_ids"], device), _ids(batch["attention_mask"], device))
            called = torch.stack([part.argmax(dim=1) for part in logits], dim=1).cpu().numpy()
            hits[chosen] = called == batch["targets"]
            task.advance(len(chosen))
    return hits


class Baseline(NamedTuple):
    """Accuracy on the test positions of the Markov model and of the most frequent k-mer."""

    markov: float
    order: int
    most_frequent: float


def _baseline(learn: Stretches, shown: np.ndarray, settings: NextKmerSettings) -> dict[int, Baseline]:
    """Count words in training bases (the last tenth chooses the order), and predict the test positions."""
    codes = learn.codes[: settings.markov_bp]
    cut = int(len(codes) * 0.9)
    # Words longer than the logarithm of the bases are nearly all unseen, and cost memory.
    longest = min(LONGEST, max(settings.ks[-1] + 1, math.ceil(math.log(len(codes), 4)) + 1))
    counted, checked = WordCounts([codes[:cut]], longest), WordCounts([codes[cut:]], longest)
    targets = _targets(shown[:, settings.context_bp :], settings.ks)
    contexts = base_codes(shown[:, : settings.context_bp])
    found = {}
    for index, k in enumerate(settings.ks):
        table = next_kmer_table(counted, checked, k)
        right = float((table.predict(contexts) == targets[:, index]).mean())
        most = float((targets[:, index] == counted.of(k).argmax()).mean())
        found[k] = Baseline(right, table.order, most)
    return found


def _rows(
    name: str, tokenizer: Tokenizer, hits_SNK: np.ndarray, settings: NextKmerSettings, baseline: dict[int, Baseline]
) -> list[dict[str, Any]]:
    overall = bootstrap_mean(hits_SNK.mean(axis=2))
    rows = []
    for index, k in enumerate(settings.ks):
        accuracy = bootstrap_mean(hits_SNK[:, :, index])
        rows.append({
            "vocabulary": name, "merges": merges_of(tokenizer), "k": k, "accuracy": accuracy.value,
            "low": accuracy.low, "high": accuracy.high, "chance": 4.0**-k, "baseline": baseline[k].markov,
            "n": hits_SNK.shape[1], "seeds": hits_SNK.shape[0], "baseline_order": baseline[k].order,
            "most_frequent": baseline[k].most_frequent, "vocab_size": tokenizer.vocab_size,
            "mean_accuracy": overall.value, "mean_low": overall.low, "mean_high": overall.high,
        })
    return rows


def merges_of(tokenizer: Tokenizer) -> int | None:
    """Give the merges of a byte-pair vocabulary; 0 for single letters, None for other kinds."""
    if tokenizer.kind == "characters":
        return 0
    merges = getattr(tokenizer, "merges", None)
    return None if merges is None else len(merges)
