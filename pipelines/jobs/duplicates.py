"""Which staged records are new, known from a first try of their own batch, or duplicates.

Only digests and positions are looked at, in columns and in process (DuckDB, which spills to disk): five million records
take seconds, where a cluster job of its own would cost more than the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.store.versions import dataset

POSITION = ("batch_id", "source_file", "line", "element")
VERDICTS = """
CREATE TEMP TABLE verdicts AS
SELECT s.__table, s.interval, s.batch_id, s.source_file, s.line, s.element,
       CASE WHEN s.n > 1 THEN 'duplicate' WHEN k.owner IS NULL THEN 'new'
            WHEN k.owner = s.batch_id THEN 'again' ELSE 'duplicate' END AS verdict
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY __table, interval, record_hash ORDER BY received_at, batch_id, source_file, line, element) AS n
  FROM read_parquet($files) SEMI JOIN accepted USING (__batch)
) s LEFT JOIN known k ON s.__table = k.tbl AND s.interval = k.interval AND s.record_hash = k.record_hash
"""
COUNTED = "SELECT __table, interval::VARCHAR, batch_id, verdict, count(*) FROM verdicts GROUP BY ALL ORDER BY ALL"
DROPPED = f"SELECT interval, {', '.join(POSITION)} FROM verdicts WHERE verdict <> 'new' AND __table = $name"
DOUBLED = """
SELECT concat_ws('/', replace(__table, 'bronze.', ''), interval, batch_id) AS __batch,
       concat_ws('|', source_file, line, element) AS __place
FROM verdicts WHERE verdict = 'duplicate'
"""


@dataclass(frozen=True)
class Verdicts:
    """Records by (table, interval, batch, verdict), per table the positions of those that are not new, and batch and
    place of all duplicates."""

    counted: Sequence[tuple[str, str, str, str, int]]
    dropped: Mapping[str, pa.Table]
    doubled: pa.Table


@dataclass(frozen=True)
class Days:
    """The arrival intervals of a run, first and last."""

    first: str
    last: str


def find_duplicates(
    files: Mapping[str, Sequence[str]], accepted: Sequence[str], *, lake: Path, check: Sequence[str], days: Days
) -> Verdicts:
    """A record counts once per table and interval: of several the first received, and none that bronze holds.

    `files`: staged files by table; `accepted`: the `__batch` names that count; `check`: tables that may hold records
    of these days already.
    """
    with duckdb.connect(":memory:") as connection:
        connection.register("accepted", pa.table({"__batch": pa.array(list(accepted), pa.string())}))
        _known(connection, lake, check, days)
        connection.execute(VERDICTS, {"files": [file for some in files.values() for file in some]})
        counted: list[Any] = connection.execute(COUNTED).fetchall()
        names = sorted({row[0] for row in counted if row[3] != "new"})
        dropped = {name: connection.execute(DROPPED, {"name": name}).to_arrow_table() for name in names}
        return Verdicts(counted, dropped, connection.execute(DOUBLED).to_arrow_table())


def _known(connection: duckdb.DuckDBPyConnection, lake: Path, check: Sequence[str], days: Days) -> None:
    connection.execute("CREATE TEMP TABLE known (tbl VARCHAR, interval DATE, record_hash VARCHAR, owner VARCHAR)")
    for place, name in enumerate(check):
        rows = dataset(lake, name)
        if rows is None:
            continue
        connection.register(f"bronze_{place}", rows)
        connection.execute(
            f"INSERT INTO known SELECT $name, interval, record_hash, batch_id FROM bronze_{place} "
            "WHERE interval BETWEEN $first::DATE AND $last::DATE",
            {"name": name, "first": days.first, "last": days.last},
        )
