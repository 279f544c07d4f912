"""Writes to the lake happen once, change exactly what differs, and leave nothing personal in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise, permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import polars as pl
import pytest

from pipelines.spec import Check, Column, Table
from pipelines.store import layout
from pipelines.tables import ALL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from pipelines.store.lake import Lake

pytestmark = pytest.mark.spark


@pytest.fixture(params=["cluster", "process"])
def lake(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lake]:
    """An empty lake, written on the cluster and in this process: both must do the same."""
    from pipelines.embedded import connected, embedded_session
    from pipelines.store.lake import Lake

    process = request.param == "process"
    with connected(on=process):
        yield Lake(embedded_session() if process else spark, tmp_path / "lake", in_process=process)


def table(name: str = "things", **known: Any) -> Table:
    given: dict[str, Any] = {
        "layer": "silver",
        "name": name,
        "doc": "Things of a test.",
        "grain": "one thing",
        "key": ("thing",),
        "columns": (
            Column("thing", "string", "The thing", required=True),
            Column("day", "date", "Its day"),
            Column("amount", "bigint", "Its amount"),
            Column("holder", "string", "Who holds it", pii="pseudonym"),
        ),
        "checks": (Check("has_thing", "length(thing) > 0"),),
    }
    return Table(**(given | known))


THINGS = table()
VERSIONED = table(
    version="version_key",
    keep_min=("first",),
    fill=("said", "tags"),
    columns=(
        Column("thing", "string", "The thing", required=True),
        Column("status", "string", "Its status"),
        Column("first", "bigint", "Its least value"),
        Column("said", "string", "What only some versions say"),
        Column("tags", "array<string>", "What only some versions list"),
        Column("interval", "date", "When the version arrived"),
        Column("version_key", "string", "Version", required=True),
        Column("filled_from", "string", "Where filled columns come from"),
    ),
)


def frame(lake: Lake, of: Table, *rows: dict[str, Any]) -> DataFrame:
    return lake.spark.createDataFrame(list(rows), of.ddl().replace(" NOT NULL", ""))


def things(lake: Lake, *rows: tuple[str, int]) -> DataFrame:
    return frame(lake, THINGS, *({"thing": name, "amount": amount} for name, amount in rows))


def stored(lake: Lake, of: Table = THINGS) -> dict[str, dict[str, Any]]:
    return {row["thing"]: row.asDict() for row in lake.read(of).collect()}


def amounts(lake: Lake) -> dict[str, int]:
    return {name: row["amount"] for name, row in stored(lake).items()}


def log_of(lake: Lake, of: Table) -> list[dict[str, Any]]:
    folder = Path(lake.path(of)) / "_delta_log"
    return [json.loads(line) for path in sorted(folder.glob("*.json")) for line in path.read_text().splitlines()]


def test_a_table_that_does_not_exist_reads_as_empty_with_its_columns(lake: Lake) -> None:
    assert lake.read(THINGS).columns == list(THINGS.column_names)
    assert (lake.read(THINGS).count(), lake.version(THINGS), lake.exists(THINGS)) == (0, -1, False)


def test_an_append_under_one_id_happens_once(lake: Lake) -> None:
    parts = [pl.DataFrame({"thing": ["a"], "amount": [1]}), pl.DataFrame({"thing": ["b"], "amount": [1]})]
    assert lake.local.append_once(THINGS, parts, app_id="batch 1") == 2
    assert lake.local.append_once(THINGS, parts, app_id="batch 1") == 0
    assert lake.local.append_once(THINGS, parts[:1], app_id="batch 2") == 1
    assert sorted(row["thing"] for row in lake.read(THINGS).collect()) == ["a", "a", "b"]


def test_append_new_adds_unknown_keys_only_and_the_least_of_several(lake: Lake) -> None:
    lake.append_new(THINGS, things(lake, ("a", 5), ("a", 3)), order=["amount"])
    result = lake.append_new(THINGS, things(lake, ("a", 1), ("b", 2)), order=["amount"])
    assert (amounts(lake), result.inserted) == ({"a": 3, "b": 2}, 1)


def test_append_new_of_known_keys_commits_nothing(lake: Lake) -> None:
    before = lake.append_new(THINGS, things(lake, ("a", 1))).version
    assert lake.append_new(THINGS, things(lake, ("a", 9))).version == before


def test_rows_of_the_driver_are_added_once_per_key(lake: Lake) -> None:
    files = ALL["ops.batch_files"]

    def file(name: str, size: int) -> dict[str, Any]:
        place = {"feed": "staff", "interval": "2025-03-01", "batch_id": "b", "name": name}
        return place | {"sha256": "ab" * 32, "bytes": size}

    first = lake.add_rows(files, [file("a", 1), file("b", 2)])
    again = lake.add_rows(files, [file("a", 9), file("c", 3)])
    assert (first.inserted, again.inserted) == (2, 1)
    assert sorted((row["name"], row["bytes"]) for row in lake.read(files).collect()) == [("a", 1), ("b", 2), ("c", 3)]
    assert lake.add_rows(files, [file("a", 9)]).version == again.version


def test_replace_changes_exactly_what_differs(lake: Lake) -> None:
    lake.replace(THINGS, things(lake, ("same", 1), ("other", 1), ("gone", 1)))
    result = lake.replace(THINGS, things(lake, ("same", 1), ("other", 2), ("new", 3)))
    assert (result.inserted, result.updated, result.deleted) == (1, 1, 1)
    assert amounts(lake) == {"same": 1, "other": 2, "new": 3}


def test_replacing_by_the_same_rows_commits_nothing(lake: Lake) -> None:
    before = lake.replace(THINGS, things(lake, ("a", 1), ("b", 2))).version
    assert lake.replace(THINGS, things(lake, ("b", 2), ("a", 1))).version == before


def test_replace_keys_leaves_rows_of_other_keys_alone(lake: Lake) -> None:
    lake.replace(THINGS, things(lake, ("a", 1), ("b", 1), ("c", 1)))
    keys = lake.spark.createDataFrame([("a",), ("b",)], "thing string")
    result = lake.replace_keys(THINGS, things(lake, ("a", 2)), keys)
    assert (amounts(lake), result.deleted) == ({"a": 2, "c": 1}, 1)


def test_delete_keys_leaves_no_row_of_them(lake: Lake) -> None:
    lake.replace(THINGS, things(lake, ("a", 1), ("b", 1)))
    lake.delete_keys(THINGS, lake.spark.createDataFrame([("a",)], "thing string"))
    assert amounts(lake) == {"b": 1}


def version(number: int, **known: Any) -> dict[str, Any]:
    given = {"thing": "t", "interval": date(2025, 3, number), "version_key": str(number), "status": f"s{number}"}
    return given | known


VERSIONS = (
    version(1, said="old", tags=["x"], first=5),
    version(2, said="middle", first=2),
    version(3, tags=["y"], first=7),
    version(4, first=None),
)
END = {
    "thing": "t",
    "status": "s4",
    "first": 2,
    "said": "middle",
    "tags": ["y"],
    "interval": date(2025, 3, 4),
    "version_key": "4",
    "filled_from": '{"said":"2","tags":"3"}',
}


@pytest.mark.parametrize("order", list(permutations(range(4)))[3::6], ids=str)
def test_versions_end_in_one_state_in_whatever_order_they_come(lake: Lake, order: tuple[int, ...]) -> None:
    for number in order:
        lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, VERSIONS[number]))
    assert stored(lake, VERSIONED) == {"t": END}


@pytest.mark.parametrize("cut", [0, 2, 4])
def test_versions_of_one_write_end_in_the_same_state(lake: Lake, cut: int) -> None:
    for part in (VERSIONS[cut:], VERSIONS[:cut]):
        if part:
            lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, *part))
    assert stored(lake, VERSIONED) == {"t": END}


def test_upserting_known_versions_again_commits_nothing(lake: Lake) -> None:
    before = lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, *VERSIONS)).version
    for row in VERSIONS:
        assert lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, row)).version == before


def test_of_one_version_seen_twice_the_earlier_arrival_counts(lake: Lake) -> None:
    early, late = version(2), version(2, interval=date(2025, 3, 9))
    for rows in ((late,), (early,), (late,)):
        lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, *rows))
    assert stored(lake, VERSIONED)["t"]["interval"] == date(2025, 3, 2)


def test_an_upsert_touches_only_its_own_keys(lake: Lake) -> None:
    lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, version(1), version(1, thing="u")))
    result = lake.upsert_latest(VERSIONED, frame(lake, VERSIONED, version(2), version(1, thing="v")))
    assert (result.inserted, result.updated) == (1, 1)
    assert {name: row["version_key"] for name, row in stored(lake, VERSIONED).items()} == {"t": "2", "u": "1", "v": "1"}


DATED = table(
    columns=(
        Column("thing", "string", "The thing", required=True),
        Column("interval", "date", "When it arrived"),
        Column("content", "string", "What it says"),
    )
)


def test_of_one_key_the_earliest_arrival_is_kept_in_whatever_order_they_come(lake: Lake) -> None:
    def write(day: int, content: str) -> int:
        rows = frame(lake, DATED, {"thing": "t", "interval": date(2025, 3, day), "content": content})
        return lake.keep_earliest(DATED, rows, same="content").changed

    assert [write(3, "same"), write(5, "same"), write(2, "other"), write(1, "same")] == [1, 0, 0, 1]
    assert stored(lake, DATED)["t"] == {"thing": "t", "interval": date(2025, 3, 1), "content": "same"}


def test_a_table_without_versions_cannot_be_upserted(lake: Lake) -> None:
    with pytest.raises(ValueError, match=r"silver\.things declares no version"):
        lake.upsert_latest(THINGS, things(lake, ("a", 1)))


def test_a_partitioned_table_is_written_merged_and_read(lake: Lake) -> None:
    parted = table("parted", partition_by=("day",))
    rows = [{"thing": name, "day": day, "amount": 1} for name, day in (("a", date(2025, 3, 1)), ("b", None))]
    lake.replace(parted, frame(lake, parted, *rows))
    lake.replace(parted, frame(lake, parted, rows[0] | {"day": date(2025, 3, 2)}, rows[1]))
    assert {name: row["day"] for name, row in stored(lake, parted).items()} == {"a": date(2025, 3, 2), "b": None}
    assert deltalake.DeltaTable(lake.path(parted)).metadata().partition_columns == ["day"]


def test_a_table_carries_its_words_and_keeps_to_what_every_reader_knows(lake: Lake) -> None:
    lake.append_new(THINGS, things(lake, ("a", 1)))
    found = deltalake.DeltaTable(lake.path(THINGS))
    comments = {field.name: field.metadata["comment"] for field in found.schema().fields}
    assert comments == {column.name: column.doc for column in THINGS.columns}
    assert found.metadata().description == THINGS.doc
    assert found.metadata().configuration["delta.enableDeletionVectors"] == "false"
    protocol = found.protocol()
    assert (protocol.min_reader_version, protocol.reader_features) == (1, None)


def test_a_required_column_without_a_value_is_refused(lake: Lake) -> None:
    with pytest.raises(Exception, match=r"(?i)null"):
        lake.append_new(THINGS, lake.spark.createDataFrame([(None, 1)], "thing string, amount bigint"))


def test_the_log_holds_no_statistics_of_personal_columns(lake: Lake) -> None:
    lake.append_new(THINGS, frame(lake, THINGS, {"thing": "a", "amount": 1, "holder": "secretive"}))
    lake.replace(THINGS, frame(lake, THINGS, {"thing": "a", "amount": 2, "holder": "secretive too"}))
    added = [json.loads(entry["add"]["stats"]) for entry in log_of(lake, THINGS) if "add" in entry]
    assert [stats["maxValues"].get("amount") for stats in added] == [1, 2]
    assert "secretive" not in json.dumps(log_of(lake, THINGS))


def test_the_log_holds_none_of_rows_of_the_driver_either(lake: Lake) -> None:
    audit = ALL["ops.audit"]
    words = {"actor": "a", "action": "read", "previous": "p", "digest": "d" * 64}
    lake.add_rows(audit, [{"seq": 1, "at": 1740812400000, "subject": "secretive"} | words])
    (stats,) = [json.loads(entry["add"]["stats"]) for entry in log_of(lake, audit) if "add" in entry]
    assert stats["maxValues"]["seq"] == 1
    assert "secretive" not in json.dumps(log_of(lake, audit))


def test_the_log_of_the_vault_holds_neither_tokens_nor_ciphers(lake: Lake) -> None:
    vault = ALL["silver.pii_vault"]
    row = {"token": "ab" * 16, "kind": "phone", "cipher": "secretive", "key_id": "k", "forms": []}
    lake.append_new(vault, frame(lake, vault, row))
    assert "secretive" not in json.dumps(log_of(lake, vault))
    assert "abab" not in json.dumps(log_of(lake, vault))


def test_an_older_version_can_still_be_read(lake: Lake) -> None:
    first = lake.replace(THINGS, things(lake, ("a", 1))).version
    lake.replace(THINGS, things(lake, ("a", 2)))
    assert [row["amount"] for row in lake.read(THINGS, version=first).collect()] == [1]


def test_results_of_parallel_writes_come_in_the_order_of_their_names(lake: Lake) -> None:
    tables = {f"silver.t{n}": table(f"t{n}") for n in range(6)}
    results = lake.each(lambda name: lake.append_new(tables[name], things(lake, (name, 1))), list(tables))
    assert [(result.table, result.inserted) for result in results] == [(name, 1) for name in tables]


def test_a_bulk_of_facts_lies_in_files_by_their_column(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST_ROWS", 50)
    spread = table(name="spread", cluster_by="amount")
    rows = [
        {"thing": f"t{number}", "day": date(2025, 3, 1), "amount": number * 7 % 200, "holder": "h"}
        for number in range(200)
    ]
    lake.append_new(spread, lake.spark.createDataFrame([tuple(row.values()) for row in rows], spread.ddl()))
    actions = pl.DataFrame(deltalake.DeltaTable(lake.path(spread)).get_add_actions(flatten=True))
    bounds = sorted(actions.select("min.amount", "max.amount").iter_rows())
    assert len(bounds) == 4
    assert all(end < begin for (_, end), (begin, _) in pairwise(bounds))
    assert sorted(row["amount"] for row in lake.read(spread).collect()) == list(range(200))
