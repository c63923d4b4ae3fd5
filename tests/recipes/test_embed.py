"""``lingome embed`` on small real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lingome.cli.main import main
from lingome.core.files import digest_file
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.embed.encode import embed
from lingome.models.checkpoint import load_body, save_checkpoint
from lingome.models.presets import build_masked_lm
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
    body, tokenizer = load_body(model)
    genome = Genome.open(path)
    texts = [
        genome.text(Interval("chr20_30M_32M", 500_000, 502_000)),
        genome.text(Interval("chr20_30M_32M", 1000, 1200, "-")),
    ]
    expected = embed(body, tokenizer, texts, layer=0, too_long="window", device="cpu")
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
