"""What a language model is asked: ln p(token at a place | a row of tokens), each row computed once.

Every score is a sum, with signs, of such log-probabilities. They are gathered first, so that equal rows are run
once, rows of like lengths together, and last layer and head only at the places that are asked about.

Shapes: B rows of a batch, L tokens of a row, M places asked about in a batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.errors import DataError
from lingome.models.architecture import CausalModel
from lingome.models.devices import Precision, autocast
from lingome.models.heads.language_model import LanguageModel
from lingome.models.reading.batching import length_batches, pick_batch_tokens
from lingome.tokens.frame import N_SPECIAL, frame_rows
from lingome.tokens.tokenizer import Tokenizer


class _Asked(NamedTuple):
    items: np.ndarray
    rows: np.ndarray
    places: np.ndarray
    targets: np.ndarray
    signs: np.ndarray


def is_causal(model: nn.Module) -> bool:
    """Say whether a model guesses each token from those before it alone."""
    return bool(getattr(model, "causal", False))


class Questions:
    """A list of questions to one model.

    Parameters
    ----------
    tokenizer : Tokenizer
        The model's own.
    causal : bool
        A causal model reads ``[CLS]`` and the tokens, and what it says at one place is about the next. Any other
        reads ``[CLS]``, the tokens and ``[SEP]``, and says what stands where it is asked.
    max_positions : int
        Tokens that the model reads at most, special ones included.
    """

    def __init__(self, tokenizer: Tokenizer, causal: bool, max_positions: int) -> None:
        self.tokenizer = tokenizer
        self.causal = causal
        self.max_positions = max_positions
        self.room = max_positions - (1 if causal else 2)
        self._rows: list[np.ndarray] = []
        self._number: dict[bytes, int] = {}
        self._asked: list[_Asked] = []

    @property
    def n_rows(self) -> int:
        """Different rows that the model has to read."""
        return len(self._rows)

    def ask(
        self,
        items: int | np.ndarray,
        ids: np.ndarray,
        places: Sequence[int] | np.ndarray,
        targets: np.ndarray,
        *,
        hidden: Sequence[int] | np.ndarray = (),
        sign: float = 1.0,
    ) -> None:
        """Add ``sign * ln p(targets[j] at places[j] | ids)`` to an item, for every j.

        Parameters
        ----------
        items : int or ndarray of int, shape (J,)
            The item that each answer is added to.
        ids : ndarray of int, shape (n,)
            Tokens without special ones.
        places, targets : int, shape (J,)
            Places in `ids`; a causal model may be asked about place n too, what follows.
        hidden : sequence of int, shape (H,)
            Places whose token is replaced by ``[MASK]``.
        sign : float
            Weight of these answers.

        Raises
        ------
        DataError
            If the row is longer than the model reads.
        """
        if len(ids) > self.room:
            raise DataError("a sequence is too long for the model", got=f"{len(ids)} tokens",
                            expected=f"at most {self.room} beside the special ones", hint="cut it into windows")
        if not len(places):
            return
        row = ids
        if len(hidden):
            row = ids.copy()
            row[hidden] = self.tokenizer.mask_id
        number = self._number.setdefault(row.tobytes(), len(self._rows))
        if number == len(self._rows):
            self._rows.append(row)
        n = len(places)
        self._asked.append(_Asked(
            np.broadcast_to(np.asarray(items, dtype=np.int64), n), np.full(n, number),
            np.asarray(places, dtype=np.int64), np.asarray(targets).astype(np.int64), np.full(n, sign),
        ))

    def answer(
        self, model: LanguageModel, n_items: int, *, batch_tokens: int | None = None, precision: Precision = "fp32"
    ) -> np.ndarray:
        """Run the model and sum up the answers of each item: float64, shape (n_items,), in nats.

        Parameters
        ----------
        model : LanguageModel
            On any device; put in evaluation mode.
        n_items : int
            Items are 0 to n_items - 1.
        batch_tokens : int, optional
            Tokens of a batch at most, padding included; None for what suits the device.
        precision : {"fp32", "bf16", "auto"}
            Of the matrix products; softmax is in float32 always.
        """
        if not self._asked:
            return np.zeros(n_items)
        asked = _Asked(*(np.concatenate(part) for part in zip(*self._asked, strict=True)))
        by_row = np.argsort(asked.rows, kind="stable")
        cuts = np.searchsorted(asked.rows[by_row], np.arange(self.n_rows + 1))
        values = np.zeros(len(by_row))
        device = next(model.parameters()).device
        model.eval()
        lengths = [len(row) + N_SPECIAL for row in self._rows]
        with torch.inference_mode(), autocast(device, precision):
            for chosen in length_batches(lengths, pick_batch_tokens(batch_tokens, device)):
                picks = np.concatenate([by_row[cuts[row] : cuts[row + 1]] for row in chosen])
                local = np.repeat(np.arange(len(chosen)), cuts[chosen + 1] - cuts[chosen])
                columns = asked.places[picks] + (0 if self.causal else 1)
                values[picks] = self._read(model, device, chosen, local, columns, asked.targets[picks])
        return np.bincount(asked.items, weights=values * asked.signs, minlength=n_items)

    def _read(
        self, model: LanguageModel, device: torch.device, chosen: np.ndarray, local: np.ndarray, columns: np.ndarray,
        targets: np.ndarray,
    ) -> np.ndarray:
        """Run one batch, and give the log-probability of each target at its row and column."""
        ids, real = frame_rows([self._rows[row] for row in chosen], self.tokenizer, end=not self.causal)
        asked = np.zeros(ids.shape, dtype=bool)
        asked[local, columns] = True
        place = asked.ravel().cumsum() - 1
        of_target = torch.from_numpy(place[local * ids.shape[1] + columns]).to(device)
        mask = None if real.all() else torch.from_numpy(real).to(device)
        logits_MV = asked_logits(model, torch.from_numpy(ids).to(device), mask, torch.from_numpy(asked).to(device))
        logits_MV = logits_MV.float()
        total_M = logits_MV.logsumexp(dim=1)
        found = logits_MV[of_target, torch.from_numpy(targets).to(device)] - total_M[of_target]
        return np.asarray(found.double().cpu().numpy())


def asked_logits(model: nn.Module, ids_BL: Tensor, mask_BL: Tensor | None, asked_BL: Tensor) -> Tensor:
    """Give logits (M, V) at the places asked about, in row order; the head is computed there alone.

    Parameters
    ----------
    model : Module
        A masked or a causal language model.
    ids_BL : Tensor, (B, L) int64
        Ids with special tokens.
    mask_BL : Tensor, (B, L) bool, optional
        False at padding; None where there is none.
    asked_BL : Tensor, (B, L) bool
        True at the M places.
    """
    if isinstance(model, CausalModel):
        hidden_MD: Tensor = model.body(ids_BL, mask_BL)[asked_BL]
        logits_MV: Tensor = model.head(hidden_MD)
        return logits_MV
    if is_causal(model):
        whole: Tensor = model(ids_BL, mask_BL)
        return whole[asked_BL]
    picked: Tensor = model(ids_BL, mask_BL, asked_BL)
    return picked
