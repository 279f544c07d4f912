"""What a run spends on safety: seconds by name, kept in ops.job_runs beside those of the jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipelines.clock import stopwatch

SAFETY = ("lock", "verify", "quarantine", "manifest")
"""Taking the lake's lock; looking for damage before a run; keeping refused records; inventory and manifest on disk."""
SPANS = (*SAFETY, "quality", "serving")
"""Those, the checks and suites, and building the serving file."""


@dataclass
class Spans:
    """Seconds by the name of what they went into; an outer span does not hold those inside it."""

    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[float] = field(default_factory=list)

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """The block's time is added to the span."""
        watch = stopwatch()
        self._open.append(0.0)
        try:
            yield
        finally:
            spent, inner = watch(), self._open.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + spent - inner
            if self._open:
                self._open[-1] += spent
