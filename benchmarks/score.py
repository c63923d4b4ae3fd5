"""Scores of variants beside the naive loop: two windows a variant, one at a time, by transformers' BERT.

Run: ``python benchmarks/score.py``. Shape: 4 layers of 256, tokens of one letter (and byte pairs for G1), windows of
500 letters, random weights, one thread, CPU seconds, in interleaved rounds. The equality check beside each row
compares with the same score worked from the peer's logits.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers
from measuring import rate, table, times

from lingome.data.variants import Edit
from lingome.evaluate.measures.correlation import spearman
from lingome.models.folders.checkpoint import save_checkpoint
from lingome.models.presets import build_masked_lm
from lingome.models.scoring.saturation import saturate, score_changes
from lingome.models.scoring.scores import Allele, apply_edits
from lingome.tokens.bpe import train_bpe
from lingome.tokens.characters import CharacterTokenizer
from lingome.tokens.tokenizer import Tokenizer

WINDOW = 500


def peer_of(tokenizer: Tokenizer) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Give lingome's model and transformers' class with the same weights."""
    model = build_masked_lm("bert-mini", tokenizer.vocab_size, 0).eval()
    with torch.no_grad():  # random heads say almost the same of everything
        model.head.decoder.bias.normal_(generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), model, tokenizer, force=True)
        peer = transformers.AutoModelForMaskedLM.from_pretrained(folder, attn_implementation="sdpa").eval()
    return model, peer


def naive(peer: torch.nn.Module, tokenizer: Tokenizer, alleles: list[Allele], *, masked: bool) -> np.ndarray:
    """Run reference and alternative of each variant, whole, one by one."""
    scores = []
    for one in alleles:
        ref, alt = (tokenizer.encode(text) for text in (one.sequence, apply_edits(one)))
        keys = [list(zip(cut.offsets.tolist(), cut.input_ids.tolist(), strict=False)) for cut in (ref, alt)]
        total = 0.0
        for cut, own, others, sign in ((ref, keys[0], keys[1], -1), (alt, keys[1], keys[0], 1)):
            sites = [index for index, key in enumerate(own) if key not in set(others)]
            ids = torch.tensor([[tokenizer.cls_id, *cut.input_ids.astype(int).tolist(), tokenizer.sep_id]])
            targets = ids[0, [site + 1 for site in sites]].clone()
            if masked:
                ids[0, [site + 1 for site in sites]] = tokenizer.mask_id
            with torch.inference_mode():
                chances = torch.log_softmax(peer(input_ids=ids).logits[0], dim=-1)
            total += sign * float(sum(chances[site + 1, t] for site, t in zip(sites, targets, strict=True)))
        scores.append(total)
    return np.array(scores)


def substitutions(text: str, first: int, last: int) -> list[Allele]:
    """List all changes of single bases at some places of one window."""
    return [Allele(text, (Edit(at, text[at], alt),)) for at in range(first, last) for alt in "ACGT" if alt != text[at]]


def cpu_s(work: Callable[[], object]) -> tuple[object, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def compare(name: str, ours: Callable[[], np.ndarray], n_ours: int, theirs: Callable[[], np.ndarray], n_theirs: int,
            rounds: int) -> list[str]:
    """Take turns, and give a row: variants a CPU second of both, and the median of their ratios."""
    pairs = []
    for _ in range(rounds):
        mine, fast = cpu_s(ours)
        other, slow = cpu_s(theirs)
        pairs.append((n_ours / fast, n_theirs / slow))
    mine, other = np.asarray(mine)[:n_theirs], np.asarray(other)
    check = f"{np.abs(mine - other).max():.0e}, {spearman(mine, other):.5f}"
    ratio = statistics.median(a / b for a, b in pairs)
    return [name, rate(statistics.median(a for a, _ in pairs)), rate(statistics.median(b for _, b in pairs)),
            times(ratio), check]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variants", type=int, default=12, help="of the naive loop, a round")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("ACGT"), WINDOW))
    letters = CharacterTokenizer()
    bpe = train_bpe([np.frombuffer("".join(rng.choice(list("ACGT"), 20_000)).encode(), dtype=np.uint8)], 600).tokenizer
    rows, n = [], given.variants
    for tokenizer, label in ((letters, "letters"), (bpe, "byte pairs")):
        model, peer = peer_of(tokenizer)
        model(torch.zeros(1, 16, dtype=torch.long)), peer(torch.zeros(1, 16, dtype=torch.long))
        some = substitutions(text, 200, 200 + n)
        rows += [
            compare(
                f"mask_fill, all SNVs, {label}, {precision}",
                lambda m=model, t=tokenizer, s=some, p=precision: score_changes(m, t, s, "mask_fill", precision=p),
                len(some), lambda q=peer, t=tokenizer, s=some: naive(q, t, s[:n], masked=True), n, given.rounds)
            for precision in ("fp32", "bf16")
        ]
    model, peer = peer_of(letters)
    places = np.arange(WINDOW)
    column = {letter: index for index, letter in enumerate("ACGT")}
    some = substitutions(text, 0, n)
    for precision in ("fp32", "bf16"):
        def all_places(p: str = precision) -> np.ndarray:
            tables = saturate(model, letters, [text], [places], "wt_marginal", precision=p)[0]
            return np.array([tables[one.edits[0].start, column[one.edits[0].alt]] for one in some])

        rows.append(compare(f"wt_marginal, saturation, letters, {precision}", all_places, 3 * WINDOW,
                            lambda: naive(peer, letters, some, masked=True), len(some), given.rounds))
    table(["way", "lingome, SNVs/CPU-s", "naive, SNVs/CPU-s", "ratio", "max error, Spearman"], rows)
    print(f"\ntorch {torch.__version__}, transformers {transformers.__version__}, {platform.processor()}")


if __name__ == "__main__":
    main()
