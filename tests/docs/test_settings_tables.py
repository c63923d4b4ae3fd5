"""The tables of settings on the pages hold every setting of every workflow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from lingome.config.schema.fields import NEEDED, list_parts, show_default
from lingome.config.workflow import Workflow
from lingome.config.workflows import load_workflow, load_workflows

DOCS = Path(__file__).parent.parent.parent / "docs"
SPEC = importlib.util.spec_from_file_location("settings_tables", DOCS / "settings_tables.py")
assert SPEC is not None
assert SPEC.loader is not None
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)


@pytest.mark.parametrize("workflow", load_workflows(), ids=lambda workflow: workflow.name)
def test_a_table_holds_every_setting(workflow: Workflow):
    for part in list_parts(workflow.settings):
        rows = tables.setting_rows(workflow, part)
        assert len(rows) == len(part.settings)
        for setting, (names, default, meaning) in zip(part.settings, rows, strict=True):
            assert names[0] == setting.name
            assert default == ("" if setting.default is NEEDED else show_default(setting.default))
            assert meaning.startswith(setting.description)
            assert all(choice in meaning for choice in setting.choices)


def test_other_names_of_options_are_shown():
    workflow = load_workflow("generate")
    names = {shown[0]: shown for part in list_parts(workflow.settings) for shown, _, _ in
             tables.setting_rows(workflow, part)}
    assert (names["model"], names["length_bp"], names["n"]) == (["model", "-m"], ["length_bp", "--length"], ["n"])
