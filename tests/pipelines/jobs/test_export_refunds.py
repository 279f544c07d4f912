"""A refund that a back-office export and Tmall itself tell of is taken off once, whichever of them comes first.

Played with the real jobs over three days: the trades of each way lie side by side in one lake.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.evaluate import REFUNDED
from pipelines.keys import create_keys
from pipelines.publish import current
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import IngestSettings, QualitySettings, Settings
from pipelines.store.local import LocalLake
from pipelines.store.versions import rows_of
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE
from tests.pipelines.jobs.composed import DAY1, DAY2, DAY3, ROOT, Files, land, line, write_gold_only
from tests.pipelines.jobs.test_refund_shops import DAYS, NAMES, Found, frame, play, refund_page, trade
from tests.pipelines.sources.public_domain import NICK

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST, LAST, ALONE, AT_ONCE, CLOSED, TOLD, NAMELESS = range(3_000_000_000_000_001, 3_000_000_000_000_008)
"""The export comes before the pulled refund, after it, alone, or on one day with it; the pulled one was closed; a
message without a shop tells of it; nobody knows the trade's buyer."""

SOLD = 18_800


def export(way: int, day: str, back: str = "188.00") -> str:
    """The line of a trade in the lines report: refunded in whole or in part."""
    row: dict[str, Any] = {"order_id": str(way), "line_id": str(way), "platform": "tmall", "amount": "188.00"}
    row |= {"status": "closed", "created_at": "2025-01-01 10:00:00", "paid_at": "2025-01-01 11:02:10", "quantity": "1"}
    row |= {"refund_state": "success", "refund_status": "success", "refund_amount": back}
    record = {"order_id": str(way), "rows": [row], "holds": ["lines"]}
    return line(record, shop_id=NICK, received_at=f"{day}T23:30:00+08:00")


def closed_page(way: int, day: str) -> str:
    return refund_page(way, day).replace("SUCCESS", "CLOSED")


def nameless(way: int) -> str:
    return trade(way).replace("buyer_open_uid", "left_out").replace("ouid", "left_out")


FILES: Files = {
    f"tmall_trades/{DAY1}/a.jsonl": [*(trade(way) for way in range(FIRST, NAMELESS)), nameless(NAMELESS)],
    f"orders_file/{DAY1}/a.jsonl": [export(way, DAY1) for way in (FIRST, ALONE, CLOSED, TOLD)],
    f"tmall_refunds/{DAY1}/a.jsonl": [refund_page(LAST, DAY1)],
    f"orders_file/{DAY2}/a.jsonl": [export(AT_ONCE, DAY2), export(NAMELESS, DAY2, "20.00")],
    f"tmall_refunds/{DAY2}/a.jsonl": [refund_page(AT_ONCE, DAY2), refund_page(FIRST, DAY2)],
    f"tmall_messages/{DAY2}/a.jsonl": [frame(TOLD, DAY2)],
    f"orders_file/{DAY3}/a.jsonl": [export(LAST, DAY3, "20.00")],
    f"tmall_refunds/{DAY3}/a.jsonl": [closed_page(CLOSED, DAY3), refund_page(NAMELESS, DAY3)],
}
BOTH = {FIRST, LAST, AT_ONCE, TOLD, NAMELESS}
"""Trades whose refund the export and the platform told of."""


def clustered(home: Path, spark: SparkSession, run: RunRequest) -> Found:
    """The tables after the run, all rows on the cluster."""
    ingest = IngestSettings(in_process_rows=0, in_process_bytes=0)  # type: ignore[call-arg]  # pydantic defaults
    settings = Settings(home=home, conf=ROOT / "conf", ingest=ingest, quality=QualitySettings(data_docs=False))  # type: ignore[call-arg]
    create_keys(settings.keys)
    land(home, FILES)
    run_pipeline(lambda: spark, settings, run, lambda text: None, publish=False)
    local = LocalLake(settings.lake)
    return {name: local.scan(ALL[name]).sort(ALL[name].key).collect().to_dicts() for name in NAMES}


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    """The lake after three runs of a day each."""
    home = tmp_path_factory.mktemp("daily")
    return home, play(home, *(RunRequest(day, day) for day in DAYS), files=FILES)


@pytest.mark.e2e
@pytest.mark.parametrize("table", ["silver.refunds", "gold.fact_refund"])
def test_the_exports_word_is_superseded_where_the_platforms_counts(daily: tuple[Path, Found], table: str) -> None:
    states = {row["refund_id"]: row["status"] for row in daily[1][table]}
    assert states == {
        **{f"{way}:{way}": "superseded" if way in BOTH else "success" for way in range(FIRST, NAMELESS + 1)},
        **{f"9{way}": "success" for way in BOTH},
        f"9{CLOSED}": "closed",
    }


@pytest.mark.e2e
def test_each_refund_is_taken_off_once(daily: tuple[Path, Found]) -> None:
    lines = {row["order_id"]: (row["refunded_fen"], row["net_fen"]) for row in daily[1]["gold.fact_order_line"]}
    assert lines == {str(way): (SOLD, 0) for way in range(FIRST, NAMELESS + 1)}
    assert sum(row["refunded_fen"] for row in daily[1]["gold.fact_refund"]) == 7 * SOLD


@pytest.mark.e2e
def test_people_the_api_and_the_books_say_the_same(daily: tuple[Path, Found]) -> None:
    home, found = daily
    people = found["features.customer_features"]
    assert sorted((row["paid_fen"], row["net_revenue_fen"]) for row in people) == [(0, 0), *[(SOLD, 0)] * 6]
    assert sum(row["fen"] for row in rows_of(home / "lake", "silver.refunds", REFUNDED)) == 7 * SOLD
    manifest = current(home)
    assert manifest is not None
    with sqlite3.connect(home / "snapshots" / manifest.snapshot_id / SNAPSHOT_FILE) as rows:
        back = dict(rows.execute("SELECT order_id, refunded_fen FROM orders"))
        told = [ref for (ref,) in rows.execute("SELECT ref FROM timeline WHERE kind = 'refund' ORDER BY ref")]
    assert back == {str(way): SOLD for way in range(FIRST, NAMELESS + 1)}
    exported = [f"tmall:{NICK}:{way}:{way}" for way in (ALONE, CLOSED)]
    assert told == sorted([*exported, *(f"tmall:{NICK}:9{way}" for way in (BOTH | {CLOSED}) - {NAMELESS})])


@pytest.mark.e2e
def test_one_run_over_all_days_gives_the_same_rows(daily: tuple[Path, Found], tmp_path: Path) -> None:
    home, found = daily
    shutil.copytree(home / "keys", tmp_path / "keys")
    assert play(tmp_path, RunRequest(DAY1, DAY3), files=FILES) == found


@pytest.mark.e2e
def test_a_rebuild_changes_no_row(daily: tuple[Path, Found]) -> None:
    home, found = daily
    assert play(home, RunRequest(DAY3, DAY3, full=True), files=FILES) == found


@pytest.mark.e2e
@pytest.mark.spark
def test_the_cluster_writes_the_same_rows(
    daily: tuple[Path, Found], tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by the jobs that write what is compared: each further one costs a cluster seconds."""
    home, found = daily
    shutil.copytree(home / "keys", tmp_path / "keys")
    write_gold_only(monkeypatch, *(name for name in NAMES if name.startswith("gold.")))
    jobs = ("s1_bronze", "s2_silver", "s3_identity", "s4_features", "s6_gold")
    assert clustered(tmp_path, spark, RunRequest(DAY1, DAY3, only=jobs)) == found
