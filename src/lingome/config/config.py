"""Settings of ``lingome config``, which prints the settings of another command."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from lingome.config.schema.settings import Settings
from lingome.config.workflow import Inputs, Workflow


class ConfigSettings(Settings):
    """Whose settings to print."""

    workflow: str = Field(description="the command, as finetune or tokens train")


def join_words(words: Sequence[str], given: Collection[str] = ()) -> Mapping[str, Any]:
    """Take all words together for the name of one command.

    >>> join_words(["tokens", "train"])
    {'workflow': 'tokens train'}
    """
    return {"workflow": " ".join(words)} if words else {}


WORKFLOW = Workflow(
    name="config",
    settings=ConfigSettings,
    recipe="config",
    inputs=Inputs("COMMAND", "The command whose settings are printed, as it is written: tokens train.", join_words),
    description="""Every setting stands with its default under a comment that says what it means; one without a
    default stands in a comment. Change what you like, and give the file back with --config.""",
    examples=("lingome config finetune", "lingome config tokens train > vocabulary.yaml"),
    plan=None,
    ships_configs=False,
)
