"""How numeric features are stored: shared by writer and reader, needs numpy only."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def pack_numbers(numbers: Numbers) -> bytes:
    """Numbers as they are stored: little-endian float64, compressed, since most features of most people are empty."""
    return zlib.compress(numbers.astype("<f8").tobytes(), level=1)


def unpack_numbers(packed: bytes) -> Numbers:
    """Stored numbers as a read-only array; ValueError when they are spoilt.

    >>> unpack_numbers(pack_numbers(np.array([1.5, 2.0]))).tolist()
    [1.5, 2.0]
    """
    try:
        return np.frombuffer(zlib.decompress(packed), dtype="<f8")
    except zlib.error as error:
        raise ValueError("spoilt numbers") from error
