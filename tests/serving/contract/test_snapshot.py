"""A snapshot file holds what it was given, refuses what contradicts itself, and never half of anything."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serving.contract import TABLES
from serving.contract.snapshot import build_snapshot
from serving.errors import InputRefusedError, InputsDisagreeError, StorageFullError
from tests.serving.contract.content import content
from tests.serving.contract.worlds import Rows, built, inputs_of, world
from tests.serving.sample import (
    ANNA,
    BOB,
    DAY,
    PHONE,
    RETIRED,
    access_rows,
    consent_rows,
    feature_rows,
    identifier,
    map_rows,
    order_rows,
    registry_rows,
    sample_inputs,
    table,
    tag_rows,
    timeline_rows,
    token,
)


def test_a_snapshot_holds_every_row_of_its_inputs(tmp_path: Path) -> None:
    counts = build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    assert counts == {
        "profiles": 15,
        "redirects": 2,
        "identifiers": len(map_rows()),
        "masks": 5,
        "aliases": 4,
        "tags": len(tag_rows()),
        "timeline": 10,
        "orders": 5,
        "consents": 1,
        "bitmaps": 11,
        "feature_columns": 3,
    }


def test_inputs_may_come_as_many_batches(tmp_path: Path) -> None:
    whole = sample_inputs()
    names = ("oneids", "oneid_map", "features", "tags", "timeline", "orders")
    parts: dict[str, Any] = {name: getattr(whole, name).to_batches(max_chunksize=2) for name in names}
    build_snapshot(tmp_path / "parts.sqlite", replace(whole, **parts))
    build_snapshot(tmp_path / "whole.sqlite", whole)
    assert content(tmp_path / "parts.sqlite") == content(tmp_path / "whole.sqlite")


def test_the_order_of_rows_does_not_change_the_content(tmp_path: Path) -> None:
    backwards = {name: rows[::-1] for name, rows in world().items()}
    assert built(tmp_path, backwards) == built(tmp_path, world())


def test_timestamps_and_dates_of_the_lake_read_like_numbers_and_texts(tmp_path: Path) -> None:
    lake = pa.timestamp("us", tz="UTC")
    whole = sample_inputs()
    moved = whole.oneid_map
    for name in ("valid_from", "valid_to", "first_seen", "last_seen"):
        place = moved.schema.get_field_index(name)  # type: ignore[union-attr]  # a table in the sample
        column = moved.column(name).cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC")).cast(lake)  # type: ignore[union-attr]
        moved = moved.set_column(place, name, column)  # type: ignore[union-attr]
    place = whole.oneids.schema.get_field_index("minted_at")  # type: ignore[union-attr]
    days = whole.oneids.column("minted_at").cast(pa.date32())  # type: ignore[union-attr]
    oneids = whole.oneids.set_column(place, "minted_at", days)  # type: ignore[union-attr]
    build_snapshot(tmp_path / "lake.sqlite", replace(whole, oneid_map=moved, oneids=oneids))
    build_snapshot(tmp_path / "plain.sqlite", whole)
    assert content(tmp_path / "lake.sqlite") == content(tmp_path / "plain.sqlite")


def test_a_chain_of_redirects_is_shortened_to_one_hop(tmp_path: Path) -> None:
    older = {"one_id": "one-older", "status": "merged", "minted_at": "2025-01-01", "merged_into": RETIRED}
    build_snapshot(
        tmp_path / "s.sqlite", sample_inputs(oneids=table([*registry_rows(), older], merged_into=pa.string()))
    )
    assert ("one-older", ANNA) in content(tmp_path / "s.sqlite")["redirects"]


def test_no_token_stands_in_the_row_of_its_mask(tmp_path: Path) -> None:
    build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    connection = sqlite3.connect(tmp_path / "s.sqlite")
    masked = [
        row for row in connection.execute("SELECT * FROM identifiers") if any("****" in str(cell) for cell in row)
    ]
    assert masked == []
    assert connection.execute("SELECT * FROM masks ORDER BY 1").fetchone() == (1, "139****5670")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("tags", [*tag_rows(), {**tag_rows()[0], "one_id": RETIRED}]),
        ("features", [*feature_rows(), {**feature_rows()[0], "one_id": "one-stranger"}]),
        ("timeline", [{**timeline_rows()[0], "one_id": "one-stranger"}]),
        ("orders", [{**order_rows()[0], "one_id": "one-stranger"}]),
        ("consents", [{**consent_rows()[0], "one_id": "one-stranger"}]),
        ("access", [{**access_rows()[0], "one_id": "one-stranger"}]),
        ("oneid_map", [identifier("member_id", "brandA", "K9", RETIRED)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_inputs_of_two_runs_are_refused(tmp_path: Path, name: str, rows: Rows) -> None:
    with pytest.raises(InputsDisagreeError, match=f"snapshot input {name} names 1 OneIDs"):
        build_snapshot(tmp_path / "s.sqlite", inputs_of({**world(), name: rows}))
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_period_may_name_a_retired_oneid(tmp_path: Path) -> None:
    earlier = identifier("member_id", "brandA", "K1", RETIRED, valid_from=DAY - 9, valid_to=DAY)
    rows = built(tmp_path, {**world(), "oneid_map": [*map_rows(), earlier]})["identifiers"]
    assert [row[6] for row in rows if row[6]] == [RETIRED]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("tags", [*tag_rows(), tag_rows()[0]]),
        ("consents", [*consent_rows(), *consent_rows()]),
        ("oneids", [*registry_rows()[:3], registry_rows()[0]]),
    ],
    ids=["tags", "consents", "oneids"],
)
def test_two_rows_of_one_key_are_refused(tmp_path: Path, name: str, rows: Rows) -> None:
    with pytest.raises(InputRefusedError):
        build_snapshot(
            tmp_path / "s.sqlite",
            inputs_of(
                {
                    **world(),
                    "tags": [],
                    "features": [],
                    "timeline": [],
                    "orders": [],
                    "consents": [],
                    "access": [],
                    "oneid_map": [],
                    name: rows,
                }
            ),
        )


def test_a_policy_no_reader_could_load_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="identity_policy"):
        build_snapshot(tmp_path / "s.sqlite", sample_inputs(identity_policy={"no_such_key": 1}))


def test_a_login_that_was_a_phone_number_is_personal(tmp_path: Path) -> None:
    rows = [identifier("login_id", "brandA", token(PHONE), ANNA), identifier("wx_openid", "wxapp1", token(PHONE), ANNA)]
    found = built(tmp_path, {**world(), "oneid_map": rows})["identifiers"]
    assert {row[1]: row[4] for row in found} == {"login_id": 1, "wx_openid": 0}


def test_the_input_may_say_what_is_personal(tmp_path: Path) -> None:
    rows = [{**identifier("wx_openid", "wxapp1", "o1", ANNA), "personal": True}]
    assert built(tmp_path, {**world(), "oneid_map": rows})["identifiers"][0][4] == 1


def test_features_may_come_without_a_layer_and_with_decimals(tmp_path: Path) -> None:
    features = pa.table({"one_id": [ANNA], "ratio": pa.array([Decimal("0.25")], pa.decimal128(9, 2)), "note": ["n"]})
    build_snapshot(tmp_path / "s.sqlite", sample_inputs(features=features, feature_groups={"note": "words"}))
    rows = {row[0]: row[2:] for row in content(tmp_path / "s.sqlite")["profiles"]}
    assert rows[ANNA] == (None, "2025-03-01", '{"other":{"ratio":0.25},"words":{"note":"n"}}')
    assert rows[BOB] == (None, "2025-03-01", "{}")


def test_facts_without_a_person_are_refused_where_each_needs_one(tmp_path: Path) -> None:
    tags = table([{**tag_rows()[0], "one_id": None}, tag_rows()[1]])
    with pytest.raises(InputRefusedError, match="snapshot input tags: one_id is null in some rows"):
        build_snapshot(tmp_path / "s.sqlite", sample_inputs(tags=tags))


def test_a_failed_build_leaves_the_file_of_before(tmp_path: Path) -> None:
    build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    before = (tmp_path / "s.sqlite").read_bytes()
    with pytest.raises(InputsDisagreeError):
        build_snapshot(
            tmp_path / "s.sqlite", inputs_of({**world(), "tags": [{**tag_rows()[0], "one_id": "one-stranger"}]})
        )
    assert (tmp_path / "s.sqlite").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s.sqlite"]


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("serving.contract.snapshot.read_registry", full)
    with pytest.raises(StorageFullError, match="no room left"):
        build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_of_a_killed_build_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite.partial").write_bytes(b"half a file")
    build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    assert [path.name for path in tmp_path.iterdir()] == ["s.sqlite"]


def test_every_table_of_the_contract_is_there(tmp_path: Path) -> None:
    build_snapshot(tmp_path / "s.sqlite", sample_inputs())
    connection = sqlite3.connect(tmp_path / "s.sqlite")
    for wanted in TABLES:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({wanted.name})")]
        assert columns == [column.name for column in wanted.columns]
