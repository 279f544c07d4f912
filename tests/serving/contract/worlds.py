"""The rows of the sample brand as a publish job has them, to be changed before a snapshot is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from serving.contract.inputs import SnapshotInputs
from serving.contract.snapshot import build_snapshot
from tests.serving.contract.content import content
from tests.serving.sample import (
    access_rows,
    alias_rows,
    consent_rows,
    feature_rows,
    map_rows,
    order_rows,
    registry_rows,
    sample_inputs,
    table,
    tag_rows,
    timeline_rows,
)

Rows = list[dict[str, Any]]
World = dict[str, Rows]
TYPES = {
    "oneids": {"merged_into": pa.string(), "minted_at": pa.string()},
    "oneid_map": {
        "one_id": pa.string(),
        "valid_to": pa.int64(),
        "candidates": pa.list_(pa.string()),
        "display": pa.string(),
    },
    "timeline": {"one_id": pa.string(), "amount_fen": pa.int64()},
    "orders": {"one_id": pa.string()},
}


def world() -> World:
    return {
        "oneids": registry_rows(),
        "oneid_map": map_rows(),
        "features": feature_rows(),
        "tags": tag_rows(),
        "timeline": timeline_rows(),
        "orders": order_rows(),
        "consents": consent_rows(),
        "aliases": list(alias_rows()),
        "access": access_rows(),
    }


def inputs_of(rows: World, snapshot_id: str = "s2") -> SnapshotInputs:
    tables = {name: table(found, **TYPES.get(name, {})) if found else () for name, found in rows.items()}
    return sample_inputs(snapshot_id, **tables)


def built(tmp_path: Path, rows: World) -> dict[str, Any]:
    """The content of a snapshot built anew."""
    build_snapshot(tmp_path / "full.sqlite", inputs_of(rows))
    return content(tmp_path / "full.sqlite")
