"""Every relative link and picture of a page leads to a file; Sphinx does not say when a link does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
PICTURE = re.compile(r"^```\{(?:image|figure|literalinclude|include)\} (\S+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Give the targets that are no addresses; links are looked for outside of code."""
    found = [*LINK.findall(CODE.sub("", text)), *PICTURE.findall(text)]
    return [target for target in found if "://" not in target]


def test_links_were_found():
    assert len(PAGES) >= 40
    assert sum(len(links(page.read_text(encoding="utf-8"))) for page in PAGES) >= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path):
    targets = links(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
