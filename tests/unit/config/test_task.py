"""Inputs are told apart by their names, and nonsense is refused."""

from __future__ import annotations

import pytest

from lingome.config.embed import EmbedSettings
from lingome.config.finetune import FinetuneSettings
from lingome.config.parts.task import SplitSettings, TaskSettings, sort_inputs
from lingome.config.predict import sort_predict_inputs, sort_sequence_inputs
from lingome.config.schema.settings import load_settings
from lingome.core.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        (["a.csv"], {"table": "a.csv"}),
        (["g.FA.gz", "p.bed"], {"genome": "g.FA.gz", "positives": "p.bed"}),
        (["g.fa", "p.bed.gz", "n.bed"], {"genome": "g.fa", "positives": "p.bed.gz", "negatives": "n.bed"}),
        (["g.fa", "genes.gff3.gz"], {"genome": "g.fa", "positives": "genes.gff3.gz"}),
        (["g.fa", "p.narrowPeak"], {"genome": "g.fa", "positives": "p.narrowPeak"}),
        (["b.bed", "g.fa", "m.jaspar"], {"peaks": "b.bed", "genome": "g.fa", "motifs": "m.jaspar"}),
        (
            ["b.bed", "g.fa", "m.jaspar", "p.narrowPeak"],
            {"blacklist": "b.bed", "genome": "g.fa", "motifs": "m.jaspar", "peaks": "p.narrowPeak"},
        ),
    ],
)
def test_files_are_told_by_their_names(words: list[str], roles: dict[str, str]):
    assert sort_inputs(words) == roles
    assert all(name in TaskSettings.model_fields for name in roles)


@pytest.mark.parametrize("words", [["a.csv", "b.csv"], ["reads.bam"], ["g.fa", "p.bed", "n.bed", "x.bed"]])
def test_files_without_a_part_are_refused(words: list[str]):
    with pytest.raises(ConfigError):
        sort_inputs(words)


def test_a_fasta_alone_holds_sequences():
    assert sort_sequence_inputs(["x.fa"]) == {"sequences": "x.fa"}
    assert sort_sequence_inputs(["x.fa", "w.bed"]) == {"genome": "x.fa", "bed": "w.bed"}
    assert sort_predict_inputs(["m", "x.fa", "c.jaspar"]) == {"model": "m", "genome": "x.fa", "motifs": "c.jaspar"}
    with pytest.raises(ConfigError):
        sort_sequence_inputs(["g.fa", "genes.gff"])


def test_methods_are_one_word_or_several():
    one = load_settings(FinetuneSettings, overrides=["method=full"])
    several = load_settings(FinetuneSettings, overrides=["method=features,last:2,full", "tune.epochs=1"])
    assert (one.method, several.method) == (("full",), ("features", "last:2", "full"))
    for wrong in ("lora", "last:0", "full,full"):
        with pytest.raises(ConfigError):
            load_settings(FinetuneSettings, overrides=[f"method={wrong}"])


def test_splits_that_make_no_sense_are_refused():
    for wrong in (
        {"fractions": (0.5, 0.1, 0.1)},
        {"valid_chroms": ("chr1",), "test_chroms": ("chr1",)},
        {"test_chroms": ("chr1",)},
        {"by": "chromosomes"},
    ):
        with pytest.raises(ValueError, match="split"):
            SplitSettings(**wrong)


def test_pooling_has_known_names():
    with pytest.raises(ConfigError, match="pooling"):
        load_settings(EmbedSettings, overrides=["pooling=sum"])
