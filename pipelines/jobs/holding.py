"""Frames held while a job works.

A plan that is used twice is computed twice, and a plan of hundreds of nodes is planned again after each of its stages:
holding its parts keeps both small.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from pipelines.store.lake import Lake

_NUMBERS = itertools.count(1)


class Holder:
    """Keeps the frames it is given until it is released: on the cluster in its memory, in this process in a file."""

    def __init__(self, lake: Lake, staging: Path) -> None:
        self._lake = lake
        self._staging = staging
        self._frames: list[DataFrame] = []
        self._files: list[Path] = []

    def __call__(self, frame: DataFrame) -> DataFrame:
        """The frame itself, computed once: on the cluster at its first use."""
        if self._lake.in_process:
            return self._filed(frame)
        self._frames.append(frame.persist())
        return frame

    def _filed(self, frame: DataFrame) -> DataFrame:
        # The embedded session keeps nothing in memory between two questions.
        rows = frame.toArrow()
        self._staging.mkdir(parents=True, exist_ok=True)
        path = self._staging / f"held-{next(_NUMBERS)}.parquet"
        self._files.append(path)
        plain = pa.schema([pa.field(one.name, one.type) for one in rows.schema])
        pq.write_table(rows.cast(plain), path, compression="lz4", write_statistics=False)
        return self._lake.read_staged([str(path)])

    def release(self) -> None:
        """Nothing is held any longer; the last frame goes first, as it may stand on the others."""
        while self._frames:
            self._frames.pop().unpersist()
        while self._files:
            self._files.pop().unlink(missing_ok=True)


@contextmanager
def holding(lake: Lake, staging: Path) -> Iterator[Holder]:
    """A holder that lets go at the end of the block; its files lie in the folder `staging`."""
    holder = Holder(lake, staging)
    try:
        yield holder
    finally:
        holder.release()
