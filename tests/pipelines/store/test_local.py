"""Tables written in this process are what every reader of Delta takes them for, file by file."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import polars as pl
import pyarrow.compute as pc
import pytest

from pipelines.errors import CdpError, IntegrityError
from pipelines.spec import Column, Table
from pipelines.store import layout
from pipelines.store.aging import compact
from pipelines.store.commit import swap_files
from pipelines.store.local import LocalLake, to_arrow

THINGS = Table(
    layer="silver",
    name="things",
    doc="Things of a test.",
    grain="one thing",
    key=("thing",),
    columns=(
        Column("thing", "string", "The thing", required=True),
        Column("status", "string", "Its status"),
        Column("holder", "string", "Who holds it", pii="pseudonym"),
        Column("seen_at", "timestamp", "When it was seen"),
        Column("tags", "array<string>", "Its tags"),
        Column("interval", "date", "When it arrived"),
        Column("amount", "bigint", "Its amount"),
    ),
)
LONG = "x" * 60


def row(thing: str, amount: int, **more: Any) -> dict[str, Any]:
    given = {"thing": thing, "status": "new", "holder": f"h-{thing}", "interval": date(2025, 3, 1), "amount": amount}
    return given | {"seen_at": datetime(2025, 3, 1, 1, 2, 3, 456789, tzinfo=UTC), "tags": ["a", "b"]} | more


def rows(*given: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(given))


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path)


def changed(lake: LocalLake) -> deltalake.DeltaTable:
    """A table with one file of the library's writer and one of ours."""
    lake.append(THINGS, rows(row("a", 1), row("b", 2, status=LONG)))
    lake.append(THINGS, rows(row("c", 3)))
    lake.replace_keys(THINGS, rows(row("a", 9, status=LONG)), rows(row("a", 9)).select("thing"))
    return deltalake.DeltaTable(lake.root / "silver" / "things")


SPREAD = replace(THINGS, name="spread", cluster_by="seen_at")


def spread(*numbers: int) -> pl.DataFrame:
    """Things by number, each seen a minute after the one before."""
    start = datetime(2025, 3, 1, tzinfo=UTC)
    return rows(*(row(f"t{number:05d}", number, seen_at=start + timedelta(minutes=number)) for number in numbers))


def files_of(lake: LocalLake, table: Table) -> dict[str, tuple[int, int]]:
    """The least and greatest amount in each data file."""
    found = lake.scan(table).select("thing")  # the table is there
    assert found.collect().height
    delta = deltalake.DeltaTable(lake.root / table.layer / table.name)
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    return {row["path"]: (row["min.amount"], row["max.amount"]) for row in actions.iter_rows(named=True)}


def rows_of_files(lake: LocalLake, table: Table) -> list[int]:
    delta = deltalake.DeltaTable(lake.root / table.layer / table.name)
    return [int(rows) for rows in pl.DataFrame(delta.get_add_actions(flatten=True))["num_records"]]


def test_a_change_of_young_rows_leaves_the_files_of_old_ones(lake: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST_ROWS", 100)
    numbers = list(range(1000))
    random.shuffle(numbers)
    lake.append(SPREAD, spread(*numbers))
    before = files_of(lake, SPREAD)
    assert sorted(before.values()) == [(first, first + 99) for first in range(0, 1000, 100)]
    late = spread(*range(990, 1040)).with_columns(status=pl.lit("seen"))
    lake.replace_keys(SPREAD, late, late.select("thing"))
    after = files_of(lake, SPREAD)
    assert len(set(before) & set(after)) == 9
    assert sorted(set(after.values()) - set(before.values())) == [(900, 969), (970, 1039)]
    stand = lake.scan(SPREAD).sort("amount").collect()
    assert stand["amount"].to_list() == list(range(1040))
    assert stand.filter(status="seen").height == 50


@pytest.mark.parametrize("most", [3, 7, 1000])
def test_a_change_of_many_files_leaves_every_row_in_one_of_them(
    lake: LocalLake, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(layout, "MOST_ROWS", most)
    numbers = list(range(40))
    for start in range(0, 40, 4):
        lake.append(THINGS, spread(*numbers[start : start + 4]).with_columns(status=pl.lit("old")))
    changed = spread(*range(2, 36, 3), 90, 91).with_columns(status=pl.lit("seen"))
    gone = spread(0, 39, 77)
    result = lake.replace_keys(THINGS, changed, pl.concat([changed, gone]).select("thing"))
    assert (result.inserted, result.updated, result.deleted) == (2, 12, 2)
    stand = lake.scan(THINGS).sort("amount").collect()
    assert stand["amount"].to_list() == [*range(1, 39), 90, 91]
    assert stand.filter(status="seen")["amount"].to_list() == [*range(2, 36, 3), 90, 91]
    assert max(held for held in rows_of_files(lake, THINGS)) <= max(most, 4)
    assert (len(rows_of_files(lake, THINGS)) == 1) == (most == 1000)


def test_small_files_are_put_together_and_whole_ones_left(lake: LocalLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LEAST_ROWS", 2_000)
    monkeypatch.setattr(layout, "LEAST_BYTES", 16_000)
    lake.append(SPREAD, spread(*range(10_000)))
    whole = set(files_of(lake, SPREAD))
    assert len(whole) == 5
    for number in range(10_000, 10_003):
        lake.append(SPREAD, spread(number))
    assert compact(SPREAD, lake.root / "silver" / "spread") == 3
    after = files_of(lake, SPREAD)
    assert whole < set(after)
    assert len(after) == 6


def test_every_reader_sees_the_same_rows_and_filters_them_alike(lake: LocalLake) -> None:
    delta = changed(lake)
    frame = lake.scan(THINGS).sort("thing").collect()
    assert frame["amount"].to_list() == [9, 2, 3]
    dataset = delta.to_pyarrow_dataset()
    for name in ("status", "holder"):
        for value in frame[name].unique():
            wanted = frame.filter(pl.col(name) == value).height
            assert dataset.count_rows(filter=pc.field(name) == value) == wanted
    connection = duckdb.connect()
    connection.register("t", dataset)
    found = connection.execute("SELECT count(*) FROM t WHERE status = ? AND amount > 1", [LONG]).fetchone()
    connection.close()
    assert found == (2,)
    when = datetime(2025, 3, 1, 1, 2, 3, 456789, tzinfo=UTC)
    assert dataset.count_rows(filter=pc.field("seen_at") == when) == 3
    assert pl.read_delta(str(lake.root / "silver" / "things"))["amount"].sum() == 14


def test_only_files_with_a_changed_row_are_swapped(lake: LocalLake) -> None:
    lake.append(THINGS, rows(row("a", 1), row("b", 2)))
    lake.append(THINGS, rows(row("c", 3)))
    before = set(deltalake.DeltaTable(lake.root / "silver" / "things").file_uris())
    result = lake.replace_keys(THINGS, rows(row("c", 4)), pl.DataFrame({"thing": ["c"]}))
    after = set(deltalake.DeltaTable(lake.root / "silver" / "things").file_uris())
    assert (result.inserted, result.updated, result.deleted) == (0, 1, 0)
    assert (len(before & after), len(after)) == (1, 2)


def test_a_row_can_go_for_good(lake: LocalLake) -> None:
    changed(lake)
    nothing = lake.scan(THINGS).limit(0).collect()
    result = lake.replace_keys(THINGS, nothing, pl.DataFrame({"thing": ["a", "c", "unknown"]}))
    assert (result.deleted, lake.rows(THINGS)) == (2, 1)


def test_a_swap_that_another_writer_overtook_is_refused(lake: LocalLake) -> None:
    delta = changed(lake)
    lake.append(THINGS, rows(row("d", 4)))
    with pytest.raises(CdpError, match="another writer") as refused:
        swap_files(delta, THINGS, [], [to_arrow(THINGS, rows(row("e", 5)))])
    assert refused.value.code == 5
    assert lake.rows(THINGS) == 4
    assert not list((lake.root / "silver" / "things" / "_delta_log").glob(".*draft"))


def test_the_log_tells_nothing_of_pseudonyms(lake: LocalLake) -> None:
    changed(lake)
    log = lake.root / "silver" / "things" / "_delta_log"
    said = "".join(path.read_text() for path in log.glob("*.json"))
    assert "h-a" not in said
    last = [json.loads(line) for line in sorted(log.glob("*.json"))[-1].read_text().splitlines()]
    (stats,) = [json.loads(action["add"]["stats"]) for action in last if "add" in action]
    assert stats["maxValues"]["seen_at"] == "2025-03-01T01:02:03.457Z"
    assert stats["minValues"]["seen_at"] == "2025-03-01T01:02:03.456Z"


def test_swaps_go_on_over_checkpoints(lake: LocalLake) -> None:
    lake.append(THINGS, rows(row("a", 0)))
    for amount in range(1, 25):
        lake.replace_keys(THINGS, rows(row("a", amount)), pl.DataFrame({"thing": ["a"]}))
    assert lake.scan(THINGS).collect()["amount"].to_list() == [24]
    assert list((lake.root / "silver" / "things" / "_delta_log").glob("*.checkpoint.parquet"))


def test_a_missing_required_value_is_refused_before_anything_is_written(lake: LocalLake) -> None:
    with pytest.raises(IntegrityError, match=r"silver\.things would get rows whose thing is null"):
        lake.append(THINGS, rows(row("a", 1), row("b", 1) | {"thing": None}))
    assert lake.rows(THINGS) == 0


def test_partitions_keep_their_rows_apart(lake: LocalLake) -> None:
    parted = Table(**{**THINGS.__dict__, "name": "parted", "partition_by": ("interval",)})
    first, second = row("a", 1), row("b", 1, interval=None)
    lake.append(parted, rows(first, second))
    lake.replace(parted, rows(first, second), rows(first | {"interval": date(2025, 3, 2)}, second | {"amount": 5}))
    found = lake.scan(parted).sort("thing").select("interval", "amount").collect().rows()
    assert found == [(date(2025, 3, 2), 1), (None, 5)]
    dataset = deltalake.DeltaTable(lake.root / "silver" / "parted").to_pyarrow_dataset()
    assert dataset.count_rows(filter=pc.field("interval") == date(2025, 3, 2)) == 1
