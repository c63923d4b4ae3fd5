"""Generated sequences as rows of a table, and as FASTA."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lingome.core.progress import show, track
from lingome.generate.collection import Kept
from lingome.generate.sampling import OnToken
from lingome.tokens.alphabet import DNA
from lingome.tokens.tokenizer import Tokenizer

LINE = 80


def record_row(kept: Kept, tokenizer: Tokenizer, longest_match: int | None = None) -> dict[str, Any]:
    """Describe a sequence: name, letters and tokens after the prompt, log-likelihood in nats, bits, why it ended.

    ``bits_per_base`` (of protein ``bits_per_residue``) is -log2 of its probability given the prompt, by its letters;
    None where there are none.
    """
    bits = -kept.generated.log_likelihood / math.log(2)
    n_letters = len(kept.sequence)
    unit = "base" if tokenizer.alphabet is DNA else "residue"
    row = {
        "name": f"generated_{kept.index + 1}", "length": n_letters, "tokens": len(kept.generated.tokens),
        "log_likelihood": kept.generated.log_likelihood, f"bits_per_{unit}": bits / n_letters if n_letters else None,
        "stop": kept.generated.stop, "draw": kept.attempt + 1,
    }
    return row if longest_match is None else {**row, "longest_match": longest_match}


@contextmanager
def show_progress(tokenizer: Tokenizer, n_letters: int, prompt: str, *, stream: bool) -> Iterator[OnToken]:
    """Give a function to call with every token: it advances a bar, or shows sequences as FASTA while they are made.

    Parameters
    ----------
    tokenizer : Tokenizer
        Gives the letters of tokens.
    n_letters : int
        Letters to be written in all.
    prompt : str
        Shown before each sequence.
    stream : bool
        Whether to show letters; then sequences must be written one after the other. Each is one line.
    """
    if not stream:
        with track("generating", n_letters, "bases") as task:
            yield lambda _, token: task.advance(int(tokenizer.token_lengths[token]))
        return
    begun: list[int] = []

    def on_token(index: int, token: int) -> None:
        if begun[-1:] != [index]:
            show(("\n" if begun else "") + f">generated_{index + 1}\n{prompt}")
            begun.append(index)
        show(tokenizer.decode((token,)))

    yield on_token
    show("\n")


def fasta_record(row: dict[str, Any], sequence: str) -> str:
    """Write one record; numbers of `record_row` stand behind the name as ``key=value``."""
    shown = " ".join(
        f"{key}={f'{value:.4f}' if isinstance(value, float) else str(value).replace(' ', '_')}"
        for key, value in row.items() if key not in ("name", "tokens", "draw") and value is not None
    )
    lines = [sequence[start : start + LINE] for start in range(0, len(sequence), LINE)]
    return "\n".join([f">{row['name']} {shown}", *lines, ""])
