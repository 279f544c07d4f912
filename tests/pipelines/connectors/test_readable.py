"""What is pulled and pushed becomes facts: every landed record is read by its feed's parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.jobs.records import make_record, records_of_line
from pipelines.simulate.brand import CORPS, DOUYIN_SHOPS, TMALL_SHOPS
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.clock import DAY
from pipelines.simulate.server import PlatformRules, PlatformServer
from pipelines.sources import FEED_PARSERS
from pipelines.sources.config import load_sources
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial

CONF = Path(__file__).resolve().parents[3] / "conf"


@dataclass(frozen=True)
class Fact:
    """One row a parser made."""

    feed: str
    table: str
    row: dict[str, Any]


def facts_of(landing: Path) -> Iterator[Fact]:
    """Every silver row of everything landed; a record that is refused fails the test."""
    sources = load_sources(CONF)
    for path in sorted(landing.glob("*/*/*.jsonl")):
        parser = FEED_PARSERS[path.parts[-3]]
        settings = sources[parser.source]
        for number, line in enumerate(path.read_bytes().splitlines()):
            for raw in records_of_line(number, line, parser=parser, settings=settings, interval=path.parts[-2]):
                assert raw.refusal is None, f"{path.name}: {raw.refusal}"
                parsed = parser.parse(make_record(raw, parser, settings))
                assert parsed.unknown == {}, f"{parser.feed}: {sorted(parsed.unknown)}"
                yield from (Fact(parser.feed, table, row) for table, row in parsed.rows)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlatformServer, list[Fact]]]:
    """The platform after a rough day, and every fact of what was pulled from all of it, twice."""
    with PlatformServer(CONFIG, Now(), PlatformRules(ChaosRates(duplicates=0.5))) as server:
        trial = Trial(tmp_path_factory.mktemp("home"), server, Now())
        for _ in range(2):
            assert trial.pull().failures == []
        yield server, list(facts_of(trial.home / "landing"))


def last_versions(facts: list[Fact], table: str, *key: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fact in facts:
        if fact.table == table:
            name = tuple(fact.row[part] for part in key)
            if name not in found or found[name]["version_key"] < fact.row["version_key"]:
                found[name] = fact.row
    return found


def test_every_order_is_there_once_with_its_last_amount(pulled: tuple[PlatformServer, list[Fact]]) -> None:
    server, facts = pulled
    world = {
        (platform, str(order.number)): order.pay_fen if 0 < order.paid <= moment else 0
        for platform, shops in (("douyin", DOUYIN_SHOPS), ("tmall", TMALL_SHOPS))
        for shop in range(len(shops))
        for moment, order in server.data.orders(platform, shop)
        if moment >= END - 5 * DAY - 600
    }
    orders = last_versions(facts, "silver.orders", "platform", "order_id")
    assert {name: row["paid_fen"] for name, row in orders.items()} == world
    assert sum(world.values()) > 0


def test_every_feed_that_is_pulled_makes_facts(pulled: tuple[PlatformServer, list[Fact]]) -> None:
    assert {fact.feed for fact in pulled[1]} >= {
        "douyin_orders",
        "douyin_refunds",
        "tmall_trades",
        "tmall_refunds",
        "tmall_members",
        "douyin_members",
        "wecom_contacts",
        "wecom_group_chats",
        "wecom_staff_stats",
    }


def test_the_customers_of_every_guide_are_known_to_be_listed_in_full(
    pulled: tuple[PlatformServer, list[Fact]],
) -> None:
    server, facts = pulled
    guides = {(CORPS[corp].corp_id.lower(), g.userid) for corp in range(2) for g in server.wecom.staff(corp)}
    found = last_versions(facts, "silver.contact_listings", "corp_id", "userid")
    assert {(corp.lower(), userid) for corp, userid in found} == guides


def test_every_guides_day_is_a_fact(pulled: tuple[PlatformServer, list[Fact]]) -> None:
    server, facts = pulled
    guides = {guide.userid for corp in range(2) for guide in server.wecom.staff(corp)}
    found = last_versions(facts, "silver.staff_daily", "userid", "stat_date")
    assert {userid for userid, _ in found} == guides
