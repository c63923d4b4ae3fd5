"""The learner of next-k-mer prediction: a masked model pre-trained on a candidate's tokens, then taught to go on.

Shapes: B sequences, L tokens, D hidden size, W bases read directly, N positions, K lengths of k-mers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lingome.config.parts.train import TrainSettings
from lingome.config.tokens.choose import NextKmerSettings
from lingome.core.progress import track
from lingome.core.seeds import derive_seed, generator
from lingome.evaluate.baselines.features import base_codes
from lingome.evaluate.vocabulary.stretches import Stretches
from lingome.models.architecture import Body
from lingome.models.presets import build_masked_lm, find_config
from lingome.models.reading.batching import collate
from lingome.tokens.tokenizer import Tokenizer
from lingome.train.checkpointing import Phase
from lingome.train.loop import train
from lingome.train.objectives import LossSum, MaskedObjective

NEAR_BP = 12


def kmer_targets(kmers_NK: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Number the first k letters of each row for each k.

    Returns
    -------
    ndarray of int64, shape (N, len(ks))
        Words as numbers to base 4.
    """
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
        self.stretches = stretches
        self.tokenizer = tokenizer
        self.settings = settings
        self.seed = seed

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
        self.targets = kmer_targets(windows[:, settings.context_bp :], settings.ks)
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.seed = seed

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
    return collate(ids, tokenizer, max_tokens=max(len(each) for each in ids) + 2)._asdict()


class NextKmerModel(nn.Module):
    """A body, a layer over the states that stand for the last bases, and a softmax of 4^k classes for each k.

    The layer reads the state at [SEP] and, for each of the last `NEAR_BP` bases, that of the token
    which owns it: every vocabulary shows the same bases directly, in few tokens or in many. The
    score of a k-mer is that of its first k - 1 bases plus one of its own, so that k-mers of a common
    beginning learn together.

    Parameters
    ----------
    body : Body
        A trained body; it is trained on.
    token_lengths : ndarray of int64, shape (V,)
        Letters of each token, 0 for special ones.
    ks : sequence of int
        Lengths to predict, ascending.
    seed : int
        Seed of the new weights.
    """

    token_lengths: Tensor

    def __init__(self, body: Body, token_lengths: np.ndarray, ks: Sequence[int], seed: int) -> None:
        super().__init__()
        self.body = body
        self.ks = tuple(ks)
        self.register_buffer("token_lengths", torch.from_numpy(np.asarray(token_lengths, dtype=np.int64)))
        hidden = body.config.hidden_size
        self.trunk = nn.Linear((NEAR_BP + 1) * hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, 4**length) for length in range(1, ks[-1] + 1))
        draw = torch.Generator().manual_seed(derive_seed(seed, "next k-mer heads"))
        with torch.no_grad():
            for layer in (self.trunk, *self.heads):
                assert isinstance(layer, nn.Linear)
                layer.weight.normal_(0.0, layer.in_features**-0.5 if layer is self.trunk else 0.02, generator=draw)
                layer.bias.zero_()

    def forward(self, input_ids_BL: Tensor, attention_mask_BL: Tensor) -> list[Tensor]:
        """Give logits, one tensor per k, each of shape (B, 4^k)."""
        state = functional.gelu(self.trunk(self.near_states(input_ids_BL, attention_mask_BL).flatten(1)))
        logits = None
        found = []
        for length, head in enumerate(self.heads, start=1):
            own = head(state)
            logits = own if logits is None else own + logits.repeat_interleave(4, dim=1)
            if length in self.ks:
                found.append(logits)
        return found

    def near_states(self, input_ids_BL: Tensor, attention_mask_BL: Tensor) -> Tensor:
        """Give the states of the tokens that own the last bases, from the last on, then that at [SEP]: (B, W + 1, D).

        Zeros stand for bases before the beginning, and for what special tokens own.
        """
        states_BLD = self.body(input_ids_BL, attention_mask_BL)
        lengths_BL = self.token_lengths[input_ids_BL]
        ends_BL = lengths_BL.flip(1).cumsum(1).flip(1)  # bases from the first of a token to the end
        back_W = torch.arange(1, NEAR_BP + 1, device=ends_BL.device)[None, :, None]
        owns_BWL = (ends_BL[:, None] >= back_W) & ((ends_BL - lengths_BL)[:, None] < back_W)
        last_B = attention_mask_BL.long().sum(dim=1) - 1
        at_sep_B1L = functional.one_hot(last_B, input_ids_BL.shape[1]).bool()[:, None]
        picks = torch.cat([owns_BWL, at_sep_B1L], dim=1).to(states_BLD.dtype)
        return torch.bmm(picks, states_BLD)


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


def fit_next_kmer(
    learn: Stretches, tokenizer: Tokenizer, settings: NextKmerSettings, seed: int, device: str, name: str
) -> NextKmerModel:
    """Pre-train a masked model on the candidate's tokens, then train it to name the next k-mers.

    With ``settings.pretrain_steps`` of 0 the body starts from random weights.

    Parameters
    ----------
    learn : Stretches
        Sequence to learn from.
    tokenizer : Tokenizer
        The candidate.
    settings : NextKmerSettings
        Shape, lengths, rates.
    seed : int
        Decides weights, draws and order.
    device : str
        Where to train.
    name : str
        What progress bars call the candidate.
    """
    language_model = build_masked_lm(find_config(settings.preset), tokenizer.vocab_size, seed).to(device)
    if settings.pretrain_steps:
        train(
            language_model, MaskedObjective(tokenizer), WindowDraws(learn, tokenizer, settings, seed),
            TrainSettings(max_steps=settings.pretrain_steps, lr=settings.pretrain_lr, warmup_share=0.1),
            phase=Phase("next k-mer pretrain", seed, f"{name}: pre-training"),
        )
    length = settings.context_bp + settings.ks[-1]
    windows = learn.draw(settings.n_train, length, generator(seed, "next k-mer train"))
    model = NextKmerModel(language_model.body, tokenizer.token_lengths, settings.ks, seed).to(device)
    train(
        model, NextKmerObjective(), Positions(windows, tokenizer, settings, settings.finetune_batch, seed),
        TrainSettings(max_steps=settings.finetune_steps, lr=settings.finetune_lr, warmup_share=0.1),
        phase=Phase("next k-mer finetune", seed, f"{name}: next k-mers"),
    )
    return model


class Guesses(NamedTuple):
    """Is the likeliest k-mer the true one, and the bits (-log2 p) that the true one costs: (N, K) each."""

    hits: np.ndarray
    bits: np.ndarray


@torch.no_grad()
def guess(model: NextKmerModel, positions: Positions) -> Guesses:
    """Name the next k-mers of all positions."""
    model.eval()
    device = next(model.parameters()).device
    order = np.argsort([len(ids) for ids in positions.ids], kind="stable")
    hits = np.zeros(positions.targets.shape, dtype=bool)
    bits = np.zeros(positions.targets.shape, dtype=np.float32)
    with track("testing", total=len(order), unit="positions") as task:
        for start in range(0, len(order), positions.batch_size):
            chosen = order[start : start + positions.batch_size]
            batch = positions.at(chosen)
            logits = model(_ids(batch["input_ids"], device), _ids(batch["attention_mask"], device))
            for index, part in enumerate(logits):
                true = torch.from_numpy(batch["targets"][:, index]).to(device)
                cost = functional.cross_entropy(part.float(), true, reduction="none") / np.log(2)
                hits[chosen, index] = (part.argmax(dim=1) == true).cpu().numpy()
                bits[chosen, index] = cost.cpu().numpy()
            task.advance(len(chosen))
    return Guesses(hits, bits)
