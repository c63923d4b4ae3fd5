"""The laws of the house, as far as a machine can see them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lingome.config.workflow import Workflow
from lingome.config.workflows import WORKFLOWS, load_workflows

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "lingome"
FILES = sorted(SOURCE.rglob("*.py"))
DRAWERS = {"utils", "util", "common", "misc", "helpers", "helper", "base"}


def test_files_were_found():
    assert len(FILES) > 60


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_file_is_short_named_silent_and_documented(file: Path):
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 600, "split this file"
    assert not DRAWERS & set(file.relative_to(SOURCE).with_suffix("").parts), "name it after what it holds"
    assert ast.get_docstring(tree), "a module says what it is for"
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    assert "print" not in names, "nothing prints; use core.progress.say"
    assert not re.search(r"NotImplementedError|TODO|FIXME", text)
    if file.name == "old_weights.py":  # the one file that converts old pickles, and takes tensors alone out of them
        assert re.findall(r"torch\.load\([^)]*\)", text) == ['torch.load(file, map_location="cpu", weights_only=True)']
        assert "pickle.load" not in text
    else:
        assert not re.search(r"\bimport pickle\b|torch\.load\(", text)


def test_workflows_were_found():
    assert len(load_workflows()) >= 25


@pytest.mark.parametrize("workflow", load_workflows(), ids=lambda workflow: workflow.name)
def test_one_word_five_places(workflow: Workflow):
    word = workflow.recipe
    group, _, last = word.rpartition("/")
    assert group in ("", workflow.name.split()[0]), "a folder is named after the first word of its commands"
    assert WORKFLOWS[workflow.name].module == word
    page = ROOT / "docs" / f"{word}.md"
    places = [SOURCE / "recipes" / f"{word}.py", SOURCE / "config" / f"{word}.py", page,
              ROOT / "tests" / "recipes" / group / f"test_{last}.py"]
    if workflow.ships_configs:
        places.append(ROOT / "configs" / word)
    for place in places:
        assert place.exists(), f"{workflow.name} lacks {place.relative_to(ROOT)}"
    text = page.read_text(encoding="utf-8")
    assert f"lingome {workflow.name}" in text, "its page shows the command"
    if workflow.settings.model_fields:
        assert f"```{{settings}} {workflow.name}\n" in text, "its page shows its settings"
    assert f"\n{word}\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_help_is_fast_and_light():
    code = "import sys; from lingome.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.splitlines()[-1].split()
    assert "click" in loaded
    assert not {"torch", "numpy", "transformers", "sklearn", "pydantic", "yaml", "rich"} & set(loaded)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:") and "lingome.cli" in line]
    total_us = max(int(line.split("|")[1]) for line in lines)
    assert total_us < 500_000
