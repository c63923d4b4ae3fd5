"""``lingome score`` on small real data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lingome.cli.main import main
from lingome.data.genome import Genome
from lingome.data.sequence import as_text
from lingome.data.variants import Edit
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.models.scoring.scores import Allele, score_alleles, score_sequences
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.characters import CharacterTokenizer

CHROM = "chr20_30M_32M"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, tokenizer = tmp_path_factory.mktemp("model") / "checkpoint", CharacterTokenizer()
    save_checkpoint(folder, build_masked_lm("nano", tokenizer.vocab_size, seed=1), tokenizer)
    return folder


@pytest.fixture(scope="module")
def protein_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, tokenizer = tmp_path_factory.mktemp("protein") / "checkpoint", CharacterTokenizer(PROTEIN)
    save_checkpoint(folder, build_masked_lm("nano", tokenizer.vocab_size, seed=1), tokenizer)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_sequences_of_a_table_are_scored_beside_baselines(model: Path, data_dir: Path, tmp_path: Path):
    table, out = data_dir / "ci" / "gue_tf_0_400.csv", tmp_path / "s.tsv"
    few = tmp_path / "few.csv"
    few.write_text("".join(table.read_text().splitlines(keepends=True)[:21]))
    words = ["score", str(model), str(few), "baseline_items=5", "-o", str(out)]
    assert main(words) == 0
    found = rows_of(out)
    sequences = [row["sequence"] for row in rows_of_csv(few)]
    expected = score_sequences(*load_checkpoint(model, "masked_lm"), sequences)
    assert [float(row["score"]) for row in found] == pytest.approx([one.score for one in expected], abs=1e-3)
    assert {row["convention"] for row in found} == {"pll"}
    made = json.loads((tmp_path / "s.tsv.json").read_text())
    assert [row["kind"] for row in made["summary"]] == ["model", "baseline", "baseline"]
    assert made["summary"][1]["n"] == 5
    assert made["formula"] == "sum_i ln p(x_i | x_-i)"
    assert main(words) == 3


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_variants_of_a_genome_are_scored_in_their_windows(
    model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = data_dir / "ci" / "chr20_30M_32M.fa.gz"
    genome = Genome.open(path)
    text = as_text(genome.sequence(CHROM, 500_000, 500_100))
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    places = [10, 11, 30, 64]
    lines = [f"{CHROM}\t{500_001 + at}\tv{at}\t{text[at]}\t{other[text[at]]}\n" for at in places]
    vcf, out = tmp_path / "v.vcf", tmp_path / "s.tsv"
    vcf.write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
    words = ["score", str(model), str(vcf), f"genome={path}", "window_bp=60", "-o", str(out)]
    assert main(words) == 0
    found = rows_of(out)
    alleles = [
        Allele(as_text(genome.sequence(CHROM, 499_970 + at, 500_030 + at)), (Edit(30, text[at], other[text[at]]),))
        for at in places
    ]
    expected = score_alleles(*load_checkpoint(model, "masked_lm"), alleles, "mask_fill")
    assert [float(row["score"]) for row in found] == pytest.approx(expected.tolist(), abs=1e-5)
    assert [(row["id"], row["pos"]) for row in found[:2]] == [("v10", "500011"), ("v11", "500012")]
    # All substitutions of the region hold the same numbers.
    region = f"region={CHROM}:500010-500012"
    assert main(["score", str(model), f"genome={path}", region, "window_bp=60", "-o", str(out), "--force"]) == 0
    everything = {(row["pos"], row["alt"]): row["score"] for row in rows_of(out)}
    assert len(everything) == 6
    for row in found[:2]:
        assert float(everything[row["pos"], row["alt"]]) == pytest.approx(float(row["score"]), abs=1e-5)
    capsys.readouterr()
    vcf.write_text("#CHROM\tPOS\tID\tREF\tALT\n" + lines[0] + f"{CHROM}\t500020\t.\t{text[19]}\t{text[19]}AA\n")
    assert main([*words, "--force"]) == 3
    assert f"{vcf}:3" in capsys.readouterr().err
    assert main([*words, "--force", "indels=leave_out"]) == 0
    assert "left out 1 of 2 variants" in capsys.readouterr().err


def test_mutations_of_a_protein_stand_beside_their_measurement(protein_model: Path, data_dir: Path, tmp_path: Path):
    wild = json.loads((data_dir / "protein" / "dms" / "wildtypes.json").read_text())["gb1"]["wt"]
    fasta, table, out = tmp_path / "gb1.fa", tmp_path / "m.tsv", tmp_path / "s.tsv"
    fasta.write_text(f">gb1\n{wild}\n")
    mutants = [f"{wild[at]}{at + 1}{'A' if wild[at] != 'A' else 'G'}" for at in (3, 8, 20)]
    mutants.append(":".join(mutants[:2]))
    table.write_text("mutant\tfitness\n" + "".join(f"{one}\t{i}\n" for i, one in enumerate(mutants)))
    words = ["score", str(protein_model), str(fasta), f"variants={table}", "measured=fitness", "-o", str(out)]
    assert main([*words, "convention=wt_marginal"]) == 0
    scores = [float(row["score"]) for row in rows_of(out)]
    assert scores[3] == pytest.approx(scores[0] + scores[1], abs=2e-6)  # nothing is masked: the sites add up
    made = json.loads((tmp_path / "s.tsv.json").read_text())
    assert made["summary"][0]["n"] == 4
    assert np.isfinite(made["summary"][0]["spearman"])


def test_mistakes_are_named(
    model: Path, protein_model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    genome = f"genome={data_dir / 'ci' / 'chr20_30M_32M.fa.gz'}"
    fasta, long, table = tmp_path / "p.fa", tmp_path / "long.fa", tmp_path / "m.tsv"
    fasta.write_text(">p\nMKVLA\n")
    long.write_text(f">d\n{'ACGT' * 300}\n")
    table.write_text("mutant\nM1K\nL3A\n")
    place = tmp_path / "v.tsv"
    place.write_text("chrom\tpos\tref\talt\nchr20\t500011\tA\tC\n")
    for words, code, message in (
        ([str(model)], 2, "nothing to score"),
        ([str(model), genome], 2, "variants=FILE or region"),
        ([str(model), str(long), "convention=mask_fill"], 2, "a sequence alone"),
        ([str(model), str(long), "convention=likelihood"], 2, "convention"),
        ([str(model), str(long)], 3, "too_long=window"),
        ([str(model), str(long), "too_long=truncate", "strands=both"], 2, "another end"),
        ([str(model), str(fasta)], 3, "looks like a protein"),
        ([str(protein_model), str(fasta), f"variants={table}"], 3, "m.tsv:3"),
        ([str(protein_model), str(fasta), "strands=both"], 2, "two strands"),
        ([str(protein_model), genome, f"variants={place}"], 2, "does not read DNA"),
        ([str(model), genome, f"variants={place}"], 3, CHROM),
        ([str(model), genome, f"region={CHROM}:10-20", "step_bp=400"], 2, "at most half"),
        ([str(model), str(long), f"variants={place}"], 2, "lie on a genome"),
        (["random:tiny", str(long), "convention=log_likelihood"], 2, "for a masked model"),
    ):
        assert main(["score", *words, "-o", str(tmp_path / "s.tsv")]) == code, words
        assert message in capsys.readouterr().err, words
    assert not (tmp_path / "s.tsv").exists()
    assert main(["score", str(model), str(long), "too_long=window", "--dry-run"]) == 0
    assert "1,200 letters" in capsys.readouterr().err
