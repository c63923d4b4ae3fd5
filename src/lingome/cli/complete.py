"""Completion of commands and settings in the shell."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class, shell_complete

from lingome.core.errors import ConfigError

VARIABLE = "_LINGOME_COMPLETE"
"""Where a shell says what it wants: ``bash_source`` for its script, ``bash_complete`` for completions."""

SHELLS = ("bash", "zsh", "fish")
SUMMARY = "Print the script that makes a shell complete the words of lingome."


class CompletionCommand(click.Command):
    """``lingome completion SHELL``: print the script that a shell reads."""

    def __init__(self) -> None:
        super().__init__(
            "completion", params=[click.Argument(["shell"])], short_help=SUMMARY,
            help=f"{SUMMARY}\n\nbash, zsh or fish; afterwards the tab key completes commands, options and settings.",
            epilog='Example:  eval "$(lingome completion bash)"',
        )

    def invoke(self, ctx: click.Context) -> None:
        """Write the script to standard output.

        Raises
        ------
        ConfigError
            If the shell is not known.
        """
        shell = ctx.params["shell"]
        if shell not in SHELLS:
            raise ConfigError("completion is for some shells", got=shell, expected=", ".join(SHELLS))
        kind = get_completion_class(shell)
        assert kind is not None, "click completes for these shells"
        script = kind(ctx.find_root().command, {}, "lingome", VARIABLE).source()
        # bash would put a space behind `objective=`, before the value.
        added = "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace"
        click.echo(script.replace("COMPREPLY+=($value)", added))



def answer_shell(app: click.Command) -> int:
    """Complete what a shell asks for, and give the exit code."""
    return shell_complete(app, {}, "lingome", VARIABLE, os.environ[VARIABLE])
