"""Count what the laws of functions and docstrings ask for: ``python tests/architecture/measures.py [FOLDER ...]``.

A line per fault with ``--list``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "lingome"
MOST_LINES, MOST_PARAMETERS, MANY_PARAMETERS = 60, 8, 4
ARRAY = re.compile(r"\b(ndarray|Tensor|NDArray|csr_matrix)\b")
SHAPE = re.compile(r"\bshapes?\b|\bscalar\b|\(\s*[A-Z0-9][\w +*/.-]*(?:,\s*[\w +*/.-]+)*,?\s*\)")
SHAPED_NAME = re.compile(r"_[A-Z]+$")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Found(NamedTuple):
    """A function, and where it stands."""

    file: Path
    name: str
    node: Function
    public: bool
    compiled: bool

    @property
    def place(self) -> str:
        """File, line and name."""
        return f"{self.file.relative_to(ROOT)}:{self.node.lineno} {self.name}"

    @property
    def parameters(self) -> list[ast.arg]:
        """Every parameter but ``self`` and ``cls``."""
        given = self.node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        every += [one for one in (given.vararg, given.kwarg) if one is not None]
        return [one for one in every if one.arg not in ("self", "cls")]

    @property
    def docstring(self) -> str:
        """Its docstring, empty if there is none."""
        return ast.get_docstring(self.node) or ""

    @property
    def n_lines(self) -> int:
        """Lines of its body; its docstring and its signature are not counted."""
        body = self.node.body
        documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        rest = body[1:] if documented else body
        return (rest[-1].end_lineno or 0) - rest[0].lineno + 1 if rest else 0


def find_functions(files: list[Path]) -> Iterator[Found]:
    """Give every function and method, nested ones too."""
    for file in files:
        yield from _walk(ast.parse(file.read_text(encoding="utf-8")), file, "", True)


def _walk(node: ast.AST, file: Path, prefix: str, public: bool) -> Iterator[Found]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            if any(ast.unparse(one).endswith("overload") for one in child.decorator_list):
                continue  # what follows it has the docstring
            compiled = any(_is_jit(one) for one in child.decorator_list)
            seen = public and not child.name.startswith("_")
            yield Found(file, prefix + child.name, child, seen, compiled)
            yield from _walk(child, file, f"{prefix}{child.name}.", False)
        elif isinstance(child, ast.ClassDef):
            yield from _walk(child, file, f"{prefix}{child.name}.", public and not child.name.startswith("_"))
        else:
            yield from _walk(child, file, prefix, public)


def _is_jit(decorator: ast.expr) -> bool:
    """Say whether a decorator is numba's ``njit`` or ``jit``, called or not."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(name).rpartition(".")[2] in ("jit", "njit")


def is_long(found: Found) -> bool:
    """Say whether a function has more than 60 lines."""
    return not found.compiled and found.n_lines > MOST_LINES


def has_many_parameters(found: Found) -> bool:
    """Say whether a function takes more than 8 parameters."""
    return not found.compiled and len(found.parameters) > MOST_PARAMETERS


def raises(found: Found) -> bool:
    """Say whether a public function has a ``raise`` of its own."""
    return found.public and any(isinstance(node, ast.Raise) and node.exc is not None for node in _own(found.node))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own(child)


def says_raises(found: Found) -> bool:
    """Say whether the docstring has a section ``Raises``."""
    return bool(re.search(r"^Raises\n-+$", found.docstring, re.MULTILINE))


def array_names(found: Found) -> list[str]:
    """Name the parameters that are arrays or tensors; ``return`` for the result."""
    if not found.public:
        return []
    names = [
        one.arg for one in found.parameters if one.annotation is not None and ARRAY.search(ast.unparse(one.annotation))
    ]
    if found.node.returns is not None and ARRAY.search(ast.unparse(found.node.returns)):
        names.append("return")
    return names


def says_shape(found: Found, name: str) -> bool:
    """Say whether the docstring, or the name itself (``x_BLD``), gives the shape of an array."""
    if SHAPED_NAME.search(name):
        return True
    text = found.docstring
    if name == "return":
        return bool(SHAPE.search(text))
    places = [match.start() for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
    return any(SHAPE.search(text[place : place + 220]) for place in places)


def has_many(found: Found) -> bool:
    """Say whether a public function takes four parameters or more."""
    return found.public and not found.compiled and len(found.parameters) >= MANY_PARAMETERS


def says_parameters(found: Found) -> bool:
    """Say whether every parameter is named in a section ``Parameters``."""
    match = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}$|\Z)", found.docstring, re.MULTILINE | re.DOTALL)
    if match is None:
        return False
    return all(re.search(rf"(?<!\w)\*{{0,2}}{re.escape(one.arg)}(?!\w)", match[1]) for one in found.parameters)


def packed_assignments(file: Path) -> list[int]:
    """Give the lines on which unrelated values are assigned side by side: ``a, b = x, y``.

    An exchange (``a, b = b, a + b``), where a value reads what another target is about to replace, needs both at once
    and is none.
    """
    lines = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
            continue
        targets = [target.elts for target in node.targets if isinstance(target, ast.Tuple)]
        if targets and not any(_is_exchange(written, node.value.elts) for written in targets):
            lines.append(node.lineno)
    return lines


def _is_exchange(targets: list[ast.expr], values: list[ast.expr]) -> bool:
    read = [{ast.unparse(one) for one in ast.walk(value) if isinstance(one, ast.expr)} for value in values]
    written = [ast.unparse(target) for target in targets]
    return any(
        name in names for place, name in enumerate(written) for other, names in enumerate(read) if other != place
    )


def string_arithmetic(file: Path) -> list[int]:
    """Give the lines that slice, multiply or index a string, a list or a tuple by a truth value to save an ``if``."""
    lines = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else ast.walk(node.slice)
            if _is_written_out(node.value) and any(_is_truth(one) for one in parts):
                lines.append(node.lineno)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            sides = (node.left, node.right)
            if any(_is_written_out(one) for one in sides) and any(_is_truth(one) for one in sides):
                lines.append(node.lineno)
    return lines


def _is_written_out(node: ast.expr) -> bool:
    """Say whether a value is a string, a list or a tuple that stands in the code as it is."""
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_truth(node: ast.AST) -> bool:
    """Say whether a value is true or false by its form."""
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    called = isinstance(node, ast.Call) and ast.unparse(node.func) == "bool"
    return negated or called or isinstance(node, ast.Compare | ast.BoolOp)


def main(words: list[str]) -> None:
    """Print the counts, and with ``--list`` every fault."""
    listed = "--list" in words
    folders = [Path(word).resolve() for word in words if not word.startswith("--")] or [SOURCE]
    files = sorted(file for folder in folders for file in ([folder] if folder.is_file() else folder.rglob("*.py")))
    functions = list(find_functions(files))
    faults: dict[str, list[str]] = {}
    faults["functions over 60 lines"] = [f"{one.place} {one.n_lines}" for one in functions if is_long(one)]
    faults["functions over 8 parameters"] = [
        f"{one.place} {len(one.parameters)}" for one in functions if has_many_parameters(one)
    ]
    raising = [one for one in functions if raises(one)]
    faults[f"public functions that raise ({len(raising)}) without saying so"] = [
        one.place for one in raising if not says_raises(one)
    ]
    arrays = [(one, name) for one in functions for name in array_names(one)]
    faults[f"arrays ({len(arrays)}) without a shape"] = [
        f"{one.place} {name}" for one, name in arrays if not says_shape(one, name)
    ]
    many = [one for one in functions if has_many(one)]
    faults[f"public functions with 4 parameters or more ({len(many)}), undocumented"] = [
        one.place for one in many if not says_parameters(one)
    ]
    faults["packed assignments"] = [
        f"{file.relative_to(ROOT)}:{line}" for file in files for line in packed_assignments(file)
    ]
    faults["string arithmetic"] = [
        f"{file.relative_to(ROOT)}:{line}" for file in files for line in string_arithmetic(file)
    ]
    for what, found in faults.items():
        sys.stdout.write(f"{len(found):5} {what}\n")
        if listed:
            sys.stdout.writelines(f"        {one}\n" for one in found)


if __name__ == "__main__":
    main(sys.argv[1:])
