"""What must be the same for a training to be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version

import torch
from torch import nn

from lingome.config.parts.train import TrainSettings
from lingome.core.errors import ConfigError
from lingome.core.progress import say

FREE = {"save_every", "save_seconds", "parallel", "compile", "deterministic", "tensorboard"}
"""Training settings that say how a training is computed and kept, not which one it is."""

MAY_DIFFER = {"out", "force", "resume", *(f"train.{name}" for name in FREE)}
"""Settings of a run that may differ between the run and its resumption."""


def build_identity(settings: TrainSettings, seed: int, given: Mapping[str, str]) -> dict[str, str]:
    """Give the facts that are saved with a state: settings, seed, threads, and those of the caller."""
    return {
        "settings": settings.model_dump_json(exclude=FREE), "seed": str(seed),
        "threads": str(torch.get_num_threads()), **given,
    }


def shared_facts(
    identity: Mapping[str, str], settings: TrainSettings, phase: str, model: nn.Module, batches_per_epoch: int
) -> dict[str, str]:
    """Give the facts that must be equal in all processes that train together.

    Parameters
    ----------
    identity : mapping of str to str
        From `build_identity`; the number of threads may differ.
    settings : TrainSettings
        All of them, apart from where TensorBoard's files go.
    phase : str
        Name of the training.
    model : Module
        Names and shapes of its tensors, and the kind of its device.
    batches_per_epoch : int
        Micro-batches of one pass over the data.
    """
    shapes = {name: f"{tuple(tensor.shape)} {tensor.dtype}" for name, tensor in model.state_dict().items()}
    return {
        **{name: value for name, value in identity.items() if name != "threads"},
        "settings": settings.model_dump_json(exclude={"tensorboard"}), "training": phase,
        "weights": json.dumps(shapes), "micro-batches": str(batches_per_epoch),
        "kind of device": next(model.parameters()).device.type,
        "versions": json.dumps({name: version(name) for name in ("lingome", "torch", "numpy")}),
    }


def check_identity(saved: Mapping[str, str], now: Mapping[str, str], settings: TrainSettings) -> None:
    """Refuse to go on with a state of another training; another number of threads only costs a warning.

    Raises
    ------
    ConfigError
        If a fact differs.
    """
    for name in {**now, **saved}:  # a fact that is asked for no more, of repeats say, counts too
        value = now.get(name)
        if name == "threads" and saved.get(name) != value:
            say(f"warning: resumed with {value} threads instead of {saved.get(name)}; last bits may differ")
        elif name == "settings" and _complete(saved.get(name, ""), settings) == value:
            continue
        elif saved.get(name) != value:
            raise ConfigError(
                f"the run cannot be resumed, because its {name} changed", got=value, expected=saved.get(name),
                hint="resume with the settings and data that the run began with, or start anew with --force",
            )


def _complete(saved: str, settings: TrainSettings) -> str:
    """Fill settings that were saved by an older version up with what newer ones are by default."""
    try:
        return type(settings).model_validate_json(saved).model_dump_json(exclude=FREE)
    except ValueError:
        return saved
