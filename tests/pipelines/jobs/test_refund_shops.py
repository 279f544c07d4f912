"""A refund counts once and in its order, whether a message without a shop tells of it first, last or alone.

Played with the real jobs over three days: the orders and refunds of each way lie side by side in one lake.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from pipelines.embedded import connected
from pipelines.jobs.refund_shops import REFUNDS_SQL, with_shop
from pipelines.keys import create_keys
from pipelines.publish import current
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import QualitySettings, Settings
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE
from tests.pipelines.jobs.composed import DAY1, DAY2, DAY3, ROOT, SHOP, Files, land, line
from tests.pipelines.sources.public_domain import DOUYIN_LINE, DOUYIN_ORDER, NICK, TMALL_LINE, TMALL_TRADE, changed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Rows = Callable[..., "DataFrame"]
DAYS = (DAY1, DAY2, DAY3)
APP = {"platform": "douyin", "app_key": "7000001"}
BEFORE, AFTER = 1735810000, 1735820000
"""When a refund was applied for and when it succeeded, 2025-01-02."""

FIRST, LAST, ALONE, AT_ONCE, LATE, EARLY, TWICE, SILENT = range(1, 9)
"""The message comes before the pulled case, after it, alone, or on one day with it; the pulled case comes last and
tells of a state before; the message comes before the order; two orders have its number; it says no order, only the
case does."""


def number(way: int) -> str:
    return f"69{way:017d}"


def order(way: int, day: str, **changes: Any) -> str:
    """An order of two lines: 100.00 and 50.00 yuan with 8.00 of freight."""
    lines = [
        changed(DOUYIN_LINE, order_id=f"{number(way)}{place}", parent_order_id=number(way), pay_amount=fen)
        for place, fen in ((1, 10_000), (2, 5_000))
    ]
    facts = {"order_id": number(way), "pay_amount": 15_800, "doudian_open_id": f"1@#buyer{way}="}
    page = {"data": {"shop_order_list": [changed(DOUYIN_ORDER, **facts, sku_order_list=lines, **changes)]}}
    return line({"code": 10000, **page}, **SHOP, method="order.searchList", received_at=f"{day}T23:00:00+08:00")


def pulled(way: int, day: str, *, done: bool = True) -> str:
    """The case of the second line: 50.00 yuan, and 8.00 of freight."""
    case = {"aftersale_id": f"7{way}", "aftersale_type": 0, "apply_time": BEFORE, "refund_amount": 5_800}
    case |= {"refund_post_amount": 800, "aftersale_status": 12 if done else 6, "refund_status": 3 if done else 1}
    about = {"shop_order_id": number(way), "related_order_info": [{"sku_order_id": f"{number(way)}2"}]}
    item = {"aftersale_info": {**case, "update_time": AFTER if done else BEFORE}, "order_info": about}
    page = {"code": 10000, "data": {"items": [item], "total": 1}}
    return line(page, **SHOP, method="afterSale.List", received_at=f"{day}T23:00:00+08:00")


def message(way: int, day: str, **changes: Any) -> str:
    """The message that the money went back, which names no shop, in a context that names none."""
    data = {"aftersale_id": int(f"7{way}"), "p_id": number(way), "s_id": f"{number(way)}2"}
    data |= {"aftersale_status": 12, "aftersale_type": 0, "refund_amount": 5_800, "refund_post_amount": 800}
    data |= {"apply_time": BEFORE, "update_time": "2025-01-02T20:13:40+08:00"}
    told = {"tag": "206", "msg_id": f"{way}", "data": json.dumps(changed(data, **changes))}
    return line([told], **APP, received_at=f"{day}T23:00:00+08:00")


def trade(way: int) -> str:
    facts = {"tid": way, "tid_str": str(way), "buyer_open_uid": f"AAH{way}"}
    lines = {"order": [changed(TMALL_LINE, oid=way, oid_str=str(way))]}
    answer = {
        "trades_sold_increment_get_response": {"trades": {"trade": [changed(TMALL_TRADE, **facts, orders=lines)]}}
    }
    return line(answer, platform="tmall", app_key="7", seller_nick=NICK, received_at=f"{DAY1}T23:00:00+08:00")


def frame(way: int, day: str) -> str:
    """Tmall's message of a refund of the whole trade, from a queue that names no seller."""
    content = {"refund_id": int(f"9{way}"), "tid": way, "oid": way, "refund_fee": "188.00", "bill_type": "return_bill"}
    content["modified"] = "2025-01-02 20:13:40"
    told = {"id": f"{way}", "topic": "taobao_refund_RefundSuccess", "outtime": "2025-01-02 20:13:41"}
    return line(
        {**told, "content": json.dumps(content)}, platform="tmall", app_key="7", received_at=f"{day}T23:00:00+08:00"
    )


def refund_page(way: int, day: str) -> str:
    refund = {"refund_id": f"9{way}", "tid": way, "oid": way, "status": "SUCCESS", "refund_fee": "188.00"}
    refund |= {"created": "2025-01-02 10:00:00", "modified": "2025-01-02 20:13:40", "dispute_type": "REFUND_AND_RETURN"}
    refund |= {"has_good_return": True, "seller_nick": NICK, "buyer_open_uid": f"AAH{way}"}
    answer = {"refunds_receive_get_response": {"refunds": {"refund": [refund]}, "has_next": False}}
    return line(answer, platform="tmall", app_key="7", seller_nick=NICK, received_at=f"{day}T23:00:00+08:00")


def own(shop: str) -> str:
    """An order of a till with a refund; each till counts its refunds from one."""
    bought = {"line_id": "1", "brand_sku": "S", "quantity": 1, "list_fen": 900, "paid_fen": 900, "gift": False}
    back = {"refund_id": "1", "line_id": "1", "status": "success", "amount_fen": 900, "at": AFTER * 1000}
    made = {"order_id": f"P{shop}", "channel": "pos", "shop_id": shop, "member_id": shop, "status": "paid"}
    times = {"created_at": BEFORE * 1000, "paid_at": BEFORE * 1000, "updated_at": AFTER * 1000}
    return line({**made, **times, "paid_fen": 900, "list_fen": 900, "lines": [bought], "refunds": [back]}, brand="b")


WAYS = (FIRST, LAST, ALONE, AT_ONCE, LATE, TWICE, SILENT)
FILES: Files = {
    f"douyin_orders/{DAY1}/a.jsonl": [order(way, DAY1) for way in WAYS],
    f"douyin_messages/{DAY1}/a.jsonl": [message(EARLY, DAY1)],
    f"tmall_trades/{DAY1}/a.jsonl": [trade(way) for way in (FIRST, LAST, ALONE)],
    f"shop_orders/{DAY1}/a.jsonl": [own("a"), own("b")],
    f"douyin_messages/{DAY2}/a.jsonl": [
        *(message(way, DAY2) for way in (FIRST, ALONE, AT_ONCE, LATE, TWICE)),
        message(SILENT, DAY2, p_id=..., s_id=...),
    ],
    f"douyin_refunds/{DAY2}/a.jsonl": [pulled(LAST, DAY2, done=False), pulled(AT_ONCE, DAY2)],
    f"douyin_orders/{DAY2}/a.jsonl": [order(EARLY, DAY2)],
    f"tmall_messages/{DAY2}/a.jsonl": [frame(FIRST, DAY2), frame(ALONE, DAY2)],
    f"tmall_refunds/{DAY2}/a.jsonl": [refund_page(LAST, DAY2)],
    f"douyin_refunds/{DAY3}/a.jsonl": [
        pulled(FIRST, DAY3),
        pulled(LATE, DAY3, done=False),
        pulled(SILENT, DAY3, done=False),
    ],
    f"douyin_messages/{DAY3}/a.jsonl": [message(LAST, DAY3)],
    f"douyin_orders/{DAY3}/a.jsonl": [order(TWICE, DAY3, shop_id=1)],
    f"tmall_messages/{DAY3}/a.jsonl": [frame(LAST, DAY3)],
    f"tmall_refunds/{DAY3}/a.jsonl": [refund_page(FIRST, DAY3)],
}

Found = dict[str, list[dict[str, Any]]]
NAMES = ("silver.refunds", "gold.fact_order_line", "gold.fact_refund", "features.customer_features")


def no_cluster() -> SparkSession:
    raise AssertionError("a few rows need no cluster")


def play(home: Path, *runs: RunRequest, files: Files = FILES) -> Found:
    """The tables after the runs."""
    settings = Settings(home=home, conf=ROOT / "conf", quality=QualitySettings(data_docs=False))  # type: ignore[call-arg]
    create_keys(settings.keys)
    land(home, files)
    with connected():
        for request in runs:
            run_pipeline(no_cluster, settings, request, lambda text: None, publish=request is runs[-1])
    local = LocalLake(settings.lake)
    return {name: local.scan(ALL[name]).sort(ALL[name].key).collect().to_dicts() for name in NAMES}


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """The lake after three runs of a day each."""
    home = tmp_path_factory.mktemp("daily")
    return home, play(home, *(RunRequest(day, day) for day in DAYS))


def given_back(found: Found) -> dict[tuple[str, str], tuple[int, int]]:
    """What went back for each line and what is left."""
    rows = found["gold.fact_order_line"]
    return {(row["shop_id"], row["line_id"]): (row["refunded_fen"], row["net_fen"]) for row in rows}


@pytest.mark.e2e
def test_a_refund_is_one_row_with_the_shop_that_anybody_named(daily: tuple[Path, Found]) -> None:
    rows = {(r["platform"], r["refund_id"], r["refund_scope"]): r["shop_id"] for r in daily[1]["silver.refunds"]}
    named = {FIRST, LAST, AT_ONCE, LATE, SILENT}
    assert rows == {
        **{("douyin", f"7{way}", ""): SHOP["shop_id"] if way in named else None for way in (*WAYS, EARLY)},
        **{("tmall", f"9{way}", ""): NICK if way != ALONE else None for way in (FIRST, LAST, ALONE)},
        **{("pos", "1", shop): shop for shop in "ab"},
    }


@pytest.mark.e2e
def test_net_payment_by_line_is_right_however_the_refund_was_told(daily: tuple[Path, Found]) -> None:
    found = given_back(daily[1])
    shop = SHOP["shop_id"]
    for way in (*WAYS, EARLY):
        if way != TWICE:
            lines = [found[shop, f"{number(way)}{place}"] for place in (1, 2)]
            assert lines == [(800, 10_000), (5_000, 0)], way
    assert [found[NICK, str(way)] for way in (FIRST, LAST, ALONE)] == [(18_800, 0)] * 3
    assert [found[name, "1"] for name in "ab"] == [(900, 0)] * 2


@pytest.mark.e2e
def test_of_two_orders_with_the_number_none_is_taken(daily: tuple[Path, Found]) -> None:
    found = given_back(daily[1])
    for name in (SHOP["shop_id"], "1"):
        assert [found[name, f"{number(TWICE)}{place}"] for place in (1, 2)] == [(0, 10_800), (0, 5_000)]


@pytest.mark.e2e
def test_facts_of_refunds_are_one_each_in_the_shop_of_their_order(daily: tuple[Path, Found]) -> None:
    facts = {row["refund_id"]: row for row in daily[1]["gold.fact_refund"] if row["platform"] == "douyin"}
    assert {way: facts[f"7{way}"]["shop_key"] for way in (*WAYS, EARLY)} == {
        way: None if way == TWICE else f"douyin|{SHOP['shop_id']}" for way in (*WAYS, EARLY)
    }
    assert [fact["order_known"] for fact in facts.values() if fact["shop_key"]] == [True] * 7
    assert sum(row["refunded_fen"] for row in daily[1]["gold.fact_refund"]) == 8 * 5_800 + 3 * 18_800 + 2 * 900


@pytest.mark.e2e
def test_a_persons_net_revenue_follows(daily: tuple[Path, Found]) -> None:
    net = sorted(row["net_revenue_fen"] for row in daily[1]["features.customer_features"])
    # The buyer of the two orders with one number paid both; the others have what their refund left.
    assert net == [*[0] * 5, *[10_000] * 7, 31_600]


@pytest.mark.e2e
def test_the_served_orders_and_timelines_say_the_same(daily: tuple[Path, Found]) -> None:
    home, _ = daily
    manifest = current(home)
    assert manifest is not None
    with sqlite3.connect(home / "snapshots" / manifest.snapshot_id / SNAPSHOT_FILE) as rows:
        back = dict(rows.execute("SELECT order_id, sum(refunded_fen) FROM orders WHERE platform = 'douyin' GROUP BY 1"))
        told = [ref for (ref,) in rows.execute("SELECT ref FROM timeline WHERE kind = 'refund' ORDER BY ref")]
    assert back == {number(way): 0 if way == TWICE else 5_800 for way in (*WAYS, EARLY)}
    ours = [f"douyin:{SHOP['shop_id']}:7{way}" for way in (*WAYS, EARLY) if way != TWICE]
    theirs = [f"tmall:{NICK}:9{way}" for way in (FIRST, LAST, ALONE)]
    assert told == sorted([*ours, *theirs, "pos:a:1", "pos:b:1"])


@pytest.mark.e2e
def test_one_run_over_all_days_gives_the_same_rows(daily: tuple[Path, Found], tmp_path: Path) -> None:
    home, found = daily
    shutil.copytree(home / "keys", tmp_path / "keys")
    assert play(tmp_path, RunRequest(DAY1, DAY3)) == found


@pytest.mark.e2e
def test_a_rebuild_changes_no_row(daily: tuple[Path, Found]) -> None:
    home, found = daily
    assert play(home, RunRequest(DAY3, DAY3, full=True)) == found


@pytest.mark.spark
def test_every_engine_takes_the_same_shop(rows: Rows, embedded_rows: Rows) -> None:
    known = [
        {"platform": "douyin", "shop_id": shop, "order_id": order_id}
        for shop, order_id in (("a", "one"), ("a", "two"), ("b", "two"), ("", "nameless"))
    ]
    told = [
        {"platform": "douyin", "refund_scope": "", "refund_id": f"{shop}-{order_id}", "shop_id": shop, "order_id": of}
        for shop in (None, "b")
        for order_id, of in (("1", "one"), ("2", "two"), ("3", "none"), ("4", None), ("5", "nameless"))
    ]
    taken = {"None-1": "a", "None-2": None, "None-3": None, "None-4": None, "None-5": ""}
    expected = taken | {f"b-{place}": "b" for place in range(1, 6)}
    for make, on in ((rows, False), (embedded_rows, True)):
        with connected(on=on):
            frame = with_shop(make("silver.refunds", *told), make("silver.orders", *known))
            assert {row["refund_id"]: row["shop_id"] for row in frame.collect()} == expected
            assert frame.columns == list(ALL["silver.refunds"].column_names)
    with connected(), duckdb.connect(":memory:") as connection:
        for name, given in (("silver.refunds", told), ("silver.orders", known)):
            connection.register(name.replace(".", "_"), embedded_rows(name, *given).toArrow())
        assert dict(connection.execute(f"SELECT refund_id, shop_id FROM {REFUNDS_SQL}").fetchall()) == expected
