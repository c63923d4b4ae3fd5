"""Every command and every Python block of the README and the docs runs as written, page by page.

The commands of a page run first, in order, and then its Python blocks, as one script in the same folder: they read what
the commands have written.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
DOCTESTS = {"docs/how-a-model-sees-dna.md", "docs/architectures/tracks.md"}
"""Pages whose Python blocks are sessions with their output; tests of what they describe compare it."""
OWN_TEST = "docs/tutorials/notebook.md"
"""The page that `test_notebook.py` runs, and says more about."""


def commands(page: Path) -> list[str]:
    """Lines that begin with ``$ `` in console blocks; a backslash continues a line."""
    lines: list[str] = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        shown = block.replace("\\\n", " ").splitlines()
        lines.extend(" ".join(line[2:].split()) for line in shown if line.startswith("$ "))
    return lines


def python_script(page: Path) -> str:
    """Give the Python blocks of a page, one after the other; none for sessions and for the page with its own test."""
    name = str(page.relative_to(ROOT))
    blocks: list[str] = PYTHON.findall(page.read_text(encoding="utf-8"))
    sessions = [block for block in blocks if ">>>" in block]
    assert bool(sessions) == (name in DOCTESTS), f"{name}: a session with >>> needs a test that compares its output"
    return "" if sessions or name == OWN_TEST else "\n".join(blocks)


NEEDS_DATA = ("LINGOME_DATA", "lingome data fetch", "lingome demo")
"""What a command holds that reads real data; offline, as tests are, they come from the folder of the tests alone."""


def needs_data(page: Path) -> bool:
    return any(word in text for text in (*commands(page), python_script(page)) for word in NEEDS_DATA)


def test_pages_were_found():
    assert len(PAGES) >= 12
    assert sum(len(commands(page)) for page in PAGES) >= 20
    assert sum(bool(python_script(page)) for page in PAGES) >= 12


def test_the_first_examples_need_no_folder_of_data():
    """README and quick start run on what `lingome data fetch` gets from the package registry."""
    for name in ("README.md", "docs/quickstart.md"):
        page = commands(ROOT / name)
        assert any(line.startswith("lingome finetune") for line in page)
        assert not any("LINGOME_DATA" in line for line in page), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs_as_written(page: Path, tmp_path: Path, request: pytest.FixtureRequest):
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LINGOME_OFFLINE": "1",
    }
    if needs_data(page):  # where there is none, the page is skipped
        env["LINGOME_DATA"] = str(request.getfixturevalue("data_dir"))
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # pages run their scripts from the root of a checkout
    for line in commands(page):
        if shlex.split(line)[0] == "make":
            continue  # what make does is what the rest of the checks run
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    script = python_script(page)
    if script:
        (tmp_path / "page.py").write_text(script, encoding="utf-8")
        command = [sys.executable, "page.py"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
