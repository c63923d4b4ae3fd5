"""What the laws count, on sources small enough to judge by eye: each measure can find a fault, and can pass."""

from __future__ import annotations

from pathlib import Path

import measures
import pytest


def write(folder: Path, source: str) -> Path:
    file = folder / "one.py"
    file.write_text(source, encoding="utf-8")
    return file


def only(folder: Path, source: str) -> measures.Found:
    """The one function of a source."""
    (found,) = measures.find_functions([write(folder, source)])
    return found


def test_functions_methods_and_nested_ones_are_found(tmp_path: Path):
    file = write(tmp_path, '''
def outer():
    def inner(): ...
class Open:
    def method(self): ...
    def _own(self): ...
class _Hidden:
    def method(self): ...
if True:
    async def late(): ...
''')
    found = {one.name: one.public for one in measures.find_functions([file])}
    assert found == {
        "outer": True, "outer.inner": False, "Open.method": True, "Open._own": False, "_Hidden.method": False,
        "late": True,
    }


def test_an_overload_is_no_function_of_its_own(tmp_path: Path):
    kinds = "@overload\ndef f(x: int) -> int: ...\n@typing.overload\ndef f(x: str) -> str: ...\n"
    file = write(tmp_path, f"{kinds}def f(x): ...\n")
    assert len(list(measures.find_functions([file]))) == 1


@pytest.mark.parametrize(("n_lines", "long"), [(60, False), (61, True)])
def test_docstring_and_signature_are_not_counted(tmp_path: Path, n_lines: int, long: bool):
    head = 'def f(\n    a,\n    b,\n):\n    """One.\n\n    Two.\n    """\n'
    found = only(tmp_path, head + "    a = 1\n" * n_lines)
    assert found.n_lines == n_lines
    assert measures.is_long(found) is long


@pytest.mark.parametrize("decorator", ["@njit", "@numba.njit(cache=True)", "@numba.jit(nogil=True)"])
def test_compiled_functions_may_be_long_and_take_many(tmp_path: Path, decorator: str):
    names = ", ".join(f"a{i}" for i in range(9))
    found = only(tmp_path, f"{decorator}\ndef f({names}):\n" + "    a0 = 1\n" * 61)
    assert found.compiled
    assert not measures.is_long(found)
    assert not measures.has_many_parameters(found)
    plain = only(tmp_path, f"@jitter.add\ndef f({names}):\n" + "    a0 = 1\n" * 61)
    assert measures.is_long(plain)
    assert measures.has_many_parameters(plain)


def test_every_kind_of_parameter_counts_and_self_does_not(tmp_path: Path):
    eight = "class A:\n    def f(self, a, b, /, c, d, *e, g, h, **i): ...\n"
    assert not measures.has_many_parameters(only(tmp_path, eight))
    assert measures.has_many_parameters(only(tmp_path, eight.replace("g, h", "g, h, j")))


RAISES = '"""Do it.\n\n    Raises\n    ------\n    DataError\n        If not.\n    """'


def test_a_function_that_raises_says_so(tmp_path: Path):
    silent = only(tmp_path, 'def f():\n    """Do it."""\n    raise DataError\n')
    assert measures.raises(silent)
    assert not measures.says_raises(silent)
    told = only(tmp_path, f"def f():\n    {RAISES}\n    raise DataError\n")
    assert measures.says_raises(told)
    assert not measures.raises(only(tmp_path, "def _f():\n    raise DataError\n"))


def test_raising_again_or_inside_another_function_is_no_raise_of_its_own(tmp_path: Path):
    again = only(tmp_path, "def f():\n    try:\n        g()\n    except OSError:\n        raise\n")
    assert not measures.raises(again)
    nested = write(tmp_path, "def f():\n    def g():\n        raise DataError\n    return g\n")
    outer, _ = measures.find_functions([nested])
    assert not measures.raises(outer)


@pytest.mark.parametrize(("docstring", "said"), [
    ("Take x, an array.", False),
    ("Take x.\n\n    Parameters\n    ----------\n    x : ndarray of float, shape (N, 4)\n    ", True),
    ("Take x of shape (N,).", True),
    ("Take x, (B, L) of int64.", True),
    ("Take max (N,), and nothing more.", False),
])
def test_an_array_has_a_shape(tmp_path: Path, docstring: str, said: bool):
    found = only(tmp_path, f'def f(x: np.ndarray, n: int) -> int:\n    """{docstring}"""\n')
    assert measures.array_names(found) == ["x"]
    assert measures.says_shape(found, "x") is said


def test_a_name_and_a_result_have_shapes(tmp_path: Path):
    found = only(tmp_path, 'def f(x_BLD: Tensor) -> Tensor:\n    """Halve it."""\n')
    assert measures.array_names(found) == ["x_BLD", "return"]
    assert measures.says_shape(found, "x_BLD")
    assert not measures.says_shape(found, "return")


def test_four_parameters_are_documented_each_by_name(tmp_path: Path):
    source = '''
def f(a, b, *c, **d):
    """Do it.

    Parameters
    ----------
    a, b
        Two.
    %s
        The rest.

    Returns
    -------
    d : int
    """
'''
    whole = only(tmp_path, source % "*c, **d")
    assert measures.has_many(whole)
    assert measures.says_parameters(whole)
    assert not measures.says_parameters(only(tmp_path, source % "*c"))  # d stands under Returns alone
    assert not measures.says_parameters(only(tmp_path, 'def f(a, b, c, d):\n    """Take a, b, c and d."""\n'))
    assert not measures.has_many(only(tmp_path, "def f(a, b, c): ...\n"))


@pytest.mark.parametrize(("line", "packed"), [
    ("a, b = 1, 2", True),
    ("a, b = f(a), f(b)", True),
    ("a, b = x = 1, 2", True),
    ("self.a, b = self.a[k], b[k]", True),
    ("a, b = b, a", False),
    ("a, b = b, a + b", False),
    ("a, b = f()", False),
    ("a = 1, 2", False),
    ("a = b = 1", False),
])
def test_packed_assignments(tmp_path: Path, line: str, packed: bool):
    assert measures.packed_assignments(write(tmp_path, f"\n{line}\n")) == ([2] if packed else [])


@pytest.mark.parametrize(("line", "arithmetic"), [
    ('"sequences"[: n > 1]', True),
    ('f"{n} sequences"[: 9 + (n > 1)]', True),
    ('"s" * (n != 1)', True),
    ('["x"] * bool(flag)', True),
    ('(not done) * "s"', True),
    ('("row", "rows")[n > 1]', True),
    ('"s" * 3', False),
    ('["x"] * n', False),
    ("text[: n > 1]", False),
    ('"ACGT"[i]', False),
    ("values[rows == 1]", False),
    ('counts[["A", "C"], rows]', False),
])
def test_string_arithmetic(tmp_path: Path, line: str, arithmetic: bool):
    assert measures.string_arithmetic(write(tmp_path, f"\nx = {line}\n")) == ([2] if arithmetic else [])


def test_the_command_line_counts_and_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measures, "ROOT", tmp_path)
    file = write(tmp_path, "def f(x: Tensor, y, z, n):\n    a, b = x, y\n    raise OSError\n")
    measures.main([str(file)])
    counts = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in counts] == [0, 0, 1, 1, 1, 1, 0]
    measures.main(["--list", str(tmp_path)])
    assert [line.strip() for line in capsys.readouterr().out.splitlines() if line not in counts] == [
        "one.py:1 f", "one.py:1 f x", "one.py:1 f", "one.py:2",
    ]
