"""How much the vector of a token depends on its context, layer by layer.

Self-similarity of a token is the mean cosine of its vectors in different contexts; the baseline is
the mean cosine of any two vectors of that layer, because vectors of trained models share a
direction (Ethayarajh 2019, doi:10.18653/v1/D19-1006). GROVER's authors used up to 5,000 occurrences
of each token (Sanabria et al. 2024, doi:10.1038/s42256-024-00872-0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from lingome.core.errors import ConfigError, DataError
from lingome.core.progress import track
from lingome.models.devices import pick_device
from lingome.models.networks.transformer.model import Transformer
from lingome.models.reading.batching import collate, length_batches, pick_batch_tokens
from lingome.tokens.tokenizer import Tokenizer

SELF_SIMILARITY_COLUMNS = (
    "id", "token", "layer", "n", "self_similarity", "baseline", "random_weights", "random_baseline",
)


class ContextVectors(NamedTuple):
    """What a model makes of tokens in their contexts; layer 0 is the embedding table.

    Parameters
    ----------
    n : ndarray of int64, shape (V,)
        Occurrences used of each token.
    self_similarity : ndarray of float64, shape (layers + 1, V)
        Mean cosine of all pairs of a token's vectors, -1..1; NaN with fewer than two.
    baseline : ndarray of float64, shape (layers + 1,)
        Mean cosine of all pairs of vectors from different windows, whatever their tokens; NaN with
        one window.
    means : ndarray of float64, shape (V, D)
        Mean vector of each token in the chosen layer; NaN where there is none.
    """

    n: np.ndarray
    self_similarity: np.ndarray
    baseline: np.ndarray
    means: np.ndarray


def mean_cosine(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Compute the mean cosine of all pairs of unit vectors from their sum: (|sum|^2 - n) / (n (n - 1)).

    Parameters
    ----------
    total : ndarray of float64, shape (..., D)
        Sum of the unit vectors.
    n : ndarray of int, shape (...)
        How many they are.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where n < 2.

    >>> mean_cosine(np.array([[1.0, 1.0], [2.0, 0.0], [1.0, 0.0]]), np.array([2, 2, 1])).tolist()
    [0.0, 1.0, nan]
    """
    pairs = n * (n - 1.0)
    found: np.ndarray = np.divide((total**2).sum(-1) - n, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
    return found


def read_contexts(
    body: Transformer,
    tokenizer: Tokenizer,
    windows: Sequence[np.ndarray],
    *,
    n_occurrences: int = 5000,
    layer: int = -1,
    batch_tokens: int | None = None,
    device: str = "auto",
    what: str = "reading tokens in context",
) -> ContextVectors:
    """Run a model over windows, and sum up the vectors of each token in every layer.

    Only sums are kept, so memory does not grow with the number of windows; yet the mean over all
    pairs is exact; see `mean_cosine`.

    Parameters
    ----------
    body : Transformer
        The model's body; it is moved to the device and left in evaluation mode.
    tokenizer : Tokenizer
        Its vocabulary.
    windows : sequence of ndarray of int, shape (L,) each
        Ids without special tokens, each at most the model's context less two.
    n_occurrences : int
        Use at most so many occurrences of a token, those read first.
    layer : int
        Layer of `ContextVectors.means`; 0 is the embedding table, -1 the last layer.
    batch_tokens : int
        Tokens of a batch, padding included.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    what : str
        Name of the progress bar.

    Raises
    ------
    ConfigError
        If the model has no such layer.
    DataError
        If there is no window.
    """
    n_states = body.config.n_layers + 1
    V = tokenizer.vocab_size
    D = body.config.hidden_size
    if not -n_states <= layer < n_states:
        known = f"0 to {n_states - 1}, or -1"
        raise ConfigError("the model has no such layer", where="layer", got=layer, expected=known)
    if not len(windows):
        raise DataError("there is no stretch of known sequence long enough to read in context")
    place = pick_device(device)
    body.to(place).eval()
    special = torch.from_numpy(tokenizer.special_ids)
    n = np.zeros(V, dtype=np.int64)
    n_all = 0
    units = torch.zeros(n_states, V, D, dtype=torch.float64)
    sums = torch.zeros(V, D, dtype=torch.float64)
    everything = torch.zeros(n_states, D, dtype=torch.float64)
    own = torch.zeros(n_states, dtype=torch.float64)
    own_pairs = 0
    lengths = np.array([len(one) + 2 for one in windows])
    with torch.inference_mode(), track(what, int(lengths.sum()), "tokens") as task:
        for chosen in length_batches(lengths, pick_batch_tokens(batch_tokens, place)):
            ids_BL, mask_BL = collate(
                [windows[index] for index in chosen], tokenizer, max_tokens=body.config.max_positions
            )
            counted_BL = mask_BL & torch.isin(ids_BL, special, invert=True)
            ids_M = ids_BL[counted_BL]
            row_M = counted_BL.nonzero()[:, 0]
            used_M = torch.from_numpy(n[ids_M] + _occurrence(ids_M.numpy()) < n_occurrences)
            for index, state in enumerate(body.hidden_states(ids_BL.to(place), mask_BL.to(place))):
                x_MD = state.float().cpu()[counted_BL].double()
                unit_MD = F.normalize(x_MD, dim=1)
                units[index].index_add_(0, ids_M[used_M], unit_MD[used_M])
                window_BD = torch.zeros(len(chosen), D, dtype=torch.float64).index_add_(0, row_M, unit_MD)
                everything[index] += window_BD.sum(0)
                own[index] += (window_BD**2).sum()
                if index == layer % n_states:
                    sums.index_add_(0, ids_M[used_M], x_MD[used_M])
            n += np.bincount(ids_M[used_M].numpy(), minlength=V)
            n_all += len(ids_M)
            own_pairs += int((counted_BL.sum(1) ** 2).sum())
            task.advance(int(lengths[chosen].sum()))
    apart = n_all**2 - own_pairs
    baseline = ((everything**2).sum(1) - own).numpy() / apart if apart else np.full(n_states, np.nan)
    means = np.divide(sums.numpy(), n[:, None], out=np.full((V, D), np.nan), where=n[:, None] > 0)
    return ContextVectors(n, mean_cosine(units.numpy(), n[None, :].repeat(n_states, 0)), baseline, means)


def self_similarity_table(
    tokenizer: Tokenizer, model: ContextVectors, random: ContextVectors | None = None, *, least: int = 2
) -> list[dict[str, Any]]:
    """Give one row per token and layer, for tokens with at least `least` occurrences.

    Parameters
    ----------
    tokenizer : Tokenizer
    model, random : ContextVectors
        Of the model, and of the same shape with random weights on the same windows.
    least : int
        Occurrences that a token needs.

    Returns
    -------
    list of dict
        Columns `SELF_SIMILARITY_COLUMNS`; the last two None without `random`.
    """
    special = set(tokenizer.special_ids.tolist())
    return [
        {
            "id": index, "token": token, "layer": layer, "n": int(model.n[index]),
            "self_similarity": float(model.self_similarity[layer, index]), "baseline": float(model.baseline[layer]),
            "random_weights": None if random is None else float(random.self_similarity[layer, index]),
            "random_baseline": None if random is None else float(random.baseline[layer]),
        }
        for index, token in enumerate(tokenizer.vocab)
        if index not in special and model.n[index] >= max(2, least)
        for layer in range(len(model.baseline))
    ]


def _occurrence(ids: np.ndarray) -> np.ndarray:
    """Number the occurrences of each id from 0.

    >>> _occurrence(np.array([7, 5, 7, 7, 5])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ids) else np.zeros(0, dtype=bool)
    positions = np.arange(len(ids))
    numbers = np.empty(len(ids), dtype=np.int64)
    numbers[order] = positions - np.maximum.accumulate(np.where(begins, positions, 0))
    return numbers
