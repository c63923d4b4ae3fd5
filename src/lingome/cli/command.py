"""The command of a workflow, derived from its value: words in, plan or outcome out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from lingome.cli.help import write_help
from lingome.config.schema.fields import Setting, list_settings
from lingome.config.schema.settings import load_settings
from lingome.config.workflow import Workflow
from lingome.config.workflows import load_workflows
from lingome.core.errors import ConfigError
from lingome.core.processes import count_processes, is_first_process

SHORT = {"model": "-m", "out": "-o"}
"""Short options of the settings of these names, in every command."""

_TYPES: Mapping[str, click.ParamType] = {"whole number": click.INT, "number": click.FLOAT}
_OVERRIDE = re.compile(r"^[A-Za-z_][\w.]*=")


def split_words(words: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Tell inputs from ``key=value`` overrides; a word that names an existing file is an input.

    >>> split_words(["genome.fa", "lr=1e-3"])
    (['genome.fa'], ['lr=1e-3'])
    """
    inputs: list[str] = []
    overrides: list[str] = []
    for word in words or []:
        if _OVERRIDE.match(word) and not _is_there(word):
            overrides.append(word)
        else:
            inputs.append(word)
    return inputs, overrides


def _is_there(word: str) -> bool:
    try:
        return Path(word).exists()
    except OSError:  # a long value is no file's name
        return False


def option_names(workflow: Workflow, setting: Setting) -> list[str]:
    """Give the names of a setting's option, as ``["-m", "--model"]``; none for a setting of a part without one.

    >>> from lingome.config.workflows import load_workflow
    >>> finetune = load_workflow("finetune")
    >>> [option_names(finetune, one) for one in list_settings(finetune.settings) if one.name in ("model", "tune.lr")]
    [['-m', '--model'], []]
    """
    own = workflow.options.get(setting.name)
    if "." in setting.name:
        return [own] if own else []
    long = "--" + setting.name.replace("_", "-")
    if setting.kind == "yes or no":
        long = f"{long}/--no-{long[2:]}"
    names = [SHORT[setting.name], long] if setting.name in SHORT else [long]
    return [*names, own] if own else names


class SettingOption(click.Option):
    """The option of one setting; None or nothing when it is not given, so that no default is said twice."""

    def __init__(self, setting: Setting, names: Sequence[str]) -> None:
        self.setting = setting
        switch = setting.kind == "yes or no"
        super().__init__(
            [setting.name.replace(".", "__"), *names],
            default=None,
            is_flag=switch or None,
            type=click.BOOL if switch else _TYPES.get(setting.kind, click.STRING),
            multiple=setting.kind in ("list", "mapping"),
        )


class InputWords(click.Argument):
    """The words of a command: inputs, and settings as ``key=value``, which the shell can complete."""

    def __init__(self, settings: Sequence[Setting]) -> None:
        self.settings = settings
        super().__init__(["words"], nargs=-1)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a setting, up to ``=``, or of a file."""
        items = [
            CompletionItem(f"{setting.name}=", help=setting.description)
            for setting in self.settings
            if incomplete and setting.name.startswith(incomplete)
        ]
        return items or [CompletionItem(incomplete, type="file")]


class WorkflowCommand(click.Command):
    """The command of one workflow: an option for every setting of its own, inputs, and ``key=value`` for all.

    Parameters
    ----------
    workflow : Workflow
        What the command is of.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.settings = list_settings(workflow.settings)
        params: list[click.Parameter] = []
        if self.settings:
            params.append(InputWords(self.settings))
            params.append(click.Option(["--config", "config_file"], type=click.Path(path_type=Path)))
        for setting in self.settings:
            names = option_names(workflow, setting)
            if names:
                params.append(SettingOption(setting, names))
        if workflow.plan is not None:
            params.append(click.Option(["--dry-run", "dry_run"], is_flag=True))
        params.append(click.Option(["--json", "as_json"], is_flag=True))
        super().__init__(workflow.name.split()[-1], params=params, context_settings={
            "token_normalize_func": lambda name: name.replace("_", "-"),
        })

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole help: every setting, with its default."""
        names = {setting.name: option_names(self.workflow, setting) for setting in self.settings}
        formatter.write(write_help(self.workflow, names))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; a name that is no option is answered with the settings that it may mean.

        Raises
        ------
        ConfigError
            If there is no such option.
        """
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise self._explain(error.option_name, words) from None

    def _explain(self, option: str, words: Sequence[str]) -> ConfigError:
        name = option.lstrip("-").replace("-", "_")
        known = [setting.name for setting in self.settings]
        options = {setting.name: option_names(self.workflow, setting) for setting in self.settings}
        meant = [one for one in known if one == name or one.endswith(f".{name}")]
        hint = f"lingome {self.workflow.name} --help  names all settings"
        if meant:
            value = _value_after(option, words)
            hint = " or ".join(f"write {one}={value}" for one in meant)
        else:
            switches = [*known, "config", "dry_run", "json", "help"]
            last_words = {one.rsplit(".", 1)[-1]: one for one in reversed(switches)}
            close = difflib.get_close_matches(name, [*switches, *last_words], n=1)
            if close:
                found = last_words.get(close[0], close[0])
                shown = f"--{found.replace('_', '-')}" if options.get(found, True) else f"{found}=..."
                hint = f"did you mean {shown}?"
        return ConfigError(f"lingome {self.workflow.name} has no option {option}", hint=hint)

    def invoke(self, ctx: click.Context) -> None:
        """Run the workflow with the settings that the words give."""
        _check_processes(self.workflow)
        inputs, overrides = split_words(ctx.params.get("words"))
        given: dict[str, Any] = {}
        for param in self.params:
            if isinstance(param, SettingOption) and param.name is not None:
                given |= _given(param.setting, ctx.params[param.name])
        named = {*given, *(override.partition("=")[0] for override in overrides)}
        run_workflow(
            self.workflow, {**self.workflow.inputs.sort(inputs, named), **given}, overrides,
            config=ctx.params.get("config_file"), dry_run=ctx.params.get("dry_run", False),
            as_json=ctx.params["as_json"],
        )


def run_workflow(
    workflow: Workflow,
    flags: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    config: Path | None = None,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Read settings, then plan or run, and print what comes back.

    The recipe is imported only after the settings were read, so that mistakes in them cost no import of torch.

    Parameters
    ----------
    workflow : Workflow
        What to run.
    flags : mapping
        Settings that inputs and options gave, by name.
    overrides : sequence of str
        Settings as ``key=value``.
    config : Path, optional
        File of settings.
    dry_run : bool
        Print the plan in place of running.
    as_json : bool
        Print for machines.

    Raises
    ------
    LingomeError
        Whatever the settings or the recipe refuse; and the problem of an outcome, after the outcome was shown.
    """
    from lingome.cli.console import show_outcome, show_plan

    if config is None and workflow.settings_file is not None:
        config = workflow.settings_file(flags)
    settings = load_settings(workflow.settings, config, overrides, flags)
    if dry_run:
        plan = workflow.load_plan()
        assert plan is not None, "without a plan there is no --dry-run"
        planned = plan(settings)
        if is_first_process():
            show_plan(planned, as_json=as_json)
        return
    outcome = workflow.load_run()(settings)
    if is_first_process():
        show_outcome(outcome, as_json=as_json)
    if outcome.problem is not None:
        raise outcome.problem


def _check_processes(workflow: Workflow) -> None:
    """Refuse to run a command several times over, which torchrun would do with most of them."""
    if count_processes() > 1 and not workflow.several_processes:
        sharing = ", ".join(one.name for one in load_workflows() if one.several_processes)
        raise ConfigError(
            f"lingome {workflow.name} runs in one process", got=f"{count_processes()} processes",
            expected=f"one; several share the work of: {sharing}", hint="leave torchrun out",
        )


def _given(setting: Setting, value: Any) -> dict[str, Any]:
    """Turn the value of an option into settings by name: none where it was not given."""
    if value is None or value == ():
        return {}
    if setting.kind == "mapping":
        return _read_pairs(setting.name, value)
    return {setting.name: _read_list(setting, value) if setting.kind == "list" else value}


def _read_list(setting: Setting, values: Sequence[str]) -> Any:
    """Take several options as several items, and one as a list in brackets, a text the class reads, or one item."""
    if len(values) > 1:
        return list(values)
    text = values[0]
    if text.startswith("["):
        from lingome.config.schema.settings import read_value

        return read_value(setting.name, text)
    return text if setting.reads_text else [text]


def _read_pairs(name: str, pairs: Sequence[str]) -> dict[str, str]:
    """Turn ``--annotation repeats=FILE`` into the setting ``annotation.repeats``."""
    option = f"--{name.replace('_', '-')}"
    read: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator and value):
            raise ConfigError(
                f"an {name} has a name and a file", where=option, got=pair, expected="name=FILE.bed",
                hint=f"{option} repeats={pair.strip('=')}",
            )
        if "." in key or f"{name}.{key}" in read:
            raise ConfigError(
                f"every {name} has its own name, of letters and digits", where=option, got=pair,
                hint="give it another name, or join the files",
            )
        read[f"{name}.{key}"] = value
    return read


def _value_after(option: str, words: Collection[str]) -> str:
    """Find the value that was written behind an option."""
    rest = list(words)
    for word, following in zip(rest, [*rest[1:], "--"], strict=True):
        name, separator, value = word.partition("=")
        if name.replace("_", "-") == option:
            if separator:
                return value
            return "VALUE" if following.startswith("--") else following
    return "VALUE"
