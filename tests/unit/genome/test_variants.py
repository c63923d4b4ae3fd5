"""Windows around variants."""

import pytest

from lingome.core.errors import DataError
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.variants import Edit, Mutant, Variant
from lingome.genome.variants import all_substitutions, cut_mutants, cut_windows, window_around
from lingome.models.scoring.scores import apply_edits

TEXT = "ACGTTGCAAC" * 10


@pytest.fixture
def genome(tmp_path):
    (tmp_path / "g.fa").write_text(f">chr1\n{TEXT}\n>chr2\nACNNG\n")
    return Genome.open(tmp_path / "g.fa")


def variant(start, ref, alt, chrom="chr1"):
    return Variant(chrom, start, ref, alt, "v", "v.tsv:2", {})


def test_places_of_one_step_share_a_window_that_holds_each_well_inside():
    for start in range(200, 300):
        first, end = window_around(start, 1000, 40, 20)
        assert end - first == 40
        assert (first, end) == window_around(start // 20 * 20, 1000, 40, 20)
        assert 10 <= start - first <= 30
    assert window_around(998, 1000, 40) == (960, 1000)
    assert window_around(1, 10, 40) == (0, 10)


def test_alleles_spell_the_changed_chromosome_and_moved_windows_are_counted(genome):
    variants = [variant(50, "A", "G"), variant(51, "CG", ""), variant(0, "A", "TT")]
    cut = cut_windows(genome, variants, 20)
    for one, allele, place in zip(variants, cut.alleles, cut.places, strict=True):
        whole = TEXT[: one.start] + one.alt + TEXT[one.start + len(one.ref) :]
        longer = len(one.alt) - len(one.ref)
        assert apply_edits(allele) == whole[place.start : place.end + longer]
    assert (cut.n_moved, len(cut.alleles[0].sequence)) == (1, 20)
    assert len({one.sequence for one in cut_windows(genome, variants[:2], 20, 10).alleles}) == 1
    with pytest.raises(DataError, match="longer than its window"):
        cut_windows(genome, [variant(50, TEXT[50:70], "A")], 20)


def test_all_substitutions_of_a_region_leave_unknown_places_out(genome):
    found = all_substitutions(genome, Interval("chr2", 1, 5))
    assert [(one.start, one.ref + one.alt) for one in found] == [
        (1, "CA"), (1, "CG"), (1, "CT"), (4, "GA"), (4, "GC"), (4, "GT")]
    with pytest.raises(DataError, match="no base"):
        all_substitutions(genome, Interval("chr2", 2, 4))


def test_mutants_are_cut_around_their_mutations():
    one = Mutant("x", (Edit(40, TEXT[40], "N"), Edit(44, TEXT[44], "N")), "p", "m.tsv:2", {})
    whole, part = cut_mutants({"p": TEXT}, [one])[0], cut_mutants({"p": TEXT}, [one], 20)[0]
    assert (whole.sequence, len(part.sequence), part.edits[0].start) == (TEXT, 20, 8)
    assert apply_edits(part) in apply_edits(whole)
    with pytest.raises(DataError, match="further apart"):
        cut_mutants({"p": TEXT}, [one], 4)
