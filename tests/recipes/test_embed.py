"""``lingome embed`` on small real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lingome.cli.main import main
from lingome.core.files import digest_file
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.embed.encode import embed_pieces
from lingome.models.folders.checkpoint import load_checkpoint, save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.models.reading.pieces import cut_to_fit
from lingome.models.reading.reader import Reader
from lingome.tokens.kmers import KmerTokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    tokenizer = KmerTokenizer(3, False)
    save_checkpoint(folder, build_masked_lm("nano", tokenizer.vocab_size, seed=1), tokenizer)
    return folder


def test_a_table_becomes_one_archive(model: Path, data_dir: Path, tmp_path: Path):
    out = tmp_path / "vectors.npz"
    assert main(["embed", str(data_dir / "ci" / "gue_tf_0_400.csv"), "-m", str(model), "-o", str(out)]) == 0
    with np.load(out, allow_pickle=False) as archive:
        assert archive["embeddings"].shape == (len(archive["ids"]), 32)
        assert archive["embeddings"].dtype == np.float32
        assert str(archive["model_sha256"]) == digest_file(model / "model.safetensors")
        assert (str(archive["pooling"]), int(archive["layer"]), str(archive["too_long"])) == ("mean", -1, "error")
    assert main(["embed", str(data_dir / "ci" / "gue_tf_0_400.csv"), "-m", str(model), "-o", str(out)]) == 3


def test_windows_of_a_genome_keep_their_order_and_long_ones_follow_the_policy(
    model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = data_dir / "ci" / "chr20_30M_32M.fa.gz"
    bed, out = tmp_path / "w.bed", tmp_path / "v.npz"
    bed.write_text("chr20_30M_32M\t500000\t502000\nchr20_30M_32M\t1000\t1200\tx\t0\t-\n")
    words = ["embed", str(path), str(bed), "-m", str(model), "-o", str(out), "layer=0"]
    assert main(words) == 3
    assert "too_long=window" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "too_long=window", "batch_tokens=300"]) == 0
    assert "1 of 2 sequences are longer" in capsys.readouterr().err
    body, tokenizer = load_checkpoint(model, "body")
    genome = Genome.open(path)
    texts = [
        genome.text(Interval("chr20_30M_32M", 500_000, 502_000)),
        genome.text(Interval("chr20_30M_32M", 1000, 1200, "-")),
    ]
    pieces = cut_to_fit(tokenizer, texts, body.config.max_positions, "window")
    expected = embed_pieces(Reader.of(body, torch.device("cpu")), tokenizer, pieces, layer=0)
    with np.load(out, allow_pickle=False) as archive:
        assert archive["ids"].tolist() == ["chr20_30M_32M:500000-502000", "chr20_30M_32M:1000-1200(-)"]
        assert np.abs(archive["embeddings"] - expected).max() < 1e-5
        assert int(archive["n_long"]) == 1


def test_dry_run_and_mistakes(model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table, out = str(data_dir / "ci" / "ctcf_600.tsv"), str(tmp_path / "v.npz")
    assert main(["embed", table, "-m", str(model), "-o", out, "--dry-run"]) == 0
    assert "600 x 32" in capsys.readouterr().err
    assert not Path(out).exists()
    for words, code, message in (
        ([], 2, "nothing to embed"),
        ([table, "layer=9"], 2, "no such layer"),
        ([table, "pooling=sum"], 2, "pooling"),
    ):
        assert main(["embed", *words, "-m", str(model), "-o", out]) == code
        assert message in capsys.readouterr().err


def test_a_vector_a_token_or_a_base(model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    fasta = tmp_path / "two.fa"
    fasta.write_text(">one\nACGTTGCA\n>two\nGGT\n")
    words = ["embed", str(fasta), "-m", str(model), "layer=1"]
    assert main([*words, "per=token", "-o", str(tmp_path / "t.npz")]) == 0
    assert main([*words, "per=base", "-o", str(tmp_path / "b.npz")]) == 0
    assert main([*words, "per=token", "-o", str(tmp_path / "t.npy")]) == 0
    assert main([*words, "per=base", "-o", str(tmp_path / "b.npy")]) == 0
    assert "11 vectors of 32 numbers (0.0 MB)" in capsys.readouterr().err
    with np.load(tmp_path / "t.npz") as tokens, np.load(tmp_path / "b.npz") as bases:
        assert tokens["cuts"].tolist() == [0, 4, 5]  # ACG TTG C A, GGT
        assert list(zip(tokens["starts"], tokens["ends"], strict=True)) == [(0, 3), (3, 6), (6, 7), (7, 8), (0, 3)]
        assert np.array_equal(bases["embeddings"], tokens["embeddings"][[0, 0, 0, 1, 1, 1, 2, 3, 4, 4, 4]])
        assert (bases["cuts"].tolist(), str(bases["per"])) == ([0, 8, 11], "base")
        assert np.array_equal(np.load(tmp_path / "t.npy"), tokens["embeddings"])
        assert np.array_equal(np.load(tmp_path / "b.npy"), bases["embeddings"])
    lines = (tmp_path / "t.tsv").read_text().splitlines()
    assert "# per=token" in lines
    assert lines[-5:-3] == ["one\t0\t0\t3", "one\t1\t3\t6"]
    assert (tmp_path / "b.tsv").read_text().splitlines()[-3:] == ["id\tfirst_row\tend_row", "one\t0\t8", "two\t8\t11"]
    assert main([*words, "per=token", "-o", str(tmp_path / "b.npy")]) == 3
    assert main([*words, "per=token", "pooling=max", "-o", str(tmp_path / "x.npz")]) == 2
    assert "is not pooled" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_lower_precision_says_its_error(
    model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
):
    words = ["embed", str(data_dir / "ci" / "gue_tf_0_400.csv"), "-m", str(model)]
    assert main([*words, f"precision={precision}", "-o", str(tmp_path / "rough.npz")]) == 0
    assert f"precision {precision}: 1 - cosine to fp32 is at most " in capsys.readouterr().err
    assert main([*words, "-o", str(tmp_path / "exact.npz")]) == 0
    with np.load(tmp_path / "rough.npz") as rough, np.load(tmp_path / "exact.npz") as exact:
        one, other = rough["embeddings"], exact["embeddings"]
        cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
        assert abs(float(rough["cosine_fp32"]) - cosine.min()) < 1e-5
        assert not np.array_equal(one, other)
        assert (str(rough["precision"]), float(exact["cosine_fp32"])) == (precision, 1.0)


def test_order_and_batches_change_nothing(model: Path, data_dir: Path, tmp_path: Path):
    lines = (data_dir / "ci" / "gue_tf_0_400.csv").read_text().splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    for table, out, more in ((turned, "turned.npz", "batch_tokens=64"), (data_dir / "ci" / "gue_tf_0_400.csv", "as.npz",
                                                                     "batch_tokens=5000")):
        assert main(["embed", str(table), "-m", str(model), more, "-o", str(tmp_path / out)]) == 0
    with np.load(tmp_path / "turned.npz") as one, np.load(tmp_path / "as.npz") as other:
        assert np.abs(one["embeddings"][::-1] - other["embeddings"]).max() < 1e-5


def test_a_warning_before_gigabytes(
    model: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("lingome.recipes.embed.MANY_BYTES", 1000)
    table, out = str(data_dir / "ci" / "gue_tf_0_400.csv"), str(tmp_path / "v.npz")
    assert main(["embed", table, "-m", str(model), "-o", out, "per=base"]) == 0
    assert "all in memory at once; -o X.npy" in capsys.readouterr().err


def test_dna_for_a_model_of_protein_is_doubted(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    letters, table = tmp_path / "letters", str(data_dir / "ci" / "gue_tf_0_400.csv")
    assert main(["tokens", "train", "--kind", "characters", "alphabet=protein", "-o", str(letters)]) == 0
    words = ["-m", "random:nano", f"tokenizer={letters}"]
    assert main(["embed", table, *words, "-o", str(tmp_path / "v.npz")]) == 0
    assert "look like DNA" in capsys.readouterr().err
    quick = ["seeds=1", "tune.epochs=0.1", "resamples=100", "baselines=false", "method=features"]
    assert main(["finetune", table, *words, *quick, "-o", str(tmp_path / "run")]) == 0
    assert "look like DNA" in capsys.readouterr().err
    assert "look like DNA" in (tmp_path / "run" / "tables" / "warnings.tsv").read_text()


@pytest.mark.parametrize("preset", ["tiny", "dilated-tiny"])
def test_all_layers_side_by_side(preset: str, data_dir: Path, tmp_path: Path):
    table = str(data_dir / "ci" / "ctcf_600.tsv")

    def vectors(layer: object) -> np.ndarray:
        out = tmp_path / f"{layer}.npz"
        assert main(["embed", table, "-m", f"random:{preset}", f"layer={layer}", "-o", str(out)]) == 0
        with np.load(out, allow_pickle=False) as archive:
            assert str(archive["layer"]) == str(layer)
            return archive["embeddings"]

    every = vectors("all")
    first = vectors(0)
    parts = np.split(every, every.shape[1] // first.shape[1], axis=1)
    assert len(parts) >= 3
    for layer, part in enumerate(parts):
        assert np.abs((vectors(layer) if layer else first) - part).max() < 1e-5
