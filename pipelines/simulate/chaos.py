"""What goes wrong on the way between a platform and its caller, drawn from a seed: one fate per request."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from enum import Enum

from pipelines.simulate.chance import stream


class Fate(Enum):
    """What happens to one request."""

    ANSWERED = "answered"
    SYSTEM_ERROR = "system_error"  # the platform's own code for its failures, status 200
    LIMITED = "limited"  # the platform's own code for too many calls, status 200
    TOO_MANY = "too_many"  # status 429
    BAD_GATEWAY = "bad_gateway"  # status 502, no JSON
    CUT = "cut"  # the answer ends in the middle
    HANG = "hang"  # no answer before the caller's patience ends


@dataclass(frozen=True)
class ChaosRates:
    """Shares of requests; `duplicates` is the share of pages that hold one record twice."""

    system_error: float = 0.0
    limited: float = 0.0
    too_many: float = 0.0
    bad_gateway: float = 0.0
    cut: float = 0.0
    hang: float = 0.0
    duplicates: float = 0.0
    hang_seconds: float = 0.5

    @classmethod
    def rough(cls) -> ChaosRates:
        """A bad day: about every fifth request fails in some way."""
        return cls(0.05, 0.04, 0.04, 0.04, 0.03, 0.01, 0.3)


class Chaos:
    """Draws fates and counts them; `counts` is what was injected."""

    def __init__(self, rates: ChaosRates, seed: int) -> None:
        self._rates = rates
        self._seed = seed
        self._lock = threading.Lock()
        self._drawn = 0
        self.hang_seconds = rates.hang_seconds
        self.counts: Counter[str] = Counter()

    def fate(self) -> Fate:
        """The fate of the next request."""
        with self._lock:
            self._drawn += 1
            draw = stream(self._seed, "fate", self._drawn).random()
            fate = self._fate_of(draw)
            self.counts[fate.value] += 1
        return fate

    def doubles(self) -> bool:
        """Whether the next page holds a record twice."""
        with self._lock:
            self._drawn += 1
            doubled = stream(self._seed, "double", self._drawn).random() < self._rates.duplicates
            self.counts["duplicated"] += doubled
        return doubled

    def _fate_of(self, draw: float) -> Fate:
        for fate in Fate:
            if fate is Fate.ANSWERED:
                continue
            draw -= float(getattr(self._rates, fate.value))
            if draw < 0:
                return fate
        return Fate.ANSWERED
