"""Run a classifier over many sequences: encode, batch by length, and put back in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch

from lingome.core.progress import track
from lingome.models.devices import Precision
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.reading.batching import collate
from lingome.models.reading.pieces import CUT_HINT, cut_to_fit
from lingome.models.reading.reader import Reader, pad_states, read_states
from lingome.tokens.tokenizer import Tokenizer


def run_batches(
    model: SequenceClassifier,
    tokenizer: Tokenizer,
    ids: Sequence[np.ndarray],
    *,
    output: Literal["logits", "features"] = "logits",
    batch_tokens: int | None = None,
    precision: Precision = "fp32",
    label: str = "",
) -> np.ndarray:
    """Compute logits, or the pooled features that the head sees, of encoded sequences.

    Parameters
    ----------
    model : SequenceClassifier
        On any device; left in the mode it was in.
    tokenizer : Tokenizer
        The model's own.
    ids : sequence of ndarray of int, shape (n,) each
        N sequences, without special tokens.
    output : {"logits", "features"}
        What to compute.
    batch_tokens : int, optional
        Tokens of a batch; None for what suits the device. Results differ by rounding alone.
    precision : {"fp32", "bf16", "auto"}
        Of the matrix products.
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
                batch = collate([ids[i] for i in chosen], tokenizer, max_tokens=model.config.max_positions)
                values = model.pool(pad_states(states), batch.input_ids.to(device), batch.attention_mask.to(device))
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
    batch_tokens: int | None = None,
    too_long: Literal["error", "truncate"] = "error",
    precision: Precision = "fp32",
    label: str = "",
) -> np.ndarray:
    """Give the probability of each class for each sequence.

    Parameters
    ----------
    model, tokenizer, batch_tokens, precision, label
        As in `run_batches`.
    sequences : sequence of str
        N sequences, none of them empty.
    too_long : {"error", "truncate"}
        Refuse sequences beyond the context, or keep their beginning.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Rows sum to 1.

    Raises
    ------
    DataError
        As `cut_to_fit`.
    """
    ids = cut_to_fit(tokenizer, sequences, model.config.max_positions, too_long, hint=CUT_HINT).ids
    logits = run_batches(model, tokenizer, ids, batch_tokens=batch_tokens, precision=precision, label=label)
    return softmax(logits)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits (N, C) into probabilities (N, C), in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean of -ln p(label) over logits (N, C) and labels (N,), in nats."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-log_probs[np.arange(len(labels)), labels].mean())
