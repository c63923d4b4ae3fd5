"""Exact byte-pair encoding in one pass over the sequence.

The encoding of every prefix is known by its last token. The last token of the prefix that ends at
base i is the one suffix token t whose pair with the last token of the prefix before t is
*compatible*: the two, written together, encode to exactly themselves. (A sequence of tokens is the
encoding of its letters if and only if every neighbouring pair is; the idea is that of the crate
`bpe` of github/rust-gems, 2024.) Suffix tokens come from an automaton over the tokens
(Aho and Corasick 1975, doi:10.1145/360825.360855), longest first; compatibility is one bit of a
table of V x V, made once. Work a base does not depend on the length of the sequence.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

START = 0  # row of the table for "no token before"; [PAD] is never a token of a sequence
UNKNOWN = 1


class EncodingTables(NamedTuple):
    """What the kernel reads.

    Parameters
    ----------
    goto : ndarray of int32, shape (states, letters)
        Next state by letter code; state 0 is the root.
    longest : ndarray of uint16, shape (states,)
        Longest token that ends the letters of a state.
    shorter : ndarray of uint16, shape (V,)
        Next shorter token that ends this one.
    lengths : ndarray of int32, shape (V,)
        Letters of each token; 1 for the unknown token.
    compatible : ndarray of uint8, shape (V, ceil(V / 8))
        Bit ``t`` of row ``p``: token ``t`` may follow token ``p``.
    """

    goto: np.ndarray
    longest: np.ndarray
    shorter: np.ndarray
    lengths: np.ndarray
    compatible: np.ndarray


def build_tables(vocab: tuple[str, ...], merges: np.ndarray, first_letter: int, letters: str) -> EncodingTables:
    """Build the automaton and the table of compatible pairs.

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
    goto, longest, shorter = _automaton(vocab, first_letter, letters)
    first_merge = first_letter + len(letters)
    parts = np.zeros((len(vocab), 2), dtype=np.int64)
    parts[:] = np.arange(len(vocab))[:, None]
    parts[first_merge:] = merges
    made = np.zeros((len(vocab), len(vocab)), dtype=np.uint16)
    made[merges[:, 0], merges[:, 1]] = np.arange(first_merge, len(vocab))
    lengths = np.array([len(token) for token in vocab], dtype=np.int32)
    lengths[:first_letter] = 1
    return EncodingTables(goto, longest, shorter, lengths, _compatible_table(made, parts, first_letter))


def _automaton(
    vocab: tuple[str, ...], first_letter: int, letters: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the trie of all tokens with its failure links resolved into one transition table."""
    code = {letter: index for index, letter in enumerate(letters)}
    children: list[list[int]] = [[-1] * len(letters)]
    token_of = [0]
    end_state = np.zeros(len(vocab), dtype=np.int64)
    for index in range(first_letter, len(vocab)):
        state = 0
        for letter in vocab[index]:
            step = code[letter]
            if children[state][step] < 0:
                children[state][step] = len(children)
                children.append([-1] * len(letters))
                token_of.append(0)
            state = children[state][step]
        token_of[state] = index
        end_state[index] = state
    goto = np.array(children, dtype=np.int32)
    longest = np.array(token_of, dtype=np.uint16)
    fail = np.zeros(len(goto), dtype=np.int64)
    queue = [int(child) for child in goto[0] if child > 0]
    goto[0][goto[0] < 0] = 0
    for state in queue:  # grows while it is read: breadth first
        if longest[state] == 0:
            longest[state] = longest[fail[state]]
        for step in range(len(letters)):
            child = int(goto[state, step])
            if child < 0:
                goto[state, step] = goto[fail[state], step]
            else:
                fail[child] = goto[fail[state], step]
                queue.append(child)
    shorter = longest[fail[end_state]]
    shorter[:first_letter] = 0
    return goto, longest, shorter


@numba.njit(cache=True, nogil=True)
def _stays_apart(left: int, right: int, limit: int, made: np.ndarray, parts: np.ndarray) -> bool:
    """Say whether no merge below id `limit` crosses the border while the two tokens form.

    Undo the later of the two merges at the border, again and again; each time a pair across the
    border must not have a merge of its own that would have come first. Merges of the same id run
    left to right, so one that is undone on the left wins a tie, one on the right loses it.
    """
    while True:
        across = made[left, right]
        if across and across < limit:
            return False
        if left > right:
            limit = left
            left = parts[left, 1]
            if left != limit:
                continue
            limit = right + 1
            right = parts[right, 0]
            if right + 1 == limit:
                return True
        else:
            limit = right + 1
            right = parts[right, 0]
            if right + 1 != limit:
                continue
            limit = left
            left = parts[left, 1]
            if left == limit:
                return True


@numba.njit(cache=True, nogil=True)
def _compatible_table(made: np.ndarray, parts: np.ndarray, first_letter: int) -> np.ndarray:
    """Make the bit table; see `EncodingTables`."""
    size = len(parts)
    table = np.zeros((size, (size + 7) // 8), dtype=np.uint8)
    valid = np.zeros(size, dtype=np.bool_)
    for token in range(first_letter, size):
        left, right = parts[token, 0], parts[token, 1]
        if left == token:
            valid[token] = True
        else:
            valid[token] = valid[left] and valid[right] and _stays_apart(left, right, token, made, parts)
        if valid[token]:
            for row in (START, UNKNOWN):
                table[row, token >> 3] |= np.uint8(1 << (token & 7))
    for left in range(first_letter, size):
        for right in range(first_letter, size):
            if valid[left] and valid[right] and _stays_apart(left, right, size, made, parts):
                table[left, right >> 3] |= np.uint8(1 << (right & 7))
    return table


@numba.njit(cache=True, nogil=True)
def encode_flat(
    bases: np.ndarray, starts: np.ndarray, code_of: np.ndarray, goto: np.ndarray, longest: np.ndarray,
    shorter: np.ndarray, lengths: np.ndarray, compatible: np.ndarray, ids: np.ndarray, cuts: np.ndarray,
) -> int:
    """Encode sequences that lie one after the other; fill `ids` and `cuts`, give the number of ids."""
    most = 0
    for r in range(len(starts) - 1):
        most = max(most, starts[r + 1] - starts[r])
    last = np.empty(most + 1, dtype=np.uint16)
    last[0] = START
    unknown_code = goto.shape[1]
    n = 0
    for r in range(len(starts) - 1):
        start = starts[r]
        length = starts[r + 1] - start
        state = 0
        for i in range(length):
            code = code_of[bases[start + i]]
            if code == unknown_code:
                state = 0
                last[i + 1] = UNKNOWN
                continue
            state = goto[state, code]
            token = longest[state]
            while True:
                before = last[i + 1 - lengths[token]]
                if compatible[before, token >> 3] >> (token & 7) & 1:
                    break
                token = shorter[token]
            last[i + 1] = token
        # Follow the last tokens back from the end; what was read may be written over.
        write = length + 1
        read = length
        while read > 0:
            token = last[read]
            write -= 1
            read -= lengths[token]
            last[write] = token
        for i in range(write, length + 1):
            ids[n] = last[i]
            n += 1
        cuts[r + 1] = n
    return n
