"""What a model has read before is found by place and by the digest of the genome."""

from __future__ import annotations

from lingome.data.interval import Interval
from lingome.evaluate.leaks.seen import pretraining_overlap, seen_before


def test_what_pretraining_saw() -> None:
    seen = [
        {"by": "pretrain", "genome": "g", "chrom": "1", "start": 0, "end": 100},
        {"by": "pretrain", "genome": "other", "chrom": "1", "start": 0, "end": 1000},
        {"by": "finetune", "genome": "g", "chrom": "1", "start": 500, "end": 600},
    ]
    windows = [Interval("1", 50, 60), Interval("1", 100, 110), Interval("1", 590, 610), Interval("2", 0, 10)]
    rows = pretraining_overlap(seen, windows, "g")
    assert [row.level for row in rows] == ["warn", "fail"]
    assert "1 of 4 test windows (25%)" in rows[0].text
    assert pretraining_overlap(seen, [windows[3]], "g") == []


def test_what_pretraining_read_is_told_by_place_and_digest() -> None:
    seen = [{"by": "pretrain", "genome": "d1", "chrom": "chr1", "start": 0, "end": 150}]
    places = [Interval("chr1", 100, 200), Interval("chr1", 150, 200), Interval("chr2", 0, 10)]
    assert seen_before(places, "d1", seen).tolist() == [True, False, False]
    assert not seen_before(places, "d2", seen).any()
