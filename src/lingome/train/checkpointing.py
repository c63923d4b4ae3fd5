"""Which training of a run this is, and what of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from lingome.core.rundir import RunDir


@dataclass(frozen=True)
class Phase:
    """A training by its name; every random draw of it is a function of (seed, name, step).

    Parameters
    ----------
    name : str
        Name of this training in its run: of its rows of metrics, its random draws and its state's folder.
    seed : int
        Seed of all draws.
    label : str
        What the progress bar says.
    """

    name: str = "train"
    seed: int = 0
    label: str = "training"


@dataclass(frozen=True)
class Checkpointing:
    """What a training writes, and what it goes on from. By default it writes nothing.

    Parameters
    ----------
    run : RunDir, optional
        Gets ``metrics.jsonl`` and the training state.
    resume : bool
        Continue from the state in `run`, if there is one.
    keep_state : bool
        Save what resuming needs in `run`; false for trainings of seconds, which then only write metrics.
    publish : callable, optional
        Takes the model to use (best so far, else last) and writes it as a checkpoint; called at every save.
    resume_command : str
        What a person types to go on after an interruption.
    identity : mapping of str to str
        Facts that must be equal when resuming, such as digests of the data and the tokenizer.
    """

    run: RunDir | None = None
    resume: bool = False
    keep_state: bool = True
    publish: Callable[[nn.Module], None] | None = None
    resume_command: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def keeps_state(self) -> bool:
        """Whether a state is saved: only a run can hold one."""
        return self.run is not None and self.keep_state
