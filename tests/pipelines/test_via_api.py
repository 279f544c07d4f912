"""A simulated brand pulled from its platforms: the landing holds the same facts, to the fen."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import orjson
import pytest

from pipelines.errors import CdpError
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.server import PlatformRules
from pipelines.via_api import PULLED, PlayReport, bring_via_api
from tests.pipelines.connectors.test_readable import Fact, facts_of, last_versions

CONFIG = SimulationConfig(people=30, days=4, seed=5, dirt=Dirt.none(), avg_events_per_person=1.0)
pytestmark = pytest.mark.e2e
KEPT = ("shop_orders", "miniprogram_events", "wecom_events", "points_events")


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PlayReport, list[Fact]]:
    home = tmp_path_factory.mktemp("brought")
    simulate(CONFIG, home)
    lines: list[str] = []
    report = bring_via_api(home, home / "landing", CONFIG, lines.append)
    assert lines
    return home, report, list(facts_of(home / "landing"))


def test_the_pulled_feeds_come_from_the_server_alone(brought: tuple[Path, PlayReport, list[Fact]]) -> None:
    home, report, _ = brought
    for feed in PULLED:
        names = {path.name[:5] for path in (home / "landing" / feed).rglob("*.jsonl")}
        assert names == ({"pull-"} if report.records.get(feed) else set()), feed
    assert len(report.records) >= len(PULLED) - 1
    for feed in KEPT:
        assert {path.name[:5] for path in (home / "landing" / feed).rglob("*.jsonl")} == {"part-"}, feed


def test_every_day_of_the_world_was_pulled_on_its_day(brought: tuple[Path, PlayReport, list[Fact]]) -> None:
    home, _, _ = brought
    days = {path.name for path in (home / "landing" / "wecom_contacts").iterdir()}
    assert days == {f"2025-01-{day:02d}" for day in range(1, 5)}


def test_what_was_paid_is_in_the_worlds_books_to_the_fen(brought: tuple[Path, PlayReport, list[Fact]]) -> None:
    home, _, facts = brought
    books: dict[tuple[str, str], int] = defaultdict(int)
    for line in (home / "truth" / "books.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        if row["platform"] in ("douyin", "tmall") and row["paid_fen"]:
            books[row["platform"], row["day"]] += row["paid_fen"]
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in last_versions(facts, "silver.orders", "platform", "order_id").values():
        if row["platform"] in ("douyin", "tmall") and row["is_paid"] and not row["is_internal"]:
            found[row["platform"], row["business_date"]] += row["paid_fen"]
    assert found == books
    assert sum(books.values()) > 0


def test_a_bad_day_on_the_platforms_changes_nothing(
    brought: tuple[Path, PlayReport, list[Fact]], tmp_path: Path
) -> None:
    rates = ChaosRates(system_error=0.05, limited=0.02, too_many=0.02, bad_gateway=0.02, cut=0.05, duplicates=0.2)
    simulate(CONFIG, tmp_path)
    bring_via_api(tmp_path, tmp_path / "landing", CONFIG, lambda _: None, rules=PlatformRules(rates))
    names = ("platform", "order_id", "status", "paid_fen", "freight_fen", "paid_at", "province")
    orders = [
        {key: tuple(row[name] for name in names) for key, row in last.items()}
        for last in (
            last_versions(facts, "silver.orders", "platform", "order_id")
            for facts in (brought[2], list(facts_of(tmp_path / "landing")))
        )
    ]
    assert orders[0] == orders[1]


def test_a_platform_that_refuses_ends_the_play(tmp_path: Path) -> None:
    simulate(CONFIG, tmp_path)
    with pytest.raises(CdpError) as refusal:
        bring_via_api(
            tmp_path, tmp_path / "landing", CONFIG, lambda _: None, rules=PlatformRules(ChaosRates(system_error=1.0))
        )
    assert refusal.value.where.startswith("douyin/")
