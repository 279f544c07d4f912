"""A small brand as snapshot inputs: composed people, identifiers and facts, and the home they are published in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from identity.business_time import day_end_ms, day_start_ms
from identity.identifier import key64
from identity.token import phone_forms, pii_token
from serving.contract import key_check, pointer_path, snapshot_path
from serving.contract.inputs import SnapshotInputs
from serving.contract.snapshot import build_snapshot

KEY = "5e" * 32
ANNA, BOB, VISITOR, RETIRED, GONE = "one-anna", "one-bob", "one-visitor", "one-retired", "one-gone"
CROWD = tuple(f"one-crowd-{number:02d}" for number in range(12))
PHONE, REISSUED, CONTESTED, HUB = "13912345670", "13712345671", "13612345672", "13512345673"
DAY = day_start_ms("2025-03-01")


def token(phone: str) -> str:
    return pii_token(KEY, "phone", phone)


def identifier(namespace: str, scope: str, value: str, one_id: str | None, **facts: Any) -> dict[str, Any]:
    """A row of identity.oneid_map."""
    return {
        "identifier_key": key64(namespace, scope, value),
        "namespace": namespace,
        "scope": scope,
        "value": value,
        "one_id": one_id,
        "status": "active",
        "valid_from": DAY,
        "valid_to": None,
        "first_seen": DAY,
        "last_seen": DAY,
        "candidates": None,
        "display": None,
        **facts,
    }


def phone_row(phone: str, one_id: str | None, **facts: Any) -> dict[str, Any]:
    return identifier("phone", "", token(phone), one_id, display=f"{phone[:3]}****{phone[-4:]}", **facts)


def table(rows: Sequence[Mapping[str, Any]], **types: pa.DataType) -> pa.Table:
    """Rows as an Arrow table; columns that may be all null need their type."""
    made = pa.Table.from_pylist([dict(row) for row in rows])
    for name, dtype in types.items():
        made = made.set_column(made.schema.get_field_index(name), name, made.column(name).cast(dtype))
    return made


def registry_rows() -> list[dict[str, Any]]:
    living = [(ANNA, "active"), (BOB, "active"), (VISITOR, "visitor"), *((one_id, "active") for one_id in CROWD)]
    rows = [
        {"one_id": one_id, "status": status, "minted_at": "2025-03-01", "merged_into": None}
        for one_id, status in living
    ]
    rows.append({"one_id": RETIRED, "status": "merged", "minted_at": "2025-02-01", "merged_into": ANNA})
    rows.append({"one_id": GONE, "status": "retired", "minted_at": "2025-02-01", "merged_into": None})
    return rows


def map_rows() -> list[dict[str, Any]]:
    handover = day_end_ms("2025-06-30") + 1
    return [
        phone_row(PHONE, ANNA),
        identifier("member_id", "brandA", "K1", ANNA),
        identifier("wx_unionid", "op1", "oU-Anna", ANNA),
        identifier("wecom_external_userid", "ww01", "wmAnna", ANNA),
        phone_row(REISSUED, BOB, valid_to=handover),
        phone_row(REISSUED, ANNA, valid_from=handover),
        identifier("wx_openid", "wxapp1", "oBob", BOB),
        identifier("login_id", "brandA", "same", BOB),
        identifier("login_id", "brandB", "same", ANNA),
        phone_row(CONTESTED, None, status="contested", candidates=[ANNA, BOB]),
        phone_row(HUB, None, status="hub"),
        identifier("mp_anonymous_id", "wxapp1", "anon-1", VISITOR),
        *(identifier("member_id", "brandA", f"C{place}", one_id) for place, one_id in enumerate(CROWD)),
    ]


def feature_rows() -> list[dict[str, Any]]:
    people = [(ANNA, "friend", 250_000), (BOB, "public", 9_900), *((one_id, "private", 100) for one_id in CROWD)]
    return [
        {
            "one_id": one_id,
            "relation_layer": layer,
            "net_fen": net,
            "last_paid_at": DAY + place,
            "is_member": place == 0,
        }
        for place, (one_id, layer, net) in enumerate(people)
    ]


def tag_rows() -> list[dict[str, Any]]:
    rows = [(ANNA, "spending", "high"), (ANNA, "region", "east"), (BOB, "spending", "low")]
    rows += [(one_id, "spending", "low") for one_id in CROWD]
    return [
        {"one_id": one_id, "tag": tag, "value": value, "as_of": "2025-03-01", "reason": f"{tag} is {value}"}
        for one_id, tag, value in rows
    ]


def timeline_rows() -> list[dict[str, Any]]:
    rows = [
        {
            "one_id": ANNA,
            "at_ms": DAY + place // 2,
            "kind": "event",
            "ref": f"e{place:02d}",
            "source": "sensors",
            "amount_fen": None,
        }
        for place in range(9)
    ]
    rows.append(
        {
            "one_id": ANNA,
            "at_ms": DAY + 2,
            "kind": "order",
            "ref": "6900000000000000001",
            "source": "douyin",
            "amount_fen": 9_900,
        }
    )
    rows.append(
        {"one_id": None, "at_ms": DAY, "kind": "event", "ref": "nobody", "source": "sensors", "amount_fen": None}
    )
    return [{**row, "detail": '{"page":"home"}'} for row in rows]


def order_rows() -> list[dict[str, Any]]:
    def order(number: str, one_id: str | None, **facts: Any) -> dict[str, Any]:
        row = {"platform": "douyin", "shop_id": "s1", "order_id": number, "one_id": one_id, "status": "finished"}
        return {
            **row,
            "is_paid": True,
            "is_internal": False,
            "paid_fen": 9_900,
            "refunded_fen": 0,
            "at_ms": DAY + 2,
            **facts,
        }

    return [
        order("6900000000000000001", ANNA),
        order("2000000000000000001", ANNA, platform="tmall", paid_fen=5_000, refunded_fen=2_000, at_ms=DAY + 9),
        order("6900000000000000002", ANNA, is_paid=False, paid_fen=0),
        order("6900000000000000003", ANNA, is_internal=True),
        order("6900000000000000004", None),
    ]


def consent_rows() -> list[dict[str, Any]]:
    return [
        {
            "one_id": ANNA,
            "purpose": "marketing",
            "status": "withdrawn",
            "stated_at": DAY,
            "source": "app",
            "conflict": True,
        }
    ]


def access_rows() -> list[dict[str, Any]]:
    rows = [(ANNA, "guide", "lihua"), (ANNA, "brand", "brandA"), (BOB, "brand", "brandB")]
    return [{"one_id": one_id, "dimension": dimension, "value": value} for one_id, dimension, value in rows]


def alias_rows() -> list[dict[str, int]]:
    target = key64("phone", "", token(PHONE))
    forms = phone_forms(KEY, PHONE, {})
    return [
        {"key": key64(form, "", value), "target_key": target}
        for form, values in sorted(forms.items())
        for value in values
    ]


def sample_inputs(snapshot_id: str = "s1", **changes: Any) -> SnapshotInputs:
    """The sample brand; `changes` replace whole inputs by rows."""
    nulls = {"one_id": pa.string()}
    inputs = SnapshotInputs(
        snapshot_id=snapshot_id,
        as_of="2025-03-01",
        built_at_ms=DAY,
        manifest={"tables": {"identity.oneids": {"version": 3}}},
        oneids=table(registry_rows(), merged_into=pa.string()),
        oneid_map=table(map_rows(), **nulls),
        features=table(feature_rows()),
        tags=table(tag_rows()),
        timeline=table(timeline_rows(), **nulls),
        orders=table(order_rows(), **nulls),
        consents=table(consent_rows()),
        aliases=table(alias_rows()),
        access=table(access_rows()),
        feature_groups={"net_fen": "orders", "last_paid_at": "orders"},
        key_check=key_check(KEY),
    )
    return replace(inputs, **changes)


def publish(home: Path, inputs: SnapshotInputs) -> Path:
    """The inputs as the published snapshot of a home, as a publish job leaves it."""
    path = snapshot_path(home, inputs.snapshot_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    build_snapshot(path, inputs)
    point(home, inputs.snapshot_id)
    return path


def point(home: Path, snapshot_id: str) -> None:
    partial = home / "CURRENT.partial"
    partial.write_text(f"{snapshot_id}\n", encoding="utf-8")
    partial.replace(pointer_path(home))
