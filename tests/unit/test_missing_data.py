"""Tests without their data are skipped with the reason; where nothing may be missing, they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest

def test_with_data(data_dir):
    raise AssertionError("this needs data")

def test_with_a_package():
    pytest.importorskip("a_package_that_nobody_has")

def test_of_a_machine():
    pytest.skip("this processor has no such instruction")

@pytest.mark.xfail
def test_that_is_known_to_fail():
    raise AssertionError

def test_without():
    pass
"""
WHOLE_FILE = "import pytest\npytest.importorskip('a_package_that_nobody_has')\ndef test_nothing(): pass\n"


@pytest.mark.parametrize(("no_skip", "counts"), [
    ("", ["1 passed", "4 skipped", "1 xfailed"]),
    ("1", ["1 passed", "1 skipped", "1 xfailed", "1 failed", "2 errors"]),
])
def test_what_is_missing_is_skipped_or_fails(tmp_path: Path, no_skip: str, counts: list[str]) -> None:
    folder = tmp_path / "checkout" / "tests"  # beside which there is no ../shared/data
    folder.mkdir(parents=True)
    shutil.copy(CONFTEST, folder)
    (folder / "test_some.py").write_text(TESTS)
    (folder / "test_whole_file.py").write_text(WHOLE_FILE)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LINGOME_", "PYTEST_"))}
    words = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run(
        [*words, str(folder)], cwd=folder, env=env | {"LINGOME_TEST_NO_SKIP": no_skip}, capture_output=True, text=True,
        check=False,
    )
    for count in counts:
        assert count in done.stdout, done.stdout
    if not no_skip:
        assert "no real data at" in done.stdout
        assert "set LINGOME_DATA to the folder that has them" in done.stdout
