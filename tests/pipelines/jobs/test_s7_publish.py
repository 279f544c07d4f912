"""Publishing: what the tables of the pinned versions say, the API answers, without a JVM on the way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from identity import Policy
from identity.identifier import key64
from identity.token import phone_forms, pii_token
from pipelines.jobs.s7_publish import publish_snapshot
from pipelines.keys import Keys, create_keys, load_keys, seal
from pipelines.publish import rollback
from pipelines.settings import load_settings
from pipelines.tables import ALL
from serving.contract import snapshot_path
from serving.lookup import Finder
from serving.store import Snapshot

PHONE = "13912345670"
MOMENT = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
DAY = dt.date(2025, 3, 1)
ARROW = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}
FORM = pa.list_(pa.struct([(name, pa.string()) for name in ("namespace", "scope", "value")]))


def write(home: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """The rows as a Delta table of the lake; columns that are not given are null."""
    declared = ALL[name].columns
    schema = pa.schema([(column.name, ARROW.get(column.type, FORM)) for column in declared])
    empty = dict.fromkeys(schema.names)
    table = pa.Table.from_pylist([{**empty, **row} for row in rows], schema=schema)
    write_deltalake(str(home / "lake" / ALL[name].layer / ALL[name].name), table, mode="overwrite")


def write_brand(home: Path, keys: Keys) -> None:
    """One person with a phone, an openid, an order with a refund, and one redirect."""
    token = pii_token(keys.identity, "phone", PHONE)
    forms = phone_forms(keys.identity, PHONE, {})
    spelled = [{"namespace": form, "scope": "", "value": value} for form, values in forms.items() for value in values]
    openid = key64("wx_openid", "app", "o1")
    held = {"one_id": "A", "status": "active", "valid_from": MOMENT}
    write(
        home,
        "identity.oneids",
        [
            {"one_id": "A", "status": "active", "minted_at": DAY},
            {"one_id": "B", "status": "merged", "minted_at": DAY, "merged_into": "A"},
        ],
    )
    write(
        home,
        "identity.oneid_map",
        [
            {"identifier_key": key64("phone", "", token), "namespace": "phone", "scope": "", "value": token, **held},
            {"identifier_key": openid, "namespace": "wx_openid", "scope": "app", "value": "o1", **held},
        ],
    )
    vault = {"token": token, "kind": "phone", "cipher": seal(keys.vault, token, PHONE), "forms": spelled}
    write(home, "silver.pii_vault", [vault])
    order = {"platform": "douyin", "shop_id": "s", "order_id": "6900000000000000001"}
    paid = {"status": "paid", "is_paid": True, "is_internal": False, "paid_fen": 990, "paid_at": MOMENT}
    write(home, "silver.orders", [{**order, **paid, "subject_key": openid}])
    refund = {"refund_id": "r1", "status": "success", "amount_fen": 90, "success_at": MOMENT}
    write(home, "silver.refunds", [{**order, **refund}])
    write(home, "features.customer_features", [{"one_id": "A", "relation_layer": "friend", "paid_orders": 1}])
    write(
        home,
        "features.customer_tags",
        [{"one_id": "A", "tag": "layer", "value": "friend", "as_of": DAY, "reason": "r"}],
    )


@pytest.fixture
def context(tmp_path: Path) -> Any:
    create_keys(tmp_path / "keys")
    settings = load_settings(environ={"CDP_HOME": str(tmp_path)}).settings
    policy = Policy.load(settings.conf / settings.identity.policy_file)
    keys = load_keys(tmp_path / "keys")
    write_brand(tmp_path, keys)
    return SimpleNamespace(
        settings=settings, keys=keys, policy=policy, run_id="r1", as_of="2025-03-01", say=lambda _: None
    )


@pytest.fixture
def snapshot(context: Any) -> Snapshot:
    return Snapshot(snapshot_path(context.settings.home, publish_snapshot(context)))


@pytest.mark.parametrize("text", [PHONE, "wx_openid:app:o1", "6900000000000000001"])
def test_every_identifier_of_the_map_is_found(context: Any, snapshot: Snapshot, text: str) -> None:
    assert Finder(snapshot, context.keys.identity).find_text(text).one_id == "A"


def test_a_phone_is_shown_as_its_mask(context: Any, snapshot: Snapshot) -> None:
    assert Finder(snapshot, context.keys.identity).find_text(PHONE).display == "139****5670"


def test_no_clear_phone_is_published(context: Any, snapshot: Snapshot) -> None:
    assert PHONE.encode() not in snapshot.path.read_bytes()


def test_a_retired_oneid_leads_to_the_living_one(snapshot: Snapshot) -> None:
    assert snapshot.living("B") == "A"


def test_features_come_by_theme_without_the_digest_of_their_declarations(snapshot: Snapshot) -> None:
    profile = snapshot.profile("A")
    assert profile is not None
    assert (profile.layer, profile.features) == ("friend", '{"orders":{"paid_orders":1}}')


def test_order_sums_have_successful_refunds_off(snapshot: Snapshot) -> None:
    (sums,) = snapshot.order_sums(0)
    assert (sums.platform, sums.orders, sums.paid_fen, sums.refunded_fen) == ("douyin", 1, 990, 90)


def test_the_timeline_holds_order_and_refund(snapshot: Snapshot) -> None:
    entries = snapshot.timeline(0, after=None, kinds=(), limit=9)
    assert [(entry.kind, entry.amount_fen) for entry in entries] == [("order", 990), ("refund", 90)]


def test_publishing_again_what_was_published_makes_no_second_snapshot(context: Any) -> None:
    assert publish_snapshot(context) == publish_snapshot(context)


def test_a_rollback_brings_the_snapshot_before_back(context: Any) -> None:
    first = publish_snapshot(context)
    write(context.settings.home, "features.customer_features", [{"one_id": "A", "relation_layer": "public"}])
    context.run_id = "r2"
    assert publish_snapshot(context) != first
    assert rollback(context.settings.home) == first
