"""Write ``tokenizer.json``, the format of Hugging Face's `tokenizers`, for tokenizers it can express."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lingome.core.files import write_text
from lingome.tokens.alphabet import DNA


def write_tokenizer_json(
    folder: Path,
    *,
    model: dict[str, Any],
    pre_tokenizer: dict[str, Any] | None,
    special: list[tuple[str, int]],
    before: str | None,
    after: str | None,
    letters: str = DNA.letters,
) -> None:
    """Write ``tokenizer.json``.

    Parameters
    ----------
    folder : Path
        Where.
    model : dict
        The ``model`` entry (BPE or WordLevel).
    pre_tokenizer : dict, optional
        How text is cut before the model sees it.
    special : list of (str, int)
        Special tokens and their ids.
    before, after : str, optional
        Special tokens put around a sequence when special tokens are asked for.
    letters : str
        Upper-case letters that are read in lower case too.
    """
    ids = dict(special)
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True,
            }
            for token, index in special
        ],
        "normalizer": {"type": "Sequence", "normalizers": [_replace(letter.lower(), letter) for letter in letters]},
        "pre_tokenizer": pre_tokenizer,
        "post_processor": _template(before, after, ids),
        "decoder": {"type": "Fuse"},
        "model": model,
    }
    write_text(folder / "tokenizer.json", json.dumps(content, indent=1) + "\n")


def _replace(old: str, new: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def split_by(pattern: str) -> dict[str, Any]:
    """Give the pre-tokenizer that makes each match of a regular expression a word."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def word_level(vocab: dict[str, int], unknown: str) -> dict[str, Any]:
    """Give the model that looks whole words up."""
    return {"type": "WordLevel", "vocab": vocab, "unk_token": unknown}


def byte_pairs(vocab: dict[str, int], merges: list[tuple[str, str]], unknown: str) -> dict[str, Any]:
    """Give the model that applies merges in order; each unknown letter is a token of its own."""
    return {
        "type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": vocab, "merges": [list(pair) for pair in merges],
    }


def _template(before: str | None, after: str | None, ids: dict[str, int]) -> dict[str, Any]:
    def word(token: str, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": token, "type_id": kind}}

    def text(name: str, kind: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": kind}}

    start = [word(before, 0)] if before else []
    single = [*start, text("A", 0), *([word(after, 0)] if after else [])]
    pair = [*single, text("B", 1), *([word(after, 1)] if after else [])]
    used = [token for token in (before, after) if token]
    return {
        "type": "TemplateProcessing", "single": single, "pair": pair,
        "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in used},
    }
