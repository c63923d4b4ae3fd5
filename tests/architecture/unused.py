"""Find public functions, classes and constants that nothing uses: ``python tests/architecture/unused.py``.

A use is a name that is read or looked up anywhere in the source or the benchmarks, but in the definition itself; a
word of the documentation; or a name that a call gets as text, as workflows name their functions. Tests are no use, and
neither is an import that only passes a name on. Names alone are compared: one that is used for something else hides
one that is not used.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from measures import ROOT, SOURCE

WORD = re.compile(r"[A-Za-z_]\w*")
BY_NAME = {"Workflow", "getattr"}
"""What is given names of functions as text."""


class Defined(NamedTuple):
    """A public name at the top of a module, or a public method of a class there that has no parents."""

    file: Path
    line: int
    name: str
    node: ast.stmt


def find_definitions(file: Path, tree: ast.Module) -> Iterator[Defined]:
    """Give what a module defines in public, constants included."""
    for node in tree.body:
        for name in _names(node):
            if not name.startswith("_"):
                yield Defined(file, node.lineno, name, node)
        if isinstance(node, ast.ClassDef) and not node.bases:  # parents may call what overrides theirs
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield Defined(file, method.lineno, method.name, method)


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "Workflow":
            return []  # found by its class
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []


def count_uses(node: ast.AST) -> Counter[str]:
    """Count the names that code reads, looks up, imports under another name, or gives to `BY_NAME` as text."""
    found: Counter[str] = Counter()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            found[one.id] += 1
        elif isinstance(one, ast.Attribute):
            found[one.attr] += 1
        elif isinstance(one, ast.ImportFrom):
            found.update(alias.name for alias in one.names if alias.asname)
        elif isinstance(one, ast.Call) and ast.unparse(one.func).rpartition(".")[2] in BY_NAME:
            given = [*one.args, *(keyword.value for keyword in one.keywords)]
            found.update(value.value for value in given if isinstance(value, ast.Constant) and value.value)
    return found


def find_unused(
    sources: Iterable[Path], others: Iterable[Path], documents: Iterable[Path]
) -> tuple[list[Defined], int]:
    """Give the definitions of the sources that nothing uses, and how many there are in all."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sources}
    uses: Counter[str] = Counter()
    for tree in trees.values():
        uses += count_uses(tree)
    for file in others:
        uses += count_uses(ast.parse(file.read_text(encoding="utf-8")))
    for file in documents:
        uses.update(WORD.findall(file.read_text(encoding="utf-8")))
    defined = [one for file, tree in trees.items() for one in find_definitions(file, tree)]
    return [one for one in defined if uses[one.name] <= count_uses(one.node)[one.name]], len(defined)


def of_this_project() -> tuple[list[Defined], int]:
    """Look at the package, its benchmarks and its documentation."""
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *SOURCE.rglob("*.j2")]
    others = [*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "docs").rglob("*.py")]
    return find_unused(sorted(SOURCE.rglob("*.py")), others, documents)


if __name__ == "__main__":
    sys.stdout.writelines(f"{one.file.relative_to(ROOT)}:{one.line} {one.name}\n" for one in of_this_project()[0])
