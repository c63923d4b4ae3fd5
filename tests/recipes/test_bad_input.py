"""A newcomer who gets everything wrong: exit code, message, and nothing left behind."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_classifier, build_masked_lm
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.bpe.unfinished import UnfinishedTraining
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.store import fill_store

REGIONS = "".join(f"chr20\t{400 * i}\t{400 * i + 100}\n" for i in range(1, 80))
FILES = {
    "empty.fa": "", "header.fa": ">chr1\n", "twice.fa": ">chr1\nACGT\n>chr1\nACGT\n",
    "protein.fa": ">p1\nMKVLEEFWQP\n", "good.bed": REGIONS, "empty.bed": "",
    "reversed.bed": "chr20\t100\t200\nchr20\t300\t250\n", "beyond.bed": "#c\nchr20\t100\t200\nchr20\t300\t99999999\n",
    "names.bed": "20\t100\t200\n", "words.bed": "chr20\ta\t200\n", "no_labels.csv": "sequence,score\nACGT,1\n",
    "gaps.csv": "sequence,label\nACGT,1\nACGG,\n", "no_sequence.csv": "name,label\nx,1\n",
    "header.csv": "sequence,label\n",
    "protein.csv": "sequence,label\nACGT,1\nMKVLEE,0\n", "bad.jaspar": ">M1 x\nA [1 2]\nC [1]\nG [1 2]\nT [1 2]\n",
    "unknown.fa": ">chr1\nNNNNNN\n", "lower.fa": ">chr1\nacgtacgt\n", "nothing.bed": "chr20\t100\t100\n",
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
    spoil_stores(place, tokenizer)
    spoil_vocabularies(place)
    return place


def spoil_stores(place: Path, tokenizer: KmerTokenizer) -> None:
    """Write token stores, and damage each in another way."""
    for name in ("store", "store_cut", "store_gone", "store_edited", "store_misfit"):
        (place / name).mkdir()
        fill_store(place / name, tokenizer, place / "good.fa")
    shutil.copy(place / "good.fa", place / "changed.fa")
    (place / "store_changed").mkdir()
    fill_store(place / "store_changed", tokenizer, place / "changed.fa")
    (place / "changed.fa").write_text(">chr20\n" + "ACGT" * 1000)
    shard, manifest = place / "store_cut" / "tokens-00000.npy", place / "store_edited" / "manifest.json"
    shard.write_bytes(shard.read_bytes()[:-100])
    (place / "store_gone" / "segments.npy").unlink()
    manifest.write_text(manifest.read_text().replace('"anchor_tokens": 4096', '"anchor_tokens": 0'))
    KmerTokenizer(2, overlap=False).save(place / "store_misfit")


def spoil_vocabularies(place: Path) -> None:
    """Write vocabularies, and trainings that were stopped, and damage each in another way."""
    CharacterTokenizer(PROTEIN).save(place / "residues")
    for name in ("cut", "garbled", "edited", "letters", "table"):
        BpeTokenizer([(8, 8), (5, 9)]).save(place / f"words_{name}")
    (place / "words_cut" / "tokenizer.json").write_text('{"model": {')
    (place / "words_garbled" / "tokenizer_config.json").write_bytes(b"\xff\xfe")
    for name, values in (("edited", {"digest": "0"}), ("letters", {"alphabet": ["dna"]})):
        config = place / f"words_{name}" / "tokenizer_config.json"
        said = json.loads(config.read_text())
        config.write_text(json.dumps({**said, "lingome": {**said["lingome"], **values}}))
    (place / "words_table" / "tables").mkdir()
    (place / "words_table" / "tables" / "vocabulary.tsv").write_text("id\ttoken\n5\tA\n6\tG\n")
    facts = {"chroms": [], "soft_masked": "upper", "both_strands": False, "alphabet": "dna"}
    row = {"left": "A", "right": "A", "count": 9, "margin": 1}
    for name in ("begun", "altered", "torn"):
        UnfinishedTraining(place / name, facts).save([row], ["0"])
    file = place / "altered.unfinished" / "merges.json"
    file.write_text(file.read_text().replace('"count": 9', '"count": 8'))
    (place / "torn.unfinished" / "merges.json").write_text('{"settings": {')


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
    "tokens choose good.fa --merges 0,5", "tokens encode lm good.tsv", "tokens encode lm good.fa",
    "tokens inspect lm --genome good.fa", "doctor", "data fetch jaspar-ctcf", "demo",
]
RUNS = ("pretrain", "finetune", "evaluate", "tokens choose", "tokens inspect", "demo")
FOLDERS = [words for words in OUTPUTS if words.startswith(RUNS)]
ENDINGS = {"embed": "x.npz", "tokens encode lm good.tsv": "x.npz", "predict": "x.tsv"}
STORES = [
    ("store_cut", "tokens-00000.npy: the file is cut short or damaged | write the store again"),
    ("store_gone", "segments.npy: a file of the store is missing | write the store again"),
    ("store_edited", "manifest.json: the manifest does not fit the store | its content changed"),
    ("store_misfit", "store_misfit: the tokenizer in the store is not the one that made it"),
    ("store_changed", "the store holds tokens of another sequence than | changed.fa has now | write the store again"),
]
VOCABULARIES = [
    ("words_cut", "words_cut/tokenizer.json: cannot be read as JSON"),
    ("words_garbled", "words_garbled/tokenizer_config.json: cannot be read as JSON"),
    ("words_edited", "words_edited: the vocabulary is not the one that was saved | digest | restore its files"),
    ("words_letters", "words_letters/tokenizer_config.json: this alphabet is not known | dna, protein"),
    ("nowhere", "nowhere: there is no tokenizer here | expected: tokenizer.json | tokens train"),
    ("a_folder", "a_folder: there is no tokenizer here"),
    ("good.fa", "good.fa: this is no vocabulary file that lingome knows | give the folder of a tokenizer"),
]
DATA = [
    *((f"pretrain {name} {NANO} -o new", 3, said) for name, said in FASTA),
    *((f"tokens train {name} -o new", 3, said) for name, said in FASTA),
    *((f"tokens choose {name} -o new", 3, said) for name, said in FASTA),
    *((f"evaluate lm genome={name} -o new", 3, said) for name, said in FASTA),
    *((f"tokens encode lm {name} -o new", 3, said) for name, said in FASTA if name != "good.bed"),
    *((f"tokens inspect lm --genome {name} -o new", 3, said) for name, said in FASTA),
    *((f"tokens inspect lm --genome good.fa --annotation x={name} -o new", 3, said) for name, said in BED),
    *((f"tokens encode {name} good.fa -o new", 3, said) for name, said in VOCABULARIES),
    *((f"tokens show {name}", 3, said) for name, said in VOCABULARIES),
    *((f"pretrain {name} {NANO} -o new", 3, said) for name, said in STORES),
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
    ("tokens encode taken good.fa", 3, "taken: this is no vocabulary file that lingome knows"),
    ("tokens encode good.fa lm", 3, "good.fa: this is no vocabulary file that lingome knows"),
    ("tokens encode lm store", 3, "store: this is a token store | expected: a FASTA | lingome pretrain reads a store"),
    ("tokens encode lm good.tsv -o new", 3, "good.tsv: a token store is written of a FASTA | -o FILE.npz"),
    ("tokens encode lm unknown.fa -o new", 3, "unknown.fa: there is no known sequence to encode"),
    ("tokens encode residues good.fa -o new", 3, "this tokenizer does not read DNA | give a tokenizer of DNA"),
    ("tokens encode residues good.fa", 3, "good.fa: this looks like DNA, not protein | give a FASTA of proteins"),
    ("tokens encode lm good.fa chroms=[chr21] -o new", 3, "good.fa: there is no chromosome 'chr21' | chr20"),
    ("tokens encode lm good.fa -o lm --force", 3, "lm: this is not a token store, and will not be replaced"),
    ("tokens encode lm good.fa -o taken --force", 3, "taken: this is not a token store, and will not be replaced"),
    ("tokens show words_table", 3, "vocabulary.tsv:3: this table is not of this vocabulary | got: G | expected: C"),
    ("tokens train unknown.fa -o new", 3, "unknown.fa: there is nothing to learn merges from | not all N"),
    ("tokens train lower.fa soft_masked=n -o new", 3, "lower.fa: there is nothing to learn | leave out soft_masked=n"),
    ("tokens train good.fa alphabet=protein -o new", 3, "good.fa: this looks like DNA, not protein"),
    ("tokens train good.fa -o taken --force", 3, "taken: this is not a vocabulary, and will not be replaced"),
    ("tokens train good.fa --resume -o new", 3, "new.unfinished: there is no unfinished training | leave out --resume"),
    ("tokens train good.fa --resume -o begun", 3, "good.fa: the input is not the one that the unfinished training"),
    ("tokens train good.fa --resume -o torn", 3, "merges.json: the unfinished training cannot be read | remove it"),
    ("tokens train good.fa --resume -o altered", 3, "altered.unfinished/merges.json: | its content changed"),
    ("tokens train good.fa --resume -o new --dry-run", 3, "new.unfinished: there is no unfinished training"),
    ("tokens train good.bed --dry-run -o new", 3, "good.bed: there is no header at its beginning | a FASTA"),
    ("tokens inspect lm --genome store -o new", 3, "store: this is a folder, not a file"),
    ("tokens inspect lm --genome unknown.fa -o new", 3, "unknown.fa: there is no known letter to count"),
    ("tokens inspect residues --genome good.fa -o new", 3, "good.fa: the vocabulary is of protein"),
    ("tokens inspect residues --genome good.fa --model lm -o new", 3, "lm: the model has another vocabulary"),
    ("pretrain good.fa tokenizer=residues -o new", 3, "this tokenizer does not read DNA"),
    ("pretrain lm -o new", 3, "lm: this is a folder, not a file | a token store: a folder with manifest.json"),
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
    ("pretrain good.fa --merges 0 -o new --dry-run", 2, "merges: Input should be greater than or equal to 1"),
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
    ("tokens choose good.fa --merges a,b -o new", 2, "merges: 'a' is no whole number | 0,100,300 | 'a,b'"),
    *((f"tokens train good.fa --merges {n} -o new", 2, f"merges: Input should be | {n}") for n in (-1, 0, 10**9)),
    ("tokens train good.fa --merges 1e9 -o new", 2, "Invalid value for '--merges'"),
    ("tokens train good.fa chroms=chr20 -o new", 2, "chroms: this setting is a list | 'chr20' | chroms=[chr20]"),
    ("tokens train good.fa good.fa -o new", 2, "a FASTA is given twice"),
    ("tokens train --kind kmers --merges 9 -o new", 2, "merges is for kind=bpe, and this is kind=kmers"),
    ("tokens train good.fa --k 3 -o new", 2, "k is for kind=kmers"),
    ("tokens train good.fa both_strands=true --resume -o begun", 2, "both_strands: a training goes on with | True"),
    ("tokens train good.fa --kind kmers --resume -o new", 2, "there is nothing to resume"),
    ("tokens train protein.fa --kind kmers alphabet=protein -o new", 2, "kmers are words of DNA"),
    ("tokens show lm --rows 0", 2, "rows: Input should be greater than or equal to 1"),
    ("tokens encode lm good.fa chroms=[chr20]", 2, "chroms and soft_masked are for a store: give a folder with -o"),
    ("tokens encode lm good.fa sequence_column=x -o new", 2, "a store is written of a FASTA, which has no columns"),
    ("tokens inspect lm good.fa -o new", 2, "one tokenizer at a time | name the FASTA with --genome"),
    ("tokens inspect lm -o new", 2, "the setting 'genome' is needed"),
    ("tokens inspect lm --genome good.fa layer=2 -o new", 2, "vectors and layer are asked of a model"),
    ("tokens inspect lm --genome good.fa --annotation good.bed -o new", 2, "--annotation: an annotation has a name"),
    ("tokens inspect lm --genome good.fa --annotation a.b=good.bed -o new", 2, "every annotation has its own name"),
    ("tokens inspect lm --genome good.fa --annotation a=x --annotation a=y -o new", 2, "its own name | got: a=y"),
    ("pretrain store tokenizer=store_misfit -o new", 2, "the token store was written with another tokenizer | digest"),
    ("pretrain store tokenizer.kind=kmers -o new", 2, "tokenizer: this setting has no parts | tokenizer.kind"),
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
    is_folder = words in FOLDERS or words == "tokens encode lm good.fa"
    target = "thesis" if is_folder else "taken.tsv" if words.startswith("predict") else "taken.npz"
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


def test_settings_that_come_to_nothing_are_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for number, (words, said) in enumerate((
        (f"pretrain store {NANO} --merges 9", "merges=9 is not used: the tokenizer is given, 73 tokens"),
        ("tokens inspect lm --genome good.fa --annotation x=nothing.bed", "x covers no known letter"),
        ("tokens train unknown.fa --kind kmers --k 2", "none of these tokens occurs in the input"),
        ("tokens train lower.fa --merges 90", "training stopped after 4 of 90 merges"),
    )):
        assert main([*words.split(), "-o", str(tmp_path / str(number))]) == 0
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(("words", "during"), [
    (f"pretrain good.fa {NANO}", "train.pretraining.start.train_bpe"),
    ("tokens train good.fa --merges 5", "recipes.tokens.train.vocabulary_table"),
    ("tokens encode lm good.fa", "tokens.store.writing.write_text"),
    ("tokens inspect lm --genome good.fa", "recipes.tokens.inspect.token_table"),
    ("tokens show lm", "cli.command.load_settings"),
])
def test_an_interruption_before_anything_was_saved_leaves_nothing(
    words: str, during: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press_ctrl_c(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr(f"lingome.{during}", press_ctrl_c)
    fail(words if "show" in words else f"{words} -o deep/new", 130, "interrupted", folder, capsys)


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
