"""The state of a training run on disk: whole at every instant, never pickled.

::

    state/<phase>/training.json             counters, and the names of the two folders that count
    state/<phase>/step-00000120/            weights.safetensors, moments.safetensors
    state/<phase>/best-00000100/            weights.safetensors, if there was an evaluation

Where weights are split over processes (FSDP), each writes its own rows, and `lingome.train.parallel.shards` says
how; a state that two processes wrote is read by one, four, or whole, and the other way round.

New folders are written under new names; then ``training.json``, which is replaced in one
operation of the file system, starts to point at them; then the old ones are removed. So a
process that is killed anywhere leaves a state that can be continued. No state of a random
generator is kept, because every draw is a function of (seed, phase, step).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lingome.core.errors import CheckpointError
from lingome.core.files import atomic_folder, explain_os_errors, write_text
from lingome.train.parallel.distributed import ALONE, World
from lingome.train.parallel.sharded import is_rows, is_split, local, rows_of, split_like
from lingome.train.parallel.shards import StoredTensors, part_name, write_index, write_tensors

Tensors = dict[str, torch.Tensor]


@dataclass
class Progress:
    """Counters of a run; with the weights and the optimizer's moments, all that resuming needs.

    `logged_loss` and `logged_items` sum since the last training line of ``metrics.jsonl``;
    `stepping_s` is the time of all steps, and `waited_s` how much of it went by until batches were there;
    `parts` is into how many pieces each micro-batch is cut since memory ran out;
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
    parts: int = 1
    identity: dict[str, str] = field(default_factory=dict)


def copy_weights(model: nn.Module) -> Tensors:
    """Copy a model's tensors to the CPU by name; a tied tensor appears once, of a split one this process's rows."""
    return {name: local(tensor).detach().to("cpu", copy=True).contiguous() for name, tensor in _named(model).items()}


def _named(model: nn.Module) -> Tensors:
    """Give a model's tensors by name, a tied one once."""
    found: Tensors = {}
    seen: set[object] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        # A process may hold no row of a small split tensor: then only the object tells what is tied.
        key: object = id(tensor) if is_rows(tensor) else (tensor.data_ptr(), tensor.shape)
        if key not in seen or tensor.numel() == 0:
            found[name] = tensor
        seen.add(key)
    return found


def put_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], where: object = None) -> None:
    """Put tensors back where `copy_weights` took them from.

    Parameters
    ----------
    model : Module
        Gets them.
    weights : mapping of str to Tensor
        By name, each in the shape that the model's has.
    where : Path, optional
        Where they were read, for messages.

    Raises
    ------
    CheckpointError
        If names or shapes differ from the model's.
    """
    own = model.state_dict()
    expected = _named(model).keys()
    if set(expected) != set(weights):
        raise CheckpointError(
            "the saved weights are not of this model", where=where,
            got=sorted(set(weights) - set(expected))[:3], expected=sorted(set(expected) - set(weights))[:3],
        )
    with torch.no_grad():
        for name, tensor in weights.items():
            target = local(own[name])
            if target.shape != tensor.shape:
                raise CheckpointError(
                    f"the saved weight {name!r} has another shape", where=where,
                    got=tuple(tensor.shape), expected=tuple(target.shape),
                )
            target.copy_(tensor)


class StateStore:
    """Saves and loads the state of one phase of training in a folder."""

    def __init__(self, folder: Path, world: World = ALONE) -> None:
        self.folder = folder
        self.world = world

    @property
    def _index(self) -> Path:
        return self.folder / "training.json"

    def exists(self) -> bool:
        """Say whether a state was saved here."""
        return self._index.is_file()

    def save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, best: Tensors | None
    ) -> None:
        """Save everything that resuming needs, whole or not at all; to be called in every process.

        Parameters
        ----------
        model : Module
            Its weights are saved.
        optimizer : Optimizer
            Its moments are saved.
        progress : Progress
            Counters.
        best : dict of tensors, optional
            Weights at the best evaluation, ``progress.best_step``.
        """
        if self.world.is_first or is_split(model):
            self._save(model, optimizer, progress, best)
        self.world.wait()  # so that it is there for whoever looks for it next

    def _save(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, best: Tensors | None
    ) -> None:
        last = f"step-{progress.step:08d}"
        self._write(self.folder / last, model, {"weights": copy_weights(model), "moments": _moments(model, optimizer)})
        kept = {last, self._index.name}
        best_name = ""
        if best is not None:
            best_name = f"best-{progress.best_step:08d}"
            if not (self.folder / best_name).exists():
                self._write(self.folder / best_name, model, {"weights": best})
            kept.add(best_name)
        if not self.world.is_first:
            return
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
        last = values.pop("last")
        best_name = values.pop("best")
        progress = Progress(**values)
        put_weights(model, _read(StoredTensors(self.folder / last, "weights"), _named(model), self.world), self.folder)
        by_name = dict(model.named_parameters())
        stored = StoredTensors(self.folder / last, "moments")
        owners = {name: by_name[weight] for name in stored.shapes if (weight := _owner(name, by_name)) in by_name}
        _put_moments(model, optimizer, _read(stored, owners, self.world), self.folder)
        best = None
        if best_name:
            best = _read(StoredTensors(self.folder / best_name, "weights"), _named(model), self.world)
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

    def _write(self, folder: Path, model: nn.Module, files: Mapping[str, Tensors]) -> None:
        if not is_split(model):
            with atomic_folder(folder, force=True) as temporary:
                for stem, tensors in files.items():
                    write_tensors(temporary / f"{stem}.safetensors", tensors)
            return
        world = self.world
        temporary = folder.parent / f".{folder.name}.parts"
        if world.is_first:
            shutil.rmtree(temporary, ignore_errors=True)
            with explain_os_errors(folder):
                temporary.mkdir(parents=True)
        world.wait()
        named = _named(model)
        split = {name for name, tensor in named.items() if is_rows(tensor)}
        for stem, tensors in files.items():
            cut = {name for name, tensor in tensors.items() if tensor.ndim and _owner(name, named) in split}
            mine = {name: tensor for name, tensor in tensors.items() if world.is_first or name in cut}
            write_tensors(temporary / part_name(stem, world.rank, world.size), mine)
        world.wait()
        if world.is_first:
            for stem, tensors in files.items():
                cut = {name for name, tensor in tensors.items() if tensor.ndim and _owner(name, named) in split}
                shapes = {
                    name: tuple(named[_owner(name, named)].shape) if name in cut else tuple(tensor.shape)
                    for name, tensor in tensors.items()
                }
                write_index(temporary, stem, shapes, cut, world.size)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
        world.wait()

    def discard(self) -> None:
        """Remove the state of a run that is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(stored: StoredTensors, owners: Mapping[str, torch.Tensor], world: World) -> Tensors:
    """Read all tensors; where the owner of a name is split, only the rows of this process."""
    found: Tensors = {}
    for name, shape in stored.shapes.items():
        owner = owners.get(name)
        if is_rows(owner) and shape == owner.shape:
            found[name] = stored.read(name, *rows_of(shape[0], world.rank, world.size))
        else:
            found[name] = stored.read(name)
    return found


def _owner(name: str, named: Mapping[str, torch.Tensor]) -> str:
    """Name the weight that a tensor belongs to: itself, or for moments what stands before the last slash."""
    return name if name in named else name.rpartition("/")[0]


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Name AdamW's tensors ``<parameter>/<exp_avg | exp_avg_sq | step>``."""
    return {
        f"{name}/{key}": local(value).detach().to("cpu", copy=True).contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _put_moments(model: nn.Module, optimizer: torch.optim.Optimizer, moments: Tensors, where: Path) -> None:
    by_name = dict(model.named_parameters())
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for full_name, value in moments.items():
        name, _, key = full_name.rpartition("/")
        parameter = by_name.get(name)
        if parameter is None or id(parameter) not in trained or value.shape not in (
            local(parameter).shape, torch.Size([])
        ):
            raise CheckpointError(
                f"the saved moments of {name!r} are not of a weight that is trained now", where=where,
                hint="resume with the settings that the run began with",
            )
        value = value.to(parameter.device)
        optimizer.state[parameter][key] = value if value.ndim == 0 else split_like(value, parameter)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed left behind: hidden temporary files and folders."""
    for path in folder.glob(".*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
