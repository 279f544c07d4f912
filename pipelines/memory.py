"""Peak memory of this process and its children while a block runs, sampled."""

from __future__ import annotations

import threading
from types import TracebackType

import psutil

PERIOD_S = 0.5


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
