"""The page of a ladder with a planted law, and of attention's cost."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lingome.core.rundir import RunDir
from lingome.evaluate.scaling.ladder import study_ladder
from lingome.evaluate.scaling.laws import ScalingLaw
from lingome.report.blocks import Figure, Grid, Section
from lingome.report.page import render, spec_of
from lingome.report.sections.scaling import attention_section, scaling_section
from lingome.report.tables import read_tables

LAW = ScalingLaw("chinchilla", (3.0, 60.0, 90.0, 0.4, 0.35))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    rows = [
        {"name": f"{size}-{d}-seed{seed}", "size": size, "tokens_wanted": d, "seed": seed, "parameters": int(1.2 * n),
         "parameters_without_embeddings": int(n), "tokens": d, "steps": 9, "loss": float(LAW.loss(n, d)) + 0.001 * seed,
         "perplexity": float(np.exp(LAW.loss(n, d))), "bits_per_base": float(LAW.loss(n, d)) / 2, "loss_at_start": 7.0,
         "time_s": 6 * n * d / 1e10}
        for size, n in (("32x1", 1e4), ("64x2", 8e4), ("128x4", 6.5e5)) for d in (250_000, 500_000, 1_000_000)
        for seed in ((0, 1) if (size, d) == ("64x2", 500_000) else (0,))
    ]
    lines = [{"name": "token frequencies", "loss": 6.9, "bits_per_base": 3.45}]
    study = study_ladder(rows, seed=0, repeats=20, budget_flops=1e13, baselines=lines)
    run_dir = RunDir(tmp_path_factory.mktemp("ladder"))
    (run_dir.path / "tables").mkdir()
    for name, table in study.tables.items():
        run_dir.write_table(name, table)
    run_dir.write_warnings(study.warnings)
    run_dir.write_table("attention_cost", [
        {"part": part, "length": n, "time_s": 1e-6 * n**power, "memory_bytes": 8 * n**power, "parameters": 100}
        for part, power in (("attention, plain", 2), ("linear", 1)) for n in (128, 256, 512)
    ])
    run_dir.write_table("attention_growth", [{"part": "linear", "measure": "time_s", "exponent": 1.0}])
    run_dir.write_lineage({"title": "Scaling ladder", "answer": study.answer, "workflow": "pretrain"})
    return run_dir


def grids(section: Section) -> dict[str, Grid]:
    return {block.title: block for block in section.blocks if isinstance(block, Grid)}


def test_the_page_shows_laws_recommendation_and_baselines(run: RunDir) -> None:
    section = scaling_section(read_tables(run))
    tables = grids(section)
    laws = {(row[0], row[1], row[2]): row[3] for row in tables["Both laws"].rows}
    assert float(laws["chinchilla", "without embeddings", "alpha"]) == pytest.approx(0.4, abs=0.02)
    assert len(laws) == 5 + 5 + 4
    (first, *_) = tables["The model to train with this budget, with 95% intervals"].rows
    assert first[:3] == ["chinchilla", "without embeddings", "1e+13"]
    assert [row[0] for row in tables["Baselines on the same windows"].rows] == ["token frequencies"]
    assert len(tables["Every run"].rows) == 10
    compute, tokens = (block for block in section.blocks if isinstance(block, Figure))
    assert "token frequencies: 6.900" in compute.text
    assert len(compute.numbers.rows) == 9  # the repeated seed is not drawn
    drawn = json.dumps(spec_of(compute))
    assert all(word in drawn for word in ("loss_low", "token frequencies", "128x4"))
    assert tokens.title.startswith("Chinchilla's law passes the runs within 0.00")


def test_the_page_says_what_grows(run: RunDir) -> None:
    section = attention_section(read_tables(run))
    assert "Compute and memory of attention grow quadratically" in section.lead
    assert "parameters do not" in section.lead
    assert [figure.key for figure in section.blocks] == ["attention-seconds", "attention-bytes"]
    assert "linear: length to the power of 1.00" in section.blocks[0].title


def test_the_whole_page_is_written(run: RunDir) -> None:
    page = render(run)
    assert "Scaling ladder" in page
    assert all(word in page for word in ("loss-compute", "loss-tokens", "attention-bytes", "Attention and length"))
