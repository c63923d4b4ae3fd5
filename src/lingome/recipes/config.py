"""``lingome config``: print every setting of a command."""

from __future__ import annotations

from lingome.config.config import ConfigSettings
from lingome.config.schema.commented import write_commented
from lingome.config.workflows import load_workflow
from lingome.core.outcome import Outcome


def run(settings: ConfigSettings) -> Outcome:
    """Write the settings of a workflow as YAML with comments.

    Raises
    ------
    ConfigError
        If there is no workflow of this name.
    """
    return Outcome(text=write_commented(load_workflow(settings.workflow)))
