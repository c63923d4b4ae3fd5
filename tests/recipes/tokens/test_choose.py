"""``lingome tokens choose``: the recipe on a small real genome."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.config.schema.settings import load_settings
from lingome.config.tokens.choose import ChooseSettings, NextKmerSettings, SignalSettings, parse_counts
from lingome.core.errors import ConfigError
from lingome.core.rundir import RunDir
from lingome.recipes.tokens.choose import plan, run
from lingome.tokens.load import load_tokenizer

QUICK = NextKmerSettings(
    preset="nano", pretrain_steps=2, windows_per_step=8, window_bp=100, finetune_steps=4, finetune_batch=64,
    n_train=256, n_test=100, markov_bp=300_000,
)
SIGNALS = SignalSettings(count_bp=200_000, test_bp=100_000)
ROOT = Path(__file__).parents[3]


def test_candidates_are_compared_and_one_is_recommended(tmp_path: Path, data_dir: Path) -> None:
    settings = ChooseSettings(
        genome=data_dir / "ci" / "chr20_30M_32M.fa.gz", out=tmp_path / "run", merges=(20,), kmers=(3,), next=QUICK,
        signals=SIGNALS,
    )
    assert dict(plan(settings).rows)["candidates"] == "3, seeds 1: characters, BPE-20, 3-mers"
    assert not settings.out.exists()
    outcome = run(settings)
    done = RunDir.open(settings.out)
    rows = done.read_table("next_kmer")
    assert len(rows) == 15
    assert {row["vocabulary"]: row["merges"] for row in rows} == {"characters": 0, "BPE-20": 20, "3-mers": None}
    by_name = {row["vocabulary"]: row for row in done.read_table("vocabulary_signals")}
    assert by_name["characters"]["bases_per_token"] == 1
    assert by_name["BPE-20"]["bases_per_token"] > 1.3
    assert by_name["BPE-20"]["used_share"] > 0.9
    assert by_name["BPE-20"]["bits_per_base"] < by_name["characters"]["bits_per_base"]
    assert {row["k"] for row in rows} == {2, 3, 4, 5, 6}
    assert all(row["baseline"] > 2 * row["chance"] for row in rows if row["k"] < 5)
    tokenizer = load_tokenizer(settings.out / "tokenizer")
    chosen = done.read_lineage()["recommended"]
    assert tokenizer.vocab_size == by_name[chosen]["vocab_size"]
    assert len(outcome.tables[0].rows) == 5
    controls = done.read_table("next_kmer_controls")
    assert controls[0]["vocabulary"] == chosen
    page = done.report_path.read_text(encoding="utf-8")
    for heading in ("Recommendation", "Choosing the vocabulary", "Cheap signals"):
        assert heading in page
    assert not done.has_table("warnings")


def test_a_causal_model_is_warned_off_byte_pairs(tmp_path: Path, data_dir: Path) -> None:
    settings = ChooseSettings(
        genome=data_dir / "ci" / "chr20_30M_32M.fa.gz", out=tmp_path / "run", merges=(20,), kmers=(3, 6),
        next=QUICK, signals=SIGNALS, purpose="causal", control=False,
    )
    run(settings)
    done = RunDir.open(settings.out)
    assert done.read_lineage()["recommended"] == "6-mers"
    (warning,) = done.read_table("warnings")
    assert warning["level"] == "warn"
    assert 'class="callout warn"><strong>Warning: purpose</strong>' in done.report_path.read_text(encoding="utf-8")
    assert "byte pairs suit masked models" in warning["text"]
    assert "arXiv:2502.07272" in done.report_path.read_text(encoding="utf-8")


def test_merges_that_do_not_exist_are_left_out_and_said(tmp_path: Path) -> None:
    genome = tmp_path / "g.fa"
    genome.write_text(">1\n" + "ACGT" * 5000 + "\n")
    settings = ChooseSettings(
        genome=genome, out=tmp_path / "run", merges=(5, 500), kmers=(), next=QUICK, signals=SIGNALS, control=False
    )
    run(settings)
    done = RunDir.open(settings.out)
    assert {row["vocabulary"] for row in done.read_table("next_kmer")} == {"characters", "BPE-5"}
    (warning,) = done.read_table("warnings")
    assert warning["text"].startswith("training stopped after ")
    assert warning["text"].endswith("not compared: BPE-500")
    with pytest.raises(ConfigError, match="nothing is left to compare"):
        run(settings.replace(merges=(500,), out=tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("text", "numbers"), [
    ("0,50,100,...,200", (0, 50, 100, 150, 200)), ("0:100:50", (0, 50, 100)), ("5", (5,)),
    (" 0, 100 ,300", (0, 100, 300)), ("0:100:50,1_000", (0, 50, 100, 1000)),
    ("10,20,...,40,100", (10, 20, 30, 40, 100)),
])
def test_counts_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_counts(text) == numbers


@pytest.mark.parametrize(("text", "complaint"), [
    ("0,50,...", "no last number"), ("...,5", "two of them before"), ("5,...,50", "two of them before"),
    ("0,50,...,120", "but at 100 or 150"), ("0,x", "'x' is no whole number"), ("0:100", "first:last:step"),
    ("100:0:10", "numbers go up"), ("0,0,...,9", "numbers go up"), ("-5,10", "is no whole number"),
    ("0:100000:1", "too many"), ("0,,5", "is no whole number"), ("1,2,...,...,5", "two of them before"),
])
def test_counts_that_cannot_be_read_are_refused(
    text: str, complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["tokens", "choose", "g.fa", "--merges", text, "-o", str(tmp_path / "run")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert complaint in said
    assert "merges" in said


def test_settings_that_make_no_sense_are_refused() -> None:
    for overrides in (["merges=[0]", "kmers=[]"], ["next.ks=[3,2]"], ["kmers=[9]"], ["purpose=other"]):
        with pytest.raises(ConfigError):
            load_settings(ChooseSettings, None, ["genome=g.fa", *overrides])


def test_shipped_settings_are_valid() -> None:
    files = sorted((ROOT / "configs" / "tokens" / "choose").glob("*.yaml"))
    assert [file.stem for file in files] == ["full", "quick", "standard"]
    for file in files:
        assert len(load_settings(ChooseSettings, file).merges) >= 4
