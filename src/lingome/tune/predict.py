"""Run a classifier over many sequences: encode, batch by length, and put back in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal, NamedTuple

import numpy as np
import torch

from lingome.core.errors import DataError
from lingome.core.progress import track
from lingome.models.devices import Precision
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.reading.batching import collate
from lingome.models.reading.reader import Reader, pad_states, read_states
from lingome.tokens.tokenizer import Tokenizer

N_SPECIAL = 2
"""Tokens that stand around a sequence: [CLS] and [SEP]."""


class Encoded(NamedTuple):
    """Sequences as token ids, without special tokens, and what was lost on the way.

    Parameters
    ----------
    ids : list of ndarray of int
        Ids of each sequence.
    n_truncated : int
        Sequences whose end was cut off to fit the model.
    n_unknown : int
        Tokens that stand for letters the vocabulary does not know, over all sequences.
    """

    ids: list[np.ndarray]
    n_truncated: int
    n_unknown: int

    def warnings(self) -> list[str]:
        """Say what was lost, in sentences; empty if nothing was."""
        said = []
        if self.n_truncated:
            said.append(f"{self.n_truncated:,} of {len(self.ids):,} sequences were cut to the model's context")
        if self.n_unknown:
            said.append(f"{self.n_unknown:,} letters are not in the vocabulary (N and the like) and were read as [UNK]")
        return said


def encode_within(
    tokenizer: Tokenizer, sequences: Sequence[str], max_positions: int,
    too_long: Literal["error", "truncate"] = "error", setting: str = "too_long",
) -> Encoded:
    """Cut sequences into tokens that fit a model's context; messages call the policy by the name of its setting.

    Raises
    ------
    DataError
        If a sequence is empty, or too long and `too_long` is ``error``.
    """
    room = max_positions - N_SPECIAL
    ids = [encoding.input_ids for encoding in tokenizer.encode_batch(sequences)]
    empty = next((i for i, one in enumerate(ids) if not len(one)), None)
    if empty is not None:
        raise DataError("a sequence is empty", where=f"sequence {empty + 1}")
    long = [i for i, one in enumerate(ids) if len(one) > room]
    if long and too_long == "error":
        raise DataError(
            f"{len(long):,} of {len(ids):,} sequences are longer than the model can read",
            where=f"sequence {long[0] + 1}", got=f"{len(ids[long[0]])} tokens ({len(sequences[long[0]]):,} letters)",
            expected=f"at most {room} tokens", hint=f"shorten them, or cut their ends with {setting}=truncate",
        )
    for i in long:
        ids[i] = ids[i][:room]
    return Encoded(ids, len(long), sum(int((one == tokenizer.unk_id).sum()) for one in ids))


def run_batches(
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    ids: Sequence[np.ndarray],
    *,
    output: Literal["logits", "features"] = "logits",
    batch_tokens: int = 8192,
    precision: Precision = "fp32",
    label: str = "",
) -> np.ndarray:
    """Compute logits, or the pooled features that the head sees, of encoded sequences.

    Parameters
    ----------
    ids : sequence of int arrays
        N sequences, without special tokens.
    label : str
        Title of a progress bar; none when empty.

    Returns
    -------
    ndarray of float32, shape (N, C) or (N, D)
        In the order of `ids`, whatever the batches.
    """
    device = next(model.parameters()).device
    width = len(model.config.label_names) if output == "logits" else model.config.hidden_size
    result = np.empty((len(ids), width), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        reader = Reader.of(model.body, device, precision)
        bar = track(label, len(ids), "sequences") if label else nullcontext()
        with torch.no_grad(), bar as task:
            for chosen, states in read_states(reader, tokenizer, ids, batch_tokens=batch_tokens):
                input_ids, mask = collate(
                    [ids[i] for i in chosen], pad_id=tokenizer.pad_id, cls_id=tokenizer.cls_id,
                    sep_id=tokenizer.sep_id, max_tokens=model.config.max_positions,
                )
                values = model.pool(pad_states(states), input_ids.to(device), mask.to(device))
                if output == "logits":
                    values = model.head(values)
                result[chosen] = values.float().cpu().numpy()
                if task is not None:
                    task.advance(len(chosen))
    finally:
        model.train(was_training)
    return result


def predict_probabilities(
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    sequences: Sequence[str],
    *,
    batch_tokens: int = 8192,
    too_long: Literal["error", "truncate"] = "error",
    precision: Precision = "fp32",
    label: str = "",
) -> np.ndarray:
    """Give the probability of each class for each sequence.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Rows sum to 1.

    Raises
    ------
    DataError
        As `encode_within`.
    """
    ids = encode_within(tokenizer, sequences, model.config.max_positions, too_long).ids
    logits = run_batches(model, tokenizer, ids, batch_tokens=batch_tokens, precision=precision, label=label)
    return softmax(logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (N, C) into probabilities, in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean of -ln p(label), in nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probs[np.arange(len(labels)), labels].mean())
