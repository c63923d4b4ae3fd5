"""Models by name: vectors, scores, sequences and probabilities are those of the functions below and of the commands."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import lingome as lg
from lingome.cli.main import main
from lingome.core.errors import CheckpointError, ConfigError, DataError
from lingome.embed.encode import TokenVectors

TEXTS = ["ACGTTAGCAT", "GATTACA", "CCGGNTTA"]


@pytest.fixture(scope="module")
def masked() -> lg.Model:
    return lg.load("random:nano", device="cpu")


@pytest.fixture(scope="module")
def causal() -> lg.Model:
    return lg.load("random:gpt-mini", device="cpu")


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    file = tmp_path / "reads.fa"
    file.write_text("".join(f">r{n}\n{text}\n" for n, text in enumerate(TEXTS)))
    return file


def test_a_packaged_model_says_what_it_is():
    assert set(lg.list_models()) >= {"human-mini", "human-dilated"}
    model = lg.load("human-mini", device="cpu")
    assert model.kind == "masked language model"
    for said in ("human-mini", "transformer", "2,846,049 parameters", "609 tokens", "hg19_chr20.fa.gz"):
        assert said in repr(model)
    assert "<table>" in model._repr_html_()


def test_a_name_that_is_none_is_refused_as_on_the_command_line():
    with pytest.raises(CheckpointError, match="there is no model 'human-minni'"):
        lg.load("human-minni")


def test_vectors_have_a_row_per_sequence_and_all_layers_side_by_side(masked: lg.Model):
    vectors = masked.embed(TEXTS)
    assert vectors.shape == (3, 32)
    assert vectors.dtype == np.float32
    assert masked.embed(TEXTS, layer="all").shape == (3, 64)
    np.testing.assert_allclose(masked.embed(TEXTS[1]), vectors[1:2], atol=1e-6)


def test_vectors_of_tokens_have_named_fields(masked: lg.Model):
    found = masked.embed(TEXTS, per="token")
    assert isinstance(found, TokenVectors)
    assert found.cuts.tolist() == [0, 10, 17, 25]
    assert found.embeddings.shape == (25, 32)
    np.testing.assert_allclose(found.embeddings[:10].mean(axis=0), masked.embed(TEXTS)[0], atol=1e-6)


def test_vectors_are_those_of_the_command(masked: lg.Model, fasta: Path, tmp_path: Path):
    out = tmp_path / "v.npz"
    assert main(["embed", "model=random:nano", str(fasta), "layer=all", "device=cpu", "-o", str(out)]) == 0
    np.testing.assert_array_equal(masked.embed(fasta, layer="all"), np.load(out)["embeddings"])


def test_random_weights_take_a_vocabulary(fasta: Path, tmp_path: Path):
    lg.train_bpe(fasta, merges=3).save(tmp_path / "tokens")
    model = lg.load("random:nano", tokenizer=str(tmp_path / "tokens"), device="cpu")
    assert model.tokenizer.vocab_size == model.start.model.config.vocab_size == 12
    out = tmp_path / "v.npz"
    words = ["embed", "model=random:nano", f"tokenizer={tmp_path / 'tokens'}", str(fasta), "device=cpu", "-o", str(out)]
    assert main(words) == 0
    np.testing.assert_array_equal(model.embed(fasta), np.load(out)["embeddings"])


def test_scores_are_those_of_the_command(masked: lg.Model, fasta: Path, tmp_path: Path):
    out = tmp_path / "s.tsv"
    assert main(["score", "random:nano", str(fasta), "strands=both", "device=cpu", "-o", str(out)]) == 0
    with out.open() as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    found = masked.score(fasta, strands="both")
    assert found.ids == ["r0", "r1", "r2"]
    assert found.convention == "pll"
    assert [f"{score:.6f}" for score in found.scores] == [row["score"] for row in rows]
    assert found.columns == list(rows[0])
    assert np.asarray(found).shape == found["bits_per_base"].shape == (3,)
    assert "3 by pll" in repr(found)
    assert found.warnings == ["1 of 3 sequences have letters outside the vocabulary: read, not scored"]
    with pytest.raises(DataError, match="there is no column 'bits'"):
        found["bits"]


def test_variants_come_as_vcf_texts_or_table_and_give_the_scores_of_the_command(masked: lg.Model, tmp_path: Path):
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("ACGT"), 3000))
    (tmp_path / "g.fa").write_text(f">chr1\n{letters}\n")
    genome = lg.open_genome(tmp_path / "g.fa")
    places = [500, 1200, 2999]
    other = dict(zip("ACGT", "CGTA", strict=True))
    lines = [f"chr1\t{place + 1}\t.\t{letters[place]}\t{other[letters[place]]}" for place in places]
    (tmp_path / "v.vcf").write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n" + "\n".join(lines) + "\n")
    out = tmp_path / "s.tsv"
    words = ["score", "model=random:nano", f"variants={tmp_path / 'v.vcf'}", f"genome={tmp_path / 'g.fa'}"]
    assert main([*words, "window_bp=100", "strands=both", "device=cpu", "-o", str(out)]) == 0
    with out.open() as handle:
        expected = [row["score"] for row in csv.DictReader(handle, delimiter="\t")]
    texts = [f"chr1:{place + 1}:{letters[place]}>{other[letters[place]]}" for place in places]
    table = {
        "chrom": ["chr1"] * 3, "pos": [place + 1 for place in places],
        "ref": [letters[place] for place in places], "alt": [other[letters[place]] for place in places],
    }
    for source in (tmp_path / "v.vcf", texts, table):
        found = masked.score_variants(genome, source, strands="both", window_bp=100)
        assert [f"{score:.6f}" for score in found.scores] == expected
    assert masked.score_variants(str(tmp_path / "g.fa"), texts[0], window_bp=100)["pos"].tolist() == [501]
    with pytest.raises(DataError, match="no variant of a genome"):
        masked.score_variants(genome, ["chr1-501"])
    with pytest.raises(DataError, match="the reference allele is not what the genome has"):
        masked.score_variants(genome, [f"chr1:501:{other[letters[500]]}>{letters[500]}"])


def test_sequences_are_those_of_the_command(causal: lg.Model, tmp_path: Path):
    out = tmp_path / "g.fa"
    words = ["generate", "model=random:gpt-mini", "n=2", "length_bp=30", "prompt=ACG", "top_k=3", "device=cpu"]
    assert main([*words, "-o", str(out)]) == 0
    records = out.read_text().split(">")[1:]
    found = causal.generate(n=2, length_bp=30, prompt="ACG", top_k=3)
    assert list(found) == ["".join(record.splitlines()[1:]) for record in records]
    assert all(len(one) == 33 for one in found)
    assert found.table.columns[:2] == ["name", "length"]
    assert "2 sequences" in repr(found)


def test_only_a_causal_model_writes_and_only_a_classifier_predicts(masked: lg.Model):
    with pytest.raises(CheckpointError, match="a causal language model"):
        masked.generate()
    with pytest.raises(CheckpointError, match="a classifier"):
        masked.predict_proba(TEXTS)


def test_an_option_that_is_none_is_named_with_the_near_one(causal: lg.Model):
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        causal.generate(temperatur=1.0)


def test_a_saved_model_is_the_same_model(masked: lg.Model, tmp_path: Path):
    again = lg.load(masked.save(tmp_path / "model"), device="cpu")
    np.testing.assert_array_equal(again.score(TEXTS).scores, masked.score(TEXTS).scores)
    with pytest.raises(DataError, match="exists already"):
        masked.save(tmp_path / "model")
