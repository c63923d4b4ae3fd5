"""Choose a vocabulary: train byte pairs once, compare merge counts and k-mers by next-k-mer prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lingome.config.tokens_choose import ChooseSettings
from lingome.core.errors import ConfigError
from lingome.core.files import check_absent
from lingome.core.lineage import Lineage
from lingome.core.outcome import Outcome, Plan, Table
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.core.seeds import derive_seed
from lingome.data.genome import Genome
from lingome.data.interval import Interval
from lingome.evaluate.next_kmer import next_kmer
from lingome.models.devices import pick_device
from lingome.models.presets import build_masked_lm, count_parameters
from lingome.tokens.bpe import train_bpe
from lingome.tokens.kmers import KmerTokenizer
from lingome.tokens.tokenizer import Tokenizer

Row = dict[str, Any]


def plan(settings: ChooseSettings) -> Plan:
    """Read the genome and say what would be trained."""
    check_absent(settings.out, settings.force)
    pick_device(settings.device)
    genome = Genome.open(settings.genome)
    learn, test = areas(genome, settings)
    n_candidates = len(set(settings.merges)) + len(set(settings.kmers))
    largest = max([9 + merges for merges in settings.merges] + [5 + 4**k for k in settings.kmers])
    parameters = count_parameters(build_masked_lm(settings.next.preset, largest))
    positions = settings.next.finetune_steps * settings.next.finetune_batch * settings.next.context_bp
    bases = settings.next.pretrain_steps * settings.next.windows_per_step * settings.next.window_bp
    # From one run on two cores, for tokens of about four bases: off by a factor of a few elsewhere.
    seconds = n_candidates * settings.seeds * (bases + positions) * (parameters + 1e5) / 1.2e11 + 3
    return Plan("tokens choose", [
        ("genome", f"{settings.genome}: {sum(genome.lengths.values()):,} bases"),
        ("trained on", f"{sum(one.length_bp for one in learn):,} bases"),
        ("tested on", f"{settings.next.n_test:,} positions in {sum(one.length_bp for one in test):,} other bases"),
        ("candidates", f"{n_candidates}, each trained {settings.seeds} times"),
        ("model", f"{settings.next.preset}, {parameters:,} parameters at most"),
        ("memory", f"about {0.6 + 12 * sum(genome.lengths.values()) / 1e9 + parameters * 2e-8:.1f} GB"),
        ("time", f"very roughly {seconds / 60:.1f} minutes on two cores"),
        ("output", str(settings.out)),
    ])


def run(settings: ChooseSettings) -> Outcome:
    """Train the vocabularies, compare them, and write the run directory."""
    pick_device(settings.device)
    lineage = Lineage("tokens choose", settings.seed)
    with RunDir.create(settings.out, force=settings.force) as run_dir:
        run_dir.write_config(settings.as_dict())
        genome = Genome.open(settings.genome)
        lineage.add_input("genome", settings.genome)
        learn, test = areas(genome, settings)
        candidates = build_candidates(genome, learn, settings)
        rows = compare_vocabularies(genome, candidates, learn, test, settings)
        answer = recommend(rows)
        run_dir.write_table("next_kmer", rows)
        for name, tokenizer in candidates.items():
            if name == answer[0]:
                tokenizer.save(run_dir.path / "tokenizer")
        lineage.add_seen("tokens choose", genome.digest, [(one.chrom, one.start, one.end) for one in learn])
        run_dir.write_lineage(lineage.as_dict(
            title="Choice of a vocabulary", question="Which vocabulary reads this genome best?", answer=answer[1],
        ))
    return Outcome(f"{answer[1]}\nrun: {settings.out}", tables=[choice_view(rows)], path=settings.out)


def areas(genome: Genome, settings: ChooseSettings) -> tuple[list[Interval], list[Interval]]:
    """Keep the end of every sequence for testing, behind a gap of a thousand bases."""
    learn, test = [], []
    for chrom, length in genome.lengths.items():
        cut = int(length * (1 - settings.test_share))
        learn.append(Interval(chrom, 0, cut))
        if cut + 1000 < length:
            test.append(Interval(chrom, cut + 1000, length))
    return learn, test


def build_candidates(genome: Genome, learn: Sequence[Interval], settings: ChooseSettings) -> dict[str, Tokenizer]:
    """Train byte pairs once to the highest count, on training bases only, and cut the list at each candidate."""
    candidates: dict[str, Tokenizer] = {}
    most = max(settings.merges, default=0)
    if most:
        say(f"training {most:,} merges")
        parts = (genome.sequence(one.chrom, one.start, one.end) for one in learn)
        trained = train_bpe(parts, most, both_strands=settings.both_strands).tokenizer
        if len(trained.merges) < most:
            raise ConfigError(
                "the genome gives fewer merges than asked for", where="merges", got=most, expected=len(trained.merges)
            )
        for merges in sorted(set(settings.merges)):
            candidates[f"BPE-{merges}"] = trained.truncated(merges)
    elif settings.merges:
        candidates["BPE-0"] = KmerTokenizer(1, overlap=False)
    for k in sorted(set(settings.kmers)):
        candidates[f"{k}-mers"] = KmerTokenizer(k, overlap=False)
    return candidates


def compare_vocabularies(
    genome: Genome,
    candidates: Mapping[str, Tokenizer],
    learn: Sequence[Interval],
    test: Sequence[Interval],
    settings: ChooseSettings,
) -> list[Row]:
    """Run next-k-mer prediction for all, and add how each cuts the test bases."""
    seeds = [derive_seed(settings.seed, "choose", index) for index in range(settings.seeds)]
    rows = next_kmer(
        genome, candidates, train_intervals=learn, test_intervals=test, settings=settings.next, seeds=seeds,
        device=str(pick_device(settings.device)),
    )
    signals = {name: vocabulary_use(genome, tokenizer, test) for name, tokenizer in candidates.items()}
    return [{**row, **signals[row["vocabulary"]]} for row in rows]


def vocabulary_use(genome: Genome, tokenizer: Tokenizer, intervals: Sequence[Interval]) -> Row:
    """Count bases a token and the share of the vocabulary that is used, on up to a million test bases."""
    counts, n_bases = np.zeros(tokenizer.vocab_size, dtype=np.int64), 0
    for one in intervals:
        end = min(one.end, one.start + max(0, 1_000_000 - n_bases))
        ids = tokenizer.encode(genome.sequence(one.chrom, one.start, end)).input_ids
        counts += np.bincount(ids, minlength=tokenizer.vocab_size)
        n_bases += end - one.start
    counts[tokenizer.special_ids] = 0
    words = int((tokenizer.token_lengths > 0).sum())
    bases = float((counts * tokenizer.token_lengths).sum())
    return {"bases_per_token": bases / max(1, int(counts.sum())), "used_share": float((counts > 0).sum() / words)}


def recommend(rows: Sequence[Row]) -> tuple[str, str]:
    """Give the smallest vocabulary whose interval reaches the best one's, and the reason.

    Compared is the mean accuracy over all k.
    """
    one_each = list({row["vocabulary"]: row for row in rows}.values())
    best = max(one_each, key=lambda row: row["mean_accuracy"])
    good = [row for row in one_each if row["mean_high"] >= best["mean_low"]]
    chosen = min(good, key=lambda row: row["vocab_size"])
    reason = f"{chosen['vocabulary']} ({chosen['vocab_size']:,} tokens): "
    if chosen is best:
        reason += f"no smaller vocabulary reaches its mean accuracy of {best['mean_accuracy']:.2%}."
    else:
        reason += (
            f"the smallest vocabulary whose interval (to {chosen['mean_high']:.2%}) overlaps that of the best, "
            f"{best['vocabulary']} (from {best['mean_low']:.2%})."
        )
    behind = sum(row["accuracy"] < row["baseline"] for row in rows if row["vocabulary"] == chosen["vocabulary"])
    if behind:
        reason += (
            f" A Markov model is better for {behind} of its k: the training was too short for more than a comparison."
        )
    return chosen["vocabulary"], reason


def choice_view(rows: Sequence[Row]) -> Table:
    """Show one line a vocabulary, and the accuracy for every k in percent."""
    ks = sorted({row["k"] for row in rows})
    shown = []
    for name in dict.fromkeys(row["vocabulary"] for row in rows):
        mine = {row["k"]: row for row in rows if row["vocabulary"] == name}
        first = mine[ks[0]]
        shown.append([
            name, first["vocab_size"], first["bases_per_token"], first["used_share"],
            *(100 * mine[k]["accuracy"] for k in ks), 100 * first["mean_accuracy"],
            100 * first["mean_low"], 100 * first["mean_high"],
        ])
    base = {row["k"]: row for row in rows}
    shown.append(["Markov model", None, None, None, *(100 * base[k]["baseline"] for k in ks), None, None, None])
    shown.append(["chance", None, None, None, *(100 * base[k]["chance"] for k in ks), None, None, None])
    columns = ["vocabulary", "tokens", "bases a token", "used", *(f"{k}-mers %" for k in ks), "mean %", "low", "high"]
    return Table("next-k-mer prediction", columns, shown)
