"""What a model is pre-trained on: sequence, its tokens, and the windows that they are read in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lingome.config.pretrain import PretrainSettings
from lingome.core.errors import ConfigError, DataError
from lingome.data.areas import Areas
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.data.repeats import Repeats
from lingome.tokens.store import StoredTokens, TokenStore
from lingome.tokens.tokenizer import Tokenizer
from lingome.tokens.windows import EncodedGenome, encode_genome


def read_tokens(
    genome: Genome | TokenStore, tokenizer: Tokenizer, intervals: Sequence[Interval], repeats: Repeats | None = None
) -> EncodedGenome | StoredTokens:
    """Give the tokens of parts of a genome: encoded now, each part on its own; or those that lie in a store.

    Parameters
    ----------
    genome : Genome or TokenStore
        Sequence, or its tokens.
    tokenizer : Tokenizer
        Cuts the sequence; a store's own.
    intervals : sequence of Interval
        The parts.
    repeats : Repeats, optional
        Then each token knows how much of it lies in a repeat.

    Raises
    ------
    DataError
        If the store holds tokens of another vocabulary, or the parts hold nothing known.
    ConfigError
        If repeats are given with a store, which does not say where its tokens lie as fast as they are needed.
    """
    if isinstance(genome, Genome):
        return encode_genome(genome, tokenizer, intervals, repeats)
    if repeats is not None:
        raise ConfigError("a token store has no annotation of repeats", where="repeats", got=genome.path)
    if genome.tokenizer.digest != tokenizer.digest:
        raise DataError(
            "the store holds tokens of another vocabulary", where=genome.path,
            got=f"digest {genome.tokenizer.digest[:12]}", expected=f"digest {tokenizer.digest[:12]}",
            hint="write a store with this tokenizer: lingome tokens encode TOKENIZER GENOME -o STORE",
        )
    return genome.select(intervals)


ReadTokens = Callable[[Genome | TokenStore, Tokenizer, tuple[Interval, ...], Repeats | None],
                      EncodedGenome | StoredTokens]
"""`read_tokens`, or one that remembers what it read."""


@dataclass(frozen=True)
class Corpus:
    """Sequence to pre-train on.

    Parameters
    ----------
    genome : Genome or TokenStore
        Sequence, which is encoded first; or a store, whose tokens are read from disk as they are needed.
    tokenizer : Tokenizer
        Cuts it into tokens; a store's own, where there is one.
    areas : Areas
        From `choose_areas`: what is learnt from, and what measures progress.
    repeats : Repeats, optional
        Where the genome repeats itself.
    repeat_weight : float
        What the loss of a token in a repeat counts, 0..1; that of one partly inside in proportion,
        1 - (1 - weight) * share.
    trained_tokenizer : bool
        Whether the vocabulary was counted on the areas to learn from, as the run's lineage then says.
    read : callable
        Gives the tokens of an area: `read_tokens`, or one that remembers them for the next run.
    """

    genome: Genome | TokenStore
    tokenizer: Tokenizer
    areas: Areas
    repeats: Repeats | None = None
    repeat_weight: float = 0.1
    trained_tokenizer: bool = False
    read: ReadTokens = read_tokens

    def tokens(self, parts: tuple[Interval, ...]) -> EncodedGenome | StoredTokens:
        """Give the tokens of some parts of the genome.

        Raises
        ------
        DataError
            If the parts hold nothing known, or a store has another vocabulary.
        """
        return self.read(self.genome, self.tokenizer, parts, self.repeats)

    def loss_weights(self, tokens: EncodedGenome | StoredTokens) -> np.ndarray | None:
        """Give what the loss of each token counts: float16, shape (n_tokens,); None where all count the same."""
        share = repeat_share(tokens)
        return None if share is None else (1 - (1 - self.repeat_weight) * share).astype(np.float16)

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for a training to go on."""
        found = {"genome": self.genome.digest, "tokenizer": self.tokenizer.digest, "areas": str(self.areas)}
        if self.repeats is not None:
            found["repeats"] = f"{self.repeats.digest} {self.repeat_weight}"
        return found


@dataclass(frozen=True)
class WindowSettings:
    """In what windows a genome is read.

    Parameters
    ----------
    min_tokens, max_tokens : int
        Lengths of windows, special tokens not counted; the model has to take two more.
    fixed_share : float
        Share of batches with windows of `max_tokens`, 0..1; other lengths are uniform.
    mixed_lengths : bool
        Pack windows of many lengths into each batch, in place of one length per batch. Masked transformers only.
    validation_windows : int
        Windows of `max_tokens` that measure progress, spread evenly over the validation area.
    validation_seed : int, optional
        Decides the masks of validation, where runs of several seeds are compared; by default the seed of the run.
    """

    min_tokens: int = 20
    max_tokens: int = 510
    fixed_share: float = 0.5
    mixed_lengths: bool = False
    validation_windows: int = 64
    validation_seed: int | None = None

    @classmethod
    def of(cls, settings: PretrainSettings, validation_seed: int | None = None) -> WindowSettings:
        """Give what the settings of a run say of windows."""
        return cls(
            settings.min_tokens, settings.max_tokens, settings.fixed_share, settings.lengths == "mixed",
            settings.validation_windows, validation_seed,
        )

    def longest(self, max_positions: int) -> int:
        """Give the tokens of the longest window that fits a model, [CLS] and [SEP] not counted."""
        return min(self.max_tokens, max_positions - 2)

    def mean(self, max_positions: int) -> int:
        """Give the tokens of a window on the average of batches, [CLS] and [SEP] not counted."""
        longest = self.longest(max_positions)
        shortest = min(self.min_tokens, longest)
        return round(self.fixed_share * longest + (1 - self.fixed_share) * (shortest + longest) / 2)

    def identity(self, max_positions: int) -> dict[str, str]:
        """Give what must be equal for a training to go on."""
        shape = (self.min_tokens, self.longest(max_positions), self.fixed_share, self.validation_windows)
        return {"windows": str(shape), **({"lengths": "mixed"} if self.mixed_lengths else {})}


def repeat_share(tokens: EncodedGenome | StoredTokens) -> np.ndarray | None:
    """Give the share of each token's bases in repeats, 0..1, shape (n_tokens,); None where repeats are not known."""
    return tokens.repeat_share if isinstance(tokens, EncodedGenome) else None
