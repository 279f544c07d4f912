"""One small simulated world for the whole package, and an independent reader of its landing files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.simulate import Dirt, SimulationConfig, SimulationReport, simulate

Json = dict[str, Any]
PAGES = (
    ("data", "shop_order_list"),
    ("data", "items"),
    ("data", "decrypt_infos"),
    ("data", "order_list"),
    ("trades_sold_increment_get_response", "trades", "trade"),
    ("refunds_receive_get_response", "refunds", "refund"),
    ("crm_members_increment_get_response", "members", "basic_member"),
    ("external_contact_list",),
    ("info",),
    ("customer",),
    ("items",),
)


@dataclass(frozen=True)
class Line:
    """One line of a landing file; `payload` is None where the line is no JSON."""

    feed: str
    interval: str
    context: Json
    payload: Any


@dataclass(frozen=True)
class SimulatedWorld:
    """A written world and what its folder holds."""

    config: SimulationConfig
    out: Path
    report: SimulationReport
    _read: dict[str, list[Line]] = field(default_factory=dict, repr=False)

    def lines(self, feed: str) -> list[Line]:
        if feed not in self._read:
            self._read[feed] = list(self._lines(feed))
        return self._read[feed]

    def _lines(self, feed: str) -> Iterator[Line]:
        for path in sorted((self.out / "landing" / feed).glob("*/*.jsonl")):
            for raw in path.read_bytes().splitlines():
                try:
                    parsed = orjson.loads(raw)
                except orjson.JSONDecodeError:
                    yield Line(feed, path.parent.name, {}, None)
                else:
                    yield Line(feed, path.parent.name, parsed["context"], parsed["payload"])

    def elements(self, feed: str, method: str) -> Iterator[tuple[Json, Any]]:
        """(context, element) of every page of the method, broken elements included."""
        for line in self.lines(feed):
            if line.payload is not None and line.context["method"] == method:
                for element in page_of(line.payload) or ():
                    yield line.context, element

    def truth(self, table: str) -> list[Any]:
        raw = (self.out / "truth" / f"{table}.jsonl").read_bytes()
        return [orjson.loads(row) for row in raw.splitlines()]

    def faults(self, kind: str) -> list[Json]:
        return [fault for fault in self.truth("faults") if fault["kind"] == kind]


def page_of(payload: Any) -> list[Any] | None:
    """The elements of a page; None for a single record."""
    for path in PAGES:
        found = payload
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, list):
            return found
    return None


def count_records(world: SimulatedWorld) -> dict[str, int]:
    """Records by feed, counted as an ingest counts them: elements of pages, single lines, broken lines."""
    counts: defaultdict[str, int] = defaultdict(int)
    for folder in sorted((world.out / "landing").iterdir()):
        for line in world.lines(folder.name):
            page = page_of(line.payload) if line.payload is not None else None
            refused = isinstance(line.payload, dict) and (
                line.payload.get("code") == 20000
                or "error_response" in line.payload
                or line.payload.get("errcode") == 45009
            )
            counts[folder.name] += 0 if refused else 1 if page is None else len(page)
    return dict(counts)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    """A world of ordinary dirt, with more unreadable and half-read records than life has, to see enough of them."""
    dirt = Dirt(broken=0.01, error_answers=0.05, rival_claims=0.05, reissued_phones=0.02, placeholders=0.03)
    config = SimulationConfig(people=600, days=24, seed=11, dirt=dirt, avg_events_per_person=8.0)
    out = tmp_path_factory.mktemp("world")
    return SimulatedWorld(config, out, simulate(config, out))


@pytest.fixture(scope="session")
def whole_world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    """A world of ordinary dirt in which every record is whole."""
    dirt = Dirt(broken=0.0, error_answers=0.0)
    config = SimulationConfig(people=800, days=30, seed=5, dirt=dirt, avg_events_per_person=5.0)
    out = tmp_path_factory.mktemp("whole")
    return SimulatedWorld(config, out, simulate(config, out))


@pytest.fixture(scope="session")
def clean_world(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    """A small world without dirt."""
    config = SimulationConfig(people=120, days=12, seed=3, dirt=Dirt.none(), avg_events_per_person=4.0, shards=1)
    out = tmp_path_factory.mktemp("clean")
    return SimulatedWorld(config, out, simulate(config, out))


@pytest.fixture(scope="session")
def counted(world: SimulatedWorld) -> dict[str, int]:
    """The world's records by feed, counted from its files."""
    return count_records(world)
