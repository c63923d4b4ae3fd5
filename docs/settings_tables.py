"""Tables of the pages that are derived from the workflows: their settings, and the list of commands.

Use in a page::

    ```{settings} tokens train
    ```

    ```{settings} pretrain
    :part: ladder
    ```

    ```{workflows}
    ```
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from lingome.cli.command import option_names
from lingome.config.schema.fields import NEEDED, Part, Setting, list_parts, show_default
from lingome.config.workflow import Workflow
from lingome.config.workflows import WORKFLOWS, load_workflow

Cell = list[nodes.Node]


class SettingsTable(SphinxDirective):
    """Every setting of a workflow: a table for each part."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"part": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Build the tables."""
        workflow = load_workflow(self.arguments[0])
        self.env.note_dependency(__file__)
        made: list[nodes.Node] = []
        for part in list_parts(workflow.settings):
            if part.settings and self.options.get("part", part.name) == part.name:
                made += _part_nodes(workflow, part, alone="part" in self.options)
        return made


class WorkflowsTable(SphinxDirective):
    """Every command, and what it does, with a link to its page."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        rows = []
        for name, listed in WORKFLOWS.items():
            workflow = load_workflow(name)
            page = self.env.app.builder.get_relative_uri(self.env.docname, workflow.recipe)
            link = nodes.reference("", "", nodes.literal("", f"lingome {name}"), refuri=page)
            rows.append([[link], [nodes.Text(listed.summary)]])
        return [build_table(["command", "what it does"], rows)]


def setting_rows(workflow: Workflow, part: Part) -> list[tuple[list[str], str, str]]:
    """Give, for each setting of a part, its names, its default and its meaning."""
    return [
        ([setting.name, *_other_names(workflow, setting)], _default(setting), _meaning(setting))
        for setting in part.settings
    ]


def _other_names(workflow: Workflow, setting: Setting) -> list[str]:
    """Give the names of its option that do not follow from the setting's."""
    plain = "--" + setting.name.replace("_", "-")
    names = [name.strip().lstrip("/") for name in option_names(workflow, setting)]
    return [name for name in names if name.partition("/")[0] != plain]


def _default(setting: Setting) -> str:
    return "" if setting.default is NEEDED else show_default(setting.default)


def _meaning(setting: Setting) -> str:
    needed = " (needed)" if setting.default is NEEDED else ""
    choices = f": {', '.join(setting.choices)}" if setting.choices else ""
    return f"{setting.description}{needed}{choices}"


def _part_nodes(workflow: Workflow, part: Part, *, alone: bool) -> list[nodes.Node]:
    rows = []
    for names, default, meaning in setting_rows(workflow, part):
        shown: Cell = []
        for name in names:
            shown += [nodes.Text(", "), nodes.literal("", name)] if shown else [nodes.literal("", name)]
        rows.append([shown, [nodes.literal("", default)] if default else [], [nodes.Text(meaning)]])
    table = build_table(["setting", "default", "meaning"], rows)
    if alone or not part.name:
        return [table]
    title = nodes.paragraph("", "", nodes.literal("", f"{part.name}.*"), nodes.Text(f": {part.description}"))
    return [title, table]


def build_table(heads: list[str], rows: list[list[Cell]]) -> nodes.table:
    """Build a table of text."""
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    group += nodes.thead("", _row([[nodes.Text(head)] for head in heads]))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group)


def _row(cells: list[Cell]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx what the directives are called."""
    app.add_directive("settings", SettingsTable)
    app.add_directive("workflows", WorkflowsTable)
    return {"parallel_read_safe": True}
