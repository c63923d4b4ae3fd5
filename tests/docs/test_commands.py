"""Every command shown in the README and the docs runs as written, in order, page by page."""

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


def commands(page: Path) -> list[str]:
    """Lines that begin with ``$ `` in console blocks; a backslash continues a line."""
    lines: list[str] = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        shown = block.replace("\\\n", " ").splitlines()
        lines.extend(" ".join(line[2:].split()) for line in shown if line.startswith("$ "))
    return lines


NEEDS_DATA = ("LINGOME_DATA", "lingome data fetch", "lingome demo")
"""What a command holds that reads real data; offline, as tests are, they come from the folder of the tests alone."""


def needs_data(page: Path) -> bool:
    return any(word in line for line in commands(page) for word in NEEDS_DATA)


def test_pages_were_found():
    assert len(PAGES) >= 12
    assert sum(len(commands(page)) for page in PAGES) >= 20


def test_the_first_examples_need_no_folder_of_data():
    """README and quick start run on what `lingome data fetch` gets from the package registry."""
    for name in ("README.md", "docs/quickstart.md"):
        page = commands(ROOT / name)
        assert any(line.startswith("lingome finetune") for line in page)
        assert not any("LINGOME_DATA" in line for line in page), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run_as_written(page: Path, tmp_path: Path, request: pytest.FixtureRequest):
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
