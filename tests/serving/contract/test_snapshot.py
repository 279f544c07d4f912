from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from identity.identifier import key64
from serving.contract import TABLES
from serving.contract.inputs import SnapshotInputs
from serving.contract.snapshot import build_snapshot, update_snapshot
from serving.errors import InputRefusedError, InputsDisagreeError, StorageFullError, UpdateRefusedError
from tests.serving.contract.content import content
from tests.serving.sample import (
    ANNA,
    BOB,
    CROWD,
    DAY,
    PHONE,
    RETIRED,
    VISITOR,
    access_rows,
    alias_rows,
    consent_rows,
    feature_rows,
    identifier,
    map_rows,
    order_rows,
    phone_row,
    registry_rows,
    sample_inputs,
    table,
    tag_rows,
    timeline_rows,
    token,
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


def about(rows: World, touched: set[str], before: World) -> World:
    """What a publish job hands to an update: every row of the touched, and what nobody owns."""
    keys = {row["identifier_key"] for row in [*rows["oneid_map"], *before["oneid_map"]] if row["one_id"] in touched}
    own = {name: [row for row in found if row.get("one_id") in touched] for name, found in rows.items()}
    own["oneid_map"] = [row for row in rows["oneid_map"] if row["one_id"] in touched or row["one_id"] is None]
    own["orders"] = [row for row in rows["orders"] if row["one_id"] in touched or row["one_id"] is None]
    own["aliases"] = [row for row in rows["aliases"] if row["target_key"] in keys]
    return own


def updated(tmp_path: Path, rows: World, touched: set[str]) -> dict[str, Any]:
    """The content after an update of the sample to `rows`."""
    build_snapshot(tmp_path / "before.sqlite", inputs_of(world(), "s1"))
    part = inputs_of(about(rows, touched, world()))
    update_snapshot(tmp_path / "before.sqlite", tmp_path / "updated.sqlite", part, touched)
    return content(tmp_path / "updated.sqlite")


def built(tmp_path: Path, rows: World) -> dict[str, Any]:
    build_snapshot(tmp_path / "full.sqlite", inputs_of(rows))
    return content(tmp_path / "full.sqlite")


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


def merge(rows: World) -> set[str]:
    """Bob becomes part of Anna."""
    for row in rows["oneids"]:
        if row["one_id"] == BOB:
            row.update(status="merged", merged_into=ANNA)
    for name in ("oneid_map", "timeline", "orders"):
        rows[name] = [{**row, "one_id": ANNA} if row["one_id"] == BOB else row for row in rows[name]]
    for name in ("features", "tags", "access"):
        rows[name] = [row for row in rows[name] if row["one_id"] != BOB]
    return {ANNA, BOB}


def merge_of_the_living_end(rows: World) -> set[str]:
    """Anna, to whom an older OneID leads, becomes part of Bob: the older one leads on."""
    for row in rows["oneids"]:
        if row["one_id"] == ANNA:
            row.update(status="merged", merged_into=BOB)
        if row["merged_into"] == ANNA:
            row["merged_into"] = BOB
    for name in ("oneid_map", "timeline", "orders"):
        rows[name] = [{**row, "one_id": BOB} if row["one_id"] == ANNA else row for row in rows[name]]
    for name in ("features", "tags", "access", "consents"):
        rows[name] = [row for row in rows[name] if row["one_id"] != ANNA]
    return {ANNA, BOB}


def split(rows: World) -> set[str]:
    """The retired OneID wins its identifiers back from Anna, and the re-issued number belongs to nobody."""
    for row in rows["oneids"]:
        if row["one_id"] == RETIRED:
            row.update(status="active", merged_into=None)
    for row in rows["oneid_map"]:
        if row["value"] == "oU-Anna":
            row["one_id"] = RETIRED
        if row["one_id"] == ANNA and row["namespace"] == "phone" and row["value"] != token(PHONE):
            row.update(one_id=None, status="contested", candidates=[ANNA, BOB])
    rows["features"].append({**rows["features"][0], "one_id": RETIRED, "relation_layer": "private", "net_fen": 1})
    rows["tags"].append({**rows["tags"][0], "one_id": RETIRED})
    return {ANNA, RETIRED}


def newcomer(rows: World) -> set[str]:
    """Somebody new comes with a phone of their own, a new tag value and an order that had no owner."""
    rows["oneids"].append({"one_id": "one-new", "status": "active", "minted_at": "2025-03-02", "merged_into": None})
    rows["oneid_map"].append(phone_row("13312345678", "one-new"))
    rows["features"].append({**rows["features"][0], "one_id": "one-new", "relation_layer": "public"})
    rows["tags"].append({**rows["tags"][0], "one_id": "one-new", "value": "new value"})
    rows["orders"][-1]["one_id"] = "one-new"
    return {"one-new"}


def gone(rows: World) -> set[str]:
    """Bob is erased: nothing of him is left anywhere."""
    for row in rows["oneids"]:
        if row["one_id"] == BOB:
            row.update(status="retired", merged_into=None)
    for name in ("oneid_map", "features", "tags", "timeline", "orders", "access"):
        rows[name] = [row for row in rows[name] if row["one_id"] != BOB]
    return {BOB}


def nothing(_: World) -> set[str]:
    """A run that changed nobody."""
    return set()


CHANGES: list[Callable[[World], set[str]]] = [merge, merge_of_the_living_end, split, newcomer, gone, nothing]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_an_update_says_the_same_as_a_full_build(tmp_path: Path, change: Callable[[World], set[str]]) -> None:
    rows = world()
    touched = change(rows)
    assert updated(tmp_path, rows, touched) == built(tmp_path, rows)


def test_an_update_of_everybody_says_the_same_as_a_full_build(tmp_path: Path) -> None:
    rows = world()
    assert updated(tmp_path, rows, {ANNA, BOB, VISITOR, RETIRED, *CROWD}) == built(tmp_path, rows)


def test_updates_in_a_row_say_the_same_as_one_full_build(tmp_path: Path) -> None:
    rows = world()
    build_snapshot(tmp_path / "0.sqlite", inputs_of(rows, "s1"))
    for number, change in enumerate((newcomer, merge, split)):
        before = {name: [dict(row) for row in found] for name, found in rows.items()}
        touched = change(rows)
        part = inputs_of(about(rows, touched, before))
        update_snapshot(tmp_path / f"{number}.sqlite", tmp_path / f"{number + 1}.sqlite", part, touched)
    assert content(tmp_path / "3.sqlite") == built(tmp_path, rows)


def test_a_person_that_was_not_named_as_touched_keeps_the_old_rows(tmp_path: Path) -> None:
    rows = world()
    rows["tags"] = [{**row, "value": "changed"} if row["one_id"] == ANNA else row for row in rows["tags"]]
    assert updated(tmp_path, rows, set()) != built(tmp_path, rows)


def test_an_update_leaves_no_trace_of_erased_people_in_the_file(tmp_path: Path) -> None:
    rows = world()
    assert updated(tmp_path, rows, gone(rows))["profiles"]
    assert b"oBob" in (tmp_path / "before.sqlite").read_bytes()
    assert b"oBob" not in (tmp_path / "updated.sqlite").read_bytes()


def test_an_update_leaves_the_previous_snapshot_as_it_was(tmp_path: Path) -> None:
    build_snapshot(tmp_path / "before.sqlite", sample_inputs())
    before = (tmp_path / "before.sqlite").read_bytes()
    update_snapshot(tmp_path / "before.sqlite", tmp_path / "after.sqlite", sample_inputs("s2"), [ANNA])
    assert (tmp_path / "before.sqlite").read_bytes() == before


def test_a_new_feature_asks_for_a_full_build(tmp_path: Path) -> None:
    rows = world()
    rows["features"] = [{**row, "new_feature": 1} for row in rows["features"]]
    with pytest.raises(UpdateRefusedError, match="features new_feature are new"):
        updated(tmp_path, rows, {ANNA})


def test_a_snapshot_of_another_schema_asks_for_a_full_build(tmp_path: Path) -> None:
    build_snapshot(tmp_path / "before.sqlite", sample_inputs())
    connection = sqlite3.connect(tmp_path / "before.sqlite")
    connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()
    with pytest.raises(UpdateRefusedError, match="schema version 0"):
        update_snapshot(tmp_path / "before.sqlite", tmp_path / "after.sqlite", sample_inputs(), [])


def test_a_damaged_snapshot_asks_for_a_full_build(tmp_path: Path) -> None:
    (tmp_path / "before.sqlite").write_bytes(b"not a snapshot" * 100)
    with pytest.raises(UpdateRefusedError, match="not a snapshot file"):
        update_snapshot(tmp_path / "before.sqlite", tmp_path / "after.sqlite", sample_inputs(), [])
    assert not (tmp_path / "after.sqlite").exists()


OWNERS = st.sampled_from([ANNA, BOB, CROWD[0], None])


@hypothesis_settings(max_examples=15)
@given(owners=st.lists(OWNERS, min_size=6, max_size=6), later=st.lists(OWNERS, min_size=6, max_size=6))
def test_any_moves_of_identifiers_and_orders_update_like_a_full_build(
    tmp_path_factory: pytest.TempPathFactory, owners: list[str | None], later: list[str | None]
) -> None:
    def moved(to: list[str | None]) -> World:
        rows = world()
        rows["oneid_map"] = [
            phone_row(f"1331234567{place}", owner, status="active" if owner else "hub")
            for place, owner in enumerate(to)
        ]
        rows["orders"] = [
            {**order_rows()[0], "order_id": f"n{place}", "one_id": owner} for place, owner in enumerate(to)
        ]
        target = [key64("phone", "", token(f"1331234567{place}")) for place in range(6)]
        rows["aliases"] = [{"key": place, "target_key": key} for place, key in enumerate(target) if to[place]]
        return rows

    folder = tmp_path_factory.mktemp("moves")
    before, after = moved(owners), moved(later)
    touched = {owner for owner in [*owners, *later] if owner is not None}
    build_snapshot(folder / "before.sqlite", inputs_of(before, "s1"))
    part = inputs_of(about(after, touched, before))
    update_snapshot(folder / "before.sqlite", folder / "updated.sqlite", part, touched)
    assert content(folder / "updated.sqlite") == built(folder, after)
