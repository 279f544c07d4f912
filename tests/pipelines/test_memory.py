"""Large arrays take each other's memory while they may, and give it back at the end."""

from __future__ import annotations

import resource

import numpy as np
import psutil
import pytest

from pipelines.memory import reused_memory

MANY = 16 * 1024 * 1024
"""Bytes of an array; whose pages are 4 KiB, in the worst case."""

ROUNDS = 8


def faults() -> int:
    """How often the process had to ask the system for a page."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def in_turn() -> int:
    """Arrays one after the other, some of them side by side; gives the pages they took."""
    before = faults()
    for size in range(ROUNDS):
        first = np.ones(4 * MANY + size, dtype=np.uint8)
        second = np.ones(4 * MANY, dtype=np.uint8)
        del first, second
    return faults() - before


def test_an_array_takes_the_pages_of_those_before_it() -> None:
    with reused_memory():
        in_turn()  # the first ones are new
        again = in_turn()
    assert again < ROUNDS * 8 * MANY // (2 * 1024 * 1024) // 4, (
        "less than a quarter of what anew would take, even in huge pages"
    )


def fail_after_much() -> None:
    """Takes 320 MiB, and does not come to its end."""
    with reused_memory():
        held = np.ones(20 * MANY, dtype=np.uint8)
        del held
        raise ZeroDivisionError


def test_memory_goes_back_at_the_end_also_after_a_failure() -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(ZeroDivisionError):
        fail_after_much()
    assert psutil.Process().memory_info().rss - before < 4 * MANY
