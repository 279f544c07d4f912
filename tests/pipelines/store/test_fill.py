"""A version that is silent about a column keeps what the newest other version says, in whatever order they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.spec import Check, Column, Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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


RELATIONS = Table(
    layer="silver",
    name="relations",
    doc="Relations of a test.",
    grain="one relation",
    key=("relation",),
    version="version_key",
    fill=("added", "tags"),
    columns=(
        Column("relation", "string", "Relation", required=True),
        Column("status", "string", "Status"),
        Column("added", "bigint", "When it began"),
        Column("ended", "bigint", "When it ended"),
        Column("tags", "array<string>", "Tags"),
        Column("version_key", "string", "Version", required=True),
    ),
    checks=(Check("has_status", "status IS NOT NULL"),),
)

BEGUN = {"relation": "r", "status": "active", "added": 1, "ended": None, "tags": None, "version_key": "1"}
PULLED = {"relation": "r", "status": "active", "added": 1, "ended": None, "tags": ["vip"], "version_key": "2"}
ENDED = {"relation": "r", "status": "deleted", "added": None, "ended": 3, "tags": None, "version_key": "3"}
KNOWN = {"status": "deleted", "added": 1, "ended": 3, "tags": ["vip"], "version_key": "3"}


def stored(lake: Lake) -> dict[str, Any]:
    (row,) = lake.read(RELATIONS).drop("relation").collect()
    return row.asDict()


def write(lake: Lake, *rows: dict[str, Any]) -> int:
    frame = lake.spark.createDataFrame(list(rows), RELATIONS.ddl().replace(" NOT NULL", ""))
    return lake.upsert_latest(RELATIONS, frame).changed


def test_versions_of_one_write_complete_each_other(lake: Lake) -> None:
    write(lake, ENDED, BEGUN, PULLED)
    assert stored(lake) == KNOWN


@pytest.mark.parametrize("order", [(ENDED, PULLED, BEGUN), (PULLED, ENDED, BEGUN)])
def test_versions_complete_each_other_in_any_order_of_arrival(lake: Lake, order: tuple[dict[str, Any], ...]) -> None:
    for row in order:
        write(lake, row)
    assert stored(lake) == KNOWN


def test_a_column_that_is_not_filled_is_what_the_newest_version_says(lake: Lake) -> None:
    write(lake, ENDED)
    write(lake, PULLED | {"version_key": "4"})
    assert stored(lake)["ended"] is None


def test_writing_again_what_is_known_changes_nothing(lake: Lake) -> None:
    write(lake, BEGUN, PULLED, ENDED)
    assert write(lake, BEGUN) == 0
    assert write(lake, ENDED, PULLED) == 0
