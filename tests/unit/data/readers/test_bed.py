"""BED and narrowPeak, worked by hand."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingome.core.errors import DataError
from lingome.core.progress import Bar, set_sink
from lingome.data.interval import Interval
from lingome.data.readers.bed import on_genome, read_bed, read_narrow_peak


def bed(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "x.bed"
    file.write_text(text)
    return file


def test_columns_comments_and_ends(tmp_path: Path) -> None:
    file = bed(
        tmp_path,
        "browser position chr1\ntrack name=x\n#c\n\nchr1\t0\t5\r\n"
        "chr1 3 9 n\nchr2\t1\t2\tn\t7.5\t-\t0\t0\t0\t1\t1\t0\n",
    )
    assert read_bed(file) == [
        Interval("chr1", 0, 5), Interval("chr1", 3, 9, name="n"), Interval("chr2", 1, 2, "-", "n", 7.5)
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("chr1\t5", "too few columns"),
        ("chr1\tx\t5", "start is not a position"),
        ("chr1\t-1\t5", "start is not a position"),
        ("chr1\t1.0\t5", "start is not a position"),
        ("chr1\t1_0\t50", "start is not a position"),
        ("chr1\t1\t99999999999999999999", "end is not a position"),
        ("chr1\t9\t5", "end is before start"),
        ("chr1\t1\t5\tn\tabc", "score"),
        ("chr1\t1\t5\tn\tnan", "score"),
        ("chr1\t1\t5\tn\t0\tx", "strand"),
        ("\t1\t5", "without a chromosome"),
        ("chr1\t1\t11", "leaves its chromosome"),
        ("1\t1\t5", "'chr1'"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, line: str, what: str) -> None:
    file = bed(tmp_path, f"chr1\t0\t5\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_bed(file, {"chr1": 10})
    assert what in str(caught.value)
    assert caught.value.where == f"{file}:2"


def test_narrow_peak_summit_and_signal(tmp_path: Path) -> None:
    file = bed(tmp_path, "chr1\t10\t30\t.\t5\t.\t59.5\t-1\t4.6\t3\nchr1\t10\t30\t.\t5\t.\t1\t-1\t4.6\t-1\n")
    first, second = read_narrow_peak(file)
    assert (first.summit, first.signal, second.summit) == (13, 59.5, 20)


@pytest.mark.parametrize(
    ("tail", "what"), [("", "too few columns"), ("\tx\t-1\t-1\t0", "signal"), ("\t1\t-1\t-1\t20", "summit")]
)
def test_narrow_peak_errors(tmp_path: Path, tail: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_narrow_peak(bed(tmp_path, f"chr1\t10\t30\t.\t5\t.{tail}\n"))


def test_on_genome(tmp_path: Path) -> None:
    lengths = {"chr1": 10}
    inside, elsewhere = Interval("chr1", 0, 10), Interval("chr7", 0, 1)
    said: list[str] = []

    class Sink:
        def say(self, message: str) -> None:
            said.append(message)

        def bar(self, description: str, total: float | None, unit: str) -> Bar:
            raise AssertionError(description)

    set_sink(Sink())
    try:
        assert on_genome([inside, elsewhere, elsewhere], lengths, "peaks") == [inside]
    finally:
        set_sink(None)
    assert said == ["peaks: left out 2 intervals on 1 chromosomes not in the genome"]
    for wrong in ([Interval("1", 0, 1), inside], [elsewhere], [Interval("chr1", 0, 11)]):
        with pytest.raises(DataError):
            on_genome(wrong, lengths, "peaks")


intervals = st.builds(
    lambda chrom, start, length, strand, name, score: Interval(chrom, start, start + length, strand, name, score),
    st.sampled_from(["chr1", "chrX"]), st.integers(0, 10**9), st.integers(0, 10**6), st.sampled_from("+-."),
    st.sampled_from([".", "peak_1"]), st.integers(0, 1000).map(float),
)


@given(st.lists(intervals, min_size=1, max_size=20))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, given_intervals: list[Interval]
) -> None:
    file = tmp_path_factory.mktemp("bed") / "x.bed"
    file.write_text("".join(
        f"{one.chrom}\t{one.start}\t{one.end}\t{one.name}\t{one.score:.6g}\t{one.strand}\n" for one in given_intervals
    ))
    assert read_bed(file) == given_intervals


def test_gzip_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.bed.gz"
    file.write_bytes(gzip.compress(b"chr1\t1\t2\n"))
    assert read_bed(file) == [Interval("chr1", 1, 2)]


def test_the_staged_peaks(data_dir: Path) -> None:
    peaks = read_narrow_peak(data_dir / "tracks" / "hg19_chr20_CTCF_GM12878.narrowPeak.gz")
    assert len(peaks) == 1242
    assert peaks[0].interval == Interval("chr20", 118_411, 118_771, score=378.0)
    assert peaks[0].summit == 118_591
