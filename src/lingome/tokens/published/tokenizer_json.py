"""Read a ``tokenizer.json`` that others wrote, or refuse it and say why.

Only what can be reproduced to the last id is read; whatever else the format can say (dropout, prefixes,
fused unknown letters, normalizers that change letters) is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lingome.core.errors import CheckpointError, ConfigError
from lingome.tokens.bpe.merges import Pair
from lingome.tokens.published.sequence import NOTHING, Around, PublishedBpe
from lingome.tokens.published.text import END_OF_TEXT, TextTokenizer
from lingome.tokens.tokenizer import Roles, Tokenizer

# What a role is called where no file names it; the first that the vocabulary has is taken.
_USUAL = {
    "pad": ("[PAD]", "<pad>", "<PAD>"),
    "unk": ("[UNK]", "<unk>", "<UNK>"),
    "cls": ("[CLS]", "<cls>", "<s>", "<bos>", "[BOS]", "<CLS>"),
    "sep": ("[SEP]", "<sep>", "</s>", "<eos>", "[EOS]", "<SEP>"),
    "mask": ("[MASK]", "<mask>", "<MASK>"),
}
_HARMLESS = ("NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Strip")  # they leave A-Z alone
_FIXED = {
    "dropout": (None, 0, 0.0), "continuing_subword_prefix": (None, ""), "end_of_word_suffix": (None, ""),
    "fuse_unk": (None, False), "byte_fallback": (None, False), "ignore_merges": (None, False),
}


def read_published(file: Path) -> Tokenizer:
    """Read byte pairs of sequence or of text from a ``tokenizer.json``.

    Parameters
    ----------
    file : Path
        The file; ``tokenizer_config.json`` and ``special_tokens_map.json`` beside it name the special tokens.

    Returns
    -------
    PublishedBpe, BpeTokenizer or TextTokenizer
        A `BpeTokenizer` if the ids are in lingome's order; a `TextTokenizer` if it cuts bytes.

    Raises
    ------
    CheckpointError
        If it is corrupt, or cannot be reproduced exactly.
    """
    content = read_object(file)
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise refuse(file, f"model {model.get('type') if isinstance(model, dict) else model}"[:200], "model BPE")
    vocab, special = _vocabulary(model, content, file)
    pairs = read_pairs(model.get("merges"), set(vocab), file)
    if _stages(content.get("pre_tokenizer"), "pretokenizers", file) == ["ByteLevel"]:
        return _text(content, vocab, pairs, special, file)
    _check_model(content, model, file)
    if vocab[-1:] == [""]:  # in GROVER's file: never given, and no row of its checkpoint
        vocab.pop()
    if "" in vocab:
        raise refuse(file, f"an empty token, id {vocab.index('')}", "tokens of letters")
    roles = _roles(file.parent, vocab, model.get("unk_token"), file)
    try:
        published = PublishedBpe(vocab, pairs, roles, _around(content.get("post_processor"), set(vocab)))
    except ConfigError as error:
        raise refuse(file, error.got, error.expected, error.what) from error
    taken = [token for token in special if published.alphabet.has(token)]
    if taken:
        raise refuse(file, f"the added token {taken[0]!r}", "added tokens that no sequence holds")
    own = published.cutter
    return own if own.vocab == published.vocab and own.alphabet is published.alphabet else published


def _vocabulary(model: dict[str, Any], content: dict[str, Any], file: Path) -> tuple[list[str], list[str]]:
    """Give all tokens by id, and those that the file adds to its model's."""
    vocab = model.get("vocab")
    added = content.get("added_tokens") or []
    if not isinstance(vocab, dict) or not isinstance(added, list):
        raise refuse(file, "no vocabulary or no merges", "both, as `tokenizers` writes them")
    ids: dict[str, Any] = dict(vocab)
    for entry in added:
        if not isinstance(entry, dict) or not isinstance(entry.get("content"), str) or not entry["content"]:
            raise refuse(file, f"the added token {entry!r}"[:200], "its content and id")
        if ids.setdefault(entry["content"], entry.get("id")) != entry.get("id"):
            raise refuse(file, f"{entry['content']} has two ids", "one")
    return tokens_by_id(ids, file), [entry["content"] for entry in added]


def tokens_by_id(ids: dict[str, Any], file: Path) -> list[str]:
    """Give tokens in the order of their ids, which must be 0 to V - 1.

    Raises
    ------
    CheckpointError
        If they are not.
    """
    if any(type(index) is not int for index in ids.values()):
        raise refuse(file, "ids that are no numbers", "ids 0 to V - 1")
    tokens = sorted(ids, key=ids.__getitem__)
    for index, token in enumerate(tokens):
        if ids[token] != index:
            raise refuse(file, f"{token!r} has id {ids[token]}", f"id {index}: one token for each id")
    return tokens


def read_pairs(merges: Any, known: set[str], file: Path) -> list[Pair]:
    """Give merges written as ``"A B"`` or as lists of two.

    Raises
    ------
    CheckpointError
        If one is neither, or names or makes a token that is not known.
    """
    if not isinstance(merges, list):
        raise refuse(file, "no vocabulary or no merges", "both, as `tokenizers` writes them")
    pairs: list[Pair] = []
    for rank, merge in enumerate(merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise refuse(file, f"merge {rank} is {merge!r}"[:200], "two tokens")
        for token in (*parts, parts[0] + parts[1]):
            if token and token not in known:
                raise refuse(file, f"merge {rank}, {parts}, of or to {token!r}"[:200], "tokens of the vocabulary")
        pairs.append((parts[0], parts[1]))
    return pairs


def _stages(entry: Any, inner: str, file: Path) -> list[str]:
    """Give the types of a normalizer or pre-tokenizer, a sequence of them unrolled."""
    if entry is None:
        return []
    if not isinstance(entry, dict):
        raise refuse(file, f"{entry!r}"[:200], "an object")
    if entry.get("type") != "Sequence":
        return [str(entry.get("type"))]
    stages = entry.get(inner)
    return [name for stage in (stages if isinstance(stages, list) else []) for name in _stages(stage, inner, file)]


def _check_model(content: dict[str, Any], model: dict[str, Any], file: Path) -> None:
    """Refuse everything that could change an id of a sequence of letters."""
    for name, harmless in _FIXED.items():
        if model.get(name) not in harmless:
            raise refuse(file, f"{name} {model[name]!r}", f"{name} {harmless[-1]!r}")
    for stage in _stages(content.get("pre_tokenizer"), "pretokenizers", file):
        if stage not in ("Whitespace", "WhitespaceSplit"):  # they never cut between letters
            raise refuse(file, f"pre-tokenizer {stage}", "none, Whitespace or WhitespaceSplit")
    normalizer = content.get("normalizer")
    stages = normalizer.get("normalizers") if isinstance(normalizer, dict) and "normalizers" in normalizer else None
    for stage in stages if isinstance(stages, list) else [normalizer] if normalizer is not None else []:
        kind = stage.get("type") if isinstance(stage, dict) else stage
        if kind not in _HARMLESS and not (kind == "Replace" and _to_upper(stage)):
            raise refuse(file, f"normalizer {kind}", "none, or one that leaves A-Z as they are")


def _to_upper(stage: dict[str, Any]) -> bool:
    old = stage.get("pattern")
    new = stage.get("content")
    text = old.get("String") if isinstance(old, dict) else None
    return isinstance(text, str) and text.islower() and text.upper() == new


def _named_roles(folder: Path) -> Roles:
    """Give the roles that the files beside the vocabulary name."""
    said: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            said.update(read_object(folder / name))
    roles: Roles = {}
    for role in _USUAL:
        token = said.get(f"{role}_token")
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            roles[role] = token
    return roles


def _roles(folder: Path, vocab: list[str], unknown: Any, file: Path) -> Roles:
    named = _named_roles(folder)
    if unknown not in vocab:
        raise refuse(file, f"unknown token {unknown!r}", "a token for letters outside the vocabulary, or they vanish")
    roles: Roles = {}
    for role, usual in _USUAL.items():
        choices = [unknown] if role == "unk" else [named.get(role), *usual]
        found = next((token for token in choices if token in vocab), None)
        if found is None:
            raise CheckpointError(
                f"the vocabulary has no token that serves as {role}", where=file, expected=" or ".join(usual),
                hint=f'name one as "{role}_token" in tokenizer_config.json',
            )
        roles[role] = found
    return roles


def _around(entry: Any, known: set[str]) -> Around:
    """Give what a post-processor puts around a sequence, where it is the usual kind."""
    if not isinstance(entry, dict):
        return NOTHING
    names: list[str | None] = [None, None]
    if entry.get("type") == "TemplateProcessing" and isinstance(entry.get("single"), list):
        after = 0
        for part in entry["single"]:
            if isinstance(part, dict) and "Sequence" in part:
                after = 1
            elif isinstance(part, dict) and isinstance(part.get("SpecialToken"), dict):
                names[after] = part["SpecialToken"].get("id")
    elif entry.get("type") in ("BertProcessing", "RobertaProcessing"):
        names = [entry[role][0] if isinstance(entry.get(role), list) else None for role in ("cls", "sep")]
    before, after_it = (name if name in known else None for name in names)
    return Around(before, after_it)


def _text(
    content: dict[str, Any], vocab: list[str], pairs: list[Pair], special: list[str], file: Path
) -> TextTokenizer:
    split = content["pre_tokenizer"]
    model = content["model"]
    split = split["pretokenizers"][0] if split.get("type") == "Sequence" else split
    if content.get("normalizer") is not None or split.get("add_prefix_space") or split.get("use_regex") is False:
        raise refuse(file, "text that is changed, or cut in another way, before its bytes are merged", "GPT-2's rule")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name) not in _FIXED[name]:
            raise refuse(file, f"{name} {model[name]!r}", f"{name} {_FIXED[name][-1]!r}")
    special = special or [token for token in (END_OF_TEXT,) if token in vocab]
    named = _named_roles(file.parent)
    roles = {role: next((t for t in (named.get(role), *usual) if t in special), None) for role, usual in _USUAL.items()}
    try:
        return TextTokenizer(
            vocab, pairs, special, roles={role: token for role, token in roles.items() if token},
            whole_words=bool(model.get("ignore_merges")),
        )
    except ConfigError as error:
        raise refuse(file, error.got, error.expected, error.what) from error


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    CheckpointError
        If the file holds anything else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("cannot be read as JSON", where=file, got=error) from error
    if not isinstance(content, dict):
        raise CheckpointError("not a tokenizer: an object was expected", where=file, got=type(content).__name__)
    return content


def refuse(file: Path, got: object, expected: object, what: str | None = None) -> CheckpointError:
    """Make the error that says why a vocabulary is not read."""
    return CheckpointError(
        what or "this is not a vocabulary that lingome can reproduce exactly", where=file, got=got, expected=expected,
        hint="use a tokenizer written by lingome, or one of docs/bridges.md",
    )
