"""Keys become positions in their order, whatever the keys are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import dense as module
from identity.dense import Keys, dense

KEY = st.integers(-(2**63), 2**63 - 1)
CLOSE = st.integers(0, 2**70).map(lambda bits: (bits % 7 << 60) + bits % 5 - 2**62)
"""Keys that agree in their leading bits with others of a list, far apart from the rest."""


def expected(entries: Keys) -> tuple[list[int], list[int]]:
    keys, codes = np.unique(entries, return_inverse=True)
    return keys.tolist(), codes.tolist()


def found(entries: Keys) -> tuple[list[int], list[int]]:
    keys, codes = dense(entries)
    return keys.tolist(), codes.tolist()


@given(st.lists(KEY | CLOSE | st.integers(-3, 3), max_size=60))
def test_it_is_what_numpy_says(keys: list[int]) -> None:
    entries = np.array(keys, dtype=np.int64)
    assert found(entries) == expected(entries)


@pytest.mark.parametrize("most", [0, 10_000])
def test_keys_that_differ_in_their_last_bits_only(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "MOST_MENDED", most)
    rng = np.random.default_rng(1)
    ends = rng.integers(0, 2, 5_000, dtype=np.int64) * (2**62) + rng.integers(0, 40, 5_000)
    entries = np.concatenate([ends, np.array([-(2**63), 2**63 - 1])])
    assert found(entries) == expected(entries)


def test_a_run_that_is_not_mended_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_mend", lambda *given: None)
    entries = np.array([3, 2, 1, -(2**63), 2**63 - 1], dtype=np.int64)
    assert found(entries) != expected(entries)
