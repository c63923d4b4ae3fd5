"""A newcomer who gets everything wrong: exit code, message, and nothing left behind."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.models.checkpoint import save_checkpoint
from lingome.models.presets import build_classifier, build_masked_lm
from lingome.tokens.kmers import KmerTokenizer

REGIONS = "".join(f"chr20\t{400 * i}\t{400 * i + 100}\n" for i in range(1, 80))
FILES = {
    "empty.fa": "", "header.fa": ">chr1\n", "twice.fa": ">chr1\nACGT\n>chr1\nACGT\n",
    "protein.fa": ">p1\nMKVLEEFWQP\n", "good.bed": REGIONS, "empty.bed": "",
    "reversed.bed": "chr20\t100\t200\nchr20\t300\t250\n", "beyond.bed": "#c\nchr20\t100\t200\nchr20\t300\t99999999\n",
    "names.bed": "20\t100\t200\n", "words.bed": "chr20\ta\t200\n", "no_labels.csv": "sequence,score\nACGT,1\n",
    "gaps.csv": "sequence,label\nACGT,1\nACGG,\n", "no_sequence.csv": "name,label\nx,1\n",
    "header.csv": "sequence,label\n",
    "protein.csv": "sequence,label\nACGT,1\nMKVLEE,0\n", "bad.jaspar": ">M1 x\nA [1 2]\nC [1]\nG [1 2]\nT [1 2]\n",
    "bad.yaml": "a: [1\n", "list.yaml": "- 1\n", "taken": "x", "taken.npz": "x", "taken.tsv": "x",
}


@pytest.fixture(autouse=True)
def _data(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGOME_DATA", str(data_dir))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """Files with one mistake each, a few that are right, and small models."""
    place = tmp_path_factory.mktemp("bad")
    real = data_dir / "ci" / "chr20_30M_32M.fa.gz"
    with gzip.open(real, "rt") as handle:
        lines = [next(handle) for _ in range(700)]
    (place / "good.fa").write_text(">chr20\n" + "".join(lines[1:]))
    (place / "cut.fa.gz").write_bytes(real.read_bytes()[:100_000])
    for name, text in FILES.items():
        (place / name).write_text(text)
    shutil.copy(data_dir / "ci" / "ctcf_600.tsv", place / "good.tsv")
    shutil.copy(data_dir / "annotation" / "jaspar2024_selected.jaspar", place / "good.jaspar")
    (place / "a_folder").mkdir()
    (place / "thesis").mkdir()
    (place / "thesis" / "chapter1.tex").write_text("years of work")
    tokenizer = KmerTokenizer(3, overlap=False)
    save_checkpoint(place / "lm", build_masked_lm("nano", tokenizer.vocab_size), tokenizer)
    save_checkpoint(place / "model", build_classifier("nano", tokenizer.vocab_size, ("0", "1")), tokenizer)
    for kind in ("lm", "model"):
        for damage in ("misfit", "corrupt", "cut", "garbled", "empty"):
            shutil.copytree(place / kind, place / f"{kind}_{damage}")
        KmerTokenizer(2, overlap=False).save(place / f"{kind}_misfit")
        weights = (place / kind / "model.safetensors").read_bytes()
        (place / f"{kind}_corrupt" / "model.safetensors").write_bytes(b"\xff" * 100)
        (place / f"{kind}_cut" / "model.safetensors").write_bytes(weights[:-1000])
        (place / f"{kind}_garbled" / "config.json").write_text("{")
        (place / f"{kind}_empty" / "model.safetensors").unlink()
    return place


def snapshot(place: Path) -> dict[str, bytes]:
    """Give every file's content, and every folder."""
    return {str(path.relative_to(place)): path.read_bytes() if path.is_file() else b"/" for path in place.rglob("*")}


NANO = "--preset nano train.max_steps=2"
FASTA = [  # what is wrong with a FASTA, and what is said of it
    ("empty.fa", "empty.fa: the file is empty"),
    ("header.fa", "header.fa: every record is empty"),
    ("twice.fa", "twice.fa:3: the record name 'chr1' comes twice | lines 1 and 3"),
    ("protein.fa", "protein.fa:2: the letter 'L' in record 'p1' is no DNA | looks like a protein"),
    ("cut.fa.gz", "cut.fa.gz: the gzip file is cut short | copy the file again"),
    ("good.bed", "good.bed:1: text before the first header | expected: a FASTA"),
    ("nowhere.fa", "nowhere.fa: there is no such file"),
    ("a_folder", "a_folder: this is a folder, not a file"),
]
BED = [
    ("reversed.bed", "reversed.bed:2: end is before start | chr20:300-250 | start <= end | swap the two columns"),
    ("beyond.bed", "beyond.bed:3: the interval leaves its chromosome | chr20 has 41,940 bases | another assembly"),
    ("names.bed", "names.bed:1: there is no chromosome '20' | got: 20 | expected: chr20 | put chr before the names"),
    ("words.bed", "words.bed:1: the start is not a position | 'a'"),
    ("empty.bed", "empty.bed: the file is empty"),
    ("nowhere.bed", "nowhere.bed: there is no such file"),
]
TABLES = [
    ("no_labels.csv", "no_labels.csv: no column of labels in the header | sequence, score | label or labels"),
    ("gaps.csv", "gaps.csv:3: the label is missing | drop the row"),
    ("no_sequence.csv", "no_sequence.csv: no column of sequences | name, label"),
    ("header.csv", "header.csv: the table has no rows"),
    ("protein.csv", "protein.csv:3, base 4: a letter that is no DNA | 'L'"),
    ("nowhere.csv", "nowhere.csv: there is no such file"),
]
MODELS = [
    ("misfit", "the tokenizer does not fit the model | 25 tokens | 73, the model's vocabulary"),
    ("corrupt", "model.safetensors: the weights cannot be read"),
    ("cut", "model.safetensors: the weights cannot be read | not fully covered"),
    ("garbled", "config.json: | cannot be read | Expecting property name"),
    ("empty", "model.safetensors: the weights are missing"),
]
OUTPUTS = [  # commands that write, without their -o
    f"pretrain good.fa {NANO}", "finetune good.fa good.bed -m lm", "evaluate --table good.tsv",
    "predict model good.tsv", "embed good.tsv -m lm", "tokens train good.fa --merges 5",
    "tokens choose good.fa --merges 0,5", "tokens encode lm good.tsv", "doctor", "data fetch jaspar-ctcf", "demo",
]
RUNS = ("pretrain", "finetune", "evaluate", "tokens choose", "demo")
FOLDERS = [words for words in OUTPUTS if words.startswith(RUNS)]
ENDINGS = {"embed": "x.npz", "tokens encode": "x.npz", "predict": "x.tsv"}
DATA = [
    *((f"pretrain {name} {NANO} -o new", 3, said) for name, said in FASTA),
    *((f"tokens train {name} -o new", 3, said) for name, said in FASTA),
    *((f"tokens choose {name} -o new", 3, said) for name, said in FASTA),
    *((f"evaluate lm genome={name} -o new", 3, said) for name, said in FASTA),
    *((f"finetune good.fa {name} -m lm -o new", 3, said) for name, said in BED),
    *((f"predict model good.fa {name} -o new.bed", 3, said) for name, said in BED),
    *((f"embed good.fa {name} -m lm -o new.npz", 3, said) for name, said in BED),
    *((f"finetune {name} -m lm -o new", 3, said) for name, said in TABLES),
    *((f"evaluate {name} -o new", 3, said) for name, said in TABLES),
    *((f"predict {'model_' + name} good.tsv -o new.tsv", 3, said) for name, said in MODELS),
    *((f"finetune good.tsv -m {'lm_' + name} -o new", 3, said) for name, said in MODELS),
    *((f"embed good.tsv -m {'lm_' + name} -o new.npz", 3, said) for name, said in MODELS),
    *((f"evaluate {'model_' + name} good.tsv -o new", 3, said) for name, said in MODELS),
    *((f"pretrain good.fa --start-from {'lm_' + name} -o new", 3, said) for name, said in MODELS),
    ("finetune good.fa bad.jaspar good.bed -m lm -o new", 3, "bad.jaspar:1: a matrix has four rows of equal length"),
    ("finetune good.fa good.jaspar good.bed -m lm -o new task.motif=MA9", 3, "there is no motif 'MA9'"),
    ("finetune good.tsv -m nowhere -o new", 3, "there is no model 'nowhere' | random:PRESET"),
    ("finetune good.tsv -m taken -o new", 3, "taken: this is a file, and a model is a folder"),
    ("finetune good.tsv -m a_folder -o new", 3, "a_folder: there is no model in this folder"),
    ("predict lm good.tsv", 3, "lm: this is not a lingome classifier | fine-tune it first"),
    ("pretrain good.fa --start-from model -o new", 3, "model: this is a classifier"),
    ("evaluate model -o new", 3, "this model brings no examples of its own"),
    ("tokens encode taken good.fa", 3, "taken: there is no tokenizer here"),
    ("tokens show a_folder", 3, "a_folder: there is no tokenizer here"),
    ("tokens train good.fa chroms=['20'] -o new", 3, "there is no chromosome '20' | chr20"),
    ("pretrain -o thesis --resume", 3, "thesis: there is no run to resume"),
    ("report nowhere", 3, "nowhere: this is not a run directory"),
    ("report taken", 3, "taken: this is not a run directory"),
    ("predict model good.tsv -o thesis --force", 3, "thesis: this is a folder, but a file is to be written"),
    ("doctor -o thesis --force", 3, "thesis: this is a folder"),
    ("data fetch jaspar-ctcf -o thesis --force", 3, "thesis: this is a folder"),
    *((f"{words} -o thesis --force", 3, "thesis: this folder holds something that is no") for words in FOLDERS[:-1]),
    *((f"{words} -o taken --force", 3, "taken: the output is a file, but a run is a folder") for words in FOLDERS[:-1]),
]
SETTINGS = [
    ("finetune", 2, "there is nothing to learn from"),
    ("finetune good.tsv -m lm sedes=2 -o new", 2, "there is no setting 'sedes' | did you mean 'seeds'"),
    ("finetune good.tsv -m lm seeds=two -o new", 2, "seeds: Input should be a valid integer | 'two'"),
    ("finetune good.tsv -m lm tune.epochs=-1 -o new", 2, "tune.epochs: Input should be greater than 0 | -1"),
    ("finetune good.tsv -m lm --config nowhere.yaml", 2, "nowhere.yaml: the settings file cannot be read"),
    ("finetune good.tsv -m lm --config a_folder", 2, "a_folder: the settings file cannot be read"),
    ("finetune good.tsv -m lm --config bad.yaml", 2, "bad.yaml:2: not valid YAML"),
    ("finetune good.tsv -m lm --config list.yaml", 2, "list.yaml: a settings file holds names and values"),
    ("finetune good.tsv -m random:nanno -o new", 2, "there is no model 'nanno' | did you mean 'nano'"),
    ("finetune a_folder -m lm -o new", 2, "does not say what it holds | task.table=FILE"),
    ("pretrain good.fa train=3 -o new", 2, "train: this setting has parts | train.lr"),
    ("pretrain good.fa train.lr=fast -o new", 2, "train.lr: Input should be a valid number | 'fast'"),
    ("pretrain good.fa", 2, "the setting 'out' is needed | add -o PATH"),
    ("pretrain good.fa good.bed -o new", 2, "one genome at a time"),
    ("pretrain -o new", 2, "the setting 'genome' is needed"),
    ("evaluate good.fa -o new", 2, "give a table of labelled sequences, a model, or both"),
    ("evaluate lm -o new", 2, "add a FASTA"),
    ("evaluate good.tsv valid_share=0.9 -o new", 2, "valid_share: Input should be less than 0.5"),
    ("predict", 2, "the setting 'model' is needed"),
    ("predict model", 2, "there is nothing to score"),
    ("predict model good.tsv -o new.xlsx", 2, "predictions are written as .bed or .tsv"),
    ("predict model good.fa good.bed width_bp=wide", 2, "width_bp: Input should be a valid integer"),
    ("embed good.tsv -m lm -o new.txt", 2, "vectors are written as .npz"),
    ("embed good.tsv -m lm -o new.npz pooling=median", 2, "pooling: Input should be 'mean', 'max' or 'cls'"),
    ("embed", 2, "there is nothing to embed"),
    ("tokens train -o new", 2, "give at least one FASTA"),
    ("tokens train good.fa --kind unigram -o new", 2, "kind: Input should be 'bpe', 'characters' or 'kmers'"),
    ("tokens choose good.fa --merges a,b -o new", 2, "--merges: numbers with commas are expected"),
    ("tokens choose good.fa good.bed -o new", 2, "one FASTA at a time"),
    ("tokens encode lm good.fa -o new.txt", 2, "encoded sequences are written as .npz"),
    ("data fetch", 2, "the setting 'names' is needed"),
    ("data fetch hg19-chr21", 2, "there is no data set 'hg19-chr21' | did you mean 'hg19-chr20'"),
    ("data check good.bed good.fa", 2, "one file is checked at a time"),
    ("report a b", 2, "report takes one run directory"),
    ("demo good.fa", 2, "the demo brings its own data"),
    ("demo --organism mouse", 2, "organism: Input should be 'human' or 'yeast'"),
    *(
        (f"{words} -o {ENDINGS.get(words.rpartition(' good')[0], 'new')} --device abacus", 2, "no such device | abacus")
        for words in OUTPUTS[:5]
    ),
]


def fail(words: str, code: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command that must fail with this code and these fragments, and change nothing."""
    before = snapshot(folder)
    assert main(words.split()) == code
    shown = capsys.readouterr()
    message = " ".join(shown.err.split())
    for fragment in said.split(" | "):
        assert fragment in message
    assert "Traceback" not in message
    assert shown.out == ""
    assert snapshot(folder) == before


@pytest.mark.parametrize(("words", "code", "said"), [*DATA, *SETTINGS])
def test_mistakes(
    words: str, code: int, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    fail(words, code, said, folder, capsys)


def out_for(words: str, place: str) -> str:
    """Name an output that a command would accept."""
    ending = next((ending for start, ending in ENDINGS.items() if words.startswith(start)), "x")
    return f"{words} -o {place}/{ending}"


@pytest.mark.parametrize("words", OUTPUTS)
def test_outputs_that_cannot_be_written(
    words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    fail(out_for(words, "taken"), 3, "a part of this path is a file, not a folder", folder, capsys)
    with monkeypatch.context() as patch:
        patch.setattr("lingome.core.files.os.access", lambda path, mode: mode != os.W_OK)
        fail(out_for(words, "deep/new"), 3, "no permission to write here | choose a folder", folder, capsys)
    target = "thesis" if words in FOLDERS else "taken.tsv" if words.startswith("predict") else "taken.npz"
    fail(f"{words} -o {target}", 3, "the output exists already | add --force", folder, capsys)


@pytest.mark.parametrize("words", [words for words in OUTPUTS if words not in ("doctor", "demo")])
@pytest.mark.parametrize(("code", "said"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "is read-only")])
def test_disks_that_fail_while_writing(
    words: str, code: int, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.chdir(folder)
    monkeypatch.setattr("lingome.core.files.os.fsync", broken)
    before = snapshot(folder)
    assert main(out_for(words, "deep/new").split()) == 3
    assert said in capsys.readouterr().err
    assert snapshot(folder) == before


@pytest.mark.parametrize("words", [*OUTPUTS, "data check good.bed"])
def test_dry_run_writes_nothing(
    words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    before = snapshot(folder)
    words = words if "check" in words else out_for(words, "deep/new")
    assert main([*words.split(), "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "nothing was written" in shown.err
    assert shown.out == ""
    assert snapshot(folder) == before


def test_a_mistake_under_force_costs_no_results(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    run = tmp_path / "run"
    assert main(["evaluate", "lm", "good.fa", "n_windows=10", "-o", str(run)]) == 0
    capsys.readouterr()
    for words, said in (
        (f"evaluate lm twice.fa -o {run} --force", "comes twice"),
        (f"pretrain twice.fa -o {run} --force", "comes twice"),
        (f"finetune no_labels.csv -m lm -o {run} --force", "no column of labels"),
    ):
        fail(words, 3, said, tmp_path, capsys)


def test_an_interruption_before_anything_was_saved_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr("lingome.recipes.pretrain.train_bpe", press_ctrl_c)
    fail(f"pretrain good.fa {NANO} -o deep/new", 130, "interrupted", folder, capsys)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_of_training_says_how_to_go_on(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = f"pretrain good.fa --preset nano --merges 5 train.max_steps=100000 train.save_every=1 -o {run}".split()
    process = subprocess.Popen(
        [sys.executable, "-c", "from lingome.cli.main import entry; entry()", *words],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    state = run / "state" / "pretrain" / "training.json"
    while process.poll() is None and not state.exists():
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"lingome pretrain -o {run} --resume" in err
    assert "Traceback" not in err
    assert out == ""
    assert state.exists()
