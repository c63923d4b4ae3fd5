"""Sequences that a causal language model writes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lingome.config.generate import GenerateSettings
from lingome.core.errors import ConfigError, DataError
from lingome.core.outcome import Table
from lingome.generate.collection import Collection, Request, sample_many, search_many
from lingome.generate.filters import Filters
from lingome.generate.logits import Sampling
from lingome.generate.recomputed import reader_of
from lingome.generate.records import record_row, show_progress
from lingome.generate.rules import Rules, rules_for
from lingome.models.architecture import CausalModel
from lingome.models.devices import pick_device
from lingome.models.networks.decoder.model import CausalLM
from lingome.models.networks.decoder.step_layout import lay_out_for_steps
from lingome.tokens.tokenizer import Tokenizer


class Writer(NamedTuple):
    """What writes: model and vocabulary, the prompt as tokens with the one that begins a sequence, and the rules."""

    model: CausalModel
    tokenizer: Tokenizer
    prompt: list[int]
    rules: Rules


class Generated(Sequence[str]):
    """Sequences that were written, as letters, the prompt included; and how each was written.

    Parameters
    ----------
    sequences : sequence of str
        N sequences.
    rows : sequence of dict
        One per sequence: name, length, tokens, ``log_likelihood`` in nats, bits per base, why it ended.
    rejected : dict of str to int
        How often each filter objected.
    n_missing : int
        Sequences asked for of which no draw passed.
    """

    def __init__(
        self, sequences: Sequence[str], rows: Sequence[dict[str, Any]], rejected: dict[str, int], n_missing: int
    ) -> None:
        self.sequences = list(sequences)
        self.rows = list(rows)
        self.rejected = rejected
        self.n_missing = n_missing

    @property
    def ids(self) -> list[str]:
        """Names of the sequences."""
        return [str(row["name"]) for row in self.rows]

    @property
    def table(self) -> Table:
        """How each sequence was written."""
        columns = list(self.rows[0]) if self.rows else []
        return Table(f"{len(self):,} sequences", columns, [list(row.values()) for row in self.rows])

    def to_pandas(self) -> Any:
        """Give the table as a DataFrame of pandas.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        return self.table.to_pandas()

    def __getitem__(self, index: Any) -> Any:
        return self.sequences[index]

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __repr__(self) -> str:
        shown = ", ".join(one if len(one) <= 40 else f"{one[:37]}..." for one in self.sequences[:3])
        missing = f", {self.n_missing:,} missing" if self.n_missing else ""
        return f"Generated({len(self):,} sequences{missing}: {shown}{', ...' if len(self) > 3 else ''})"

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def open_writer(model: CausalModel, tokenizer: Tokenizer, settings: GenerateSettings) -> Writer:
    """Check that the prompt and the lengths are for this model, and make the rules of writing.

    Raises
    ------
    ConfigError
        If the prompt has letters that the model does not know, or rules do not fit the vocabulary.
    DataError
        If the sequences would be longer than the context.
    """
    rules = rules_for(tokenizer, max_bases=settings.length_bp, min_bases=settings.min_length_bp,
                      letters=settings.letters)
    ids = tokenizer.encode(settings.prompt).input_ids
    if (ids == tokenizer.unk_id).any():
        raise ConfigError("the prompt has letters the model does not know", where="prompt", got=settings.prompt[:60],
                          expected=" ".join(tokenizer.alphabet.letters))
    prompt = [model.config.cls_id, *map(int, ids)]
    longest = int(rules.token_bases_V[rules.allowed_V].max())
    needed = len(prompt) + math.ceil(settings.length_bp / longest) - 1
    room = model.config.max_positions
    if len(prompt) > room or (needed > room and settings.too_long == "error"):
        raise DataError("the sequence would be longer than the model can read", where="length_bp, prompt",
                        got=f"at least {needed:,} tokens", expected=f"at most {room:,}",
                        hint="shorter sequences, or too_long=slide")
    return Writer(model, tokenizer, prompt, rules)


def rows_at_a_time(settings: GenerateSettings) -> int:
    """Give the sequences that are written at a time."""
    return (settings.beams or 5) if settings.method == "beam" else min(settings.n, settings.batch_size)


def write_sequences(writer: Writer, settings: GenerateSettings, *, stream: bool = False) -> Collection:
    """Sample or search with the model, under a progress bar; with `stream`, letters are shown as they are made."""
    device = pick_device(settings.device)
    model = writer.model.to(device)
    rules = writer.rules
    tokenizer = writer.tokenizer
    if isinstance(model, CausalLM):
        lay_out_for_steps(model, 1 if stream else rows_at_a_time(settings))
    reader = reader_of(model, len(writer.prompt) + rules.max_tokens, slide=settings.too_long == "slide")
    request = Request(
        writer.prompt, settings.n, rules, tokenizer.decode,
        Filters(settings.max_repeated, settings.max_low_complexity, settings.max_run),
    )
    if settings.method == "beam":
        return search_many(
            reader, request, n_beams=rows_at_a_time(settings), length_penalty=settings.length_penalty or 0.0,
            device=device,
        )
    temperature = 0.0 if settings.method == "greedy" else settings.temperature
    sampling = Sampling(1.0 if temperature is None else temperature, settings.top_k, settings.top_p, settings.min_p)
    letters = settings.n * settings.length_bp
    with show_progress(tokenizer, letters, settings.prompt.upper(), stream=stream) as on_token:
        return sample_many(
            reader, request, seed=settings.seed, sampling=sampling,
            attempts=settings.attempts if settings.method == "sample" else 1,
            batch_size=1 if stream else settings.batch_size, device=device, on_token=on_token,
        )


def gather(made: Collection, tokenizer: Tokenizer, prompt: str) -> Generated:
    """Give what was written as letters, with the prompt before each sequence."""
    rows = [record_row(kept, tokenizer) for kept in made.kept]
    return Generated([prompt.upper() + kept.sequence for kept in made.kept], rows, dict(made.rejected), made.n_missing)
