"""Parse a ``tokenizer.json`` of byte pairs that others wrote, or refuse it and say why.

Only what can be reproduced to the last id is read; whatever else the format can say (dropout, prefixes,
fused unknown letters, normalizers that change letters) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lingome.core.errors import CheckpointError
from lingome.tokens.bpe.merges import Pair
from lingome.tokens.published.text import END_OF_TEXT
from lingome.tokens.published.vocabulary import (
    NOTHING,
    Around,
    PublishedVocabulary,
    check_merges,
    refusal,
    tokens_by_id,
)
from lingome.tokens.tokenizer import Roles

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


def parse_tokenizer_json(content: Mapping[str, Any], named: Roles) -> PublishedVocabulary:
    """Parse a ``tokenizer.json`` of byte pairs, of sequence or of text.

    Parameters
    ----------
    content : mapping
        The file.
    named : dict of str to str
        Roles of tokens that the files beside it name; see `parse_named_roles`.

    Raises
    ------
    CheckpointError
        If it is corrupt, or cannot be reproduced exactly.
    """
    model = content.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise refusal(f"model {model.get('type') if isinstance(model, dict) else model}"[:200], "model BPE")
    vocab, added = _parse_tokens(model, content)
    merges = check_merges(model.get("merges"), set(vocab))
    stages = _list_stages(content.get("pre_tokenizer"), "pretokenizers")
    if [stage.get("type") for stage in stages] == ["ByteLevel"]:
        return _parse_text(content, vocab, merges, added, named)
    _check_letters_stay(content, model)
    if vocab[-1:] == [""]:  # in GROVER's file: never given, and no row of its checkpoint
        vocab.pop()
    if "" in vocab:
        raise refusal(f"an empty token, id {vocab.index('')}", "tokens of letters")
    return PublishedVocabulary(
        "sequence", tuple(vocab), tuple(merges), tuple(added), _find_roles(vocab, model.get("unk_token"), named),
        _parse_around(content.get("post_processor"), set(vocab)),
    )


def parse_named_roles(files: Sequence[Mapping[str, Any]]) -> Roles:
    """Give the roles that ``special_tokens_map.json`` and ``tokenizer_config.json`` name; a later file wins."""
    said: dict[str, Any] = {}
    for content in files:
        said.update(content)
    roles: Roles = {}
    for role in _USUAL:
        token = said.get(f"{role}_token")
        token = token.get("content") if isinstance(token, dict) else token
        if isinstance(token, str):
            roles[role] = token
    return roles


def _parse_tokens(model: Mapping[str, Any], content: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Give all tokens by id, and those that the file adds to its model's."""
    vocab = model.get("vocab")
    added = content.get("added_tokens") or []
    if not isinstance(vocab, dict) or not isinstance(added, list):
        raise refusal("no vocabulary or no merges", "both, as `tokenizers` writes them")
    ids: dict[str, Any] = dict(vocab)
    for entry in added:
        if not isinstance(entry, dict) or not isinstance(entry.get("content"), str) or not entry["content"]:
            raise refusal(f"the added token {entry!r}"[:200], "its content and id")
        if ids.setdefault(entry["content"], entry.get("id")) != entry.get("id"):
            raise refusal(f"{entry['content']} has two ids", "one")
    return tokens_by_id(ids), [entry["content"] for entry in added]


def _list_stages(entry: Any, inner: str) -> list[dict[str, Any]]:
    """Give the stages of a normalizer or pre-tokenizer in order, sequences of them unrolled."""
    if entry is None:
        return []
    if not isinstance(entry, dict):
        raise refusal(f"{entry!r}"[:200], "an object")
    if entry.get("type") != "Sequence":
        return [entry]
    stages = entry.get(inner)
    if not isinstance(stages, list):
        raise refusal(f"a sequence without {inner}", "a list of them")
    return [one for stage in stages for one in _list_stages(stage, inner)]


def _check_letters_stay(content: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Refuse everything that could change an id of a sequence of letters."""
    _check_fixed(model, _FIXED)
    for stage in _list_stages(content.get("pre_tokenizer"), "pretokenizers"):
        if stage.get("type") not in ("Whitespace", "WhitespaceSplit"):  # they never cut between letters
            raise refusal(f"pre-tokenizer {stage.get('type')}", "none, Whitespace or WhitespaceSplit")
    for stage in _list_stages(content.get("normalizer"), "normalizers"):
        kind = stage.get("type")
        if kind not in _HARMLESS and not (kind == "Replace" and _is_to_upper(stage)):
            raise refusal(f"normalizer {kind}", "none, or one that leaves A-Z as they are")


def _check_fixed(model: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a setting of the model that is not as in plain byte pairs."""
    for name in names:
        harmless = _FIXED[name]
        if model.get(name) not in harmless:
            raise refusal(f"{name} {model[name]!r}", f"{name} {harmless[-1]!r}")


def _is_to_upper(stage: Mapping[str, Any]) -> bool:
    old = stage.get("pattern")
    new = stage.get("content")
    text = old.get("String") if isinstance(old, dict) else None
    return isinstance(text, str) and text.islower() and text.upper() == new


def _find_roles(vocab: Sequence[str], unknown: Any, named: Roles) -> Roles:
    """Give the token of every role: the one that is named, else the first with a usual name."""
    if unknown not in vocab:
        raise refusal(f"unknown token {unknown!r}", "a token for letters outside the vocabulary, or they vanish")
    roles: Roles = {}
    for role, usual in _USUAL.items():
        choices = [unknown] if role == "unk" else [named.get(role), *usual]
        found = next((token for token in choices if token in vocab), None)
        if found is None:
            raise CheckpointError(
                f"the vocabulary has no token that serves as {role}", expected=" or ".join(usual),
                hint=f'name one as "{role}_token" in tokenizer_config.json',
            )
        roles[role] = found
    return roles


def _parse_around(entry: Any, known: set[str]) -> Around:
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


def _parse_text(
    content: Mapping[str, Any], vocab: list[str], merges: list[Pair], added: list[str], named: Roles
) -> PublishedVocabulary:
    model = content["model"]
    [split] = _list_stages(content["pre_tokenizer"], "pretokenizers")
    if content.get("normalizer") is not None or split.get("add_prefix_space") or split.get("use_regex") is False:
        raise refusal("text that is changed, or cut in another way, before its bytes are merged", "GPT-2's rule")
    _check_fixed(model, ("dropout", "continuing_subword_prefix", "end_of_word_suffix"))
    special = added or [token for token in (END_OF_TEXT,) if token in vocab]
    roles: Roles = {}
    for role, usual in _USUAL.items():
        found = next((token for token in (named.get(role), *usual) if token in special), None)
        if found is not None:
            roles[role] = found
    return PublishedVocabulary(
        "text", tuple(vocab), tuple(merges), tuple(special), roles, whole_words=bool(model.get("ignore_merges"))
    )
