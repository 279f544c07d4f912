"""Frames held in memory while a job works.

A plan that is used twice is computed twice, and a plan of hundreds of nodes is planned again after each of its stages:
holding its parts keeps both small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame


class Holder:
    """Persists the frames it is given until it is released."""

    def __init__(self) -> None:
        self._frames: list[DataFrame] = []

    def __call__(self, frame: DataFrame) -> DataFrame:
        """The frame itself, computed once at its first use."""
        self._frames.append(frame.persist())
        return frame

    def release(self) -> None:
        """Nothing is held any longer; the last frame goes first, as it may stand on the others."""
        while self._frames:
            self._frames.pop().unpersist()


@contextmanager
def holding() -> Iterator[Holder]:
    """A holder that lets go at the end of the block."""
    holder = Holder()
    try:
        yield holder
    finally:
        holder.release()
