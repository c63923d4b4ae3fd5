from __future__ import annotations

import sys

import pytest

from lingome.core.lineage import command_line


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("/usr/bin/lingome", "lingome"),
        ("/env/site-packages/lingome/__main__.py", "lingome"),  # python -m lingome
        ("/home/me/analysis.py", "analysis.py"),
        ("/home/me/other/__main__.py", "__main__.py"),
    ],
)
def test_a_command_is_shown_as_it_would_be_typed(program: str, shown: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", [program, "finetune", "my table.csv"])
    assert command_line() == f"{shown} finetune 'my table.csv'"
