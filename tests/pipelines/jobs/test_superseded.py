"""A refund that an export and its platform both told of counts once; what the export alone knows still counts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.jobs.superseded import REFUNDS, restated, told_twice
from pipelines.sources.refunds import made_number
from pipelines.store.arrow import arrow_table
from pipelines.store.local import LocalLake, conform
from tests.pipelines.published import complete

Row = dict[str, Any]
ORDER, LINE, OTHER = "3" * 16, "4" * 16, "5" * 16


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    found = pl.from_arrow(arrow_table(REFUNDS, [complete(REFUNDS, row) for row in rows]))
    assert isinstance(found, pl.DataFrame)
    return conform(REFUNDS, found)


def refund(number: str, feed: str, **facts: Any) -> Row:
    told = {"platform": "tmall", "refund_scope": "", "refund_id": number, "feed": feed, "order_id": ORDER}
    return told | {"line_id": LINE, "status": "success", "amount_fen": 2000, "version_key": f"1|05|00|{number}"} | facts


def made(line: str | None = LINE, **facts: Any) -> Row:
    """A refund of an export without refund numbers."""
    return refund(made_number(ORDER, line or "1"), "orders_file", line_id=line, **facts)


def own(number: str = "9001", **facts: Any) -> Row:
    """A refund that the platform tells of."""
    return refund(number, **{"feed": "tmall_refunds"} | facts)


def states(*rows: Row) -> dict[str, str]:
    """The statuses that have to change."""
    return {row["refund_id"]: row["status"] for row in restated(frame(rows)).to_dicts()}


@pytest.mark.parametrize(
    "told",
    [
        own(),
        own(amount_fen=500),
        own(line_id=None),
        own(line_id=None, line_amounts=f'{{"{LINE}":900,"{OTHER}":100}}'),
        own(feed="orders_file"),
        own(shop_id="another name of the shop"),
    ],
    ids=["its line", "another amount", "the order", "several lines", "an export with numbers", "another shop"],
)
def test_the_platforms_word_of_the_line_supersedes_the_exports(told: Row) -> None:
    assert states(made(), told) == {made()["refund_id"]: "superseded"}


@pytest.mark.parametrize(
    "told",
    [
        own(line_id=OTHER),
        own(line_id=None, line_amounts=f'{{"{OTHER}":900}}'),
        own(status="closed"),
        own(status="processing"),
        own(amount_fen=None),
        own(amount_fen=0),
        own(order_id="6" * 16),
        own(order_id=None),
        own(platform="douyin"),
    ],
    ids=["another line", "other lines", "closed", "open", "no amount", "nothing", "another order", "none", "platform"],
)
def test_what_the_export_alone_knows_stands(told: Row) -> None:
    assert states(made(), told) == {}


def test_an_export_without_line_numbers_gives_way_to_any_refund_of_the_order() -> None:
    assert set(states(made("1"), made("2"), own()).values()) == {"superseded"}
    assert len(states(made("1"), made("2"), own())) == 2
    assert states(made(None), own()) == {made(None)["refund_id"]: "superseded"}


def test_a_refund_that_is_superseded_counts_again_once_the_platforms_does_not() -> None:
    gone = made(status="superseded")
    assert states(gone, own()) == {}
    assert states(gone, own(status="closed")) == {gone["refund_id"]: "success"}
    assert states(gone, own(line_id=OTHER)) == {gone["refund_id"]: "success"}


def test_a_refund_that_the_export_calls_open_or_closed_stays_so() -> None:
    assert states(made(status="processing"), made(OTHER, status="closed"), own(), own("9002", line_id=OTHER)) == {}


def test_returns_of_a_file_that_nobody_else_tells_of_all_stand() -> None:
    shop = {"platform": "till", "refund_scope": "s", "shop_id": "s"}
    assert states(made("1", **shop), refund("R1", "orders_file", **shop | {"line_id": "1"})) == {}
    assert states(made("1", **shop), refund("R1", "shop_orders", **shop | {"line_id": "1"})) != {}
    assert states(made("1", **shop), refund("R1", "shop_orders", **shop | {"line_id": "2"})) == {}


TOLD = (
    made(amount_fen=2000),
    made(OTHER, amount_fen=700),
    own("9002", amount_fen=500, version_key="1|04|00|x", status="applied"),
    own("9002", amount_fen=500, version_key="2|05|00|x"),
)


def of_order(row: Row, order: str) -> Row:
    """The row as one of another order, under a refund number of that order."""
    number = row["refund_id"]
    own = number.replace(ORDER, order) if ORDER in number else f"{number}-{order}"
    return row | {"order_id": order, "refund_id": own}


def test_every_order_of_arrival_ends_in_one_table(tmp_path: Path) -> None:
    """Each arrival is of an order of its own, side by side in one lake."""
    lake, arrivals = LocalLake(tmp_path), {f"{n:016d}": rows for n, rows in enumerate(permutations(TOLD))}
    for step in range(len(TOLD)):
        come = frame([of_order(rows[step], order) for order, rows in arrivals.items()])
        lake.upsert_latest(REFUNDS, come)
        for _ in range(2):
            changed = told_twice(lake, come.lazy().select("platform", "order_id"))
            lake.replace_keys(REFUNDS, changed, changed.select(REFUNDS.key))
    ends: dict[str, set[tuple[str, str, int]]] = {order: set() for order in arrivals}
    for order, number, status, fen in (
        lake.scan(REFUNDS).select("order_id", "refund_id", "status", "amount_fen").collect().rows()
    ):
        ends[order].add((number.replace(order, ""), status, fen))
    (end,) = {frozenset(rows) for rows in ends.values()}
    assert sum(fen for _, status, fen in end if status == "success") == 500 + 700
