from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from lingome.core.errors import MissingExtraError
from lingome.core.outcome import Table

SCORES = Table("scores", ("name", "n", "auroc"), [("TF-IDF", 1200, 0.87512), ("<b>majority</b>", None, None)])


def test_numbers_come_out_whole():
    assert SCORES.to_dicts()[0] == {"name": "TF-IDF", "n": 1200, "auroc": 0.87512}
    assert len(SCORES) == 2


def test_text_is_aligned_and_shows_three_digits():
    assert repr(SCORES).splitlines() == [
        "scores (2 rows)",
        "name                n  auroc",
        "TF-IDF           1200  0.875",
        "<b>majority</b>",
    ]
    assert "1,200" in repr(Table("t", ("n",), [(1200,)], thousands=True))
    assert repr(Table("empty", ("a", "b"), [])) == "empty (0 rows)\na  b"


def test_a_notebook_gets_a_table_with_escaped_text():
    shown = SCORES._repr_html_()
    assert shown.startswith("<table><caption>scores</caption>")
    assert "&lt;b&gt;majority&lt;/b&gt;" in shown
    assert '<td style="text-align: right">0.875</td>' in shown
    assert shown.count("<tr>") == 3


def test_without_pandas_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"lingome\[pandas\]"):
        SCORES.to_pandas()


def test_pandas_gets_rows_and_columns(monkeypatch: pytest.MonkeyPatch):
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda rows, columns: (rows, columns)
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    rows, columns = SCORES.to_pandas()
    assert rows == [["TF-IDF", 1200, 0.87512], ["<b>majority</b>", None, None]]
    assert columns == ["name", "n", "auroc"]


def test_importing_it_is_light():
    code = "import sys, lingome.core.outcome; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "lingome.core.outcome" in loaded
    assert not {"numpy", "pandas", "torch"} & set(loaded)
