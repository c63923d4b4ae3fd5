"""The shape of a track model, as a checked value."""

from __future__ import annotations

from dataclasses import dataclass

from lingome.models.shape import require


@dataclass(frozen=True)
class TracksConfig:
    """Shape of a track model; `ENFORMER` is the published one.

    Parameters
    ----------
    n_tracks : int
        T, numbers that are predicted for each bin.
    bin_bp : int
        Bases of a bin, a power of two.
    crop_bins : int
        Bins that are cut off each end.
    max_positions : int
        Longest input in bases, a multiple of `bin_bp`; it sets the scale of the basis functions.
    hidden_size, n_layers, n_heads, key_size : int
        D, blocks of the transformer, H and K; V is D / H.
    n_distance_features : int
        P: a multiple of six, or of three if `symmetric_positions`.
    symmetric_positions : bool
        Whether a distance has no direction.
    channel_multiple : int
        Channels of the tower grow by a constant factor from D / 2 to D, rounded to multiples of this.
    stem_taps, tower_taps : int
        Taps of the first convolution, and of those of the tower; odd.
    dropout, attention_dropout, position_dropout : float
        Share set to zero in training: of what a half block adds (an eighth of it after the pointwise layer), of
        attention weights, of basis functions.
    norm_eps : float
        Epsilon of the norms.
    track_names : tuple of str
        Names of the tracks; none, or T of them.
    vocab_size : int
        Tokens of the vocabulary.
    base_ids : tuple of int
        Ids of A, C, G and T.
    pad_id, cls_id, sep_id : int
        Special tokens of the vocabulary, which never enter.
    label_names : tuple of str
        Always empty: this is no classifier.

    Raises
    ------
    ConfigError
        If a value is out of range or does not fit another.
    """

    n_tracks: int = 1
    bin_bp: int = 128
    crop_bins: int = 0
    max_positions: int = 16_384
    hidden_size: int = 192
    n_layers: int = 2
    n_heads: int = 4
    key_size: int = 32
    n_distance_features: int = 48
    symmetric_positions: bool = False
    channel_multiple: int = 16
    stem_taps: int = 15
    tower_taps: int = 5
    dropout: float = 0.0
    attention_dropout: float = 0.0
    position_dropout: float = 0.0
    norm_eps: float = 1e-5
    track_names: tuple[str, ...] = ()
    vocab_size: int = 9
    base_ids: tuple[int, ...] = (5, 6, 7, 8)
    pad_id: int = 0
    cls_id: int = 2
    sep_id: int = 3
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits = {"n_layers": 1000, "stem_taps": 255, "tower_taps": 255, "max_positions": 2**24, "bin_bp": 2**16}
        sizes = ("n_tracks", "hidden_size", "n_heads", "key_size", "n_distance_features", "channel_multiple",
                 "vocab_size")
        for name in (*sizes, *limits):
            most = limits.get(name, 2**20)  # a damaged file must not ask for the moon
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most:,}")
        bins = self.bin_bp & (self.bin_bp - 1)
        require(bins == 0 and self.bin_bp >= 4, "bin_bp", self.bin_bp, "a power of two, at least 4")
        require(self.max_positions % self.bin_bp == 0, "max_positions", self.max_positions, f"{self.bin_bp}-base bins")
        require(0 <= 2 * self.crop_bins < self.n_bins, "crop_bins", self.crop_bins, f"less than half of {self.n_bins}")
        for name in ("stem_taps", "tower_taps"):
            require(getattr(self, name) % 2 == 1, name, getattr(self, name), "an odd number of taps")
        for name, unit in (("n_heads", self.n_heads), ("channel_multiple", self.channel_multiple), ("2", 2)):
            require(self.hidden_size % unit == 0, "hidden_size", self.hidden_size, f"a multiple of {name}, {unit}")
        kinds = 3 if self.symmetric_positions else 6
        require(self.n_distance_features % kinds == 0, "n_distance_features", self.n_distance_features,
                f"a multiple of {kinds}: as many of each kind")
        require(self.n_distance_features // kinds < 64, "n_distance_features", self.n_distance_features,
                f"below {64 * kinds}")
        for name in ("dropout", "attention_dropout", "position_dropout"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "at least 0 and below 1")
        require(self.norm_eps > 0, "norm_eps", self.norm_eps, "above 0")
        names = self.track_names
        require(len(names) in (0, self.n_tracks) and len(set(names)) == len(names), "track_names", names,
                f"none, or {self.n_tracks} different ones")
        for token in (*self.base_ids, self.pad_id, self.cls_id, self.sep_id):
            require(0 <= token < self.vocab_size, "ids of tokens", token, f"below the vocabulary's {self.vocab_size}")
        require(len(set(self.base_ids)) == 4, "base_ids", self.base_ids, "four ids, of A, C, G and T")
        require(not self.label_names, "label_names", self.label_names, "none: tracks are no classes")

    @property
    def n_bins(self) -> int:
        """N, bins of the longest input, those included that are cut off."""
        return self.max_positions // self.bin_bp


ENFORMER = TracksConfig(
    n_tracks=5313, bin_bp=128, crop_bins=320, max_positions=196_608, hidden_size=1536, n_layers=11, n_heads=8,
    key_size=64, n_distance_features=192, channel_multiple=128, dropout=0.4, attention_dropout=0.05,
    position_dropout=0.01,
)
"""The published shape with its human head: 196,608 bases, 1,536 bins of 128, of which 896 are predicted."""


def tower_channels(config: TracksConfig) -> list[int]:
    """Give the channels of the stem and of each block of the tower, the last being D.

    >>> tower_channels(ENFORMER)
    [768, 768, 896, 1024, 1152, 1280, 1536]
    """
    start = config.hidden_size // 2
    blocks = config.bin_bp.bit_length() - 2
    unit = config.channel_multiple
    growth = 2 ** (1 / max(blocks - 1, 1))
    grown = [max(round(start * growth**index / unit), 1) * unit for index in range(blocks)]
    return [start, *grown[:-1], config.hidden_size]
