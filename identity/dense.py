"""64-bit keys become positions in the order of the keys: what every array algorithm on a graph starts with.

A key's leading bits and its place in the input fit into one 64-bit number. Sorting those numbers needs no second array
to follow the first, which makes it the fastest way measured: for 8.8 M random keys on 2 cores 0.4 s, where the dense
rank of polars takes 0.7 s, the dictionary of Arrow 0.8 to 3 s, pandas' factorize 1.4 s, a numpy argsort 1.5 s and
`np.unique` with inverse 2.8 s. Random keys hardly ever agree in their leading bits; where they do, they are put in
order afterwards, and where they often do, polars ranks them.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

Keys = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
Value = TypeVar("Value", np.int64, np.int32)

WORD = 64
MOST_MENDED = 10_000


class Dense(NamedTuple):
    """The distinct keys in order, and for each entry of the input the position of its key among them."""

    keys: Keys
    codes: Positions


def dense(entries: Keys) -> Dense:
    """The distinct keys of the entries, of any sign, and each entry's position among them.

    >>> dense(np.array([7, -2, 7])).codes.tolist()
    [1, 0, 1]
    """
    if entries.size == 0:
        return Dense(entries.astype(np.int64), np.empty(0, dtype=np.int32))
    packed, place_bits = _packed(entries)
    order: Keys = (packed & ((np.uint64(1) << place_bits) - np.uint64(1))).view(np.int64)
    ordered = gather(entries, order)
    wrong = np.flatnonzero(ordered[1:] < ordered[:-1])
    if wrong.size > MOST_MENDED:
        return _ranked(entries)
    if wrong.size:
        _mend(order, ordered, packed >> place_bits, wrong)
    first = first_of_each(ordered)
    rank = np.cumsum(first, dtype=np.int32)
    rank -= 1
    codes = np.empty(entries.size, dtype=np.int32)
    codes[order] = rank
    return Dense(pl.Series(ordered).filter(pl.Series(first)).to_numpy(), codes)


def first_of_each(ordered: Keys) -> npt.NDArray[np.bool_]:
    """Whether a key is the first of its kind among keys in order."""
    first = np.ones(ordered.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def gather(values: npt.NDArray[Value], places: npt.NDArray[np.int32] | Keys) -> npt.NDArray[Value]:
    """The values at places that are known to lie within: without a check of each, in half the time of an index."""
    return np.take(values, places, mode="clip")


def _packed(entries: Keys) -> tuple[npt.NDArray[np.uint64], np.uint64]:
    """The leading bits of each key and its place in the input as one number, sorted; and the bits of a place."""
    place_bits = np.uint64(max(1, int(entries.size - 1).bit_length()))
    # The difference of two int64 may not fit into one; as unsigned numbers it always does.
    word = entries.view(np.uint64) - entries.min().view(np.uint64)
    word >>= np.uint64(max(0, int(word.max()).bit_length() + int(place_bits) - WORD))
    word <<= place_bits
    word |= np.arange(entries.size, dtype=np.uint64)
    return pl.Series(word).sort().to_numpy(), place_bits


def _mend(order: Keys, ordered: Keys, leading: npt.NDArray[np.uint64], wrong: npt.NDArray[np.intp]) -> None:
    """Runs of the same leading bits that hold a `wrong` place are in the order of the rest of their keys."""
    for value in sorted(set(leading[wrong].tolist())):
        start, end = (np.searchsorted(leading, np.uint64(value), side=side) for side in ("left", "right"))
        by_key = start + np.argsort(ordered[start:end], kind="stable")
        order[start:end], ordered[start:end] = order[by_key], ordered[by_key]


def _ranked(entries: Keys) -> Dense:
    codes = pl.Series(entries).rank("dense").to_numpy().astype(np.int32) - np.int32(1)
    keys = np.empty(int(codes.max()) + 1, dtype=np.int64)
    keys[codes] = entries
    return Dense(keys, codes)
