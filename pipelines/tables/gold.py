"""Gold: the star schema that BI tools read."""

from __future__ import annotations

from pipelines.spec import Table

TABLES: tuple[Table, ...] = ()
