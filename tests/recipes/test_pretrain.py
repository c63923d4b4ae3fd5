"""``lingome pretrain`` on two megabases of human chromosome 20."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from lingome.cli.main import main
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.tokens.load import load_tokenizer

QUICK = [
    "--preset", "nano", "--merges", "30", "train.max_steps=6", "train.eval_every=3", "train.batch_tokens=1024",
    "validation_windows=4", "validation_share=0.01", "train.precision=fp32",
]


@pytest.fixture(scope="module")
def genome(data_dir):
    return str(data_dir / "ci" / "chr20_30M_32M.fa.gz")


@pytest.fixture(scope="module")
def pretrained(genome, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrain") / "run"
    exclude = "exclude=[chr20_30M_32M:1000000-1200000]"
    assert main(["pretrain", genome, "-o", str(out), *QUICK, exclude]) == 0
    return out


def test_the_run_directory_is_whole(pretrained):
    names = {path.name for path in pretrained.iterdir()}
    assert names == {"config.yaml", "run.json", "metrics.jsonl", "checkpoint", "tables"}
    assert {p.stem for p in (pretrained / "tables").iterdir()} == {"language", "steps", "warnings"}
    model, tokenizer = load_checkpoint(pretrained / "checkpoint", "masked_lm")
    assert model.config.vocab_size == tokenizer.vocab_size == 39
    rows = [json.loads(line) for line in (pretrained / "metrics.jsonl").read_text().splitlines()]
    assert [(r["split"], r["step"]) for r in rows] == [("valid", 0), ("valid", 3), ("train", 6), ("valid", 6)]
    assert "max_steps" in (pretrained / "checkpoint" / "README.md").read_text()


def test_lineage_says_what_was_seen(pretrained):
    lineage = json.loads((pretrained / "run.json").read_text())
    seen = {(row["by"], row["start"], row["end"]) for row in lineage["data_seen"]}
    learnt = {("pretrain", 0, 1_000_000), ("pretrain", 1_200_000, 1_977_000)}
    assert learnt <= seen
    assert ("pretrain validation", 1_982_000, 2_000_000) in seen
    assert {by for by, _, _ in seen} == {"tokenizer", "pretrain", "pretrain validation"}
    assert lineage["inputs"][0]["file"] == "chr20_30M_32M.fa.gz"


def test_training_further_brings_shape_tokenizer_and_lineage(pretrained, genome, tmp_path, capsys):
    out = tmp_path / "more"
    words = ["pretrain", genome, "-o", str(out), "--start-from", str(pretrained), *QUICK[4:]]
    assert main(words) == 0
    lineage = json.loads((out / "run.json").read_text())
    assert lineage["parents"][0]["workflow"] == "pretrain"
    assert sum(row["by"] == "pretrain" for row in lineage["data_seen"]) == 3
    assert "bits_per_base" in capsys.readouterr().out
    assert main([*words[:-1], "--force", "--preset", "tiny"]) == 2


@pytest.fixture(scope="module")
def store(genome, tmp_path_factory):
    """A vocabulary counted on the whole genome, and the tokens it gives."""
    folder = tmp_path_factory.mktemp("store")
    assert main(["tokens", "train", genome, "--merges", "30", "-o", str(folder / "bpe")]) == 0
    assert main(["tokens", "encode", str(folder / "bpe"), genome, "-o", str(folder / "store")]) == 0
    return folder / "store"


def test_a_store_is_read_in_place_of_the_genome(store, genome, tmp_path, capsys):
    out, exclude = tmp_path / "run", "exclude=[chr20_30M_32M:1000000-1200000]"
    assert main(["pretrain", str(store), "-o", str(out), "--dry-run"]) == 0
    assert "bpe, 39 tokens" in capsys.readouterr().err
    assert main(["pretrain", str(store), "-o", str(out), *QUICK, exclude]) == 0
    assert "waiting for data" in capsys.readouterr().err
    lineage = json.loads((out / "run.json").read_text())
    assert 0 < lineage["waiting_share"] < 1
    assert lineage["inputs"][0]["file"] == "manifest.json"
    seen = {(row["by"], row["start"], row["end"]) for row in lineage["data_seen"]}
    assert {("tokens", 0, 2_000_000), ("pretrain", 0, 1_000_000), ("pretrain", 1_200_000, 1_977_000)} <= seen
    digests = {row["genome"] for row in lineage["data_seen"]}
    assert digests == {json.loads((store / "manifest.json").read_text())["genome"]["digest"]}
    assert load_checkpoint(out / "checkpoint", "masked_lm")[1].digest == load_tokenizer(store).digest
    # A checkpoint of the store's own vocabulary can be trained further on it; another one cannot.
    more = ["pretrain", str(store), "-o", str(tmp_path / "more"), *QUICK[4:]]
    assert main([*more, "--start-from", str(out)]) == 0


def test_a_given_tokenizer_brings_what_it_was_counted_on(store, genome, tmp_path):
    out = tmp_path / "run"
    assert main(["pretrain", genome, "-o", str(out), *QUICK[:2], "--tokenizer", str(store.parent / "bpe"),
                 "train.max_steps=1", "train.batch_tokens=512"]) == 0
    lineage = json.loads((out / "run.json").read_text())
    assert ("tokens", 0, 2_000_000) in {(row["by"], row["start"], row["end"]) for row in lineage["data_seen"]}
    assert [parent["workflow"] for parent in lineage["parents"]] == ["tokens"]
    # Of a model's folder only the vocabulary is used, so only what that was counted on has been seen.
    again = tmp_path / "again"
    assert main(["pretrain", genome, "-o", str(again), *QUICK[:2], "--tokenizer", str(out / "checkpoint"),
                 "train.max_steps=1", "train.batch_tokens=512", "exclude=[chr20_30M_32M:0-1900000]"]) == 0
    rows = json.loads((again / "run.json").read_text())["data_seen"]
    assert sorted({row["by"] for row in rows}) == ["pretrain", "pretrain validation", "tokens"]
    assert min(row["start"] for row in rows if row["by"] == "pretrain") == 1_900_000


def test_stores_that_do_not_fit_are_refused(store, pretrained, tmp_path, capsys):
    out = tmp_path / "run"
    for words, code, message in [
        ([str(store), "--tokenizer", str(pretrained / "checkpoint")], 2, "another tokenizer"),
        ([str(store), "--start-from", str(pretrained)], 2, "another tokenizer"),
        ([str(store), "soft_masked=n"], 2, "soft-masked letters have tokens"),
        ([str(store.parent / "bpe")], 3, "or a token store"),
    ]:
        assert main(["pretrain", *words, "-o", str(out)]) == code
        assert message in capsys.readouterr().err
    copy = tmp_path / "cut"
    shutil.copytree(store, copy)
    raw = (copy / "tokens-00000.npy").read_bytes()
    (copy / "tokens-00000.npy").write_bytes(raw[:-1] + bytes([raw[-1] ^ 255]))
    assert main(["pretrain", str(copy), "-o", str(out)]) == 3
    assert "content changed" in capsys.readouterr().err
    assert not out.exists()


BRIEF = ["train.max_steps=2", "train.eval_every=1", "train.batch_tokens=600", "validation_windows=4",
         "validation_share=0.01", "max_tokens=100", "train.precision=fp32", "objective=causal"]


@pytest.fixture(scope="module")
def causal(genome, tmp_path_factory):
    """A short run of a decoder on 3-mers side by side."""
    folder = tmp_path_factory.mktemp("causal")
    assert main(["tokens", "train", "--kind", "kmers", "k=3", "overlap=false", "-o", str(folder / "three")]) == 0
    assert main(["pretrain", genome, "-o", str(folder / "run"), "--tokenizer", str(folder / "three"), *BRIEF]) == 0
    return folder / "run"


def table(run, name):
    lines = [line.split("\t") for line in (run / "tables" / f"{name}.tsv").read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_a_causal_run_is_whole_and_has_its_baselines(causal):
    model, tokenizer = load_checkpoint(causal / "checkpoint", "causal_lm")
    assert model.config.vocab_size == tokenizer.vocab_size == 73
    rows = table(causal, "language")
    names = ["trained", "at the start", "token frequencies", "Markov model of bases, order"]
    assert [row["name"][: len(name)] for row, name in zip(rows, names, strict=True)] == names
    assert 1.5 < float(rows[3]["bits_per_base"]) < float(rows[2]["bits_per_base"]) < 2
    assert not [row for row in table(causal, "warnings") if row["topic"].startswith("byte pairs")]
    lineage = json.loads((causal / "run.json").read_text())
    assert lineage["question"] == "How well can each token be guessed from those before it?"
    assert "next tokens cost" in lineage["answer"]
    card = (causal / "checkpoint" / "README.md").read_text()
    assert "Causal language model" in card
    assert "| objective | causal |" in card
    assert main(["report", str(causal)]) == 0
    assert "Markov model of bases" in (causal / "report.html").read_text()


def test_a_causal_checkpoint_is_trained_further_by_its_own_objective(causal, genome, tmp_path, capsys):
    words = ["pretrain", genome, "-o", str(tmp_path / "more"), "--start-from", str(causal), *BRIEF]
    assert main(words) == 0
    before = {row["name"]: row["loss"] for row in table(causal, "language")}
    after = {row["name"]: row["loss"] for row in table(tmp_path / "more", "language")}
    assert float(after["at the start"]) == pytest.approx(float(before["trained"]), rel=1e-5)
    capsys.readouterr()
    assert main(["pretrain", genome, "-o", str(tmp_path / "other"), "--start-from", str(causal), *BRIEF[:-1]]) == 3
    assert "causal language model" in capsys.readouterr().err


def test_byte_pairs_for_a_causal_model_are_warned_of(store, tmp_path, genome, capsys):
    for words in ([genome], [str(store)]):
        assert main(["pretrain", *words, "-o", str(tmp_path / "run"), "objective=causal", "--dry-run"]) == 0
        assert "suit masked models" in " ".join(capsys.readouterr().err.split())
    assert main(["pretrain", str(store), "-o", str(tmp_path / "run"), *BRIEF]) == 0
    assert ("warn", "byte pairs and a causal model") in {
        (row["level"], row["topic"]) for row in table(tmp_path / "run", "warnings")
    }


def test_a_masking_scheme_is_its_rate(store, tmp_path):
    runs = {"named": "mask_scheme=grover", "plain": "mask_rate=0.022"}
    for name, word in runs.items():
        assert main(["pretrain", str(store), "-o", str(tmp_path / name), "--preset", "nano", *BRIEF[:-1], word]) == 0
    assert table(tmp_path / "named", "language") == table(tmp_path / "plain", "language")
    assert "| mask_rate | 0.022 |" in (tmp_path / "named" / "checkpoint" / "README.md").read_text()


def test_dry_run_plans_and_writes_nothing(genome, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["pretrain", genome, "-o", str(out), "--dry-run"]) == 0
    shown = capsys.readouterr().err
    for word in ("parameters", "tokens", "memory", "time", "GB"):
        assert word in shown
    assert not out.exists()


def test_a_complete_run_is_neither_replaced_nor_resumed(pretrained, genome, capsys):
    before = (pretrained / "run.json").read_bytes()
    assert main(["pretrain", genome, "-o", str(pretrained), *QUICK]) == 3
    assert main(["pretrain", "-o", str(pretrained), "--resume"]) == 0
    assert "complete" in capsys.readouterr().err
    assert main(["pretrain", "-o", str(pretrained), "--resume", "mask_rate=0.5"]) == 2
    assert (pretrained / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--resume"], 3, "no run to resume"),
        (["exclude=[chr20_30M_32M:5-1]"], 2, "not a region"),
        (["exclude=[chr20_30M_32M:0-2000000]"], 3, "nothing is left"),
        (["--preset", "minni"], 2, "did you mean 'mini'"),
        (["train.learning_rate=1"], 2, "no setting"),
        (["objective=causal", "--preset", "mini"], 2, "of another kind"),
        (["objective=causal", "mask_rate=0.2"], 2, "hides nothing"),
        (["objective=next"], 2, "'span' or 'contrastive'"),
        (["mask_scheme=bert", "mask_span=2"], 2, "leave out mask_span"),
        (["mask_scheme=dnabert"], 2, "overlapping words"),
        (["mask_scheme=electra"], 2, "'dnabert'"),
    ],
)
def test_mistakes_are_explained_and_leave_nothing(genome, tmp_path, capsys, words, code, message):
    out = tmp_path / "run"
    assert main(["pretrain", genome, "-o", str(out), "train.max_steps=1", *words]) == code
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_loss_that_explodes_leaves_nothing_half_written(genome, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["pretrain", genome, "-o", str(out), *QUICK, "train.lr=1e30", "train.warmup_steps=0"]) == 3
    assert "not a finite number" in capsys.readouterr().err
    assert not out.exists()


def start(words, log=subprocess.DEVNULL):
    return subprocess.Popen(
        [sys.executable, "-c", "from lingome.cli.main import entry; entry()", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=log,
    )


@pytest.mark.slow
def test_killed_runs_resume_to_the_same_bytes(genome, tmp_path):
    settings = [*QUICK, "train.max_steps=50", "train.save_every=1", "train.eval_every=7"]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert start(["pretrain", genome, "-o", str(whole), *settings]).wait() == 0
    draw, words = random.Random(time.time_ns()), ["pretrain", genome, "-o", str(parted), *settings]
    for number in (signal.SIGKILL, signal.SIGTERM):
        index = parted / "state" / "pretrain" / "training.json"
        before = index.read_text() if index.exists() else ""
        with (tmp_path / "log").open("w") as log:
            process = start(words, log)
        while process.poll() is None and (not index.exists() or index.read_text() == before):
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.1))
        process.send_signal(number)
        assert process.wait() == (130 if number == signal.SIGTERM else -number)
        words = ["pretrain", "-o", str(parted), "--resume"]
    assert f"lingome pretrain -o {parted} --resume" in (tmp_path / "log").read_text()
    assert start(words).wait() == 0
    for name in ("checkpoint/model.safetensors", "tables/language.tsv"):
        assert (parted / name).read_bytes() == (whole / name).read_bytes()
    rows = [[json.loads(line) for line in (p / "metrics.jsonl").read_text().splitlines()] for p in (whole, parted)]
    timeless = [[{k: v for k, v in r.items() if k not in ("time_s", "tokens_per_s")} for r in part] for part in rows]
    assert timeless[0] == timeless[1]
    assert not list(parted.glob(".*"))
    assert yaml.safe_load((parted / "config.yaml").read_text())["train"]["max_steps"] == 50


def test_contrastive_training_goes_on_from_a_checkpoint(pretrained, genome, tmp_path, capsys):
    out = tmp_path / "pairs"
    words = ["pretrain", genome, "-o", str(out), "objective=contrastive", "--start-from", str(pretrained), *QUICK[4:],
             "max_tokens=30"]
    assert main([*words, "contrastive.views=reverse_complement"]) == 0
    table = (out / "tables" / "language.tsv").read_text().splitlines()
    assert table[0].split("\t") == ["name", "kind", "loss", "accuracy"]
    assert [row.split("\t")[0] for row in table[1:4]] == ["trained", "at the start", "chance"]
    assert "find their partner among 4" in json.loads((out / "run.json").read_text())["answer"]
    assert "contrastive" in (out / "checkpoint" / "README.md").read_text()
    assert load_checkpoint(out / "checkpoint", "masked_lm")[0].config.vocab_size == 39
    assert main(["report", str(out)]) == 0
    assert "partners found" in (out / "report.html").read_text()
    capsys.readouterr()
    for more, message in [
        (["contrastive.views=dropout"], "dropout=0.1"), (["train.batch_tokens=40"], "at least 2 windows"),
        (["lengths=mixed"], "packs masked batches only"), (["repeats=softmasked"], "cannot be down-weighted"),
    ]:
        assert main([*words, "--force", *more, "--dry-run"]) == 2
        assert message in capsys.readouterr().err


def test_repeats_count_less_and_lengths_are_packed(genome, store, tmp_path, capsys):
    out, bed = tmp_path / "run", tmp_path / "repeats.bed"
    bed.write_text("chr20_30M_32M\t0\t700000\nchr20_30M_32M\t1985000\t1992000\n")
    words = ["pretrain", genome, "-o", str(out), *QUICK]
    assert main([*words, f"repeats={bed}", "lengths=mixed"]) == 0
    header = (out / "tables" / "language.tsv").read_text().splitlines()[0].split("\t")
    assert header[-2:] == ["loss_outside_repeats", "bits_per_base_outside_repeats"]
    inputs = json.loads((out / "run.json").read_text())["inputs"]
    assert ("repeats", "repeats.bed") in {(row["name"], row["file"]) for row in inputs}
    capsys.readouterr()
    for more, code, message in [
        (["repeat_weight=0.5"], 2, "needs repeats"), (["repeats=nothere.bed"], 3, "nothere.bed"),
        (["repeats=softmasked"], 3, "lower case"), (["repeats=softmasked", "soft_masked=n"], 2, "choose one"),
    ]:
        assert main([*words, "--force", *more]) == code
        assert message in capsys.readouterr().err
    assert main(["pretrain", str(store), "-o", str(out), "--force", *QUICK, f"repeats={bed}"]) == 2
    assert "need the FASTA" in capsys.readouterr().err


def test_both_strands_are_learnt_from_and_counted_once(genome, store, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["pretrain", genome, *QUICK, "strands=both"]
    assert main([*words, "-o", str(out), "--dry-run"]) == 0
    assert "bases of both strands" in capsys.readouterr().err
    assert main([*words, "-o", str(out)]) == 0
    learnt = [row for row in json.loads((out / "run.json").read_text())["data_seen"] if row["by"] == "pretrain"]
    assert learnt
    assert len({(row["start"], row["end"]) for row in learnt}) == len(learnt)
    assert "bases of both strands" in (out / "checkpoint" / "README.md").read_text()
    capsys.readouterr()
    assert main(["pretrain", str(store), "-o", str(tmp_path / "no"), *QUICK, "strands=both"]) == 2
    assert "a token store holds one strand" in capsys.readouterr().err
