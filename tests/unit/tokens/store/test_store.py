from __future__ import annotations

import errno
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingome.core.errors import CheckpointError, DataError
from lingome.core.files import atomic_folder
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.tokens.alphabet import PROTEIN
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.store import StoreTotals, TokenStore, fill_store, open_store, opening, writing
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import TokenWindows, count_ids, encode_genome

BPE = train_bpe([np.frombuffer(b"ACGTACGGTTACAGATTACA" * 30, dtype=np.uint8)], 12).tokenizer
TOKENIZERS = [BPE, CharacterTokenizer(), KmerTokenizer(3), KmerTokenizer(3, overlap=False), KmerTokenizer(6)]
RECORDS = st.lists(st.lists(st.sampled_from(["ACGTTACAGATTACA", "A", "CG", "N", "NNNN", "acgt", "TTTTT"]), min_size=1,
                            max_size=30).map("".join), min_size=1, max_size=5)


def write_fasta(file: Path, records: list[str]) -> Genome:
    file.write_text("".join(f">r{i}\n{text}\n" for i, text in enumerate(records)))
    return Genome.open(file)


def write_store(
    folder: Path, tokenizer: Tokenizer, fasta: Path, *, force: bool = False, **values: Any
) -> StoreTotals:
    with atomic_folder(folder, force=force) as temporary:
        return fill_store(temporary, tokenizer, fasta, **values)


def make(folder: Path, records: list[str], tokenizer: Tokenizer = BPE, **values: int) -> tuple[TokenStore, Genome]:
    genome = write_fasta(folder / "g.fa", records)
    write_store(folder / "store", tokenizer, folder / "g.fa", force=True, **values)
    return open_store(folder / "store", verify=True), genome


def brute(store: TokenStore, genome: Genome) -> list[tuple[str, int, int, int]]:
    """Every known token of the genome with its bases, from encoding record by record."""
    rows = []
    for chrom in genome.lengths:
        ids, offsets = store.tokenizer.encode(genome.sequence(chrom))
        for token, start in zip(ids.tolist(), offsets[:-1].tolist(), strict=True):
            if token != store.tokenizer.unk_id:
                rows.append((chrom, start, start + len(store.tokenizer.vocab[token]), token))
    return rows


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RECORDS, st.sampled_from(TOKENIZERS), st.integers(1, 40), st.integers(1, 9), st.data())
def test_a_store_holds_what_encoding_gives(
    tmp_path: Path, records: list[str], tokenizer: Tokenizer, shard_tokens: int, anchor_tokens: int, data: st.DataObject
) -> None:
    genome = write_fasta(tmp_path / "g.fa", records)
    try:
        encoded = encode_genome(genome, tokenizer)
    except DataError:
        with pytest.raises(DataError, match="no known sequence"):
            write_store(tmp_path / "none", tokenizer, tmp_path / "g.fa")
        return
    store, _ = make(tmp_path, records, tokenizer, shard_tokens=shard_tokens, anchor_tokens=anchor_tokens)
    whole = [Interval(chrom, 0, length) for chrom, length in genome.lengths.items()]
    found = store.select(whole)
    assert np.array_equal(store.ids.part(0, len(store.ids)), encoded.ids)
    assert np.array_equal(found.segments, encoded.segments)
    assert (found.bases, found.n_tokens, store.digest) == (encoded.bases, encoded.n_tokens, genome.digest)
    rows = brute(store, genome)
    covered = {(chrom, i) for chrom, start, end, _ in rows for i in range(start, end)}
    assert found.unknown == sum(genome.lengths.values()) - len(covered)
    record, start, end = store.spans(np.arange(len(rows)))
    assert [(store.records[r].chrom, s, e) for r, s, e in zip(record, start, end, strict=True)] == [r[:3] for r in rows]
    chrom = data.draw(st.sampled_from(list(genome.lengths)))
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, genome.lengths[chrom])] * 2)))
    for partly in (False, True):
        inside = [
            i for i, (c, a, b, _) in enumerate(rows)
            if c == chrom and (a < high and b > low and low < high if partly else low <= a and b <= high)
        ]
        stretches = store.tokens_within(Interval(chrom, low, high), partly=partly)
        assert [i for a, b in stretches.tolist() for i in range(a, b)] == inside
        assert (stretches[:, 0] < stretches[:, 1]).all()


def test_spans_worked_by_hand(tmp_path: Path) -> None:
    store, genome = make(tmp_path, ["NNACGTNAC", "N", "GGG"], KmerTokenizer(3), shard_tokens=1, anchor_tokens=2)
    # ACG CGT | GGG; AC is too short for a word
    assert store.tokenizer.vocab[int(store.ids.part(2, 3)[0])] == "GGG"
    assert store.interval(0, 2) == Interval("r0", 2, 6)
    assert store.interval(2, 3) == Interval("r2", 0, 3)
    assert store.tokens_within(Interval("r0", 0, 5)).tolist() == [[0, 1]]
    assert store.tokens_within(Interval("r0", 3, 4)).tolist() == []
    assert store.tokens_within(Interval("r0", 3, 4), partly=True).tolist() == [[0, 2]]
    assert [record.shard for record in store.records] == [0, 1, 1]
    with pytest.raises(DataError, match="one record"):
        store.interval(1, 3)
    with pytest.raises(DataError, match="no such tokens"):
        store.interval(2, 4)
    with pytest.raises(DataError, match="r9"):
        store.tokens_within(Interval("r9", 0, 1))
    with pytest.raises(DataError, match="not on the chromosome"):
        store.tokens_within(Interval("r1", 0, 2))
    assert store.digest == genome.digest


def test_files_are_plain_arrays_and_stay_on_disk(tmp_path: Path) -> None:
    store, genome = make(tmp_path, ["ACGTTACAGATTACA" * 99, "ACAGANNACA"], shard_tokens=50)
    first = np.load(tmp_path / "store" / "tokens-00000.npy")
    assert first.dtype == np.uint16
    assert np.array_equal(first, BPE.encode(genome.sequence("r0")).input_ids)
    view = store.ids.part(3, 9)
    assert not view.flags.writeable
    while isinstance(view, np.ndarray):
        view = view.base
    assert isinstance(view, mmap.mmap)
    assert sorted(path.name for path in (tmp_path / "store").glob("*.npy")) == [
        "anchors.npy", "segments.npy", "tokens-00000.npy", "tokens-00001.npy",
    ]


def test_windows_of_a_store_equal_those_of_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = ["N".join("".join(rng.choice(list("ACGT"), n)) for n in rng.integers(1, 900, 9)) for _ in range(5)]
    store, genome = make(tmp_path, records, shard_tokens=300, anchor_tokens=64)
    assert len(store.manifest["shards"]) == 5
    encoded, found = encode_genome(genome, BPE), store.select([Interval(c, 0, n) for c, n in genome.lengths.items()])
    memory = TokenWindows(encoded.ids, encoded.segments, max_tokens=120, batch_tokens=600)
    disk = TokenWindows(found.ids, found.segments, max_tokens=120, batch_tokens=600)
    for step in range(200):
        assert np.array_equal(memory.batch(1, step), disk.batch(1, step))
    assert np.array_equal(memory.tiles(33, most=9), disk.tiles(33, most=9))
    counts = count_ids(found.ids, found.segments, BPE.vocab_size)
    assert np.array_equal(counts, np.bincount(encoded.ids, minlength=BPE.vocab_size))


def test_windows_never_touch_what_was_not_selected(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for tokenizer in (BPE, KmerTokenizer(6)):
        letters = rng.choice(list("ACGTN"), 4000, p=[0.3, 0.2, 0.2, 0.29, 0.01])
        store, genome = make(tmp_path, ["".join(letters)], tokenizer)
        parts = [Interval("r0", 100, 1501), Interval("r0", 1777, 3333)]
        found = store.select(parts)
        for first, last in found.segments.tolist():
            span = store.interval(first, last)
            assert any(part.start <= span.start and span.end <= part.end for part in parts)
            assert tokenizer.decode(store.ids.part(first, last)) == genome.text(span)
        # Inside, nothing is lost but what reaches over one of the four borders.
        touched = sum(int(np.diff(store.tokens_within(part, partly=True)).sum()) for part in parts)
        assert 0 <= touched - found.n_tokens <= (4 if tokenizer is BPE else 4 * 5)
        with pytest.raises(DataError, match="no known sequence"):
            store.select([Interval("r0", 5, 6)] if tokenizer is not BPE else [Interval("r0", 5, 5)])


def test_soft_masked_letters_and_chosen_records(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", ["ACacgtGT", "AAAA"])
    totals = write_store(tmp_path / "s", CharacterTokenizer(), tmp_path / "g.fa", soft_masked="n", chroms=["r0"])
    store = open_store(tmp_path / "s")
    assert (totals.tokens, totals.segments, totals.length_bp, totals.bases) == (4, 2, 8, 4)
    assert totals.genome_digest == store.digest == genome.digest == opening.fasta_digest(tmp_path / "g.fa")
    assert store.lengths == {"r0": 8}
    assert store.soft_masked == "n"
    with pytest.raises(DataError, match="r7"):
        write_store(tmp_path / "t", CharacterTokenizer(), tmp_path / "g.fa", chroms=["r7"])


def spoil(folder: Path, how: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    shard = folder / "tokens-00000.npy"
    raw = shard.read_bytes()
    if how == "cut":
        shard.write_bytes(raw[:-3])
    elif how == "flipped":
        shard.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif how == "no shard":
        shard.unlink()
    elif how == "empty shard":
        shard.write_bytes(b"")
    elif how == "segments":
        raw = (folder / "segments.npy").read_bytes()
        (folder / "segments.npy").write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif how == "no tokenizer":
        (folder / "tokenizer_config.json").unlink()
        (folder / "tokenizer.json").unlink()
    elif how == "other tokenizer":
        CharacterTokenizer().save(folder)
    elif how == "not json":
        (folder / "manifest.json").write_text("{")
    else:
        values = {
            "version": {**manifest, "version": 99}, "format": [1], "fields": {**manifest, "records": [[1, 2]]},
            "sums": {**manifest, "records": manifest["records"] * 2},
        }
        (folder / "manifest.json").write_text(json.dumps(values[how]))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut", "cut short or damaged"), ("flipped", "content changed"), ("no shard", "missing"),
        ("empty shard", "damaged"), ("segments", "content changed"), ("no tokenizer", "no tokenizer"),
        ("other tokenizer", "not the one that made it"), ("not json", "JSON"), ("version", "version 1"),
        ("format", "another format"), ("fields", "does not fit"), ("sums", "does not fit"),
    ],
)
def test_a_damaged_store_is_refused(tmp_path: Path, how: str, said: str) -> None:
    make(tmp_path, ["ACGTTACAGATTACA" * 9])
    spoil(tmp_path / "store", how)
    with pytest.raises(DataError, match=said) as caught:
        open_store(tmp_path / "store", verify=True)
    assert caught.value.exit_code == 3
    assert isinstance(caught.value, CheckpointError) or how == "no tokenizer"


def test_a_genome_that_changed_is_refused(tmp_path: Path) -> None:
    store, genome = make(tmp_path, ["ACGTTACAGATTACA"])
    os.utime(tmp_path / "g.fa", (1, 1))  # touched, but the sequence is the same
    open_store(tmp_path / "store")
    changed = write_fasta(tmp_path / "g.fa", ["ACGTTACAGATTACT"])
    with pytest.raises(DataError, match="another sequence"):
        open_store(tmp_path / "store")
    assert store.digest == genome.digest != changed.digest
    (tmp_path / "g.fa").unlink()  # a store stands for itself where its source is not at hand
    assert open_store(tmp_path / "store").digest == genome.digest


def test_what_cannot_be_stored(tmp_path: Path) -> None:
    write_fasta(tmp_path / "g.fa", ["NNNN"])
    with pytest.raises(DataError, match="no known sequence"):
        write_store(tmp_path / "s", BPE, tmp_path / "g.fa")
    with pytest.raises(DataError, match="does not read DNA"):
        write_store(tmp_path / "s", CharacterTokenizer(PROTEIN), tmp_path / "g.fa")
    with pytest.raises(DataError, match="no such file"):
        write_store(tmp_path / "s", BPE, tmp_path / "none.fa")
    with pytest.raises(DataError, match="no token store"):
        open_store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["g.fa"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    write_fasta(tmp_path / "g.fa", ["ACGTTACAGATTACA" * 9])

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(DataError, match="disk"):
        write_store(tmp_path / "s", BPE, tmp_path / "g.fa")
    assert [path.name for path in tmp_path.iterdir()] == ["g.fa"]


def test_a_file_that_may_not_grow_leaves_the_old_store(tmp_path: Path) -> None:
    """The system itself refuses the write: a limit on the size of files stands for the end of the disk."""
    make(tmp_path, ["ACGTTACAGATTACA"], CharacterTokenizer())
    (tmp_path / "g.fa").write_text(">a\n" + "ACGT" * 100_000 + "\n")
    before = (tmp_path / "store" / "manifest.json").read_bytes()
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from lingome.tokens.characters import CharacterTokenizer\n"
        "from lingome.tokens.store import fill_store\n"
        "from lingome.core.files import atomic_folder\n"
        "from lingome.core.errors import DataError\n"
        "tokenizer, folder = CharacterTokenizer(), Path(sys.argv[1])\n"
        "tokenizer.encode('ACGT')\n"  # compiled code is cached in files
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n"
        "  with atomic_folder(folder / 'store', force=True) as new: fill_store(new, tokenizer, folder / 'g.fa')\n"
        "except DataError as error: print(error); sys.exit(error.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "too large" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.fa", "store"]
    assert (tmp_path / "store" / "manifest.json").read_bytes() == before
