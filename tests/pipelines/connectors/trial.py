"""A home that pulls from the simulated platforms, and an independent reader of what it landed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.connectors.calls import Pace
from pipelines.connectors.pull import PullOptions, PullReport, pull
from pipelines.simulate.clock import DAY, Clock
from pipelines.simulate.config import Dirt, SimulationConfig
from pipelines.simulate.server import PlatformServer
from serving.contract.platforms import Platforms

CONFIG = SimulationConfig(people=60, days=4, seed=11, dirt=Dirt.none(), avg_events_per_person=0.0)
END = Clock(CONFIG.start, CONFIG.days).end
QUICK = Pace(calls_per_second=100_000, attempts=12, first_wait=0.0)


@dataclass
class Now:
    """The time for both sides, in epoch seconds."""

    second: int = END

    def __call__(self) -> int:
        return self.second * 1000


@dataclass
class Trial:
    """One home against one server."""

    home: Path
    server: PlatformServer
    now: Now
    only: frozenset[str] = frozenset()

    def platforms(self) -> Platforms:
        return Platforms.model_validate(self.server.accounts())

    def pull(self, **options: Any) -> PullReport:
        chosen = {
            "only": self.only,
            "since": END - 5 * DAY,
            "pace": QUICK,
            "clock": self.now,
            "sleep": lambda _: None,
            **options,
        }
        return pull(self.home, self.home / "landing", self.platforms(), PullOptions(timeout=0.4, **chosen))

    def lines(self, feed: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(context, payload) of every landed answer."""
        for path in sorted((self.home / "landing" / feed).rglob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                wrapper = orjson.loads(line)
                yield wrapper["context"], wrapper["payload"]
