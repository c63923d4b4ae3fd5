"""A workflow as one value: its settings, its inputs, where it runs, and what is said of it.

Each ``config/<workflow>.py`` ends with its `Workflow`, or ``config/<group>/<workflow>.py`` where a command has two
words; `lingome.config.workflows` lists them all. The command, its help, the tables of the docs and ``lingome config``
are derived from that value.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lingome.core.errors import ConfigError

if TYPE_CHECKING:
    from lingome.config.schema.settings import Settings
    from lingome.core.outcome import Outcome, Plan

SortInputs = Callable[[Sequence[str], Collection[str]], Mapping[str, Any]]
"""Turns the words of a command line, and the names of the settings given otherwise, into settings by name."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a command: words without a name.

    Parameters
    ----------
    usage : str
        How they are written, as ``MODEL [SEQUENCES]``; empty where there are none.
    meaning : str
        Which inputs there are, in a sentence for the help.
    sort : callable
        Gives the settings that the words are. Names that an option or ``key=value`` has given already are in
        its second argument; no word is taken for them.
    """

    usage: str
    meaning: str
    sort: SortInputs


@dataclass(frozen=True)
class Workflow:
    """One workflow: what there is to know to run it, explain it and check it.

    Parameters
    ----------
    name : str
        The words of its command, as ``finetune`` or ``tokens train``.
    settings : type
        The settings class; every field has a description.
    recipe : str
        Its file in ``recipes/``, without ``.py``: ``finetune``, or ``tokens/choose`` in the folder of a group. The
        file in ``config/``, the page in the docs, the folder in ``configs/`` and the test are called the same.
    inputs : Inputs
        The words that are no settings.
    description : str
        Whole sentences about what it does, after the summary; paragraphs are separated by empty lines.
    examples : sequence of str
        Commands that show it.
    plan, run : str
        Functions of the recipe. Without a plan the workflow writes nothing but standard output.
    options : mapping
        More names of options, by setting: ``{"length_bp": "--length"}``. Settings of parts can have one here, too.
    settings_file : callable, optional
        Gives the file of settings to start from when none was named, from the options that were given.
    several_processes : bool
        Whether the processes that ``torchrun`` starts can share its work.
    ships_configs : bool
        Whether ``configs/<recipe>/`` holds settings of this workflow.
    """

    name: str
    settings: type[Settings]
    recipe: str
    inputs: Inputs
    description: str
    examples: Sequence[str]
    plan: str | None = "plan"
    run: str = "run"
    options: Mapping[str, str] = field(default_factory=dict)
    settings_file: Callable[[Mapping[str, Any]], Path | None] | None = None
    several_processes: bool = False
    ships_configs: bool = True

    def load_plan(self) -> Callable[[Any], Plan] | None:
        """Import the function that plans a run; None where there is nothing to plan."""
        return None if self.plan is None else getattr(self._module(), self.plan)

    def load_run(self) -> Callable[[Any], Outcome]:
        """Import the function that runs."""
        return getattr(self._module(), self.run)  # type: ignore[no-any-return]  # found by its name

    def _module(self) -> Any:
        return importlib.import_module(f"lingome.recipes.{self.recipe.replace('/', '.')}")


def no_inputs(problem: str, hint: str | None = None) -> Inputs:
    """Describe a workflow without inputs.

    Parameters
    ----------
    problem : str
        What is said when there is one.
    hint : str, optional
        What to try then.
    """
    return Inputs("", "", _in_order((), problem, hint))


def inputs_in_order(
    names: Sequence[str], *, usage: str, meaning: str, problem: str, hint: str | None = None
) -> Inputs:
    """Describe inputs that are told apart by their order.

    Parameters
    ----------
    names : sequence of str
        The settings that the first word, the second and so on are. A setting that is given otherwise is left out.
    usage, meaning : str
        As in `Inputs`.
    problem : str
        What is said when there is a word too many.
    hint : str, optional
        What to try then.
    """
    return Inputs(usage, meaning, _in_order(names, problem, hint))


def any_number_of(name: str, *, usage: str, meaning: str) -> Inputs:
    """Describe inputs that are all items of one setting.

    Parameters
    ----------
    name : str
        The setting, a list.
    usage, meaning : str
        As in `Inputs`.
    """

    def sort(words: Sequence[str], given: Collection[str]) -> Mapping[str, Any]:
        return {name: list(words)} if words else {}

    return Inputs(usage, meaning, sort)


def _in_order(names: Sequence[str], problem: str, hint: str | None) -> SortInputs:
    def sort(words: Sequence[str], given: Collection[str]) -> Mapping[str, Any]:
        free = [name for name in names if name not in given]
        if len(words) > len(free):
            raise ConfigError(problem, got=" ".join(words), hint=hint)
        return dict(zip(free, words, strict=False))

    return sort
