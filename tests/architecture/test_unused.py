"""Whatever is public is used by the package, its benchmarks or its documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from unused import ROOT, find_unused, of_this_project


def test_nothing_public_is_unused():
    unused, n_defined = of_this_project()
    assert n_defined > 1500
    assert [f"{one.file.relative_to(ROOT)}:{one.line} {one.name}" for one in unused] == [], "use it or delete it"


@pytest.mark.parametrize(("source", "unused"), [
    ("def alone(): ...", ["alone"]),
    ("def again(): return again()", ["again"]),
    ("def called(): ...\nprint(called())", []),
    ("def _own(): ...", []),
    ("SIZE = 3", ["SIZE"]),
    ("SIZE: int = 3\nprint(SIZE)", []),
    ("class Found: ...", ["Found"]),
    ("class Found:\n    def size(self): ...\nprint(Found())", ["size"]),
    ("class Found:\n    def size(self): ...\nprint(Found().size())", []),
    ("class Found(Parent):\n    def size(self): ...\nprint(Found())", []),
    ("from other import size\ndef size(): ...\n__all__ = ['size']", ["size"]),
    ("def run_it(): ...\nHERE = Workflow(run='run_it')", []),
    ("def run_it(): ...\nprint('run_it')", ["run_it"]),
])
def test_what_counts_as_a_use(tmp_path: Path, source: str, unused: list[str]):
    file = tmp_path / "one.py"
    file.write_text(source, encoding="utf-8")
    found, _ = find_unused([file], [], [])
    assert [one.name for one in found] == unused


def test_benchmarks_and_documents_are_uses(tmp_path: Path):
    source = tmp_path / "one.py"
    benchmark = tmp_path / "two.py"
    page = tmp_path / "page.md"
    source.write_text("def fast(): ...\ndef shown(): ...\ndef left(): ...\n", encoding="utf-8")
    benchmark.write_text("from one import fast\nfast()\n", encoding="utf-8")
    page.write_text("`one.shown` shows it.\n", encoding="utf-8")
    unused, n_defined = find_unused([source], [benchmark], [page])
    assert (n_defined, [one.name for one in unused]) == (3, ["left"])
