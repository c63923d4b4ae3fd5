"""How each tool trains and encodes; run by `tokens.py` as a process of its own.

A trainer is given the text, does the work under `measure`, and gives the merged tokens in order. An
encoder gives three functions: `pack` turns a list of str into what the tool takes (not timed), `encode`
is timed and leaves ids as the tool gives them, `ids` makes one array of lingome's ids of them (not timed).
"""

from __future__ import annotations

import base64
import importlib
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import Cost, measure

LETTERS = "ACGT"
WARM_BASES = 20_000
SENTENCEPIECE_SPECIAL = 3  # <unk>, <s>, </s>
DNABERT_K = 6


def has_threads() -> bool:
    """Say whether this version of lingome trains on several cores."""
    from lingome.tokens.bpe import train_bpe

    return "threads" in inspect.signature(train_bpe).parameters


def pieces(text: str, length: int) -> Iterator[str]:
    return (text[i : i + length] for i in range(0, len(text), length))


# Training.


def train_lingome(path: Path, bases: int, merges: int, threads: int, folder: Path) -> tuple[list[str], Cost]:
    from lingome.tokens.bpe import train_bpe

    options = {"threads": threads} if has_threads() else {}
    text = np.fromfile(path, dtype=np.uint8, count=bases)
    train_bpe([text[:WARM_BASES].copy()], min(400, merges), **options)  # loads the kernels, for both widths
    training, cost = measure(lambda: train_bpe([text], merges, **options))
    training.tokenizer.save(folder / f"lingome-{merges}")
    cost.update({f"{part}_s": spent for part, spent in getattr(training, "seconds", {}).items()})
    return [row["token"] for row in training.merges], cost


def train_tokenizers(path: Path, bases: int, merges: int, threads: int, folder: Path) -> tuple[list[str], Cost]:
    import tokenizers

    text = path.read_text()[:bases]
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=len(LETTERS) + merges, show_progress=False)
    _, cost = measure(lambda: model.train_from_iterator(pieces(text, 1000), trainer))
    return ["".join(pair) for pair in json.loads(model.to_str())["model"]["merges"]], cost


def train_sentencepiece(path: Path, bases: int, merges: int, threads: int, folder: Path) -> tuple[list[str], Cost]:
    import sentencepiece

    source, model = folder / "sentencepiece.txt", folder / f"sentencepiece-{merges}"
    source.write_bytes(path.read_bytes()[:bases] + b"\n")
    _, cost = measure(lambda: sentencepiece.SentencePieceTrainer.train(
        input=str(source), model_prefix=str(model), model_type="bpe",
        vocab_size=len(LETTERS) + merges + SENTENCEPIECE_SPECIAL, character_coverage=1.0, num_threads=1,
        max_sentence_length=10**9, max_sentencepiece_length=64, add_dummy_prefix=False,
        split_by_unicode_script=False, split_by_whitespace=False, minloglevel=2,
    ))
    trained = sentencepiece.SentencePieceProcessor(model_file=f"{model}.model")
    return [trained.id_to_piece(SENTENCEPIECE_SPECIAL + i) for i in range(merges)], cost


def train_rustbpe(path: Path, bases: int, merges: int, threads: int, folder: Path) -> tuple[list[str], Cost]:
    import rustbpe

    text, tokenizer = path.read_text()[:bases], rustbpe.Tokenizer()
    _, cost = measure(lambda: tokenizer.train_from_iterator(iter([text]), 256 + merges, pattern=r"[\s\S]+"))
    ranked = sorted((rank, bytes(token).decode()) for token, rank in tokenizer.get_mergeable_ranks() if rank >= 256)
    return [token for _, token in ranked], cost


# Encoding.


class Encoder(NamedTuple):
    encode: Callable[[Any], Any]
    ids: Callable[[Any], np.ndarray]
    pack: Callable[[list[str]], Any] = lambda texts: texts


def flat(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Give the letters of all texts as one array, and where each begins."""
    starts = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8), starts


def joined(encodings: Any) -> np.ndarray:
    return np.concatenate([encoding.input_ids for encoding in encodings])


def lingome(merges: int, folder: Path) -> Encoder:
    from lingome.tokens.load import load_tokenizer

    return Encoder(load_tokenizer(folder / f"lingome-{merges}").encode_batch, joined)


def lingome_arrays(merges: int, folder: Path) -> Encoder:
    from lingome.tokens.load import load_tokenizer

    tokenizer = load_tokenizer(folder / f"lingome-{merges}")
    return Encoder(lambda packed: tokenizer.encode_flat(*packed), lambda result: result[0], flat)


def tokenizers(merges: int, folder: Path) -> Encoder:
    module = importlib.import_module("tokenizers")
    tokenizer = module.Tokenizer.from_file(str(folder / f"lingome-{merges}" / "tokenizer.json"))
    return Encoder(
        lambda texts: tokenizer.encode_batch_fast(texts, add_special_tokens=False),
        lambda result: np.array([i for encoding in result for i in encoding.ids]),
    )


def sentencepiece(merges: int, folder: Path) -> Encoder:
    module = importlib.import_module("sentencepiece")
    model = module.SentencePieceProcessor(model_file=str(folder / f"sentencepiece-{merges}.model"))
    return Encoder(
        lambda texts: model.encode(texts, num_threads=1), lambda result: np.array([i for ids in result for i in ids])
    )


def byte_ranks(merges: int, folder: Path) -> tuple[list[bytes], np.ndarray]:
    """Give lingome's vocabulary as 256 bytes and then the merges, and lingome's id of each."""
    from lingome.tokens.load import load_tokenizer

    vocab = load_tokenizer(folder / f"lingome-{merges}").vocab
    order = [*(bytes([i]) for i in range(256)), *(token.encode() for token in vocab[-merges:])]
    id_of = {token.encode(): index for index, token in enumerate(vocab)}
    return order, np.array([id_of.get(token, -1) for token in order])


def tiktoken(merges: int, folder: Path) -> Encoder:
    order, id_of = byte_ranks(merges, folder)
    ranks = {token: rank for rank, token in enumerate(order)}
    encoding = importlib.import_module("tiktoken").Encoding(
        "dna", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={}
    )
    return Encoder(
        lambda texts: [encoding.encode_ordinary(text) for text in texts],
        lambda result: id_of[np.fromiter(itertools.chain.from_iterable(result), dtype=np.int64)],
    )


def gigatoken(merges: int, folder: Path, package: str = "gigatoken") -> Encoder:
    """Give gigatoken, or gigatok, its older name; their pre-tokenizer keeps a run of letters whole."""
    order, id_of = byte_ranks(merges, folder)
    path = folder / f"{package}-{merges}.tiktoken"
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(order)))
    options = {"pretokenizer": "gpt2"} if package == "gigatoken" else {}
    tokenizer = importlib.import_module(package).Tokenizer.from_tiktoken(path, **options)

    def ids(result: Any) -> np.ndarray:
        awkward = importlib.import_module("awkward")
        return id_of[awkward.to_numpy(awkward.flatten(result))]

    return Encoder(tokenizer.encode_batch, ids)


def gigatok(merges: int, folder: Path) -> Encoder:
    return gigatoken(merges, folder, "gigatok")


def kmers(merges: int, folder: Path) -> Encoder:
    from lingome.tokens.kmers import KmerTokenizer

    return Encoder(KmerTokenizer(DNABERT_K).encode_batch, joined)


def kmers_arrays(merges: int, folder: Path) -> Encoder:
    from lingome.tokens.kmers import KmerTokenizer

    tokenizer = KmerTokenizer(DNABERT_K)
    return Encoder(lambda packed: tokenizer.encode_flat(*packed), lambda result: result[0], flat)


def kmers_dnabert(merges: int, folder: Path) -> Encoder:
    """Join overlapping words with spaces, split the text, look every word up, as DNABERT's code does."""
    from lingome.tokens.kmers import KmerTokenizer

    id_of = KmerTokenizer(DNABERT_K).ids

    def encode(texts: list[str]) -> list[list[int]]:
        sentences = [" ".join(text[i : i + DNABERT_K] for i in range(len(text) - DNABERT_K + 1)) for text in texts]
        return [[id_of[word] for word in sentence.split()] for sentence in sentences]

    return Encoder(encode, lambda result: np.array([i for ids in result for i in ids]))


TRAINERS = {
    "lingome": train_lingome, "rustbpe": train_rustbpe, "sentencepiece": train_sentencepiece,
    "tokenizers": train_tokenizers,
}
ENCODERS = {
    "lingome": lingome, "lingome-arrays": lingome_arrays, "gigatoken": gigatoken, "gigatok": gigatok,
    "tokenizers": tokenizers, "tiktoken": tiktoken, "sentencepiece": sentencepiece, "6-mers": kmers,
    "6-mers-arrays": kmers_arrays, "6-mers-dnabert": kmers_dnabert,
}


def ids_file(folder: Path, name: str, job: Sequence[int]) -> Path:
    """Say where the ids of an encoder are left, for others to be compared with."""
    return folder / f"ids-{name}-{'-'.join(map(str, job))}.npy"


def encode_all(name: str, merges: int, jobs: list[list[int]], folder: Path) -> list[Cost]:
    """Encode (offset, bases, length of each sequence), a stretch of the text each, never the same twice."""
    encoder = ENCODERS[name](merges, folder)
    for warm in (["GATTACA" * 9] * 3, ["ACGTTGCA" * 9]):  # kernels are loaded for many sequences and for one
        encoder.ids(encoder.encode(encoder.pack(warm)))
    costs = []
    for offset, bases, length in jobs:
        with (folder / "text.txt").open() as handle:
            handle.seek(offset)
            packed = encoder.pack(list(pieces(handle.read(bases), length)))
        result, cost = measure(lambda packed=packed: encoder.encode(packed))
        np.save(ids_file(folder, name, (offset, bases, length)), encoder.ids(result))
        costs.append(cost)
    return costs


def main() -> None:
    task, name, folder, *numbers = sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]
    if task == "train":
        bases, merges, threads = map(int, numbers)
        tokens, cost = TRAINERS[name](folder / "text.txt", bases, merges, threads, folder)
        print(json.dumps({"tokens": tokens, "cost": cost}))
    else:
        print(json.dumps({"costs": encode_all(name, int(numbers[0]), json.loads(numbers[1]), folder)}))


if __name__ == "__main__":
    main()
