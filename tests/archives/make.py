"""Make the archive of version 0.1.0: small files of every kind that lingome writes, and the numbers they gave then.

It runs under the version whose files it keeps, as its imports are that version's::

    git worktree add /tmp/old 0eb84ac
    PYTHONPATH=/tmp/old/src OMP_NUM_THREADS=1 python tests/archives/make.py /tmp/lingome-0.1.0
    mv /tmp/lingome-0.1.0 tests/archives/0.1.0

All sequence is synthetic, drawn from a seed. A later version gets a folder beside this one, made by a copy of this
script; old archives are never made anew, because what they keep is that old files still open.

::

    genome.fa table.csv       what everything was made from
    models/                   a checkpoint of every architecture, with random weights
    tokenizers/               a vocabulary of every kind
    store/                    the genome's tokens
    runs/                     run directories, one of them unfinished
    expected.json             ids, digests, tables and the number of steps
    expected.npz              logits, states and the weights that the unfinished run should end with
"""

# ruff: noqa: I001 - which imports are ours depends on where modules are today
from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import tokenizers
import torch
from lingome.models.architectures import initialise
from lingome.models.checkpoint import load_body, load_whole, save_checkpoint
from lingome.models.dilated import DilatedConfig
from lingome.models.encoder_decoder import EncoderDecoderConfig, EncoderDecoderLM
from lingome.models.heads import MaskedLM, SequenceClassifier
from lingome.models.hyena import HyenaConfig, HyenaLM
from lingome.models.decoder import CausalLM
from lingome.models.shapes import DecoderConfig, StaticConfig, TransformerConfig
from lingome.models.tracks import Tracks, TracksConfig
from lingome.models.word2vec import StaticEmbeddings

from lingome.cli.main import main
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.load import load_tokenizer

SEQUENCE = "ACGTTGCAGGATCCNTTAGACATGCATTGACCGTAAGCTTGGCACTGAATTCA"
PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"
QUICK = ["train.precision=fp32", "train.batch_tokens=400", "validation_windows=4", "validation_share=0.1",
         "gap_bp=200", "max_tokens=48", "min_tokens=8"]


def write_inputs(rng: np.random.Generator) -> None:
    """Write a genome of two chromosomes, with N and lower case, and a labelled table."""
    letters = np.array(list("ACGT"))
    records = {}
    for name, length in (("chr1", 14_000), ("chr2", 7_000)):
        bases = letters[rng.choice(4, length, p=[0.3, 0.2, 0.2, 0.3])]
        for start in range(300, length - 100, 700):
            bases[start:start + 12] = list("TATAAAGGCGCC")
        bases[length // 2:length // 2 + 50] = "N"
        bases[1000:1400] = np.char.lower(bases[1000:1400])
        records[name] = "".join(bases)
    lines = []
    for name, text in records.items():
        lines += [f">{name}", *(text[start:start + 70] for start in range(0, len(text), 70))]
    Path("genome.fa").write_text("\n".join(lines) + "\n")
    rows = ["sequence,label"]
    for index in range(90):
        bases = letters[rng.choice(4, 60)]
        if index % 2:
            bases[20:28] = list("TATAAAGG")
        rows.append(f"{''.join(bases)},{index % 2}")
    Path("table.csv").write_text("\n".join(rows) + "\n")


def save_tokenizers() -> None:
    """Save one vocabulary of every kind."""
    CharacterTokenizer().save(Path("tokenizers/letters"))
    CharacterTokenizer(layout="esm").save(Path("tokenizers/letters-esm"))
    CharacterTokenizer(layout="hyenadna").save(Path("tokenizers/letters-hyenadna"))
    KmerTokenizer(3).save(Path("tokenizers/kmers-overlapping"))
    KmerTokenizer(3, overlap=False).save(Path("tokenizers/kmers"))
    KmerTokenizer(3, overlap=False, layout="nucleotide-transformer").save(Path("tokenizers/kmers-nt"))
    KmerTokenizer(3, overlap=False, layout="nucleotide-transformer-v2").save(Path("tokenizers/kmers-nt-v2"))
    call("tokens", "train", "genome.fa", "--merges", "40", "-o", "tokenizers/bpe")
    text = [line for line in Path("genome.fa").read_text().upper().split("\n") if "N" not in line and ">" not in line]
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    published = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]"))
    published.train_from_iterator(text, tokenizers.trainers.BpeTrainer(vocab_size=40, special_tokens=special))
    keep_published(published, "published-bpe")
    words = tokenizers.Tokenizer(tokenizers.models.BPE())
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = tokenizers.decoders.ByteLevel()
    bytes_of_text = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    words.train_from_iterator(["the gene binds the promoter of the gene"] * 5, tokenizers.trainers.BpeTrainer(
        vocab_size=280, special_tokens=["<|endoftext|>"], initial_alphabet=bytes_of_text
    ))
    keep_published(words, "text")
    Path("pieces.txt").write_text("".join(f"the gene {i % 7} binds the promoter of gene {i}\n" for i in range(60)))
    sentencepiece.SentencePieceTrainer.train(
        input="pieces.txt", model_prefix="pieces", vocab_size=30, model_type="unigram", minloglevel=2,
        normalization_rule_name="identity")
    load_tokenizer(Path("pieces.model")).save(Path("tokenizers/sentencepiece"))
    for name in ("pieces.txt", "pieces.model", "pieces.vocab"):
        Path(name).unlink()


def keep_published(made: tokenizers.Tokenizer, name: str) -> None:
    """Read a tokenizer.json of the library as lingome does, and save it as lingome does."""
    Path("scratch").mkdir()
    made.save("scratch/tokenizer.json")
    load_tokenizer(Path("scratch")).save(Path("tokenizers") / name)
    shutil.rmtree("scratch")


def save_models() -> None:
    """Save a checkpoint of every architecture, with random weights from a seed."""
    letters = CharacterTokenizer()
    bpe = load_tokenizer(Path("tokenizers/bpe"))
    small = {"hidden_size": 16, "n_layers": 2, "ffn_size": 32}
    encoder = TransformerConfig(vocab_size=bpe.vocab_size, n_heads=2, max_positions=64, **small)
    bert = dataclasses.replace(encoder, positions="learned", norm="post", ffn="gelu", bias=True, norm_eps=1e-12)
    t5 = EncoderDecoderConfig(vocab_size=bpe.vocab_size + 100, n_heads=2, head_size=8, n_decoder_layers=1, **small)
    models = {
        "masked": (MaskedLM(encoder), bpe),
        "masked-bert": (MaskedLM(bert), bpe),
        "masked-dilated": (MaskedLM(DilatedConfig(**small)), letters),
        "causal": (CausalLM(DecoderConfig(n_heads=2, n_kv_heads=1, **small)), letters),
        "causal-hyena": (HyenaLM(HyenaConfig(
            vocab_size=9, vocab_multiple=1, max_positions=66, filter_size=8, pad_id=0, cls_id=2, sep_id=3, **small
        )), letters),
        "t5": (EncoderDecoderLM(t5), bpe),
        "classifier": (SequenceClassifier(dataclasses.replace(encoder, label_names=("open", "closed"))), bpe),
        "word2vec": (StaticEmbeddings(StaticConfig(vocab_size=bpe.vocab_size, hidden_size=16)), bpe),
        "tracks": (Tracks(TracksConfig(
            n_tracks=2, bin_bp=8, max_positions=128, hidden_size=16, n_layers=1, n_heads=2, key_size=8,
            n_distance_features=12, channel_multiple=4,
        )), letters),
    }
    for seed, (name, (model, tokenizer)) in enumerate(models.items()):
        initialise(model, seed)
        save_checkpoint(Path("models") / name, model.eval(), tokenizer)


def ask_models(arrays: dict[str, np.ndarray]) -> None:
    """Keep what every saved checkpoint says of one sequence: states of its body, and logits of the whole."""
    for folder in sorted(Path("models").iterdir()):
        model, tokenizer = load_whole(folder)
        text = SEQUENCE.replace("N", "A") + "GATTACAGATTACAGATTACA"
        length = 72 if folder.name == "tracks" else 40  # tracks read whole bins
        ids = torch.from_numpy(np.asarray(tokenizer.encode(text).input_ids[:length], np.int64))[None]
        arrays[f"{folder.name}/ids"] = ids.numpy()
        with torch.no_grad():
            if folder.name == "t5":
                arrays["t5/logits"] = model(ids, ids[:, :6]).numpy()
            elif folder.name != "word2vec":
                arrays[f"{folder.name}/logits"] = model(ids).numpy()
            if folder.name != "tracks":
                body, _ = load_body(folder)
                arrays[f"{folder.name}/states"] = body(ids).numpy()


def make_runs() -> None:
    """Make a run of every workflow that later commands read from, and one that was stopped half-way."""
    Path("runs").mkdir()
    pretrain = ["pretrain", "genome.fa", "--tokenizer", "tokenizers/bpe", "--preset", "16x1", *QUICK]
    call(*pretrain, "-o", "runs/pretrain", "train.max_steps=6", "train.eval_every=3")
    long = [*pretrain, "train.max_steps=40", "train.save_every=1", "train.eval_every=10", "-o"]
    call(*long, "whole")
    stop_early([*long, "runs/unfinished"], Path("runs/unfinished/state/pretrain/training.json"))
    call("finetune", "table.csv", "-m", "runs/pretrain", "-o", "runs/finetune", "seeds=1",
         "method=features,full", "tune.epochs=2", "tune.precision=fp32", "resamples=100")
    call("evaluate", "table.csv", "-o", "runs/evaluate", "resamples=100", "seeds=1", "n_trees=5")
    call("tokens", "vectors", "tokenizers/bpe", "--genome", "genome.fa", "-o", "runs/vectors", "dims=8", "epochs=1")
    call("tokens", "choose", "genome.fa", "-o", "runs/choose", "--merges", "10", "kmers=[3]", "purpose=causal",
         "control=false", "next.preset=nano", "next.pretrain_steps=2", "next.windows_per_step=8", "next.window_bp=100",
         "next.finetune_steps=4", "next.finetune_batch=64", "next.n_train=256", "next.n_test=100",
         "next.markov_bp=20000", "signals.count_bp=10000", "signals.test_bp=5000")
    call("pretrain", "genome.fa", "--tokenizer", "tokenizers/bpe", "--ladder", "ladder.sizes=[16x1,16x2,24x1]",
         "ladder.tokens=[400,800,1600]", "ladder.bootstrap=20", *QUICK, "-o", "runs/ladder")


def call(*words: str) -> None:
    """Run a command of lingome in this process."""
    sys.argv = ["lingome", *words]  # which a run writes down
    code = main(list(words))
    if code != 0:
        raise SystemExit(f"lingome {' '.join(words)}: exit code {code}")


def stop_early(words: list[str], state: Path) -> None:
    """Start a command, and interrupt it once it has saved its state."""
    process = subprocess.Popen([sys.executable, "-m", "lingome", *words])
    while process.poll() is None and not state.exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    if process.wait() != 130:
        raise SystemExit(f"it ended with {process.returncode} and was not interrupted")


def keep_expected(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Gather what today's files say, for a test to compare with."""
    said: dict[str, Any] = {"tokenizers": {}, "tables": {}, "store": {}}
    for folder in sorted(Path("tokenizers").iterdir()):
        tokenizer = load_tokenizer(folder)
        text = {"letters-esm": PROTEIN, "text": "the gene binds DNA", "sentencepiece": "the gene binds DNA"}
        sequence = text.get(folder.name, SEQUENCE)
        encoding = tokenizer.encode(sequence)
        said["tokenizers"][folder.name] = {
            "sequence": sequence, "kind": tokenizer.kind, "digest": tokenizer.digest,
            "vocab_size": tokenizer.vocab_size, "input_ids": encoding.input_ids.tolist(),
            "offsets": encoding.offsets.tolist(),
        }
    from lingome.tokens.store_files import open_store

    store = open_store(Path("store"))
    chosen = np.array([0, 100, 5000])
    ids = np.asarray(store.ids.part(0, len(store.ids)), np.int64)
    said["store"] = {"n_tokens": len(ids), "sha256": hashlib.sha256(ids.tobytes()).hexdigest(),
                     "tokens": chosen.tolist(), "spans": [part.tolist() for part in store.spans(chosen)]}
    from safetensors.numpy import load_file

    for name, tensor in load_file("whole/checkpoint/model.safetensors").items():
        arrays[f"resumed/{name}"] = tensor
    said["resumed"] = {"torch": torch.__version__, "cpu": cpu_name(),
                       "language": Path("whole/tables/language.tsv").read_text()}
    return said


def cpu_name() -> str:
    """Say on what processor numbers were made: the last digits of a sum depend on it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{named}; {torch.backends.cpu.get_cpu_capability()}"


def make(out: Path) -> None:
    """Make the archive in a folder that is not there yet."""
    out.mkdir(parents=True)
    os.chdir(out)
    torch.set_num_threads(1)
    write_inputs(np.random.default_rng(7))
    save_tokenizers()
    call("tokens", "encode", "tokenizers/bpe", "genome.fa", "-o", "store")
    save_models()
    make_runs()
    arrays: dict[str, np.ndarray] = {}
    ask_models(arrays)
    said = keep_expected(arrays)
    shutil.rmtree("whole")
    for page in Path("runs").rglob("report.html"):
        page.unlink()  # large, and rendered anew by the test
    Path("expected.json").write_text(json.dumps(said, indent=1) + "\n")
    np.savez_compressed("expected.npz", **arrays)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
