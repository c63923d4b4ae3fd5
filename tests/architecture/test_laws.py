"""The laws of the house, as far as a machine can see them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from measures import (
    MOST_PARAMETERS,
    ROOT,
    SOURCE,
    array_names,
    find_functions,
    has_many,
    has_many_parameters,
    is_long,
    packed_assignments,
    raises,
    says_parameters,
    says_raises,
    says_shape,
    string_arithmetic,
)

from lingome.config.workflow import Workflow
from lingome.config.workflows import WORKFLOWS, load_workflows

FILES = sorted(SOURCE.rglob("*.py"))
FUNCTIONS = list(find_functions(FILES))
MOST_FILE_LINES = 600
LEAST_SHARE = 0.95
DRAWERS = {"utils", "util", "common", "misc", "helpers", "helper", "base"}


def test_files_were_found():
    assert len(FILES) > 350


def test_functions_are_short():
    counted = [one for one in FUNCTIONS if not one.compiled]
    assert len(counted) > 2000
    assert [f"{one.place}: {one.n_lines} lines" for one in counted if is_long(one)] == []


def test_functions_take_few_parameters():
    counted = [one for one in FUNCTIONS if not one.compiled]
    assert len(counted) > 2000
    crowded = [f"{one.place}: {len(one.parameters)} parameters" for one in counted if has_many_parameters(one)]
    assert crowded == [], f"more than {MOST_PARAMETERS}: give values that belong together as one"


def test_few_functions_are_excepted():
    compiled = [one for one in FUNCTIONS if one.compiled]
    assert 20 < len(compiled) < 60, "kernels for numba alone"


def test_no_assignment_is_packed():
    assert len(FILES) > 350
    assert [f"{file.relative_to(ROOT)}:{line}" for file in FILES for line in packed_assignments(file)] == []


def test_no_arithmetic_on_strings():
    assert len(FILES) > 350
    assert [f"{file.relative_to(ROOT)}:{line}" for file in FILES for line in string_arithmetic(file)] == []


def check_share(faults: list[str], n_counted: int) -> None:
    assert len(faults) <= (1 - LEAST_SHARE) * n_counted, f"{len(faults)} of {n_counted}:\n" + "\n".join(faults)


def test_public_functions_that_raise_say_so():
    counted = [one for one in FUNCTIONS if raises(one)]
    assert len(counted) > 200
    check_share([one.place for one in counted if not says_raises(one)], len(counted))


def test_arrays_have_shapes():
    counted = [(one, name) for one in FUNCTIONS for name in array_names(one)]
    assert len(counted) > 500
    check_share([f"{one.place} {name}" for one, name in counted if not says_shape(one, name)], len(counted))


def test_functions_with_four_parameters_document_each():
    counted = [one for one in FUNCTIONS if has_many(one)]
    assert len(counted) > 150
    check_share([one.place for one in counted if not says_parameters(one)], len(counted))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_file_is_short_named_silent_and_documented(file: Path):
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= MOST_FILE_LINES, "split this file"
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
