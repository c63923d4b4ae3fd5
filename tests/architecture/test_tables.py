"""Each declared table is written by somebody, and each written table is declared and read as it is written."""

from __future__ import annotations

import ast
from pathlib import Path

from lingome.core.tables import TABLES

SOURCE = Path(__file__).parents[2] / "src" / "lingome"
READERS = {"core", "report", "cli", "config"}


def trees(*, reading: bool) -> list[ast.Module]:
    files = [
        file for file in sorted(SOURCE.rglob("*.py"))
        if (file.relative_to(SOURCE).parts[0] == "report" if reading else
            file.relative_to(SOURCE).parts[0] not in READERS)
    ]
    assert len(files) > 10
    return [ast.parse(file.read_text(encoding="utf-8")) for file in files]


def texts(found: list[ast.Module]) -> set[str]:
    nodes = [node for tree in found for node in ast.walk(tree)]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_declared_table_is_named_by_a_writer():
    assert set(TABLES) - {"warnings"} <= texts(trees(reading=False))  # `RunDir.write_warnings` names that one


def test_every_table_of_the_page_is_named_by_the_page():
    assert {name for name, table in TABLES.items() if table.on_page} <= texts(trees(reading=True))


def test_every_table_that_is_written_by_name_is_declared():
    calls = [
        node for tree in trees(reading=False) for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write_table"
    ]
    names = [call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)]
    assert len(names) > 25
    assert set(names) <= set(TABLES)


def test_nobody_writes_warnings_by_hand():
    written = [text for text in texts(trees(reading=False)) if text == "level"]
    assert not written, "give a RunWarning to RunDir.write_warnings"
