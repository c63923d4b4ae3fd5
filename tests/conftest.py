"""What every test can ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data: $LINGOME_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("LINGOME_DATA", ROOT.parent / "shared" / "data"))
    assert folder.is_dir(), f"no real data at {folder}; set LINGOME_DATA"
    return folder


@pytest.fixture(autouse=True, scope="session")
def _offline(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reaches the network, the user's cache or their hub."""
    os.environ["LINGOME_OFFLINE"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["LINGOME_CACHE"] = str(tmp_path_factory.mktemp("cache"))
