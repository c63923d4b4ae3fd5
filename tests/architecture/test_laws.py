"""The laws of the house, as far as a machine can see them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lingome.cli.main import COMMANDS

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


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_one_word_five_places(name: str):
    for place in (
        SOURCE / "recipes" / f"{name}.py",
        SOURCE / "cli" / f"{name}.py",
        ROOT / "docs" / f"{name}.md",
        ROOT / "tests" / "recipes" / f"test_{name}.py",
        ROOT / "configs" / name,
    ):
        assert place.exists(), f"{name} lacks {place.relative_to(ROOT)}"


@pytest.mark.parametrize("file", sorted((SOURCE / "recipes").glob("*.py")), ids=lambda file: file.stem)
def test_a_recipe_is_read_in_one_sitting(file: Path):
    assert file.read_text(encoding="utf-8").count("\n") <= 200


def test_help_is_fast_and_light():
    code = "import sys; from lingome.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.splitlines()[-1].split()
    assert "typer" in loaded
    assert not {"torch", "numpy", "transformers", "sklearn"} & set(loaded)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:") and "lingome.cli" in line]
    total_us = max(int(line.split("|")[1]) for line in lines)
    assert total_us < 500_000


def test_every_shipped_config_is_valid():
    import importlib

    files = sorted((ROOT / "configs").rglob("*.yaml"))
    assert len(files) >= len(COMMANDS)
    for file in files:
        workflow = file.parent.name
        module = importlib.import_module(f"lingome.config.{workflow}")
        settings = getattr(module, _settings_name(workflow, module))
        settings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})


OTHER_NAMES = {"data": "FetchSettings"}
"""Where a group of commands has settings for one of them only."""


def _settings_name(workflow: str, module: object) -> str:
    if workflow in OTHER_NAMES:
        return OTHER_NAMES[workflow]
    last = workflow.rsplit("_", 1)[-1]
    known = {"data": "fetch"}.get(workflow, workflow)
    names = [name for name in dir(module) if name.lower() in (f"{known}settings", f"{last}settings")]
    assert names, f"config/{workflow}.py holds no settings class"
    return names[0]
