"""``import lingome as lg``: quick, lazy, and complete."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import lingome as lg
from lingome.config.embed import EmbedSettings
from lingome.config.finetune import FinetuneSettings
from lingome.config.generate import GenerateSettings
from lingome.config.parts.task import TaskSettings
from lingome.config.score import ScoreSettings

HEAVY = ("torch", "numpy", "numba", "sklearn", "pydantic", "rich", "transformers", "pysam")


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_takes_no_time_and_loads_nothing_heavy():
    code = (
        "import sys, time; start = time.perf_counter(); import lingome as lg; took = time.perf_counter() - start; "
        f"print(took, [name for name in {HEAVY} if name in sys.modules])"
    )
    took, loaded = min((run_python(code) for _ in range(3)), key=lambda line: float(line.split()[0])).split(" ", 1)
    assert float(took) < 0.1
    assert loaded == "[]"


def test_every_name_is_there_and_has_a_docstring():
    assert len(lg.__all__) == 18
    for name in lg.__all__:
        assert getattr(lg, name).__doc__, name
        assert name in dir(lg)


def test_a_name_that_is_not_there_is_refused_with_the_names_that_are():
    with pytest.raises(AttributeError, match=r"no attribute 'finetun'; its names are .*finetune"):
        lg.finetun  # noqa: B018


def test_a_package_and_a_function_share_a_name_whatever_is_imported_first():
    code = "import lingome.report.page, lingome as lg; print(callable(lg.report), lg.report.page.write_report.__name__)"
    assert run_python(code) == "True write_report"
    code = "import lingome as lg; lg.report; import lingome.report.page; print(callable(lg.report))"
    assert run_python(code) == "True"
    assert callable(lg.evaluate)


@pytest.mark.parametrize(("function", "settings"), [
    (lg.Model.embed, EmbedSettings), (lg.Model.score, ScoreSettings), (lg.Model.score_variants, ScoreSettings),
    (lg.finetune, FinetuneSettings), (lg.Task.from_bed, TaskSettings), (lg.Task.from_sites, TaskSettings),
    (lg.Model.generate, GenerateSettings),
])
def test_defaults_are_those_of_the_command_line(function, settings):
    own = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    fields = settings.model_fields
    shared = [name for name in own if name in fields and own[name] is not inspect.Parameter.empty and name != "split"]
    assert shared
    for name in shared:
        theirs = fields[name].default
        if name == "method":
            theirs = theirs[0]
        if own[name] is not None:  # None: the settings decide
            assert own[name] == theirs or (function, name) in KNOWN, name


KNOWN = {(lg.finetune, "model")}
