"""``lingome tokens vectors``, and its model wherever a model goes, on small real data."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lingome.cli.main import main
from lingome.config.schema.settings import load_settings
from lingome.config.tokens.vectors import VectorsSettings
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.recipes.tokens.vectors import plan, run
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.tokenizer import Tokenizer

ROOT = Path(__file__).parents[3]
CHROM = "chr20_30M_32M"


@pytest.fixture(scope="module")
def genome(data_dir: Path) -> Path:
    return data_dir / "ci" / f"{CHROM}.fa.gz"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, genome: Path) -> Path:
    from lingome.data.genome import Genome

    folder = tmp_path_factory.mktemp("bpe")
    train_bpe([Genome.open(genome).sequence(CHROM, 500_000, 600_000)], 60).tokenizer.save(folder)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, genome: Path) -> Path:
    settings = VectorsSettings(
        tokenizer=tokenizer, genome=genome, out=tmp_path_factory.mktemp("vectors") / "run", dims=16, epochs=1,
        exclude=(f"{CHROM}:800000-2000000",),
    )
    shown = dict(plan(settings).rows)
    assert shown["learnt from"].startswith("800,000 bases")
    assert not settings.out.exists()
    outcome = run(settings)
    assert "Of random vectors" in outcome.message
    assert [row[0] for row in outcome.tables[0].rows] == [f"PC{i}" for i in range(1, 7)]
    return settings.out


def test_the_run_says_what_it_read_and_what_it_found(finished: Path, genome: Path) -> None:
    opened = RunDir.open(finished)
    lineage = opened.read_lineage()
    assert [(one["by"], one["start"], one["end"]) for one in lineage["data_seen"]] == [("word2vec", 0, 800_000)]
    assert lineage["gensim"]
    used = [row["token"] for row in opened.read_table("vocabulary") if row["count"]]
    near = opened.read_table("neighbours")
    assert [row["token"] for row in near if row["rank"] == 1] == used
    assert len(near) == 10 * len(used)
    assert {row["token"] for row in opened.read_table("token_map")} == set(used)
    axes, control = opened.read_table("token_axes"), opened.read_table("token_axes_control")
    assert axes[0]["variance"] > 1.3 * control[0]["variance"]  # random vectors vary alike along all axes
    assert {row["control"] for row in control} == {"random"}
    metrics = opened.read_metrics()
    assert metrics[-1]["loss"] < metrics[0]["loss"]
    body, tokenizer = load_checkpoint(opened.checkpoint_path, "body")
    assert sorted(tokenizer.vocab[i] for i in body.tokens.weight.detach().abs().sum(dim=1).nonzero()[:, 0]) == sorted(
        used
    )


def test_vectors_are_features_wherever_a_model_is(finished: Path, data_dir: Path, tmp_path: Path) -> None:
    table, out = str(data_dir / "ci" / "gue_tf_0_400.csv"), tmp_path / "v.npz"
    assert main(["embed", table, "-m", str(finished), "-o", str(out)]) == 0
    body, tokenizer = load_checkpoint(finished / "checkpoint", "body")
    with np.load(out, allow_pickle=False) as archive:
        first = Path(table).read_text().splitlines()[1].split(",")[0]
        ids = tokenizer.encode(first).input_ids.astype(np.int64)
        by_hand = body.tokens.weight.detach().numpy()[ids].mean(axis=0)
        assert np.allclose(archive["embeddings"][0], by_hand, atol=1e-5)
    tuned, scores = tmp_path / "tuned", tmp_path / "p.tsv"
    words = [table, "-m", str(finished), "method=features", "baselines=false", "resamples=100"]
    assert main(["finetune", *words, "-o", str(tuned)]) == 0
    rows = RunDir.open(tuned).read_table("scores")
    assert [row["kind"] for row in rows] == ["model", "baseline"]  # the control: a table of random numbers
    assert rows[0]["auroc"] > 0.65
    assert load_checkpoint(tuned / "checkpoint", "classifier")[0].config.algorithm == "cbow"
    seen = RunDir.open(tuned).read_lineage()["data_seen"]
    assert ("word2vec", 0, 800_000) in [(one["by"], one["start"], one["end"]) for one in seen]
    assert main(["predict", str(tuned), table, "-o", str(scores)]) == 0
    assert len(scores.read_text().splitlines()) == 401
    assert main(["evaluate", str(tuned), "-o", str(tmp_path / "measured"), "baselines=false", "resamples=100"]) == 0
    again = RunDir.open(tmp_path / "measured").read_table("scores")
    assert again[0]["auroc"] == pytest.approx(rows[0]["auroc"])


@pytest.mark.parametrize(("command", "words", "code", "said"), [
    ("finetune", ["method=full"], 2, "no layers to train (all layers)"),
    ("finetune", ["method=last:1"], 2, "no layers to train (last layer)"),
    ("embed", ["pooling=cls"], 2, "nothing at [CLS]"),
    ("embed", ["layer=1"], 2, "no such layer"),
])
def test_what_needs_more_than_a_table_is_refused(
    command: str, words: list[str], code: int, said: str, finished: Path, data_dir: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, out = data_dir / "ci" / "gue_tf_0_400.csv", tmp_path / "out.npz"
    assert main([command, str(table), "-m", str(finished), "-o", str(out), *words]) == code
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_a_table_cannot_be_measured_as_a_language_model(
    finished: Path, genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(finished), str(genome), "-o", str(tmp_path / "out")]) == 3
    assert "no probability to letters got: static vectors" in " ".join(capsys.readouterr().err.split())


def test_shuffled_tokens_leave_nothing_but_counts(tokenizer: Path, genome: Path, tmp_path: Path) -> None:
    settings = VectorsSettings(
        tokenizer=tokenizer, genome=genome, out=tmp_path / "run", dims=16, epochs=1, control="shuffled",
        exclude=(f"{CHROM}:200000-2000000",),
    )
    assert "Of shuffled vectors" in run(settings).message
    opened = RunDir.open(settings.out)
    largest: dict[str, float] = {}
    for name in ("token_axes", "token_axes_control"):
        rows = [row for row in opened.read_table(name) if row["correlates_with"] == "GC content"]
        largest[name] = max(abs(row["correlation"]) for row in rows)
    assert largest["token_axes"] > 0.5 > largest["token_axes_control"]


def test_bad_input_has_its_exit_code(
    tokenizer: Path, genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protein = tmp_path / "protein"
    CharacterTokenizer(PROTEIN).save(protein)
    (tmp_path / "empty.fa").write_text("")
    (tmp_path / "n.fa").write_text(">a\nNNNNNNNN\n")
    cases: list[tuple[Path, Path, list[str], int, str]] = [
        (tokenizer, genome, ["algorithm=glove"], 2, "cbow"),
        (tokenizer, genome, ["--dims", "0"], 2, "dims"),
        (tokenizer, genome, ["chroms=[chr7]"], 3, "no chromosome 'chr7'"),
        (tokenizer, genome, [f"exclude=[{CHROM}:0-2000000]"], 3, "nothing is left"),
        (protein, genome, [], 2, "does not read DNA"),
        (tokenizer, tmp_path / "empty.fa", [], 3, "empty"),
        (tokenizer, tmp_path / "n.fa", [], 3, "no known sequence"),
        (tmp_path, genome, [], 3, "no tokenizer here"),
    ]
    for folder, fasta, words, code, said in cases:
        out = tmp_path / "run"
        assert main(["tokens", "vectors", str(folder), "--genome", str(fasta), "-o", str(out), *words]) == code, said
        assert said in " ".join(capsys.readouterr().err.split())
        assert not out.exists()


def test_without_the_extra_the_exit_code_is_four(
    tokenizer: Path, genome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.import_module

    def lacking(name: str, package: str | None = None) -> Any:
        if name.startswith("gensim"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", lacking)
    words = ["tokens", "vectors", str(tokenizer), "--genome", str(genome), "-o", str(tmp_path / "run")]
    assert main(words) == 4
    assert "lingome[vectors]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_shipped_settings_are_valid() -> None:
    files = sorted((ROOT / "configs" / "tokens" / "vectors").glob("*.yaml"))
    assert len(files) == 1
    settings = load_settings(VectorsSettings, files[0])
    assert settings.control == "shuffled"
    with pytest.raises(ConfigError, match="epochs"):
        load_settings(VectorsSettings, files[0], ["epochs=0"])


def test_a_kind_that_overlaps_is_warned_of(genome: Path, tmp_path: Path) -> None:
    from lingome.tokens.kmers import KmerTokenizer

    tokenizer: Tokenizer = KmerTokenizer(3, overlap=True)
    tokenizer.save(tmp_path / "t")
    run(VectorsSettings(
        tokenizer=tmp_path / "t", genome=genome, out=tmp_path / "run", dims=8, epochs=1,
        exclude=(f"{CHROM}:50000-2000000",),
    ))
    topics = [row["topic"] for row in RunDir.open(tmp_path / "run").read_table("warnings")]
    assert topics == ["overlapping tokens", "little text"]
