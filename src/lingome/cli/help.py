"""The help of a command, as text of at most 80 columns: every setting, with its meaning and default."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from lingome.config.schema.fields import NEEDED, Part, Setting, list_parts, show_default
from lingome.config.workflow import Workflow
from lingome.config.workflows import WORKFLOWS

WIDTH = 80
COLUMN = 30
"""Where meanings begin."""

KINDS = {
    "whole number": "INTEGER", "number": "NUMBER", "yes or no": "", "text": "TEXT", "path": "PATH", "list": "LIST",
    "mapping": "NAME=FILE",
}


def write_help(workflow: Workflow, options: Mapping[str, Sequence[str]]) -> str:
    """Write the help of a workflow's command.

    Parameters
    ----------
    workflow : Workflow
        What to explain.
    options : mapping
        The names of the option of each setting, by the setting's name; no names for one that has no option.
    """
    parts = list_parts(workflow.settings)
    has_settings = any(part.settings for part in parts)
    usage = ["lingome", workflow.name, *([workflow.inputs.usage] if workflow.inputs.usage else [])]
    if has_settings:
        usage.append("[KEY=VALUE]...")
    lines = textwrap.wrap(" ".join([*usage, "[OPTIONS]"]), WIDTH, initial_indent="Usage: ", subsequent_indent="  ")
    lines += ["", *_paragraphs(f"{WORKFLOWS[workflow.name].summary}\n\n{workflow.description}")]
    if workflow.inputs.meaning:
        lines += ["", "Inputs:", *_wrap(workflow.inputs.meaning, 2)]
    for part in parts:
        if part.settings:
            lines += ["", *_heading(part, options)]
            for setting in part.settings:
                lines += _row(_label(setting, options[setting.name]), describe_setting(setting))
    lines += ["", "Of every command:"]
    if has_settings:
        lines += _row("--config FILE", "YAML file with settings; lingome config prints one.")
    if workflow.plan is not None:
        lines += _row("--dry-run", "Check everything, print the plan, write nothing.")
    lines += _row("--json", "Print results for machines, as JSON.")
    lines += _row("--quiet, --debug", "No messages; or where in the code an error arose.")
    lines += _row("--help", "Show this and stop.")
    examples = ["Example:" if len(workflow.examples) == 1 else "Examples:"]
    for example in workflow.examples:
        examples += textwrap.wrap(
            example, WIDTH - 2, initial_indent="  ", subsequent_indent="      ", break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join([*lines, "", *examples]) + "\n"


def describe_setting(setting: Setting) -> str:
    """Say what a setting means, its choices and its default.

    >>> describe_setting(Setting("seed", "whole number", (), 0, "the run's seed"))
    "the run's seed [default: 0]"
    """
    notes = []
    if setting.choices:
        notes.append("|".join(setting.choices))
    if setting.default is NEEDED:
        notes.append("needed")
    elif show_default(setting.default):
        notes.append(f"default: {show_default(setting.default)}")
    return f"{setting.description} [{'; '.join(notes)}]" if notes else setting.description


def _heading(part: Part, options: Mapping[str, Sequence[str]]) -> list[str]:
    if not part.name:
        return ["Settings (--some-name VALUE, or some_name=VALUE):"]
    return _wrap(f"{part.name}: {part.description} (written as {part.settings[0].name}=VALUE):", 0)


def _label(setting: Setting, options: Sequence[str]) -> str:
    names = [setting.name] if "." in setting.name else []
    for option in options:
        name = option.strip().lstrip("/")
        names.append(f"--[no-]{name.partition('/')[0][2:]}" if "/--no-" in name else name)
    kind = KINDS[setting.kind] if options else ""
    return f"{', '.join(names)} {kind}".rstrip()


def _row(label: str, meaning: str) -> list[str]:
    lines = _wrap(meaning, COLUMN)
    if len(label) + 4 > COLUMN:
        return [f"  {label}", *lines]
    return [f"  {label}".ljust(COLUMN) + lines[0][COLUMN:], *lines[1:]]


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += ["", *_wrap(" ".join(paragraph.split()), 2)]
    return lines[1:]


def _wrap(text: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    ) or [margin]
