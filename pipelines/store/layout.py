"""How the rows of a table lie in its files, so that a day's changes rewrite few of them.

A table with `cluster_by` has files that each hold a range of that column, mostly time: what changes on a day is mostly
young. There are so many of them at most that a change of one row rewrites a small part of the table, and so few that
opening them costs nothing. Rows that a cluster's MERGE writes lie anyhow until they are rewritten here.
"""

from __future__ import annotations

import polars as pl

from pipelines.spec import Table

FILES = 64
LEAST_ROWS = 16_384
MOST_ROWS = 1_000_000
LEAST_BYTES = 1024 * 1024


def rows_per_file(table: Table, standing: int) -> int:
    """How many rows a file may have in a table of so many.

    >>> from pipelines.tables import ALL
    >>> events, people = ALL["gold.fact_event"], ALL["gold.dim_customer"]
    >>> rows_per_file(events, 10_000), rows_per_file(events, 6_400_000), rows_per_file(people, 10_000)
    (16384, 100000, 1000000)
    """
    return MOST_ROWS if table.cluster_by is None else min(max(standing // FILES, LEAST_ROWS), MOST_ROWS)


def bytes_per_file(table: Table, standing: int) -> int | None:
    """From which size on a file is no small one in a table of so many bytes; None where the default will do."""
    return None if table.cluster_by is None else max(standing // FILES, LEAST_BYTES)


def laid_out(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order in which they are to be cut into files."""
    return rows if table.cluster_by is None else rows.sort(table.cluster_by, maintain_order=True)
