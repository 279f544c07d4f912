"""Memory of this process: its peak while a block runs, sampled, and large arrays that follow each other in it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import psutil

PERIOD_S = 0.5
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Parameters of glibc's mallopt(3)."""

KEPT_ARRAYS, KEPT_TOP = 1 << 30, (1 << 31) - 1
USUAL_ARRAYS, USUAL_TOP = 32 << 20, 64 << 20
"""The greatest values that glibc sets by itself."""


@contextmanager
def reused_memory() -> Iterator[None]:
    """What large arrays give up is taken by those that follow; at the end all of it goes back to the system.

    By default glibc asks the system for each large array anew and returns it at once: to get and to clear the pages of
    a few GiB took a third of the time of 20 M edges. Without glibc nothing changes. For one thread at a time.
    """
    libc = ctypes.CDLL(None)
    known = hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")
    if known:
        libc.mallopt(MMAP_THRESHOLD, KEPT_ARRAYS)
        libc.mallopt(TRIM_THRESHOLD, KEPT_TOP)
    try:
        yield
    finally:
        if known:
            libc.mallopt(MMAP_THRESHOLD, USUAL_ARRAYS)
            libc.mallopt(TRIM_THRESHOLD, USUAL_TOP)
            libc.malloc_trim(0)


class PeakMemory:
    """Samples the resident memory of the process tree (JVM and workers included); `mib` is the greatest sum seen."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._sample()

    def _sample(self) -> None:
        total = 0
        own = psutil.Process()
        for process in (own, *own.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.Error:
                continue
        self.mib = max(self.mib, round(total / 1048576, 1))
