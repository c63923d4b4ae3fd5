"""Tell finished sequences that repeat themselves, or hold little but a few words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from lingome.core.errors import ConfigError

REPEAT_BP = 12
DUST_BP = 64
DUST_SCORE = 2.0


def repeated_share(sequence: str, k: int = REPEAT_BP) -> float:
    """Give the share of the words of k letters that stood in the sequence before; 0 if it is shorter than k.

    A sequence of random bases has about 0 for k = 12, a tandem repeat nearly 1.

    >>> repeated_share("ACACACAC", k=2), repeated_share("AACCGGTT", k=2)
    (0.7142857142857143, 0.0)
    """
    n_words = len(sequence) - k + 1
    if n_words < 1:
        return 0.0
    return 1 - len({sequence[i : i + k] for i in range(n_words)}) / n_words


def low_complexity_share(sequence: str, window_bp: int = DUST_BP, threshold: float = DUST_SCORE) -> float:
    """Give the share of letters in windows of low complexity.

    A window's score is that of DUST, the sum of c (c - 1) / 2 over its triplets, each met c times, divided by
    the number of triplets - 1; it is low where the score exceeds 2 (Morgulis et al. 2006,
    doi:10.1089/cmb.2006.13.1028). Every window is looked at; the published program then trims them.

    >>> low_complexity_share("A" * 100), low_complexity_share("ACGT" * 2)
    (1.0, 0.0)
    """
    triplets = [sequence[i : i + 3] for i in range(len(sequence) - 2)]
    n_window = min(len(triplets), window_bp - 2)
    if n_window < 2:
        return 0.0
    counts: dict[str, int] = {}
    pairs = 0
    low_until = 0
    low = 0
    for end, triplet in enumerate(triplets, start=1):
        pairs += counts.get(triplet, 0)
        counts[triplet] = counts.get(triplet, 0) + 1
        if end > n_window:
            old = triplets[end - n_window - 1]
            counts[old] -= 1
            pairs -= counts[old]
        if end >= n_window and pairs / (n_window - 1) > threshold:
            start = max(low_until, end - n_window)
            stop = end + 2
            low += stop - start
            low_until = stop
    return low / len(sequence)


def longest_run(sequence: str) -> int:
    """Give the length of the longest run of one letter.

    >>> longest_run("ACCCGG")
    3
    """
    run = min(1, len(sequence))
    longest = run
    for before, letter in pairwise(sequence):
        run = run + 1 if letter == before else 1
        longest = max(longest, run)
    return longest


@dataclass(frozen=True)
class Filters:
    """Limits that a finished sequence has to keep; None looks at nothing.

    Parameters
    ----------
    max_repeated : float, optional
        Largest `repeated_share`.
    max_low_complexity : float, optional
        Largest `low_complexity_share`.
    max_run : int, optional
        Largest `longest_run`.

    Raises
    ------
    ConfigError
        If a limit is out of range.
    """

    max_repeated: float | None = None
    max_low_complexity: float | None = None
    max_run: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_repeated", "max_low_complexity"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise ConfigError("this limit is a share", where=name, got=share, expected="0 to 1")
        if self.max_run is not None and self.max_run < 1:
            raise ConfigError("every letter is a run of one", where="max_run", got=self.max_run, expected="1 or more")

    def complaint(self, sequence: str) -> str | None:
        """Name the first limit that a sequence breaks; None if it keeps all.

        >>> Filters(max_run=3).complaint("ACCCCG")
        'max_run'
        """
        if self.max_run is not None and longest_run(sequence) > self.max_run:
            return "max_run"
        if self.max_repeated is not None and repeated_share(sequence) > self.max_repeated:
            return "max_repeated"
        if self.max_low_complexity is not None and low_complexity_share(sequence) > self.max_low_complexity:
            return "max_low_complexity"
        return None
