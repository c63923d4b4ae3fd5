"""Tables of run directories: every one that a recipe writes, and how cells are written and read.

`RunDir.write_table` writes no table and no column that is not declared here, and the page reads what is declared, so
that neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Column(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    name : str
    required : bool
        It is always there, and the page needs it filled in.
    number, text : bool
        What its cells may hold beside nothing.
    on_page : bool
        The page reads it.
    """

    name: str
    required: bool
    number: bool
    text: bool
    on_page: bool


class TableColumns(NamedTuple):
    """The columns of a table.

    Parameters
    ----------
    columns : tuple of Column
    open : bool
        Columns of other names may stand beside these.
    """

    columns: tuple[Column, ...]
    open: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the declared columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def on_page(self) -> tuple[Column, ...]:
        """Columns that the page reads."""
        return tuple(column for column in self.columns if column.on_page)


def _parse(text: str) -> TableColumns:
    """Read a line of the declaration: names with marks, and ``*`` when other columns may stand beside them.

    >>> _parse("name! n#").columns[1].number, _parse("id *").open
    (True, True)
    """
    words = text.split()
    columns = []
    for word in words:
        name = word.rstrip("!#?-")
        marks = word[len(name) :]
        if name != "*":
            columns.append(Column(name, "!" in marks, "#" in marks or "?" in marks, "#" not in marks, "-" not in marks))
    return TableColumns(tuple(columns), "*" in words)


# Marks: `!` always there, `#` numbers, `?` numbers or text, else text; `-` not on the page; `*` others may follow.
TABLES: dict[str, TableColumns] = {name: _parse(text) for name, text in {
    "data": "name! file what licence records? size? unit sha256 note",
    "vocabulary": "id#! token! length_bp#! count# frequency# gc# rank# left? right? pair_count# margin#",
    "tokens": (
        "id#! token! length_bp#! count#! frequency# gc# ag# ac# count_reverse# strand_bias# palindrome# rank# left "
        "right pair_count# margin# *"
    ),
    "token_annotation": "annotation! id#! token! count#! inside# share# baseline# ratio#",
    "merge_tree": "token! parent_left parent_right rank# depth#! n_descendants#!",
    "token_map": "id#! token! pc1#! pc2#! count# gc# length_bp#! ag# ac#",
    "token_axes": "axis! variance# correlates_with! correlation#",
    "token_axes_random": "axis! variance# correlates_with! correlation#",
    "self_similarity": "id#! token! layer#! n# self_similarity# baseline# random_weights# random_baseline#",
    "language": (
        "name! kind loss# perplexity# bits_per_base# loss_outside_repeats# bits_per_base_outside_repeats# accuracy# "
        "n_tokens#- n_bases#-"
    ),
    "choice": "topic! text! vocabulary!",
    "next_kmer": (
        "vocabulary! merges# k#! accuracy#! low# high# chance# baseline# n# seeds# vocab_size# mean_accuracy# behind# "
        "behind_low# behind_high# baseline_order#- most_frequent#- mean_low#- mean_high#- bits_per_base#- "
        "bits_behind#- bits_behind_low#- bits_behind_high#-"
    ),
    "next_kmer_controls": "vocabulary! accuracy#! random_weights#! gain#! gain_low#! gain_high#!",
    "vocabulary_signals": (
        "vocabulary! merges# vocab_size#! tokens_per_base#! bases_per_token#! bases_per_token_low# "
        "bases_per_token_high# bits_per_base#! bits_per_base_low# bits_per_base_high# bits_behind#! bits_behind_low#! "
        "bits_behind_high#! markov_bits_per_base# used_share#! frequent_share#! renyi_efficiency#! length_p5#! "
        "length_median#! length_p95#! single_share#! rc_share#! tokens_per_base_low#- tokens_per_base_high#- "
        "ngram_order#- entropy_bits#- rc_share_low#- rc_share_high#- n_bases#- n_test_bases#- markov_order#-"
    ),
    "splits": "split! chrom start# end# n#! n_positive#",
    "scores": (
        "name! kind! group seeds# mcc# mcc_low# mcc_high# auroc# auroc_low# auroc_high# auprc# auprc_low# auprc_high# "
        "brier# ece# n_test# n_positive# threshold?-"
    ),
    "curves": "name! kind! curve! x#! y#! low# high#",
    "calibration": "name! kind! predicted#! observed#! low# high# n#",
    "embedding_map": "id! pc1#! pc2#! label split chrom start# end# probability#",
    "embedding_axes": "axis! variance# correlates_with correlation#",
    "predictions": "chrom! start#! end#! strand probability#! motif_score# label? name-",
    "region_peaks": "chrom! start#! end#! signal#",
    "neighbours": "token! rank#! neighbour! cosine#!",
    "token_axes_control": "axis! variance# correlates_with correlation# control",
    "ladder": (
        "name! size! seed#! parameters#! parameters_without_embeddings#! tokens#! steps# flops#! loss#! fitted# "
        "perplexity# bits_per_base# loss_at_start# time_s# in_fit#! tokens_wanted#-"
    ),
    "ladder_laws": "law! counted! value! fitted#! low#! high#!",
    "ladder_budget": (
        "law! counted! flops#! hours#! parameters#! parameters_low#! parameters_high#! tokens#! tokens_low#! "
        "tokens_high#! tokens_a_parameter#! tokens_a_parameter_low#! tokens_a_parameter_high#! loss#! loss_low#! "
        "loss_high#! perplexity#! bits_per_base#! flops_beyond#! parameters_beyond#! tokens_beyond#!"
    ),
    "ladder_curves": "curve! size flops#! tokens#! parameters#! loss#! low# high#",
    "ladder_baselines": "name! loss#! bits_per_base#",
    "ladder_noise": "law! counted! fit_sd#! seed_sd# seeds#!",
    "attention_cost": "part! length#! time_s#! memory_bytes#! parameters#!",
    "attention_growth": "part! measure! exponent#!",
    "leaks": "check! pair n# share# verdict! what",
    "warnings": "level! topic text!",
    "steps": "step! time_s#! note",
    "examples": "id!- chrom- start#- end#- strand- label?- split- sequence!- *",
    "merges": "rank!#- left!?- right!?- token!- count#- margin#-",
}.items()}
"""Every table of a run, by name."""


def check_columns(name: str, columns: Sequence[str], *, empty: bool) -> None:
    """Refuse to write a table or a column that is not declared.

    Parameters
    ----------
    name : str
        Of the table.
    columns : sequence of str
        What is to be written.
    empty : bool
        There are no rows; then columns may be missing.

    Raises
    ------
    ValueError
        If the table or a column is not declared in `TABLES`, or one that must be there is missing.
    """
    if name not in TABLES:
        raise ValueError(f"no table is called {name!r}: declare it in core/tables.py")
    table = TABLES[name]
    unknown = [column for column in columns if column not in table.names]
    if unknown and not table.open:
        raise ValueError(f"the table {name!r} has no column {', '.join(unknown)}: declare it in core/tables.py")
    missing = [column.name for column in table.columns if column.required and column.name not in columns]
    if missing and not empty:
        raise ValueError(f"the table {name!r} lacks the column {', '.join(missing)}, which its readers need")


def format_cell(value: object, floats: str = ".6g") -> object:
    """Write a cell: nothing for None, `floats` for floats, all else as it is.

    >>> format_cell(None), format_cell(1 / 3), format_cell(0.5, ".3f"), format_cell(7)
    ('', '0.333333', '0.500', 7)
    """
    if value is None:
        return ""
    return format(value, floats) if isinstance(value, float) else value


def parse_cell(cell: str | None) -> Any:
    """Read a cell: a number where it looks like one, None where it is empty, else text.

    >>> parse_cell("7"), parse_cell("0.5"), parse_cell(""), parse_cell("chr1"), parse_cell("NAN")
    (7, 0.5, None, 'chr1', 'NAN')
    """
    if cell is None or cell == "":
        return None
    # A token of protein may be NAN or INF; numbers are written nan and inf.
    if isinstance(cell, str) and cell.isalpha() and cell.isupper():
        return cell
    for convert in (int, float):
        try:
            return convert(cell)
        except ValueError:
            continue
    return cell
