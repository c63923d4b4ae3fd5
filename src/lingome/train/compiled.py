"""torch.compile for the layers of a model, in place: names of weights stay as they are."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lingome.core.errors import ConfigError
from lingome.train.parallel.sharded import find_layers

BACKEND = "inductor"
"""torch's own compiler."""


@contextmanager
def compiling(model: nn.Module) -> Iterator[None]:
    """Compile each layer of the body when it is first called, for any length and batch size, while a block runs.

    Layers are compiled one by one, because they share one piece of code: what is compiled for the first serves
    all. Afterwards the model is as it was given.

    Raises
    ------
    ConfigError
        If the model has no list of layers, or there is no C++ compiler for the CPU.
    """
    layers = find_layers(model)
    if not layers:
        raise ConfigError("this model has no layers to compile", where="train.compile", got=type(model).__name__,
                          hint="leave compile out")
    if next(model.parameters()).device.type == "cpu" and BACKEND == "inductor":
        _check_compiler()
    for layer in layers:
        layer.compile(dynamic=True, backend=BACKEND)
    try:
        with warnings.catch_warnings():
            # torch's compiler looks at what torch then warns that nobody should look at.
            warnings.filterwarnings("ignore", message=".*grad attribute of a Tensor that is not a leaf")
            yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
        torch.compiler.reset()


def _check_compiler() -> None:
    names = [name for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++") if name]
    if not any(shutil.which(name) for name in names):
        raise ConfigError(
            "compiling for the CPU needs a C++ compiler, and there is none", where="train.compile",
            got=", ".join(f"no {name}" for name in names),
            hint="install one (Debian: apt install g++; macOS: xcode-select --install), or leave compile out",
        )
