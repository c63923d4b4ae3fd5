"""Tasks from files and from memory are the same tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lingome as lg
from lingome.core.errors import ConfigError, DataError
from lingome.data.interval import Interval


def test_a_table_on_disk_and_one_in_memory_make_the_same_task(labelled, table: Path):
    sequences, labels = labelled
    on_disk = lg.Task.from_table(str(table))
    for source in ((sequences, labels), {"sequence": sequences, "label": labels}):
        task = lg.Task.from_table(source)
        assert task.examples.sequences == on_disk.examples.sequences
        assert task.examples.splits.tolist() == on_disk.examples.splits.tolist()
        assert task.label_names == on_disk.label_names == ("poor", "rich")
    assert on_disk.counts.sum() == len(on_disk) == 120
    assert on_disk.counts.sum(axis=1).tolist() == [84, 12, 24]


def test_a_task_shows_its_counts(table: Path):
    task = lg.Task.from_table(table)
    assert "120 sequences, 40 bases each" in repr(task)
    assert all(name in repr(task) for name in ("train", "valid", "test", "poor", "rich"))
    assert "<td" in task._repr_html_()


def test_regions_come_as_bed_texts_or_table(fasta: Path, tmp_path: Path):
    genome = lg.open_genome(fasta)
    places = [("chr1", start, start + 100) for start in range(500, 39_000, 1500)]
    bed = tmp_path / "peaks.bed"
    bed.write_text("".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in places))
    columns = {name: [place[at] for place in places] for at, name in enumerate(("chrom", "start", "end"))}
    texts = [f"{chrom}:{start:,}-{end:,}" for chrom, start, end in places]
    by_file = lg.Task.from_bed(genome, bed, width_bp=80)
    assert by_file.label_names == ("background", "region")
    assert {len(one) for one in by_file.examples.sequences} == {80}
    for source in (columns, texts, [Interval(*place) for place in places]):
        task = lg.Task.from_bed(str(fasta), source, width_bp=80)
        assert task.examples.sequences == by_file.examples.sequences
        assert task.examples.splits.tolist() == by_file.examples.splits.tolist()


def test_chromosomes_can_be_named_for_the_split(fasta: Path):
    texts = [f"{chrom}:{start}-{start + 100}" for chrom in ("chr1", "chr2") for start in range(500, 19_000, 2000)]
    task = lg.Task.from_bed(fasta, texts, split={"valid_chroms": [], "fractions": (0.5, 0.25, 0.25)})
    assert len(task) > 30
    with pytest.raises(DataError, match="no chromosome is left for training"):
        lg.Task.from_bed(fasta, texts, split={"valid_chroms": ["chr1"], "test_chroms": ["chr2"]})


def test_a_sample_is_a_part_in_the_same_order(table: Path):
    task = lg.Task.from_table(table)
    some = task.sample(30, seed=1)
    assert len(some) == 30
    assert some.examples.ids == [one for one in task.examples.ids if one in set(some.examples.ids)]
    assert some.examples.ids == task.sample(30, seed=1).examples.ids != task.sample(30, seed=2).examples.ids
    with pytest.raises(ConfigError, match="more examples than there are"):
        task.sample(121)


def test_what_makes_no_task_is_refused(fasta: Path):
    with pytest.raises(ConfigError, match="did you mean 'width_bp'"):
        lg.Task.from_bed(fasta, ["chr1:5-50"], widthbp=10)
    with pytest.raises(ConfigError, match="not a region"):
        lg.Task.from_bed(fasta, ["chr1"])
    with pytest.raises(DataError, match="no stretches of a genome"):
        lg.Task.from_bed(fasta, [])
    with pytest.raises(DataError, match="the table has no column 'end'"):
        lg.Task.from_bed(fasta, {"chrom": ["chr1"], "start": [1]})
    with pytest.raises(DataError, match="no table of labelled sequences"):
        lg.Task.from_table(3)
    with pytest.raises(DataError, match="row 2: the label is missing"):
        lg.Task.from_table((["ACGT", "GGCC"], [1, None]))


def test_a_genome_gives_letters_by_place(fasta: Path):
    genome = lg.open_genome(fasta)
    assert genome["chr1:1,000-1,050"] == genome["chr1"][1000:1050] == genome[Interval("chr1", 1000, 1050)]
    assert list(genome) == ["chr1", "chr2"]
    assert "2 sequences, 60,000 bases" in repr(genome)
    assert "40,000" in genome._repr_html_()
    with pytest.raises(ConfigError, match="beyond the end"):
        genome["chr2:1-20001"]
    with pytest.raises(DataError, match="chr3"):
        genome["chr3"]


def test_a_vocabulary_is_that_of_its_sequence_whatever_holds_it(fasta: Path):
    genome = lg.open_genome(fasta)
    found = lg.train_bpe(genome, merges=20)
    for source in (str(fasta), [genome["chr1"], genome["chr2"]], np.array([genome["chr1"], genome["chr2"]])):
        assert lg.train_bpe(source, merges=20).digest == found.digest
    assert repr(found) == "BpeTokenizer(29 tokens, merges=20, letters dna)"
    assert found.encode("ACGT").offsets[-1] == 4


def test_a_vocabulary_is_read_from_its_folder(fasta: Path, tmp_path: Path):
    found = lg.train_bpe(fasta, merges=5)
    found.save(tmp_path / "tokens")
    assert lg.load_tokenizer(str(tmp_path / "tokens")).digest == found.digest
