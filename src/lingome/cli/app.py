"""The tree of commands, derived from the list of workflows; a command is built only when it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import click

import lingome
from lingome.config.workflows import GROUPS, WORKFLOWS, load_workflow

EPILOG = """Start with:  lingome demo

All commands take --help, which shows every setting; those that write, --dry-run, -o and settings as key=value."""


class Commands(click.Group):
    """Commands by name, each built when it is asked for.

    Parameters
    ----------
    name : str
        The program, or the first word of commands that have two.
    summaries : mapping
        What each command does, in a sentence.
    help : str
        What they are for.
    epilog : str
        What stands under the list.
    """

    def __init__(self, name: str, summaries: Mapping[str, str], *, help: str, epilog: str = "") -> None:
        super().__init__(name, help=help, epilog=epilog, no_args_is_help=name in GROUPS)
        self.summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the list."""
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Build a command; None if there is none of this name."""
        if cmd_name not in self.summaries:
            return None
        if cmd_name in GROUPS:
            return build_group(cmd_name)
        if cmd_name == "completion":
            from lingome.cli.complete import CompletionCommand

            return CompletionCommand()
        from lingome.cli.command import WorkflowCommand

        return WorkflowCommand(load_workflow(f"{self.name} {cmd_name}" if self.name in GROUPS else cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names; suggest one when it names none.

        Raises
        ------
        click.UsageError
            If there is no such command.
        """
        if args and not args[0].startswith("-") and args[0] not in self.summaries:
            close = difflib.get_close_matches(args[0], self.summaries, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from their summaries, without building any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


def build_group(name: str) -> Commands:
    """Build the commands whose first word is `name`."""
    summaries = {
        full.split()[1]: listed.summary for full, listed in WORKFLOWS.items() if full.startswith(f"{name} ")
    }
    first = next(iter(summaries))
    return Commands(name, summaries, help=GROUPS[name], epilog=f"Example:  lingome {name} {first} --help")


def build_app() -> click.Group:
    """Build the whole command line."""
    summaries: dict[str, str] = {}
    for full, listed in WORKFLOWS.items():
        first = full.split()[0]
        summaries[first] = GROUPS.get(first, listed.summary)
    summaries["completion"] = "Print the script that makes a shell complete the words of lingome."
    app = Commands("lingome", summaries, help=lingome.__doc__ or "", epilog=EPILOG)
    app.params += [
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
                     help="Print the version and stop."),
        click.Option(["--quiet"], is_flag=True, expose_value=False, help="No messages, no bars."),
        click.Option(["--debug"], is_flag=True, expose_value=False, help="Show where in the code an error arose."),
    ]
    return app


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"lingome {lingome.__version__}")
        ctx.exit()
