"""The state of a training run on disk: whole at every instant, never pickled.

::

    state/<phase>/training.json             counters, and the names of the two folders that count
    state/<phase>/step-00000120/            weights.safetensors, moments.safetensors
    state/<phase>/best-00000100/            weights.safetensors, if there was an evaluation

New folders are written under new names; then ``training.json``, which is replaced in one
operation of the file system, starts to point at them; then the old ones are removed. So a
process that is killed anywhere leaves a state that can be continued. No state of a random
generator is kept, because every draw is a function of (seed, phase, step).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lingome.core.errors import CheckpointError
from lingome.core.files import atomic_folder, write_text

Tensors = dict[str, torch.Tensor]


@dataclass
class Progress:
    """Counters of a run; with the weights and the optimizer's moments, all that resuming needs.

    `logged_loss` and `logged_items` sum since the last training line of ``metrics.jsonl``;
    `stepping_s` is the time of all steps, and `waited_s` how much of it went by until batches were there;
    `identity` describes what must be the same for a run to be continued.
    """

    step: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    best_loss: float | None = None
    best_step: int | None = None
    stale_evaluations: int = 0
    logged_loss: float = 0.0
    logged_items: float = 0.0
    stopped_by: str = ""
    stepping_s: float = 0.0
    waited_s: float = 0.0
    identity: dict[str, str] = field(default_factory=dict)


def copy_weights(model: nn.Module) -> Tensors:
    """Copy a model's tensors to the CPU by name; a tied tensor appears once."""
    found: Tensors = {}
    seen: set[tuple[int, torch.Size]] = set()
    for name, tensor in model.state_dict().items():
        key = (tensor.data_ptr(), tensor.shape)
        if key not in seen or tensor.numel() == 0:
            found[name] = tensor.detach().to("cpu", copy=True).contiguous()
        seen.add(key)
    return found


def put_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], where: object = None) -> None:
    """Put tensors back where `copy_weights` took them from.

    Raises
    ------
    CheckpointError
        If names or shapes differ from the model's.
    """
    own = model.state_dict()
    expected = copy_weights(model).keys()
    if set(expected) != set(weights):
        raise CheckpointError(
            "the saved weights are not of this model", where=where,
            got=sorted(set(weights) - set(expected))[:3], expected=sorted(set(expected) - set(weights))[:3],
        )
    with torch.no_grad():
        for name, tensor in weights.items():
            if own[name].shape != tensor.shape:
                raise CheckpointError(
                    f"the saved weight {name!r} has another shape", where=where,
                    got=tuple(tensor.shape), expected=tuple(own[name].shape),
                )
            own[name].copy_(tensor)


class StateStore:
    """Saves and loads the state of one phase of training in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _index(self) -> Path:
        return self.folder / "training.json"

    def exists(self) -> bool:
        """Say whether a state was saved here."""
        return self._index.is_file()

    def save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, best: Tensors | None
    ) -> None:
        """Save everything that resuming needs, whole or not at all.

        Parameters
        ----------
        best : dict of tensors, optional
            Weights at the best evaluation, ``progress.best_step``.
        """
        last = f"step-{progress.step:08d}"
        _write(self.folder / last, {"weights": copy_weights(model), "moments": _moments(model, optimizer)})
        kept = {last, self._index.name}
        best_name = ""
        if best is not None:
            best_name = f"best-{progress.best_step:08d}"
            if not (self.folder / best_name).exists():
                _write(self.folder / best_name, {"weights": best})
            kept.add(best_name)
        write_text(self._index, json.dumps({"last": last, "best": best_name, **asdict(progress)}, indent=2) + "\n")
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Progress, Tensors | None]:
        """Put weights and moments back, and give the counters and the best weights.

        Raises
        ------
        CheckpointError
            If the state is damaged, or of another model.
        """
        values = self._read_index()
        last, best_name = values.pop("last"), values.pop("best")
        progress = Progress(**values)
        put_weights(model, _read(self.folder / last / "weights.safetensors"), self.folder)
        _put_moments(model, optimizer, _read(self.folder / last / "moments.safetensors"), self.folder)
        best = _read(self.folder / best_name / "weights.safetensors") if best_name else None
        return progress, best

    def read_step(self) -> int:
        """Read how many steps the saved state has done."""
        return int(self._read_index()["step"])

    def _read_index(self) -> dict[str, Any]:
        try:
            values = json.loads(self._index.read_text(encoding="utf-8"))
            Progress(**{name: value for name, value in values.items() if name not in ("last", "best")})
            if not isinstance(values["last"], str) or not isinstance(values["best"], str):
                raise TypeError("last and best are names of folders")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                "the training state cannot be read", where=self._index, got=error,
                hint="start the run again with --force",
            ) from error
        return dict(values)

    def discard(self) -> None:
        """Remove the state of a run that is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _write(folder: Path, files: Mapping[str, Tensors]) -> None:
    with atomic_folder(folder, force=True) as temporary:
        for name, tensors in files.items():
            path = temporary / f"{name}.safetensors"
            with path.open("wb") as handle:
                handle.write(save(tensors))  # the library's own writer hides a full disk
                handle.flush()
                os.fsync(handle.fileno())


def _read(file: Path) -> Tensors:
    try:
        tensors: Tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            "the training state cannot be read", where=file, got=error, hint="start the run again with --force"
        ) from error
    return tensors


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Name AdamW's tensors ``<parameter>/<exp_avg | exp_avg_sq | step>``."""
    return {
        f"{name}/{key}": value.detach().to("cpu", copy=True).contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _put_moments(model: nn.Module, optimizer: torch.optim.Optimizer, moments: Tensors, where: Path) -> None:
    by_name = dict(model.named_parameters())
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for full_name, value in moments.items():
        name, _, key = full_name.rpartition("/")
        parameter = by_name.get(name)
        if parameter is None or id(parameter) not in trained or value.shape not in (parameter.shape, torch.Size([])):
            raise CheckpointError(
                f"the saved moments of {name!r} are not of a weight that is trained now", where=where,
                hint="resume with the settings that the run began with",
            )
        device = "cpu" if key == "step" and parameter.device.type == "cpu" else parameter.device
        optimizer.state[parameter][key] = value.to(device)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left behind: hidden temporary files and folders."""
    for path in folder.glob(".*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
