"""A snapshot brought up to date says the same as one built anew, or asks for one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from identity.identifier import key64
from serving.contract.snapshot import build_snapshot, update_snapshot
from serving.errors import UpdateRefusedError
from tests.serving.contract.content import content
from tests.serving.contract.worlds import World, built, inputs_of, world
from tests.serving.sample import (
    ANNA,
    BOB,
    CROWD,
    PHONE,
    RETIRED,
    VISITOR,
    order_rows,
    phone_row,
    sample_inputs,
    token,
)


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


def absorb(rows: World, retired: str, *, into: str) -> set[str]:
    """One person becomes part of another, and with them whoever became part of them before."""
    for row in rows["oneids"]:
        if row["one_id"] == retired:
            row.update(status="merged", merged_into=into)
        if row["merged_into"] == retired:
            row["merged_into"] = into
    for name in ("oneid_map", "timeline", "orders"):
        rows[name] = [{**row, "one_id": into} if row["one_id"] == retired else row for row in rows[name]]
    for name in ("features", "tags", "access", "consents"):
        rows[name] = [row for row in rows[name] if row["one_id"] != retired]
    return {into, retired}


def merge(rows: World) -> set[str]:
    """Bob becomes part of Anna."""
    return absorb(rows, BOB, into=ANNA)


def merge_of_the_living_end(rows: World) -> set[str]:
    """Anna, to whom an older OneID leads, becomes part of Bob: the older one leads on."""
    return absorb(rows, ANNA, into=BOB)


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
