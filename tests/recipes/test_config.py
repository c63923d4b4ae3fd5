"""``lingome config``, and every shipped file of settings: what would be run is planned, on small inputs of its kind."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lingome.cli.main import main
from lingome.config.schema.settings import load_settings
from lingome.config.workflow import Workflow
from lingome.config.workflows import load_workflows
from lingome.core.rundir import RunDir
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_causal_lm, build_classifier, build_masked_lm
from lingome.tokens.bpe import BpeTokenizer
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import load_tokenizer

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "configs").rglob("*.yaml"))
OWNERS = {workflow.recipe: workflow for workflow in load_workflows() if workflow.ships_configs}


def owner_of(file: Path) -> str:
    """Give the recipe that a file's folder is named after, as ``tokens/choose``."""
    return file.parent.relative_to(ROOT / "configs").as_posix()


def test_files_and_their_workflows_were_found():
    assert len(FILES) >= 36
    assert {owner_of(file) for file in FILES} == set(OWNERS)
    assert len(OWNERS) >= 17


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """A folder where every path that the shipped settings name leads to something small, or to the real genome."""
    place = tmp_path_factory.mktemp("configs")
    (place / "data").symlink_to(data_dir)
    with gzip.open(data_dir / "ci" / "chr20_30M_32M.fa.gz", "rt") as handle:
        header, *lines = handle.read().splitlines()
    masked = [header, *(line.lower() for line in lines[:1000]), *lines[1000:]]
    (place / "genome.fa.gz").write_bytes(gzip.compress("\n".join(masked).encode(), 1))
    (place / "hg19_chr20.fa.gz").symlink_to(data_dir / "genome" / "hg19_chr20.fa.gz")
    for name in ("labelled.csv", "train.csv"):
        (place / name).symlink_to(data_dir / "ci" / "gue_tf_0_400.csv")
    (place / "sequences.fa").write_text(">x\nACGTACGTACGT\n")
    for name in ("repeats.bed.gz", "cpg_islands.bed.gz"):
        (place / name).write_bytes(gzip.compress(b"chr20_30M_32M\t1000\t2000\n"))
    (place / "windows.bed").write_text("chr20\t30000000\t30000200\n")
    pairs = BpeTokenizer([(8, 8), (5, 9)])
    sixes = KmerTokenizer(6, overlap=False)
    pairs.save(place / "runs" / "bpe600")
    pairs.save(place / "vocabulary")
    sixes.save(place / "six")
    CharacterTokenizer().save(place / "letters")
    for name in ("mini", "pretrain"):
        save_checkpoint(place / "runs" / name, build_masked_lm("mini", pairs.vocab_size), pairs)
    save_checkpoint(place / "runs" / "causal", build_causal_lm("gpt-mini", sixes.vocab_size), sixes)
    save_checkpoint(place / "downloads" / "model", build_masked_lm("nano", pairs.vocab_size), pairs)
    with RunDir.create(place / "runs" / "ctcf-sites") as run:
        save_checkpoint(run.checkpoint_path, build_classifier("nano", pairs.vocab_size, ("0", "1")), pairs)
        run.write_config({"task": {"motif": "MA0139.1", "p_value": 1e-5, "flank_bp": 116}})
        run.write_lineage({"workflow": "finetune", "seed": 0, "command": "lingome finetune"})
    with RunDir.create(place / "runs" / "demo") as run:
        run.write_table("steps", [{"step": "read", "time_s": 0.5, "note": ""}])
        run.write_lineage({"workflow": "demo", "title": "CTCF", "seed": 0, "command": "lingome demo"})
    return place


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{owner_of(file)}/{file.stem}")
def test_shipped_settings_can_be_run(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    workflow: Workflow = OWNERS[owner_of(file)]
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    words = [*workflow.name.split(), "--config", str(file)]
    if workflow.plan is not None:
        words.append("--dry-run")
    out = load_settings(workflow.settings, file).as_dict().get("out")
    if out is not None:  # what one file writes, another reads
        words += ["-o", f"new-{Path(out).name}"]
    assert main(words) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert workflow.plan is None or "nothing was written (--dry-run)" in shown.err
    assert sorted(folder.rglob("*")) == before


def test_the_settings_of_a_command_can_be_given_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["config", "tokens", "train"]) == 0
    file = tmp_path / "settings.yaml"
    file.write_text(capsys.readouterr().out)
    assert main(["tokens", "train", "--config", str(file), "kind=kmers", "k=2", "-o", str(tmp_path / "words")]) == 0
    assert load_tokenizer(tmp_path / "words").vocab_size == 4**2 + 5
