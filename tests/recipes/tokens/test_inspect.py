"""``lingome tokens inspect``: the recipe on real sequence, and what it says to wrong input."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.config.schema.settings import load_settings
from lingome.config.tokens.inspect import InspectSettings
from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.core.rundir import RunDir
from lingome.data.genome import Genome
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.recipes.tokens.inspect import plan, run
from lingome.report.page import write_report
from lingome.report.sections.overview import build_sections
from lingome.report.tables import read_tables
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """A vocabulary of the 2-Mb slice, a model of it with random weights, and small files."""
    place = tmp_path_factory.mktemp("shelf")
    bases = Genome.open(data_dir / "ci" / "chr20_30M_32M.fa.gz").sequence("chr20_30M_32M")
    tokenizer = train_bpe([bases], 50).tokenizer
    tokenizer.save(place / "bpe")
    save_checkpoint(place / "model", build_masked_lm("nano", tokenizer.vocab_size), tokenizer)
    KmerTokenizer(4).save(place / "4mers")
    CharacterTokenizer().save(place / "letters")
    CharacterTokenizer(PROTEIN).save(place / "protein")
    other = train_bpe([bases[:100_000]], 50).tokenizer
    assert other.vocab_size == tokenizer.vocab_size
    save_checkpoint(place / "other", build_masked_lm("nano", other.vocab_size), other)
    (place / "small.fa").write_text(">c\nACGTTTGACCA\n")
    (place / "proteins.fa").write_text(">p\nMKVLEEFWQPMKK\n>q\nMWY\n")
    (place / "n.fa").write_text(">c\nNNNN\n")
    (place / "empty.fa").write_text("")
    (place / "empty.bed").write_text("")
    (place / "elsewhere.bed").write_text("chr7\t1\t5\n")
    (place / "beyond.bed").write_text("c\t1\t500\n")
    return place


def test_a_vocabulary_is_inspected_with_annotation_and_model(shelf: Path, tmp_path: Path, data_dir: Path) -> None:
    ci = data_dir / "ci"
    settings = InspectSettings(
        tokenizer=shelf / "bpe", genome=ci / "chr20_30M_32M.fa.gz", out=tmp_path / "run", model=str(shelf / "model"),
        annotation={"repeats": ci / "chr20_30M_32M_repeats.bed.gz", "cpg": ci / "chr20_30M_32M_cpg_islands.bed"},
        n_windows=6, window_tokens=60,
    )
    assert "reads 720 tokens" in dict(plan(settings).rows)["model"]
    assert not settings.out.exists()
    outcome = run(settings)
    assert outcome.message.startswith("54 tokens read 2,000,000 letters as ")
    folder = RunDir.open(settings.out)
    tokens = {row["token"]: row for row in folder.read_table("tokens")}
    assert sum(row["count"] * row["length_bp"] for row in tokens.values()) == 2_000_000
    assert sum(row["count_reverse"] * row["length_bp"] for row in tokens.values()) == 2_000_000
    assert "CG" not in tokens
    inside = {(row["annotation"], row["token"]): row for row in folder.read_table("token_annotation")}
    assert len(inside) == 108
    assert inside["cpg", "GC"]["ratio"] > 3 > 1 > inside["cpg", "TTT"]["ratio"]
    assert tokens["GC"]["cpg_ratio"] == inside["cpg", "GC"]["ratio"]
    assert len(folder.read_table("merge_tree")) == 54
    assert len(folder.read_table("token_map")) == sum(row["count"] > 0 for row in tokens.values())
    assert {row["axis"] for row in folder.read_table("token_axes")} == {f"PC{index}" for index in range(1, 7)}
    assert folder.has_table("token_axes_random")
    similar = folder.read_table("self_similarity")
    assert {row["layer"] for row in similar} == {0, 1}
    assert all(row["self_similarity"] == pytest.approx(1, abs=1e-4) for row in similar if row["layer"] == 0)
    assert all(row["n"] >= settings.min_occurrences for row in similar)
    page = write_report(folder)
    assert page.stat().st_size < 3_000_000
    text = page.read_text()
    for key in ("tokens", "annotation", "tree", "token-axes", "self-similarity"):
        assert f'<section id="{key}">' in text


def sections(folder: RunDir) -> list[str]:
    """Sections of the run's page, in order."""
    return [section.key for section in build_sections(read_tables(folder), [], folder.read_lineage(), "")]


@pytest.mark.parametrize(("name", "tokens"), [("4mers", 256), ("letters", 4)])
def test_fixed_vocabularies_have_no_tree(shelf: Path, tmp_path: Path, name: str, tokens: int) -> None:
    settings = InspectSettings(tokenizer=shelf / name, genome=shelf / "small.fa", out=tmp_path / "run")
    run(settings)
    folder = RunDir.open(settings.out)
    assert len(folder.read_table("tokens")) == tokens
    assert not folder.has_table("merge_tree")
    assert "no tree" in folder.read_table("warnings")[0]["text"]
    assert sections(folder) == ["tokens", "reproduce", "methods"]


def test_protein_leaves_out_what_means_nothing(shelf: Path, tmp_path: Path) -> None:
    settings = InspectSettings(tokenizer=shelf / "protein", genome=shelf / "proteins.fa", out=tmp_path / "run")
    run(settings)
    folder = RunDir.open(settings.out)
    rows = {row["token"]: row for row in folder.read_table("tokens")}
    assert rows["K"]["count"] == 3
    assert {row["gc"] for row in rows.values()} == {None}
    assert "GC content" in folder.read_table("warnings")[1]["text"]
    assert sections(folder) == ["tokens", "reproduce", "methods"]


def test_vectors_over_contexts_are_another_choice(shelf: Path, tmp_path: Path, data_dir: Path) -> None:
    ways = {}
    for vectors in ("input", "contextual"):
        settings = InspectSettings(
            tokenizer=shelf / "bpe", genome=data_dir / "ci" / "chr20_30M_32M.fa.gz", model=str(shelf / "model"),
            out=tmp_path / vectors, n_windows=4, window_tokens=100, vectors=vectors, random_control=False,
        )
        run(settings)
        ways[vectors] = RunDir.open(settings.out)
        assert not ways[vectors].has_table("token_axes_random")
    assert ways["input"].read_table("token_map") != ways["contextual"].read_table("token_map")
    assert len(ways["contextual"].read_table("token_map")) <= len(ways["input"].read_table("token_map"))


@pytest.mark.parametrize(("changes", "kind", "message"), [
    ({"genome": "n.fa"}, DataError, "no known letter"),
    ({"genome": "empty.fa"}, DataError, "empty"),
    ({"genome": "nowhere.fa"}, DataError, "no such file"),
    ({"genome": "proteins.fa"}, DataError, "looks like a protein"),
    ({"tokenizer": "protein"}, DataError, "this looks like DNA"),
    ({"tokenizer": "nowhere"}, DataError, "no tokenizer"),
    ({"annotation": {"x": "elsewhere.bed"}}, DataError, "no chromosome 'chr7'"),
    ({"annotation": {"x": "beyond.bed"}}, DataError, "leaves its chromosome"),
    ({"annotation": {"x": "empty.bed"}}, DataError, "empty|no interval"),
    ({"annotation": {"x": "nowhere.bed"}}, DataError, "no such file"),
    ({"model": "other"}, CheckpointError, "another vocabulary"),
    ({"model": "nowhere"}, CheckpointError, "no model"),
])
def test_wrong_input_is_explained(
    shelf: Path, tmp_path: Path, changes: dict[str, object], kind: type[Exception], message: str
) -> None:
    values: dict[str, object] = {"tokenizer": "bpe", "genome": "small.fa", **changes}
    for name in ("tokenizer", "genome", "model"):
        if name in values:
            values[name] = str(shelf / str(values[name]))
    annotation = values.get("annotation", {})
    assert isinstance(annotation, dict)
    values["annotation"] = {name: shelf / file for name, file in annotation.items()}
    settings = InspectSettings.model_validate({**values, "out": tmp_path / "run"})
    with pytest.raises(kind, match=message):
        run(settings)
    assert not settings.out.exists()


def test_the_index_of_a_fasta_finds_wrong_annotation_before_the_pass(shelf: Path, tmp_path: Path) -> None:
    genome = tmp_path / "g.fa"
    genome.write_text(">c\nACGTTTG\n>broken\n!!!\n")
    Path(f"{genome}.fai").write_text("c\t7\t3\t7\t8\nbroken\t3\t19\t3\t4\n")
    settings = InspectSettings(
        tokenizer=shelf / "bpe", genome=genome, out=tmp_path / "run", annotation={"x": shelf / "beyond.bed"}
    )
    with pytest.raises(DataError, match="leaves its chromosome"):
        run(settings)


def test_settings_that_make_no_sense_are_refused() -> None:
    for override in ("window_tokens=5", "annotation.9x=a.bed", "vectors=none", "annotation.a-b=a.bed"):
        with pytest.raises(ConfigError):
            load_settings(InspectSettings, None, ["tokenizer=t", "genome=g.fa", override])


def test_the_command_line(shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bed = tmp_path / "a.bed"
    bed.write_text("c\t0\t4\nchr9\t0\t4\n")
    words = ["tokens", "inspect", str(shelf / "letters"), "--genome", str(shelf / "small.fa")]
    assert main([*words, "--annotation", f"x={bed}", "-o", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr()
    assert "x_ratio" in shown.out
    assert "left out 1 intervals on 1 chromosomes" in shown.err
    assert main([*words, "--annotation", "x", "-o", str(tmp_path / "other")]) == 2
    assert "name=FILE.bed" in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "run")]) == 3
    assert main([*words, "--dry-run", "-o", str(tmp_path / "dry")]) == 0
    assert not (tmp_path / "dry").exists()


def test_shipped_settings_are_valid() -> None:
    files = sorted((ROOT / "configs" / "tokens" / "inspect").glob("*.yaml"))
    assert len(files) == 2
    for file in files:
        assert load_settings(InspectSettings, file).tokenizer == Path("runs/bpe600")
