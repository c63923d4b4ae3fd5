"""Exact byte-pair encoding in one pass over the sequence.

The encoding of every prefix is known by its last token. The last token of the prefix that ends at
base i is the one suffix token t whose pair with the last token of the prefix before t is
*compatible*: the two, written together, encode to exactly themselves. (A sequence of tokens is the
encoding of its letters if and only if every neighbouring pair is; the idea is that of the crate
`bpe` of github/rust-gems, 2024.) Which token it is, is guessed from the last few letters alone; the
guess is right at 19 bases of 20 with 600 merges. One bit of a table of V x V, compatibility, proves
it. Where it is wrong, the next guess is what the last token before becomes with this letter, and
then the suffix tokens are tried in turn, longest first; those longer than the letters of a guess
come from an automaton over all tokens (Aho and Corasick 1975, doi:10.1145/360825.360855). Work a
base does not depend on the length of the sequence.

A long sequence is read in blocks. Whatever follows a block, the encoding of the whole has a border
within the longest token's length of the block's end, and before that border it is the encoding of
that prefix. Where the encodings of all these prefixes meet, the whole has a border too: the tokens
before it are settled, and what follows it is encoded as if it stood alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

START = 0  # row of the table for "no token before"; [PAD] is never a token of a sequence
UNKNOWN = 1
FORBIDDEN = 2  # a row that allows nothing: what lies before a sequence; [CLS] is never a token of one
BLOCK_BP = 16_384


class EncodingTables(NamedTuple):
    """What the kernel reads.

    Parameters
    ----------
    longest_bp : int
        Letters of the longest token.
    bits, window_mask : int
        Bits of a letter's code, and of a whole window: the last few letters, the newest lowest.
    guess : ndarray of uint16, shape (windows,)
        Last token of the encoding of the window alone.
    grown : ndarray of uint16, shape (V, letters)
        Last token of the encoding of a token and one letter more.
    ending : ndarray of uint16, shape (windows,)
        Longest token that ends the window.
    goto : ndarray of int32, shape (states, letters)
        Next state by letter code; state 0 is the root.
    longest : ndarray of uint16, shape (states,)
        Longest token that ends the letters of a state.
    shorter : ndarray of uint16, shape (V,)
        Next shorter token that ends this one; 0 after the shortest.
    lengths : ndarray of uint32, shape (V,)
        Letters of each token; 1 for the unknown token.
    compatible : ndarray of uint8, shape (V, ceil(V / 8))
        Bit ``t`` of row ``p``: token ``t`` may follow token ``p``.
    """

    longest_bp: int
    bits: int
    window_mask: int
    guess: np.ndarray
    grown: np.ndarray
    ending: np.ndarray
    goto: np.ndarray
    longest: np.ndarray
    shorter: np.ndarray
    lengths: np.ndarray
    compatible: np.ndarray


def build_tables(vocab: tuple[str, ...], merges: np.ndarray, first_letter: int, letters: str) -> EncodingTables:
    """Build the automaton, the table of compatible pairs and that of guesses.

    Parameters
    ----------
    vocab : tuple of str
        Tokens by id: special ones, the letters from `first_letter`, then merges.
    merges : ndarray of int64, shape (M, 2)
        Ids of the parts of each merged token.
    first_letter : int
        Id of the first letter.
    letters : str
        The alphabet.
    """
    code_of = np.zeros(256, dtype=np.uint8)
    code_of[np.frombuffer(letters.encode(), dtype=np.uint8)] = np.arange(len(letters))
    spelled = code_of[np.frombuffer("".join(vocab[first_letter:]).encode(), dtype=np.uint8)]
    lengths = np.array([len(token) for token in vocab], dtype=np.uint32)
    lengths[:first_letter] = 1
    goto, longest, shorter = _automaton(spelled, lengths, first_letter, len(letters))

    first_merge = first_letter + len(letters)
    left_of = np.concatenate([np.arange(first_merge), merges[:, 0]])
    right_of = np.concatenate([np.arange(first_merge), merges[:, 1]])
    compatible = _compatible_table(left_of, right_of, first_letter, first_merge)

    # Larger tables guess better but leave the cache: 0.1 MB for 600 merges, 0.5 MB for 4,096.
    bits = max(1, (len(letters) - 1).bit_length())
    window = max(1, min(18, (64 * len(vocab)).bit_length()) // bits)
    words = np.arange(1 << bits * window)[:, None] >> bits * np.arange(window)[::-1] & (1 << bits) - 1
    words = np.minimum(words, len(letters) - 1).astype(np.uint8)  # codes that no letter has are never seen
    ending = _ending_tokens(words, goto, longest)
    tables = EncodingTables(
        longest_bp=int(lengths.max()), bits=bits, window_mask=len(words) - 1, guess=np.zeros_like(ending),
        grown=np.zeros((len(vocab), len(letters)), dtype=np.uint16), ending=ending, goto=goto, longest=longest,
        shorter=shorter, lengths=lengths, compatible=compatible,
    )
    # Without guesses the tables encode already, only slower: so they make their own guesses.
    guess = _last_of_each(words.ravel(), np.arange(len(words) + 1) * window, tables)
    longer = [token + letter for token in vocab[first_letter:] for letter in letters]
    codes = code_of[np.frombuffer("".join(longer).encode(), dtype=np.uint8)]
    grown = _last_of_each(codes, np.cumsum([0, *map(len, longer)]), tables._replace(guess=guess))
    tables.grown[first_letter:] = grown.reshape(-1, len(letters))
    return tables._replace(guess=guess)


def _last_of_each(codes: np.ndarray, starts: np.ndarray, tables: EncodingTables) -> np.ndarray:
    """Give the last token of each word; words are letter codes, one after the other."""
    ids, cuts = encode_flat(codes, starts, np.arange(256, dtype=np.uint8), tables)
    last: np.ndarray = ids[cuts[1:] - 1]
    return last


def encode_flat(
    bases: np.ndarray, starts: np.ndarray, code_of: np.ndarray, tables: EncodingTables, block_bp: int = BLOCK_BP
) -> tuple[np.ndarray, np.ndarray]:
    """Encode sequences that lie one after the other.

    Parameters
    ----------
    bases : ndarray of uint8, shape (n,)
        ASCII codes.
    starts : ndarray of int64, shape (R + 1,)
        Sequence `r` is ``bases[starts[r]:starts[r + 1]]``.
    code_of : ndarray of uint8, shape (256,)
        Code of each character; the number of letters for those that are unknown.
    tables : EncodingTables
        Of the vocabulary; see `build_tables`.
    block_bp : int
        Bases read before their tokens are written; changes nothing but time and memory.

    Returns
    -------
    ids : ndarray of uint16, shape (m,)
        Tokens of all sequences.
    cuts : ndarray of int64, shape (R + 1,)
        Tokens of sequence `r` are ``ids[cuts[r]:cuts[r + 1]]``.
    """
    ids = np.empty(len(bases), dtype=np.uint16)  # pages that no token reaches are never touched
    cuts = np.zeros(len(starts), dtype=np.int64)
    n = _encode(bases, starts, code_of, *tables, block_bp, ids, cuts)
    ids.resize(n, refcheck=False)
    return ids, cuts


# Shapes in the kernels: those of `EncodingTables`; spelled (letters of all tokens,), words (windows, letters of each),
# left_of and right_of (V,), bases (n,), starts and cuts (R + 1,), code_of (256,), ids (n,), and last, the last token
# of each prefix, (letters read + 1,) after as many forbidden places as the longest token has letters.


@numba.njit(cache=True, nogil=True)
def _automaton(
    spelled: np.ndarray, lengths: np.ndarray, first_letter: int, n_letters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the trie of all tokens with its failure links resolved into one transition table."""
    goto = np.full((len(spelled) + 1, n_letters), -1, dtype=np.int32)
    longest = np.zeros(len(goto), dtype=np.uint16)
    end_state = np.zeros(len(lengths), dtype=np.int64)
    n_states = 1
    read = 0
    for token in range(first_letter, len(lengths)):
        state = 0
        for _ in range(lengths[token]):
            code = spelled[read]
            read += 1
            if goto[state, code] < 0:
                goto[state, code] = n_states
                n_states += 1
            state = goto[state, code]
        longest[state] = token
        end_state[token] = state
    fail = np.zeros(n_states, dtype=np.int64)
    queue = np.zeros(n_states, dtype=np.int64)  # breadth first: the root, then what is put behind it
    waiting = 1
    for parent in queue:
        if longest[parent] == 0:
            longest[parent] = longest[fail[parent]]
        for code in range(n_letters):
            child = goto[parent, code]
            onward = goto[fail[parent], code] if parent else 0
            if child < 0:
                goto[parent, code] = onward
            else:
                fail[child] = onward
                queue[waiting] = child
                waiting += 1
    shorter = longest[fail[end_state]]
    shorter[:first_letter] = 0
    return goto[:n_states].copy(), longest[:n_states].copy(), shorter


@numba.njit(cache=True, nogil=True)
def _ending_tokens(words: np.ndarray, goto: np.ndarray, longest: np.ndarray) -> np.ndarray:
    """Give the longest token that ends each word."""
    ending = np.empty(len(words), dtype=np.uint16)
    for word in range(len(words)):
        state = 0
        for code in words[word]:
            state = goto[state, code]
        ending[word] = longest[state]
    return ending


@numba.njit(cache=True, nogil=True)
def _bit(row: np.ndarray, index: int) -> int:
    bit: int = row[index >> 3] >> (index & 7) & 1
    return bit


@numba.njit(cache=True, nogil=True)
def _set_bit(row: np.ndarray, index: int, value: int) -> None:
    row[index >> 3] = row[index >> 3] & (255 ^ 1 << (index & 7)) | value << (index & 7)


@numba.njit(cache=True, nogil=True)
def _compatible_table(left_of: np.ndarray, right_of: np.ndarray, first_letter: int, first_merge: int) -> np.ndarray:
    """Make the bit table; see `EncodingTables`.

    Undo the later of the two merges at the border, again and again: a pair across the border must
    not have a merge of its own that would have come before the one just undone. Merges of the same
    id run left to right, so that the right one is undone first, and the pair it leaves behind may
    not merge with that id either. What is left after one step is an earlier entry of the table.
    """
    size = len(left_of)
    by_left = first_merge + np.argsort(left_of[first_merge:], kind="mergesort")
    begins = np.searchsorted(left_of[by_left], np.arange(size + 1))
    table = np.zeros((size, (size + 7) // 8), dtype=np.uint8)
    across = np.zeros(size, dtype=np.int64)  # the merge of this row's token with each other
    for left in range(first_letter, size):
        row = table[left]
        if left < first_merge:
            for right in range(first_letter, first_merge):
                _set_bit(row, right, 1)
        else:
            inner = right_of[left]
            row[:] = table[inner]
            for merge in by_left[begins[inner] : begins[inner + 1]]:
                if merge < left:
                    _set_bit(row, right_of[merge], 0)
        merges_here = by_left[begins[left] : begins[left + 1]]
        for merge in merges_here:
            across[right_of[merge]] = merge
        for right in range(max(left, first_merge), size):
            inner = left_of[right]
            _set_bit(row, right, 0 if 0 < across[inner] <= right else _bit(row, inner))
        for merge in merges_here:
            across[right_of[merge]] = 0
    # So far: nothing crosses while the two form. Each must form at all, and they must not merge.
    formed = np.zeros(table.shape[1], dtype=np.uint8)
    for token in range(first_letter, size):
        left = left_of[token]
        right = right_of[token]
        if token < first_merge or (_bit(formed, left) and _bit(formed, right) and _bit(table[left], right)):
            _set_bit(formed, token, 1)
    for left in range(first_letter, size):
        table[left] &= formed if _bit(formed, left) else np.zeros_like(formed)
    for merge in range(first_merge, size):
        _set_bit(table[left_of[merge]], right_of[merge], 0)
    table[START] = formed
    return table


@numba.njit(cache=True, nogil=True)
def _encode(
    bases: np.ndarray, starts: np.ndarray, code_of: np.ndarray, longest_bp: int, bits: int, window_mask: int,
    guess: np.ndarray, grown: np.ndarray, ending: np.ndarray, goto: np.ndarray, longest: np.ndarray,
    shorter: np.ndarray, lengths: np.ndarray, compatible: np.ndarray, block_bp: int, ids: np.ndarray, cuts: np.ndarray,
) -> int:
    """Fill `ids` and `cuts`, give the number of ids."""
    origin = longest_bp  # place of the empty prefix; before it stand as many forbidden places as a token has letters
    block = min(block_bp, len(bases))
    unknown = goto.shape[1]
    last = _empty_block(origin, block)
    n = 0
    for r in range(len(starts) - 1):
        i = starts[r]
        end = starts[r + 1]
        while i < end:
            letters = bases[i : min(end, i + block)]
            n_read = _last_tokens(
                letters, code_of, bits, window_mask, guess, grown, ending, goto, longest, shorter, lengths, compatible,
                last, origin,
            )
            place = origin + n_read
            if n_read == len(letters) and i + n_read < end:
                place = _settled(last, place, lengths, origin)
                if place == origin:  # not one token is certain yet: look further
                    block *= 2
                    last = _empty_block(origin, block)
                    continue
            n = _trace_back(last, place, lengths, origin, ids, n)
            i += place - origin
            while i < end and code_of[bases[i]] == unknown:
                ids[n] = UNKNOWN
                n += 1
                i += 1
        cuts[r + 1] = n
    return n


@numba.njit(cache=True, nogil=True)
def _empty_block(origin: int, block: int) -> np.ndarray:
    last = np.full(origin + block + 1, FORBIDDEN, dtype=np.uint16)
    last[origin] = START
    return last


@numba.njit(cache=True, nogil=True)
def _follows(token: int, place: int, last: np.ndarray, lengths: np.ndarray, compatible: np.ndarray) -> bool:
    """Say whether a token that ends at a place may follow what was last before it."""
    before = last[np.uint32(place - lengths[token])]
    bit: int = compatible[before, token >> 3] >> (token & 7) & 1
    return bit == 1


@numba.njit(cache=True, nogil=True)
def _last_tokens(
    letters: np.ndarray, code_of: np.ndarray, bits: int, window_mask: int, guess: np.ndarray, grown: np.ndarray,
    ending: np.ndarray, goto: np.ndarray, longest: np.ndarray, shorter: np.ndarray, lengths: np.ndarray,
    compatible: np.ndarray, last: np.ndarray, origin: int,
) -> int:
    """Find the last token of every prefix up to the first unknown letter; give how many letters were read.

    Indices are turned into uint32, which cannot be negative: that saves a third of the time.
    """
    unknown = goto.shape[1]
    window = np.uint32(0)  # as if the first code's letters stood before: forbidden places keep tokens from using them
    state = 0
    fed = 0
    place = origin
    for letter in letters:
        code = code_of[letter]
        if code == unknown:
            break
        window = np.uint32((window << bits | code) & window_mask)
        place += 1
        token = guess[window]
        if not _follows(token, place, last, lengths, compatible):
            token = grown[last[np.uint32(place - 1)], code]
            if not _follows(token, place, last, lengths, compatible):
                token = ending[window]
                while not _follows(token, place, last, lengths, compatible):
                    token = shorter[token]
                    if token == 0:  # none that fits in a window
                        n_read = place - origin
                        if fed < n_read - origin:
                            state = 0
                            fed = n_read - origin
                        for skipped in letters[fed:n_read]:
                            state = goto[state, code_of[skipped]]
                        fed = n_read
                        token = longest[state]
        last[np.uint32(place)] = token
    return place - origin


@numba.njit(cache=True, nogil=True)
def _settled(last: np.ndarray, end: int, lengths: np.ndarray, origin: int) -> int:
    """Give the place where the encodings of all prefixes meet that end within the longest token before `end`."""
    meet = end
    for other in range(end - 1, max(end - origin, origin) - 1, -1):
        while meet != other:
            if meet > other:
                meet -= lengths[last[meet]]
            else:
                other -= lengths[last[other]]
    return meet


@numba.njit(cache=True, nogil=True)
def _trace_back(last: np.ndarray, place: int, lengths: np.ndarray, origin: int, ids: np.ndarray, n: int) -> int:
    """Follow the last tokens back from a place and append them to `ids`; `last` is written over."""
    end = write = place + 1
    while place > origin:
        token = last[np.uint32(place)]
        write -= 1
        place -= lengths[token]
        last[np.uint32(write)] = token
    for token in last[write:end]:
        ids[n] = token
        n += 1
    return n
