"""What every model promises, checked: one function for all architectures, also for those of others.

========================  ==================================================================================
determinism               two calls give the same numbers, whatever the state of the random generators
batch and order           a sequence's numbers are those it has alone, wherever it stands in a batch (< 1e-5)
padding                   on either side, and whatever stands under it, padding changes nothing (< 1e-5)
states                    the body gives ``n_layers + 1`` states, the last is its output; chosen positions alone
                          (`masked_BL`) are the same numbers (< 1e-5)
save and load             a written folder gives the same numbers, bit for bit
gradient                  every parameter gets one that is not zero, at once or after one step (which is when what
                          stands before a matrix of zeros gets its first)
resume                    written after one step of training and loaded, the next step gives the weights of two steps
                          without a break, bit for bit, dropout included
bfloat16                  stays near float32 (0.05 of the largest number, or 0.05)
========================  ==================================================================================
"""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lingome.core.errors import ConfigError
from lingome.models.architecture import Body
from lingome.models.folders.checkpoint import load_checkpoint, write_checkpoint
from lingome.models.heads.classifier import SequenceClassifier
from lingome.models.heads.masked_lm import MaskedLM
from lingome.models.networks.encoder_decoder.model import EncoderDecoderLM
from lingome.models.networks.tracks.model import Tracks
from lingome.models.registry import find_architecture, initialise
from lingome.models.shape import Shape
from lingome.tokens.tokenizer import Tokenizer

CLOSE = 1e-5
ROUNDED = 0.05
LENGTHS = (40, 11, 26)
"""Tokens of the sequences that a model is asked about."""
_TARGET_TOKENS = 6


def build_models(config: Shape, seed: int = 0) -> list[nn.Module]:
    """Build every model that a shape makes: language models or tracks, and a classifier of three classes.

    Parameters
    ----------
    config : shape
        Of any architecture.
    seed : int
        Of the weights.
    """
    architecture = find_architecture(config)
    built = [MaskedLM(config)] if architecture.masked_head is not None else []
    models: list[nn.Module] = [*built, *(build(config) for build in architecture.models.values())]
    if "tracks" not in architecture.models:
        models.append(SequenceClassifier(dataclasses.replace(config, label_names=("a", "b", "c"))))
    for model in models:
        initialise(model, seed)
        model.eval()
    return models


def check_model(model: nn.Module, tokenizer: Tokenizer) -> tuple[str, ...]:
    """Check a model against the contract, see the module's table.

    Parameters
    ----------
    model : Module
        Of any registered architecture, or its body; on the CPU, in float32. It is left in evaluation mode.
    tokenizer : Tokenizer
        Its vocabulary.

    Returns
    -------
    tuple of str
        What was checked, in order; `Tracks` read windows of one length, and so know no padding.

    Raises
    ------
    ConfigError
        If the model breaks a promise; the message says which, and by how much.
    """
    model.eval()
    asker = _Asker(model)
    checks: dict[str, Callable[[_Asker, Tokenizer], None]] = {
        "determinism": _check_determinism, "batch and order": _check_batch, "padding": _check_padding,
        "states": _check_states, "save and load": _check_saved, "gradient": _check_gradient,
        "resume": _check_resume, "bfloat16": _check_bfloat16,
    }
    if isinstance(model, Tracks):
        del checks["padding"], checks["states"]
    for check in checks.values():
        check(asker, tokenizer)
    return tuple(checks)


class _Asker:
    """A model of any kind as a function of token ids and a mask, with rows of one sequence each."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.config = _config(model)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Draw ids and mask: sequences of several lengths; for tracks, of one."""
        config = self.config
        draw = torch.Generator().manual_seed(0)
        lengths = torch.tensor(LENGTHS)
        if isinstance(self.model, Tracks):
            lengths = torch.full((3,), config.bin_bp * (2 * config.crop_bins + 3))
        special = {config.pad_id, config.cls_id, config.sep_id}
        letters = torch.tensor([i for i in range(config.vocab_size) if i not in special])
        ids_BL = letters[torch.randint(0, len(letters), (3, int(lengths.max())), generator=draw)]
        mask_BL = torch.arange(ids_BL.shape[1]) < lengths[:, None]
        return ids_BL.masked_fill(~mask_BL, config.pad_id), mask_BL

    def __call__(self, ids_BL: Tensor, mask_BL: Tensor | None) -> Tensor:
        """Ask the model; an encoder-decoder reads a target made of the source's first tokens."""
        if isinstance(self.model, EncoderDecoderLM):
            real_BL = torch.ones_like(ids_BL, dtype=torch.bool) if mask_BL is None else mask_BL.bool()
            first_BQ = real_BL.byte().argsort(dim=1, stable=True, descending=True)[:, :_TARGET_TOKENS]
            out: Tensor = self.model(ids_BL, ids_BL.gather(1, first_BQ), mask_BL)
            return out
        out = self.model(ids_BL, mask_BL)
        return out

    def is_by_token(self, out: Tensor, ids_BL: Tensor) -> bool:
        """Say whether the output has one row per token."""
        whole = isinstance(self.model, EncoderDecoderLM | Tracks | SequenceClassifier)
        return not whole and out.shape[:2] == ids_BL.shape


def _config(model: nn.Module) -> Any:
    return model.config


def _close(promise: str, found: Tensor, expected: Tensor, most: float = CLOSE) -> None:
    if found.shape != expected.shape:
        raise ConfigError(f"the model breaks the contract: {promise}", got=f"shape {tuple(found.shape)}",
                          expected=f"shape {tuple(expected.shape)}")
    apart = float((found.float() - expected.float()).abs().max()) if found.numel() else 0.0
    if not apart <= most:
        raise ConfigError(f"the model breaks the contract: {promise}", got=f"numbers {apart:.2g} apart",
                          expected=f"at most {most:.2g}")


@torch.no_grad()
def _check_determinism(ask: _Asker, tokenizer: Tokenizer) -> None:
    first = ask(*ask.batch())
    torch.randn(7)
    _close("two calls give the same numbers", ask(*ask.batch()), first, 0.0)


@torch.no_grad()
def _check_batch(ask: _Asker, tokenizer: Tokenizer) -> None:
    ids_BL, mask_BL = ask.batch()
    together = ask(ids_BL, mask_BL)
    for row, length in enumerate(mask_BL.sum(dim=1).tolist()):
        alone = ask(ids_BL[row : row + 1, :length], None)[0]
        mine = together[row, :length] if ask.is_by_token(together, ids_BL) else together[row]
        _close("a sequence alone has the numbers that it has in a batch", mine, alone)
    order = torch.tensor([2, 0, 1])
    _close("the order of a batch changes nothing else", ask(ids_BL[order], mask_BL[order]), together[order])


@torch.no_grad()
def _check_padding(ask: _Asker, tokenizer: Tokenizer) -> None:
    ids_BL, mask_BL = ask.batch()
    right = ask(ids_BL, mask_BL)
    other = ask(torch.where(mask_BL, ids_BL, ids_BL[:, :1]), mask_BL)
    moved_BL = mask_BL.byte().argsort(dim=1, stable=True)  # hidden ones first
    left_mask_BL = mask_BL.gather(1, moved_BL)
    left = ask(ids_BL.gather(1, moved_BL), left_mask_BL)
    if ask.is_by_token(right, ids_BL):
        right = right[mask_BL]
        other = other[mask_BL]
        left = left[left_mask_BL]
    _close("what stands under padding is never seen", other, right)
    _close("padding on the left changes nothing", left, right)


@torch.no_grad()
def _check_states(ask: _Asker, tokenizer: Tokenizer) -> None:
    body: Any = ask.model if isinstance(ask.model, Body) else ask.model.body
    ids_BL, mask_BL = ask.batch()
    states = body.hidden_states(ids_BL, mask_BL)
    last = body(ids_BL, mask_BL)
    if len(states) != ask.config.n_layers + 1:
        raise ConfigError("the model breaks the contract: a state after the embedding and after each layer",
                          got=f"{len(states)} states", expected=str(ask.config.n_layers + 1))
    _close("the last state is the body's output", states[-1][mask_BL], last[mask_BL])
    wanted_BL = mask_BL & (torch.arange(mask_BL.shape[1]) % 3 == 1)
    _close("chosen positions alone are the same numbers", body(ids_BL, mask_BL, wanted_BL), last[wanted_BL])


@torch.no_grad()
def _check_saved(ask: _Asker, tokenizer: Tokenizer) -> None:
    again = _written_and_loaded(ask.model, tokenizer)
    if _config(again) != ask.config:
        raise ConfigError("the model breaks the contract: its shape is saved and loaded", got=_config(again),
                          expected=ask.config)
    _close("a written folder gives the same numbers", _Asker(again)(*ask.batch()), ask(*ask.batch()), 0.0)


def _written_and_loaded(model: nn.Module, tokenizer: Tokenizer) -> nn.Module:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        folder.mkdir()
        write_checkpoint(folder, model, tokenizer)
        return load_checkpoint(folder)[0]


def _any_loss(ask: _Asker, seed: int) -> Tensor:
    """Give a sum in which every output that is not padding counts, each by another random number."""
    ids_BL, mask_BL = ask.batch()
    out = ask(ids_BL, mask_BL)
    out = out[mask_BL] if ask.is_by_token(out, ids_BL) else out
    return (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(seed))).sum()


def _check_gradient(ask: _Asker, tokenizer: Tokenizer) -> None:
    learner = _Asker(copy.deepcopy(ask.model).requires_grad_(True))
    still = {name for name, _ in learner.model.named_parameters()}
    for step in range(2):
        learner.model.zero_grad(set_to_none=True)
        torch.autograd.backward(_any_loss(learner, step))
        for name, parameter in learner.model.named_parameters():
            if parameter.grad is not None and bool(parameter.grad.abs().max() > 0):
                still.discard(name)
                parameter.data -= 1e-3 * parameter.grad
    if still:
        raise ConfigError("the model breaks the contract: every parameter learns", got=", ".join(sorted(still)[:5]),
                          expected="a gradient that is not zero")


def _check_resume(ask: _Asker, tokenizer: Tokenizer) -> None:
    whole = copy.deepcopy(ask.model).requires_grad_(True)
    optimizer = torch.optim.AdamW(whole.parameters(), lr=1e-3)
    _learn(whole, optimizer, 0)
    resumed = _written_and_loaded(whole, tokenizer).requires_grad_(True)
    other = torch.optim.AdamW(resumed.parameters(), lr=1e-3)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _learn(whole, optimizer, 1)
    _learn(resumed, other, 1)
    found = dict(resumed.named_parameters())
    for name, parameter in whole.named_parameters():
        promise = f"training goes on from a written folder as if it had never stopped ({name})"
        _close(promise, found[name].detach(), parameter.detach(), 0.0)


def _learn(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Take one step of training."""
    asker = _Asker(model.train())
    optimizer.zero_grad(set_to_none=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(step)  # dropout draws from it
        torch.autograd.backward(_any_loss(asker, step))
    optimizer.step()
    model.eval()


@torch.no_grad()
def _check_bfloat16(ask: _Asker, tokenizer: Tokenizer) -> None:
    ids_BL, mask_BL = ask.batch()
    exact = ask(ids_BL, mask_BL)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = ask(ids_BL, mask_BL).float()
    if ask.is_by_token(exact, ids_BL):
        exact = exact[mask_BL]
        rounded = rounded[mask_BL]
    _close("bfloat16 stays near float32", rounded, exact, ROUNDED * max(1.0, float(exact.abs().max())))
