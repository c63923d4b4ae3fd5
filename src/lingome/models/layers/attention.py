"""What the attention of a batch sees: rows of tokens, grouped by sequences of one length.

A layer knows nothing of sequences: its input is one matrix, (T, D), one row per token. An `AttentionContext` says
which rows belong together, where they stand, and what is added to their scores. A padded batch is one
group of B sequences of L rows, some hidden; a packed batch (no padding) has a group for each length, so
linear layers and norms see real tokens alone, and no token sees another sequence.

====  ============================================================
T, M  rows of the batch, and those whose states are wanted
B, L  sequences of a group, and rows of each (padding included)
Q     query positions per sequence: L, or the most wanted ones
H, G  heads of queries, and of keys and values
K     size of a head
====  ============================================================

Positions that act inside attention:

- rotary: queries and keys are turned (Su et al. 2021, arXiv:2104.09864);
- ALiBi: ``-slope * |i - j|`` is added, a slope per head (Press et al. 2022, arXiv:2108.12409); the symmetric
  form of encoders (Portes et al. 2023, arXiv:2312.17482);
- relative: a learned number per head and bucket of distances, shared by the layers (T5; Raffel et al. 2020,
  arXiv:1910.10683).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lingome.core.errors import DataError
from lingome.models.layers.blocks import HIDDEN_SCORE, Rotation, attend, hide

N_BUCKETS = 32
FARTHEST = 128
"""Buckets of relative distances, and the distance from which all share the last one (T5)."""

Bias = Callable[[Tensor], Tensor]
"""From distances (..., Q, L), key minus query, to what is added to each head's scores, (..., H, Q, L)."""


class AttentionShape(Protocol):
    """What attention has to know of a model's shape."""

    @property
    def head_size(self) -> int:
        """K, the size of one attention head."""

    @property
    def positions(self) -> str:
        """``rotary`` where queries and keys are turned; anything else acts outside, or through a `Bias`."""

    @property
    def rope_theta(self) -> float:
        """Base of the rotary wavelengths."""

    @property
    def local_rope_theta(self) -> float:
        """Base of the rotary wavelengths in local layers."""

    @property
    def local_window(self) -> int:
        """Tokens that a local layer's token sees, half of them on each side."""


def alibi_slopes(n_heads: int) -> Tensor:
    """Give ALiBi's slope of each head: (H,) float32.

    For a power of two a geometric series that ends at 2**-8; otherwise the series of the power of two below,
    then every other value of the series of the one above, as in the paper's code.

    Examples
    --------
    >>> alibi_slopes(4).tolist()
    [0.25, 0.0625, 0.015625, 0.00390625]
    """
    whole = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (head + 1) / whole) for head in range(whole)]
    slopes += [2 ** (-4 * (head + 1) / whole) for head in range(0, 2 * (n_heads - whole), 2)]
    return torch.tensor(slopes, dtype=torch.float32)


def alibi(distance: Tensor, n_heads: int) -> Tensor:
    """Compute ALiBi: ``-slope * |distance|`` of each head.

    Parameters
    ----------
    distance : Tensor, shape (..., Q, L)
        Key minus query, in tokens.
    n_heads : int
        H.

    Returns
    -------
    Tensor of float32, shape (..., H, Q, L)

    Examples
    --------
    >>> alibi(torch.tensor([[4, 1, -2]]), n_heads=2).tolist()
    [[[-0.25, -0.0625, -0.125]], [[-0.015625, -0.00390625, -0.0078125]]]
    """
    slopes_H11 = alibi_slopes(n_heads).to(distance.device)[:, None, None]
    return -slopes_H11 * distance.abs()[..., None, :, :]


def relative_buckets(
    distance: Tensor, n_buckets: int = N_BUCKETS, farthest: int = FARTHEST, *, both_sides: bool = True
) -> Tensor:
    """Sort distances into T5's buckets.

    Half of the buckets of a side hold one distance each, from 0 on; the others grow by a constant factor up to
    `farthest`, from which on all share the last (arXiv:1910.10683, 2.1). With `both_sides` the second half of all
    buckets is for keys after the query; else those share bucket 0 and are hidden anyway.

    Parameters
    ----------
    distance : Tensor of int64, of any shape
        The key's place minus the query's, in tokens.
    n_buckets : int
        All buckets.
    farthest : int
        Distance from which all share the last bucket of their side.
    both_sides : bool
        Whether keys after the query have buckets of their own.

    Returns
    -------
    Tensor of int64, of the shape of `distance`

    Examples
    --------
    >>> relative_buckets(torch.tensor([-200, -7, 0, 1, 8, 16, 127])).tolist()
    [15, 7, 0, 17, 24, 26, 31]
    >>> relative_buckets(torch.tensor([-127, -16, -15, 0, 3]), both_sides=False).tolist()
    [31, 16, 15, 0, 0]
    """
    first = torch.zeros_like(distance)
    if both_sides:
        n_buckets //= 2
        first = (distance > 0).long() * n_buckets
    steps = distance.abs() if both_sides else (-distance).clamp(min=0)
    exact = n_buckets // 2
    # float32, and in this order: a distance on the edge of a bucket falls to the side it fell on in training
    grown = torch.log(steps.clamp(min=1).float() / exact) / math.log(farthest / exact) * (n_buckets - exact)
    return first + torch.where(steps < exact, steps, (exact + grown.long()).clamp(max=n_buckets - 1))


class Group(NamedTuple):
    """Sequences of one length whose rows stand one after the other."""

    start: int
    n_sequences: int
    length: int
    hidden_B11L: Tensor | None
    """Scores to add that hide padding; None without padding."""
    slots_M: Tensor | None = None
    """Where wanted rows stand in a table of B * Q queries; None if all rows are wanted."""
    first_wanted: int = 0
    places_BQ: Tensor | None = None
    """Positions of wanted rows in their sequence; the table's empty slots hold 0."""


class Packed(NamedTuple):
    """The order in which packed sequences are computed: those of equal length side by side."""

    lengths: list[int]
    order_T: Tensor | None
    """Row of the input at each row of the computation; None if they are the same."""

    @classmethod
    def of(cls, lengths: Sequence[int] | Tensor, n_rows: int, device: torch.device) -> Packed:
        """Find the order.

        Parameters
        ----------
        lengths : sequence of int, or Tensor of shape (B,)
            Tokens of each sequence.
        n_rows : int
            T, which they add up to.
        device : device
            Of the batch.

        Raises
        ------
        DataError
            If the lengths are not all at least 1 or do not add up to `n_rows`.
        """
        lengths_B = torch.as_tensor(lengths, dtype=torch.int64).cpu()
        if lengths_B.dim() != 1 or not len(lengths_B) or int(lengths_B.min()) < 1 or int(lengths_B.sum()) != n_rows:
            raise DataError("the lengths of a packed batch do not fit its tokens", where="lengths",
                            got=f"{len(lengths_B)} lengths, {int(lengths_B.sum())} in sum",
                            expected=f"lengths of at least 1, {n_rows} in sum")
        runs = [length for length, _ in groupby(lengths_B.tolist())]
        if len(runs) == len(set(runs)):
            return cls(lengths_B.tolist(), None)
        sorted_B, order_B = lengths_B.sort(stable=True)
        moved_B = (lengths_B.cumsum(0) - lengths_B)[order_B] - (sorted_B.cumsum(0) - sorted_B)
        return cls(sorted_B.tolist(), (torch.arange(n_rows) + moved_B.repeat_interleave(sorted_B)).to(device))

    def arrange(self, x_T: Tensor) -> Tensor:
        """Bring rows into the order of computation: shape (T, ...), as before."""
        return x_T if self.order_T is None else x_T[self.order_T]

    def restore(self, x_TD: Tensor, masked_T: Tensor | None) -> Tensor:
        """Bring rows back into the order of the input, (T, D); with `masked_T`, they are the wanted ones, (M, D)."""
        if self.order_T is None:
            return x_TD
        there = self.order_T if masked_T is None else self.order_T[masked_T[self.order_T]]
        return x_TD[there.argsort()]


class AttentionContext:
    """What a layer's attention sees of a batch; made once a batch, used by every layer.

    Parameters
    ----------
    config : AttentionShape
        Of the model's shape, what attention needs.
    groups : sequence of Group
        They tile the rows in order.
    bias : callable, optional
        What positions add to scores.
    device : device
        Of the batch.
    rows_M : Tensor, optional
        The rows whose states are wanted, in order; None for all.
    """

    def __init__(
        self, config: AttentionShape, groups: Sequence[Group], bias: Bias | None, device: torch.device,
        rows_M: Tensor | None = None,
    ) -> None:
        self.config = config
        self.groups = tuple(groups)
        self.bias = bias
        self.device = device
        self.rows_M = rows_M
        self._scores: dict[tuple[int, bool], Tensor | None] = {}
        self._rotations: dict[tuple[bool, torch.dtype], Rotation] = {}
        self._places_T: Tensor | None = None

    @classmethod
    def padded(
        cls, config: AttentionShape, n_sequences: int, length: int, real_BL: Tensor | None, bias: Bias | None,
        device: torch.device,
    ) -> AttentionContext:
        """See a padded batch.

        Parameters
        ----------
        config : AttentionShape
            Of the model's shape, what attention needs.
        n_sequences : int
            B.
        length : int
            L, rows of each.
        real_BL : Tensor, (B, L) bool, optional
            False at padding; None: there is none.
        bias : callable, optional
            What positions add to scores.
        device : device
            Of the batch.
        """
        hidden = None if real_BL is None else hide(real_BL)[:, None, None]
        return cls(config, [Group(0, n_sequences, length, hidden)], bias, device)

    @classmethod
    def packed(
        cls, config: AttentionShape, lengths: Sequence[int], bias: Bias | None, device: torch.device
    ) -> AttentionContext:
        """See sequences one after the other, without padding; neighbours of one length are one group.

        Parameters
        ----------
        config : AttentionShape
            Of the model's shape, what attention needs.
        lengths : sequence of int
            Tokens of each sequence.
        bias : callable, optional
            What positions add to scores.
        device : device
            Of the batch.
        """
        groups = []
        start = 0
        for length, same in groupby(lengths):
            n_sequences = len(list(same))
            groups.append(Group(start, n_sequences, length, None))
            start += n_sequences * length
        return cls(config, groups, bias, device)

    def places(self) -> Tensor:
        """Count each row's position in its sequence, padding included: (T,) int64."""
        return torch.cat([
            torch.arange(group.length, device=self.device).repeat(group.n_sequences) for group in self.groups
        ])

    def sequences(self) -> Tensor:
        """Count each row's sequence in the batch: (T,) int64."""
        lengths = torch.tensor([group.length for group in self.groups for _ in range(group.n_sequences)])
        return torch.arange(len(lengths)).repeat_interleave(lengths).to(self.device)

    def pick(self, wanted_T: Tensor) -> AttentionContext:
        """See the same batch, with the wanted rows alone as queries."""
        groups = []
        first = 0
        for group in self.groups:
            end = group.start + group.n_sequences * group.length
            wanted_BL = wanted_T[group.start : end].view(group.n_sequences, group.length)
            count_B = wanted_BL.sum(dim=1)
            most = int(count_B.max())
            place_BQ = wanted_BL.logical_not().byte().argsort(dim=1, stable=True)[:, :most]
            slots_M = (torch.arange(most, device=self.device) < count_B[:, None]).flatten().nonzero()[:, 0]
            groups.append(group._replace(slots_M=slots_M, first_wanted=first, places_BQ=place_BQ))
            first += len(slots_M)
        return AttentionContext(self.config, groups, self.bias, self.device, wanted_T.nonzero()[:, 0])

    def attend(self, q_MHK: Tensor, k_TGK: Tensor, v_TGK: Tensor, *, local: bool, dropout: float) -> Tensor:
        """Mix values by attention within each sequence.

        Parameters
        ----------
        q_MHK : Tensor, (M, H, K) float
            Queries of the wanted rows; M is T if all are.
        k_TGK, v_TGK : Tensor, (T, G, K) float
            Keys and values of every row.
        local : bool
            Whether the layer sees a window alone.
        dropout : float
            Share of the weights set to zero.

        Returns
        -------
        Tensor, (M, H * K) float
        """
        if self.config.positions == "rotary":
            table = self._rotation(local, q_MHK.dtype)
            if self.rows_M is None:
                q_MHK = self._turn(q_MHK, table)
            else:
                q_MHK = table.at(self.places()[self.rows_M]).turn(q_MHK)
            k_TGK = self._turn(k_TGK, table)
        shared = q_MHK.shape[1] // k_TGK.shape[1]
        if shared > 1:
            k_TGK = k_TGK.repeat_interleave(shared, dim=1)
            v_TGK = v_TGK.repeat_interleave(shared, dim=1)
        mixed = [
            self._attend_group(index, group, q_MHK, k_TGK, v_TGK, local, dropout)
            for index, group in enumerate(self.groups)
        ]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed)

    def _rotation(self, local: bool, dtype: torch.dtype) -> Rotation:
        """Give the table of positions 0 to the longest sequence's last, for a kind of layer."""
        if (local, dtype) not in self._rotations:
            longest = max(group.length for group in self.groups)
            theta = self.config.local_rope_theta if local else self.config.rope_theta
            table = Rotation.of(longest, self.config.head_size, theta, self.device)
            self._rotations[local, dtype] = Rotation(table.cos.to(dtype), table.sin.to(dtype))
        return self._rotations[local, dtype]

    def _turn(self, x_THK: Tensor, table: Rotation) -> Tensor:
        """Rotate every row by its position."""
        if len(self.groups) == 1:  # one table for all sequences stays in the cache of a CPU
            return table.turn(x_THK.view(-1, self.groups[0].length, *x_THK.shape[1:])).view_as(x_THK)
        if self._places_T is None:
            self._places_T = self.places()
        return table.at(self._places_T).turn(x_THK)

    def _attend_group(
        self, index: int, group: Group, q_MHK: Tensor, k_THK: Tensor, v_THK: Tensor, local: bool, dropout: float
    ) -> Tensor:
        B = group.n_sequences
        L = group.length
        (H, K) = q_MHK.shape[1:]
        slots_M = group.slots_M
        if slots_M is not None and not len(slots_M):
            return q_MHK.new_zeros(0, H * K)
        if local and slots_M is None and 2 * (self._block + self.config.local_window) < L:
            return self._attend_near(group, q_MHK, k_THK, v_THK, dropout)
        k, v = (rows[group.start : group.start + B * L].view(B, L, H, K).transpose(1, 2) for rows in (k_THK, v_THK))
        if slots_M is None:
            q = q_MHK[group.start : group.start + B * L].view(B, L, H, K)
        else:
            assert group.places_BQ is not None
            wanted = q_MHK[group.first_wanted : group.first_wanted + len(slots_M)]
            q = wanted.new_zeros(group.places_BQ.numel(), H, K).index_copy(0, slots_M, wanted).view(B, -1, H, K)
        o_BHQK = attend(q.transpose(1, 2), k, v, self._added(index, group, local), dropout)
        o_BQD = o_BHQK.transpose(1, 2).reshape(-1, H * K)
        return o_BQD if slots_M is None else o_BQD[slots_M]

    @property
    def _block(self) -> int:
        """Queries that a local layer computes together."""
        return max(64, self.config.local_window // 2)

    def _attend_near(self, group: Group, q_THK: Tensor, k_THK: Tensor, v_THK: Tensor, dropout: float) -> Tensor:
        """Attend block by block, each to itself and half a window on both sides: no L x L scores are made."""
        B = group.n_sequences
        L = group.length
        (H, K) = q_THK.shape[1:]
        half = self.config.local_window // 2
        block = self._block
        missing = -L % block
        q, k, v = (rows[group.start : group.start + B * L].view(B, L, H, K) for rows in (q_THK, k_THK, v_THK))
        q = F.pad(q, (0, 0, 0, 0, 0, missing)).view(-1, block, H, K).transpose(1, 2)
        sides = (0, 0, 0, 0, half, half + missing)
        k, v = (  # (B, blocks, H, K, block + window) views of overlapping stretches
            F.pad(x, sides).unfold(1, block + 2 * half, block).flatten(0, 1).transpose(2, 3) for x in (k, v)
        )
        hidden_BL = q.new_zeros(1, L) if group.hidden_B11L is None else group.hidden_B11L[:, 0, 0]
        hidden = F.pad(hidden_BL, (half, half + missing), value=HIDDEN_SCORE).unfold(1, block + 2 * half, block)
        distance = torch.arange(block + 2 * half, device=self.device) - half
        distance = distance - torch.arange(block, device=self.device)[:, None]
        near = hide(distance.abs() <= half)
        added = near if self.bias is None else near + self.bias(distance)
        scores = hidden.expand(B, -1, -1).flatten(0, 1)[:, None, None] + added
        o_NHQK = attend(q, k, v, scores, dropout)
        return o_NHQK.transpose(1, 2).reshape(B, -1, H * K)[:, :L].reshape(-1, H * K)

    def _added(self, index: int, group: Group, local: bool) -> Tensor | None:
        """Give what is added to a group's scores, (B or 1, H or 1, Q or 1, L), the same in all layers of a kind."""
        if (index, local) not in self._scores:
            added = group.hidden_B11L
            if self.bias is not None or local:
                keys_L = torch.arange(group.length, device=self.device)
                queries_BQ = keys_L[None] if group.places_BQ is None else group.places_BQ
                distance_BQL = keys_L - queries_BQ[:, :, None]
                if self.bias is not None:
                    added = _plus(added, self.bias(distance_BQL))
                if local:
                    near = distance_BQL.abs() <= self.config.local_window // 2
                    added = _plus(added, hide(near)[:, None])
            self._scores[index, local] = added
        return self._scores[index, local]


def _plus(first: Tensor | None, second: Tensor) -> Tensor:
    return second if first is None else first + second

