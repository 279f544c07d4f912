"""Two brands that number their own records alike: ledger rows, consents and claims of orders, in one lake.

Every number is used by both. The subjects differ, but for the consent `n3`, which both hold in the very same words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.embedded import connected
from pipelines.keys import create_keys
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import QualitySettings, Settings
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, DAY2, ROOT, Files, land, line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BRANDS = {"brandA": "wx00000000000000aa", "brandB": "wx00000000000000bb"}
POINTS = {"brandA": 100, "brandB": 250}
PHONES = {"brandA": "13912345678", "brandB": "13812345679"}
AT = f"{DAY1}T10:00:00+08:00"
KEPT = ("silver.points_ledger", "silver.consents", "silver.order_claims", "gold.fact_points", "identity.claims")

Found = dict[str, list[dict[str, Any]]]


def ledger(brand: str, day: str, number: str, subject: dict[str, str], points: int) -> str:
    row = {"record_id": number, "subject": subject, "points": points, "reason": "gift", "at": AT, "expires_at": None}
    return line(row, brand=brand, received_at=f"{day}T23:00:00+08:00")


def consent(brand: str, day: str, number: str, subject: dict[str, str], status: str) -> str:
    stated = {"consent_id": number, "subject": subject, "purpose": "marketing", "status": status, "at": AT}
    return line({**stated, "source": "crm"}, brand=brand, received_at=f"{day}T23:00:00+08:00")


def claim(brand: str, day: str) -> str:
    app = BRANDS[brand]
    made = {"claim_id": "c1", "platform": "douyin", "platform_order_id": "6900000000000000001", "openid": f"o{brand}"}
    context = {"app_id": app, "brand": brand, "received_at": f"{day}T23:00:00+08:00"}
    return line({**made, "claimed_at_ms": 1735700731000, "status": "pending"}, **context)


def change(day: str, number: str) -> str:
    """Tmall's message of a movement, whose number is unique there; whichever brand's queue brings it."""
    content = {"record_id": number, "point": 7, "type": 2, "ouid": f"ou{number}", "seller_name": "示例旗舰店"}
    told = {"topic": "tmall_mei_PointChange", "outtime": f"{DAY1} 10:00:00", "content": json.dumps(content)}
    return line(told, platform="tmall", method="tmc", received_at=f"{day}T23:00:00+08:00")


def of_brand(brand: str, day: str) -> Files:
    """What one brand lands."""
    member = {"namespace": "member_id", "scope": brand, "value": "K1"}
    phone = {"namespace": "phone", "scope": "", "value": PHONES[brand]}
    shared = {"namespace": "phone", "scope": "", "value": "13712345670"}
    status = "granted" if brand == "brandA" else "withdrawn"
    return {
        f"points_events/{day}/{brand}.jsonl": [
            ledger(brand, day, "L1", member, POINTS[brand]),
            ledger(brand, day, "L2", phone, POINTS[brand]),
            change(day, "L1"),
        ],
        f"consents/{day}/{brand}.jsonl": [
            consent(brand, day, "n1", member, status),
            consent(brand, day, "n2", phone, status),
            consent(brand, day, "n3", shared, "granted"),
        ],
        f"order_claims/{day}/{brand}.jsonl": [claim(brand, day)],
    }


def no_cluster() -> SparkSession:
    raise AssertionError("a few rows need no cluster")


def settings_of(home: Path, **more: Any) -> Settings:
    """Settings of the home; `more`: other parts of them."""
    return Settings(home=home, conf=ROOT / "conf", quality=QualitySettings(data_docs=False), **more)


def play(home: Path, files: Files, *runs: RunRequest, publish: bool = False) -> LocalLake:
    """The lake after the runs."""
    settings = settings_of(home)
    create_keys(settings.keys)
    land(home, files)
    with connected():
        for request in runs:
            last = publish and request is runs[-1]
            run_pipeline(no_cluster, settings, request, lambda text: None, publish=last)
    return LocalLake(settings.lake)


def kept(lake: LocalLake, tables: Sequence[str] = KEPT) -> Found:
    """What the lake knows, but for when it came."""
    arrival = {"interval", "version_key", "record_hash"}
    return {
        name: [
            {key: value for key, value in row.items() if key not in arrival}
            for row in lake.scan(ALL[name]).sort(ALL[name].key).collect().to_dicts()
        ]
        for name in tables
    }


def holders(lake: LocalLake) -> dict[tuple[str, str, str], str]:
    """Who holds each identifier."""
    rows = lake.scan(ALL["identity.oneid_map"]).collect().to_dicts()
    living = [row for row in rows if row["valid_to"] is None and row["one_id"]]
    return {(row["namespace"], row["scope"], row["value"]): row["one_id"] for row in living}


ORDERS = {"a first": ("brandA", "brandB"), "b first": ("brandB", "brandA")}


def daily(order: str) -> Files:
    """One brand a day, in an order of arrival."""
    first, second = ORDERS[order]
    return {**of_brand(first, DAY1), **of_brand(second, DAY2)}
