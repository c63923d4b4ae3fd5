from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from lingome.cli.main import main
from lingome.tokens.bpe.passes import Text
from lingome.tokens.load import load_tokenizer


def read_table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text()), delimiter="\t"))


@pytest.fixture(scope="module")
def genome(data_dir: Path) -> Path:
    return data_dir / "ci" / "chr20_30M_32M.fa.gz"


@pytest.fixture(scope="module")
def trained(genome: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokens") / "bpe"
    assert main(["tokens", "train", str(genome), "--merges", "200", "-o", str(out)]) == 0
    return out


def test_train_writes_a_tokenizer_with_its_lineage(trained: Path, genome: Path) -> None:
    tokenizer = load_tokenizer(trained)
    assert tokenizer.vocab_size == 209
    assert tokenizers.Tokenizer.from_file(str(trained / "tokenizer.json")).get_vocab() == tokenizer.ids
    lineage = json.loads((trained / "run.json").read_text())
    assert lineage["inputs"][0]["file"] == genome.name
    assert lineage["tokenizer_digest"] == tokenizer.digest
    assert lineage["data_seen"][0] | {"genome": ""} == {
        "by": "tokens", "genome": "", "chrom": "chr20_30M_32M", "start": 0, "end": 2_000_000,
    }
    rows = read_table(trained / "tables" / "merges.tsv")
    assert [row["token"] for row in rows] == list(tokenizer.vocab[9:])
    vocabulary = read_table(trained / "tables" / "vocabulary.tsv")
    assert [row["token"] for row in vocabulary] == list(tokenizer.vocab[5:])
    bases = sum(int(row["count"]) * int(row["length_bp"]) for row in vocabulary)
    text = gzip.decompress(genome.read_bytes()).split(b"\n", 1)[1].upper()
    assert bases == sum(text.count(letter) for letter in (b"A", b"C", b"G", b"T"))


def test_train_prints_merges_and_summary(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tokens", "train", str(genome), "--merges", "5", "-o", str(tmp_path / "o"), "both_strands=true"]
    assert main(words) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == "rank\tleft\tright\ttoken\tcount\tmargin"
    # On both strands CA and TG occur equally often; the tie goes to the smaller ids.
    assert lines[1] == "1\tC\tA\tCA\t307825\t0"
    assert "tokens\t9" in lines
    assert "14 tokens" in shown.err


def test_the_same_input_gives_the_same_vocabulary(trained: Path, genome: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["tokens", "train", str(genome), "--merges", "200", "-o", str(again)]) == 0
    assert (again / "tokenizer.json").read_bytes() == (trained / "tokenizer.json").read_bytes()


def test_show(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tokens", "show", str(trained), "--rows", "7"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t"))
    assert len(rows) == 7
    assert (rows[4]["id"], rows[4]["rank"]) == ("9", "1")
    assert int(rows[4]["pair_count"]) > int(rows[5]["pair_count"]) > 0
    assert main(["tokens", "show", str(tmp_path)]) == 3


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (["--kind", "characters"], 9),
        (["--kind", "kmers", "--k", "3"], 69),
        (["--kind", "kmers", "--k", "6", "--side-by-side", "layout=nucleotide-transformer"], 4107),
    ],
)
def test_vocabularies_that_need_no_data(words: list[str], size: int, tmp_path: Path) -> None:
    out = tmp_path / "o"
    assert main(["tokens", "train", *words, "-o", str(out)]) == 0
    assert load_tokenizer(out).vocab_size == size
    assert not (out / "tables" / "merges.tsv").exists()


def test_dry_run_writes_nothing(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o"
    assert main(["tokens", "train", str(genome), "--dry-run", "-o", str(out)]) == 0
    assert not out.exists()
    assert "600 merges" in capsys.readouterr().err
    assert main(["tokens", "choose", str(genome), "--merges", "0,50", "--dry-run", "-o", str(out)]) == 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["train"], 2, "at least one FASTA"),
        (["train", "{genome}", "--merges", "0"], 2, "merges"),
        (["train", "{genome}", "--kind", "words"], 2, "kind"),
        (["train", "{genome}", "merge=3"], 2, "did you mean 'merges'"),
        (["train", "--kind", "kmers", "layout=nucleotide-transformer"], 2, "side by side"),
        (["train", "{tmp}/none.fa"], 3, "none.fa"),
        (["train", "{tmp}/empty.fa"], 3, "empty.fa"),
        (["train", "{tmp}/n.fa"], 3, "nothing to learn"),
        (["train", "{genome}", "chroms=[chr20]"], 3, "chr20"),
        (["train", "{genome}", "{genome}"], 2, "given twice"),
        (["train", "{tmp}"], 3, "a folder"),
        (["train", "{tmp}", "--dry-run"], 3, "a folder"),
        (["train", "{genome}", "--force", "-o", "{tmp}"], 3, "will not be replaced"),
        (["choose", "{genome}", "--merges", "a,b"], 2, "no whole number"),
        (["choose", "{genome}", "{genome}"], 2, "at a time"),
    ],
)
def test_mistakes_are_explained(
    words: list[str], code: int, said: str, trained: Path, genome: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.fa").write_text("")
    (tmp_path / "n.fa").write_text(">a\nNNNNNN\n")
    before = sorted(tmp_path.rglob("*"))
    places = {"genome": genome, "tmp": tmp_path, "tokenizer": trained}
    assert main(["tokens", *(word.format(**places) for word in words)]) == code
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_existing_output_needs_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tokens", "train", "--kind", "characters", "-o", str(tmp_path / "o")]
    assert main(words) == 0
    assert main(words) == 3
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


def test_a_training_goes_on_after_an_interrupt(
    genome: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, merge = tmp_path / "o", Text.merge
    words = ["tokens", "train", str(genome), "-o", str(out), "--merges", "200"]

    def interrupted(self: Text, chosen: Any, first_new: int, *rest: Any) -> None:
        if first_new > 50:
            raise KeyboardInterrupt
        merge(self, chosen, first_new, *rest)

    monkeypatch.setattr(Text, "merge", interrupted)
    assert main(words) == 130
    monkeypatch.undo()
    assert "--resume continues" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "--resume", "both_strands=true"]) == 2
    assert "settings it began with" in capsys.readouterr().err
    assert main([*words, "--resume", "--merges", "5"]) == 2
    assert "more merges already" in capsys.readouterr().err
    other = tmp_path / "other.fa"
    other.write_text(">c\nACGTACGATTTAGCA\n")
    assert main(["tokens", "train", str(other), "-o", str(out), "--resume"]) == 3
    assert "not the one" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    for file in ("tokenizer.json", "tables/merges.tsv", "tables/vocabulary.tsv"):
        assert (out / file).read_bytes() == (trained / file).read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["o"]


def test_resume_needs_something_to_go_on_with(
    genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tokens", "train", str(genome), "-o", str(tmp_path / "o"), "--resume"]
    assert main(words) == 3
    assert "no unfinished training" in capsys.readouterr().err
    (tmp_path / "o.unfinished").mkdir()
    (tmp_path / "o.unfinished" / "merges.json").write_text('{"merges": [{"left": "A"}]}')
    assert main(words) == 3
    assert "cannot be read" in capsys.readouterr().err
    assert main(["tokens", "train", "--kind", "kmers", "-o", str(tmp_path / "o"), "--resume"]) == 2


def test_what_else_lies_in_the_folder_of_an_unfinished_training_stays(tmp_path: Path) -> None:
    kept = tmp_path / "o.unfinished" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    (kept.parent / "merges.json").write_text("{}")
    assert main(["tokens", "train", "--kind", "characters", "-o", str(tmp_path / "o")]) == 0
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]


def test_lineage_says_what_was_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fasta = tmp_path / "g.faa"  # the size of a plain file is told by its content, not its name
    fasta.write_text(">c\nACGT" + "N" * 999_996 + "\n")
    assert main(["tokens", "train", str(fasta), "--dry-run"]) == 0
    assert "about 1.0 Mb" in capsys.readouterr().err
    assert main(["tokens", "train", str(fasta), "-o", str(tmp_path / "bpe")]) == 0
    lineage = json.loads((tmp_path / "bpe" / "run.json").read_text())
    assert lineage["title"] == "vocabulary: byte pairs, 3 merges"  # of 600
    # Words are the same whatever they are counted on: nothing was learnt from the sequence.
    assert main(["tokens", "train", str(fasta), "--kind", "kmers", "--k", "2", "-o", str(tmp_path / "words")]) == 0
    lineage = json.loads((tmp_path / "words" / "run.json").read_text())
    assert (len(lineage["inputs"]), lineage["data_seen"]) == (1, [])
    counts = {row["token"]: row["count"] for row in read_table(tmp_path / "words" / "tables" / "vocabulary.tsv")}
    assert {token for token, count in counts.items() if count == "1"} == {"AC", "CG", "GT"}


def test_the_number_of_cores_changes_nothing(genome: Path, trained: Path, tmp_path: Path) -> None:
    words = ["tokens", "train", str(genome), "--merges", "200", "-o", str(tmp_path / "o"), "--threads", "3"]
    assert main(words) == 0
    assert (tmp_path / "o/tables/merges.tsv").read_bytes() == (trained / "tables/merges.tsv").read_bytes()


def test_protein_has_a_vocabulary_too(genome: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proteins = tmp_path / "p.fa"
    proteins.write_text(">a one\nMKLVMKLVMKXL*\n>b\nmklvwww\n")
    assert main(["tokens", "train", str(proteins), "--merges", "4", "alphabet=protein", "-o", str(tmp_path / "o")]) == 0
    tokenizer = load_tokenizer(tmp_path / "o")
    # MK 4, KL 3, LV 3: MK first; then MKL and LV tie at 3, and L (14) has a smaller id than MK (25).
    assert tokenizer.vocab[25:] == ("MK", "LV", "MKLV", "WW")
    assert tokenizer.decode(tokenizer.encode("MKLVXW").input_ids).startswith("MKLV")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "o" / "tokenizer.json"))
    assert theirs.encode("mklvmkw", add_special_tokens=False).ids == tokenizer.encode("MKLVMKW").input_ids.tolist()
    capsys.readouterr()
    for words in (["both_strands=true"], ["--kind", "kmers"], ["soft_masked=n"]):
        assert main(["tokens", "train", str(proteins), "alphabet=protein", "-o", str(tmp_path / "n"), *words]) == 2
    assert main(["tokens", "train", str(genome), "alphabet=protein", "-o", str(tmp_path / "n")]) == 3
    assert "looks like DNA" in capsys.readouterr().err
    assert main(["tokens", "train", str(proteins), "-o", str(tmp_path / "n")]) == 3
    assert "looks like a protein" in capsys.readouterr().err
    assert main(["tokens", "train", "--kind", "characters", "alphabet=protein", "-o", str(tmp_path / "c")]) == 0
    assert load_tokenizer(tmp_path / "c").vocab_size == 25
