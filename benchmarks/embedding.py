"""Embedding of proteins of mixed lengths beside transformers, the same weights in both.

Run: ``python benchmarks/embedding.py``. Shape of ESM-2-8M (6 layers of 320, 20 heads), random weights, written by
transformers and read by lingome; 64 sequences, log-normal lengths with median 200, up to 1,022 residues; vectors are
means over residues. One thread, CPU seconds, interleaved rounds, medians. Beside each row the lowest cosine of its
vectors to those of transformers' model one by one in float32: each vector with that of its own sequence, so it also
shows that the order is kept.
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

from lingome.embed.encode import embed_pieces
from lingome.models.devices import autocast
from lingome.models.folders.checkpoint import load_checkpoint
from lingome.models.reading.pieces import cut_to_fit
from lingome.models.reading.reader import Reader
from lingome.tokens.characters import CharacterTokenizer

CPU = torch.device("cpu")
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
SORTED_TOKENS = 8192
Way = Callable[[], np.ndarray]


def proteins(n: int) -> list[str]:
    """Draw sequences of mixed lengths."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(200), 0.8, n), 20, 1022).astype(int)
    return ["".join(rng.choice(list(RESIDUES), length)) for length in lengths]


def build(folder: Path) -> transformers.EsmModel:
    """Write transformers' model with every weight moved, and lingome's tokenizer, into a folder."""
    tokenizer = CharacterTokenizer(layout="esm")
    torch.manual_seed(0)
    model = transformers.EsmModel(transformers.EsmConfig(
        vocab_size=tokenizer.vocab_size, pad_token_id=tokenizer.pad_id, mask_token_id=tokenizer.mask_id,
        hidden_size=320, num_hidden_layers=6, num_attention_heads=20, intermediate_size=1280, layer_norm_eps=1e-5,
        max_position_embeddings=1026, position_embedding_type="rotary", token_dropout=True,
        emb_layer_norm_before=False, attn_implementation="sdpa",
    ), add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    model.save_pretrained(folder)
    tokenizer.save(folder)
    return model


def ways(folder: Path, sequences: list[str], model: transformers.EsmModel) -> dict[str, Way]:
    """Give what is compared, by name; the first is the reference of the vectors."""
    cutter = transformers.AutoTokenizer.from_pretrained(folder)
    features = transformers.pipeline("feature-extraction", model=model, tokenizer=cutter, device=CPU)
    body, tokenizer = load_checkpoint(folder, "body")

    def pipeline() -> np.ndarray:
        states = features(sequences, batch_size=32, return_tensors="pt")
        return np.stack([x[0, 1 : len(one) + 1].mean(0).numpy() for x, one in zip(states, sequences, strict=True)])

    def loop(batches: list[list[int]], precision: str) -> np.ndarray:
        out = np.empty((len(sequences), 320), dtype=np.float32)
        with torch.inference_mode(), autocast(CPU, precision):
            for chosen in batches:
                given = cutter([sequences[i] for i in chosen], return_tensors="pt", padding=True)
                states = model(**given).last_hidden_state
                for i, state in zip(chosen, states, strict=True):
                    out[i] = state[1 : len(sequences[i]) + 1].float().mean(0).numpy()
        return out

    def embed(precision: str) -> np.ndarray:
        pieces = cut_to_fit(tokenizer, sequences, body.config.max_positions)
        return embed_pieces(Reader.of(body, CPU, precision), tokenizer, pieces)

    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    by_length: dict[int, list[list[int]]] = {}
    for most in (SORTED_TOKENS, 2048):
        batches: list[list[int]] = [[]]
        for i in order:
            if batches[-1] and (len(batches[-1]) + 1) * (len(sequences[batches[-1][0]]) + 2) > most:
                batches.append([])
            batches[-1].append(i)
        by_length[most] = batches
    in_order = [list(range(start, min(start + 32, len(sequences)))) for start in range(0, len(sequences), 32)]
    found: dict[str, Way] = {"transformers, one by one, fp32": lambda: loop([[i] for i in order], "fp32")}
    found["transformers pipeline, batches of 32, fp32"] = pipeline
    for precision in ("fp32", "bf16"):
        found[f"transformers model, batches of 32, {precision}"] = lambda p=precision: loop(in_order, p)
    for precision in ("fp32", "bf16"):
        for most in (SORTED_TOKENS, 2048):
            found[f"length-sorted loop, {most:,} tokens, {precision}"] = (
                lambda p=precision, m=most: loop(by_length[m], p)
            )
    for precision in ("fp32", "bf16", "int8"):
        found[f"lingome, {precision}"] = lambda p=precision: embed(p)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sequences", type=int, default=64)
    given = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    sequences = proteins(given.sequences)
    n_tokens = sum(len(one) + 2 for one in sequences)
    with tempfile.TemporaryDirectory() as folder:
        contenders = ways(Path(folder), sequences, build(Path(folder)))
        spent: dict[str, list[float]] = {name: [] for name in contenders}
        vectors: dict[str, np.ndarray] = {}
        for number in range(given.rounds + 1):
            for name, work in contenders.items():
                if number == 0 and "batches of 32" in name:
                    continue  # the slowest; what they need warm, the others have warmed
                start = time.process_time()
                vectors[name] = work()
                if number:
                    spent[name].append(time.process_time() - start)
    reference = vectors["transformers, one by one, fp32"].astype(np.float64)
    rows = []
    for name, seconds in spent.items():
        against = ["transformers pipeline, batches of 32, fp32"]
        kind = "fp32" if name.endswith("fp32") else "bf16"
        against += [f"length-sorted loop, {most:,} tokens, {kind}" for most in (SORTED_TOKENS, 2048)]
        pairs = [zip(spent[peer], seconds, strict=True) for peer in against]
        ratios = [times(statistics.median(theirs / own for theirs, own in pair)) for pair in pairs]
        mine = vectors[name].astype(np.float64)
        cosine = (mine * reference).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(reference, axis=1)
        rows.append([name, rate(n_tokens / statistics.median(seconds)), *ratios, f"{cosine.min():.6f}"])
        assert cosine.min() >= (0.999 if name.endswith("int8") else 0.9999), (name, cosine.min())
    table(["way", "tokens/CPU-s", "x pipeline", f"x sorted {SORTED_TOKENS:,}", "x sorted 2,048", "cosine"], rows)
    print(f"\n{given.sequences} sequences, {n_tokens:,} tokens, {given.rounds} rounds; sorted loops in the row's own "
          f"precision (int8: bf16)\ntorch {torch.__version__}, transformers {transformers.__version__}, python "
          f"{platform.python_version()}")


if __name__ == "__main__":
    main()
