"""``lingome tokens encode`` on two megabases of human chromosome 20."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from lingome.cli.main import main
from lingome.data.genome import Genome
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.load import load_tokenizer
from lingome.tokens.store import open_store
from lingome.tokens.windows import encode_genome


@pytest.fixture(scope="module")
def genome(data_dir: Path) -> Path:
    return data_dir / "ci" / "chr20_30M_32M.fa.gz"


@pytest.fixture(scope="module")
def trained(genome: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokens") / "bpe"
    assert main(["tokens", "train", str(genome), "--merges", "200", "-o", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def store(trained: Path, genome: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("store") / "tokens"
    assert main(["tokens", "encode", str(trained), str(genome), "-o", str(out)]) == 0
    return out


def test_a_store_stands_for_itself(store: Path, trained: Path, genome: Path) -> None:
    opened = open_store(store, verify=True)
    encoded = encode_genome(Genome.open(genome), load_tokenizer(trained))
    assert np.array_equal(np.load(store / "tokens-00000.npy"), encoded.ids)
    assert opened.tokenizer.digest == load_tokenizer(trained).digest == load_tokenizer(store).digest
    lineage = json.loads((store / "run.json").read_text())
    assert lineage["inputs"][0]["file"] == genome.name
    assert lineage["genome_digest"] == opened.digest
    assert [parent["workflow"] for parent in lineage["parents"]] == ["tokens"]
    # Encoding learns nothing; what the vocabulary was counted on is handed on.
    assert lineage["data_seen"] == json.loads((trained / "run.json").read_text())["data_seen"]


def test_what_the_command_says(
    trained: Path, genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tokens", "encode", str(trained), str(genome), "-o", str(tmp_path / "store")]
    assert main([*words, "--dry-run"]) == 0
    planned = capsys.readouterr().err
    assert all(word in planned for word in ("tokens", "disk", "MB", "time", "nothing was written"))
    assert not list(tmp_path.iterdir())
    assert main(words) == 0
    rows = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert rows["bases"] == "2000000"
    assert int(rows["tokens"]) == len(np.load(tmp_path / "store" / "tokens-00000.npy"))
    assert main(words) == 3
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force", "soft_masked=n"]) == 0
    assert open_store(tmp_path / "store").soft_masked == "n"


def test_encode_to_npz_and_to_text(
    trained: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = data_dir / "ci" / "gue_tf_0_400.csv"
    assert main(["tokens", "encode", str(trained), str(table), "-o", str(tmp_path / "ids.npz")]) == 0
    assert main(["tokens", "encode", str(trained), str(table)]) == 0
    lines = capsys.readouterr().out.splitlines()
    tokenizer = load_tokenizer(trained)
    sequences = [row["sequence"] for row in csv.DictReader(io.StringIO(table.read_text()))]
    with np.load(tmp_path / "ids.npz", allow_pickle=False) as saved:
        assert str(saved["tokenizer_digest"]) == tokenizer.digest
        cuts = saved["cuts"]
        assert len(lines) == len(saved["names"]) == len(sequences) == 400
        for r, sequence in enumerate(sequences):
            expected = tokenizer.encode(sequence)
            assert np.array_equal(saved["input_ids"][cuts[r] : cuts[r + 1]], expected.input_ids)
            starts = saved["token_starts"][cuts[r] : cuts[r + 1]]
            assert np.array_equal([*starts, saved["lengths_bp"][r]], expected.offsets)
            assert lines[r] == f"{saved['names'][r]}\t{' '.join(tokenizer.vocab[i] for i in expected.input_ids)}"


def test_proteins_are_read_in_their_own_letters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CharacterTokenizer(PROTEIN).save(tmp_path / "protein")
    (tmp_path / "p.fa").write_text(">one\nMKVX\n>two\nWW\n")
    assert main(["tokens", "encode", str(tmp_path / "protein"), str(tmp_path / "p.fa")]) == 0
    assert capsys.readouterr().out == "one\tM K V [UNK]\ntwo\tW W\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["{tmp}", "{genome}"], 3, "no tokenizer"),
        (["{tokenizer}", "{genome}", "-o", "{tmp}/ids.txt"], 2, ".npz"),
        (["{tokenizer}", "{tmp}/none.fa"], 3, "none.fa"),
        (["{tokenizer}", "{tmp}/none.fa", "-o", "{tmp}/s"], 3, "none.fa"),
        (["{tokenizer}", "{genome}", "{genome}"], 2, "one input"),
        (["{tokenizer}", "{tmp}/empty.fa", "-o", "{tmp}/s"], 3, "empty.fa"),
        (["{tokenizer}", "{tmp}/n.fa", "-o", "{tmp}/s"], 3, "no known sequence"),
        (["{tokenizer}", "{tmp}/cut.fa.gz", "-o", "{tmp}/s"], 3, "cut short"),
        (["{tokenizer}", "{tmp}/table.csv", "-o", "{tmp}/s"], 3, "a FASTA"),
        (["{tokenizer}", "{genome}", "-o", "{tmp}/s", "chroms=[chr7]"], 3, "chr7"),
        (["{tokenizer}", "{genome}", "chroms=[chr7]"], 2, "for a store"),
        (["{tokenizer}", "{genome}", "-o", "{tmp}/s", "sequence_column=x"], 2, "no columns"),
        (["{tokenizer}", "{genome}", "-o", "{tmp}", "--force"], 3, "will not be replaced"),
        (["{tokenizer}", "{genome}", "-o", "{tmp}/n.fa/s"], 3, "not a folder"),
        (["{tmp}/protein", "{genome}", "-o", "{tmp}/s"], 3, "does not read DNA"),
        (["{tmp}/protein", "{genome}"], 3, "looks like DNA"),
    ],
)
def test_mistakes_are_explained(
    words: list[str], code: int, said: str, trained: Path, genome: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.fa").write_text("")
    (tmp_path / "n.fa").write_text(">a\nNNNNNN\n")
    (tmp_path / "table.csv").write_text("sequence\nACGT\n")
    (tmp_path / "cut.fa.gz").write_bytes(genome.read_bytes()[:100_000])
    CharacterTokenizer(PROTEIN).save(tmp_path / "protein")
    before = sorted(tmp_path.rglob("*"))
    places = {"genome": genome, "tmp": tmp_path, "tokenizer": trained}
    assert main(["tokens", "encode", *(word.format(**places) for word in words)]) == code
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
