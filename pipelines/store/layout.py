"""How the rows of a table lie in its files, so that a day's changes rewrite few of them.

A table with `cluster_by` has files that each hold a range of that column, mostly time: what changes on a day is mostly
young. There are so many of them at most that a change of one row rewrites a small part of the table, and so few that
opening them costs nothing. Rows that a cluster's MERGE writes lie anyhow until they are rewritten here.
"""

from __future__ import annotations

from collections.abc import Mapping

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


def bundled(table: Table, files: Mapping[str, int]) -> list[list[str]]:
    """The files in bundles that are rewritten at once, of no more rows than a file may have; `files`: rows by name.

    A table with `cluster_by` is one bundle, as its rows are put in order; without files there is an empty one.

    >>> from pipelines.tables import ALL
    >>> bundled(ALL["gold.dim_customer"], {"a": 600_000, "b": 300_000, "c": 200_000})
    [['a', 'b'], ['c']]
    """
    bundles: list[list[str]] = [[]]
    held = 0
    for name, rows in files.items():
        if bundles[-1] and held + rows > MOST_ROWS and table.cluster_by is None:
            bundles.append([])
            held = 0
        bundles[-1].append(name)
        held += rows
    return bundles


def laid_out(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order in which they are to be cut into files."""
    return rows if table.cluster_by is None else rows.sort(table.cluster_by, maintain_order=True)
