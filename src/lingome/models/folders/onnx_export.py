"""Write a model as an ONNX graph, and check it against PyTorch on random input with padding.

The graph takes ``input_ids`` and ``attention_mask``, both (batch, length) int64, of any batch and length up to the
model's positions, and gives ``logits`` (of a model) or ``hidden_states`` (of a body).
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.extras import require
from lingome.core.seeds import generator
from lingome.models.architecture import Body
from lingome.models.networks.decoder.shape import DecoderConfig
from lingome.models.networks.encoder_decoder.shape import EncoderDecoderConfig
from lingome.models.networks.hyena.shape import HyenaConfig
from lingome.models.networks.tracks.shape import TracksConfig
from lingome.models.networks.transformer.shape import TransformerConfig
from lingome.models.registry import ARCHITECTURES, find_architecture
from lingome.models.shape import Shape

FURTHEST = 1e-4
"""Largest difference from PyTorch that is taken for rounding."""
_NOT = {
    HyenaConfig: "its Fourier transforms depend on the length, which a graph for every length cannot hold",
    EncoderDecoderConfig: "it writes token by token, and a graph holds one step",
    TracksConfig: "it reads windows of one length alone",
}


class _Graph(nn.Module):
    """A model as a function of two tensors of whole numbers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        out: Tensor = self.model(input_ids, attention_mask.bool())
        return out


def check_exportable(config: Shape) -> None:
    """Refuse an architecture that ONNX cannot hold, and name those it can; the packages have to be there.

    Raises
    ------
    ConfigError
        If it cannot be written.
    MissingExtraError
        If onnx, onnxscript or onnxruntime is not installed.
    """
    if type(config) in _NOT:
        known = ", ".join(one.name for shape, one in ARCHITECTURES.items() if shape not in _NOT)
        raise ConfigError(f"a {find_architecture(config).name} cannot be written as ONNX: {_NOT[type(config)]}",
                          where="format", got="onnx", expected=known, hint="format=safetensors")
    if getattr(config, "positions", "") == "relative":
        raise ConfigError("learned relative positions cannot be written as ONNX by this PyTorch", where="format",
                          got="onnx", expected="learned, rotary or ALiBi positions", hint="format=safetensors")
    if isinstance(config, DecoderConfig) and config.n_experts:
        raise ConfigError("a mixture of experts cannot be written as ONNX: which expert runs depends on the tokens",
                          where="format", got=f"{config.n_experts} experts", expected="layers of one feed-forward",
                          hint="format=safetensors")
    if isinstance(config, TransformerConfig) and config.token_dropout:
        raise ConfigError("embeddings that are scaled by the share of [MASK] cannot be written as ONNX for batches of "
                          "every size", where="format", got=f"token_dropout {config.token_dropout}", expected="0",
                          hint="format=safetensors")
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require(module, "onnx")


def write_onnx(model: nn.Module, file: Path, seed: int = 0) -> float:
    """Write the graph, run it with onnxruntime on padded random input, and give the largest difference.

    Parameters
    ----------
    model : Module
        In evaluation mode, on the CPU, in float32.
    file : Path
        ``*.onnx``; weights beyond 2 GB stand beside it.
    seed : int
        Of the random input.

    Returns
    -------
    float
        Largest absolute difference from PyTorch over real tokens, of three batches of other sizes than the one
        that the graph was drawn from.

    Raises
    ------
    ConfigError, MissingExtraError
        As `check_exportable`.
    CheckpointError
        If the graph gives other numbers than PyTorch.
    """
    config: Any = model.config
    check_exportable(config)
    graph = _Graph(model).eval()
    longest = config.max_positions
    batch = torch.export.Dim("batch", min=1)
    length = torch.export.Dim("length", min=2, max=longest)
    shape = {0: batch, 1: length}
    names = ["input_ids", "attention_mask"]
    output = "hidden_states" if isinstance(model, Body) else "logits"
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")  # of onnxscript about its own internals
        torch.onnx.export(
            graph, _example(config, 3, min(longest, 13), seed), file, input_names=names, output_names=[output],
            dynamic_shapes=dict.fromkeys(names, shape), dynamo=True, external_data=False, verbose=False,
        )
    return _difference(graph, file, config, seed)


def _difference(graph: nn.Module, file: Path, config: Any, seed: int) -> float:
    session = require("onnxruntime", "onnx").InferenceSession(str(file), providers=["CPUExecutionProvider"])
    furthest = 0.0
    wide = min(config.max_positions, 64)
    for n_sequences, length in ((1, wide), (4, max(2, wide // 2)), (2, max(2, wide // 3))):
        ids_BL, mask_BL = _example(config, n_sequences, length, seed + length)
        with torch.no_grad():
            expected = graph(ids_BL, mask_BL).numpy()
        found = session.run(None, {"input_ids": ids_BL.numpy(), "attention_mask": mask_BL.numpy()})[0]
        if found.shape != expected.shape:
            raise CheckpointError("the graph gives another shape than the model", where=file, got=found.shape,
                                  expected=expected.shape)
        apart = np.abs(found - expected)
        if expected.ndim == 3:
            apart = apart[mask_BL.bool().numpy()]
        furthest = max(furthest, float(apart.max()))
    if not furthest < FURTHEST:
        raise CheckpointError("the graph gives other numbers than the model", where=file, got=f"up to {furthest:.2g}",
                              expected=f"below {FURTHEST}")
    return furthest


def _example(config: Any, n_sequences: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw tokens, and hide a tail of every sequence but the first."""
    rng = generator(seed, "onnx", n_sequences, length)
    ids_BL = torch.from_numpy(rng.integers(0, config.vocab_size, (n_sequences, length)))
    counts_B = torch.from_numpy(rng.integers(1, length + 1, n_sequences))
    counts_B[0] = length
    mask_BL = (torch.arange(length) < counts_B[:, None]).long()
    return ids_BL.masked_fill(mask_BL == 0, config.pad_id), mask_BL


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep the exporter's log to errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
