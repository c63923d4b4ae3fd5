"""All settings of a workflow as a YAML file that explains itself."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml

from lingome.config.schema.fields import NEEDED, Part, Setting, list_parts
from lingome.config.workflow import Workflow

WIDTH = 100


def write_commented(workflow: Workflow) -> str:
    """Write every setting with its default, each under a comment that says what it means.

    The text can be given back with ``--config`` and gives the defaults. A setting without a default stands in a
    comment, to be filled in.
    """
    usage = f"lingome {workflow.name} {workflow.inputs.usage}".strip()
    lines = [f"# Every setting of lingome {workflow.name}, with its default.", f"# {usage} --config FILE"]
    for part in list_parts(workflow.settings):
        lines += _part_lines(part)
    return "\n".join(lines) + "\n"


def _part_lines(part: Part) -> list[str]:
    lines = []
    depth = 0
    if part.name:
        depth = part.name.count(".") + 1
        indent = "  " * (depth - 1)
        lines += ["", *_comment(part.description, indent), f"{indent}{part.name.rsplit('.', 1)[-1]}:"]
    for setting in part.settings:
        lines += _setting_lines(setting, "  " * depth)
    return lines


def _setting_lines(setting: Setting, indent: str) -> list[str]:
    said = setting.description
    if setting.choices:
        said += f" (one of {', '.join(setting.choices)})"
    name = setting.name.rsplit(".", 1)[-1]
    if setting.default is NEEDED:
        return [*_comment(f"{said} (needed)", indent), f"{indent}# {name}:"]
    return [*_comment(said, indent), f"{indent}{name}: {_as_yaml(setting.default)}"]


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _as_yaml(value: Any) -> str:
    """Write one value on one line, as YAML reads it."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
