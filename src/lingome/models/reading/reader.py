"""Bodies that only read: linear layers laid out once for float32, bfloat16 or int8, and batches without padding.

Products on one core of a CPU with AVX-512 BF16 and VNNI (2,048 rows, 320 to 3,072 columns), thousand million
operations per CPU second:

================================================  ========
way                                               rate
================================================  ========
float32, as it lies and laid out for oneDNN       92, 107
bfloat16, as it lies and laid out for oneDNN      195, 214
int8 alone, without the rounding around it        430
================================================  ========
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError
from lingome.models.architecture import Body
from lingome.models.devices import autocast, has_fast_bf16, pick_precision
from lingome.models.layers.packed_linear import PackedLinear, can_pack
from lingome.models.networks.transformer.model import Transformer
from lingome.models.reading.batching import BATCH_TOKENS, collate, length_batches, pick_batch_tokens, token_batches
from lingome.tokens.frame import N_SPECIAL, frame_packed
from lingome.tokens.tokenizer import Tokenizer

ReadingPrecision = Literal["auto", "fp32", "bf16", "int8"]
Layer = int | Literal["all"]
"""A state of a body, see its `hidden_states`; or all of them, side by side."""


class Int8Linear(nn.Linear):
    """A linear layer in int8: a scale for each output of the matrix, and one for each row of the input.

    Both are rounded to -127..127 of their largest absolute value; the products are summed in int32, without error. A
    row's scale is its own, so that a sequence does not depend on the others of its batch. The scheme is that of
    Dettmers et al. 2022, arXiv:2208.07339, vector-wise, without its outliers in a higher precision.

    Parameters
    ----------
    layer : Linear
        On the CPU; the parameters are shared, and must not change afterwards.
    dtype : dtype
        Of the result.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__(1, 1, bias=False, device="meta")
        self.in_features = layer.in_features
        self.out_features = layer.out_features
        self.dtype = dtype
        self.weight = layer.weight
        self.bias = layer.bias
        weight = layer.weight.detach().float()
        self.scale_O = weight.abs().amax(dim=1).clamp(min=1e-30) / 127
        self.rounded_IO = (weight / self.scale_O[:, None]).round().to(torch.int8).t()
        self.added = None if layer.bias is None else layer.bias.detach().float()

    def forward(self, input: Tensor) -> Tensor:
        """Map `input` of shape (..., in) to a Tensor of shape (..., out)."""
        rows_MI = input.reshape(-1, self.in_features).float()
        scale_M1 = rows_MI.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30).div_(127)
        rounded_MI = rows_MI.div(scale_M1).round_().to(torch.int8)
        out_MO = torch._int_mm(rounded_MI, self.rounded_IO).float().mul_(scale_M1)
        if self.added is None:
            out_MO.mul_(self.scale_O)
        else:
            out_MO = torch.addcmul(self.added, out_MO, self.scale_O, out=out_MO)
        return out_MO.to(self.dtype).view(*input.shape[:-1], self.out_features)


class Reader(NamedTuple):
    """A body ready to read: `body` shares the parameters of the one it was made from."""

    body: Body
    precision: Literal["fp32", "bf16", "int8"]
    device: torch.device

    @classmethod
    def of(cls, body: Body, device: torch.device, precision: ReadingPrecision = "fp32") -> Reader:
        """Move a body to a device, and lay its linear layers out.

        Parameters
        ----------
        body : Body
            It is moved, and left in evaluation mode; its layers stay as they are.
        precision : {"auto", "fp32", "bf16", "int8"}
            ``auto``: bf16 where the device is fast in it. ``int8``: linear layers in int8 and the rest as in ``auto``.

        Raises
        ------
        ConfigError
            If there is no such precision, or not on this device.
        """
        chosen: Literal["fp32", "bf16", "int8"] = "int8" if precision == "int8" else pick_precision(device, precision)
        if chosen not in ("fp32", "bf16", "int8"):
            raise ConfigError("there is no such precision", where="precision", got=precision,
                              expected="auto, fp32, bf16, int8")
        body.to(device).eval()
        if device.type != "cpu":
            if chosen == "int8":
                raise ConfigError("int8 is for CPUs", where="precision", got=f"int8 on {device}", hint="take bf16")
            return cls(body, chosen, device)
        return cls(_lay_out(body, chosen, device), chosen, device)

    def autocast(self) -> AbstractContextManager[object]:
        """Give the context in which everything but linear layers runs in this precision."""
        return autocast(self.device, "auto" if self.precision == "int8" else self.precision)


@torch.no_grad()
def _lay_out(body: Body, precision: Literal["fp32", "bf16", "int8"], device: torch.device) -> Body:
    """Copy a body, parameters shared, with linear layers for a precision."""
    reader = copy.deepcopy(body, {id(tensor): tensor for tensor in (*body.parameters(), *body.buffers())})
    dtype = torch.bfloat16 if precision == "bf16" or (precision == "int8" and has_fast_bf16(device)) else torch.float32
    for parent in list(reader.modules()):
        for name, layer in parent.named_children():
            if type(layer) is not nn.Linear or layer.weight.dtype != torch.float32:
                continue
            if precision == "int8":
                setattr(parent, name, Int8Linear(layer, dtype))
            elif can_pack(dtype):
                setattr(parent, name, PackedLinear(layer, dtype, BATCH_TOKENS["cpu"]))
    return reader


def read_states(
    reader: Reader,
    tokenizer: Tokenizer,
    ids: Sequence[np.ndarray],
    *,
    layer: Layer = -1,
    batch_tokens: int | None = None,
) -> Iterator[tuple[np.ndarray, list[Tensor]]]:
    """Read sequences in batches of like lengths: encoders without padding, other bodies with little of it.

    Parameters
    ----------
    reader : Reader
        The body.
    tokenizer : Tokenizer
        The body's own.
    ids : sequence of ndarray of int, shape (n,) each
        N sequences without special tokens, each within the context.
    layer : int or "all"
        0 to n_layers, or -n_layers - 1 to -1; see `hidden_states` of a body. All states make one vector.
    batch_tokens : int, optional
        Tokens of a batch, special ones included, and padding where there is any. None: what suits the device.

    Yields
    ------
    chosen : ndarray of int64, shape (rows,)
        Indices into `ids`; each comes once.
    states : list of Tensor, shape (n + 2, D) each
        The states of each, those of ``[CLS]`` and ``[SEP]`` first and last.
    """
    body = reader.body
    config = reader.body.config
    most = pick_batch_tokens(batch_tokens, reader.device)
    lengths = np.array([len(one) + N_SPECIAL for one in ids], dtype=np.int64)
    last = layer in (-1, config.n_layers)
    packs = isinstance(body, Transformer)
    for chosen in (token_batches if packs else length_batches)(lengths, most):
        rows = [ids[i] for i in chosen]
        sizes = lengths[chosen].tolist()
        # A context a batch: none may be open while the caller works.
        with torch.inference_mode(), reader.autocast():
            if isinstance(body, Transformer):
                ids_T = torch.from_numpy(frame_packed(rows, tokenizer)).to(reader.device)
                if last:
                    hidden_TD = body.forward_packed(ids_T, sizes)
                else:
                    hidden_TD = _pick(body.hidden_states_packed(ids_T, sizes), layer)
                states = list(torch.split(hidden_TD, sizes))
            else:
                batch = collate(rows, tokenizer, max_tokens=config.max_positions)
                ids_BL = batch.input_ids.to(reader.device)
                mask_BL = batch.attention_mask.to(reader.device)
                hidden_BLD = body(ids_BL, mask_BL) if last else _pick(body.hidden_states(ids_BL, mask_BL), layer)
                states = [hidden_LD[:size] for hidden_LD, size in zip(hidden_BLD, sizes, strict=True)]
        yield chosen, states


def _pick(states: Sequence[Tensor], layer: Layer) -> Tensor:
    return torch.cat([state.float() for state in states], dim=-1) if layer == "all" else states[layer]


def count_features(body: Body, layer: Layer) -> int:
    """Give the numbers of a token's vector: D, or that of every state for all of them."""
    size: int = body.config.hidden_size
    return size * (body.config.n_layers + 1) if layer == "all" else size


def pad_states(states: Sequence[Tensor]) -> Tensor:
    """Put states of sequences, each (n, D), into one tensor (B, L, D), zeros after the shorter ones."""
    return nn.utils.rnn.pad_sequence(list(states), batch_first=True)
